//! The report as JSON, and its schema.

use schemars::{Schema, schema_for};

use super::Report;

/// The report as JSON.
///
/// # Errors
/// Where it can't be written as JSON: a fault of the harness.
pub fn json(report: &Report) -> Result<String, serde_json::Error> {
    Ok(serde_json::to_string_pretty(report)? + "\n")
}

/// The JSON Schema of [`json`].
#[must_use]
pub fn schema() -> Schema {
    schema_for!(Report)
}
