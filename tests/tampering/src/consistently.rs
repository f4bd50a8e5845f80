//! Somebody who has the key edits one record, and then all that names it by its digest, up to the plan's state: what a digest
//! can't tell any more the other records do, or the checks of the gate.

use approval_core::record::{RecordKind, State};
use approval_core::store::RowKey;
use approval_core::{Digest, Reason, Timestamp};
use approval_testkit::Tables;
use approval_testkit::ill_formed::Forger;
use serde_json::Value;

use crate::expected::{Case, Expect, Owner};
use crate::mutation::{Edit, Mutation, mutations};
use crate::scene::{Scene, Story};
use crate::tally::Tally;
use crate::usage::Use;
use crate::with_the_key::{At, Stored, controls, forge, stored};

const INTEGRITY: Expect = Expect::Refused(Reason::IntegrityFailure);
const MISMATCH: Expect = Expect::Refused(Reason::ApprovalHashMismatch);
const PENDING: Expect = Expect::Refused(Reason::ApprovalPending);

/// Edits the record, and writes its new digest wherever the old one stands.
fn forge_consistently(tables: &mut Tables, scene: &Scene, stored: &Stored, record: &Value) {
    let forger = Forger::new();
    let digest = |tables: &Tables| match &stored.at {
        At::Row(key) => forger.digest(&tables.rows[key]).unwrap().to_string(),
        At::Event(index) => {
            Digest::of_bytes(forger.open_event_text(&tables.events[*index]).unwrap().as_bytes()).to_string()
        }
    };
    let before = digest(tables);
    forge(tables, &stored.at, record);
    let mut exchanged = vec![(before, digest(tables))];
    for kind in [RecordKind::Header, RecordKind::Execution, RecordKind::PlanState] {
        let key = RowKey::of_plan(kind, scene.id());
        let Some(row) = tables.rows.get(&key) else { continue };
        let before = forger.digest(row).unwrap().to_string();
        forger
            .edit(tables, &key, |text| {
                exchanged.iter().fold(text.to_owned(), |text, (old, new)| text.replace(old, new))
            })
            .unwrap();
        exchanged.push((before, forger.digest(&tables.rows[&key]).unwrap().to_string()));
    }
}

/// What must become of the execution.
fn expected(case: &Case<'_>, mutation: &Mutation) -> Expect {
    let at = |pointer: &str| mutation.record.pointer(pointer).and_then(Value::as_str);
    let time = |pointer: &str| at(pointer).and_then(|text| text.parse::<Timestamp>().ok());
    let gone = matches!(mutation.edit, Edit::Nulled | Edit::Removed);
    let open = case.state == State::Approved;
    let challenge = case.scene.challenge.as_ref().expect("a plan that was put before somebody");
    match (case.kind, mutation.member.as_str()) {
        // The challenge still names the digest that was shown: the reasons are those of an edit of this record alone. [GATE-040]
        (RecordKind::Header | RecordKind::Intent | RecordKind::Review, _) => case.forged(mutation),
        _ if !mutation.well_typed => INTEGRITY,
        // [GATE-040]
        (RecordKind::Challenge, "/planId" | "/planDigest" | "/challengeId") => MISMATCH,
        (RecordKind::Decision, "/planId" | "/planDigest" | "/challengeId") => MISMATCH,
        (RecordKind::Execution, "/planDigest") => MISMATCH,
        // [GATE-080]: approvals are counted again, while the plan is open.
        (RecordKind::Challenge, "/createdAt") if open && time("/createdAt") >= Some(first_login(case.scene)) => PENDING,
        (RecordKind::Challenge, "/expiresAt") if open && time("/expiresAt") < Some(challenge.created_at) => PENDING,
        (RecordKind::Decision, "/approver/authTime")
            if open && time("/approver/authTime") <= Some(challenge.created_at) =>
        {
            PENDING
        }
        (RecordKind::Decision, "/verdict") if open => PENDING,
        (RecordKind::Decision, "/verdict") => INTEGRITY,
        // [GATE-092]: nobody knows them.
        (RecordKind::Decision, "/approver/person") if open => Expect::Refused(Reason::ApproverNotPermitted),
        (RecordKind::Execution, "/planId" | "/claimId" | "/claimedAt" | "/outcome") => INTEGRITY,
        (RecordKind::Execution, "/resultDigest") if !gone => INTEGRITY,
        (RecordKind::Reconciliation, "/planId" | "/claimId") => INTEGRITY,
        (RecordKind::Event, "/writer" | "/sequence" | "/event/planId") => INTEGRITY,
        _ => Expect::Shows("no decision depends on it, and who has the key can write what they like"),
    }
}

/// When the first of the two who approved logged in: a second after the challenge was opened, as both do.
fn first_login(scene: &Scene) -> Timestamp {
    scene.challenge.as_ref().expect("a challenge").created_at.after(std::time::Duration::from_secs(1))
}

async fn tampered(story: Story, tally: &mut Tally) {
    let scene = Scene::of(story).await;
    let controls = controls(&scene).await;
    let usage = Use::Execute;
    for stored in stored(&scene) {
        let is_named =
            stored.owner == Owner::Plan && !matches!(stored.kind, RecordKind::PlanState | RecordKind::Secrets);
        if !is_named {
            continue;
        }
        let Stored { kind, owner, state, record, .. } = &stored;
        let (kind, owner, state) = (*kind, *owner, *state);
        let case = Case { scene: &scene, usage, control: &controls[&usage], owner, kind, state, record };
        for mutation in mutations(kind, record) {
            scene.restore();
            forge_consistently(&mut scene.tables(), &scene, &stored, &mutation.record);
            let answer = usage.run(&scene).await;
            tally.count(kind.name(), mutation.edit.name());
            if let Some(fault) = expected(&case, &mutation).fault(case.control, &answer) {
                let what = format!("{}: {usage:?} with a consistent {kind}", scene.name);
                tally.fault((what, mutation.member.clone(), mutation.edit.name()), format!("{mutation}: {fault}"));
            }
        }
    }
}

#[tokio::test]
async fn every_consistent_edit_is_refused_where_something_else_still_says_otherwise() {
    // [GATE-030, GATE-040, GATE-041, GATE-080, GATE-092, LEAF-006]
    let mut tally = Tally::default();
    for story in [Story::Approved, Story::Reconciled] {
        tampered(story, &mut tally).await;
    }
    tally.close("with the key, and all that names the record by its digest", |kind| match kind {
        RecordKind::Challenge
        | RecordKind::Decision
        | RecordKind::Event
        | RecordKind::Execution
        | RecordKind::Header
        | RecordKind::Intent
        | RecordKind::Review => 100,
        RecordKind::Reconciliation | RecordKind::Result => 50,
        // These are named by no digest.
        _ => 0,
    });
}
