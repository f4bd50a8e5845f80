//! What time does to plans, approvals and challenges, by a clock that can be moved (gate.md, sections 4 and 5).

use time::Duration;

use super::acts::{limit, pass};
use crate::agent::Plan;
use crate::check::{Check, Level, Scope, run};
use crate::driver::{Op, PersonVerdict};
use crate::scene::Scene;
use crate::target::Rule;
use crate::verdict::{Checked, Stop, ensure};

pub(super) const ALL: &[Check] = &[
    Check {
        id: "old-plan-by-clock",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["GATE-060", "STATE-010", "STATE-011", "INV-006"],
        case: Some("old-plan"),
        tries: "An approved plan is executed after the clock has passed the plan's end, and the approval's.",
        expects: "`plan_expired`, and no effect; the plan is `expired`, its cause `plan`.",
        run: run!(old_plan),
    },
    Check {
        id: "old-approval-by-clock",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["GATE-060", "STATE-010", "STATE-011", "DEC-009", "INV-006"],
        case: Some("old-approval"),
        tries: "An approved plan is executed after the clock has passed the approval's end, and not the plan's.",
        expects: "`approval_expired`, and no effect; the plan is `expired`, its cause `approval`.",
        run: run!(old_approval),
    },
    Check {
        id: "ran-out-by-clock",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["GATE-083", "STATE-010", "STATE-012", "CHAL-001", "INV-010"],
        case: Some("ran-out"),
        tries: "A plan is executed after the clock has passed its challenge's end; then a new challenge is asked for, and approved.",
        expects: "`challenge_expired`, and no effect; the plan is `planned` again, the new challenge is another one, and then it runs.",
        run: run!(ran_out),
    },
    Check {
        id: "approval-under-an-old-challenge",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["CHAL-003", "GATE-080", "STATE-012", "INV-001"],
        case: None,
        tries: "Of a quorum one person approves; the challenge runs out; under the next one all the others approve.",
        expects: "`approval_pending`, and no effect: the first approval doesn't count any more. When that person has approved again, it runs.",
        run: run!(old_challenge),
    },
    Check {
        id: "old-form-by-clock",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["DEC-004", "FORM-001", "STATE-012"],
        case: Some("old-form"),
        tries: "A person fills in the form of a challenge, which runs out; a new one is opened, and then the form is sent.",
        expects: "Nothing is decided, and there is no effect. With the new form it runs.",
        run: run!(old_form),
    },
    Check {
        id: "approval-ends-with-the-plan",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["DEC-009", "CHAL-002"],
        case: None,
        tries: "A plan is approved early, and another one shortly before it runs out.",
        expects: "The first approval is good for `approvalSeconds`; the second challenge and approval run out with the plan.",
        run: run!(approval_ends),
    },
    Check {
        id: "replay-after-the-end",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["GATE-050", "INV-007", "INV-008", "STATE-002"],
        case: Some("replay"),
        tries: "A plan that was applied is executed again, when the clock has passed its end.",
        expects: "The recorded outcome, `replayed` true; the effect has occurred once.",
        run: run!(replay_later),
    },
];

async fn old_plan(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let (plan, _) = scene.approved(&agent, &call).await?;
    pass(scene, limit(&plan, "planSeconds")?).await?;
    agent.execute(&plan).await?.refused(&["plan_expired"])?;
    scene.occurred(&call, 0).await?;
    ended(agent.status(&plan).await?.stands("expired")?.text("cause"), "plan")?;
    agent.execute(&plan).await?.refused(&["plan_expired"])?;
    scene.occurred(&call, 0).await?;
    scene.runs(&scene.agent().await?, &scene.plain()?).await
}

async fn old_approval(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let (plan, _) = scene.approved(&agent, &call).await?;
    shorter(&plan, "approvalSeconds")?;
    pass(scene, limit(&plan, "approvalSeconds")?).await?;
    agent.execute(&plan).await?.refused(&["approval_expired"])?;
    scene.occurred(&call, 0).await?;
    ended(agent.status(&plan).await?.stands("expired")?.text("cause"), "approval")?;
    scene.runs(&scene.agent().await?, &scene.plain()?).await
}

async fn ran_out(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let (plan, first) = scene.challenged(&agent, &call).await?;
    shorter(&plan, "challengeSeconds")?;
    pass(scene, limit(&plan, "challengeSeconds")?).await?;
    agent.execute(&plan).await?.refused(&["challenge_expired"])?;
    scene.occurred(&call, 0).await?;
    agent.status(&plan).await?.stands("planned")?;
    let second = agent.challenge(&plan).await?;
    ensure(second.id != first.id, || "a challenge that had run out was given again".to_owned())?;
    scene.approve(&agent, &call, &second).await?;
    agent.execute(&plan).await?.executed("applied", false)?;
    scene.occurred(&call, 1).await
}

