//! What differs between two values, as a JSON Patch (RFC 6902) of `add`, `remove` and `replace`.

use serde_json::{Value, json};

pub(crate) fn difference(from: &Value, to: &Value) -> Value {
    let mut operations = Vec::new();
    compare("", from, to, &mut operations);
    operations.into()
}

fn compare(at: &str, from: &Value, to: &Value, operations: &mut Vec<Value>) {
    match (from, to) {
        (Value::Object(before), Value::Object(after)) => {
            for name in before.keys().filter(|name| !after.contains_key(*name)) {
                operations.push(json!({ "op": "remove", "path": child(at, name) }));
            }
            for (name, value) in after {
                match before.get(name) {
                    Some(known) => compare(&child(at, name), known, value, operations),
                    None => operations.push(json!({ "op": "add", "path": child(at, name), "value": value })),
                }
            }
        }
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
            for (number, (before, after)) in before.iter().zip(after).enumerate() {
                compare(&format!("{at}/{number}"), before, after, operations);
            }
        }
        (before, after) if before == after => {}
        (_, after) => operations.push(json!({ "op": "replace", "path": at, "value": after })),
    }
}

fn child(at: &str, name: &str) -> String {
    format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"))
}
