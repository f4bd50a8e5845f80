//! What an object must say about itself. Group, kind, namespace and name make its address, so none of them may be more than one
//! step of a path.

use serde_json::{Map, Value};

use super::error::Fault;

/// The longest name of an object.
const LONGEST_NAME: usize = 253;

/// The longest label of a domain name, which a namespace and a version are.
const LONGEST_LABEL: usize = 63;

pub(super) fn api_version(object: &Map<String, Value>) -> Result<String, Fault> {
    let given = text(object.get("apiVersion"), "apiVersion", "")?;
    let (group, version) = given.split_once('/').map_or((None, given), |(group, version)| (Some(group), version));
    let group_is_sound = group.is_none_or(|group| group.len() <= LONGEST_NAME && group.split('.').all(is_label));
    if is_label(version) && group_is_sound { Ok(given.to_owned()) } else { Err(Fault::ApiVersion(given.to_owned())) }
}

pub(super) fn kind(object: &Map<String, Value>) -> Result<String, Fault> {
    let given = text(object.get("kind"), "kind", "")?;
    let is_sound = given.len() <= LONGEST_LABEL
        && given.starts_with(|first: char| first.is_ascii_alphabetic())
        && given.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_sound { Ok(given.to_owned()) } else { Err(Fault::Kind(given.to_owned())) }
}

/// The name, and the namespace where there is one.
pub(super) fn name(object: &Map<String, Value>) -> Result<(String, Option<String>), Fault> {
    let metadata = match object.get("metadata") {
        None => return Err(Fault::Missing { member: "metadata", hint: "" }),
        Some(Value::Object(metadata)) => metadata,
        Some(_) => return Err(Fault::WrongType { member: "metadata", expected: "object" }),
    };
    let hint = if metadata.contains_key("generateName") {
        "; with `generateName` the server would make one up that nobody has seen"
    } else {
        ""
    };
    let name = text(metadata.get("name"), "metadata.name", hint)?;
    let refuse = |why| Err(Fault::Name { member: "metadata.name", name: name.to_owned(), why });
    match name {
        "" => return refuse("is empty"),
        "." | ".." => return refuse("is a step of a path"),
        _ if name.len() > LONGEST_NAME => return refuse("is longer than 253 bytes"),
        _ if name.contains(['/', '%']) => return refuse("has a `/` or `%` in it, of which a path is made"),
        _ if !name.bytes().all(|byte| byte.is_ascii_graphic()) => return refuse("has other than visible ASCII in it"),
        _ => {}
    }
    let namespace = match metadata.get("namespace") {
        None | Some(Value::Null) => None,
        given => Some(text(given, "metadata.namespace", "")?),
    };
    match namespace {
        Some(given) if !is_label(given) => Err(Fault::Name {
            member: "metadata.namespace",
            name: given.to_owned(),
            why: "is no label: lower-case letters, digits and `-`, 63 at most",
        }),
        _ => Ok((name.to_owned(), namespace.map(str::to_owned))),
    }
}

fn text<'a>(value: Option<&'a Value>, member: &'static str, hint: &'static str) -> Result<&'a str, Fault> {
    match value {
        None | Some(Value::Null) => Err(Fault::Missing { member, hint }),
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(Fault::WrongType { member, expected: "text" }),
    }
}

/// Whether it is a label in the sense of RFC 1123, in lower case.
fn is_label(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=LONGEST_LABEL).contains(&text.len())
        && text.bytes().all(is_inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}
