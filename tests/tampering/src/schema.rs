//! The schemas of the records, and what each node of one may hold.

use approval_core::audit::{Event, SignedCheckpoint};
use approval_core::record::{
    Challenge, CoolDown, Decision, Execution, Intent, Mute, Pause, PlanHeader, PlanState, Reconciliation, RecordKind,
    Review, Secrets, ToolResult,
};
use schemars::schema_for;
use serde_json::{Map, Value};

/// The schema of what is stored as this kind. A kind that isn't here has none in the core: `None` has to be said aloud.
pub(crate) fn of(kind: RecordKind) -> Option<Value> {
    let schema = match kind {
        RecordKind::Challenge => schema_for!(Challenge),
        RecordKind::Checkpoint => schema_for!(SignedCheckpoint),
        RecordKind::CoolDown => schema_for!(CoolDown),
        RecordKind::Decision => schema_for!(Decision),
        RecordKind::Event => schema_for!(Event),
        RecordKind::Execution => schema_for!(Execution),
        RecordKind::Header => schema_for!(PlanHeader),
        RecordKind::Intent => schema_for!(Intent),
        RecordKind::Mute => schema_for!(Mute),
        RecordKind::Pause => schema_for!(Pause),
        RecordKind::PlanState => schema_for!(PlanState),
        RecordKind::Reconciliation => schema_for!(Reconciliation),
        RecordKind::Result => schema_for!(ToolResult),
        RecordKind::Review => schema_for!(Review),
        RecordKind::Secrets => schema_for!(Secrets),
        // Whoever keeps sessions and logins says what they are; the core only seals them.
        RecordKind::Login | RecordKind::Session => return None,
        kind => panic!("a record of kind `{kind}` has no schema here: it would never be tampered with"),
    };
    Some(schema.into())
}

/// What a node of a schema admits, besides `null` where it is optional.
#[derive(Clone, Debug)]
pub(crate) enum Node<'a> {
    /// Any JSON.
    Any,
    /// A list of what is given by a schema.
    Array(&'a Value),
    Boolean,
    /// One of these values.
    Enum(Vec<&'a Value>),
    Integer,
    /// Any members, each as the schema says.
    Map(&'a Value),
    /// These members.
    Object {
        properties: &'a Map<String, Value>,
    },
    /// A text, in one spelling where there is a pattern.
    Text(Option<&'a str>),
}

/// Any JSON, for members that the schema says nothing about.
static ANY: Value = Value::Bool(true);

impl<'a> Node<'a> {
    /// What `schema`, which is part of `root`, admits.
    pub(crate) fn of(root: &'a Value, schema: &'a Value) -> Self {
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            let pointer = reference.strip_prefix('#').expect("a reference within the schema");
            return Self::of(root, root.pointer(pointer).expect("what is referred to is there"));
        }
        if let Some(branches) = schema.get("anyOf").and_then(Value::as_array) {
            let mut kinds = branches.iter().filter(|branch| branch.get("type") != Some(&"null".into()));
            let (kind, others) = (kinds.next().expect("something but null"), kinds.count());
            assert_eq!(others, 0, "a choice that nobody varies: {schema}");
            return Self::of(root, kind);
        }
        if let Some(values) = schema.get("oneOf").and_then(Value::as_array) {
            return Self::Enum(values.iter().map(|value| value.get("const").expect("a choice of constants")).collect());
        }
        if let Some(values) = schema.get("enum").and_then(Value::as_array) {
            return Self::Enum(values.iter().collect());
        }
        match type_of(schema) {
            None => Self::Any,
            Some("array") => Self::Array(schema.get("items").unwrap_or(&ANY)),
            Some("boolean") => Self::Boolean,
            Some("integer") => Self::Integer,
            Some("object") => match schema.get("properties").and_then(Value::as_object) {
                Some(properties) => {
                    assert_eq!(schema.get("additionalProperties"), Some(&Value::Bool(false)), "open: {schema}");
                    Self::Object { properties }
                }
                None => Self::Map(schema.get("additionalProperties").unwrap_or(&ANY)),
            },
            Some("string") => Self::Text(schema.get("pattern").and_then(Value::as_str)),
            Some(other) => panic!("a type that nobody varies: {other}"),
        }
    }
}

/// The type that a schema names, besides `null`.
fn type_of(schema: &Value) -> Option<&str> {
    match schema.get("type")? {
        Value::String(name) => Some(name),
        Value::Array(names) => names.iter().filter_map(Value::as_str).find(|name| *name != "null"),
        _ => None,
    }
}

/// Whether a value that the schema admits is as a server writes it: what is optional and has no value is left out, and a set is
/// in order. [REC-004, REC-006]
pub(crate) fn is_as_written(root: &Value, schema: &Value, value: &Value) -> bool {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let pointer = reference.strip_prefix('#').expect("a reference within the schema");
        return is_as_written(root, root.pointer(pointer).expect("what is referred to is there"), value);
    }
    if let Some(branches) = schema.get("anyOf").and_then(Value::as_array) {
        let mut kinds = branches.iter().filter(|branch| branch.get("type") != Some(&"null".into()));
        return !value.is_null() && kinds.all(|kind| is_as_written(root, kind, value));
    }
    match (Node::of(root, schema), value) {
        (Node::Any, _) => true,
        (_, Value::Null) => false,
        (Node::Object { properties }, Value::Object(members)) => {
            let required = schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
            members.iter().all(|(name, member)| {
                let Some(schema) = properties.get(name) else { return false };
                let is_empty =
                    member.as_array().is_some_and(Vec::is_empty) || member.as_object().is_some_and(Map::is_empty);
                let is_any = matches!(Node::of(root, schema), Node::Any);
                let may_be_empty = is_any || required.contains(&name.as_str().into());
                (may_be_empty || !is_empty) && is_as_written(root, schema, member)
            })
        }
        (Node::Array(each), Value::Array(items)) => {
            let is_set = schema.get("uniqueItems") == Some(&Value::Bool(true));
            let is_sorted = items.iter().map(Value::to_string).is_sorted_by(|a, b| a < b);
            (!is_set || is_sorted) && items.iter().all(|item| is_as_written(root, each, item))
        }
        _ => true,
    }
}
