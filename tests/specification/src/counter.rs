//! Counter-examples: each an example with one fault, named by the fault.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::examples::Examples;
use crate::schemas::Schemas;

/// For each schema, its first example with one fault of each kind.
pub(crate) fn examples(schemas: &Schemas, examples: &Examples) -> Examples {
    let mut counters = Examples::new();
    let mut seen = BTreeSet::new();
    for ((of, _), example) in examples {
        let Some(schema) = schemas.get(of) else { continue };
        // The members of a union tell themselves apart by `kind`: each of them has its own faults.
        let kind = example.get("kind").and_then(Value::as_str).filter(|_| schema.get("oneOf").is_some());
        if !seen.insert((of.clone(), kind.map(str::to_owned))) {
            continue;
        }
        let prefix = kind.map_or_else(String::new, |kind| format!("{kind}-"));
        for (fault, faulty) in faults(&variant(schema, kind), example) {
            counters.insert((of.clone(), format!("{prefix}{fault}")), faulty);
        }
    }
    counters
}

/// The part of a union that is for this kind, or the schema itself.
fn variant(schema: &Value, kind: Option<&str>) -> Value {
    let variants = schema.get("oneOf").and_then(Value::as_array).into_iter().flatten();
    let mut fitting = variants.filter(|variant| {
        variant.pointer("/properties/kind/const").and_then(Value::as_str).is_some_and(|of| Some(of) == kind)
    });
    fitting.next().unwrap_or(schema).clone()
}

fn faults(schema: &Value, example: &Value) -> Vec<(&'static str, Value)> {
    let mut faults = vec![("no-object", json!([example]))];
    let mut with = |fault, edit: &dyn Fn(&mut serde_json::Map<String, Value>)| {
        let mut faulty = example.clone();
        if let Value::Object(members) = &mut faulty {
            edit(members);
        }
        faults.push((fault, faulty));
    };
    with("unknown-member", &|members| drop(members.insert("unknown".to_owned(), json!(1))));
    let required: Vec<&str> =
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    if let Some(last) = required.last() {
        with("missing-member", &|members| drop(members.remove(*last)));
    }
    let tag = if example.get("type").is_some() { "type" } else { "kind" };
    if example.get(tag).is_some() {
        with("another-type", &|members| drop(members.insert(tag.to_owned(), json!("mutation-approval/another/v0"))));
    }
    let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    let optional = properties.filter(|(name, schema)| {
        !required.contains(&name.as_str()) && schema.as_object().is_some_and(|schema| !is_any(schema))
    });
    if let Some((name, _)) = optional.into_iter().next() {
        with("null-member", &|members| drop(members.insert(name.clone(), Value::Null)));
    }
    let text = example.as_object().into_iter().flatten().find(|(name, value)| *name != tag && value.is_string());
    if let Some((name, _)) = text {
        with("number-for-text", &|members| drop(members.insert(name.clone(), json!(7))));
    }
    faults
}

/// Whether any value fits.
fn is_any(schema: &serde_json::Map<String, Value>) -> bool {
    schema.keys().all(|keyword| matches!(keyword.as_str(), "default" | "description" | "title"))
}
