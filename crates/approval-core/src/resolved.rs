//! Secret leaves taken out of a plan, and put back.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use crate::digest::Digest;
use crate::json::{Document, Inadmissible, Limits};
use crate::record::{Intent, PlanHeader, Review, SecretLeaf, Secrets, zeroize_value};
use crate::refusal::Refusal;
use crate::vault::broken;

/// A verified plan with secret values in their places. Only the freshness step and the permit get one. [LEAF-008]
pub struct ResolvedPlan {
    header: Arc<PlanHeader>,
    digest: Digest,
    intent: Arc<Intent>,
    secrets: Option<Secrets>,
}

impl ResolvedPlan {
    /// Puts the values back, after every commitment has been recomputed. What only looks like a
    /// commitment, at a place that is not listed, is data. [LEAF-005, LEAF-006, DIG-105]
    pub(crate) fn resolve(
        header: Arc<PlanHeader>,
        digest: Digest,
        intent: Arc<Intent>,
        secrets: Option<Secrets>,
    ) -> Result<Self, Refusal> {
        if intent.secret_leaves.is_empty() {
            return Ok(Self { header, digest, intent, secrets });
        }
        let kept = secrets.as_ref().ok_or_else(|| broken("the plan's secret values are missing"))?;
        let mut document = serde_json::to_value(&*intent).map_err(|error| broken(error.to_string()))?;
        for pointer in &intent.secret_leaves {
            let leaf = kept.leaf(&format!("/intent{pointer}"));
            let leaf = leaf.ok_or_else(|| broken(format!("no secret value for `{pointer}`")))?;
            let place = document.pointer_mut(pointer).ok_or_else(|| broken(format!("nothing at `{pointer}`")))?;
            if *place != leaf.placeholder().map_err(|error| broken(error.to_string()))? {
                return Err(broken(format!("the commitment at `{pointer}` is to another value")));
            }
            *place = leaf.value.clone();
        }
        let intent = serde_json::from_value(document).map_err(|error| broken(error.to_string()))?;
        Ok(Self { header, digest, intent: Arc::new(intent), secrets })
    }

    /// The header.
    #[must_use]
    pub fn header(&self) -> &PlanHeader {
        &self.header
    }

    /// The plan's digest.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// What will run, with secret values in their places: never to be logged or shown.
    #[must_use]
    pub fn intent(&self) -> &Intent {
        &self.intent
    }

    /// The digest of a fresh preview of a step, with its secret leaves replaced under the plan's recorded nonces, to be
    /// compared with the step's `preview_digest`. [LEAF-010]
    ///
    /// # Errors
    /// When the preview isn't strict JSON.
    pub fn preview_digest(&self, step: usize, preview: &Value) -> Result<Digest, Inadmissible> {
        let leaves = self.secrets.iter().flat_map(|secrets| &secrets.leaves);
        preview_digest(step, preview, leaves)
    }

    /// Replaces every occurrence of a secret value in `value` by its commitment: for what a tool answers. [LEAF-009]
    ///
    /// # Errors
    /// When a secret isn't strict JSON.
    pub fn redact(&self, value: &mut Value) -> Result<(), Inadmissible> {
        self.redactor().redact(value)
    }

    /// A text with every occurrence of a secret value replaced by its commitment.
    pub(crate) fn redact_text(&self, text: &str) -> String {
        self.redactor().redact_text(text)
    }

    pub(crate) fn redactor(&self) -> Redactor {
        Redactor { secrets: self.secrets.clone() }
    }
}

