//! Receipts: signed statements that anyone can check with public keys alone (receipt.md).

use serde_json::Value;

use super::acts::{Asked, limit, pass, restarted};
use super::audit::Export;
use crate::agent::Plan;
use crate::check::{Check, Level, Scope, run};
use crate::driver::{KillWhen, Op, PersonVerdict, ReconcileFinding, Tamper};
use crate::oracle::{KeySet, Receipt, digest, verify_receipt};
use crate::scene::Scene;
use crate::target::{Drift, Rule};
use crate::verdict::{Checked, Stop, ensure};

pub(super) const ALL: &[Check] = &[
    Check {
        id: "receipt-of-an-applied-plan",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &[
            "RCPT-001", "RCPT-003", "RCPT-004", "RCPT-010", "RCPT-011", "RCPT-020", "RCPT-021", "RCPT-022", "RCPT-023",
            "RCPT-024", "RCPT-025", "RCPT-026", "RCPT-032", "KEYS-002", "KEYS-003", "KEYS-004", "KEYS-010", "KEYS-012",
            "KEYS-020", "KEYS-021", "KEYS-022", "DIG-112", "REC-006", "REC-021", "REC-030",
        ],
        case: None,
        tries: "A plan is approved with a comment and executed; its receipt is verified with the key set.",
        expects: "A receipt that each check of receipt.md, 4.2, takes; with the plan's header, its decision and execution, without the comment.",
        run: run!(of_an_applied_plan),
    },
    Check {
        id: "receipt-of-a-quorum",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["RCPT-003", "RCPT-010", "RCPT-011", "RCPT-024"],
        case: None,
        tries: "A plan that several persons must approve is approved and executed; its receipt is verified.",
        expects: "The receipt has the decision of each of them, in their order.",
        run: run!(of_a_quorum),
    },
    Check {
        id: "receipt-of-each-end",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["RCPT-001", "RCPT-003", "RCPT-010", "RCPT-011", "RCPT-020", "RCPT-023", "RCPT-032"],
        case: None,
        tries: "Plans are rejected, withdrawn, cancelled before and after their approval, and found stale; the receipt of each is verified.",
        expects: "Each receipt holds, says how the plan ended, and claims what its records bear out.",
        run: run!(of_each_end),
    },
    Check {
        id: "receipt-of-what-ran-out",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["RCPT-001", "RCPT-003", "RCPT-010", "RCPT-023", "RCPT-024"],
        case: None,
        tries: "A plan runs out, and the approval of another one; the receipt of each is verified.",
        expects: "Each receipt holds: `expired`, by `plan` and by `approval`.",
        run: run!(of_what_ran_out),
    },
    Check {
        id: "receipt-of-a-lost-attempt",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["RCPT-003", "RCPT-010", "RCPT-011", "RCPT-022", "RCPT-023", "STATE-022", "STATE-030"],
        case: None,
        tries: "The process dies in an execution; the receipt of the attempt is verified, and once more when an operator has said what it did.",
        expects: "`unknown`, with the limit `unresolved`; then the same outcome, the operator's finding, and the claim `reconciled`.",
        run: run!(of_a_lost_attempt),
    },
    Check {
        id: "no-receipt-before-the-end",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["RCPT-031"],
        case: None,
        tries: "The receipt of a plan is asked for while it is planned, awaiting approval, and approved.",
        expects: "There is none. When it was executed there is one.",
        run: run!(before_the_end),
    },
    Check {
        id: "no-receipt-of-a-broken-plan",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["RCPT-032"],
        case: None,
        tries: "A byte of the sealed decision on an applied plan is another, and its receipt is asked for.",
        expects: "There is none. Of another plan there is one.",
        run: run!(of_a_broken_plan),
    },
    Check {
        id: "receipt-changes-nothing",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["RCPT-030"],
        case: None,
        tries: "The receipt of a plan is asked for twice, and the audit before and after.",
        expects: "Both hold and say the same but for the time; the audit has no further event.",
        run: run!(changes_nothing),
    },
    Check {
        id: "receipt-is-what-the-audit-tells",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["AUDIT-016", "REC-020", "REC-030", "RCPT-032", "GATE-040"],
        case: None,
        tries: "The challenge and the execution in a plan's receipt are digested, and looked for in the audit.",
        expects: "They are the `recordDigest` of `challenge.created` and `execution.applied`.",
        run: run!(as_the_audit_tells),
    },
];

