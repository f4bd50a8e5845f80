//! The plan header: what a person approves the digest of.

use std::collections::BTreeSet;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::record_type;
use crate::digest::Digest;
use crate::id::{Audience, Group, Person, PlanId};
use crate::instant::Timestamp;

record_type!(HeaderType, PlanHeader, Header, "mutation-approval/plan/v0");
record_type!(PolicyType, EffectivePolicy, Header, "mutation-approval/policy/v0");

/// The header of a plan. Its digest is the `planDigest`: what a person approves. Immutable. [REC-010] [DIG-102]
///
/// It needs no salt of its own, since it holds two salted digests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanHeader {
    /// The record's type.
    #[serde(rename = "type")]
    pub kind: HeaderType,
    /// The plan's name.
    pub plan_id: PlanId,
    /// The installation that made the plan.
    pub audience: Audience,
    /// The person for whom the agent acts.
    pub requester: Identity,
    /// What will run: the digest of the intent.
    pub intent_digest: Digest,
    /// What was shown: the digest of the review.
    pub review_digest: Digest,
    /// The rule that the server's policy chose for this plan, with its limits.
    pub policy: EffectivePolicy,
    /// How strong the boundary around the server was when the plan was made.
    pub enforcement: Enforcement,
    /// When the plan was made.
    pub created_at: Timestamp,
    /// From when on the plan can't be executed any more.
    pub expires_at: Timestamp,
}

/// A person as an identity provider attested them. Rules compare `person`; `issuer` and `subject` say how it was known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Identity {
    /// The person, by the operator's identity map.
    pub person: Person,
    /// Who attested the identity.
    pub issuer: String,
    /// The issuer's stable name for them.
    pub subject: String,
}

/// How strong the boundary around the server is. Never stronger than what is configured. [ENF-001]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Enforcement {
    /// Whether the agent runs under another operating-system user than the server.
    pub isolation: Isolation,
    /// What notices a store that was put back to an older copy.
    pub rollback: Rollback,
    /// How the requester is known.
    pub requester_assurance: RequesterAssurance,
}

impl Enforcement {
    /// Whether this enforcement is at least as strong as `other` in every respect.
    #[must_use]
    pub fn is_at_least(&self, other: &Self) -> bool {
        self.isolation >= other.isolation
            && self.rollback >= other.rollback
            && self.requester_assurance >= other.requester_assurance
    }
}

/// Whether key, store, credentials and configuration are out of reach of the agent's operating-system user. Weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Isolation {
    /// They are within its reach, or it isn't known that they are not.
    SameUser,
    /// The operator says that they are out of its reach.
    Separate,
}

/// What notices a store that was put back to an older copy. Weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Rollback {
    /// Nothing.
    None,
    /// An anchor on this machine.
    Local,
    /// An anchor that all replicas share.
    Shared,
}

/// How the requester's person is known. Weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RequesterAssurance {
    /// By configuration of this instance.
    Environment,
    /// By a token that was verified.
    VerifiedToken,
}

/// The policy's decision for one plan, with its digest. Evaluated again before execution; it must give the same. [GATE-090]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EffectivePolicy {
    /// The record's type.
    #[serde(rename = "type")]
    pub kind: PolicyType,
    /// Who must approve.
    pub rule: Rule,
    /// For how long, and how often.
    pub limits: Limits,
    /// Whether the requester may read what was read from the live target.
    pub requester_reads_target: bool,
}

/// Who must approve a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// The kind of rule.
    pub kind: RuleKind,
    /// The groups from which approvers come; any person who may approve, where empty. Unused by `same-subject`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty", deserialize_with = "super::optional::ascending")]
    pub groups: BTreeSet<Group>,
    /// How many distinct persons must approve: 1 but for `quorum`.
    pub required: u32,
}

/// The kinds of rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RuleKind {
    /// Another person than the requester.
    OtherSubject,
    /// A number of distinct persons, none of them the requester.
    Quorum,
    /// The requester, through a browser session of their own.
    SameSubject,
}

impl Rule {
    /// The requester themself, out of band.
    #[must_use]
    pub fn same_subject() -> Self {
        Self { kind: RuleKind::SameSubject, groups: BTreeSet::new(), required: 1 }
    }

    /// Somebody else, from `groups` where any are named.
    #[must_use]
    pub fn other_subject(groups: impl IntoIterator<Item = Group>) -> Self {
        Self { kind: RuleKind::OtherSubject, groups: groups.into_iter().collect(), required: 1 }
    }

    /// `required` distinct others, from `groups` where any are named.
    #[must_use]
    pub fn quorum(required: u32, groups: impl IntoIterator<Item = Group>) -> Self {
        Self { kind: RuleKind::Quorum, groups: groups.into_iter().collect(), required }
    }
}

/// How long things are good for, in seconds, and how many there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Limits {
    /// Seconds for which a plan can be executed after it was made.
    pub plan_seconds: u32,
    /// Seconds for which a challenge is open.
    pub challenge_seconds: u32,
    /// Seconds for which an approval is good once the rule is satisfied; never beyond the plan's expiry.
    pub approval_seconds: u32,
    /// Seconds for which a requester is refused on the same effect keys after a rejection.
    pub cool_down_seconds: u32,
    /// Seconds after which a claim that isn't renewed counts as lost.
    pub lease_seconds: u32,
    /// Seconds after the claim from when on no step is started.
    pub execution_seconds: u32,
    /// Refused executions of one plan, after which it is refused without a look.
    pub gate_attempts: u32,
    /// Plans that one requester may have open.
    pub open_plans: u32,
}

impl Default for Limits {
    /// A plan for an hour, a challenge and an approval for a quarter of one.
    fn default() -> Self {
        Self {
            plan_seconds: 3600,
            challenge_seconds: 900,
            approval_seconds: 900,
            cool_down_seconds: 900,
            lease_seconds: 30,
            execution_seconds: 300,
            gate_attempts: 50,
            open_plans: 20,
        }
    }
}

impl Limits {
    /// How long a plan can be executed after it was made.
    #[must_use]
    pub fn plan(&self) -> Duration {
        Duration::from_secs(self.plan_seconds.into())
    }

    /// How long a challenge is open.
    #[must_use]
    pub fn challenge(&self) -> Duration {
        Duration::from_secs(self.challenge_seconds.into())
    }

    /// How long an approval is good.
    #[must_use]
    pub fn approval(&self) -> Duration {
        Duration::from_secs(self.approval_seconds.into())
    }

    /// How long a rejection sticks.
    #[must_use]
    pub fn cool_down(&self) -> Duration {
        Duration::from_secs(self.cool_down_seconds.into())
    }

    /// How long a claim lives without renewal.
    #[must_use]
    pub fn lease(&self) -> Duration {
        Duration::from_secs(self.lease_seconds.into())
    }

    /// How long after the claim a step may still be started.
    #[must_use]
    pub fn execution(&self) -> Duration {
        Duration::from_secs(self.execution_seconds.into())
    }
}
