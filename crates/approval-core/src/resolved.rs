//! Secret leaves taken out of a plan, and put back.

use serde::Serialize;
use serde_json::Value;

use crate::digest::Digest;
use crate::json::{Document, Inadmissible, Limits};
use crate::record::{Intent, PlanHeader, SecretLeaf, Secrets};
use crate::refusal::Refusal;
use crate::vault::broken;

/// A verified plan with secret values in their places. Only the freshness step and the permit get one. [LEAF-005]
pub struct ResolvedPlan {
    header: PlanHeader,
    digest: Digest,
    intent: Intent,
    secrets: Option<Secrets>,
}

impl ResolvedPlan {
    /// Puts the values back, after every commitment has been recomputed. [LEAF-005]
    pub(crate) fn resolve(
        header: PlanHeader,
        digest: Digest,
        intent: Intent,
        secrets: Option<Secrets>,
    ) -> Result<Self, Refusal> {
        if intent.secret_leaves.is_empty() {
            return Ok(Self { header, digest, intent, secrets });
        }
        let kept = secrets.as_ref().ok_or_else(|| broken("the plan's secret values are missing"))?;
        let mut document = serde_json::to_value(&intent).map_err(|error| broken(error.to_string()))?;
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
        Ok(Self { header, digest, intent, secrets })
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
    /// compared with the step's `preview_digest`. [LEAF-006]
    ///
    /// # Errors
    /// When the preview isn't strict JSON.
    pub fn preview_digest(&self, step: usize, preview: &Value) -> Result<Digest, Inadmissible> {
        let leaves = self.secrets.iter().flat_map(|secrets| &secrets.leaves);
        preview_digest(step, preview, leaves)
    }

    /// Replaces every occurrence of a secret value in `value` by its commitment: for what a tool answers. [LEAF-007]
    ///
    /// # Errors
    /// When a secret isn't strict JSON.
    pub fn redact(&self, value: &mut Value) -> Result<(), Inadmissible> {
        self.redactor().redact(value)
    }

    /// A text with every occurrence of a secret value replaced by its commitment.
    pub(crate) fn redact_text(&self, text: &str) -> String {
        let mut value = Value::String(text.to_owned());
        match (self.redact(&mut value), value) {
            (Ok(()), Value::String(text)) => text,
            _ => "the detail holds a secret value".to_owned(),
        }
    }

    pub(crate) fn redactor(&self) -> Redactor {
        Redactor { secrets: self.secrets.clone() }
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

    /// Replaces what equals a secret, and what contains a secret text, by its commitment.
    ///
    /// A secret that is no text, or an empty one, is replaced only where the whole value is equal: a `1` can be anything.
    fn redact(&self, value: &mut Value) -> Result<(), Inadmissible> {
        for leaf in &self.leaves {
            let placeholder = leaf.placeholder()?;
            let mark = leaf.commitment()?.digest.to_string();
            redact_one(value, &leaf.value, &placeholder, &mark);
        }
        Ok(())
    }
}

fn redact_one(value: &mut Value, secret: &Value, placeholder: &Value, mark: &str) {
    if value == secret && !matches!(secret, Value::Null | Value::Bool(_)) {
        *value = placeholder.clone();
        return;
    }
    match (value, secret) {
        (Value::String(text), Value::String(secret)) if !secret.is_empty() && text.contains(secret.as_str()) => {
            *text = text.replace(secret.as_str(), &format!("[$secret {mark}]"));
        }
        // A tool's answer is bounded in depth where it is admitted, before it comes here.
        (Value::Array(items), _) => items.iter_mut().for_each(|item| redact_one(item, secret, placeholder, mark)),
        (Value::Object(members), _) => {
            let renamed = std::mem::take(members).into_iter().map(|(name, mut member)| {
                redact_one(&mut member, secret, placeholder, mark);
                match secret {
                    Value::String(secret) if !secret.is_empty() && name.contains(secret.as_str()) => {
                        (name.replace(secret.as_str(), &format!("[$secret {mark}]")), member)
                    }
                    _ => (name, member),
                }
            });
            *members = renamed.collect();
        }
        _ => {}
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
