//! From YAML's events to values. There is no recursion: what is open is a list.

use std::collections::{BTreeMap, BTreeSet};

use approval_core::json::Limits;
use granit_parser::{ErrorKind, Event, Options, Parser, ScalarStyle, ScanError, Span, Tag, options};
use serde_json::{Map, Value};

use super::error::{Fault, ManifestError};
use super::{LIMITS, MAX_OBJECTS, RawDocument, character, file_mode, scalar};

/// Reads the documents of a text; those that are empty are passed over.
pub(super) fn documents(text: &str) -> Result<Vec<RawDocument>, ManifestError> {
    let mut separators = separators(text)?;
    let mut documents = Vec::new();
    let mut builder = Builder::default();
    for event in Parser::new_from_str_with_options(text, settings()) {
        let (event, span) = event.map_err(|error| builder.broken(&error))?;
        if let Event::DocumentStart(is_explicit, _) = event {
            let line = span.start.line();
            if is_explicit {
                separators.remove(&line);
            } else if builder.started > 0 {
                let fault = Fault::Separator("a document without `---` before it, which some readers drop");
                return Err(ManifestError::new(builder.started + 1, line, fault));
            }
        }
        let finished =
            builder.take(event, &span).map_err(|(fault, line)| ManifestError::new(builder.number(), line, fault))?;
        documents.extend(finished);
        if documents.len() > MAX_OBJECTS {
            let fault = Fault::TooManyObjects { limit: MAX_OBJECTS };
            return Err(ManifestError::new(builder.number(), span.start.line(), fault));
        }
    }
    match separators.first() {
        Some(line) => {
            let fault = Fault::Separator("a line of `---` within a text, at which some readers divide it");
            Err(ManifestError::new(builder.number(), *line, fault))
        }
        None => Ok(documents),
    }
}

/// The lines that Kubernetes' own tools take for separators of documents, before anything is parsed. They take every line that
/// begins with `---`, and drop the rest of it.
fn separators(text: &str) -> Result<BTreeSet<usize>, ManifestError> {
    let mut separators = BTreeSet::new();
    for (index, line) in text.lines().enumerate() {
        let Some(rest) = line.strip_prefix("---") else { continue };
        let content = rest.trim_matches([' ', '\t', '\r']);
        let is_comment = content.starts_with('#') && rest.starts_with([' ', '\t']);
        if !content.is_empty() && !is_comment {
            let fault = Fault::Separator("something after `---` on its line, which some readers drop");
            return Err(ManifestError::new(separators.len() + 1, index + 1, fault));
        }
        separators.insert(index + 1);
    }
    Ok(separators)
}

/// Indentation as the specification has it: what only some readers accept is refused. No more open collections than a document
/// may have, so that the parser's own list is as short as ours.
fn settings() -> Options {
    options! {
        strict_indentation: true,
        disallow_directives: true,
        block_scalar_eof_without_line_feed: true,
        emit_unresolved_aliases: true,
        emit_anchor_events: true,
        emit_comments: false,
        flow_nesting_limit: Limits::MAX_DEPTH + 1,
        block_nesting_limit: Limits::MAX_DEPTH + 1,
    }
}

#[derive(Default)]
struct Builder {
    /// Documents begun.
    started: usize,
    nodes: usize,
    open: Vec<Open>,
    root: Option<Root>,
}

struct Root {
    line: usize,
    value: Value,
    /// Whether nothing was written at all.
    is_empty: bool,
    item_lines: Vec<usize>,
}

/// A sequence or mapping whose end hasn't come.
enum Open {
    Mapping {
        line: usize,
        map: Map<String, Value>,
        key: Option<String>,
        key_lines: BTreeMap<String, usize>,
        item_lines: Vec<usize>,
    },
    Sequence {
        line: usize,
        items: Vec<Value>,
        lines: Vec<usize>,
    },
}

/// A value that is whole.
struct Node {
    line: usize,
    value: Value,
    is_empty: bool,
    lines: Vec<usize>,
}

impl Builder {
    /// The document that is being read.
    fn number(&self) -> usize {
        self.started.max(1)
    }

    fn broken(&self, error: &ScanError) -> ManifestError {
        let fault = match error.kind() {
            ErrorKind::DirectiveDisallowed => Fault::Directive,
            ErrorKind::RecursionLimitExceeded => Fault::TooDeep { limit: Limits::MAX_DEPTH },
            _ => Fault::Syntax(error.info()),
        };
        ManifestError::new(self.number(), error.marker().line(), fault)
    }

    /// Takes one event; a document's last one gives the document.
    fn take(&mut self, event: Event<'_>, span: &Span) -> Result<Option<RawDocument>, (Fault, usize)> {
        if event == Event::DocumentEnd {
            return self.finish();
        }
        let line = span.start.line();
        self.build(event, span, line).map_err(|fault| (fault, line)).map(|()| None)
    }

