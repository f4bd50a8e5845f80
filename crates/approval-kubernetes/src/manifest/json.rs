//! JSON, one object or several in a row.

use approval_core::json::{Document, Fault as JsonFault, Inadmissible, Limits};
use serde_json::Value;

use super::error::{Fault, ManifestError};
use super::{LIMITS, MAX_OBJECTS, RawDocument, character};

/// Reads the objects of a text, with white space between them. Each byte is looked at a bounded number of times.
pub(super) fn documents(text: &str) -> Result<Vec<RawDocument>, ManifestError> {
    let mut documents = Vec::new();
    let mut rest = text;
    let mut line = 1;
    loop {
        let piece = rest.trim_start_matches([' ', '\t', '\n', '\r']);
        line += breaks(rest, rest.len() - piece.len());
        if piece.is_empty() {
            return Ok(documents);
        }
        let number = documents.len() + 1;
        if number > MAX_OBJECTS {
            return Err(ManifestError::new(number, line, Fault::TooManyObjects { limit: MAX_OBJECTS }));
        }
        let (piece, after) = piece.split_at_checked(end_of_object(piece)).unwrap_or((piece, ""));
        let document =
            Document::parse(piece.as_bytes(), &LIMITS).map_err(|error| refused(piece, line, number, &error))?;
        let Value::Object(object) = document.to_value() else {
            return Err(ManifestError::new(number, line, Fault::NotAnObject("no object")));
        };
        if let Some(offset) = nul_at(piece) {
            let fault = Fault::Character { character: '\0', why: character::NUL };
            return Err(ManifestError::new(number, line + breaks(piece, offset), fault));
        }
        documents.push(RawDocument { number, line, object, item_lines: Vec::new() });
        line += breaks(piece, piece.len());
        rest = after;
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
fn nul_at(json: &str) -> Option<usize> {
    let mut escaped = false;
    for (offset, byte) in json.bytes().enumerate() {
        if escaped && byte == b'u' && json.get(offset + 1..offset + 5) == Some("0000") {
            return Some(offset);
        }
        escaped = byte == b'\\' && !escaped;
    }
    None
}

fn refused(piece: &str, line: usize, number: usize, error: &Inadmissible) -> ManifestError {
    let fault = match error.fault() {
        JsonFault::TooDeep => Fault::TooDeep { limit: Limits::MAX_DEPTH },
        JsonFault::TooManyNodes => Fault::TooManyNodes { limit: LIMITS.max_nodes() },
        JsonFault::TooLarge => Fault::TooLarge { limit: LIMITS.max_bytes() },
        JsonFault::Syntax | JsonFault::NotAnObject => {
            Fault::Syntax("a text that begins with `{` is read as JSON, and this isn't JSON".to_owned())
        }
        fault => Fault::Inadmissible(fault.to_string()),
    };
    ManifestError::new(number, line + breaks(piece, error.offset().unwrap_or_default()), fault)
}

/// The line feeds in so many bytes.
fn breaks(text: &str, bytes: usize) -> usize {
    text.bytes().take(bytes).filter(|byte| *byte == b'\n').count()
}
