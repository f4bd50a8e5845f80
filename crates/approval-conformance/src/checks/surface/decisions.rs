//! Who may decide what, and when, by the forms themselves (gate.md, 5.3).

use super::acts::{control, sealed_as, shown, turned, two_approvers, undecided};
use crate::check::{Check, Level, Scope, run};
use crate::driver::PersonVerdict;
use crate::scene::Scene;
use crate::target::Rule;
use crate::verdict::{Checked, Stop, ensure};

pub(super) const ALL: &[Check] = &[
    Check {
        id: "own-plan",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["DEC-002", "RULE-003", "SHOW-013"],
        case: Some("own-plan"),
        tries: "The requester opens the page of their plan where somebody else must approve, sends an approver's form to it, and that form with the seal of a plan that is theirs to approve.",
        expects: "The page shows the plan and has no form; nothing is decided. When somebody else has approved, it runs.",
        run: run!(own_plan),
    },
    Check {
        id: "two-accounts",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["DEC-006", "RULE-001", "PERSON-001"],
        case: Some("two-accounts"),
        tries: "One person approves a plan of a quorum with two accounts.",
        expects: "One approval is counted, and an execution is refused as `approval_pending`. A second person's approval makes it run.",
        run: run!(two_accounts),
    },
    Check {
        id: "second-approval",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["DEC-006", "RULE-001"],
        case: None,
        tries: "A person opens the page of a quorum's plan twice, approves by one form, and then by the other.",
        expects: "One approval is counted. A second person's approval makes it run.",
        run: run!(second_approval),
    },
    Check {
        id: "decision-after-the-end",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["DEC-003"],
        case: None,
        tries: "Forms that approve and reject are sent after their plan was cancelled, and after it was executed.",
        expects: "The plan stays as it ended.",
        run: run!(after_the_end),
    },
    Check {
        id: "withdrawal-by-another",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["DEC-008"],
        case: None,
        tries: "Of a quorum's plan that one person approved, another one sends their form as a withdrawal; then the one who approved withdraws.",
        expects: "The plan isn't withdrawn by the first, and is by the second: `approval_withdrawn`.",
        run: run!(withdrawal),
    },
];

async fn own_plan(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.ruled(Rule::OtherSubject).or_else(|_| scene.ruled(Rule::Quorum))?);
    let (plan, challenge) = scene.challenged(&agent, &call).await?;
    let seen = shown(scene, &agent.person, &challenge.url).await?;
    ensure(seen.text.contains(&call.unique) || seen.text.contains(&plan.digest), || {
        format!("the page that the requester gets at {} shows neither the call nor the plan's digest", challenge.url)
    })?;
    for verdict in [PersonVerdict::Approve, PersonVerdict::Reject, PersonVerdict::Withdraw] {
        let form = scene.form(&agent.person, &challenge.url, verdict).await?;
        ensure(form.is_none(), || {
            format!(
                "the requester has a form to {} on {}, where somebody else decides",
                verdict.as_str(),
                challenge.url
            )
        })?;
    }
    let approver = scene.approver(&agent, &call)?;
    let theirs = scene.must_form(&approver, &challenge.url, PersonVerdict::Approve).await?;
    scene.send(Some(&agent.person), &theirs).await?;
    undecided(&agent, &plan, "the requester sent an approver's form").await?;
    if let Ok(own) = scene.ruled(Rule::SameSubject) {
        let (own_plan, own_challenge) = scene.challenged(&agent, &own).await?;
        let mut form = scene.must_form(&agent.person, &own_challenge.url, PersonVerdict::Approve).await?;
        form.url.clone_from(&theirs.url);
        scene.send(Some(&agent.person), &sealed_as(&form, &theirs)).await?;
        undecided(&agent, &plan, "the requester sent an approver's seal with their own password").await?;
        if form.url != own_challenge.url {
            scene.send(Some(&agent.person), &form).await?;
            undecided(&agent, &plan, "the requester sent the form of a plan that is theirs to approve").await?;
        }
        agent.cancel(&own_plan).await?;
    }
    control(scene, &agent, &call, &plan, &challenge).await
}

