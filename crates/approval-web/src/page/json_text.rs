//! JSON as lines that a person can read and compare.
//!
//! Members are in canonical order, one on a line. A text of several lines stands on several lines, each in quotation marks of
//! its own, so that nothing in it can look like the JSON around it. At the place of a secret stand the page's own words,
//! whatever the document holds there.

use std::collections::BTreeMap;

use approval_core::json::{Document, Limits};
use serde_json::{Value, json};

use super::shown::Shown;

/// JSON Pointers (RFC 6901) at which the page's own words stand.
pub(crate) type Secrets = BTreeMap<String, &'static str>;

/// The value as lines.
pub(crate) fn lines(value: &Value, secrets: &Secrets) -> Vec<Shown> {
    let mut writer = Writer { lines: Vec::new(), path: String::new(), secrets };
    writer.value(value, 0, Shown::default(), "");
    writer.lines
}

/// A value without members, on one line.
pub(crate) fn scalar(value: &Value) -> Shown {
    match value {
        Value::String(text) => quoted(text),
        Value::Number(number) if number.is_f64() => Shown::line(&canonical(value)),
        value => Shown::line(&value.to_string()),
    }
}

struct Writer<'a> {
    lines: Vec<Shown>,
    path: String,
    secrets: &'a Secrets,
}

impl Writer<'_> {
    fn value(&mut self, value: &Value, depth: usize, before: Shown, after: &str) {
        if let Some(words) = self.secrets.get(&self.path) {
            return self.line(depth, before.and(Shown::words(words)).and(Shown::line(after)));
        }
        match value {
            Value::Array(items) if !items.is_empty() => {
                self.line(depth, before.and(Shown::line("[")));
                for (number, item) in items.iter().enumerate() {
                    let comma = if number + 1 < items.len() { "," } else { "" };
                    self.under(&number.to_string(), |writer| writer.value(item, depth + 1, Shown::default(), comma));
                }
                self.line(depth, Shown::line("]").and(Shown::line(after)));
            }
            Value::Object(members) if !members.is_empty() => {
                self.line(depth, before.and(Shown::line("{")));
                for (number, (name, member)) in members.iter().enumerate() {
                    let comma = if number + 1 < members.len() { "," } else { "" };
                    let label = quoted(name).and(Shown::line(":")).and(Shown::indent(1));
                    self.under(name, |writer| writer.value(member, depth + 1, label, comma));
                }
                self.line(depth, Shown::line("}").and(Shown::line(after)));
            }
            Value::String(text) if text.trim_end_matches('\n').contains('\n') => {
                if before != Shown::default() {
                    self.line(depth, before);
                }
                let pieces: Vec<_> = text.split_inclusive('\n').collect();
                for (number, piece) in pieces.iter().enumerate() {
                    let after = if number + 1 < pieces.len() { "" } else { after };
                    self.line(depth + 1, quoted(piece).and(Shown::line(after)));
                }
            }
            value => self.line(depth, before.and(scalar(value)).and(Shown::line(after))),
        }
    }

    fn under(&mut self, name: &str, write: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        if !self.secrets.is_empty() {
            self.path.push('/');
            self.path.push_str(&name.replace('~', "~0").replace('/', "~1"));
        }
        write(self);
        self.path.truncate(length);
    }

    fn line(&mut self, depth: usize, text: Shown) {
        self.lines.push(Shown::indent(2 * depth).and(text));
    }
}

/// A JSON text. What can't be seen in it is named, not escaped.
fn quoted(text: &str) -> Shown {
    Shown::line(&format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")))
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
    use super::*;

    fn text(value: &Value, secrets: &Secrets) -> String {
        lines(value, secrets).iter().map(|line| line.text() + "\n").collect()
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
            lines(&json!("x"), &Secrets::from([(String::new(), "secret: set")])).first().unwrap().text(),
            "secret: set"
        );
    }
}
