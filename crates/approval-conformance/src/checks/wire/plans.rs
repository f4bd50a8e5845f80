//! Plans as the agent gets them (profile.md, 5.1; digest.md, section 6).

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;
use time::{Duration, OffsetDateTime};

use crate::agent::Plan;
use crate::check::{Check, Level, Scope, run};
use crate::scene::Scene;
use crate::verdict::{Checked, Stop, ensure};

pub(super) const ALL: &[Check] = &[
    Check {
        id: "ids-are-fresh",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["DIG-131", "DIG-132", "DIG-110"],
        case: None,
        tries: "Eight plans of the same call, half of them at once, and their challenges.",
        expects: "Ids are never given twice and can't be guessed from each other; a plan's tells when it was made; no two plans have a digest in common, though they say the same.",
        run: run!(fresh),
    },
    Check {
        id: "each-call-plans-anew",
        level: Level::L1,
        scope: Scope::SharedEach,
        requirements: &["WIRE-T-001", "WIRE-T-002"],
        case: None,
        tries: "The same call is made twice; one plan is approved and executed, and then the other is executed; then the call is made again.",
        expects: "Three plans; the approval is one plan's alone, and the effect has occurred once.",
        run: run!(anew),
    },
    Check {
        id: "swapped-arguments",
        level: Level::L1,
        scope: Scope::SharedEach,
        requirements: &["WIRE-T-002", "DIG-105"],
        case: Some("swapped-arguments"),
        tries: "After an approval the tool is called again, with other content for the same object, and that plan is executed.",
        expects: "`approval_required`, and no effect; the approved plan runs, with what was approved.",
        run: run!(swapped),
    },
    Check {
        id: "agent-gets-its-part",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["DIG-111", "PLAN-010"],
        case: None,
        tries: "Each declared tool is called.",
        expects: "A plan's changes are there only where the header's policy lets the requester read the target; its sentences are the server's own.",
        run: run!(part),
    },
    Check {
        id: "enforcement-is-what-it-is",
        level: Level::L1,
        scope: Scope::SharedEach,
        requirements: &["ENF-004", "ENF-005"],
        case: None,
        tries: "Plans of two requesters are made.",
        expects: "`requesterAssurance` is `verified-token` only where a token comes with each request; isolation and rollback are one installation's.",
        run: run!(enforcement),
    },
    Check {
        id: "opaque-is-told",
        level: Level::L1,
        scope: Scope::SharedEach,
        requirements: &["WIRE-T-003"],
        case: None,
        tries: "A tool of which nothing more is known than its definition is called.",
        expects: "The plan has a finding of severity `warn` or `high`.",
        run: run!(opaque),
    },
    Check {
        id: "client-name-is-quoted",
        level: Level::L1,
        scope: Scope::SharedEach,
        requirements: &["WIRE-T-004"],
        case: None,
        tries: "A client with a name of its own calls a gated tool, and who approves opens the page.",
        expects: "The page has the client's name.",
        run: run!(client),
    },
];

/// What clocks of one machine, and a slow answer, may differ by.
const APART: Duration = Duration::seconds(60);

async fn fresh(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let mut plans = Vec::new();
    for _ in 0..4 {
        plans.push(scene.plan(&agent, &call).await?);
    }
    let [one, two, three, four] = std::array::from_fn(|_| scene.plan(&agent, &call));
    let (one, two, three, four) = tokio::join!(one, two, three, four);
    for plan in [one, two, three, four] {
        plans.push(plan?);
    }
    let (mut ids, mut ends, mut digests, mut challenges) = <(BTreeSet<_>, BTreeSet<_>, BTreeSet<_>, Vec<_>)>::default();
    for plan in &plans {
        ensure(ids.insert(plan.id.clone()), || format!("the plan id {} was given twice", plan.id))?;
        // The last 48 bits are random by RFC 9562, whatever is done with those before.
        let end = plan.id.rsplit('-').next().unwrap_or_default().to_owned();
        ensure(ends.insert(end), || format!("the end of the plan id {} is another one's too", plan.id))?;
        let (told, created) = (moment(&plan.id), plan.answer.get("header").and_then(created));
        let is_near = told.zip(created).is_some_and(|(told, created)| (told - created).abs() <= APART);
        ensure(is_near, || format!("the plan id {} tells {told:?}, and the plan was made at {created:?}", plan.id))?;
        for member in ["intentDigest", "reviewDigest"] {
            let digest = plan.header.get(member).cloned().unwrap_or_default();
            ensure(digests.insert(digest.to_string()), || format!("`{member}` {digest} is that of two plans"))?;
        }
        challenges.push(agent.challenge(plan).await?.id);
        agent.cancel(plan).await?.stands("cancelled")?;
    }
    let mut halves = BTreeSet::new();
    for id in &challenges {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(id).unwrap_or_default();
        ensure(bytes.len() == 16, || format!("the challenge id {id} isn't 128 bits"))?;
        for half in bytes.chunks(8) {
            ensure(halves.insert(half.to_vec()), || format!("half of the challenge id {id} is another one's too"))?;
        }
    }
    scene.occurred(&call, 0).await
}

