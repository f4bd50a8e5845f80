//! JSON Patches (RFC 6902) of `add`, `remove` and `replace`: made and applied.

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

/// What makes one value of the other.
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

/// The pointer of a member.
pub(crate) fn child(at: &str, name: &str) -> String {
    format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// A value with a patch applied to it.
pub(crate) fn applied(document: &Value, change: &[Value]) -> Result<Value> {
    let mut document = document.clone();
    for operation in change {
        apply(&mut document, operation).with_context(|| format!("{operation}"))?;
    }
    Ok(document)
}

fn apply(document: &mut Value, operation: &Value) -> Result<()> {
    let path = operation["path"].as_str().context("a path")?;
    let (container, step) = path.rsplit_once('/').context("a step")?;
    let step = step.replace("~1", "/").replace("~0", "~");
    let value = operation.get("value").cloned();
    match (document.pointer_mut(container), operation["op"].as_str(), value) {
        (Some(Value::Object(members)), Some("add" | "replace"), Some(value)) => drop(members.insert(step, value)),
        (Some(Value::Object(members)), Some("remove"), None) => drop(members.remove(&step).context("a member")?),
        (Some(Value::Array(items)), Some(operation), value) => {
            let place: usize = step.parse()?;
            match (operation, value) {
                ("add", Some(value)) if place <= items.len() => items.insert(place, value),
                ("remove", None) if place < items.len() => drop(items.remove(place)),
                ("replace", Some(value)) => *items.get_mut(place).context("an item")? = value,
                _ => bail!("it can't be done"),
            }
        }
        _ => bail!("it can't be done"),
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test stops at what it doesn't expect")]
mod tests {
    use super::*;

    #[test]
    fn what_differs_makes_one_of_the_other() {
        let from = json!({ "a": [1, { "b": 2 }], "c~/d": { "e": null }, "f": "g", "gone": true });
        let to = json!({ "a": [1, { "b": 3 }], "c~/d": { "e": 1, "new": [] }, "f": ["g"], "h": {} });
        let change = difference(&from, &to);
        assert_eq!(applied(&from, change.as_array().unwrap()).unwrap(), to);
        assert_eq!(difference(&from, &from), json!([]));
    }

    #[test]
    fn items_are_inserted_and_removed() {
        let change = [
            json!({ "op": "add", "path": "/a/1", "value": 9 }),
            json!({ "op": "remove", "path": "/a/0" }),
            json!({ "op": "replace", "path": "/a/1", "value": 8 }),
        ];
        assert_eq!(applied(&json!({ "a": [1, 2, 3] }), &change).unwrap(), json!({ "a": [9, 8, 3] }));
        assert!(applied(&json!({ "a": [] }), &[json!({ "op": "remove", "path": "/a/0" })]).is_err());
    }
}
