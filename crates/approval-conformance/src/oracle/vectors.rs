//! The specification's vectors, for the tests of what judges others.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

/// Holds `answer` against what each vector of a file expects; `None` is a vector that isn't its affair.
pub(super) fn each(file: &str, answer: impl Fn(&Value, &Map<String, Value>) -> Option<Value>) {
    let file: Value = serde_json::from_str(file).unwrap_or_default();
    let vectors = file.get("vectors").and_then(Value::as_array).cloned().unwrap_or_default();
    let (mut held, mut wrong) = (0, Vec::new());
    for vector in &vectors {
        let Some(input) = vector.get("input").and_then(Value::as_object) else { continue };
        let Some(found) = answer(&file, input) else { continue };
        held += 1;
        if Some(&found) != vector.get("expect") {
            wrong.push(format!("{}: {found} in place of {}", vector["name"], vector["expect"]));
        }
    }
    assert!(held > 0, "no vector was held against anything");
    assert!(wrong.is_empty(), "{} of {held} vectors:\n{}", wrong.len(), wrong.join("\n"));
}

/// Bytes, as the vectors write them.
pub(super) fn bytes(written: Option<&Value>) -> Vec<u8> {
    let Some(written) = written else { return Vec::new() };
    if let Some(pieces) = written.get("pieces").and_then(Value::as_array) {
        return pieces.iter().flat_map(|piece| bytes(Some(piece))).collect();
    }
    let text = |name: &str| written.get(name).and_then(Value::as_str);
    if let Some(repeated) = text("repeat") {
        let times = written.get("times").and_then(Value::as_u64).and_then(|times| usize::try_from(times).ok());
        return repeated.repeat(times.unwrap_or_default()).into_bytes();
    }
    match text("base64") {
        Some(encoded) => STANDARD.decode(encoded).unwrap_or_default(),
        None => text("text").unwrap_or_default().as_bytes().to_vec(),
    }
}

/// The other way round.
pub(super) fn written(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => json!({"text": text}),
        Err(_) => json!({"base64": STANDARD.encode(bytes)}),
    }
}

/// A JSON Patch of `add`, `remove` and `replace`, applied.
pub(super) fn patched(mut document: Value, change: Option<&Value>) -> Value {
    for operation in change.and_then(Value::as_array).into_iter().flatten() {
        let path = operation["path"].as_str().unwrap_or_default();
        let (parent, step) = path.rsplit_once('/').unwrap_or_default();
        let step = step.replace("~1", "/").replace("~0", "~");
        let value = operation.get("value").cloned().unwrap_or_default();
        match (operation["op"].as_str(), document.pointer_mut(parent)) {
            (Some("add"), Some(Value::Array(items))) if step == "-" => items.push(value),
            (Some("add"), Some(Value::Array(items))) => items.insert(step.parse().unwrap_or_default(), value),
            (Some("remove"), Some(Value::Array(items))) => drop(items.remove(step.parse().unwrap_or_default())),
            (Some("replace"), Some(Value::Array(items))) => items[step.parse::<usize>().unwrap_or_default()] = value,
            (Some("remove"), Some(Value::Object(members))) => drop(members.remove(&step)),
            (Some("add" | "replace"), Some(Value::Object(members))) => drop(members.insert(step, value)),
            _ => panic!("no such place: {operation}"),
        }
    }
    document
}
