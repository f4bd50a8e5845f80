//! What is gated, and what is listed (profile.md, 4.2).

use serde_json::{Map, Value, json};

use super::came::{Came, INVALID_PARAMS, about_it};
use crate::check::{Check, Level, Scope, run};
use crate::scene::Scene;
use crate::verdict::{Checked, Stop, ensure};
use crate::wire::Capabilities;
use crate::world::{EXTENSION, Listing};

pub(super) const ALL: &[Check] = &[
    Check {
        id: "gated-tools-are-marked",
        level: Level::L1,
        scope: Scope::SharedEach,
        requirements: &["WIRE-010", "WIRE-011"],
        case: None,
        tries: "All tools are listed.",
        expects: "Each tool that isn't one of the four is marked as gated, by exactly `{\"gated\": true}`, or says `readOnlyHint: true`; each declared one is marked.",
        run: run!(marked),
    },
    Check {
        id: "four-tools-come-last",
        level: Level::L1,
        scope: Scope::SharedEach,
        requirements: &["WIRE-012"],
        case: None,
        tries: "All tools are listed.",
        expects: "The four come after all others, with the annotations of the table.",
        run: run!(last),
    },
    Check {
        id: "list-is-the-same",
        level: Level::L1,
        scope: Scope::SharedEach,
        requirements: &["WIRE-013"],
        case: None,
        tries: "Tools are listed by two clients of one requester, with different names and capabilities, and again after plans were made, put before a person, refused, executed and cancelled.",
        expects: "The same list each time; a list that may be cached is `private`.",
        run: run!(same),
    },
    Check {
        id: "ungated-tool-passes",
        level: Level::L1,
        scope: Scope::SharedEach,
        requirements: &["WIRE-010"],
        case: None,
        tries: "A tool that only reads is called.",
        expects: "It is listed without the mark, says `readOnlyHint: true`, and answers at once, as it does without the gate.",
        run: run!(ungated),
    },
    Check {
        id: "operator-has-no-tool",
        level: Level::L1,
        scope: Scope::SharedEach,
        requirements: &["OPER-003", "WIRE-040"],
        case: None,
        tries: "With a plan that awaits approval, tools and methods are called that an approver or operator would have: `approval_approve`, `approval_pause` and their like.",
        expects: "None is listed, each is an error of the protocol (-32602 for a tool), and the plan still awaits approval.",
        run: run!(operator),
    },
];

/// What persons and operators do, and no agent.
const VERBS: &[&str] = &[
    "approve",
    "confirm",
    "decide",
    "disable",
    "enable",
    "login",
    "mute",
    "operator",
    "pause",
    "prune",
    "reconcile",
    "reject",
    "release",
    "reset",
    "resume",
    "revoke",
    "unmute",
    "withdraw",
];
/// The same as methods.
const METHODS: &[&str] = &[
    "approval/approve",
    "approvals/approve",
    "approval/decide",
    "io.github.mutation-approval/profile/approve",
    "io.github.mutation-approval/approve",
    "notifications/approval/approve",
    "operator/pause",
    "operator/reconcile",
];

async fn marked(scene: &Scene) -> Checked {
    let listing = scene.agent().await?.list().await?;
    for tool in &listing.tools {
        let name = tool.get("name").and_then(Value::as_str).unwrap_or_default();
        if listing.names.all().contains(&name) {
            ensure(!listing.is_gated(tool), || format!("`{name}` is one of the four, and marked as gated"))?;
            continue;
        }
        if let Some(mark) = tool.get("_meta").and_then(|meta| meta.get(EXTENSION)) {
            ensure(*mark == json!({"gated": true}), || format!("the mark of `{name}` is {mark}"))?;
            continue;
        }
        let only_reads = tool.pointer("/annotations/readOnlyHint") == Some(&Value::Bool(true));
        ensure(only_reads, || format!("`{name}` isn't marked as gated, and doesn't say `readOnlyHint: true`"))?;
    }
    for declared in &scene.target().tools {
        let tool = listing.tool(&declared.name);
        let tool = tool.ok_or_else(|| Stop::fail(format!("`{}` is declared, and isn't listed", declared.name)))?;
        ensure(listing.is_gated(tool), || format!("`{}` is declared as gated, and isn't marked", declared.name))?;
    }
    Ok(())
}

async fn last(scene: &Scene) -> Checked {
    let listing = scene.agent().await?.list().await?;
    let names = &listing.names;
    let ours = |tool: &&Value| tool.get("name").and_then(Value::as_str).is_some_and(|name| names.all().contains(&name));
    let behind = listing.tools.iter().rev().take_while(ours).count();
    ensure(behind == 4, || format!("the last {behind} tools are of the four: all others come before them"))?;
    for (name, hints) in [
        (&names.challenge, [Some(false), Some(false), Some(true), Some(false)]),
        (&names.status, [Some(true), None, None, Some(false)]),
        (&names.execute, [Some(false), Some(true), Some(true), Some(true)]),
        (&names.cancel, [Some(false), Some(false), Some(true), Some(false)]),
    ] {
        let annotations = listing.tool(name).and_then(|tool| tool.get("annotations"));
        let members = ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"];
        for (member, expected) in members.into_iter().zip(hints) {
            let Some(expected) = expected else { continue };
            let found = annotations.and_then(|annotations| annotations.get(member));
            ensure(found == Some(&Value::Bool(expected)), || {
                format!("`{member}` of `{name}` is {found:?}, and has to be {expected}")
            })?;
        }
    }
    Ok(())
}

