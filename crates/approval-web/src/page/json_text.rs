//! JSON as lines that a person can read and compare.
//!
//! Members are in canonical order, one on a line. A text of several lines stands on several lines, each in quotation marks of
//! its own, so that nothing in it can look like the JSON around it. At the place of a secret stand the page's own words,
//! whatever the document holds there.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use approval_core::json::{Document, Limits};
use serde_json::{Map, Number, Value, json};

use super::lines::{LineSink, SimpleLine};
use super::shown::{SPACES_DRAWN, Shown};

/// JSON Pointers (RFC 6901) at which the page's own words stand.
pub(crate) type Secrets = BTreeMap<String, &'static str>;

/// Lays a value out.
pub(crate) fn value_lines<S: LineSink + ?Sized>(value: &Value, secrets: &Secrets, lines: &mut S) {
    Writer::new(secrets, lines).value(value, Place::ALONE);
}

/// Lays an object out.
pub(crate) fn object_lines<S: LineSink + ?Sized>(members: &Map<String, Value>, secrets: &Secrets, lines: &mut S) {
    let mut writer = Writer::new(secrets, lines);
    if !writer.is_secret(Place::ALONE) {
        writer.object(members, Place::ALONE);
    }
}

/// A value on one line, however large.
pub(crate) fn compact(value: &Value) -> Shown {
    let mut shown = Shown::default();
    push_compact(&mut shown, value);
    shown
}

fn push_compact(shown: &mut Shown, value: &Value) {
    match value {
        Value::Array(items) => {
            shown.push_own("[");
            for (number, item) in items.iter().enumerate() {
                shown.push_own(if number > 0 { "," } else { "" });
                push_compact(shown, item);
            }
            shown.push_own("]");
        }
        Value::Object(members) => {
            shown.push_own("{");
            for (number, (name, member)) in members.iter().enumerate() {
                shown.push_own(if number > 0 { "," } else { "" });
                shown.push_quoted(name);
                shown.push_own(":");
                push_compact(shown, member);
            }
            shown.push_own("}");
        }
        Value::Bool(true) => shown.push_own("true"),
        Value::Bool(false) => shown.push_own("false"),
        Value::Null => shown.push_own("null"),
        Value::Number(number) => {
            let mut text = String::new();
            number_into(&mut text, number);
            shown.push_line(&text);
        }
        Value::String(text) => shown.push_quoted(text),
    }
}

struct Writer<'a, S: ?Sized> {
    lines: &'a mut S,
    /// A line that has to be looked at character by character.
    line: Shown,
    /// Room for a number.
    room: String,
    path: String,
    secrets: &'a Secrets,
}

/// Where a value stands among others.
#[derive(Clone, Copy)]
struct Place<'a> {
    depth: usize,
    /// The member's name, on the line on which the value begins.
    name: Option<&'a str>,
    /// Whether a comma follows the value.
    comma: bool,
}

impl<'a> Place<'a> {
    const ALONE: Self = Self { depth: 0, name: None, comma: false };

    fn line(self, text: &'a str, quoted: bool) -> SimpleLine<'a> {
        let Self { depth, name, comma } = self;
        SimpleLine { indent: 2 * depth, name, text, quoted, comma }
    }
}

impl<'a, S: LineSink + ?Sized> Writer<'a, S> {
    fn new(secrets: &'a Secrets, lines: &'a mut S) -> Self {
        Self { lines, line: Shown::default(), room: String::new(), path: String::new(), secrets }
    }

    /// Whether the page's own words stand here, whatever the value is.
    fn is_secret(&mut self, place: Place<'_>) -> bool {
        // Most plans have no secret.
        let words = if self.secrets.is_empty() { None } else { self.secrets.get(&self.path) };
        let Some(words) = words else { return false };
        self.begin(place);
        self.line.push_words(words);
        self.end(place.comma);
        true
    }

    fn value(&mut self, value: &Value, place: Place<'_>) {
        if self.is_secret(place) {
            return;
        }
        let Place { depth, comma, .. } = place;
        match value {
            Value::Array(items) if !items.is_empty() => {
                self.own(Place { comma: false, ..place }, "[");
                for (number, item) in items.iter().enumerate() {
                    let comma = number + 1 < items.len();
                    let place = Place { depth: depth + 1, name: None, comma };
                    self.under(|| number.to_string(), |writer| writer.value(item, place));
                }
                self.own(Place { name: None, ..place }, "]");
            }
            Value::Object(members) => self.object(members, place),
            Value::String(text) if text.trim_end_matches('\n').contains('\n') => {
                if place.name.is_some() {
                    self.begin(place);
                    self.end(false);
                }
                let pieces: Vec<_> = text.split_inclusive('\n').collect();
                for (number, piece) in pieces.iter().enumerate() {
                    let comma = comma && number + 1 == pieces.len();
                    self.text(piece, Place { depth: depth + 1, name: None, comma });
                }
            }
            Value::String(text) => self.text(text, place),
            Value::Array(_) => self.own(place, "[]"),
            Value::Bool(true) => self.own(place, "true"),
            Value::Bool(false) => self.own(place, "false"),
            Value::Null => self.own(place, "null"),
            Value::Number(number) => {
                let mut text = std::mem::take(&mut self.room);
                text.clear();
                number_into(&mut text, number);
                self.own(place, &text);
                self.room = text;
            }
        }
    }

