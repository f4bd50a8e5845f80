//! What changes between review and execution, by the operator's hand (gate.md, step 9).

use serde_json::{Map, Value};

use super::acts::{anew, change_person, change_tool};
use crate::agent::{Agent, Plan};
use crate::check::{Check, Level, Scope, run};
use crate::driver::{Change, Op, PersonVerdict};
use crate::scene::{Call, Scene};
use crate::target::Rule;
use crate::verdict::{Checked, Stop, ensure};

pub(super) const ALL: &[Check] = &[
    Check {
        id: "new-policy",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["GATE-090", "GATE-005"],
        case: Some("new-policy"),
        tries: "After the approval the operator has the policy decide the tool's calls otherwise.",
        expects: "`policy_changed`, and no effect; later calls get `plan_stale`.",
        run: run!(new_policy),
    },
    Check {
        id: "new-tool",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["GATE-094", "GATE-005"],
        case: Some("new-tool"),
        tries: "After the approval the tool's definition is another.",
        expects: "`tool_changed`, and no effect; later calls get `plan_stale`. A plan that is made now runs.",
        run: run!(new_tool),
    },
    Check {
        id: "impostor-tool",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["WIRE-003"],
        case: Some("impostor-tool"),
        tries: "After an approval the wrapped server lists a tool of its own under the name of the profile's `execute`; the tools are listed, and the plan is executed.",
        expects: "The list is the same but for what the wrapped server did, or an error; the plan runs, once, and the answer is the gate's.",
        run: run!(impostor),
    },
    Check {
        id: "weaker-boundary",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["GATE-093", "GATE-005"],
        case: Some("weaker-boundary"),
        tries: "After the approval the server starts again with a weaker enforcement.",
        expects: "`policy_changed`, and no effect; later calls get `plan_stale`. A plan that is made now says so, and runs.",
        run: run!(weaker_boundary),
    },
    Check {
        id: "former-requester",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["GATE-091", "GATE-005", "PLAN-001"],
        case: Some("former-requester"),
        tries: "After the approval the requester is disabled; the plan is executed, and another one asked for.",
        expects: "`requester_not_permitted` for both, and no effect. Enabled again, a plan that is made now runs.",
        run: run!(former_requester),
    },
    Check {
        id: "former-approver",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["GATE-092", "GATE-005", "RULE-004"],
        case: Some("former-approver"),
        tries: "After the approval the approver is disabled.",
        expects: "`approver_not_permitted`, and no effect; later calls get `plan_stale`. Enabled again, a plan that is made now runs.",
        run: run!(former_approver),
    },
    Check {
        id: "former-approver-of-the-group",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["GATE-092", "GATE-005", "RULE-004", "DEC-002"],
        case: Some("former-approver"),
        tries: "After the approval the approver isn't in a group of the rule any more; then they try to approve another plan.",
        expects: "`approver_not_permitted`, and no effect; the other plan is not approved.",
        run: run!(left_the_group),
    },
    Check {
        id: "disabled-approver",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["DEC-002", "RULE-004", "AUTH-003"],
        case: None,
        tries: "A person fills in the form that approves a plan, is disabled, and sends it.",
        expects: "Nothing is decided, and there is no effect. Enabled again, they approve, and it runs.",
        run: run!(disabled_approver),
    },
];

async fn new_policy(scene: &Scene) -> Checked {
    let (agent, before, call) = (scene.agent().await?, scene.plain()?, scene.plain()?);
    // The control: as the policy is, such a plan runs.
    scene.runs(&agent, &before).await?;
    let (plan, _) = scene.approved(&agent, &call).await?;
    change_tool(scene, Change::Policy, &call.tool.use_of).await?;
    agent.execute(&plan).await?.refused(&["policy_changed"])?;
    ends_as_stale(scene, &agent, (&plan, &call)).await
}

async fn new_tool(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let (plan, _) = scene.approved(&agent, &call).await?;
    change_tool(scene, Change::Definition, &call.tool.use_of).await?;
    let agent = anew(scene).await?;
    agent.execute(&plan).await?.refused(&["tool_changed"])?;
    ends_as_stale(scene, &agent, (&plan, &call)).await?;
    scene.runs(&agent, &scene.plain()?).await
}

