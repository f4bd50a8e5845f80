//! Text of others, of which nothing is hidden. It is escaped by the templates, as everything is that they are given. [TEXT-001]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory as Category, Script};
use icu_properties::{CodePointMapData, CodePointSetData, PropertyNamesLong};
use serde_json::Value;

/// Spaces in a row that are shown as they are. [TEXT-003]
const SPACES: usize = 40;

/// A text in which what can't be seen stands between `⟨` and `⟩`. No text can imitate that, since these two are never shown as they
/// are; and nothing is dropped, so that the text can be read back. [TEXT-002] [TEXT-004]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown(String);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Shown {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// The page's own words in place of a text.
pub(crate) fn words(words: &str) -> Shown {
    Shown(format!("⟨{words}⟩"))
}

/// A text on one line.
pub(crate) fn line(text: &str) -> Shown {
    let (mut shown, mut rest) = (String::new(), text);
    while let Some(c) = rest.chars().next() {
        let run = rest.len() - rest.trim_start_matches(' ').len();
        let (these, more) = rest.split_at(run.max(c.len_utf8()));
        if run == rest.len() || run > SPACES {
            shown.push_str(&format!("⟨U+0020 ×{run}⟩"));
        } else if run > 0 || is_plain(c) {
            shown.push_str(these);
        } else {
            shown.push_str(&format!("⟨U+{:04X}⟩", u32::from(c)));
        }
        rest = more;
    }
    Shown(shown)
}

/// A text whose line breaks are line breaks.
pub(crate) fn lines(text: &str) -> Shown {
    let lines: Vec<_> = text.split('\n').map(|text| line(text).0).collect();
    Shown(lines.join("\n"))
}

/// A name, and beside it what its letters are where they aren't ASCII: a Cyrillic `а` looks like a Latin one. [TEXT-005]
pub(crate) fn name(name: &str) -> Shown {
    let foreign: BTreeSet<char> = name.chars().filter(|c| !c.is_ascii()).collect();
    if foreign.is_empty() {
        return line(name);
    }
    let points: Vec<_> = foreign.iter().map(|c| format!("U+{:04X}", u32::from(*c))).collect();
    let scripts = name.chars().map(|c| CodePointMapData::<Script>::new().get(c));
    let shared = [Script::Common, Script::Inherited, Script::Unknown];
    let scripts = scripts.filter(|script| !shared.contains(script));
    let scripts: BTreeSet<_> = scripts.filter_map(|script| PropertyNamesLong::<Script>::new().get(script)).collect();
    let scripts: Vec<_> = scripts.into_iter().collect();
    let mixed =
        if scripts.len() > 1 { format!("; scripts are mixed: {}", scripts.join(" and ")) } else { String::new() };
    Shown(format!("{} ⟨not ASCII: {}{mixed}⟩", line(name), points.join(" ")))
}

/// A JSON value as it is digested, laid out on lines. `secrets` says what stands in place of the commitments at these places.
pub(crate) fn json(value: &Value, secrets: &BTreeMap<String, &str>) -> Shown {
    let mut shown = String::new();
    lay_out(value, "", 0, secrets, &mut shown);
    Shown(shown)
}

fn lay_out(value: &Value, pointer: &str, depth: usize, secrets: &BTreeMap<String, &str>, shown: &mut String) {
    let mut inside = |brackets: [char; 2], items: Vec<(String, String, &Value)>| {
        shown.push(brackets[0]);
        let count = items.len();
        for (number, (label, step, item)) in items.into_iter().enumerate() {
            shown.push_str(&format!("\n{:1$}{label}", "", 2 * depth + 2));
            lay_out(item, &format!("{pointer}/{step}"), depth + 1, secrets, shown);
            shown.push_str(if number + 1 < count { "," } else { "" });
        }
        shown.push_str(&format!("\n{:1$}{2}", "", 2 * depth, brackets[1]));
    };
    match value {
        _ if secrets.contains_key(pointer) => {
            shown.push_str(&words(secrets.get(pointer).copied().unwrap_or_default()).0);
        }
        Value::Array(items) if !items.is_empty() => {
            let items = items.iter().enumerate().map(|(at, item)| (String::new(), at.to_string(), item));
            inside(['[', ']'], items.collect());
        }
        Value::Object(members) if !members.is_empty() => {
            let step = |name: &str| name.replace('~', "~0").replace('/', "~1");
            let label = |name: &str| format!("{}: ", line(&Value::from(name).to_string()));
            inside(['{', '}'], members.iter().map(|(name, item)| (label(name), step(name), item)).collect());
        }
        // JSON writes a text on one line.
        scalar => shown.push_str(&line(&scalar.to_string()).0),
    }
}

/// A character that is drawn, by itself, as what it is. Stricter than it has to be: marks that combine and pictures are named too.
fn is_plain(c: char) -> bool {
    let category = CodePointMapData::<Category>::new().get(c);
    let drawn = matches!(
        category,
        Category::UppercaseLetter
            | Category::LowercaseLetter
            | Category::TitlecaseLetter
            | Category::OtherLetter
            | Category::DecimalNumber
            | Category::ConnectorPunctuation
            | Category::DashPunctuation
            | Category::OpenPunctuation
            | Category::ClosePunctuation
            | Category::InitialPunctuation
            | Category::FinalPunctuation
            | Category::OtherPunctuation
            | Category::CurrencySymbol
            | Category::MathSymbol
    );
    let is_ignorable = CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c);
    c.is_ascii_graphic() || drawn && !is_ignorable && !matches!(c, '⟨' | '⟩')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_hidden() {
        assert_eq!(line("naïve 東京 x²").0, "naïve 東京 x⟨U+00B2⟩");
        assert_eq!(line("a\u{202e}b\u{200b}\n\u{7f}\u{3164}").0, "a⟨U+202E⟩b⟨U+200B⟩⟨U+000A⟩⟨U+007F⟩⟨U+3164⟩");
        assert_eq!(line("⟨U+202E⟩").0, "⟨U+27E8⟩U+202E⟨U+27E9⟩");
        assert_eq!(line("a  b ").0, "a  b⟨U+0020 ×1⟩");
        assert_eq!(line(&" ".repeat(41)).0, "⟨U+0020 ×41⟩");
        assert_eq!(lines("a \n\tb").0, "a⟨U+0020 ×1⟩\n⟨U+0009⟩b");
        assert_eq!(name("pr\u{43e}d").0, "pr\u{43e}d ⟨not ASCII: U+043E; scripts are mixed: Cyrillic and Latin⟩");
    }

    #[test]
    fn a_document_is_laid_out_and_its_secrets_are_words() {
        let value =
            serde_json::json!({ "a/b": [1, { "\u{202e}": "x\ny" }], "c": {}, "token": { "$secret": "sha256:0" } });
        let secrets = BTreeMap::from([("/token".to_owned(), "secret: added"), ("/a~1b/0".to_owned(), "secret: set")]);
        let shown = "{\n  \"a/b\": [\n    ⟨secret: set⟩,\n    {\n      \"⟨U+202E⟩\": \"x\\ny\"\n    }\n  ],\n  \"c\": {},\n  \
                     \"token\": ⟨secret: added⟩\n}";
        assert_eq!(json(&value, &secrets).0, shown);
        assert_eq!(json(&Value::Null, &BTreeMap::new()).0, "null");
    }
}
