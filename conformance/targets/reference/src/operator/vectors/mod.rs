//! The vectors of the specification, put to the readers that the server itself uses.

mod audit;
mod bytes;
mod documents;
mod forms;
mod leaves;
mod patch;
mod records;
mod seals;
mod signatures;

use anyhow::{Context as _, Result};
use serde_json::Value;

/// What comes out of each vector of a file, in the form of what it expects; nothing where the server has no part for it, or can't
/// make anything of the vector.
pub(super) fn answers(file: &str, content: &Value) -> Result<Vec<Option<Value>>> {
    let vectors = content.get("vectors").and_then(Value::as_array).context("a file of vectors has `vectors`")?;
    let answer: fn(&Value, &Value) -> Result<Value> = match file.strip_suffix(".json").unwrap_or(file) {
        "accepted-documents" | "refused-documents" => documents::read,
        "audit" => audit::verified,
        "digests" => documents::digests,
        "envelopes" => signatures::envelope,
        "forms" => forms::form,
        "key-sets" => signatures::key_set,
        "receipts" => signatures::receipt,
        "records" => records::read,
        "seals" => seals::seal,
        "secret-leaves" => leaves::leaf,
        "tags" => seals::tag,
        _ => return Ok(vec![None; vectors.len()]),
    };
    let input = |vector: &Value| vector.get("input").and_then(|input| answer(content, input).ok());
    Ok(vectors.iter().map(input).collect())
}

/// A text of a vector.
fn text<'a>(value: &'a Value, member: &str) -> Result<&'a str> {
    value.get(member).and_then(Value::as_str).with_context(|| format!("no text `{member}`"))
}

/// What has a name among what several vectors refer to, with the vector's change.
fn changed(content: &Value, shared: &str, name: &str, input: &Value) -> Result<Value> {
    let whole = content.get(shared).and_then(|all| all.get(name)).with_context(|| format!("no `{name}`"))?;
    patch::applied(whole, input.get("change").and_then(Value::as_array).context("no `change`")?)
}
