//! The policy.

use approval_core::record::{Rule, RuleKind};
use approval_core::{Policy, PolicyVerdict, Terms};
use reference_target::Parts;

use crate::fault::Fault;

/// The policy that the driver installs.
const INSTALLED: &str = include_str!("../../../../conformance/targets/reference/policy.toml");

pub(super) const ALL: &[Fault] = &[
    // One approval is enough for a quorum of two. [RULE-001]
    Fault::new("quorum-of-one", |parts| with(parts, |terms| terms.rule.required = 1)),
    // Where somebody else has to approve, the requester may. [RULE-003]
    Fault::new("own-approval-is-enough", |parts| with(parts, own_approval)),
    // What its requester has to approve, somebody else has to. [RULE-002]
    Fault::new("approval-of-another-instead", |parts| with(parts, another)),
    // Whoever asks may read the target, whatever the operator says. [PLAN-010]
    Fault::new("requester-reads-everything", |parts| with(parts, |terms| terms.requester_reads_target = true)),
    // The limits are longer than the operator's. [POLICY-001]
    Fault::new("limits-doubled", |parts| with(parts, double)),
    // What is denied asks for an approval instead. [PLAN-002]
    Fault::new("nothing-is-denied", |parts| {
        let mut policy = parts.policy;
        policy.clauses.retain(|clause| !matches!(clause.then, PolicyVerdict::Deny));
        Parts { policy, ..parts }
    }),
    // The policy is that of the day on which the server was built. [GATE-090]
    Fault::new("policy-from-the-build", |parts| {
        let policy: Option<Policy> = toml::from_str(INSTALLED).ok();
        Parts { policy: policy.unwrap_or(parts.policy), ..parts }
    }),
];

/// The policy with other terms in each of its clauses.
fn with(parts: Parts, change: fn(&mut Terms)) -> Parts {
    let mut policy = parts.policy;
    change(&mut policy.default);
    for clause in &mut policy.clauses {
        if let PolicyVerdict::Require(terms) = &mut clause.then {
            change(terms);
        }
    }
    Parts { policy, ..parts }
}

fn own_approval(terms: &mut Terms) {
    if terms.rule.kind == RuleKind::OtherSubject {
        terms.rule = Rule::same_subject();
    }
}

fn another(terms: &mut Terms) {
    if terms.rule.kind == RuleKind::SameSubject {
        terms.rule = Rule::other_subject([]);
    }
}

fn double(terms: &mut Terms) {
    terms.limits.plan_seconds *= 2;
    terms.limits.cool_down_seconds *= 2;
}