/// When a version 7 UUID was made.
fn moment(id: &str) -> Option<OffsetDateTime> {
    let digits: String = id.split('-').take(2).collect();
    let milliseconds = i128::from_str_radix(&digits, 16).ok()?;
    OffsetDateTime::from_unix_timestamp_nanos(milliseconds * 1_000_000).ok()
}

fn created(header: &Value) -> Option<OffsetDateTime> {
    crate::oracle::timestamp(header.get("createdAt")?.as_str()?)
}

async fn anew(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let first = scene.plan(&agent, &call).await?;
    let (second, _) = scene.approved(&agent, &call).await?;
    ensure(first.id != second.id, || format!("two calls made one plan: {}", first.id))?;
    agent.execute(&second).await?.executed("applied", false)?;
    agent.execute(&first).await?.refused(&["approval_required"])?;
    let third = scene.plan(&agent, &call).await?;
    ensure(third.id != first.id && third.id != second.id, || format!("a call made an old plan: {}", third.id))?;
    agent.status(&third).await?.stands("planned")?;
    agent.execute(&third).await?.refused(&["approval_required"])?;
    scene.occurred(&call, 1).await
}

async fn swapped(scene: &Scene) -> Checked {
    let agent = scene.agent().await?;
    let call = scene.tool("tool with `altered`", |tool| !tool.altered.is_empty())?;
    let (plan, _) = scene.approved(&agent, &call).await?;
    let other = scene.plan(&agent, &call.altered()?).await?;
    agent.execute(&other).await?.refused(&["approval_required"])?;
    scene.occurred(&call, 0).await?;
    scene.occurred(&call.altered()?, 0).await?;
    agent.execute(&plan).await?.executed("applied", false)?;
    scene.occurred(&call, 1).await
}

async fn part(scene: &Scene) -> Checked {
    let agent = scene.agent().await?;
    for tool in &scene.target().tools {
        let answer = agent.call(&tool.name, &tool.arguments(&scene.unique())).await?;
        // So many plans may be open of others' checks that this tool gets none now.
        if answer.refused(&["rate_limited"]).is_ok() {
            continue;
        }
        let plan = agent.planned(answer)?;
        scene.gives_back(&agent, &plan);
        let reads = plan.header.pointer("/policy/requesterReadsTarget") == Some(&Value::Bool(true));
        ensure(reads || plan.answer.get("changes").is_none(), || {
            format!("the plan of `{}` has `changes`, and the requester may not read the target", tool.use_of)
        })?;
        let steps = plan.answer.get("steps").and_then(Value::as_array);
        for step in steps.into_iter().flatten() {
            ensure(step.get("source").and_then(Value::as_str) == Some("server"), || {
                format!("a step of the plan of `{}` is of another source than the server: {step}", tool.use_of)
            })?;
        }
        agent.cancel(&plan).await?.stands("cancelled")?;
    }
    Ok(())
}

async fn enforcement(scene: &Scene) -> Checked {
    let agent = scene.agent().await?;
    let mine = enforced(&scene.plan(&agent, &scene.plain()?).await?)?;
    let has_token = scene.world().is_http() && scene.world().token(&agent.person).is_some();
    let assurance = mine.get("requesterAssurance").and_then(Value::as_str);
    ensure(has_token || assurance != Some("verified-token"), || {
        "`requesterAssurance` is `verified-token`, and no token came with the request".to_owned()
    })?;
    let Ok(other) = scene.other_agent().await else { return Ok(()) };
    let theirs = enforced(&scene.plan(&other, &scene.plain()?).await?)?;
    ensure(mine == theirs, || format!("of one installation, plans have the enforcement {mine} and {theirs}"))
}

fn enforced(plan: &Plan) -> Checked<Value> {
    let found = plan.header.get("enforcement").cloned();
    found.ok_or_else(|| Stop::fail("the header has no `enforcement`"))
}

async fn opaque(scene: &Scene) -> Checked {
    let agent = scene.agent().await?;
    let call = scene.tool("tool that is `opaque`", |tool| tool.opaque)?;
    let plan = scene.plan(&agent, &call).await?;
    let findings = plan.answer.get("findings").and_then(Value::as_array).cloned().unwrap_or_default();
    let is_told =
        findings.iter().any(|finding| matches!(finding.get("severity").and_then(Value::as_str), Some("warn" | "high")));
    ensure(is_told, || format!("no finding says that nothing can be previewed: {findings:?}"))
}

async fn client(scene: &Scene) -> Checked {
    let (name, call) = (format!("client-{}", scene.unique()), scene.plain()?);
    let token = scene.world().token(&scene.target().persons.requester).cloned();
    let agent = scene.agent_with(token, &name).await?;
    let (_, challenge) = scene.challenged(&agent, &call).await?;
    let person = scene.approver(&agent, &call)?;
    let page = scene.open(Some(&person), &challenge.url).await?;
    ensure(page.body.contains(&name), || format!("the page doesn't quote that the client calls itself `{name}`"))
}
