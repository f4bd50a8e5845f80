//! A name of something: shown so that no other name looks like it. [TEXT-005]

use std::collections::BTreeSet;

use askama::Template;
use icu_properties::props::Script;
use icu_properties::{CodePointMapData, PropertyNamesLong};

use super::fold::Passage;
use super::shown::{Shown, is_plain};

/// Characters of a name that are shown before the rest is folded.
const LENGTH: usize = 300;

/// Code points that are named beside a name; of more the number is told.
const NAMED: usize = 8;

/// A name, and what its letters are where they aren't ASCII: a Cyrillic `а` looks like a Latin one.
#[derive(Clone, Debug, Template)]
#[template(path = "name.html")]
pub(crate) struct Name {
    passage: Passage,
    hint: Option<String>,
}

// Its template escapes.
impl askama::filters::HtmlSafe for Name {}

impl Name {
    pub(crate) fn new(name: &str) -> Self {
        Self { passage: Passage::folded(Shown::line(name), LENGTH), hint: hint(name) }
    }

    /// Whether a part of it is folded.
    pub(crate) fn is_folded(&self) -> bool {
        self.passage.is_folded()
    }
}

fn hint(name: &str) -> Option<String> {
    if name.is_ascii() {
        return None;
    }
    // What can't be seen is named in the name itself.
    let foreign: BTreeSet<char> = name.chars().filter(|c| !c.is_ascii() && is_plain(*c)).collect();
    if foreign.is_empty() {
        return None;
    }
    let scripts: BTreeSet<&str> = name.chars().filter_map(script).collect();
    let mixed = if scripts.len() > 1 {
        format!("letters of {} mixed: ", scripts.into_iter().collect::<Vec<_>>().join(" and "))
    } else {
        String::new()
    };
    let mut named: Vec<_> = foreign.iter().take(NAMED).map(|c| format!("U+{:04X}", u32::from(*c))).collect();
    if foreign.len() > NAMED {
        named.push(format!("and {} more", foreign.len() - NAMED));
    }
    Some(format!("{mixed}not ASCII: {}", named.join(" ")))
}

/// The script of a letter; none for digits, punctuation and marks, which all scripts share.
fn script(c: char) -> Option<&'static str> {
    match CodePointMapData::<Script>::new().get(c) {
        Script::Common | Script::Inherited | Script::Unknown => None,
        script => PropertyNamesLong::<Script>::new().get(script),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn look_alikes_are_told() {
        assert_eq!(hint("prod-cluster"), None);
        // [TEXT-005]
        assert_eq!(hint("pr\u{43e}d").as_deref(), Some("letters of Cyrillic and Latin mixed: not ASCII: U+043E"));
        assert_eq!(hint("a\u{202e}"), None);
        assert_eq!(hint("日本").as_deref(), Some("not ASCII: U+65E5 U+672C"));
        assert!(hint("αβγδεζηθικ").is_some_and(|hint| hint.ends_with("and 2 more")));
    }
}