async fn same(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let before = agent.list().await?;
    private(&before)?;
    let token = scene.world().token(&agent.person).cloned();
    let stranger = scene.agent_with(token, "another client of theirs").await?;
    equal("another client", &before, &stranger.list().await?)?;
    let able = scene.own_agent(Capabilities::ElicitationUrl).await?;
    equal("a client with `elicitation.url`", &before, &able.list().await?)?;
    let cancelled = scene.plan(&agent, &scene.plain()?).await?;
    agent.execute(&cancelled).await?.refused(&["approval_required"])?;
    equal("a plan and a refusal", &before, &agent.list().await?)?;
    agent.cancel(&cancelled).await?.stands("cancelled")?;
    let (plan, _) = scene.approved(&agent, &call).await?;
    equal("an approval", &before, &agent.list().await?)?;
    agent.execute(&plan).await?.executed("applied", false)?;
    equal("an execution", &before, &agent.list().await?)?;
    equal("an execution, to another client", &before, &stranger.list().await?)
}

fn equal(after: &str, before: &Listing, now: &Listing) -> Checked {
    let names = |listing: &Listing| {
        let names = listing.tools.iter().filter_map(|tool| tool.get("name")?.as_str());
        names.collect::<Vec<_>>().join(", ")
    };
    ensure(before.tools == now.tools, || {
        format!("with {after} the list is another one: {} and before {}", names(now), names(before))
    })
}

fn private(listing: &Listing) -> Checked {
    let (scope, seconds) = (listing.page.get("cacheScope"), listing.page.get("ttlMs"));
    let may_be_cached = (scope.is_some() || seconds.is_some()) && seconds.and_then(Value::as_f64) != Some(0.0);
    ensure(!may_be_cached || scope.and_then(Value::as_str) == Some("private"), || {
        format!("a list that may be cached (`ttlMs` {seconds:?}) has the `cacheScope` {scope:?}")
    })
}

async fn ungated(scene: &Scene) -> Checked {
    let agent = scene.agent().await?;
    let declared = scene.target().ungated.as_ref();
    let declared = declared.ok_or_else(|| Stop::NotApplicable("the target declares no `ungated` tool".to_owned()))?;
    let listing = agent.list().await?;
    let tool = listing.tool(&declared.name);
    let tool = tool.ok_or_else(|| Stop::fail(format!("`{}` isn't listed", declared.name)))?;
    ensure(!listing.is_gated(tool), || format!("`{}` passes, and is marked as gated", declared.name))?;
    ensure(tool.pointer("/annotations/readOnlyHint") == Some(&Value::Bool(true)), || {
        format!("`{}` passes, and doesn't say `readOnlyHint: true`", declared.name)
    })?;
    let ours = listing.tool(&listing.names.status).and_then(|ours| ours.get("outputSchema"));
    ensure(ours.is_none() || ours != tool.get("outputSchema"), || {
        format!("`{}` passes, and is listed with the `outputSchema` of the gate", declared.name)
    })?;
    let answer = agent.call(&declared.name, &declared.arguments).await?;
    let is_whole = answer.result().is_some_and(|result| result.get("content").is_some_and(Value::is_array));
    ensure(is_whole, || format!("`{}` answered {}", declared.name, answer.told()))?;
    if answer.is_error() {
        return Err(Stop::Fault(format!("`{}` is declared with a call that succeeds, and it didn't", declared.name)));
    }
    let kinds = ["plan", "challenge", "status", "execution", "refusal"];
    let is_gates = answer.kind().is_some_and(|kind| kinds.contains(&kind)) && answer.get("planId").is_some();
    ensure(!is_gates, || format!("`{}` passes, and answered {}", declared.name, answer.told()))
}

async fn operator(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let (plan, _) = scene.challenged(&agent, &call).await?;
    let listing = agent.list().await?;
    let prefix = listing.names.execute.strip_suffix("execute").unwrap_or("approval_");
    let mut arguments = Map::new();
    arguments.insert("planId".to_owned(), json!(plan.id));
    arguments.insert("planDigest".to_owned(), json!(plan.digest));
    for verb in VERBS {
        let name = format!("{prefix}{verb}");
        ensure(listing.tool(&name).is_none(), || format!("`{name}` is listed"))?;
        let answer = agent.call(&name, &arguments).await?;
        about_it(&format!("a call of `{name}`"), answer.failed(INVALID_PARAMS))?;
    }
    for &method in METHODS {
        let request = agent.prepare(method, arguments.clone());
        let came = Came::sent(&agent, &request).await?;
        ensure(came.is_turned_away(&[]), || format!("the method `{method}` was answered by {}", came.told()))?;
    }
    agent.status(&plan).await?.stands("awaiting_approval")?;
    agent.execute(&plan).await?.refused(&["approval_pending"])?;
    scene.occurred(&call, 0).await
}
