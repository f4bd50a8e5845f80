//! What a plan's state says of it follows from what it names: no record, though the key vouches for it, says otherwise.

use approval_core::record::{Outcome, Reconciled, RecordKind, Rule, State, Verdict};
use approval_core::{Clock as _, Digest, PlanView, Reason};
use approval_testkit::{Room, Tables};
use serde_json::{Value, json};

use crate::support::{Forge, Held, always, applied, approved, key_of, reporting, run, seconds, state};

type Edit = fn(&mut Value);

/// The id of no claim that there is.
const NO_CLAIM: &str = "AAAAAAAAAAAAAAAAAAAAAA";

const MEMBERS: &str = "it has not what it must have, or more";
const CAUSE: &str = "it ended by something else";
const TIMES: &str = "its claim has other times than it was given";
const ATTEMPT: &str = "another attempt came to its outcome";
const DECISIONS: &str = "its decisions say otherwise";

/// Nobody is told anything of a plan whose state is this.
async fn incoherent(room: &Room, plan: &PlanView, edits: &[(&str, Edit, &str)]) {
    let memory = room.memory.clone().unwrap();
    let whole = memory.tables().clone();
    for (what, edit, fault) in edits {
        Forge::new(room).edit_state(plan, edit);
        told_apart(room, plan, what, fault).await;
        *memory.tables() = whole.clone();
    }
    // The control.
    room.page(plan, "alice").await.unwrap();
}

async fn told_apart(room: &Room, plan: &PlanView, what: &str, fault: &str) {
    let named = Forge::new(room).read(&key_of(RecordKind::PlanState, plan.header.plan_id))["state"].clone();
    let state: State = serde_json::from_value(named).unwrap();
    // As whoever has the key would.
    room.memory.as_ref().unwrap().tables().plans.get_mut(&plan.header.plan_id).unwrap().state = state;
    let refusal = room.page(plan, "alice").await.expect_err(what);
    let detail = format!("the plan state `{}` does not hold together: {fault}", state.name());
    assert_eq!((refusal.reason(), refusal.detail()), (Reason::IntegrityFailure, detail.as_str()), "{what}");
}

/// A record that the state names says, in one member, that it is another attempt's.
async fn of_another(
    room: &Room,
    plan: &PlanView,
    (kind, named): (RecordKind, &str),
    lies: impl IntoIterator<Item = (&str, Value)>,
) {
    let (forge, memory) = (Forge::new(room), room.memory.clone().unwrap());
    let whole = memory.tables().clone();
    for (member, lie) in lies {
        let digest = forge.edit(&key_of(kind, plan.header.plan_id), |record| record[member] = lie);
        forge.edit_state(plan, |state| state[named] = json!(digest));
        told_apart(room, plan, member, ATTEMPT).await;
        *memory.tables() = whole.clone();
    }
}

fn without(state: &mut Value, member: &str) {
    state.as_object_mut().unwrap().remove(member).expect("it is there");
}

/// The plan is said to have ended like this.
fn ends(plan: &mut Value, state: State, cause: Option<&str>) {
    plan["state"] = json!(state);
    plan["secretsErased"] = json!(true);
    if let Some(cause) = cause {
        plan["cause"] = json!(cause);
    }
}

fn some_time() -> Value {
    json!("2026-01-01T00:00:00.000Z")
}

#[tokio::test]
async fn an_open_plan() {
    // [GATE-031, STATE-001, STATE-032]
    let room = Room::new().await;
    let plan = room.plan("a", json!(1)).await.unwrap();
    incoherent(
        &room,
        &plan,
        &[
            ("approved", |state| state["approvalExpiresAt"] = some_time(), MEMBERS),
            ("pruned", |state| state["pruned"] = json!(true), "it must not have been pruned"),
            ("with a cause", |state| state["cause"] = json!("plan"), CAUSE),
            ("put before somebody", |state| state["state"] = json!(State::AwaitingApproval), MEMBERS),
            ("executing", |state| state["state"] = json!(State::Executing), MEMBERS),
            ("applied", |state| state["state"] = json!(State::Applied), MEMBERS),
            ("cancelled by nothing", |state| ends(state, State::Cancelled, None), CAUSE),
            ("expired by a person", |state| ends(state, State::Expired, Some("cancelled")), CAUSE),
            (
                "with its secrets",
                |state| {
                    ends(state, State::Cancelled, Some("cancelled"));
                    state["secretsErased"] = json!(false);
                },
                MEMBERS,
            ),
            ("rejected by nobody", |state| ends(state, State::Rejected, None), DECISIONS),
            ("withdrawn by nobody", |state| ends(state, State::Cancelled, Some("withdrawn")), DECISIONS),
        ],
    )
    .await;
}

