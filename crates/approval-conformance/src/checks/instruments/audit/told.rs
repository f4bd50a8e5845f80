//! What else is told of: refusals, operators, outcomes that come late, and what is not.

use serde_json::Value;

use super::Export;
use super::export::Event;
use crate::agent::{Agent, Plan, about};
use crate::check::{Check, Level, Scope, run};
use crate::checks::instruments::acts::{anew, is_anchored, limit, pass, restarted};
use crate::checks::instruments::crashes;
use crate::driver::{Change, KillWhen, Op, PersonVerdict, PutBack, ReconcileFinding, Tamper};
use crate::scene::Scene;
use crate::verdict::{Checked, Stop, ensure};

pub(super) const ALL: &[Check] = &[
    Check {
        id: "pause-and-mute-are-told",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["OPER-002", "AUDIT-016"],
        case: None,
        tries: "An operator pauses execution and resumes it, mutes the requester and lifts the mute.",
        expects: "The audit tells each, once, by whom, and of the requester by the pseudonym of their plans.",
        run: run!(pause_and_mute),
    },
    Check {
        id: "account-change-is-told",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["OPER-002", "AUDIT-016"],
        case: None,
        tries: "An operator gives a person another credential.",
        expects: "The audit tells `account.changed`, of that person's pseudonym.",
        run: run!(account_change),
    },
    Check {
        id: "reconciliation-is-told",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["OPER-002", "AUDIT-016", "STATE-030"],
        case: None,
        tries: "An operator says twice what an attempt did that is unknown.",
        expects: "The audit tells `execution.reconciled` once, of the attempt's claim.",
        run: run!(reconciliation),
    },
    Check {
        id: "pruning-is-told",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["STATE-033", "OPER-002", "AUDIT-016"],
        case: None,
        tries: "An operator prunes an applied plan.",
        expects: "The audit tells `plan.pruned`, and holds all that it told of the plan before.",
        run: run!(pruning),
    },
    Check {
        id: "late-outcome-is-told",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["STATE-020", "STATE-021", "AUDIT-002", "AUDIT-016"],
        case: None,
        tries: "An outcome comes after the attempt was recorded as `unknown`.",
        expects: "The audit tells `execution.unknown`, and then `execution.settled_late`; where the attempt renewed its lease, `execution.applied` alone.",
        run: run!(late_outcome),
    },
    Check {
        id: "conflict-is-told",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["STATE-031", "AUDIT-016"],
        case: None,
        tries: "An outcome comes after an operator has said what the attempt did.",
        expects: "The audit tells `execution.conflict`, after `execution.reconciled`.",
        run: run!(conflict),
    },
    Check {
        id: "refused-decision-is-told",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["DEC-010", "DEC-003", "AUDIT-016"],
        case: None,
        tries: "A person fills in the form that approves a plan; the agent cancels it; the form is sent.",
        expects: "The audit tells `decision.refused`, the reason `plan_cancelled`, after `plan.cancelled`.",
        run: run!(refused_decision),
    },
    Check {
        id: "knocking-is-told-up-to-the-limit",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["GATE-071", "GATE-073", "AUDIT-016"],
        case: Some("knocking"),
        tries: "An unapproved plan is executed more often than attempts are allowed.",
        expects: "As many as are allowed are refused with their own reason, and told of; the others are `rate_limited`, and nothing is recorded of them.",
        run: run!(knocking),
    },
    Check {
        id: "unknown-plan-is-not-chained",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["AUDIT-005"],
        case: None,
        tries: "Plans that there are not, ill-formed ones and ill-formed digests are executed.",
        expects: "The audit tells of none of them.",
        run: run!(unknown_plan),
    },
    Check {
        id: "broken-plan-is-told-beside",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["AUDIT-006", "AUDIT-016"],
        case: None,
        tries: "A byte of the sealed review of an approved plan is another, and the plan is executed.",
        expects: "The audit tells `execution.refused`, `integrity_failure`, on the writer's chain: without the plan.",
        run: run!(broken_plan),
    },
    Check {
        id: "denied-call-is-told",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["PLAN-002", "AUDIT-016"],
        case: Some("forbidden"),
        tries: "What the policy denies is called.",
        expects: "The audit tells `plan.denied`, the reason `policy_denied`.",
        run: run!(denied_call),
    },
    Check {
        id: "forgotten-claim-is-named",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["ANCHOR-009", "AUDIT-004", "AUDIT-009"],
        case: Some("yesterdays-store"),
        tries: "The whole store is put back to before an execution, and the server starts on it.",
        expects: "The writer's first event names the claim that the anchor knows and the store lacks, under `forgotten`.",
        run: run!(forgotten_claim),
    },
];