    fn object(&mut self, members: &Map<String, Value>, place: Place<'_>) {
        if members.is_empty() {
            return self.own(place, "{}");
        }
        self.own(Place { comma: false, ..place }, "{");
        for (number, (name, member)) in members.iter().enumerate() {
            let comma = number + 1 < members.len();
            let place = Place { depth: place.depth + 1, name: Some(name), comma };
            self.under(|| name.replace('~', "~0").replace('/', "~1"), |writer| writer.value(member, place));
        }
        self.own(Place { name: None, ..place }, "}");
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

    /// A line with a bracket, a number or a word: nothing that needs a mark.
    fn own(&mut self, place: Place<'_>, text: &str) {
        if place.name.is_none_or(is_simple) {
            return self.lines.push_simple(&place.line(text, false));
        }
        self.begin(place);
        self.line.push_line(text);
        self.end(place.comma);
    }

    /// A line with a text in quotation marks.
    fn text(&mut self, text: &str, place: Place<'_>) {
        if is_simple(text) && place.name.is_none_or(is_simple) {
            return self.lines.push_simple(&place.line(text, true));
        }
        self.begin(place);
        self.line.push_quoted(text);
        self.end(place.comma);
    }

    /// Begins a line that may need marks: its indent, and the member's name.
    fn begin(&mut self, place: Place<'_>) {
        self.line.push_own_spaces(2 * place.depth);
        if let Some(name) = place.name {
            self.line.push_quoted(name);
            self.line.push_own(": ");
        }
    }

    fn end(&mut self, comma: bool) {
        self.line.push_own(if comma { "," } else { "" });
        self.lines.push(self.line.as_line());
        self.line.clear();
    }
}

/// Whether a text is shown, in quotation marks, by exactly its characters, as most are: nothing in it is marked, and nothing
/// escaped, neither for JSON nor for HTML.
fn is_simple(text: &str) -> bool {
    let is_simple = |byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\' | b'&' | b'<' | b'>');
    // All of it is looked at, since that takes less time than to ask after each byte whether to stop.
    let all_are = text.bytes().fold(true, |so_far, byte| so_far & is_simple(byte));
    all_are && (text.len() <= SPACES_DRAWN || !text.contains(' '))
}

/// A number as it is digested. [RFC 8785, section 3.2.2.3]
fn number_into(text: &mut String, number: &Number) {
    // Writing to a string can't fail.
    let _ = write!(text, "{number}");
    // Of the others, the shortest digits are the same, and stand at the same places.
    if number.is_f64() && (text.contains('e') || text.ends_with(".0")) {
        text.clear();
        text.push_str(&canonical(number));
    }
}

/// The number as it is digested: RFC 8785 writes `1e+21`, where others write `1e21`.
fn canonical(number: &Number) -> String {
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
            "odd": "⟨U+001B⟩⟨U+0009⟩",
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

    #[test]
    fn no_mark_sits_on_what_is_the_pages_own() {
        // [TEXT-002]
        let shown = |value: Value| text(&value, &Secrets::new());
        assert_eq!(shown(json!("\u{338}x")), "\"⟨U+0338⟩x\"\n");
        assert_eq!(shown(json!("a\u{338}x")), "\"a\u{338}x\"\n");
        assert_eq!(shown(json!("\"\u{338}\\\u{338}")), "\"\\\"\u{338}\\\\\u{338}\"\n");
        assert_eq!(shown(json!({ "\u{338}": 1 })), "{\n  \"⟨U+0338⟩\": 1\n}\n");
        assert_eq!(shown(json!("a\n\u{338}b")), "  \"a\\n\"\n  \"⟨U+0338⟩b\"\n");
        assert_eq!(compact(&json!("a\n\u{338}b ")).text(), "\"a\\n⟨U+0338⟩b \"");
        let value = json!({ "a": ["\u{301}", 1e21, null, true, {}], "\u{301}": false });
        assert_eq!(compact(&value).text(), "{\"a\":[\"⟨U+0301⟩\",1e+21,null,true,{}],\"⟨U+0301⟩\":false}");
    }

    proptest! {
        #[test]
        fn a_short_text_is_shown_as_a_long_one_is(text in "[ -~\u{301}\u{202e}é]{0,45}") {
            // [TEXT-002, TEXT-003]
            let shown = lines(&json!([text]), &Secrets::new());
            let line = shown.all().nth(1).map(super::super::shown::Line::to_shown).unwrap();
            let mut long = Shown::default();
            long.push_own_spaces(2);
            long.push_quoted(&text);
            prop_assert_eq!(line, long);
        }
    }
}