/// The kept values are those of the leaves that the documents list, no more and no less, and each commitment is reproduced
/// by its value and nonce. A preview's leaves are looked at with the fresh preview. [LEAF-006]
pub(crate) fn check_leaves(intent: &Intent, review: &Review, secrets: Option<&Secrets>) -> Result<(), Refusal> {
    let kept = secrets.map(|secrets| secrets.leaves.as_slice()).unwrap_or_default();
    if intent.secret_leaves.is_empty() && review.secret_leaves.is_empty() && kept.is_empty() {
        return Ok(());
    }
    let value = |document: Result<Value, serde_json::Error>| document.map_err(|error| broken(error.to_string()));
    let (intent_value, review_value) = (value(serde_json::to_value(intent))?, value(serde_json::to_value(review))?);
    let mut left: BTreeMap<&str, &SecretLeaf> = kept.iter().map(|leaf| (leaf.pointer.as_str(), leaf)).collect();
    if left.len() < kept.len() {
        return Err(broken("a secret value is kept twice"));
    }
    let documents =
        [("/intent", &intent_value, &intent.secret_leaves), ("/review", &review_value, &review.secret_leaves)];
    for (root, document, listed) in documents {
        for pointer in listed {
            let leaf = left.remove(format!("{root}{pointer}").as_str());
            let leaf = leaf.ok_or_else(|| broken(format!("no secret value for `{root}{pointer}`")))?;
            let commitment = leaf.placeholder().map_err(|error| broken(error.to_string()))?;
            if document.pointer(pointer) != Some(&commitment) {
                return Err(broken(format!("the commitment at `{root}{pointer}` is to another value")));
            }
        }
    }
    match left.keys().find(|pointer| !pointer.starts_with("/preview/")) {
        Some(pointer) => Err(broken(format!("a secret value for `{pointer}`, which is not listed"))),
        None => Ok(()),
    }
}

/// Takes a plan's secret values out of what is kept and shown.
pub(crate) struct Redactor {
    secrets: Option<Secrets>,
}

impl Redactor {
    pub(crate) fn redact(&self, value: &mut Value) -> Result<(), Inadmissible> {
        match &self.secrets {
            Some(secrets) => secrets.redact(value),
            None => Ok(()),
        }
    }

    pub(crate) fn redact_text(&self, text: &str) -> String {
        let mut value = Value::String(text.to_owned());
        match (self.redact(&mut value), value) {
            (Ok(()), Value::String(text)) => text,
            _ => "a secret value".to_owned(),
        }
    }
}

impl Drop for ResolvedPlan {
    /// Secret values don't outlive the plan in memory, as far as this copy of them is concerned. [EXEC-006]
    fn drop(&mut self) {
        self.erase();
    }
}

impl ResolvedPlan {
    fn erase(&mut self) {
        // One that has secrets in it is nobody else's.
        if let Some(intent) = Arc::get_mut(&mut self.intent).filter(|intent| !intent.secret_leaves.is_empty()) {
            intent.arguments.values_mut().for_each(zeroize_value);
            intent.steps.iter_mut().filter_map(|step| step.body.as_mut()).for_each(zeroize_value);
        }
    }
}

impl std::fmt::Debug for ResolvedPlan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResolvedPlan").field("digest", &self.digest).finish_non_exhaustive()
    }
}

impl SecretLeaf {
    /// `{"$secret": …}`.
    pub(crate) fn placeholder(&self) -> Result<Value, Inadmissible> {
        let digest = self.commitment()?.digest;
        Ok(serde_json::json!({ "$secret": digest.to_string() }))
    }
}

impl Secrets {
    fn leaf(&self, pointer: &str) -> Option<&SecretLeaf> {
        self.leaves.iter().find(|leaf| leaf.pointer == pointer)
    }

    /// Replaces what equals a secret, and what contains a secret text or a text that is part of a secret, by its commitment.
    ///
    /// A secret that is no text, or an empty one, is replaced only where the whole value is equal: a `1` can be anything.
    fn redact(&self, value: &mut Value) -> Result<(), Inadmissible> {
        for leaf in &self.leaves {
            let digest = leaf.commitment()?.digest;
            let mark = Mark { placeholder: leaf.placeholder()?, text: format!("[$secret {digest}]") };
            mark.replace(&leaf.value, value);
            mark.replace_parts(&leaf.value, value);
        }
        Ok(())
    }
}

/// What stands in place of a secret.
struct Mark {
    placeholder: Value,
    text: String,
}

