//! Characters that a text may not hold as they are.

use super::error::{Fault, ManifestError};

const CONTROL: &str = "is a control character: write it as an escape in double quotes";
const LINE: &str = "ends a line for some readers and not for others: write it as an escape in double quotes";
const MARK: &str = "is a byte-order mark: leave it out";
/// Also where it is an escape.
pub(super) const NUL: &str = "ends a text for some readers";
const RETURN: &str = "without a line feed ends a line for some readers and not for others";

/// Refuses the first such character. It is looked for before documents are, so the document counts by separators.
pub(super) fn check(text: &str) -> Result<(), ManifestError> {
    let mut rest = text.chars().peekable();
    let mut line = 1;
    while let Some(character) = rest.next() {
        let why = match character {
            '\n' => {
                line += 1;
                continue;
            }
            '\0' => NUL,
            '\r' if rest.peek() != Some(&'\n') => RETURN,
            '\t' | '\r' => continue,
            '\u{85}' | '\u{2028}' | '\u{2029}' => LINE,
            '\u{feff}' => MARK,
            _ if character.is_control() => CONTROL,
            _ => continue,
        };
        return Err(ManifestError::new(document_at(text, line), line, Fault::Character { character, why }));
    }
    Ok(())
}

/// The document of a line, where the text couldn't be parsed.
fn document_at(text: &str, line: usize) -> usize {
    let separators = text.lines().take(line).skip(1).filter(|line| line.starts_with("---")).count();
    separators + 1
}