#[tokio::test]
async fn an_approved_plan() {
    // [GATE-031]
    let room = Room::new().await;
    let plan = approved(&room).await;
    incoherent(
        &room,
        &plan,
        &[
            ("without a challenge", |state| without(state, "challenge"), MEMBERS),
            ("planned, with a decision", |state| state["state"] = json!(State::Planned), MEMBERS),
            ("not approved", |state| state["state"] = json!(State::AwaitingApproval), MEMBERS),
            ("without an end", |state| without(state, "approvalExpiresAt"), MEMBERS),
            (
                "for longer than the plan",
                |state| state["approvalExpiresAt"] = json!("2999-01-01T00:00:00.000Z"),
                "it outlives the plan",
            ),
            (
                "twice by one decision",
                |state| {
                    let decision = state["decisions"][0].clone();
                    state["decisions"].as_array_mut().unwrap().push(decision);
                },
                "it names a decision twice",
            ),
            ("with a claim", |state| state["claim"] = claim_of_another(), MEMBERS),
            ("with an outcome", |state| state["state"] = json!(State::Unknown), MEMBERS),
        ],
    )
    .await;
}

fn claim_of_another() -> Value {
    json!({
        "claimId": NO_CLAIM,
        "claimedAt": some_time(),
        "lease": some_time(),
        "deadline": some_time(),
    })
}

#[tokio::test]
async fn a_rejected_plan() {
    // [DEC-007, DEC-008]
    let room = Room::new().await;
    let plan = room.plan("a", json!(1)).await.unwrap();
    room.decide(&plan, "alice", Verdict::Reject).await.unwrap();
    let cancelled: Edit = |state| {
        state["state"] = json!(State::Cancelled);
        state["cause"] = json!("cancelled");
    };
    incoherent(&room, &plan, &[("it was cancelled", cancelled, DECISIONS)]).await;
}

#[tokio::test]
async fn a_plan_that_is_executing() {
    // [GATE-031, EXEC-002, STATE-020, STATE-032]
    let room = Room::new().await;
    let plan = approved(&room).await;
    let held = Held::begin(&room, always(Rule::same_subject()), &plan).await;
    incoherent(
        &room,
        &plan,
        &[
            ("without a claim", |state| without(state, "claim"), MEMBERS),
            ("until later", |state| state["claim"]["deadline"] = json!("2999-01-01T00:00:00.000Z"), TIMES),
            ("with no lease", |state| state["claim"]["lease"] = state["claim"]["claimedAt"].clone(), TIMES),
            ("pruned", |state| state["pruned"] = json!(true), "it must not have been pruned"),
            ("with its secrets", |state| state["secretsErased"] = json!(false), MEMBERS),
        ],
    )
    .await;
    drop(held);
}

#[tokio::test]
async fn an_outcome_of_another_attempt() {
    // [REC-030]
    let room = Room::new().await;
    let plan = approved(&room).await;
    applied(&room, &plan).await;
    let other = room.plan("b", json!(1)).await.unwrap().header.plan_id;
    let (forge, memory) = (Forge::new(&room), room.memory.clone().unwrap());
    let whole = memory.tables().clone();
    let lies = [
        ("planId", json!(other)),
        ("claimId", json!(NO_CLAIM)),
        ("claimedAt", json!(room.clock.now().after(seconds(1)))),
        ("outcome", json!(Outcome::Partial)),
    ];
    of_another(&room, &plan, (RecordKind::Execution, "execution"), lies).await;
    let resolved: Edit = |state| state["reconciliation"] = json!(Digest::of_bytes(b"none"));
    let undone: Edit = |state| without(state, "execution");
    let fault = "the plan's reconciliation is missing";
    forge.edit_state(&plan, resolved);
    assert_eq!(room.page(&plan, "alice").await.unwrap_err().detail(), fault);
    *memory.tables() = whole;
    incoherent(&room, &plan, &[("without what came of it", undone, MEMBERS)]).await;
}

#[tokio::test]
async fn a_resolution_of_another_attempt() {
    // [REC-030, GATE-031]
    let room = Room::new().await;
    let plan = approved(&room).await;
    run(&room, &plan, &reporting(Outcome::Unknown)).await.unwrap();
    room.approvals.reconcile(plan.header.plan_id, Reconciled::Applied, "op").await.unwrap();
    let other = room.plan("b", json!(1)).await.unwrap().header.plan_id;
    let (forge, memory) = (Forge::new(&room), room.memory.clone().unwrap());
    let whole: Tables = memory.tables().clone();
    let lies = [("planId", json!(other)), ("claimId", json!(NO_CLAIM))];
    of_another(&room, &plan, (RecordKind::Reconciliation, "reconciliation"), lies).await;
    // Of what was applied there is nothing to resolve.
    let execution = key_of(RecordKind::Execution, plan.header.plan_id);
    let digest = forge.edit(&execution, |execution| execution["outcome"] = json!(Outcome::Applied));
    forge.edit_state(&plan, |state| {
        state["execution"] = json!(digest);
        state["state"] = json!(State::Applied);
    });
    told_apart(&room, &plan, "resolved though it was applied", MEMBERS).await;
    *memory.tables() = whole;
    assert_eq!(state(&room, &plan).await, State::Unknown, "the control");
}