async fn of_an_applied_plan(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let (plan, challenge) = scene.challenged(&agent, &call).await?;
    let comment = format!("said {}", scene.unique());
    let persons = scene.approvers(&agent, &call)?;
    for person in &persons {
        super::acts::decide_saying(scene, person, &challenge, &comment).await?;
    }
    let executed = agent.execute(&plan).await?;
    executed.executed("applied", false)?;
    let receipt = ended(scene, &plan, ("applied", None)).await?;
    for member in ["claimId", "outcome", "claimedAt", "settledAt", "resultDigest", "steps"] {
        let (said, answered) = (receipt.predicate.pointer(&format!("/execution/{member}")), executed.get(member));
        // What did not fit into the answer was left out of it.
        let is_same = said == answered || (answered.is_none() && executed.get("omitted").is_some());
        ensure(is_same, || format!("the receipt's execution has another `{member}` than the agent was answered"))?;
    }
    ensure(receipt.predicate.pointer("/challenge/challengeId").and_then(Value::as_str) == Some(&challenge.id), || {
        "the receipt names another challenge".to_owned()
    })?;
    approved_by(&receipt, &persons)?;
    let text = receipt.predicate.to_string();
    ensure(!text.contains(&comment), || "the receipt holds the approver's comment".to_owned())?;
    ensure(!text.contains(&call.unique), || "the receipt holds an argument of the call".to_owned())
}

async fn of_a_quorum(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.ruled(Rule::Quorum)?);
    let (plan, _) = scene.approved(&agent, &call).await?;
    agent.execute(&plan).await?.executed("applied", false)?;
    let receipt = ended(scene, &plan, ("applied", None)).await?;
    approved_by(&receipt, &scene.approvers(&agent, &call)?)
}

async fn of_each_end(scene: &Scene) -> Checked {
    let agent = scene.agent().await?;
    let call = scene.plain()?;
    let (rejected, challenge) = scene.challenged(&agent, &call).await?;
    scene.must_decide(&scene.approver(&agent, &call)?, PersonVerdict::Reject, &challenge).await?;
    ended(scene, &rejected, ("rejected", None)).await?;

    let call = scene.plain()?;
    let (withdrawn, challenge) = scene.approved(&agent, &call).await?;
    scene.must_decide(&scene.approver(&agent, &call)?, PersonVerdict::Withdraw, &challenge).await?;
    ended(scene, &withdrawn, ("cancelled", Some("withdrawn"))).await?;

    let planned = scene.plan(&agent, &scene.plain()?).await?;
    let (approved, _) = scene.approved(&agent, &scene.plain()?).await?;
    for plan in [planned, approved] {
        agent.cancel(&plan).await?.stands("cancelled")?;
        ended(scene, &plan, ("cancelled", Some("cancelled"))).await?;
    }

    if let Ok(call) = scene.drifting(Drift::Moved) {
        let (stale, _) = scene.approved(&agent, &call).await?;
        scene.drift(&call, Drift::Moved).await?;
        agent.execute(&stale).await?.refused(&["precondition_failed"])?;
        ended(scene, &stale, ("stale", None)).await?;
    }
    Ok(())
}

async fn of_what_ran_out(scene: &Scene) -> Checked {
    let agent = scene.agent().await?;
    let (plan, _) = scene.approved(&agent, &scene.plain()?).await?;
    pass(scene, limit(&plan, "approvalSeconds")?).await?;
    agent.execute(&plan).await?.refused(&["approval_expired"])?;
    ended_later(scene, &plan, ("expired", Some("approval"))).await?;
    let plan = scene.plan(&agent, &scene.plain()?).await?;
    pass(scene, limit(&plan, "planSeconds")?).await?;
    agent.execute(&plan).await?.refused(&["plan_expired"])?;
    ended_later(scene, &plan, ("expired", Some("plan"))).await.map(drop)
}

async fn of_a_lost_attempt(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let (plan, _) = scene.approved(&agent, &call).await?;
    scene.has(Op::Kill { when: KillWhen::AfterEffect }).await?;
    drop(agent.execute(&plan).await);
    let agent = restarted(scene).await?;
    pass(scene, limit(&plan, "leaseSeconds")?).await?;
    agent.execute(&plan).await?.executed("unknown", true)?;
    ended_later(scene, &plan, ("unknown", None)).await?;
    scene.has(Op::Reconcile { plan_id: plan.id.clone(), finding: ReconcileFinding::Applied }).await?;
    let receipt = ended_later(scene, &plan, ("unknown", None)).await?;
    let finding = receipt.predicate.pointer("/reconciliation/finding").and_then(Value::as_str);
    ensure(finding == Some("applied"), || format!("the operator found `applied`, and the receipt says {finding:?}"))
}

async fn before_the_end(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let plan = scene.plan(&agent, &call).await?;
    has_none(scene, &plan).await?;
    let challenge = agent.challenge(&plan).await?;
    has_none(scene, &plan).await?;
    scene.approve(&agent, &call, &challenge).await?;
    has_none(scene, &plan).await?;
    agent.execute(&plan).await?.executed("applied", false)?;
    ended(scene, &plan, ("applied", None)).await.map(drop)
}

async fn of_a_broken_plan(scene: &Scene) -> Checked {
    let agent = scene.agent().await?;
    let (plan, _) = scene.approved(&agent, &scene.plain()?).await?;
    agent.execute(&plan).await?.executed("applied", false)?;
    ended(scene, &plan, ("applied", None)).await?;
    let (other, _) = scene.approved(&agent, &scene.plain()?).await?;
    agent.execute(&other).await?.executed("applied", false)?;
    let (plan_id, record) = (plan.id.clone(), "decision".to_owned());
    scene.has(Op::Tamper { plan_id, case: Tamper::EditedRow, record, other: None }).await?;
    has_none(scene, &plan).await?;
    ended(scene, &other, ("applied", None)).await.map(drop)
}

