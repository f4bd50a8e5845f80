//! The address of a plan's page (profile.md, 5.2; security.md, section 5).

use crate::check::{Check, Level, Scope, run};
use crate::driver::PersonVerdict;
use crate::scene::Scene;
use crate::verdict::{Checked, ensure};

pub(super) const ALL: &[Check] = &[
    Check {
        id: "address-holds-a-plan-id",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["WIRE-T-011", "SURF-002"],
        case: None,
        tries: "Addresses of several plans' pages are compared.",
        expects: "They are the same but for the plan id: no token, no challenge, no digest, no secret.",
        run: run!(same),
    },
    Check {
        id: "address-confers-nothing",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["WIRE-T-011"],
        case: None,
        tries: "The address of a plan's page is opened by somebody who hasn't logged in, plain and with the requester's bearer token.",
        expects: "Nothing of the plan is shown, and no form to decide on it; the plan still awaits approval.",
        run: run!(nothing),
    },
];

async fn same(scene: &Scene) -> Checked {
    let agent = scene.agent().await?;
    let (first, one) = scene.challenged(&agent, &scene.plain()?).await?;
    let (second, two) = scene.challenged(&agent, &scene.plain()?).await?;
    for (plan, challenge) in [(&first, &one), (&second, &two)] {
        let url = &challenge.url;
        ensure(url.contains(&plan.id), || format!("the address doesn't hold the plan's id: {url}"))?;
        let digits = plan.digest.strip_prefix("sha256:").unwrap_or(&plan.digest);
        for (what, text) in [("challenge", challenge.id.as_str()), ("digest", digits)] {
            ensure(!url.contains(text), || format!("the address holds the {what}: {url}"))?;
        }
    }
    let (bare, other) = (one.url.replace(&first.id, "(plan)"), two.url.replace(&second.id, "(plan)"));
    ensure(bare == other, || format!("the addresses differ by more than the plan's id: {bare} and {other}"))?;
    // User information, query and fragment are where such things go.
    let (_, after) = bare.split_once("://").unwrap_or_default();
    ensure(!after.contains(['@', '?', '#']), || format!("the address holds more than a path: {}", one.url))
}

async fn nothing(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let (plan, challenge) = scene.challenged(&agent, &call).await?;
    let mut ways = vec![std::collections::BTreeMap::new()];
    if let Some(token) = scene.world().token(&agent.person) {
        ways.push([("authorization".to_owned(), format!("Bearer {token}"))].into());
    }
    for headers in ways {
        let opened = scene.open_as(None, &challenge.url, "GET", headers).await?;
        let digits = plan.digest.strip_prefix("sha256:").unwrap_or(&plan.digest);
        for text in [call.unique.as_str(), call.tool.name.as_str(), digits, challenge.id.as_str()] {
            ensure(!opened.body.contains(text), || {
                format!("whoever opens the address without a login reads `{text}` (status {})", opened.status)
            })?;
        }
        let page = crate::driver::Page::read(&opened.body);
        for verdict in [PersonVerdict::Approve, PersonVerdict::Reject] {
            let has_form = page.decision(verdict.as_str()).is_some();
            ensure(!has_form, || format!("without a login there is a form to {}", verdict.as_str()))?;
        }
    }
    agent.status(&plan).await?.stands("awaiting_approval")?;
    scene.occurred(&call, 0).await
}
