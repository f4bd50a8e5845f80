//! From documents to objects: lists are replaced by what is in them, and each object has to say what it is.

use std::collections::BTreeMap;

use approval_core::json::Document;
use serde_json::{Map, Value};

use super::error::{Fault, ManifestError};
use super::{LIMITS, MAX_OBJECTS, Manifest, RawDocument, identity};

pub(super) fn manifests(documents: Vec<RawDocument>) -> Result<Vec<Manifest>, ManifestError> {
    let mut manifests: Vec<Manifest> = Vec::new();
    let mut lines: BTreeMap<Identity, usize> = BTreeMap::new();
    let mut last = 1;
    for document in documents {
        let number = document.number;
        last = number;
        for (line, object) in expanded(document)? {
            let at = |fault| ManifestError::new(number, line, fault);
            let manifest = manifest(line, object).map_err(at)?;
            if let Some(first) = lines.insert(Identity::of(&manifest), line) {
                let object = format!("`{}` `{}`", manifest.kind, manifest.name);
                return Err(at(Fault::DuplicateObject { object, first }));
            }
            if manifests.len() >= MAX_OBJECTS {
                return Err(at(Fault::TooManyObjects { limit: MAX_OBJECTS }));
            }
            manifests.push(manifest);
        }
    }
    if manifests.is_empty() { Err(ManifestError::new(last, 1, Fault::Empty)) } else { Ok(manifests) }
}

/// What makes two objects one, whatever their versions.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Identity {
    group: String,
    kind: String,
    namespace: Option<String>,
    name: String,
}

impl Identity {
    fn of(manifest: &Manifest) -> Self {
        Self {
            group: manifest.group().to_owned(),
            kind: manifest.kind.clone(),
            namespace: manifest.namespace.clone(),
            name: manifest.name.clone(),
        }
    }
}

fn manifest(line: usize, object: Map<String, Value>) -> Result<Manifest, Fault> {
    let api_version = identity::api_version(&object)?;
    let kind = identity::kind(&object)?;
    if object.get("items").is_some_and(Value::is_array) {
        let nested = Fault::List("a list within a list");
        return Err(if is_list_kind(&kind) { nested } else { Fault::ItemsOutsideList { kind } });
    }
    let (name, namespace) = identity::name(&object)?;
    // The reader refuses what it sees on its line. This is for what only the core knows.
    let document = Document::from_value(&Value::Object(object), &LIMITS).map_err(|error| {
        let place = error.pointer().map(|pointer| format!(", at `{pointer}`")).unwrap_or_default();
        Fault::Inadmissible(format!("{}{place}", error.fault()))
    })?;
    match document.to_value() {
        Value::Object(object) => Ok(Manifest { api_version, kind, name, namespace, line, object }),
        _ => Err(Fault::NotAnObject("no object")),
    }
}

/// An object with its line.
type Placed = (usize, Map<String, Value>);

/// The objects of a document.
fn expanded(document: RawDocument) -> Result<Vec<Placed>, ManifestError> {
    let RawDocument { number, line, mut object, item_lines } = document;
    let at = |fault| ManifestError::new(number, line, fault);
    let is_list = object.get("kind").and_then(Value::as_str).is_some_and(is_list_kind);
    let items = match object.get_mut("items") {
        Some(Value::Array(items)) if is_list => std::mem::take(items),
        _ => return Ok(vec![(line, object)]),
    };
    identity::api_version(&object).map_err(at)?;
    if !object.keys().all(|member| ["apiVersion", "items", "kind", "metadata"].contains(&member.as_str())) {
        return Err(at(Fault::List("a list has more members than `apiVersion`, `kind`, `metadata` and `items`")));
    }
    let mut objects = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        let line = item_lines.get(index).copied().unwrap_or(line);
        match item {
            Value::Object(object) => objects.push((line, object)),
            _ => return Err(ManifestError::new(number, line, Fault::List("an item of the list is no object"))),
        }
    }
    Ok(objects)
}

/// By its name, as clients tell it.
fn is_list_kind(kind: &str) -> bool {
    kind.ends_with("List")
}