async fn changes_nothing(scene: &Scene) -> Checked {
    let agent = scene.agent().await?;
    let (plan, _) = scene.approved(&agent, &scene.plain()?).await?;
    agent.execute(&plan).await?.executed("applied", false)?;
    let before = Export::of(scene).await?;
    let mut one = ended(scene, &plan, ("applied", None)).await?.predicate;
    let mut other = ended(scene, &plan, ("applied", None)).await?.predicate;
    for receipt in [&mut one, &mut other] {
        receipt.as_object_mut().map(|members| members.remove("issuedAt"));
    }
    ensure(one == other, || "two receipts of one plan say different things".to_owned())?;
    let after = Export::of(scene).await?;
    ensure(before.of_plan(&plan.id).len() == after.of_plan(&plan.id).len(), || {
        "a receipt was made, and the audit tells of the plan what it did not before".to_owned()
    })
}

async fn as_the_audit_tells(scene: &Scene) -> Checked {
    let agent = scene.agent().await?;
    let (plan, _) = scene.approved(&agent, &scene.plain()?).await?;
    agent.execute(&plan).await?.executed("applied", false)?;
    let receipt = ended(scene, &plan, ("applied", None)).await?;
    let export = Export::of(scene).await?;
    for (member, kind) in [("challenge", "challenge.created"), ("execution", "execution.applied")] {
        let record = receipt.predicate.get(member).cloned().unwrap_or_default();
        let found = digest(&record).map_err(|error| Stop::Fault(error.to_string()))?;
        let event = export.of_plan(&plan.id).into_iter().find(|event| event.kind() == kind);
        let told = event.and_then(|event| event.text("recordDigest").map(str::to_owned));
        ensure(told.as_deref() == Some(found.as_str()), || {
            format!("the digest of the receipt's {member} is {found}, and `{kind}` names {told:?}")
        })?;
    }
    Ok(())
}

/// The plan's receipt, which holds now and says that it ended so.
async fn ended(scene: &Scene, plan: &Plan, end: (&str, Option<&str>)) -> Checked<Receipt> {
    verified(scene, plan, end, Some(crate::time::now())).await
}

/// As `ended`, where the clock was moved.
async fn ended_later(scene: &Scene, plan: &Plan, end: (&str, Option<&str>)) -> Checked<Receipt> {
    verified(scene, plan, end, None).await
}

async fn verified(
    scene: &Scene,
    plan: &Plan,
    (state, cause): (&str, Option<&str>),
    now: Option<time::OffsetDateTime>,
) -> Checked<Receipt> {
    let Asked { receipt, keys } = Asked::of(scene, plan).await?;
    let keys = KeySet::read(keys.as_bytes()).map_err(|why| Stop::fail(format!("the key set is refused: {why}")))?;
    let receipt = verify_receipt(receipt.as_bytes(), &keys, now).map_err(|(reason, why)| {
        let why = if why.is_empty() { why } else { format!(" ({why})") };
        Stop::fail(format!("the receipt of a plan that is {state} is refused as `{reason}`{why}"))
    })?;
    ensure(receipt.plan_digest == plan.digest, || "the receipt is about another plan".to_owned())?;
    ensure(receipt.predicate.get("header") == Some(&plan.header), || {
        "the receipt's header is another than the agent got".to_owned()
    })?;
    let said = |member: &str| receipt.predicate.get(member).and_then(Value::as_str);
    ensure(said("state") == Some(state) && said("cause") == cause, || {
        let (said_state, said_cause) = (said("state"), said("cause"));
        format!("the receipt says {said_state:?} and {said_cause:?} of a plan that is {state} by {cause:?}")
    })?;
    Ok(receipt)
}

/// There is no receipt; a driver can say so by an error alone.
async fn has_none(scene: &Scene, plan: &Plan) -> Checked {
    match Asked::of(scene, plan).await {
        Ok(_) => Err(Stop::fail(format!("there is a receipt of plan {}, of which there can't be one", plan.id))),
        Err(Stop::Fault(_)) => Ok(()),
        Err(stop) => Err(stop),
    }
}

fn approved_by(receipt: &Receipt, persons: &[String]) -> Checked {
    let decisions = receipt.predicate.get("decisions").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let found = decisions.iter().filter_map(|decision| decision.pointer("/approver/person").and_then(Value::as_str));
    let found: Vec<&str> = found.collect();
    ensure(found.len() == persons.len(), || format!("the receipt has {} decisions of {}", found.len(), persons.len()))?;
    let are_all = decisions.iter().all(|decision| decision.get("verdict").and_then(Value::as_str) == Some("approve"));
    ensure(are_all, || "the receipt has a decision that is no approval".to_owned())
}
