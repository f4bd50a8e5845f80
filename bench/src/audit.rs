//! Verifying an audit, against hashing its lines and checking its signatures.

use std::hint::black_box;

use approval_core::audit::{Chain, Checkpoint, CheckpointType, EventDraft, EventKind, Evidence, Head, verify};
use approval_core::json::{Document, Limits};
use approval_core::signing::{self, Signer as _, SigningPurpose};
use approval_core::{Clock as _, Digest, PlanId, WriterId};
use approval_testkit::{FakeClock, SeededEntropy, test_signing_keys};
use sha2::{Digest as _, Sha256};

use crate::report::Report;
use crate::timing::medians_of_long;

/// After how many events each checkpoint comes.
const INTERVAL: u64 = 1000;

/// The most that verification may take, in units of hashing the same lines and checking the same signatures.
const MOST: f64 = 3.0;

/// Measures the whole verification of an export of so many events, with keys.
pub(crate) fn measure(report: &mut Report, events: u64) {
    let Some(export) = export(events) else {
        return report.target("an audit that can't be made".to_owned(), f64::NAN, MOST);
    };
    let signer = test_signing_keys();
    let keys = signer.key_set();
    let lines: Vec<&[u8]> = export.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    let (envelopes, lines): (Vec<&[u8]>, Vec<&[u8]>) = lines.iter().partition(|line| line.starts_with(b"{\"payload\""));
    let evidence = Evidence { keys: Some(keys), ..Evidence::default() };
    let proven = verify(export.as_slice(), &evidence).ok().and_then(|report| report.proven);
    let [baseline, ours] = medians_of_long([
        &mut || {
            for line in &lines {
                black_box(Sha256::digest(black_box(line)));
            }
            for envelope in &envelopes {
                black_box(signing::open(black_box(envelope), SigningPurpose::Checkpoint, keys).is_ok());
            }
        },
        &mut || {
            black_box(verify(black_box(export.as_slice()), &evidence).is_ok());
        },
    ]);
    report.note("verifying an audit, in units of hashing its lines and checking its signatures:");
    let what = format!("{events} events, {} checkpoints, {:.0} ms", envelopes.len(), ours / 1e6);
    report.target(what, if proven == Some(events) { ours / baseline } else { f64::NAN }, MOST);
}

/// Plans of five events each, by one writer, with a checkpoint after each thousandth event.
fn export(events: u64) -> Option<Vec<u8>> {
    let (clock, entropy, signer) = (FakeClock::new(), SeededEntropy::new(5), test_signing_keys());
    let writer = WriterId::generate(&entropy).ok()?;
    let (mut head, mut lines): (Option<Head>, Vec<u8>) = (None, Vec::new());
    let (mut order, mut previous, mut number) = (Sha256::new_with_prefix([0; 32]), None, 0);
    let mut plan: Option<(PlanId, Option<Digest>)> = None;
    for count in 1..=events {
        let kinds = [
            EventKind::PlanCreated,
            EventKind::ChallengeCreated,
            EventKind::DecisionApproved,
            EventKind::ExecutionClaimed,
            EventKind::ExecutionApplied,
        ];
        let kind = kinds.get(usize::try_from(count % 5).ok()?).copied()?;
        if kind == EventKind::PlanCreated || plan.is_none() {
            plan = Some((PlanId::generate(clock.now(), &entropy).ok()?, None));
        }
        let is_checkpoint = count % INTERVAL == 0;
        let draft = match (is_checkpoint, &plan) {
            (false, Some((plan, _))) => {
                let digest = Digest::of_bytes(plan.to_string().as_bytes());
                let mut draft = EventDraft::of_plan(kind, *plan, digest);
                draft.record_digest = Some(digest);
                draft.actor = format!("test.{}E", "b".repeat(42)).parse().ok();
                draft.challenge_id = "RamFftlUZpm4dkmYttUKdQ".parse().ok();
                draft
            }
            _ => EventDraft::new(EventKind::AuditCheckpoint),
        };
        let mut chain = Chain::at(writer, head, plan);
        let (_, document) = chain.append(draft, clock.now()).ok()?;
        head = chain.head().cloned();
        plan = plan.map(|(plan, _)| (plan, chain.plan_head()));
        order.update(document.digest().as_bytes());
        lines.extend_from_slice(document.as_bytes());
        lines.push(b'\n');
        if is_checkpoint {
            number += 1;
            let finished = Digest::from_bytes(order.finalize().into());
            order = Sha256::new_with_prefix(finished.as_bytes());
            let checkpoint = Checkpoint {
                kind: CheckpointType::V0,
                audience: signer.key_set().audience().clone(),
                number,
                previous,
                at: clock.now(),
                events: count,
                writers: 1,
                heads: head.clone().into_iter().collect(),
                order: finished,
            };
            let payload = Document::from_serialize(&checkpoint, &Limits::PLAN).ok()?;
            previous = Some(payload.digest());
            lines.extend(signing::sign(&signer, SigningPurpose::Checkpoint, payload.as_bytes(), clock.now()).ok()?);
            lines.push(b'\n');
        }
    }
    Some(lines)
}
