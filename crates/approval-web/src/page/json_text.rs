//! JSON as lines that a person can read and compare.
//!
//! Members are in canonical order, one on a line. A text of several lines stands on several lines, each in quotation marks of
//! its own, so that nothing in it can look like the JSON around it. At the place of a secret stand the page's own words,
//! whatever the document holds there.

use std::collections::BTreeMap;

use approval_core::json::{Document, Limits};
use serde_json::{Map, Value, json};

use super::lines::LineSink;
use super::shown::Shown;

/// JSON Pointers (RFC 6901) at which the page's own words stand.
pub(crate) type Secrets = BTreeMap<String, &'static str>;

/// Lays a value out.
pub(crate) fn value_lines(value: &Value, secrets: &Secrets, lines: &mut dyn LineSink) {
    Writer::new(secrets, lines).value(value, 0, "");
}

/// Lays an object out.
pub(crate) fn object_lines(members: &Map<String, Value>, secrets: &Secrets, lines: &mut dyn LineSink) {
    let mut writer = Writer::new(secrets, lines);
    if !writer.is_secret(0, "") {
        writer.object(members, 0, "");
    }
}

/// A value without members, on one line.
pub(crate) fn scalar(value: &Value) -> Shown {
    match value {
        Value::String(text) => quoted(text),
        value => Shown::line(&number_or_word(value)),
    }
}

struct Writer<'a> {
    lines: &'a mut dyn LineSink,
    /// The line that is being written; nothing where none was begun.
    line: Shown,
    /// Room for a text with its quotation marks.
    quoted: String,
    path: String,
    secrets: &'a Secrets,
}

impl<'a> Writer<'a> {
    fn new(secrets: &'a Secrets, lines: &'a mut dyn LineSink) -> Self {
        Self { lines, line: Shown::default(), quoted: String::new(), path: String::new(), secrets }
    }

    /// Whether the page's own words stand here, whatever the value is.
    fn is_secret(&mut self, depth: usize, after: &str) -> bool {
        // Most plans have no secret.
        let words = if self.secrets.is_empty() { None } else { self.secrets.get(&self.path) };
        let Some(words) = words else { return false };
        self.begin(depth).push_words(words);
        self.end(after);
        true
    }

    /// A value, behind what the line holds already.
    fn value(&mut self, value: &Value, depth: usize, after: &str) {
        if self.is_secret(depth, after) {
            return;
        }
        match value {
            Value::Array(items) if !items.is_empty() => {
                self.begin(depth).push_line("[");
                self.end("");
                for (number, item) in items.iter().enumerate() {
                    let comma = if number + 1 < items.len() { "," } else { "" };
                    self.under(|| number.to_string(), |writer| writer.value(item, depth + 1, comma));
                }
                self.begin(depth).push_line("]");
                self.end(after);
            }
            Value::Object(members) => self.object(members, depth, after),
            Value::String(text) if text.trim_end_matches('\n').contains('\n') => {
                if !self.line.is_empty() {
                    self.end("");
                }
                let pieces: Vec<_> = text.split_inclusive('\n').collect();
                for (number, piece) in pieces.iter().enumerate() {
                    self.begin(depth + 1);
                    self.quote(piece, "");
                    self.end(if number + 1 < pieces.len() { "" } else { after });
                }
            }
            Value::String(text) => {
                self.begin(depth);
                self.quote(text, "");
                self.end(after);
            }
            value => {
                let text = number_or_word(value);
                self.begin(depth).push_line(&text);
                self.end(after);
            }
        }
    }

    fn object(&mut self, members: &Map<String, Value>, depth: usize, after: &str) {
        if members.is_empty() {
            self.begin(depth).push_line("{}");
            return self.end(after);
        }
        self.begin(depth).push_line("{");
        self.end("");
        for (number, (name, member)) in members.iter().enumerate() {
            let comma = if number + 1 < members.len() { "," } else { "" };
            self.begin(depth + 1);
            self.quote(name, ": ");
            self.under(|| name.replace('~', "~0").replace('/', "~1"), |writer| writer.value(member, depth + 1, comma));
        }
        self.begin(depth).push_line("}");
        self.end(after);
    }

    fn under(&mut self, name: impl FnOnce() -> String, write: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        if !self.secrets.is_empty() {
            self.path.push('/');
            self.path.push_str(&name());
        }
        write(self);
        self.path.truncate(length);
    }