    fn build(&mut self, event: Event<'_>, span: &Span, line: usize) -> Result<(), Fault> {
        if let Some(tag) = event.tag() {
            return Err(Fault::Tag(Tag::original(tag)));
        }
        match event {
            Event::Alias(_) | Event::Anchor(..) | Event::UnresolvedAlias(_) => return Err(Fault::Anchor),
            Event::DocumentStart(..) => {
                self.started += 1;
                self.nodes = 0;
                self.open.clear();
                self.root = None;
            }
            Event::Scalar(text, style, ..) => {
                // The parser says `~` where nothing is written.
                let text = if span.is_empty() && style == ScalarStyle::Plain { "" } else { &text };
                self.scalar(text, style, line)?;
            }
            Event::SequenceStart(..) => self.begin(Open::Sequence { line, items: Vec::new(), lines: Vec::new() })?,
            Event::MappingStart(..) => self.begin(Open::Mapping {
                line,
                map: Map::new(),
                key: None,
                key_lines: BTreeMap::new(),
                item_lines: Vec::new(),
            })?,
            Event::SequenceEnd | Event::MappingEnd => self.end()?,
            _ => {}
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<Option<RawDocument>, (Fault, usize)> {
        match self.root.take() {
            None | Some(Root { is_empty: true, .. }) => Ok(None),
            Some(Root { line, value: Value::Object(object), item_lines, .. }) => {
                Ok(Some(RawDocument { number: self.number(), line, object, item_lines }))
            }
            Some(Root { line, value, .. }) => {
                let what = match value {
                    Value::Array(_) => "a sequence",
                    Value::Bool(_) => "a boolean",
                    Value::Null => "null",
                    Value::Number(_) => "a number",
                    Value::Object(_) | Value::String(_) => "a text",
                };
                Err((Fault::NotAnObject(what), line))
            }
        }
    }

    fn begin(&mut self, open: Open) -> Result<(), Fault> {
        if let Some(Open::Mapping { key: None, .. }) = self.open.last() {
            return Err(Fault::KeyNotScalar);
        }
        if self.open.len() >= Limits::MAX_DEPTH {
            return Err(Fault::TooDeep { limit: Limits::MAX_DEPTH });
        }
        self.count()?;
        self.open.push(open);
        Ok(())
    }

    fn end(&mut self) -> Result<(), Fault> {
        match self.open.pop() {
            Some(Open::Mapping { line, map, item_lines, .. }) => {
                self.put(Node { line, value: Value::Object(map), is_empty: false, lines: item_lines })
            }
            Some(Open::Sequence { line, items, lines }) => {
                self.put(Node { line, value: Value::Array(items), is_empty: false, lines })
            }
            None => Ok(()),
        }
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, line: usize) -> Result<(), Fault> {
        if text.contains('\0') {
            return Err(Fault::Character { character: '\0', why: character::NUL });
        }
        let is_plain = style == ScalarStyle::Plain;
        if let Some(Open::Mapping { key: key @ None, key_lines, .. }) = self.open.last_mut() {
            *key = Some(text_key(text, is_plain)?);
            return match key_lines.insert(text.to_owned(), line) {
                Some(first) => Err(Fault::DuplicateKey { key: text.to_owned(), first }),
                None => Ok(()),
            };
        }
        self.count()?;
        let is_mode = matches!(self.open.last(), Some(Open::Mapping { key: Some(key), .. })
            if file_mode::MEMBERS.contains(&key.as_str()));
        let value = match (is_plain, is_mode) {
            (true, true) => scalar::mode(text)?,
            (true, false) => scalar::value(text)?,
            (false, _) => Value::String(text.to_owned()),
        };
        self.put(Node { line, value, is_empty: is_plain && text.is_empty(), lines: Vec::new() })
    }

    fn put(&mut self, node: Node) -> Result<(), Fault> {
        match self.open.last_mut() {
            Some(Open::Sequence { items, lines, .. }) => {
                lines.push(node.line);
                items.push(node.value);
            }
            Some(Open::Mapping { map, key, item_lines, .. }) => {
                let Some(key) = key.take() else { return Err(Fault::KeyNotScalar) };
                if key == "items" {
                    *item_lines = node.lines;
                }
                map.insert(key, node.value);
            }
            None => {
                let Node { line, value, is_empty, lines } = node;
                self.root = Some(Root { line, value, is_empty, item_lines: lines });
            }
        }
        Ok(())
    }

    fn count(&mut self) -> Result<(), Fault> {
        self.nodes += 1;
        let limit = LIMITS.max_nodes();
        if self.nodes > limit { Err(Fault::TooManyNodes { limit }) } else { Ok(()) }
    }
}

/// A key, which has to be a text for every reader.
fn text_key(text: &str, is_plain: bool) -> Result<String, Fault> {
    if let Some(character) = text.chars().find(|character| character.is_control()) {
        return Err(Fault::Character { character, why: "stands in a key" });
    }
    if is_plain && !scalar::value(text)?.is_string() {
        return Err(Fault::KeyNotText(text.to_owned()));
    }
    Ok(text.to_owned())
}
