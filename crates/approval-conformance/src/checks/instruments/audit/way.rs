//! Plans' whole ways, as the audit tells them.

use super::Export;
use crate::check::{Check, Level, Scope, run};
use crate::checks::instruments::acts::{decide_saying, limit, pass, restarted};
use crate::driver::{KillWhen, PersonVerdict};
use crate::scene::Scene;
use crate::target::{Drift, Rule};
use crate::verdict::{Checked, Stop, ensure};

pub(super) const ALL: &[Check] = &[
    Check {
        id: "audit-tells-a-plans-way",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["AUDIT-002", "AUDIT-008", "AUDIT-012", "AUDIT-016", "SEAL-017"],
        case: None,
        tries: "A plan is executed before it was asked for, put before a person, approved, and executed.",
        expects: "The audit tells of each step by its kind, in order, of the same challenge and claim as the agent was answered, and by whom.",
        run: run!(a_plans_way),
    },
    Check {
        id: "audit-tells-each-end",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["AUDIT-002", "AUDIT-008", "AUDIT-016", "GATE-005"],
        case: None,
        tries: "Plans are rejected, withdrawn, cancelled and found stale.",
        expects: "The audit tells of each end by its kind; of a stale plan the reason, and no other event.",
        run: run!(each_end),
    },
    Check {
        id: "audit-tells-what-the-clock-did",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["STATE-011", "AUDIT-002", "AUDIT-016"],
        case: None,
        tries: "A challenge, an approval and a plan run out, and their plans are executed.",
        expects: "The audit tells `challenge.expired` and `plan.expired`, once each.",
        run: run!(what_the_clock_did),
    },
    Check {
        id: "audit-tells-a-lost-attempt",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["STATE-022", "AUDIT-002", "AUDIT-016", "AUDIT-008"],
        case: None,
        tries: "The process dies in an execution, starts again, and the plan is executed twice when its lease has passed.",
        expects: "The audit tells `execution.claimed` and `execution.unknown`, once each, of the same claim.",
        run: run!(a_lost_attempt),
    },
    Check {
        id: "audit-tells-no-argument",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["AUDIT-001", "DIG-112", "LEAF-009", "SEAL-006", "DIG-123"],
        case: None,
        tries: "A plan is approved with a comment and executed, another one rejected; the export is searched for what was said.",
        expects: "Neither a text of the arguments, nor the comment, nor a person's name stands in it.",
        run: run!(no_argument),
    },
];

async fn a_plans_way(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.ruled(Rule::SameSubject)?);
    let plan = scene.plan(&agent, &call).await?;
    agent.execute(&plan).await?.refused(&["approval_required"])?;
    let challenge = agent.challenge(&plan).await?;
    scene.approve(&agent, &call, &challenge).await?;
    let answer = agent.execute(&plan).await?;
    answer.executed("applied", false)?;
    agent.execute(&plan).await?.executed("applied", true)?;
    scene.occurred(&call, 1).await?;
    let export = Export::of(scene).await?;
    let kinds = [
        "plan.created",
        "execution.refused",
        "challenge.created",
        "decision.approved",
        "execution.claimed",
        "execution.applied",
    ];
    let events = export.tells(&plan, &kinds)?;
    for event in &events {
        // Requester and approver are one person, and one person has one pseudonym.
        let (actor, first) = (event.text("actor"), events.first().and_then(|first| first.text("actor")));
        ensure(actor.is_none() || actor == first, || {
            format!("`{}` names another actor than `plan.created`, and it was one person", event.kind())
        })?;
        let is_of_it = |member: &str, id: Option<&str>| event.text(member).is_none_or(|found| Some(found) == id);
        ensure(is_of_it("challengeId", Some(&challenge.id)) && is_of_it("claimId", answer.text("claimId")), || {
            format!("`{}` names another challenge or claim than the agent was answered", event.kind())
        })?;
        ensure(is_of_it("reason", Some("approval_required")), || "a refusal is told with another reason".to_owned())?;
    }
    Ok(())
}

async fn each_end(scene: &Scene) -> Checked {
    let agent = scene.agent().await?;
    let (call, other, third) = (scene.plain()?, scene.plain()?, scene.plain()?);
    let person = scene.approver(&agent, &call)?;
    let (rejected, challenge) = scene.challenged(&agent, &call).await?;
    scene.must_decide(&person, PersonVerdict::Reject, &challenge).await?;
    let (withdrawn, challenge) = scene.approved(&agent, &other).await?;
    scene.must_decide(&person, PersonVerdict::Withdraw, &challenge).await?;
    let cancelled = scene.plan(&agent, &third).await?;
    agent.cancel(&cancelled).await?.stands("cancelled")?;
    let mut approvals = vec!["decision.approved"; scene.approvers(&agent, &other)?.len()];
    let mut way = vec!["plan.created", "challenge.created"];
    way.append(&mut approvals);
    let ending = |end| [way.as_slice(), &[end]].concat();
    let mut stale = None;
    if let Ok(call) = scene.drifting(Drift::Moved)
        && call.tool.use_of == other.tool.use_of
    {
        let (plan, _) = scene.approved(&agent, &call).await?;
        scene.drift(&call, Drift::Moved).await?;
        agent.execute(&plan).await?.refused(&["precondition_failed"])?;
        stale = Some(plan);
    }
    let export = Export::of(scene).await?;
    export.tells(&rejected, &["plan.created", "challenge.created", "decision.rejected"])?;
    export.tells(&withdrawn, &ending("decision.withdrawn"))?;
    export.tells(&cancelled, &["plan.created", "plan.cancelled"])?;
    if let Some(plan) = stale {
        let events = export.tells(&plan, &ending("plan.stale"))?;
        let reason = events.last().and_then(|event| event.text("reason"));
        ensure(reason == Some("precondition_failed"), || {
            format!("a stale plan is told of with the reason {reason:?}")
        })?;
    }
    Ok(())
}