impl Mark {
    /// As many marks may stand in one text: one that holds a secret more often is a mark as a whole, so that no answer can be
    /// made to grow without bounds.
    const MOST: usize = 64;

    /// Replaces the texts within a secret that is no text itself.
    fn replace_parts(&self, secret: &Value, value: &mut Value) {
        let replace = |part: &Value, value: &mut Value| match part {
            Value::String(_) => self.replace(part, value),
            part => self.replace_parts(part, value),
        };
        match secret {
            Value::Array(items) => items.iter().for_each(|part| replace(part, value)),
            Value::Object(members) => members.values().for_each(|part| replace(part, value)),
            _ => {}
        }
    }

    fn replace(&self, secret: &Value, value: &mut Value) {
        if value == secret && !matches!(secret, Value::Null | Value::Bool(_)) {
            *value = self.placeholder.clone();
            return;
        }
        match value {
            Value::String(text) => self.replace_in(secret, text),
            // A tool's answer is bounded in depth where it is admitted, before it comes here.
            Value::Array(items) => items.iter_mut().for_each(|item| self.replace(secret, item)),
            Value::Object(members) => {
                let marked = std::mem::take(members).into_iter().map(|(mut name, mut member)| {
                    self.replace_in(secret, &mut name);
                    self.replace(secret, &mut member);
                    (name, member)
                });
                *members = marked.collect();
            }
            _ => {}
        }
    }

    fn replace_in(&self, secret: &Value, text: &mut String) {
        let Value::String(secret) = secret else { return };
        if secret.is_empty() || !text.contains(secret.as_str()) {
            return;
        }
        *text = match text.matches(secret.as_str()).count() > Self::MOST {
            true => self.text.clone(),
            false => text.replace(secret.as_str(), &self.text),
        };
    }
}

