//! The schemas, in JSON Schema 2020-12, from the types that the server reads and writes.

use std::collections::BTreeMap;

use approval_core::audit::{Checkpoint, Event, SignedCheckpoint};
use approval_core::receipt::Statement;
use approval_core::record::{
    Challenge, CoolDown, Decision, Execution, Intent, Mute, Pause, PlanHeader, PlanState, Reconciliation, Review,
    Secrets, ToolResult,
};
use approval_core::signing::KeySet;
use approval_rmcp::Answer;
use schemars::{JsonSchema, schema_for};
use serde_json::{Map, Value, json};

/// Schemas by the name of their file.
pub(crate) type Schemas = BTreeMap<String, Value>;

/// Where the schemas will be found.
const BASE: &str = "https://mutation-approval.github.io/spec/v0/schema";

/// The schema of every record, and of the results on the wire.
pub(crate) fn all() -> Schemas {
    [
        of::<Answer>("Answer"),
        of::<Challenge>("Challenge"),
        of::<Checkpoint>("Checkpoint"),
        of::<CoolDown>("CoolDown"),
        of::<Decision>("Decision"),
        of::<Event>("Event"),
        of::<Execution>("Execution"),
        of::<Intent>("Intent"),
        of::<KeySet>("KeySet"),
        of::<Mute>("Mute"),
        of::<Pause>("Pause"),
        of::<PlanHeader>("Plan"),
        of::<PlanState>("PlanState"),
        of::<Statement<'_>>("Receipt"),
        of::<Reconciliation>("Reconciliation"),
        of::<ToolResult>("Result"),
        of::<Review>("Review"),
        of::<Secrets>("Secrets"),
        of::<SignedCheckpoint>("SignedCheckpoint"),
    ]
    .into()
}

/// A schema under its name and address.
pub(crate) fn named(name: &str, mut schema: Value) -> (String, Value) {
    if let Value::Object(members) = &mut schema {
        members.insert("$schema".to_owned(), "https://json-schema.org/draft/2020-12/schema".into());
        members.insert("$id".to_owned(), format!("{BASE}/{name}.json").into());
        members.insert("title".to_owned(), name.into());
        members.entry("type").or_insert_with(|| "object".into());
    }
    (name.to_owned(), schema)
}

fn of<T: JsonSchema>(name: &str) -> (String, Value) {
    let mut schema: Value = schema_for!(T).into();
    let constants = constants(&schema);
    tidy(&mut schema, &constants);
    if let Some(definitions) = schema.get_mut("$defs").and_then(Value::as_object_mut) {
        for name in constants.keys() {
            definitions.remove(name);
        }
        for (name, format) in [("PlanId", "uuid"), ("Timestamp", "date-time")] {
            if let Some(definition) = definitions.get_mut(name).and_then(Value::as_object_mut) {
                definition.insert("format".to_owned(), format.into());
            }
        }
    }
    named(name, schema)
}

/// Definitions that allow one value: they are written where they are used.
fn constants(schema: &Value) -> BTreeMap<String, Value> {
    let one = |definition: &Value| match definition.get("oneOf").and_then(Value::as_array).map(Vec::as_slice) {
        Some([only]) => only.get("const").cloned(),
        _ => None,
    };
    let definitions = schema.get("$defs").and_then(Value::as_object);
    let found = definitions.into_iter().flatten().filter(|(name, _)| name.ends_with("Type"));
    found.filter_map(|(name, definition)| Some((name.clone(), one(definition)?))).collect()
}

/// Says what is written, where the types say what is read: an absent member is left out and never `null` or empty. And leaves
/// out what isn't JSON Schema's or concerns the code alone. [REC-004]
fn tidy(schema: &mut Value, constants: &BTreeMap<String, Value>) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(|item| tidy(item, constants)),
        Value::Object(members) => {
            if let Some(constant) = reference(members).and_then(|name| constants.get(name)) {
                *members = Map::from_iter([("const".to_owned(), constant.clone())]);
                return;
            }
            bounds(members);
            if let Some(Value::String(text)) = members.get_mut("description") {
                *text = prose(text);
            }
            optional(members);
            for (name, value) in members {
                match value {
                    // Names of members and definitions are no keywords.
                    Value::Object(named) if matches!(name.as_str(), "$defs" | "properties") => {
                        named.values_mut().for_each(|schema| tidy(schema, constants));
                    }
                    value => tidy(value, constants),
                }
            }
        }
        _ => {}
    }
}

fn reference(members: &Map<String, Value>) -> Option<&str> {
    members.get("$ref")?.as_str()?.strip_prefix("#/$defs/")
}

/// Integers have bounds in place of the formats that JSON Schema doesn't know, unless they have narrower ones.
fn bounds(members: &mut Map<String, Value>) {
    let largest = match members.get("format").and_then(Value::as_str) {
        Some("uint8") => 255,
        Some("uint32") => u64::from(u32::MAX),
        Some("uint64") => (1 << 53) - 1,
        _ => return,
    };
    members.remove("format");
    members.entry("minimum").or_insert(json!(0));
    members.entry("maximum").or_insert(json!(largest));
}

/// A description without citations and without the marks of Rust's documentation.
fn prose(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some((before, bracketed)) = rest.split_once('[') {
        kept.push_str(before);
        let Some((inside, after)) = bracketed.split_once(']') else { break };
        // A link keeps its words, a citation goes.
        if inside.starts_with('`') {
            kept.push_str(inside);
        }
        rest = after;
    }
    kept.push_str(rest);
    let lines = kept.split("\n\n").map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n\n")
}

/// Of the members of an object, those that aren't required are neither `null` nor, where the type leaves them out then, empty.
fn optional(members: &mut Map<String, Value>) {
    let required: Vec<Value> = members.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    let Some(properties) = members.get_mut("properties").and_then(Value::as_object_mut) else { return };
    for (_, schema) in properties.iter_mut().filter(|(name, _)| !required.iter().any(|known| known == *name)) {
        let Value::Object(schema) = schema else { continue };
        schema.remove("default");
        let was_nullable = not_null(schema);
        match schema.get("type").and_then(Value::as_str) {
            Some("array") if !was_nullable => drop(schema.insert("minItems".to_owned(), json!(1))),
            Some("object") if !was_nullable => drop(schema.insert("minProperties".to_owned(), json!(1))),
            _ => {}
        }
    }
}

/// Takes `null` out of a schema; says whether it was there.
fn not_null(schema: &mut Map<String, Value>) -> bool {
    let is_null = |value: &Value| value == "null" || value.get("type").is_some_and(|kind| kind == "null");
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|kind| !is_null(kind));
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
        return true;
    }
    let Some(Value::Array(choices)) = schema.get_mut("anyOf") else { return false };
    choices.retain(|choice| !is_null(choice));
    if let [Value::Object(only)] = choices.as_slice() {
        let only = only.clone();
        schema.remove("anyOf");
        schema.extend(only);
    }
    true
}
