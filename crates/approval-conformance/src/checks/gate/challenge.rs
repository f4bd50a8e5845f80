//! Challenges: one at a time (gate.md, 5.2), and waiting for them.

use std::time::Duration;

use crate::check::{Check, Level, Scope, run};
use crate::driver::PersonVerdict;
use crate::scene::Scene;
use crate::time::begin;
use crate::verdict::{Checked, Stop, ensure};

/// How long a wait is tried for: much longer than an answer takes.
const WAIT: u64 = 3;

pub(super) const ALL: &[Check] = &[
    Check {
        id: "one-challenge",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["CHAL-001", "CHAL-002", "WIRE-T-010", "REC-020", "SURF-002"],
        case: None,
        tries: "A challenge is asked for three times, twice at once, and again once the plan is approved and applied.",
        expects: "Each time the same one; it names plan and digest, its address is one of the surface, and it runs out when the plan does, at the latest.",
        run: run!(one_challenge),
    },
    Check {
        id: "challenge-of-another-digest",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["GATE-002", "GATE-042", "GATE-011", "WIRE-042"],
        case: Some("other-digest"),
        tries: "A challenge is asked for with the digest of another plan, and with a digest in capitals.",
        expects: "`approval_hash_mismatch` and `payload_invalid`; the plan stays `planned`.",
        run: run!(other_digest),
    },
    Check {
        id: "status-waits",
        level: Level::L1,
        scope: Scope::SharedEach,
        requirements: &["WIRE-T-020", "WIRE-T-021", "STATE-013"],
        case: None,
        tries: "The status of a plan that awaits approval is asked for with `waitSeconds`, and the plan is approved meanwhile; then another one on which nobody decides.",
        expects: "The first answers `approved` before its time is over, the second after its time.",
        run: run!(status_waits),
    },
];

async fn one_challenge(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let (plan, first) = scene.challenged(&agent, &call).await?;
    let (second, third) = tokio::join!(agent.challenge(&plan), agent.challenge(&plan));
    for other in [second?, third?] {
        ensure(other.id == first.id, || {
            format!("asked again, the challenge is `{}` and no more `{}`", other.id, first.id)
        })?;
    }
    let expires = first.answer.time("expiresAt");
    let end = plan.time("expiresAt");
    ensure(expires.is_some() && expires <= end, || format!("the challenge ends at {expires:?}, the plan at {end:?}"))?;
    let origin = scene.world().listing().advertised.get("approvalOrigin").and_then(serde_json::Value::as_str);
    let origin = origin.ok_or_else(|| Stop::fail("`approvalOrigin` is not advertised"))?;
    let is_within = first.url.strip_prefix(origin).is_some_and(|rest| rest.starts_with('/'));
    ensure(is_within, || format!("the page is at {}, which is not of the advertised origin {origin}", first.url))?;
    scene.approve(&agent, &call, &first).await?;
    let approved = agent.challenge(&plan).await?;
    agent.execute(&plan).await?.executed("applied", false)?;
    let executed = agent.challenge(&plan).await?;
    ensure(approved.id == first.id && executed.id == first.id, || {
        format!(
            "approved under `{}`, the challenge is `{}`, and `{}` once executed",
            first.id, approved.id, executed.id
        )
    })
}

async fn other_digest(scene: &Scene) -> Checked {
    let (agent, call, other) = (scene.agent().await?, scene.plain()?, scene.plain()?);
    let (plan, other) = (scene.plan(&agent, &call).await?, scene.plan(&agent, &other).await?);
    let name = agent.names().challenge.clone();
    let with = |digest: &str| crate::agent::about(&plan.id, Some(digest));
    agent.call(&name, &with(&other.digest)).await?.refused(&["approval_hash_mismatch"])?;
    let capitals = format!("sha256:{}", plan.digest.trim_start_matches("sha256:").to_uppercase());
    agent.call(&name, &with(&capitals)).await?.refused(&["payload_invalid"])?;
    agent.status(&plan).await?.stands("planned")?;
    // The control: without one, and with its own, there is a challenge.
    agent.challenge(&plan).await.map(drop)
}

async fn status_waits(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let (plan, challenge) = scene.challenged(&agent, &call).await?;
    let person = scene.approver(&agent, &call)?;
    let begun = begin();
    let waiting = async {
        let status = agent.status_waiting(&plan, 25).await;
        (status, begun.elapsed())
    };
    let deciding = scene.must_decide(&person, PersonVerdict::Reject, &challenge);
    let ((status, took), decided) = tokio::join!(waiting, deciding);
    decided?;
    status?.stands("rejected")?;
    ensure(took < Duration::from_secs(20), || {
        format!("it waited {} s though the plan was decided on", took.as_secs())
    })?;
    let (plan, _) = scene.challenged(&agent, &scene.plain()?).await?;
    let begun = begin();
    agent.status_waiting(&plan, WAIT).await?.stands("awaiting_approval")?;
    let took = begun.elapsed();
    // Timers may be a little early by another clock.
    ensure(took + Duration::from_millis(100) >= Duration::from_secs(WAIT), || {
        format!("`waitSeconds` of {WAIT} was answered after {} ms though nothing happened", took.as_millis())
    })
}
