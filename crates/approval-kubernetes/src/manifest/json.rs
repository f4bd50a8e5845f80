//! JSON, one object or several in a row.

use approval_core::json::{Document, Fault as JsonFault, Inadmissible, Limits};
use serde_json::Value;

use super::error::{Fault, ManifestError};
use super::{LIMITS, RawDocument, character};

/// Reads the objects of a text, with white space between them.
pub(super) fn documents(text: &str) -> Result<Vec<RawDocument>, ManifestError> {
    let mut documents = Vec::new();
    let mut at = 0;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        at += rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
        let rest = text.get(at..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(documents);
        }
        let number = documents.len() + 1;
        let piece = rest.get(..end_of_object(rest)).unwrap_or(rest);
        let document = Document::parse(piece.as_bytes(), &LIMITS).map_err(|error| refused(text, at, number, &error))?;
        let Value::Object(object) = document.to_value() else {
            return Err(ManifestError::new(number, line_at(text, at), Fault::NotAnObject("no object")));
        };
        if holds_nul(piece) {
            let fault = Fault::Character { character: '\0', why: character::NUL };
            return Err(ManifestError::new(number, line_at(text, at + nul_at(piece)), fault));
        }
        documents.push(RawDocument { number, line: line_at(text, at), object, item_lines: Vec::new() });
        at += piece.len();
    }
}

/// Where the first object ends, by its brackets; the whole text where it doesn't, or where it begins with something else.
fn end_of_object(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut escaped = false;
    for (offset, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return offset + 1;
                }
            }
            _ => {}
        }
    }
    text.len()
}

/// Where `\u0000` stands, in text that is JSON.
fn nul_at(json: &str) -> usize {
    let mut escaped = false;
    for (offset, byte) in json.bytes().enumerate() {
        if escaped && byte == b'u' && json.get(offset + 1..offset + 5) == Some("0000") {
            return offset;
        }
        escaped = byte == b'\\' && !escaped;
    }
    json.len()
}

fn holds_nul(json: &str) -> bool {
    nul_at(json) < json.len()
}

fn refused(text: &str, start: usize, number: usize, error: &Inadmissible) -> ManifestError {
    let at = start + error.offset().unwrap_or_default();
    let fault = match error.fault() {
        JsonFault::TooDeep => Fault::TooDeep { limit: Limits::MAX_DEPTH },
        JsonFault::TooManyNodes => Fault::TooManyNodes { limit: LIMITS.max_nodes() },
        JsonFault::TooLarge => Fault::TooLarge { limit: LIMITS.max_bytes() },
        JsonFault::Syntax | JsonFault::NotAnObject => {
            Fault::Syntax("a text that begins with `{` is read as JSON, and this isn't JSON".to_owned())
        }
        fault => Fault::Inadmissible(fault.to_string()),
    };
    ManifestError::new(number, line_at(text, at), fault)
}

/// The line of a byte.
fn line_at(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}
