//! What messages and documents look like: the harness's own schemas, written from profile.md, sections 3 and 4.

use jsonschema::{Draft, Validator};
use serde_json::Value;

/// The profile's answers, closed (profile.md, 4.4).
const ANSWER: &str = include_str!("../../schema/answer.json");
/// What will run (profile.md, 3.3).
const INTENT: &str = include_str!("../../schema/intent.json");
/// What is shown (profile.md, 3.4).
const REVIEW: &str = include_str!("../../schema/review.json");
/// What is advertised (profile.md, 4.1).
const ADVERTISEMENT: &str = include_str!("../../schema/advertisement.json");

/// The harness's own schemas, compiled once.
#[derive(Debug)]
pub(crate) struct Schemas {
    advertisement: Validator,
    answer: Validator,
    intent: Validator,
    review: Validator,
}

impl Schemas {
    /// Compiles them.
    ///
    /// # Errors
    /// Where one of them is none: a fault of the harness.
    pub(crate) fn new() -> Result<Self, String> {
        Ok(Self {
            advertisement: own(ADVERTISEMENT)?,
            answer: own(ANSWER)?,
            intent: own(INTENT)?,
            review: own(REVIEW)?,
        })
    }

    /// What is wrong with `value` as what a server advertises.
    pub(crate) fn advertisement(&self, value: &Value) -> Vec<String> {
        complaints(&self.advertisement, value)
    }

    /// What is wrong with `value` as the structured content of an answer.
    pub(crate) fn answer(&self, value: &Value) -> Vec<String> {
        complaints(&self.answer, value)
    }

    /// What is wrong with `value` as an intent.
    pub(crate) fn intent(&self, value: &Value) -> Vec<String> {
        complaints(&self.intent, value)
    }

    /// What is wrong with `value` as a review.
    pub(crate) fn review(&self, value: &Value) -> Vec<String> {
        complaints(&self.review, value)
    }

    /// Compiles the schema that a server lists.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn listed(schema: &Value) -> Result<Validator, String> {
        jsonschema::options().with_draft(Draft::Draft202012).build(schema).map_err(|error| error.to_string())
    }
}

/// What is wrong with `value` by `validator`, each with its place.
pub(crate) fn complaints(validator: &Validator, value: &Value) -> Vec<String> {
    let complaint = |error: jsonschema::ValidationError<'_>| {
        let place = error.instance_path().to_string();
        // A value can be long, and secret.
        let masked = error.masked();
        if place.is_empty() { masked.to_string() } else { format!("at {place}: {masked}") }
    };
    validator.iter_errors(value).take(3).map(complaint).collect()
}

/// Compiles one of the harness's own.
pub(super) fn own(text: &str) -> Result<Validator, String> {
    let schema = serde_json::from_str(text).map_err(|error| error.to_string())?;
    Schemas::listed(&schema)
}
