//! Receipts, in units of the bare signature of the same bytes.

use std::hint::black_box;

use approval_core::receipt::{issue, verify};
use approval_core::record::Verdict;
use approval_core::signing::{Signer as _, SigningInput, SigningPurpose, open};
use approval_core::{Clock as _, PlanPageView, Policy, Terms};
use approval_testkit::Room;
use serde_json::json;

use crate::cycle::{finish, stop};
use crate::report::Report;
use crate::timing::medians;

/// The most that the whole offline verification may take, in units of one bare verification of the same bytes.
const MOST_TO_VERIFY: f64 = 1.3;

/// The most that making a receipt from the records at hand may take, in units of one bare signature of the same bytes.
const MOST_TO_SIGN: f64 = 1.5;

/// The secret key for receipts of the rooms.
const SEED: [u8; 32] = [8; 32];

/// Measures making and verifying the receipt of an executed plan.
pub(crate) fn measure(report: &mut Report) {
    let room = finish(Room::with_policy(Policy::always(Terms::same_subject())));
    let page = executed(&room);
    let now = room.clock.now();
    let receipt = issue(&page.records(), &*room.signer, now).unwrap_or_default();
    let keys = room.signer.key_set();
    let input = match open(&receipt, SigningPurpose::Receipt, keys) {
        Ok(signed) => SigningInput::new(SigningPurpose::Receipt, signed.payload()),
        Err(fault) => return report.target(format!("the receipt does not open: {fault}"), f64::NAN, 0.0),
    };
    let key = ed25519_dalek::SigningKey::from_bytes(&SEED);
    let (public, signature) = (key.verifying_key(), ed25519_dalek::Signer::sign(&key, input.as_bytes()));

    let [bare_sign, sign, bare_verify, verified] = medians([
        &mut || {
            black_box(ed25519_dalek::Signer::sign(&key, black_box(input.as_bytes())));
        },
        &mut || {
            black_box(issue(black_box(&page.records()), &*room.signer, now).ok());
        },
        &mut || {
            black_box(public.verify_strict(black_box(input.as_bytes()), &signature).is_ok());
        },
        &mut || {
            black_box(verify(black_box(&receipt), keys, Some(now)).ok());
        },
    ]);
    let holds = verify(&receipt, keys, Some(now)).is_ok() && public.verify_strict(input.as_bytes(), &signature).is_ok();
    let figure = |ratio: f64| if holds { ratio } else { f64::NAN };
    report.note(format!(
        "receipts of {} bytes, in units of the bare Ed25519 operation on the {} bytes that are signed:",
        receipt.len(),
        input.as_bytes().len()
    ));
    report.target(format!("making one, {:.1} µs", sign / 1e3), figure(sign / bare_sign), MOST_TO_SIGN);
    report.target(format!("verifying one, {:.1} µs", verified / 1e3), figure(verified / bare_verify), MOST_TO_VERIFY);
}

fn executed(room: &Room) -> PlanPageView {
    let plan = finish(room.plan("a", json!(1))).unwrap_or_else(|refusal| stop(&refusal));
    finish(room.decide(&plan, "alice", Verdict::Approve)).unwrap_or_else(|refusal| stop(&refusal));
    finish(room.execute(&plan)).unwrap_or_else(|refusal| stop(&refusal));
    finish(room.page(&plan, "alice")).unwrap_or_else(|refusal| stop(&refusal))
}