async fn pause_and_mute(scene: &Scene) -> Checked {
    let agent = scene.agent().await?;
    let plan = scene.plan(&agent, &scene.plain()?).await?;
    scene.has(Op::Pause { on: true }).await?;
    scene.has(Op::Pause { on: false }).await?;
    scene.has(Op::Mute { person: agent.person.clone(), on: true }).await?;
    scene.has(Op::Mute { person: agent.person.clone(), on: false }).await?;
    let export = Export::of(scene).await?;
    let mut actors = Vec::new();
    for kind in ["server.paused", "server.resumed", "requester.muted", "requester.unmuted"] {
        let event = once(&export, kind)?;
        actors.push(event.text("actor"));
        if kind.starts_with("requester.") {
            ensure(event.text("subject") == pseudonym(&export, &plan), || {
                format!("`{kind}` names another person than plans of the requester do")
            })?;
        }
    }
    actors.dedup();
    ensure(actors.len() == 1, || "what one operator did is told of several".to_owned())
}

async fn account_change(scene: &Scene) -> Checked {
    let agent = scene.agent().await?;
    let plan = scene.plan(&agent, &scene.plain()?).await?;
    let person = Some(agent.person.clone());
    scene.has(Op::Change { what: Change::Account, person, tool: None }).await?;
    let export = Export::of(scene).await?;
    let requester = pseudonym(&export, &plan);
    let is_told = export.of_kind("account.changed").iter().any(|event| event.text("subject") == requester);
    ensure(is_told, || "the audit doesn't tell `account.changed` of the person who has another credential".to_owned())
}

async fn reconciliation(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let (plan, _) = scene.approved(&agent, &call).await?;
    let (agent, claim) = lost(scene, &agent, &plan).await?;
    let reconciled = || Op::Reconcile { plan_id: plan.id.clone(), finding: ReconcileFinding::Applied };
    scene.has(reconciled()).await?;
    // The second time the operator's command may well fail.
    match scene.has(reconciled()).await {
        Ok(()) | Err(Stop::Fault(_)) => {}
        Err(stop) => return Err(stop),
    }
    agent.execute(&plan).await?.executed("unknown", true)?;
    let export = Export::of(scene).await?;
    let event = once(&export, "execution.reconciled")?;
    ensure(event.text("planId") == Some(&plan.id) && event.text("claimId") == Some(&claim), || {
        "`execution.reconciled` names another attempt".to_owned()
    })
}

async fn pruning(scene: &Scene) -> Checked {
    let agent = scene.agent().await?;
    let (plan, _) = scene.approved(&agent, &scene.plain()?).await?;
    agent.execute(&plan).await?.executed("applied", false)?;
    let before = Export::of(scene).await?;
    scene.has(Op::Prune { plan_id: plan.id.clone() }).await?;
    agent.execute(&plan).await?.refused(&["already_executed"])?;
    let after = Export::of(scene).await?;
    let mut kinds: Vec<&str> = before.of_plan(&plan.id).iter().map(|event| event.kind()).collect();
    kinds.push("plan.pruned");
    after.tells(&plan, &kinds).map(drop)
}

