use std::fmt;

use serde::de::{self, Expected, Unexpected};

use crate::json::pointer::{Steps, quoted};

/// What in a document doesn't fit the record that it's read as, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{problem}", At(steps))]
pub struct ReadError {
    problem: Box<str>,
    steps: Steps,
}

impl ReadError {
    /// The JSON Pointer (RFC 6901) of the value that doesn't fit. A missing or unknown member is its object's fault.
    #[must_use]
    pub fn pointer(&self) -> String {
        self.steps.to_string()
    }

    pub(super) fn new(problem: impl Into<Box<str>>) -> Self {
        Self { problem: problem.into(), steps: Steps::default() }
    }

    pub(super) fn within(mut self, step: impl Into<String>) -> Self {
        self.steps.push(step.into());
        self
    }
}

impl de::Error for ReadError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message.to_string())
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(format!("found {}, expected {}", kind(unexpected), wanted(expected)))
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let found = match unexpected {
            Unexpected::Bool(value) => format!("`{value}`"),
            Unexpected::Unsigned(value) => format!("`{value}`"),
            Unexpected::Signed(value) => format!("`{value}`"),
            Unexpected::Float(value) => format!("`{value}`"),
            Unexpected::Str(value) => quoted(value),
            other => kind(other).to_owned(),
        };
        Self::new(format!("found {found}, expected {}", wanted(expected)))
    }

    fn invalid_length(len: usize, expected: &dyn Expected) -> Self {
        Self::new(format!("found {len} elements, expected {}", wanted(expected)))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let known: Vec<_> = expected.iter().map(|name| format!("`{name}`")).collect();
        Self::new(format!("unknown value {}, expected one of {}", quoted(variant), known.join(", ")))
    }

    fn unknown_field(name: &str, _: &'static [&'static str]) -> Self {
        Self::new(format!("unknown member {}", quoted(name)))
    }

    fn missing_field(name: &'static str) -> Self {
        Self::new(format!("missing member `{name}`"))
    }

    fn duplicate_field(name: &'static str) -> Self {
        Self::new(format!("a second member `{name}`"))
    }
}

/// What JSON calls a value.
fn kind(value: Unexpected<'_>) -> &'static str {
    match value {
        Unexpected::Bool(_) => "a boolean",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "an integer",
        Unexpected::Float(_) => "a decimal",
        Unexpected::Char(_) | Unexpected::Str(_) => "a string",
        Unexpected::Unit | Unexpected::Option => "null",
        Unexpected::Seq => "an array",
        Unexpected::Map => "an object",
        Unexpected::UnitVariant => "the name alone",
        _ => "a value of another kind",
    }
}

/// What a visitor expects, in the words of JSON. Derived visitors speak of Rust types, which a reader of ours needn't know.
fn wanted(expected: &dyn Expected) -> String {
    let text = expected.to_string();
    let first = text.split(' ').next().unwrap_or_default();
    match (first, text.as_str()) {
        ("i8" | "i16" | "i32" | "i64" | "u8" | "u16" | "u32" | "u64" | "isize" | "usize", _) => "an integer in range",
        ("f32" | "f64", _) => "a number",
        ("tuple", _) | (_, "a sequence") => "an array",
        ("struct", _) | (_, "a map") => "an object",
        ("enum", _) | (_, "variant identifier" | "field identifier") => "a name",
        ("newtype", _) => "a value with it",
        ("unit", _) => "null",
        ("a" | "an" | "one", text) => text,
        _ => "something else",
    }
    .to_owned()
}

struct At<'a>(&'a Steps);

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, "at {}: ", quoted(&self.0.to_string())) }
    }
}
