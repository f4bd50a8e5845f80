//! What a call touches, and what it would leave there.

use std::fmt;

use anyhow::{Result, bail};
use serde_json::{Map, Value};

/// Names what a call touches: a note, or an announcement on a topic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Object(String);

impl Object {
    pub(crate) fn note(name: &str) -> Self {
        Self(format!("note/{name}"))
    }

    pub(crate) fn announcement(topic: &str) -> Self {
        Self(format!("announcement/{topic}"))
    }

    /// What a call with these arguments touches.
    pub(crate) fn of(arguments: &Map<String, Value>) -> Result<Self> {
        let text = |member: &str| arguments.get(member).and_then(Value::as_str);
        match (text("name"), text("topic")) {
            (Some(name), _) => Ok(Self::note(name)),
            (None, Some(topic)) => Ok(Self::announcement(topic)),
            (None, None) => bail!("these arguments name neither a note nor a topic"),
        }
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a call with these arguments leaves there: all of them but the name.
pub(super) fn content(arguments: &Map<String, Value>) -> Value {
    arguments
        .iter()
        .filter(|(member, _)| !matches!(member.as_str(), "name" | "topic"))
        .map(|(member, value)| (member.clone(), value.clone()))
        .collect::<Map<_, _>>()
        .into()
}

/// Whether two values are the same: numbers by their value, however they are written.
pub(super) fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one == other || one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| is_same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let has = |(member, value): (&String, &Value)| other.get(member).is_some_and(|other| is_same(value, other));
            one.len() == other.len() && one.iter().all(has)
        }
        (one, other) => one == other,
    }
}