async fn late_outcome(scene: &Scene) -> Checked {
    let plan = crashes::late(scene).await?;
    let export = Export::of(scene).await?;
    let told = outcomes(&export, &plan);
    let is_right = told == ["execution.claimed", "execution.unknown", "execution.settled_late"]
        || told == ["execution.claimed", "execution.applied"];
    ensure(is_right, || format!("the audit tells {told:?} of an attempt whose outcome came late"))
}

async fn conflict(scene: &Scene) -> Checked {
    let plan = crashes::conflicting(scene).await?;
    let export = Export::of(scene).await?;
    let told = outcomes(&export, &plan);
    let expected = ["execution.claimed", "execution.unknown", "execution.reconciled", "execution.conflict"];
    ensure(told == expected, || format!("the audit tells {told:?} where it has to tell {expected:?}"))
}

async fn refused_decision(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let (plan, challenge) = scene.challenged(&agent, &call).await?;
    let person = scene.approver(&agent, &call)?;
    let form = scene.must_form(&person, &challenge.url, PersonVerdict::Approve).await?;
    agent.cancel(&plan).await?.stands("cancelled")?;
    scene.send(Some(&person), &form).await?;
    let export = Export::of(scene).await?;
    let kinds = ["plan.created", "challenge.created", "plan.cancelled", "decision.refused"];
    let events = export.tells(&plan, &kinds)?;
    let reason = events.last().and_then(|event| event.text("reason"));
    ensure(reason == Some("plan_cancelled"), || format!("the decision is told as refused by {reason:?}"))
}

async fn knocking(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.short("gateAttempts", 60)?);
    let plan = scene.plan(&agent, &call).await?;
    let allowed = limit(&plan, "gateAttempts")?;
    for _ in 0..allowed {
        agent.execute(&plan).await?.refused(&["approval_required"])?;
    }
    for _ in 0..3 {
        agent.execute(&plan).await?.refused(&["rate_limited"])?;
    }
    scene.occurred(&call, 0).await?;
    let export = Export::of(scene).await?;
    let told = export.of_plan(&plan.id).into_iter().filter(|event| event.kind() == "execution.refused").count();
    ensure(u64::try_from(told).ok() == Some(allowed), || {
        format!("the audit tells of {told} refusals, and {allowed} attempts are allowed")
    })
}

async fn unknown_plan(scene: &Scene) -> Checked {
    let agent = scene.agent().await?;
    let plan = scene.plan(&agent, &scene.plain()?).await?;
    let before = Export::of(scene).await?;
    for (id, digest, reason) in [
        ("01890000-0000-7000-8000-000000000000", None, "plan_not_found"),
        ("../plans", None, "plan_not_found"),
        (plan.id.as_str(), Some("sha256:AB"), "payload_invalid"),
    ] {
        agent.call(&agent.names().execute, &about(id, digest)).await?.refused(&[reason])?;
    }
    let after = Export::of(scene).await?;
    let count = |export: &Export| export.of_kind("execution.refused").len();
    ensure(count(&before) == count(&after), || "a refusal before step 3 is told of in the audit".to_owned())?;
    after.tells(&plan, &["plan.created"])?;
    // The control: a refusal after it is told of.
    agent.execute(&plan).await?.refused(&["approval_required"])?;
    Export::of(scene).await?.tells(&plan, &["plan.created", "execution.refused"]).map(drop)
}

