//! The kinds of events, each with what it names and no more (audit.md, 3.1).

use OfPlan::{Always, Mostly, Never};

use super::export::Event;
use crate::verdict::{Checked, Stop, ensure};

/// What an event of a kind names.
struct Kind {
    name: &'static str,
    has_actor: bool,
    plan: OfPlan,
    other: &'static [&'static str],
    optional: &'static [&'static str],
}

/// Whether it is of a plan.
#[derive(Clone, Copy, Eq, PartialEq)]
enum OfPlan {
    Always,
    /// But where the plan can't be trusted, or can't be opened.
    Mostly,
    Never,
}

const fn kind(name: &'static str, has_actor: bool, plan: OfPlan, other: &'static [&'static str]) -> Kind {
    Kind { name, has_actor, plan, other, optional: &[] }
}

const KINDS: &[Kind] = &[
    kind("account.changed", true, Never, &["subject"]),
    kind("anchor.renewed", false, Never, &[]),
    kind("audit.checkpoint", false, Never, &[]),
    Kind {
        optional: &["heads", "forgotten", "forgottenCheckpoint"],
        ..kind("audit.started", false, Never, &["enforcement"])
    },
    kind("challenge.created", true, Always, &["challengeId", "recordDigest"]),
    kind("challenge.expired", false, Always, &[]),
    kind("decision.approved", true, Always, &["challengeId", "recordDigest"]),
    kind("decision.refused", true, Always, &["challengeId", "reason"]),
    kind("decision.rejected", true, Always, &["challengeId", "recordDigest"]),
    kind("decision.withdrawn", true, Always, &["challengeId", "recordDigest"]),
    kind("execution.applied", false, Always, &["claimId", "recordDigest"]),
    kind("execution.claimed", true, Always, &["claimId"]),
    kind("execution.conflict", false, Always, &["claimId"]),
    kind("execution.failed", false, Always, &["claimId", "recordDigest"]),
    kind("execution.partial", false, Always, &["claimId", "recordDigest"]),
    kind("execution.reconciled", true, Mostly, &["claimId", "recordDigest"]),
    kind("execution.refused", true, Mostly, &["reason"]),
    kind("execution.settled_late", false, Always, &["claimId", "recordDigest"]),
    kind("execution.unknown", false, Always, &["claimId", "recordDigest"]),
    Kind { optional: &["recordDigest"], ..kind("key.rotated", true, Never, &[]) },
    kind("plan.cancelled", true, Always, &[]),
    kind("plan.created", true, Always, &[]),
    kind("plan.denied", true, Never, &["reason"]),
    kind("plan.expired", false, Always, &[]),
    kind("plan.pruned", false, Always, &[]),
    kind("plan.stale", true, Always, &["reason"]),
    kind("requester.muted", true, Never, &["subject"]),
    kind("requester.unmuted", true, Never, &["subject"]),
    kind("server.paused", true, Never, &[]),
    kind("server.resumed", true, Never, &[]),
];

/// What any kind may name.
const COMMON: &[&str] = &["kind", "actor", "planId", "planDigest"];

/// Holds that an event names what its kind's line says. [AUDIT-016]
pub(super) fn hold(event: &Event) -> Checked {
    let name = event.kind();
    let Some(kind) = KINDS.iter().find(|kind| kind.name == name) else {
        return Err(Stop::fail(format!("the audit has an event of the kind `{name}`, which there is not")));
    };
    let has = |member: &str| event.get(member).is_some();
    let wrong = |what: String| Err(Stop::fail(format!("an event `{name}` {what}")));
    if has("actor") != kind.has_actor {
        return wrong(if kind.has_actor { "names no actor".to_owned() } else { "names an actor".to_owned() });
    }
    let is_of_plan = has("planId");
    if has("planDigest") != is_of_plan || (is_of_plan && kind.plan == Never) || (!is_of_plan && kind.plan == Always) {
        return wrong("names a plan, or its digest, where it must not, or doesn't where it must".to_owned());
    }
    if let Some(missing) = kind.other.iter().find(|member| !has(member)) {
        return wrong(format!("has no `{missing}`"));
    }
    let members = event.0.get("event").and_then(serde_json::Value::as_object);
    let names = members.into_iter().flat_map(|members| members.keys());
    let known = COMMON.iter().chain(kind.other).chain(kind.optional).collect::<Vec<_>>();
    let more = names.into_iter().find(|member| !known.contains(&&member.as_str()));
    ensure(more.is_none(), || format!("an event `{name}` has a member {more:?}, which its kind has not"))
}
