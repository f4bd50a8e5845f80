//! Receipts, as a verifier reads them (receipt.md, section 4).

use std::collections::BTreeSet;

use serde_json::Value;
use time::{Duration, OffsetDateTime};

use super::signed::{KeySet, Purpose};
use super::{complaints, digest, own, read, timestamp};

const RECEIPT: &str = include_str!("../../schema/receipt.json");
/// How far ahead of the verifier's clock it may be. [RCPT-026]
const AHEAD: Duration = Duration::seconds(300);

/// A receipt that was verified.
#[derive(Debug)]
pub(crate) struct Receipt {
    /// What it says.
    pub(crate) predicate: Value,
    /// Of the plan that it is about.
    pub(crate) plan_digest: String,
    /// Which key signed it.
    #[cfg_attr(not(test), expect(dead_code, reason = "the vectors ask for it"))]
    pub(crate) key: String,
}

/// Verifies a receipt. [RCPT-020]
///
/// # Errors
/// The reason of the first check that fails, and, for people, what there is to say about it.
pub(crate) fn verify(
    envelope: &[u8],
    keys: &KeySet,
    now: Option<OffsetDateTime>,
) -> Result<Receipt, (&'static str, String)> {
    let because = |reason: &'static str| move |why: String| (reason, why);
    let plain = |reason: &'static str| (reason, String::new());
    let (payload, key) = keys.open(envelope, Purpose::Receipt).map_err(plain)?;
    let statement = read(&payload).map_err(|error| because("payload_malformed")(error.to_string()))?;
    if !statement.is_object() || serde_jcs::to_vec(&statement).ok().as_deref() != Some(payload.as_slice()) {
        return Err(plain("payload_malformed"));
    }
    let is = |member: &str, value: &str| statement.get(member).and_then(Value::as_str) == Some(value);
    need(is("_type", "https://in-toto.io/Statement/v1"), "statement_type")?;
    need(is("predicateType", "https://mutation-approval.github.io/receipt/v0"), "predicate_type")?;
    let wrong = complaints(&own(RECEIPT).map_err(because("members"))?, &statement);
    if !wrong.is_empty() {
        return Err(because("members")(wrong.join("; ")));
    }
    let predicate = statement.get("predicate").cloned().unwrap_or_default();
    let receipt = Says(&predicate);
    need(receipt.are_times_real() && receipt.are_groups_sorted(), "members")?;
    need(receipt.text("/header/audience") == keys.audience, "audience_mismatch")?;
    key.good_at(receipt.text("/issuedAt")).map_err(plain)?;
    if let (Some(now), Some(issued)) = (now, timestamp(receipt.text("/issuedAt"))) {
        need(issued <= now + AHEAD, "issued_in_future")?;
    }
    let header = predicate.get("header").cloned().unwrap_or_default();
    let plan_digest = digest(&header).map_err(|error| because("members")(error.to_string()))?;
    let subject = |path: &str| statement.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let is_subject = subject("/subject/0/name") == format!("urn:uuid:{}", receipt.text("/header/planId"))
        && format!("sha256:{}", subject("/subject/0/digest/sha256")) == plan_digest;
    need(is_subject, "subject_mismatch")?;
    need(receipt.is_of_one_plan(&plan_digest), "plan_mismatch")?;
    need(receipt.is_an_end(), "state_mismatch")?;
    let is_approved = receipt.is_approved();
    let must_be = receipt.has("execution") || receipt.text("/cause") == "approval";
    need(is_approved || !must_be, "rule_not_satisfied")?;
    need(receipt.is_in_order(), "time_order")?;
    let found = (receipt.list("claims"), receipt.list("limits"));
    let wanted = (receipt.claims(is_approved), receipt.limits());
    if found != wanted {
        return Err(because("claims_mismatch")(format!("{found:?} in place of {wanted:?}")));
    }
    Ok(Receipt { key: key.id.clone(), plan_digest, predicate })
}

fn need(holds: bool, reason: &'static str) -> Result<(), (&'static str, String)> {
    if holds { Ok(()) } else { Err((reason, String::new())) }
}

/// A predicate, asked.
struct Says<'a>(&'a Value);