async fn broken_plan(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let (plan, _) = scene.approved(&agent, &call).await?;
    let before = Export::of(scene).await?;
    let (plan_id, record) = (plan.id.clone(), "review".to_owned());
    scene.has(Op::Tamper { plan_id, case: Tamper::EditedRow, record, other: None }).await?;
    let agent = anew(scene).await?;
    agent.execute(&plan).await?.refused(&["integrity_failure"])?;
    scene.occurred(&call, 0).await?;
    let after = Export::of(scene).await?;
    ensure(before.of_plan(&plan.id).len() == after.of_plan(&plan.id).len(), || {
        "a refusal of a broken plan is told on the plan's chain".to_owned()
    })?;
    let refusals = after.of_kind("execution.refused");
    let told = refusals.iter().filter(|event| event.text("reason") == Some("integrity_failure"));
    ensure(told.clone().count() > 0 && told.clone().all(|event| event.text("planId").is_none()), || {
        "the refusal of a broken plan is not told of, or with the plan".to_owned()
    })
}

async fn denied_call(scene: &Scene) -> Checked {
    let declared = scene.target().calls.iter().find(|call| call.refusal == "policy_denied");
    let call = declared.ok_or_else(|| Stop::NotApplicable("the target declares no call that is denied".to_owned()))?;
    let text = serde_json::to_string(&call.arguments).unwrap_or_default().replace("{{unique}}", &scene.unique());
    let arguments = serde_json::from_str(&text).map_err(|error| Stop::Fault(error.to_string()))?;
    let agent = scene.agent().await?;
    agent.call(&call.name, &arguments).await?.refused(&["policy_denied"])?;
    let export = Export::of(scene).await?;
    let event = once(&export, "plan.denied")?;
    ensure(event.text("reason") == Some("policy_denied"), || "`plan.denied` names another reason".to_owned())
}

async fn forgotten_claim(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let (plan, _) = scene.approved(&agent, &call).await?;
    is_anchored(&plan)?;
    scene.has(Op::Keep).await?;
    let answer = agent.execute(&plan).await?;
    let claim = answer.executed("applied", false)?.text("claimId").map(str::to_owned);
    scene.has(Op::PutBack { what: PutBack::Store, plan_id: None }).await?;
    anew(scene).await?;
    // Whoever starts, tells; a status is asked for so that somebody has started.
    scene.agent().await?.status(&plan).await?.stands("approved")?;
    let export = Export::of(scene).await?;
    let named = export.of_kind("audit.started").into_iter().filter_map(|event| event.get("forgotten"));
    let names = |list: &Value| list.as_array().into_iter().flatten().any(|id| id.as_str() == claim.as_deref());
    let is_named = named.into_iter().any(names);
    ensure(is_named, || "no first event of a writer names the claim that the store has lost".to_owned())
}

/// The process dies in the execution of `plan`; its attempt is found lost, and its claim given.
async fn lost(scene: &Scene, agent: &Agent, plan: &Plan) -> Checked<(Agent, String)> {
    scene.has(Op::Kill { when: KillWhen::AfterEffect }).await?;
    drop(agent.execute(plan).await);
    let agent = restarted(scene).await?;
    pass(scene, limit(plan, "leaseSeconds")?).await?;
    let answer = agent.execute(plan).await?;
    let claim = answer.executed("unknown", true)?.text("claimId").map(str::to_owned);
    Ok((agent, claim.unwrap_or_default()))
}

/// What is told of a plan's attempt.
fn outcomes<'e>(export: &'e Export, plan: &Plan) -> Vec<&'e str> {
    let kinds = export.of_plan(&plan.id).into_iter().map(Event::kind);
    kinds.filter(|kind| kind.starts_with("execution.") && *kind != "execution.refused").collect()
}

/// The one event of a kind.
fn once<'e>(export: &'e Export, kind: &str) -> Checked<&'e Event> {
    match export.of_kind(kind).as_slice() {
        [event] => Ok(*event),
        events => {
            Err(Stop::fail(format!("the audit tells `{kind}` {} times where it has to tell it once", events.len())))
        }
    }
}

/// By which the audit calls the requester of a plan.
fn pseudonym<'e>(export: &'e Export, plan: &Plan) -> Option<&'e str> {
    let created = export.of_plan(&plan.id).into_iter().find(|event| event.kind() == "plan.created");
    created.and_then(|event| event.text("actor"))
}
