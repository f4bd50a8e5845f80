//! The tables of members in the text are those of the schemas.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::judge::Judge;
use crate::schemas::Schemas;

/// What other pages lay down.
const ELSEWHERE: [&str; 4] = [
    "mutation-approval/checkpoint/",
    "mutation-approval/event/",
    "mutation-approval/key-set/",
    "mutation-approval/signed-checkpoint/",
];

/// A table's members, and whether each is required.
type Members = BTreeMap<String, bool>;

/// Every table that begins with a `type` or a `kind` lists the members of the schema with that constant: the same names, and
/// "optional" where the schema doesn't require one. [REC-006]
pub(crate) fn hold(page: &Path, schemas: &Schemas, judge: &mut Judge) -> Result<()> {
    let text = fs::read_to_string(page).with_context(|| format!("reading `{}`", page.display()))?;
    let mut tables = tables(&text);
    // A record that is part of another is one all the same.
    let objects: BTreeMap<_, _> = schemas.values().flat_map(objects).collect();
    for (constant, schema) in objects {
        let wrong = match tables.remove(&constant) {
            None => vec!["the text has no table of it".to_owned()],
            Some(members) => differences(&members, &members_of(schema)),
        };
        judge.check(&format!("the table of {constant} is that of its schema"), &wrong);
    }
    let left_over: Vec<_> = tables.into_keys().map(|constant| format!("there is no schema of `{constant}`")).collect();
    judge.check("every table of the text has a schema", &left_over);
    Ok(())
}

/// The objects of a schema that are told by a constant: itself, its definitions, and the members of its union. Events and key
/// sets have their tables where audit and receipts are laid down.
fn objects(schema: &Value) -> Vec<(String, &Value)> {
    let definitions = schema.get("$defs").and_then(Value::as_object).into_iter().flat_map(|named| named.values());
    let union = schema.get("oneOf").and_then(Value::as_array).into_iter().flatten();
    let told = std::iter::once(schema).chain(definitions).chain(union).filter_map(|object| {
        let constant = |member: &str| object.pointer(&format!("/properties/{member}/const")).and_then(Value::as_str);
        Some((constant("type").or_else(|| constant("kind"))?.to_owned(), object))
    });
    told.filter(|(constant, _)| !ELSEWHERE.iter().any(|prefix| constant.starts_with(prefix))).collect()
}

fn members_of(schema: &Value) -> Members {
    let required: Vec<_> = schema.get("required").and_then(Value::as_array).into_iter().flatten().collect();
    let properties = schema.get("properties").and_then(Value::as_object).into_iter().flat_map(|members| members.keys());
    properties.map(|name| (name.clone(), required.iter().any(|known| *known == name))).collect()
}

fn tables(text: &str) -> BTreeMap<String, Members> {
    let mut tables = BTreeMap::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if !line.starts_with("| member | form |") {
            continue;
        }
        let mut members = Members::new();
        let mut constant = None;
        while let Some(row) = lines.next_if(|row| row.starts_with('|')) {
            let mut cells = row.trim_matches('|').split(" | ").map(str::trim);
            let (Some(name), Some(form)) = (cells.next(), cells.next()) else { continue };
            if !name.starts_with('`') {
                continue;
            }
            let name = name.trim_matches('`').to_owned();
            if constant.is_none() && matches!(name.as_str(), "type" | "kind") {
                constant = Some(form.trim_matches('`').to_owned());
            }
            members.insert(name, !form.contains("optional"));
        }
        if let Some(constant) = constant {
            tables.insert(constant, members);
        }
    }
    tables
}

fn differences(table: &Members, schema: &Members) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, required) in schema {
        match table.get(name) {
            None => wrong.push(format!("`{name}` is missing")),
            Some(said) if said != required => wrong.push(format!("`{name}` is required: {required}")),
            Some(_) => {}
        }
    }
    wrong.extend(table.keys().filter(|name| !schema.contains_key(*name)).map(|name| format!("`{name}` is no member")));
    wrong
}
