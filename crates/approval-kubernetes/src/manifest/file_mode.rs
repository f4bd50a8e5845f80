//! Modes of files, which people write in octal and JSON has in decimal.

use std::fmt;

use serde_json::{Map, Value};

use crate::pointer::Pointer;

/// The members whose value is one.
pub(super) const MEMBERS: [&str; 2] = ["defaultMode", "mode"];

/// The mode of a file or of the files of a volume. Shown, it is both: `0644 (420)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileMode {
    /// Where it stands, as a JSON Pointer.
    pub pointer: String,
    /// The mode.
    pub mode: u32,
}

impl FileMode {
    /// Whether it was probably meant in octal and written in decimal, as `400` is, which is `0620`.
    #[must_use]
    pub fn is_probably_octal(&self) -> bool {
        self.mode > 0o777 || [400, 440, 444, 500].contains(&self.mode)
    }
}

impl fmt::Display for FileMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0{:03o} ({})", self.mode, self.mode)
    }
}

/// All modes in an object. Its depth is bounded, so this is too.
pub(crate) fn of(object: &Map<String, Value>) -> Vec<FileMode> {
    let mut modes = Vec::new();
    in_mapping(object, &Pointer::root(), &mut modes);
    modes
}

fn in_mapping(object: &Map<String, Value>, pointer: &Pointer, modes: &mut Vec<FileMode>) {
    for (key, value) in object {
        let pointer = pointer.member(key);
        let mode = value.as_u64().and_then(|mode| u32::try_from(mode).ok());
        match (MEMBERS.contains(&key.as_str()), mode) {
            (true, Some(mode)) => modes.push(FileMode { pointer: pointer.to_string(), mode }),
            _ => inside(value, &pointer, modes),
        }
    }
}

fn inside(value: &Value, pointer: &Pointer, modes: &mut Vec<FileMode>) {
    match value {
        Value::Object(object) => in_mapping(object, pointer, modes),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| inside(item, &pointer.item(index), modes));
        }
        Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => {}
    }
}
