//! Long values, folded: a count says how much there is, and all of it is there. [SHOW-007]

use askama::Template;

use super::shown::Shown;

/// Characters of one line that are shown before the rest is folded.
pub(crate) const LINE: usize = 2000;

/// Lines of a text between others that are shown before the rest is folded: blank ones push what follows out of sight too.
pub(crate) const PROSE: usize = 40;

/// Lines of one block that are shown before the rest is folded.
pub(crate) const BLOCK: usize = 200;

/// A text of which a long rest is folded.
#[derive(Clone, Debug, PartialEq, Eq, Template)]
#[template(path = "passage.html")]
pub(crate) struct Passage {
    head: Shown,
    rest: Option<Shown>,
}

// Its template escapes.
impl askama::filters::HtmlSafe for Passage {}

impl Passage {
    pub(crate) fn new(text: Shown) -> Self {
        Self::folded(text, LINE)
    }

    pub(crate) fn folded(text: Shown, limit: usize) -> Self {
        let (head, rest) = text.split(limit, PROSE);
        Self { head, rest: (!rest.is_empty()).then_some(rest) }
    }

    /// Whether something is folded.
    pub(crate) fn is_folded(&self) -> bool {
        self.rest.is_some()
    }
}

/// A number with its digits in threes: `9 980`.
pub(crate) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped() {
        assert_eq!(grouped(7), "7");
        assert_eq!(grouped(998_000), "998\u{202f}000");
        assert_eq!(grouped(1_234_567), "1\u{202f}234\u{202f}567");
    }

    #[test]
    fn many_lines_are_folded_however_short() {
        let prose = |lines: usize| Passage::new(Shown::prose(&("\n".repeat(lines) + "x")));
        assert!(!prose(PROSE - 1).is_folded());
        let passage = prose(PROSE + 1);
        assert!(passage.is_folded());
        let html = passage.to_string();
        let (shown, beyond) = html.split_once("… 2 more characters").unwrap();
        assert_eq!([shown, beyond].map(|part| part.matches('\n').count()), [PROSE, 1]);
    }

    #[test]
    fn all_of_a_long_text_is_there() {
        let passage = Passage::new(Shown::line(&"x".repeat(LINE + 1)));
        assert!(passage.is_folded());
        assert_eq!(passage.to_string().matches('x').count(), LINE + 1);
        assert!(!Passage::new(Shown::line(&"x".repeat(LINE))).is_folded());
    }
}
