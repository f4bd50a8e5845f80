//! The challenge that is put before a person, and what they decide.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Identity, record_type};
use crate::digest::Digest;
use crate::id::{ChallengeId, Person, PlanId};
use crate::instant::Timestamp;

record_type!(ChallengeType, Challenge, Challenge, "mutation-approval/challenge/v0");
record_type!(DecisionType, Decision, Decision, "mutation-approval/decision/v0");

/// A plan put before a person, for a while. There is at most one live challenge per plan. Immutable. [REC-020]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Challenge {
    /// The record's type.
    #[serde(rename = "type")]
    pub kind: ChallengeType,
    /// The challenge's name.
    pub challenge_id: ChallengeId,
    /// The plan.
    pub plan_id: PlanId,
    /// The digest that is to be approved.
    pub plan_digest: Digest,
    /// When it was opened.
    pub created_at: Timestamp,
    /// From when on it can't be answered.
    pub expires_at: Timestamp,
}

/// What a person decided about one plan digest. Immutable. [REC-021]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Decision {
    /// The record's type.
    #[serde(rename = "type")]
    pub kind: DecisionType,
    /// The challenge that it answers.
    pub challenge_id: ChallengeId,
    /// The plan.
    pub plan_id: PlanId,
    /// The digest that it is about.
    pub plan_digest: Digest,
    /// Who decided.
    pub approver: Approver,
    /// What they decided.
    pub verdict: Verdict,
    /// What they said about it.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "super::optional::present")]
    pub comment: Option<String>,
    /// When the page that they decided on was rendered.
    pub rendered_at: Timestamp,
    /// When they decided.
    pub decided_at: Timestamp,
}

/// A person on the approval surface, and how they authenticated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Approver {
    /// The person.
    pub person: Person,
    /// Who attested the identity.
    pub issuer: String,
    /// The issuer's stable name for them.
    pub subject: String,
    /// When they last authenticated: it must be after the challenge was opened.
    pub auth_time: Timestamp,
    /// The authentication context class (OpenID Connect `acr`), where the issuer says so.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "super::optional::present")]
    pub acr: Option<String>,
    /// The authentication methods (RFC 8176 `amr`), where the issuer says so.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "super::optional::filled")]
    pub amr: Vec<String>,
}

impl Approver {
    /// Who it is, without how they authenticated.
    #[must_use]
    pub fn identity(&self) -> Identity {
        Identity { person: self.person.clone(), issuer: self.issuer.clone(), subject: self.subject.clone() }
    }
}

/// What a person decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It may run.
    Approve,
    /// It must not run. Final for the plan.
    Reject,
    /// An approval is taken back, before the plan was claimed.
    Withdraw,
}