impl Says<'_> {
    fn text(&self, path: &str) -> &str {
        self.0.pointer(path).and_then(Value::as_str).unwrap_or_default()
    }

    fn has(&self, member: &str) -> bool {
        self.0.get(member).is_some()
    }

    fn list(&self, member: &str) -> Vec<&str> {
        self.0.get(member).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
    }

    fn decisions(&self) -> Vec<Says<'_>> {
        self.0.get("decisions").and_then(Value::as_array).into_iter().flatten().map(Says).collect()
    }

    /// What looks like a timestamp is a moment that there was.
    fn are_times_real(&self) -> bool {
        fn are_real(value: &Value) -> bool {
            match value {
                Value::Array(items) => items.iter().all(are_real),
                Value::Object(members) => members.iter().all(|(name, value)| {
                    let is_time = name.ends_with("At") || matches!(name.as_str(), "at" | "authTime");
                    match value.as_str().filter(|_| is_time) {
                        Some(text) => timestamp(text).is_some(),
                        None => are_real(value),
                    }
                }),
                _ => true,
            }
        }
        are_real(self.0)
    }

    fn are_groups_sorted(&self) -> bool {
        let groups = self.0.pointer("/header/policy/rule/groups").and_then(Value::as_array);
        groups.is_none_or(|groups| groups.iter().map(Value::as_str).is_sorted())
    }

    /// All records are of one plan. [RCPT-022]
    fn is_of_one_plan(&self, digest: &str) -> bool {
        let plan = self.text("/header/planId");
        let names = |of: &Says<'_>| of.text("/planId") == plan && of.text("/planDigest") == digest;
        let named = ["challenge", "execution"].into_iter().filter_map(|member| self.0.get(member));
        let challenge = self.0.pointer("/challenge/challengeId").and_then(Value::as_str);
        let are_decisions_under =
            self.decisions().iter().all(|decision| names(decision) && Some(decision.text("/challengeId")) == challenge);
        let is_reconciled_so = match self.0.get("reconciliation").map(Says) {
            Some(said) => said.text("/planId") == plan && said.text("/claimId") == self.text("/execution/claimId"),
            None => true,
        };
        named.map(Says).all(|record| names(&record)) && are_decisions_under && is_reconciled_so
    }

    /// State, cause and decisions are those of one line. [RCPT-023]
    fn is_an_end(&self) -> bool {
        let (state, cause, outcome) = (self.text("/state"), self.text("/cause"), self.text("/execution/outcome"));
        let is_outcome = matches!(state, "applied" | "failed" | "partial" | "unknown");
        if outcome != (if is_outcome { state } else { "" }) {
            return false;
        }
        if self.has("reconciliation") && !matches!(outcome, "partial" | "unknown") {
            return false;
        }
        let decisions = self.decisions();
        let are_approvals = |decisions: &[Says<'_>]| decisions.iter().all(|one| one.text("/verdict") == "approve");
        match (state, cause, decisions.split_last()) {
            ("rejected", "", Some((last, before))) => last.text("/verdict") == "reject" && are_approvals(before),
            ("cancelled", "withdrawn", Some((last, before))) => {
                let person = last.text("/approver/person");
                let is_own = before.iter().any(|one| one.text("/approver/person") == person);
                last.text("/verdict") == "withdraw" && are_approvals(before) && is_own
            }
            ("rejected", _, _) | (_, "withdrawn", _) => false,
            ("cancelled", "cancelled", _) | ("expired", "approval" | "plan", _) | ("stale", "", _) => {
                are_approvals(&decisions)
            }
            (_, "", _) => is_outcome && are_approvals(&decisions),
            _ => false,
        }
    }

    /// As many persons as the rule asks for approved. [RCPT-024]
    fn is_approved(&self) -> bool {
        let decisions = self.decisions();
        let is_own = self.text("/header/policy/rule/kind") == "same-subject";
        let requester = self.text("/header/requester/person");
        let persons: BTreeSet<&str> = decisions.iter().map(|one| one.text("/approver/person")).collect();
        let counted = persons.iter().filter(|person| (**person == requester) == is_own).count();
        let required = self.0.pointer("/header/policy/rule/required").and_then(Value::as_u64).unwrap_or_default();
        let are_approvals = decisions.iter().all(|one| one.text("/verdict") == "approve");
        are_approvals && required > 0 && u64::try_from(counted).unwrap_or_default() >= required
    }

    /// The times are in order. [RCPT-025]
    fn is_in_order(&self) -> bool {
        let (created, expires) = (self.text("/header/createdAt"), self.text("/header/expiresAt"));
        let (opened, closed) = (self.text("/challenge/createdAt"), self.text("/challenge/expiresAt"));
        let decisions = self.decisions();
        let mut times = vec![opened];
        let mut holds = created < expires;
        if self.has("challenge") {
            holds &= opened < closed && closed <= expires;
        }
        for decision in &decisions {
            times.push(decision.text("/decidedAt"));
            holds &= decision.text("/verdict") != "approve" || decision.text("/decidedAt") < closed;
            holds &= decision.text("/approver/authTime") > opened;
        }
        if self.has("execution") {
            let claimed = self.text("/execution/claimedAt");
            times.extend([claimed, self.text("/execution/settledAt")]);
            let seconds = self.0.pointer("/header/policy/limits/approvalSeconds").and_then(Value::as_i64);
            let last = decisions.last().and_then(|one| timestamp(one.text("/decidedAt")));
            let ends = last.map(|last| last.saturating_add(Duration::seconds(seconds.unwrap_or_default())));
            holds &= claimed < expires && timestamp(claimed).is_some_and(|claimed| Some(claimed) < ends);
        }
        times.extend([self.text("/reconciliation/at"), self.text("/issuedAt")]);
        times.retain(|time| !time.is_empty());
        holds && times.is_sorted()
    }

    /// What it may claim. [RCPT-010]
    fn claims(&self, is_approved: bool) -> Vec<&'static str> {
        let holds = [
            ("approved", is_approved),
            ("executed", self.has("execution")),
            ("not-executed", !self.has("execution")),
            ("planned", true),
            ("reconciled", self.has("reconciliation")),
            ("rejected", self.text("/state") == "rejected"),
            ("withdrawn", self.text("/cause") == "withdrawn"),
        ];
        holds.into_iter().filter(|(_, holds)| *holds).map(|(code, _)| code).collect()
    }

    /// What it does not show. [RCPT-011]
    fn limits(&self) -> Vec<&'static str> {
        let of = if self.has("execution") { "/execution/enforcement" } else { "/header/enforcement" };
        let enforcement = |member: &str| self.text(&format!("{of}/{member}"));
        let has_groups = self.0.pointer("/header/policy/rule/groups").and_then(Value::as_array);
        let is_open = matches!(self.text("/execution/outcome"), "partial" | "unknown");
        let holds = [
            ("assertion", true),
            ("content", true),
            ("effect", self.has("execution")),
            ("environment", enforcement("requesterAssurance") == "environment"),
            ("groups", has_groups.is_some_and(|groups| !groups.is_empty()) && !self.decisions().is_empty()),
            ("identity", true),
            ("rollback", enforcement("rollback") == "none"),
            ("same-user", enforcement("isolation") == "same-user"),
            ("time", true),
            ("unresolved", is_open && !self.has("reconciliation")),
        ];
        holds.into_iter().filter(|(_, holds)| *holds).map(|(code, _)| code).collect()
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use ed25519_dalek::{Signer as _, SigningKey};
    use serde_json::{Value, json};

    use super::verify;
    use crate::oracle::signed::KeySet;
    use crate::oracle::timestamp;
    use crate::oracle::vectors::{bytes, each, patched};

    #[test]
    fn receipts_are_verified_as_the_vectors_say() {
        each(include_str!("../../vectors/receipts.json"), |file, input| {
            let keys = KeySet::read(&serde_json::to_vec(&file["keySet"]).unwrap_or_default());
            let keys = keys.unwrap_or_else(|error| panic!("{error}"));
            let envelope = match input.get("envelope") {
                Some(envelope) => bytes(Some(envelope)),
                None => {
                    let whole = &file["statements"][input["receipt"].as_str().unwrap_or_default()];
                    sign(&bytes(Some(&file["seed"])), &patched(whole.clone(), input.get("change")))
                }
            };
            let now = input.get("at").and_then(Value::as_str).and_then(timestamp);
            Some(match verify(&envelope, &keys, now) {
                Ok(receipt) => json!({
                    "verdict": "accepted",
                    "planDigest": receipt.plan_digest,
                    "key": receipt.key,
                    "claims": receipt.predicate["claims"],
                    "limits": receipt.predicate["limits"],
                }),
                Err((reason, _)) => json!({"verdict": "refused", "reason": reason}),
            })
        });
    }

    fn sign(seed: &[u8], statement: &Value) -> Vec<u8> {
        let key = SigningKey::from_bytes(&seed.try_into().unwrap_or_default());
        let payload = serde_jcs::to_vec(statement).unwrap_or_default();
        let mut signed = format!("DSSEv1 28 application/vnd.in-toto+json {} ", payload.len()).into_bytes();
        signed.extend_from_slice(&payload);
        let id = crate::oracle::digest_of(key.verifying_key().as_bytes());
        let envelope = json!({
            "payload": STANDARD.encode(&payload),
            "payloadType": "application/vnd.in-toto+json",
            "signatures": [{
                "keyid": id.strip_prefix("sha256:").and_then(|id| id.get(..32)),
                "sig": STANDARD.encode(key.sign(&signed).to_bytes()),
            }],
        });
        serde_jcs::to_vec(&envelope).unwrap_or_default()
    }
}