async fn impostor(scene: &Scene) -> Checked {
    if !scene.target().server.wraps {
        return Err(Stop::NotApplicable("the target doesn't declare `server.wraps`".to_owned()));
    }
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let name = agent.names().execute.clone();
    let before = agent.list().await?.tool(&name).cloned();
    let (plan, _) = scene.approved(&agent, &call).await?;
    scene.has(Op::Change { what: Change::Impostor, person: None, tool: None }).await?;
    let answer = agent.request(&agent.prepare("tools/list", Map::new()), scene.world().answer_within()).await?;
    let listed = answer.pointer("/result/tools").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let named = listed.iter().filter(|tool| tool.get("name").and_then(Value::as_str) == Some(&name));
    let is_ours = |tool: &&Value| Some(*tool) == before.as_ref();
    ensure(named.clone().all(|tool| is_ours(&tool)) && named.count() <= 1, || {
        format!("the wrapped server's `{name}` is listed")
    })?;
    agent.execute(&plan).await?.executed("applied", false)?;
    scene.occurred(&call, 1).await
}

async fn weaker_boundary(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let (plan, _) = scene.approved(&agent, &call).await?;
    scene.has(Op::Change { what: Change::Enforcement, person: None, tool: None }).await?;
    let agent = anew(scene).await?;
    agent.execute(&plan).await?.refused(&["policy_changed"])?;
    ends_as_stale(scene, &agent, (&plan, &call)).await?;
    let call = scene.plain()?;
    let (later, _) = scene.approved(&agent, &call).await?;
    ensure(later.header.get("enforcement") != plan.header.get("enforcement"), || {
        "the server started again with a weaker enforcement, and a plan that was made then doesn't say so".to_owned()
    })?;
    agent.execute(&later).await?.executed("applied", false)?;
    scene.occurred(&call, 1).await
}

async fn former_requester(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let (plan, _) = scene.approved(&agent, &call).await?;
    change_person(scene, Change::Disable, &agent.person).await?;
    agent.execute(&plan).await?.refused(&["requester_not_permitted"])?;
    scene.occurred(&call, 0).await?;
    let other = scene.plain()?;
    agent.call(&other.tool.name, &other.arguments).await?.refused(&["requester_not_permitted"])?;
    change_person(scene, Change::Enable, &agent.person).await?;
    ends_as_stale(scene, &agent, (&plan, &call)).await?;
    scene.runs(&agent, &other).await
}

async fn former_approver(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.ruled(Rule::OtherSubject)?);
    let (plan, _) = scene.approved(&agent, &call).await?;
    let person = scene.approver(&agent, &call)?;
    change_person(scene, Change::Disable, &person).await?;
    agent.execute(&plan).await?.refused(&["approver_not_permitted"])?;
    change_person(scene, Change::Enable, &person).await?;
    ends_as_stale(scene, &agent, (&plan, &call)).await?;
    scene.runs(&agent, &scene.ruled(Rule::OtherSubject)?).await
}

async fn left_the_group(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.ruled(Rule::OtherSubject)?);
    // The control: in the group their approval counts.
    scene.runs(&agent, &scene.ruled(Rule::OtherSubject)?).await?;
    let (plan, _) = scene.approved(&agent, &call).await?;
    if plan.header.pointer("/policy/rule/groups").is_none() {
        return Err(Stop::NotApplicable("the rule names no groups".to_owned()));
    }
    let other = scene.ruled(Rule::OtherSubject)?;
    let (waiting, challenge) = scene.challenged(&agent, &other).await?;
    let person = scene.approver(&agent, &call)?;
    change_person(scene, Change::Regroup, &person).await?;
    agent.execute(&plan).await?.refused(&["approver_not_permitted"])?;
    ends_as_stale(scene, &agent, (&plan, &call)).await?;
    let decided = scene.decide(&person, PersonVerdict::Approve, &challenge).await?;
    ensure(!decided.decided, || format!("`{person}`, who left the group, approved a plan"))?;
    agent.execute(&waiting).await?.refused(&["approval_pending"])?;
    scene.occurred(&other, 0).await
}

async fn disabled_approver(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.ruled(Rule::OtherSubject)?);
    let (plan, challenge) = scene.challenged(&agent, &call).await?;
    let person = scene.approver(&agent, &call)?;
    let form = scene.must_form(&person, &challenge.url, PersonVerdict::Approve).await?;
    change_person(scene, Change::Disable, &person).await?;
    scene.send(Some(&person), &form).await?;
    agent.execute(&plan).await?.refused(&["approval_pending"])?;
    scene.occurred(&call, 0).await?;
    change_person(scene, Change::Enable, &person).await?;
    scene.approve(&agent, &call, &challenge).await?;
    agent.execute(&plan).await?.executed("applied", false)?;
    scene.occurred(&call, 1).await
}

/// The plan has ended, and stays so.
async fn ends_as_stale(scene: &Scene, agent: &Agent, (plan, call): (&Plan, &Call)) -> Checked {
    agent.status(plan).await?.stands("stale")?;
    agent.execute(plan).await?.refused(&["plan_stale"])?;
    scene.occurred(call, 0).await
}