async fn two_accounts(scene: &Scene) -> Checked {
    let missing = || Stop::NotApplicable("the target declares no `twin` of an approver".to_owned());
    let twin = scene.target().persons.twin.clone().ok_or_else(missing)?;
    let (agent, call) = (scene.agent().await?, scene.ruled(Rule::Quorum)?);
    let approvers = scene.approvers(&agent, &call)?;
    let (plan, challenge) = scene.challenged(&agent, &call).await?;
    let rest = approvers.get(1..).unwrap_or_default();
    let first = approvers.first().map(String::as_str).unwrap_or_default();
    scene.must_decide(first, PersonVerdict::Approve, &challenge).await?;
    scene.decide(&twin, PersonVerdict::Approve, &challenge).await?;
    counted(&agent, &plan, 1).await?;
    agent.execute(&plan).await?.refused(&["approval_pending"])?;
    scene.occurred(&call, 0).await?;
    for person in rest {
        scene.must_decide(person, PersonVerdict::Approve, &challenge).await?;
    }
    agent.execute(&plan).await?.executed("applied", false)?;
    scene.occurred(&call, 1).await
}

async fn second_approval(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.ruled(Rule::Quorum)?);
    let approvers = scene.approvers(&agent, &call)?;
    let first = approvers.first().map(String::as_str).unwrap_or_default();
    let (plan, challenge) = scene.challenged(&agent, &call).await?;
    let one = scene.must_form(first, &challenge.url, PersonVerdict::Approve).await?;
    let other = scene.must_form(first, &challenge.url, PersonVerdict::Approve).await?;
    scene.send(Some(first), &one).await?;
    counted(&agent, &plan, 1).await?;
    scene.send(Some(first), &other).await?;
    counted(&agent, &plan, 1).await?;
    agent.execute(&plan).await?.refused(&["approval_pending"])?;
    scene.occurred(&call, 0).await?;
    for person in approvers.get(1..).unwrap_or_default() {
        scene.must_decide(person, PersonVerdict::Approve, &challenge).await?;
    }
    agent.execute(&plan).await?.executed("applied", false)?;
    scene.occurred(&call, 1).await
}

async fn after_the_end(scene: &Scene) -> Checked {
    let agent = scene.agent().await?;
    for is_executed in [false, true] {
        let call = scene.ruled(Rule::SameSubject)?;
        let (plan, challenge) = scene.challenged(&agent, &call).await?;
        let approve = scene.must_form(&agent.person, &challenge.url, PersonVerdict::Approve).await?;
        let reject = scene.must_form(&agent.person, &challenge.url, PersonVerdict::Reject).await?;
        let end = if is_executed {
            scene.approve(&agent, &call, &challenge).await?;
            agent.execute(&plan).await?.executed("applied", false)?;
            "applied"
        } else {
            agent.cancel(&plan).await?.stands("cancelled")?;
            "cancelled"
        };
        for form in [&approve, &reject] {
            scene.send(Some(&agent.person), form).await?;
            agent.status(&plan).await?.stands(end)?;
        }
        scene.occurred(&call, u64::from(is_executed)).await?;
    }
    Ok(())
}

async fn withdrawal(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.ruled(Rule::Quorum)?);
    let (one, other) = two_approvers(scene)?;
    let (plan, challenge) = scene.challenged(&agent, &call).await?;
    scene.must_decide(&one, PersonVerdict::Approve, &challenge).await?;
    let none = scene.form(&other, &challenge.url, PersonVerdict::Withdraw).await?;
    ensure(none.is_none(), || format!("`{other}`, who didn't approve, has a form to withdraw on {}", challenge.url))?;
    let form = scene.must_form(&other, &challenge.url, PersonVerdict::Approve).await?;
    scene.send(Some(&other), &turned(&form, PersonVerdict::Approve, PersonVerdict::Withdraw)?).await?;
    agent.status(&plan).await?.stands("awaiting_approval")?;
    counted(&agent, &plan, 1).await?;
    scene.must_decide(&one, PersonVerdict::Withdraw, &challenge).await?;
    agent.status(&plan).await?.stands("cancelled")?;
    agent.execute(&plan).await?.refused(&["approval_withdrawn"])?;
    scene.occurred(&call, 0).await
}

/// Holds that so many approvals count.
async fn counted(agent: &crate::agent::Agent, plan: &crate::agent::Plan, approvals: u64) -> Checked {
    let status = agent.status(plan).await?;
    let found = status.get("approvals").and_then(serde_json::Value::as_u64);
    ensure(found == Some(approvals), || format!("{found:?} approvals are counted where there is {approvals}"))
}
