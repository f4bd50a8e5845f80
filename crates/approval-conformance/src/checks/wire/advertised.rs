//! What is advertised (profile.md, 4.1 and section 7).

use serde_json::Value;

use crate::check::{Check, Level, Scope, run};
use crate::scene::Scene;
use crate::verdict::{Checked, Stop, ensure};
use crate::world::EXTENSION;

pub(super) const ALL: &[Check] = &[
    Check {
        id: "profile-is-advertised",
        level: Level::L1,
        scope: Scope::SharedEach,
        requirements: &["WIRE-001", "WIRE-K-001"],
        case: None,
        tries: "The server is asked for its capabilities, and a plan and a challenge are made.",
        expects: "Tools are advertised, and the profile with exactly the members of its table; not the binding `K`. The audience is that of headers, and the origin that of the plan's page.",
        run: run!(profile),
    },
    Check {
        id: "four-tools-have-their-names",
        level: Level::L1,
        scope: Scope::SharedEach,
        requirements: &["WIRE-002", "WIRE-003"],
        case: None,
        tries: "The advertised names of the four tools are looked for among the listed tools.",
        expects: "They are one prefix and `challenge`, `status`, `execute`, `cancel`, and each is listed once; so is every other tool.",
        run: run!(names),
    },
];

async fn profile(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let listing = agent.list().await?;
    ensure(listing.capabilities.get("tools").is_some_and(Value::is_object), || {
        format!("`capabilities` has no `tools`: {}", listing.capabilities)
    })?;
    let advertised = &listing.advertised;
    ensure(advertised.is_object(), || format!("`capabilities.extensions` has no `{EXTENSION}`"))?;
    if let Some(complaint) = scene.world().schemas().advertisement(advertised).into_iter().next() {
        return Err(Stop::fail(format!("what is advertised: {complaint}: {advertised}")));
    }
    let (plan, challenge) = scene.challenged(&agent, &call).await?;
    ensure(plan.header.get("audience") == advertised.get("audience"), || {
        format!("`audience` of a header is {:?}, and what is advertised is {advertised}", plan.header.get("audience"))
    })?;
    let origin = advertised.get("approvalOrigin").and_then(Value::as_str).unwrap_or_default();
    let is_there = challenge.url.strip_prefix(origin).is_some_and(|path| path.starts_with('/'));
    ensure(is_there, || format!("the plan's page is {}, and `approvalOrigin` is {origin}", challenge.url))
}

async fn names(scene: &Scene) -> Checked {
    let listing = scene.agent().await?.list().await?;
    let prefix = listing.names.challenge.strip_suffix("challenge").unwrap_or_default();
    for (name, verb) in listing.names.all().into_iter().zip(["challenge", "status", "execute", "cancel"]) {
        ensure(name.strip_prefix(prefix) == Some(verb), || {
            format!("`tools` has `{name}`, where the others have the prefix `{prefix}`")
        })?;
        ensure(listing.tool(name).is_some(), || format!("`{name}` isn't listed"))?;
    }
    let mut seen = std::collections::BTreeSet::new();
    for name in listing.tools.iter().filter_map(|tool| tool.get("name")?.as_str()) {
        ensure(seen.insert(name), || format!("`{name}` is listed twice"))?;
    }
    Ok(())
}
