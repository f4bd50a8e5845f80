//! Whether what is shown is what is there, and what shouldn't be shown.

use approval_core::record::Severity;
use serde_json::{Map, Value};

use super::finding::Findings;
use super::hazard;
use super::json::{at, items, members, text};
use super::mutation::{Subject, Verb};
use super::pod::Pod;
use crate::manifest::file_modes;
use crate::pointer::Pointer;
use crate::quoted::{is_hidden, quoted, quoted_up_to};

/// Of each kind no more than so many are reported in one object.
const MOST: usize = 20;

/// The longest warning that is repeated, in characters.
const LONGEST_WARNING: usize = 500;

/// Words in the names of what is secret.
const SECRET_WORDS: [&str; 12] = [
    "accesskey",
    "apikey",
    "apitoken",
    "authtoken",
    "clientsecret",
    "credential",
    "passphrase",
    "passwd",
    "password",
    "privatekey",
    "secret",
    "token",
];

/// How secrets of known kinds begin.
const SECRET_BEGINNINGS: [&str; 13] = [
    "-----BEGIN EC PRIVATE KEY-----",
    "-----BEGIN ENCRYPTED PRIVATE KEY-----",
    "-----BEGIN OPENSSH PRIVATE KEY-----",
    "-----BEGIN PRIVATE KEY-----",
    "-----BEGIN RSA PRIVATE KEY-----",
    "AKIA",
    "eyJhbGciOi",
    "ghp_",
    "github_pat_",
    "glpat-",
    "sk_live_",
    "xoxb-",
    "xoxp-",
];

/// The annotation in which kubectl keeps what was applied.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// What is in an object, whatever it was before.
pub(super) fn contents(object: &Value, found: &mut Findings) {
    let is_secret = super::group(object).is_empty() && super::kind(object) == "Secret";
    let mut seen = Seen { found, invisible: 0, secret: 0, is_secret };
    seen.value(object, &Pointer::root());
    if is_secret {
        found.add(hazard::SECRET, &Pointer::root(), "the object is a secret");
        if at(object, &["metadata", "annotations", LAST_APPLIED]).is_some() {
            let pointer = Pointer::root().member("metadata").member("annotations").member(LAST_APPLIED);
            found.add(hazard::SECRET_IN_CLEAR, &pointer, "the annotation repeats the secret's values");
        }
    } else {
        named_secrets(object, found);
    }
    for mode in object.as_object().map(file_modes).unwrap_or_default() {
        let (severity, doubt) = match mode.is_probably_octal() {
            true => (Severity::Warn, ", which was probably meant in octal"),
            false => (Severity::Info, ""),
        };
        let pointer = Pointer::of(&mode.pointer);
        found.add_as(severity, hazard::FILE_MODE, &pointer, format!("the mode is {mode}{doubt}"));
    }
}

pub(super) fn check(subject: &Subject<'_>, found: &mut Findings) {
    for warning in subject.surroundings.warnings {
        let text = format!("the server warns: {}", quoted_up_to(warning, LONGEST_WARNING));
        found.add(hazard::ADMISSION_WARNING, &Pointer::root(), text);
    }
    let is_same = |(old, new)| subject.verb != Verb::Restart && essence(old) == essence(new);
    if subject.change().is_some_and(is_same) {
        found.add(hazard::NO_CHANGE, &Pointer::root(), "the object is as it would be afterwards");
    }
}

/// An object without what the server keeps in it.
fn essence(object: &Value) -> Value {
    const KEPT_BY_SERVER: [&str; 5] = ["creationTimestamp", "generation", "managedFields", "resourceVersion", "uid"];
    let mut object = object.clone();
    if let Some(object) = object.as_object_mut() {
        object.remove("status");
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.retain(|member, _| !KEPT_BY_SERVER.contains(&member.as_str()));
        }
    }
    object
}

/// Variables and entries that are called like secrets, and have a value.
fn named_secrets(object: &Value, found: &mut Findings) {
    if let Some(pod) = Pod::of(object) {
        for container in pod.containers() {
            for (index, variable) in items(container.value, &["env"]).iter().enumerate() {
                let name = text(variable, &["name"]).unwrap_or_default();
                if is_secret_name(name) && text(variable, &["value"]).is_some_and(is_value) {
                    let pointer = container.at.member("env").item(index).member("value");
                    let text = format!(
                        "the variable {} of container {} has its value in the object",
                        quoted(name),
                        quoted(container.name())
                    );
                    found.add(hazard::SECRET_IN_CLEAR, &pointer, text);
                }
            }
        }
    }
    if super::group(object).is_empty() && super::kind(object) == "ConfigMap" {
        for (name, value) in members(object, &["data"]) {
            if is_secret_name(name) && value.as_str().is_some_and(is_value) {
                let pointer = Pointer::root().member("data").member(name);
                found.add(hazard::SECRET_IN_CLEAR, &pointer, format!("the entry {} is in a ConfigMap", quoted(name)));
            }
        }
    }
}

fn is_secret_name(name: &str) -> bool {
    let letters: String =
        name.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect();
    // A name of a secret, or where one is, is none.
    let is_reference = ["name", "file", "path", "ref", "url", "ttl"].iter().any(|end| letters.ends_with(end));
    !is_reference && SECRET_WORDS.iter().any(|word| letters.contains(word))
}

/// Whether it is more than a switch or a reference to another variable.
fn is_value(value: &str) -> bool {
    !value.is_empty() && !["true", "false"].contains(&value) && !value.starts_with("$(")
}

/// A walk through all texts of an object.
struct Seen<'a> {
    found: &'a mut Findings,
    invisible: usize,
    secret: usize,
    is_secret: bool,
}

impl Seen<'_> {
    fn value(&mut self, value: &Value, at: &Pointer) {
        match value {
            Value::Array(items) => items.iter().enumerate().for_each(|(index, item)| self.value(item, &at.item(index))),
            Value::Object(members) => self.members(members, at),
            Value::String(text) => {
                self.text(text, at);
                self.secret(text, at);
            }
            Value::Bool(_) | Value::Null | Value::Number(_) => {}
        }
    }

    fn members(&mut self, members: &Map<String, Value>, at: &Pointer) {
        for (name, value) in members {
            let at = at.member(name);
            self.text(name, &at);
            self.value(value, &at);
        }
    }

    fn text(&mut self, text: &str, at: &Pointer) {
        let Some(character) =
            text.chars().find(|character| is_hidden(*character) && !['\n', '\r', '\t'].contains(character))
        else {
            return;
        };
        self.invisible += 1;
        if self.invisible <= MOST {
            let text = format!(
                "a text holds U+{:04X}, which can't be seen or changes how others are seen",
                u32::from(character)
            );
            self.found.add(hazard::INVISIBLE, at, text);
        }
    }

    fn secret(&mut self, text: &str, at: &Pointer) {
        let begins = |beginning: &&str| text.trim_start().starts_with(*beginning) && text.trim().len() >= 20;
        if self.is_secret || !SECRET_BEGINNINGS.iter().any(begins) {
            return;
        }
        self.secret += 1;
        if self.secret <= MOST {
            self.found.add_as(Severity::High, hazard::SECRET_IN_CLEAR, at, "a value looks like a key or token");
        }
    }
}