    /// The line, with its indent where it begins here.
    fn begin(&mut self, depth: usize) -> &mut Shown {
        if self.line.is_empty() {
            self.line.push_indent(2 * depth);
        }
        &mut self.line
    }

    fn quote(&mut self, text: &str, after: &'static str) {
        if self.line.push_quoted(text) {
            return self.line.push_own(after);
        }
        self.quoted.clear();
        quote_into(&mut self.quoted, text);
        self.line.push_line(&self.quoted);
        self.line.push_own(after);
    }

    fn end(&mut self, after: &str) {
        self.line.push_line(after);
        self.lines.push(self.line.as_line());
        self.line.clear();
    }
}

/// A JSON text. What can't be seen in it is named, not escaped.
fn quoted(text: &str) -> Shown {
    let mut quoted = String::with_capacity(text.len() + 2);
    quote_into(&mut quoted, text);
    Shown::line(&quoted)
}

fn quote_into(quoted: &mut String, text: &str) {
    quoted.push('"');
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| matches!(byte, b'\\' | b'"' | b'\n')) {
        let (before, from) = rest.split_at(at);
        quoted.push_str(before);
        quoted.push('\\');
        let mut from = from.chars();
        quoted.extend(from.next().map(|c| if c == '\n' { 'n' } else { c }));
        rest = from.as_str();
    }
    quoted.push_str(rest);
    quoted.push('"');
}

fn number_or_word(value: &Value) -> String {
    match value {
        Value::Number(number) if number.is_f64() => canonical(value),
        value => value.to_string(),
    }
}

/// The number as it is digested: RFC 8785 writes `1e+21`, where others write `1e21`.
fn canonical(number: &Value) -> String {
    let document = Document::from_value(&json!({ "n": number }), &Limits::ARGUMENTS);
    let text = document.map(|document| document.as_str().to_owned()).unwrap_or_default();
    match text.strip_prefix("{\"n\":").and_then(|text| text.strip_suffix('}')) {
        Some(text) => text.to_owned(),
        None => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::lines::Lines;
    use super::*;
    use proptest::prelude::*;

    fn lines(value: &Value, secrets: &Secrets) -> Lines {
        let mut lines = Lines::default();
        value_lines(value, secrets, &mut lines);
        lines
    }

    fn text(value: &Value, secrets: &Secrets) -> String {
        lines(value, secrets).all().map(|line| line.text.to_owned() + "\n").collect()
    }

    #[test]
    fn json_is_laid_out() {
        let value = json!({
            "b": [1, 1e21, {}, []],
            "a": { "script": "one\ntwo \"x\"\n", "line": "a\n", "odd": "\u{1b}\t" },
        });
        insta::assert_snapshot!(text(&value, &Secrets::new()), @r#"
        {
          "a": {
            "line": "a\n",
            "odd": "⟨U+001B⟩⇥",
            "script": 
              "one\n"
              "two \"x\"\n"
          },
          "b": [
            1,
            1e+21,
            {},
            []
          ]
        }
        "#);
    }

    #[test]
    fn a_listed_place_shows_words_whatever_is_there() {
        let value = json!({ "a/b": { "~x": [{ "$secret": "sha256:00" }, "open"] }, "c": "s3cret" });
        let secrets = Secrets::from([("/a~1b/~0x/0".to_owned(), "secret: set"), ("/c".to_owned(), "secret: set")]);
        let shown = text(&value, &secrets);
        assert!(!shown.contains("sha256") && !shown.contains("s3cret"), "{shown}");
        assert!(shown.contains("\"open\""));
        // At another place the same shape is ordinary data.
        assert!(text(&value, &Secrets::new()).contains("\"$secret\": \"sha256:00\""));
        assert_eq!(
            lines(&json!("x"), &Secrets::from([(String::new(), "secret: set")])).all().next().unwrap().text,
            "secret: set"
        );
    }

    proptest! {
        #[test]
        fn a_short_text_is_shown_as_a_long_one_is(text in "[ -~\u{301}\u{202e}é]{0,45}") {
            // [TEXT-002, TEXT-003]
            let shown = lines(&json!([text]), &Secrets::new());
            let line = shown.all().nth(1).map(super::super::shown::Line::to_shown).unwrap();
            let mut long = Shown::default();
            long.push_indent(2);
            let mut quote = String::new();
            quote_into(&mut quote, &text);
            long.push_line(&quote);
            prop_assert_eq!(line, long);
        }
    }
}
