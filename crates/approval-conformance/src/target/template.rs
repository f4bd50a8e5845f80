//! Templates in arguments: `{{unique}}`.

use serde_json::{Map, Value};

const UNIQUE: &str = "{{unique}}";

/// `arguments` with `unique` in place of each template, in names and values alike.
pub(crate) fn fill(arguments: &Map<String, Value>, unique: &str) -> Map<String, Value> {
    arguments.iter().map(|(name, value)| (name.replace(UNIQUE, unique), filled(value, unique))).collect()
}

fn filled(value: &Value, unique: &str) -> Value {
    match value {
        Value::Array(items) => items.iter().map(|item| filled(item, unique)).collect(),
        Value::Object(members) => Value::Object(fill(members, unique)),
        Value::String(text) => text.replace(UNIQUE, unique).into(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// Whether there is a template in it.
pub(super) fn is_unique(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(is_unique),
        Value::Object(members) => members.iter().any(|(name, value)| name.contains(UNIQUE) || is_unique(value)),
        Value::String(text) => text.contains(UNIQUE),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{filled, is_unique};

    #[test]
    fn it_is_filled_wherever_it_stands() {
        let template = json!({"a-{{unique}}": [1, "x{{unique}}y", {"b": null}]});
        assert!(is_unique(&template));
        let filled = filled(&template, "7");
        assert_eq!(filled, json!({"a-7": [1, "x7y", {"b": null}]}));
        assert!(!is_unique(&filled));
    }
}
