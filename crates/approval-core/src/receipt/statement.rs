//! What a receipt's payload holds.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Claim, Limit};
use crate::digest::Digest;
use crate::id::{ChallengeId, PlanId};
use crate::instant::Timestamp;
use crate::record::{Approver, Cause, Challenge, Decision, Execution, PlanHeader, Reconciliation, State, Verdict};

/// The type of the statement around a receipt: in-toto Statement, version 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum StatementType {
    /// `https://in-toto.io/Statement/v1`
    #[serde(rename = "https://in-toto.io/Statement/v1")]
    V1,
}

/// The type of a receipt within its statement. Another set of members is another type. [RCPT-002]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PredicateType {
    /// `https://mutation-approval.github.io/receipt/v0`
    #[serde(rename = "https://mutation-approval.github.io/receipt/v0")]
    V0,
}

/// The payload of a receipt: an in-toto Statement about one plan digest. [RCPT-001]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Statement<'a> {
    /// The statement's type.
    #[serde(rename = "_type")]
    pub kind: StatementType,
    /// What the statement is about: the plan, by its digest.
    pub subject: [Subject; 1],
    /// The receipt's type.
    pub predicate_type: PredicateType,
    /// What is stated.
    pub predicate: Receipt<'a>,
}

/// What a statement is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// The plan's name.
    pub name: PlanUrn,
    /// Its digest.
    pub digest: SubjectDigest,
}

/// The digest of a subject, as in-toto writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SubjectDigest {
    /// The plan digest.
    pub sha256: HexDigest,
}

/// A plan's name as a URI: `urn:uuid:` and its id (RFC 9562).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanUrn(pub PlanId);

/// A digest without the name of its algorithm: 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HexDigest(pub Digest);

const URN: &str = "urn:uuid:";

impl Subject {
    /// A plan as a subject.
    pub(super) fn of(plan: PlanId, digest: Digest) -> Self {
        Self { name: PlanUrn(plan), digest: SubjectDigest { sha256: HexDigest(digest) } }
    }
}

impl Serialize for PlanUrn {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{URN}{}", self.0))
    }
}

impl<'de> Deserialize<'de> for PlanUrn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        let plan = text.strip_prefix(URN).and_then(|plan| plan.parse().ok());
        plan.map(Self).ok_or_else(|| D::Error::custom("not `urn:uuid:` and the id of a plan"))
    }
}

impl JsonSchema for PlanUrn {
    fn schema_name() -> Cow<'static, str> {
        "PlanUrn".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"
        })
    }
}

impl Serialize for HexDigest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut digits = [0; 64];
        hex::encode_to_slice(self.0.as_bytes(), &mut digits).map_err(S::Error::custom)?;
        serializer.serialize_str(str::from_utf8(&digits).map_err(S::Error::custom)?)
    }
}

impl<'de> Deserialize<'de> for HexDigest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        let mut bytes = [0; 32];
        let is_lower = !text.bytes().any(|digit| digit.is_ascii_uppercase());
        match hex::decode_to_slice(text.as_bytes(), &mut bytes) {
            Ok(()) if is_lower => Ok(Self(Digest::from_bytes(bytes))),
            _ => Err(D::Error::custom("not 64 lower-case hexadecimal digits")),
        }
    }
}

impl JsonSchema for HexDigest {
    fn schema_name() -> Cow<'static, str> {
        "HexDigest".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9a-f]{64}$" })
    }
}

/// What was planned, who decided, and what came of it. Of the plan it holds the header only. [RCPT-003] [DIG-112]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Receipt<'a> {
    /// The plan's header: its digest is the plan digest.
    pub header: Cow<'a, PlanHeader>,
    /// How the plan ended.
    pub state: State,
    /// Why, where the state alone doesn't say.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::record::optional::present")]
    pub cause: Option<Cause>,
    /// The challenge under which was decided last.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::record::optional::present")]
    pub challenge: Option<Cow<'a, Challenge>>,
    /// The decisions under it, in the order in which they were taken.
    pub decisions: Vec<ReceiptDecision<'a>>,
    /// The one attempt and its outcome, where the plan was executed. It names the enforcement at that time.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::record::optional::present")]
    pub execution: Option<Cow<'a, Execution>>,
    /// What an operator found out about the attempt, where its outcome left that open.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::record::optional::present")]
    pub reconciliation: Option<Cow<'a, Reconciliation>>,
    /// When the receipt was made.
    pub issued_at: Timestamp,
    /// What it asserts.
    pub claims: Vec<Claim>,
    /// What it doesn't show.
    pub limits: Vec<Limit>,
}

/// A decision, without its comment. [RCPT-004]
///
/// A comment is a person's free text: it doesn't leave the server. Its digest doesn't either, since short texts can be guessed
/// back from one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReceiptDecision<'a> {
    /// The challenge that it answers.
    pub challenge_id: ChallengeId,
    /// The plan.
    pub plan_id: PlanId,
    /// The digest that it is about.
    pub plan_digest: Digest,
    /// Who decided.
    pub approver: Cow<'a, Approver>,
    /// What they decided.
    pub verdict: Verdict,
    /// Whether there is a comment, which the receipt leaves out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not", deserialize_with = "is_true")]
    pub comment_omitted: bool,
    /// When the page that they decided on was rendered.
    pub rendered_at: Timestamp,
    /// When they decided.
    pub decided_at: Timestamp,
}

impl<'a> ReceiptDecision<'a> {
    pub(super) fn of(decision: &'a Decision) -> Self {
        Self {
            challenge_id: decision.challenge_id,
            plan_id: decision.plan_id,
            plan_digest: decision.plan_digest,
            approver: Cow::Borrowed(&decision.approver),
            verdict: decision.verdict,
            comment_omitted: decision.comment.is_some(),
            rendered_at: decision.rendered_at,
            decided_at: decision.decided_at,
        }
    }
}

/// A member that is there is `true`.
fn is_true<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    match bool::deserialize(deserializer)? {
        true => Ok(true),
        false => Err(D::Error::custom("`false` is said by leaving the member out")),
    }
}