async fn old_challenge(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.ruled(Rule::Quorum)?);
    let (plan, first) = scene.challenged(&agent, &call).await?;
    shorter(&plan, "challengeSeconds")?;
    let approvers = scene.approvers(&agent, &call)?;
    let Some((early, others)) = approvers.split_first() else {
        return Err(Stop::NotTestable("a quorum of nobody".to_owned()));
    };
    scene.must_decide(early, PersonVerdict::Approve, &first).await?;
    pass(scene, limit(&plan, "challengeSeconds")?).await?;
    let second = agent.challenge(&plan).await?;
    for person in others {
        scene.must_decide(person, PersonVerdict::Approve, &second).await?;
    }
    agent.execute(&plan).await?.refused(&["approval_pending"])?;
    scene.occurred(&call, 0).await?;
    scene.must_decide(early, PersonVerdict::Approve, &second).await?;
    agent.execute(&plan).await?.executed("applied", false)?;
    scene.occurred(&call, 1).await
}

async fn old_form(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let (plan, first) = scene.challenged(&agent, &call).await?;
    shorter(&plan, "challengeSeconds")?;
    let person = &scene.approver(&agent, &call)?;
    let form = scene.must_form(person, &first.url, PersonVerdict::Approve).await?;
    pass(scene, limit(&plan, "challengeSeconds")?).await?;
    let second = agent.challenge(&plan).await?;
    scene.send(Some(person), &form).await?;
    let status = agent.status(&plan).await?;
    status.stands("awaiting_approval")?;
    ensure(status.get("approvals").and_then(serde_json::Value::as_u64) == Some(0), || {
        "a form of a challenge that had run out was counted".to_owned()
    })?;
    agent.execute(&plan).await?.refused(&["approval_pending"])?;
    scene.occurred(&call, 0).await?;
    scene.approve(&agent, &call, &second).await?;
    agent.execute(&plan).await?.executed("applied", false)?;
    scene.occurred(&call, 1).await
}

async fn approval_ends(scene: &Scene) -> Checked {
    let (agent, early, late) = (scene.agent().await?, scene.plain()?, scene.plain()?);
    let (early, challenge) = (scene.approved(&agent, &early).await?.0, scene.plan(&agent, &late).await?);
    let (late_call, late) = (late, challenge);
    shorter(&early, "approvalSeconds")?;
    shorter(&early, "challengeSeconds")?;
    let seconds = limit(&early, "approvalSeconds")?;
    let status = agent.status(&early).await?;
    let until = status.stands("approved")?.time("approvalExpiresAt");
    let until = until.ok_or_else(|| Stop::fail("the status of an approved plan has no `approvalExpiresAt`"))?;
    let created = header_time(&early, "createdAt")?;
    let good_for = Duration::seconds(i64::try_from(seconds).unwrap_or(i64::MAX));
    // It was approved between then and now, which took less than a minute.
    ensure(until >= created + good_for && until <= created + good_for + Duration::minutes(1), || {
        format!("an approval is good until {until}, and `approvalSeconds` is {seconds}")
    })?;
    // Less is left of the plan than either would last.
    let left = seconds.min(limit(&late, "challengeSeconds")?) / 2;
    let gone = limit(&late, "planSeconds")?.saturating_sub(left);
    scene.has(Op::AdvanceClock { seconds: gone }).await?;
    let challenge = agent.challenge(&late).await?;
    let end = header_time(&late, "expiresAt")?;
    ensure(challenge.answer.time("expiresAt").is_some_and(|at| at <= end), || {
        "a challenge runs out after its plan".to_owned()
    })?;
    scene.approve(&agent, &late_call, &challenge).await?;
    let until = agent.status(&late).await?.stands("approved")?.time("approvalExpiresAt");
    ensure(until == Some(end), || format!("an approval is good until {until:?}, and its plan until {end}"))?;
    agent.execute(&late).await?.executed("applied", false)?;
    scene.occurred(&late_call, 1).await
}

async fn replay_later(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let (plan, _) = scene.approved(&agent, &call).await?;
    agent.execute(&plan).await?.executed("applied", false)?;
    pass(scene, limit(&plan, "planSeconds")?).await?;
    agent.execute(&plan).await?.executed("applied", true)?;
    scene.occurred(&call, 1).await
}

fn ended(found: Option<&str>, cause: &str) -> Checked {
    ensure(found == Some(cause), || format!("the cause is {found:?} where it has to be `{cause}`"))
}

fn header_time(plan: &Plan, member: &str) -> Checked<time::OffsetDateTime> {
    plan.time(member).ok_or_else(|| Stop::fail(format!("the header's `{member}` is no timestamp")))
}

/// What runs out before the plan does.
fn shorter(plan: &Plan, name: &str) -> Checked {
    let (seconds, whole) = (limit(plan, name)?, limit(plan, "planSeconds")?);
    if seconds + 10 < whole {
        return Ok(());
    }
    Err(Stop::NotTestable(format!("`{name}` of the first tool is {seconds}, and its plans run out after {whole}")))
}
