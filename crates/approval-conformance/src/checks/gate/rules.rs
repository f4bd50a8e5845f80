//! The three rules: who has to approve (gate.md, section 5 and step 8).

use crate::check::{Check, Level, Scope, run};
use crate::driver::PersonVerdict;
use crate::scene::Scene;
use crate::target::Rule;
use crate::verdict::{Checked, Stop, ensure};

pub(super) const ALL: &[Check] = &[
    Check {
        id: "other-subject-runs",
        level: Level::L1,
        scope: Scope::SharedEach,
        requirements: &["RULE-003", "WIRE-T-030"],
        case: None,
        tries: "A plan that somebody else has to approve is approved by somebody else, and executed.",
        expects: "The effect occurs once.",
        run: run!(other_subject),
    },
    Check {
        id: "own-approval-is-asked",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["RULE-002"],
        case: None,
        tries: "A plan that its requester has to approve is approved by everybody else who approves plans, as far as the pages let them; then by its requester.",
        expects: "Of the others nobody decides it: `approval_pending`, and no effect. Then it runs.",
        run: run!(own_approval),
    },
    Check {
        id: "quorum-runs",
        level: Level::L1,
        scope: Scope::SharedEach,
        requirements: &["RULE-001", "GATE-082"],
        case: None,
        tries: "A plan of a quorum is approved by as many persons as it asks for, one after the other, and executed.",
        expects: "Before the last one it is pending, and `approvals` counts each; then the effect occurs once.",
        run: run!(quorum),
    },
    Check {
        id: "half-decided",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["GATE-082", "RULE-001"],
        case: Some("half-decided"),
        tries: "A plan of a quorum is executed with one approval too few.",
        expects: "`approval_pending`, and no effect.",
        run: run!(half_decided),
    },
    Check {
        id: "one-no-is-enough",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["DEC-007", "GATE-060"],
        case: Some("rejected"),
        tries: "Of a quorum all but one approve, and one rejects.",
        expects: "`approval_rejected`, and no effect.",
        run: run!(one_no),
    },
];

async fn other_subject(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.ruled(Rule::OtherSubject)?);
    let (plan, _) = scene.approved(&agent, &call).await?;
    scene.occurred(&call, 0).await?;
    agent.execute(&plan).await?.executed("applied", false)?;
    scene.occurred(&call, 1).await
}

async fn own_approval(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.ruled(Rule::SameSubject)?);
    let others = scene.target().persons.approvers.iter().filter(|person| **person != agent.person);
    let others: Vec<String> = others.cloned().collect();
    if others.is_empty() {
        return Err(Stop::NotApplicable("the target declares no other `approvers`".to_owned()));
    }
    let (plan, challenge) = scene.challenged(&agent, &call).await?;
    for person in &others {
        let decided = scene.decide(person, PersonVerdict::Approve, &challenge).await?;
        ensure(!decided.decided, || format!("`{person}` approves what `{}` alone has to", agent.person))?;
    }
    agent.status(&plan).await?.stands("awaiting_approval")?;
    agent.execute(&plan).await?.refused(&["approval_pending"])?;
    scene.occurred(&call, 0).await?;
    scene.approve(&agent, &call, &challenge).await?;
    agent.execute(&plan).await?.executed("applied", false)?;
    scene.occurred(&call, 1).await
}

async fn quorum(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.ruled(Rule::Quorum)?);
    let (plan, challenge) = scene.challenged(&agent, &call).await?;
    for (before, person) in scene.approvers(&agent, &call)?.iter().enumerate() {
        let status = agent.status(&plan).await?;
        status.stands("awaiting_approval")?;
        let (found, asked) = (status.get("approvals").cloned(), status.get("approvalsRequired").cloned());
        ensure(found == Some(before.into()), || format!("`approvals` is {found:?} after {before} of them"))?;
        ensure(asked == Some(call.tool.required.into()), || format!("`approvalsRequired` is {asked:?}"))?;
        agent.execute(&plan).await?.refused(&["approval_pending"])?;
        scene.must_decide(person, PersonVerdict::Approve, &challenge).await?;
    }
    scene.occurred(&call, 0).await?;
    agent.execute(&plan).await?.executed("applied", false)?;
    scene.occurred(&call, 1).await
}

async fn half_decided(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.ruled(Rule::Quorum)?);
    let (plan, challenge) = scene.challenged(&agent, &call).await?;
    let persons = scene.approvers(&agent, &call)?;
    let all_but_one = persons.split_last().map(|(_, others)| others).unwrap_or_default();
    for person in all_but_one {
        scene.must_decide(person, PersonVerdict::Approve, &challenge).await?;
    }
    agent.execute(&plan).await?.refused(&["approval_pending"])?;
    scene.occurred(&call, 0).await
}

async fn one_no(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.ruled(Rule::Quorum)?);
    let (plan, challenge) = scene.challenged(&agent, &call).await?;
    let persons = scene.approvers(&agent, &call)?;
    let (last, others) = persons.split_last().ok_or_else(|| Stop::NotTestable("`approvers` is empty".to_owned()))?;
    for person in others {
        scene.must_decide(person, PersonVerdict::Approve, &challenge).await?;
    }
    scene.must_decide(last, PersonVerdict::Reject, &challenge).await?;
    agent.execute(&plan).await?.refused(&["approval_rejected"])?;
    scene.occurred(&call, 0).await
}
