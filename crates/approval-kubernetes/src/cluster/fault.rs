//! What goes wrong with a request, told apart by what is known about its effect.

use serde::Deserialize;

use crate::findings::Conflict;

/// Why there is no answer of success.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// It was never sent.
    #[error("the request could not be made: {0}")]
    NotSent(String),
    /// There was no answer, or only a part of one: whether the request had an effect isn't known.
    #[error("the connection was lost: {0}")]
    Lost(String),
    /// An answer that makes no sense.
    #[error("{0}")]
    Unreadable(String),
    /// The server refused.
    #[error("{0}")]
    Refused(ApiStatus),
}

/// A refusal, as the API server tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ApiStatus {
    /// The HTTP status.
    pub code: u16,
    /// A word for the kind of refusal.
    pub reason: String,
    /// What is wrong, in the server's words. It may quote what was sent.
    pub message: String,
    details: Details,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Details {
    causes: Vec<Cause>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Cause {
    reason: String,
    message: String,
    field: String,
}

impl ApiStatus {
    pub(super) fn read(code: u16, body: &[u8]) -> Self {
        let mut status: Self = serde_json::from_slice(body).unwrap_or_default();
        status.code = code;
        status
    }

    /// Whether the server says that nothing was done, and why. After any other status the effect has to be looked for.
    pub(crate) fn is_definite(&self) -> bool {
        (400..500).contains(&self.code) && self.code != 408
    }

    /// Whether the server may do later what it refuses now.
    pub(crate) fn is_passing(&self) -> bool {
        (!self.is_definite() && !self.is_schema()) || self.code == 429
    }

    /// A server-side apply of a field that the kind doesn't have, which the server calls a fault of its own.
    fn is_schema(&self) -> bool {
        self.code == 500 && self.message.starts_with("failed to create typed patch object")
    }

    pub(crate) fn is_forbidden(&self) -> bool {
        self.code == 403
    }

    pub(crate) fn is_not_found(&self) -> bool {
        self.code == 404
    }

    /// What others manage and the request would have taken.
    pub(crate) fn conflicts(&self) -> Vec<Conflict> {
        let conflicts = self.details.causes.iter().filter(|cause| cause.reason == "FieldManagerConflict");
        let mut conflicts: Vec<_> = conflicts
            .map(|cause| {
                let manager = cause.message.strip_prefix("conflict with ").unwrap_or(&cause.message);
                Conflict { field: cause.field.clone(), manager: manager.replace('"', "`") }
            })
            .collect();
        conflicts.sort_by(|one, other| (&one.field, &one.manager).cmp(&(&other.field, &other.manager)));
        conflicts
    }

    /// Whether the object was no longer what the request said it must be.
    pub(crate) fn is_precondition(&self) -> bool {
        let is_another = || self.details.causes.iter().any(|cause| cause.field == "metadata.uid");
        match self.code {
            409 => self.conflicts().is_empty(),
            412 => true,
            422 => is_another(),
            _ => false,
        }
    }

    /// What is wrong, without words that may quote a value that was sent.
    pub(crate) fn discreet(&self) -> String {
        let fields: Vec<_> = self
            .details
            .causes
            .iter()
            .filter(|cause| !cause.field.is_empty())
            .map(|cause| format!("`{}`", cause.field))
            .collect();
        let reason = if self.reason.is_empty() { "refused" } else { &self.reason };
        let place = if fields.is_empty() { String::new() } else { format!(" at {}", fields.join(", ")) };
        format!("the API server answers {} {reason}{place}", self.code)
    }
}

impl std::fmt::Display for ApiStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the API server answers {} {}: {}", self.code, self.reason, self.message)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn status(code: u16, body: &serde_json::Value) -> ApiStatus {
        ApiStatus::read(code, body.to_string().as_bytes())
    }

    #[test]
    fn a_conflict_names_field_and_manager_and_is_no_broken_precondition() {
        let conflict = status(
            409,
            &json!({ "reason": "Conflict", "message": "Apply failed with 1 conflict", "details": { "causes": [
                { "reason": "FieldManagerConflict", "message": "conflict with \"kubectl\" using apps/v1", "field": ".spec.replicas" },
            ] } }),
        );
        let expected = Conflict { field: ".spec.replicas".to_owned(), manager: "`kubectl` using apps/v1".to_owned() };
        assert_eq!(conflict.conflicts(), [expected]);
        assert!(!conflict.is_precondition());
        assert!(status(409, &json!({ "reason": "Conflict" })).is_precondition());
    }

    #[test]
    fn what_may_have_had_an_effect_is_not_definite() {
        for code in [408, 500, 502, 503, 504] {
            assert!(!status(code, &json!({})).is_definite(), "{code}");
        }
        for code in [400, 403, 404, 409, 422, 429] {
            assert!(status(code, &json!({})).is_definite(), "{code}");
        }
    }

    #[test]
    fn another_object_is_a_broken_precondition_however_the_server_says_it() {
        let cause = json!({ "reason": "FieldValueInvalid", "message": "field is immutable", "field": "metadata.uid" });
        assert!(status(422, &json!({ "reason": "Invalid", "details": { "causes": [cause] } })).is_precondition());
        assert!(!status(422, &json!({ "reason": "Invalid", "details": {} })).is_precondition());
    }

    #[test]
    fn a_field_that_is_none_is_no_outage() {
        let unknown = json!({ "message": "failed to create typed patch object (/a; /v1, Kind=ConfigMap): .dat: field not declared in schema" });
        assert!(!status(500, &unknown).is_passing());
        assert!(status(500, &json!({ "message": "etcdserver: request timed out" })).is_passing());
    }

    #[test]
    fn discreet_words_quote_no_value() {
        let invalid = status(
            422,
            &json!({ "reason": "Invalid", "message": "data[a]: Invalid value: \"s3cret\"", "details": { "causes": [
                { "reason": "FieldValueInvalid", "message": "Invalid value: \"s3cret\"", "field": "data[a]" },
            ] } }),
        );
        assert_eq!(invalid.discreet(), "the API server answers 422 Invalid at `data[a]`");
    }

    #[test]
    fn an_answer_that_is_no_status_still_has_its_code() {
        let status = ApiStatus::read(502, b"<html>bad gateway</html>");
        assert_eq!((status.code, status.message.as_str()), (502, ""));
    }
}
