use std::fmt;

use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory};
use icu_properties::{CodePointMapData, CodePointSetData};

/// The longest piece of input that a text of ours repeats, in characters.
const MAX_QUOTED: usize = 80;

/// A piece of input in backticks, its invisible characters named and its length bounded.
pub(crate) fn quoted(text: &str) -> impl fmt::Display + use<> {
    quoted_up_to(text, MAX_QUOTED)
}

/// The same with a bound of one's own, in characters.
pub(crate) fn quoted_up_to(text: &str, most: usize) -> impl fmt::Display + use<> {
    let shown: String = text.chars().take(most).flat_map(shown).collect();
    let more = if text.chars().nth(most).is_some() { "…" } else { "" };
    format!("`{shown}{more}`")
}

/// A character as it can be seen, and no backtick, which would end the quotation.
fn shown(character: char) -> impl Iterator<Item = char> {
    let is_visible = !is_hidden(character) && !['`', '\\'].contains(&character);
    let escaped = (!is_visible).then(|| character.escape_unicode());
    let plain = is_visible.then_some(character);
    plain.into_iter().chain(escaped.into_iter().flatten())
}

/// Whether a character can't be seen, or changes how others look.
pub(crate) fn is_hidden(character: char) -> bool {
    if character.is_ascii() {
        return character.is_ascii_control();
    }
    let hidden = [
        GeneralCategory::Control,
        GeneralCategory::Format,
        GeneralCategory::LineSeparator,
        GeneralCategory::ParagraphSeparator,
        GeneralCategory::PrivateUse,
    ];
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(character)
        || hidden.contains(&CodePointMapData::<GeneralCategory>::new().get(character))
}