/// The digest of a preview with its secret leaves replaced.
pub(crate) fn preview_digest<'a>(
    step: usize,
    preview: &Value,
    leaves: impl Iterator<Item = &'a SecretLeaf>,
) -> Result<Digest, Inadmissible> {
    #[derive(Serialize)]
    struct Preview<'a> {
        r#type: &'static str,
        preview: &'a Value,
    }
    let mut preview = preview.clone();
    let prefix = format!("/preview/{step}");
    for leaf in leaves {
        let within = leaf.pointer.strip_prefix(&prefix).filter(|rest| rest.is_empty() || rest.starts_with('/'));
        if let Some(place) = within.and_then(|pointer| preview.pointer_mut(pointer)) {
            // Another value than the recorded one gets another commitment, and so the preview another digest.
            let fresh = SecretLeaf { pointer: leaf.pointer.clone(), nonce: leaf.nonce, value: place.take() };
            *place = fresh.placeholder()?;
        }
    }
    let typed = Preview { r#type: "mutation-approval/preview/v0", preview: &preview };
    Ok(Document::from_serialize(&typed, &Limits::PLAN)?.digest())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{IntentType, SecretsType, Step, Target, ToolReference};
    use serde_json::json;

    fn intent(arguments: &Value, body: &Value, leaves: &[&str]) -> Intent {
        Intent {
            kind: IntentType::V0,
            salt: "A".repeat(43).parse().unwrap(),
            tool: ToolReference { name: "put".to_owned(), definition_digest: Digest::of_bytes(b"put") },
            arguments: arguments.as_object().cloned().unwrap(),
            target: Target { name: "shelf".to_owned(), identity: serde_json::Map::new() },
            steps: vec![Step {
                action: "put".to_owned(),
                object: "a".to_owned(),
                body: Some(body.clone()),
                preconditions: Vec::new(),
                preview_digest: None,
            }],
            effect_keys: Vec::new(),
            generated: std::collections::BTreeMap::new(),
            normaliser: None,
            secret_leaves: leaves.iter().map(|leaf| (*leaf).to_owned()).collect(),
        }
    }

    fn resolve(intent: Intent, secrets: Option<Secrets>) -> Result<ResolvedPlan, Refusal> {
        let header = serde_json::from_value(json!({
            "type": "mutation-approval/plan/v0",
            "planId": "019ab12c-0000-7000-8000-000000000001",
            "audience": "urn:test",
            "requester": { "person": "alice", "issuer": "test", "subject": "alice" },
            "intentDigest": Digest::of_bytes(b"intent"),
            "reviewDigest": Digest::of_bytes(b"review"),
            "policy": {
                "type": "mutation-approval/policy/v0",
                "rule": { "kind": "same-subject", "required": 1 },
                "limits": crate::record::Limits::default(),
                "requesterReadsTarget": false
            },
            "enforcement": { "isolation": "separate", "rollback": "none", "requesterAssurance": "verified-token" },
            "createdAt": "2026-01-01T00:00:00.000Z",
            "expiresAt": "2026-01-01T01:00:00.000Z"
        }));
        ResolvedPlan::resolve(Arc::new(header.unwrap()), Digest::of_bytes(b"header"), Arc::new(intent), secrets)
    }

    fn leaf(pointer: &str, value: Value) -> SecretLeaf {
        SecretLeaf { pointer: pointer.to_owned(), nonce: "A".repeat(43).parse().unwrap(), value }
    }

    #[test]
    fn a_value_goes_back_to_its_place_and_from_memory_when_dropped() {
        // [LEAF-008, EXEC-006]
        let secret = leaf("/intent/arguments/token", json!("s3cret"));
        let body = leaf("/intent/steps/0/body/list/0", json!({ "inner": ["s3cret", 7] }));
        let (first, second) = (secret.placeholder().unwrap(), body.placeholder().unwrap());
        let intent = intent(
            &json!({ "token": first, "other": 1 }),
            &json!({ "list": [second] }),
            &["/arguments/token", "/steps/0/body/list/0"],
        );
        let secrets = Secrets { kind: SecretsType::V0, leaves: vec![secret, body] };
        let mut plan = resolve(intent, Some(secrets)).unwrap();
        assert_eq!(plan.intent().arguments["token"], "s3cret");
        assert_eq!(plan.intent().steps[0].body, Some(json!({ "list": [{ "inner": ["s3cret", 7] }] })));
        assert!(!format!("{plan:?}").contains("s3cret"));
        plan.erase();
        assert!(!format!("{:?}", plan.intent()).contains("s3cret"));
    }

    #[test]
    fn a_commitment_to_something_else_is_refused() {
        // [LEAF-006]
        let secret = leaf("/intent/arguments/token", json!("s3cret"));
        let other = leaf("/intent/arguments/token", json!("another"));
        for (at_place, leaves) in [
            (secret.placeholder().unwrap(), None),
            (secret.placeholder().unwrap(), Some(vec![])),
            (secret.placeholder().unwrap(), Some(vec![other.clone()])),
            (json!("s3cret"), Some(vec![secret.clone()])),
            (json!({ "$secret": Digest::of_bytes(b"x"), "more": 1 }), Some(vec![secret.clone()])),
        ] {
            let intent = intent(&json!({ "token": at_place }), &json!(1), &["/arguments/token"]);
            let secrets = leaves.map(|leaves| Secrets { kind: SecretsType::V0, leaves });
            let refusal = resolve(intent, secrets).unwrap_err();
            assert_eq!(refusal.reason(), crate::refusal::Reason::IntegrityFailure, "{at_place}");
        }
    }

    #[test]
    fn what_is_no_text_is_replaced_as_a_whole_only() {
        // [LEAF-009]
        let secrets = Secrets { kind: SecretsType::V0, leaves: vec![leaf("/intent/arguments/pin", json!(1234))] };
        let mut value = json!({ "pin": 1234, "not": [12345, "1234"], "true": true });
        secrets.redact(&mut value).unwrap();
        assert_eq!(value["pin"], secrets.leaves[0].placeholder().unwrap());
        assert_eq!(value["not"], json!([12345, "1234"]));
    }
}
