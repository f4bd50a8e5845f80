//! Values for a node of a schema: others that it admits, and some that it doesn't.

use approval_core::Timestamp;
use serde_json::{Map, Value, json};

use crate::schema::Node;

/// Other values that the node admits.
pub(crate) fn others(node: &Node<'_>, value: &Value) -> Vec<Value> {
    match (node, value) {
        (Node::Enum(values), _) => {
            values.iter().filter(|other| **other != value).map(|other| (*other).clone()).collect()
        }
        (Node::Text(Some(pattern)), Value::String(text)) => {
            Spelling::of(pattern).others(text).into_iter().map(Value::from).collect()
        }
        (Node::Text(None), Value::String(text)) | (Node::Any, Value::String(text)) => {
            vec![format!("{text}x").into(), "another".into()]
        }
        (Node::Boolean | Node::Any, Value::Bool(whether)) => vec![(!whether).into()],
        (Node::Integer | Node::Any, Value::Number(number)) => {
            let number = number.as_u64().expect("a number that is not negative");
            [number.checked_add(1), number.checked_sub(1), Some(0)].into_iter().flatten().map(Value::from).collect()
        }
        // What is within is changed there.
        _ => Vec::new(),
    }
}

/// Nothing of the same type.
pub(crate) fn empty(value: &Value) -> Option<Value> {
    match value {
        Value::String(_) => Some("".into()),
        Value::Array(_) => Some(json!([])),
        Value::Object(_) => Some(json!({})),
        _ => None,
    }
}

/// Texts that mean the same or nearly so, and are not spelt as the one that counts.
pub(crate) fn misspelt(node: &Node<'_>, value: &Value) -> Vec<Value> {
    match (node, value) {
        (Node::Text(Some(pattern)), Value::String(text)) => {
            Spelling::of(pattern).misspelt(text).into_iter().map(Value::from).collect()
        }
        (Node::Enum(_), Value::String(text)) => {
            vec![text.to_uppercase().into(), format!("{text} ").into(), "another".into()]
        }
        (Node::Integer, Value::Number(number)) => vec![json!(-1), json!(1.5), number.to_string().into()],
        (Node::Boolean, Value::Bool(whether)) => vec![u8::from(*whether).into(), whether.to_string().into()],
        _ => Vec::new(),
    }
}

/// One value of each other JSON type, and the value itself within a list and an object.
pub(crate) fn of_other_types(value: &Value) -> Vec<Value> {
    let all = [json!(7), json!("7"), json!(true), json!([]), json!({}), json!([value]), json!({ "value": value })];
    all.into_iter().filter(|other| std::mem::discriminant(other) != std::mem::discriminant(value)).collect()
}

/// A value that the schema admits, for a member that isn't there.
pub(crate) fn sample(root: &Value, schema: &Value) -> Value {
    match Node::of(root, schema) {
        Node::Any => json!({ "another": 1 }),
        Node::Array(each) => json!([sample(root, each)]),
        Node::Boolean => json!(true),
        Node::Enum(values) => values.first().map(|value| (*value).clone()).expect("one value at least"),
        Node::Integer => json!(1),
        Node::Map(each) => json!({ "another": sample(root, each) }),
        Node::Object { properties } => {
            properties.iter().map(|(name, schema)| (name.clone(), sample(root, schema))).collect::<Map<_, _>>().into()
        }
        Node::Text(None) => json!("another"),
        Node::Text(Some(pattern)) => Spelling::of(pattern).sample().into(),
    }
}

/// The spellings of texts that have only one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spelling {
    Digest,
    /// So many characters of base64url.
    Random(usize),
    PlanId,
    Tag,
    Timestamp,
}

impl Spelling {
    fn of(pattern: &str) -> Self {
        match pattern {
            "^sha256:[0-9a-f]{64}$" => Self::Digest,
            "^[A-Za-z0-9_-]{22}$" => Self::Random(22),
            "^[A-Za-z0-9_-]{43}$" => Self::Random(43),
            "^[a-z0-9-]{1,64}\\.[A-Za-z0-9_-]{43}$" => Self::Tag,
            "^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$" => Self::PlanId,
            "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z$" => Self::Timestamp,
            pattern => panic!("a pattern that nobody varies: {pattern}"),
        }
    }

    fn sample(self) -> String {
        match self {
            Self::Digest => format!("sha256:{}", "0".repeat(64)),
            Self::PlanId => "019ab12c-0000-7000-8000-000000000001".to_owned(),
            Self::Random(length) => "A".repeat(length),
            Self::Tag => format!("test.{}", "A".repeat(43)),
            Self::Timestamp => "2026-01-01T00:00:00.000Z".to_owned(),
        }
    }

    fn others(self, text: &str) -> Vec<String> {
        match self {
            Self::Digest => vec![exchanged(text, "sha256:".len()), self.sample()],
            Self::PlanId => vec![exchanged(text, text.len() - 1), self.sample()],
            Self::Random(_) => vec![exchanged(text, 0), self.sample()],
            Self::Tag => vec![exchanged(text, text.len() - 43), text.replacen("test.", "other.", 1)],
            Self::Timestamp => {
                let millis = text.parse::<Timestamp>().expect("a time").unix_millis();
                [millis + 1, millis - 1, 0].map(|millis| Timestamp::from_unix_millis(millis).to_string()).to_vec()
            }
        }
    }

    fn misspelt(self, text: &str) -> Vec<String> {
        let mut all = vec![format!("{text} "), format!(" {text}"), text.chars().skip(1).collect()];
        match self {
            Self::Digest => all.extend([text.to_uppercase(), text.replacen("sha256:", "", 1), format!("{text}0")]),
            Self::PlanId => all.extend([text.to_uppercase(), text.replace('-', ""), format!("{{{text}}}")]),
            Self::Random(_) | Self::Tag => all.extend([format!("{text}="), format!("{text}A")]),
            Self::Timestamp => {
                all.extend([text.replace(".000Z", "Z"), text.replace('Z', "+00:00"), text.replace('T', " ")])
            }
        }
        all.retain(|other| other != text);
        all
    }
}

/// The text with another hexadecimal digit, which is one of base64url too, at a place.
fn exchanged(text: &str, at: usize) -> String {
    let other = if text.as_bytes()[at] == b'0' { "1" } else { "0" };
    format!("{}{other}{}", &text[..at], &text[at + 1..])
}