async fn what_the_clock_did(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let (waiting, _) = scene.challenged(&agent, &call).await?;
    let (approved, _) = scene.approved(&agent, &scene.plain()?).await?;
    let (challenge, approval) = (limit(&waiting, "challengeSeconds")?, limit(&waiting, "approvalSeconds")?);
    let whole = limit(&waiting, "planSeconds")?;
    if challenge.max(approval) + 10 >= whole {
        return Err(Stop::NotTestable(
            "challenges and approvals of the first tool last as long as its plans".to_owned(),
        ));
    }
    pass(scene, challenge.max(approval)).await?;
    for _ in 0..2 {
        agent.execute(&waiting).await?.refused(&["challenge_expired"])?;
        agent.execute(&approved).await?.refused(&["approval_expired"])?;
    }
    pass(scene, whole - challenge.max(approval)).await?;
    for _ in 0..2 {
        agent.execute(&waiting).await?.refused(&["plan_expired"])?;
    }
    scene.occurred(&call, 0).await?;
    let export = Export::of(scene).await?;
    for (plan, kind) in [(&waiting, "challenge.expired"), (&waiting, "plan.expired"), (&approved, "plan.expired")] {
        let times = export.of_plan(&plan.id).into_iter().filter(|event| event.kind() == kind).count();
        ensure(times == 1, || {
            format!("the audit tells `{kind}` {times} times of a plan where it has to tell it once")
        })?;
    }
    Ok(())
}

async fn a_lost_attempt(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let (plan, _) = scene.approved(&agent, &call).await?;
    scene.has(crate::driver::Op::Kill { when: KillWhen::AfterEffect }).await?;
    drop(agent.execute(&plan).await);
    let agent = restarted(scene).await?;
    pass(scene, limit(&plan, "leaseSeconds")?).await?;
    for _ in 0..2 {
        agent.execute(&plan).await?.executed("unknown", true)?;
    }
    let export = Export::of(scene).await?;
    let events = export.of_plan(&plan.id);
    let of_claim: Vec<_> = events.iter().filter(|event| event.kind().starts_with("execution.")).collect();
    let kinds: Vec<&str> = of_claim.iter().map(|event| event.kind()).collect();
    ensure(kinds == ["execution.claimed", "execution.unknown"], || {
        format!("the audit tells {kinds:?} of an attempt that was lost")
    })?;
    let claims: Vec<_> = of_claim.iter().map(|event| event.text("claimId")).collect();
    ensure(claims.first() == claims.last(), || "claim and outcome name two claims".to_owned())
}

async fn no_argument(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let secret = format!("said-{}", scene.unique());
    let call = match &call.tool.text.clone() {
        Some(pointer) => call.with(pointer, secret.clone().into())?,
        None => call,
    };
    let (plan, challenge) = scene.challenged(&agent, &call).await?;
    for person in scene.approvers(&agent, &call)? {
        decide_saying(scene, &person, &challenge, &secret).await?;
    }
    agent.execute(&plan).await?.executed("applied", false)?;
    let other = scene.plain()?;
    let (_, challenge) = scene.challenged(&agent, &other).await?;
    scene.must_decide(&scene.approver(&agent, &other)?, PersonVerdict::Reject, &challenge).await?;
    let export = Export::of(scene).await?;
    // The control: it does tell of that plan.
    ensure(!export.of_plan(&plan.id).is_empty(), || "the audit tells nothing of a plan that was executed".to_owned())?;
    let text = export.lines.join("\n");
    let words = [&call.unique, &secret, &other.unique];
    ensure(!words.iter().any(|word| text.contains(word.as_str())), || {
        "the audit holds a text of the arguments, or the approver's comment".to_owned()
    })?;
    let persons = &scene.target().persons;
    let names = persons.approvers.iter().chain([&persons.requester]).chain(&persons.other_requester);
    let named = names.into_iter().find(|name| text.contains(&format!("\"{name}\"")));
    ensure(named.is_none(), || format!("the audit holds a person's name, {named:?}"))
}
