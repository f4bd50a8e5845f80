//! Text of others, made safe to look at: what can't be seen, or makes other characters look different, is named instead.
//!
//! A page that shows text as it is can be made to show another plan than the one whose digest is approved: a bidirectional
//! control turns `exe.txt` around, a zero-width space hides a difference, a tag character hides a sentence, a flood of
//! combining marks paints over the line above. Here every character that isn't plainly visible becomes a mark, `⟨U+202E⟩`, in
//! a style that no text can have. Nothing is dropped: the text can be read back from what is shown. [TEXT-001] [TEXT-004]

use askama::Template;
use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory, WhiteSpace};
use icu_properties::{CodePointMapData, CodePointSetData};

/// Marks on one base character that are drawn; more are named. Few languages need more than two.
const MARKS_DRAWN: usize = 2;

/// Spaces in a row that are drawn; more are counted, so that they can't push a text out of sight.
const SPACES_DRAWN: usize = 40;

/// A text in which nothing is hidden.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Template)]
#[template(path = "shown.html")]
pub(crate) struct Shown {
    parts: Vec<Part>,
}

// Its template escapes each part.
impl askama::filters::HtmlSafe for Shown {}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Part {
    /// A character that can't be seen, or a run of it, by its code point.
    Mark(String),
    /// As it is.
    Plain(String),
    /// The page's own words, such as those in place of a secret: no text of others can imitate them.
    Words(&'static str),
}

impl Shown {
    /// A text on one line: line breaks are named too.
    pub(crate) fn line(text: &str) -> Self {
        Self::with_breaks(text, false)
    }

    /// A text in which line breaks break the line.
    pub(crate) fn prose(text: &str) -> Self {
        Self::with_breaks(text, true)
    }

    /// The page's own words, such as what stands in place of a secret.
    pub(crate) fn words(words: &'static str) -> Self {
        Self { parts: vec![Part::Words(words)] }
    }

    /// The page's own spaces.
    pub(crate) fn indent(by: usize) -> Self {
        Self { parts: if by == 0 { Vec::new() } else { vec![Part::Plain(" ".repeat(by))] } }
    }

    /// This, and then that.
    pub(crate) fn and(mut self, more: Self) -> Self {
        for part in more.parts {
            match (self.parts.last_mut(), part) {
                (Some(Part::Plain(last)), Part::Plain(text)) => last.push_str(&text),
                (_, part) => self.parts.push(part),
            }
        }
        self
    }

    /// At most `limit` characters, and what is left beyond them. A mark counts as one.
    pub(crate) fn split(mut self, limit: usize) -> (Self, Self) {
        let mut left = limit;
        let mut at = 0;
        for (number, part) in self.parts.iter_mut().enumerate() {
            let length = part.length();
            if length <= left {
                left -= length;
                at = number + 1;
                continue;
            }
            let rest = part.split_off(left);
            let mut after = self.parts.split_off(number + 1);
            after.insert(0, rest);
            self.parts.retain(|part| part.length() > 0);
            return (self, Self { parts: after });
        }
        let after = self.parts.split_off(at);
        (self, Self { parts: after })
    }

    /// How many characters it is long. A mark counts as one.
    pub(crate) fn length(&self) -> usize {
        self.parts.iter().map(Part::length).sum()
    }

    /// The words and marks, without their style.
    pub(crate) fn text(&self) -> String {
        self.parts.iter().map(Part::as_str).collect()
    }

    fn with_breaks(text: &str, breaks: bool) -> Self {
        let mut shown = Self::default();
        let mut rest = text.chars().peekable();
        // Marks on what is no base are not drawn either: they would sit on what the page says before them.
        let mut marks = MARKS_DRAWN;
        while let Some(c) = rest.next() {
            let is_mark = is_combining(c);
            let is_base = !is_mark && c != ' ' && is_plain(c);
            marks = if is_mark {
                marks + 1
            } else if is_base {
                0
            } else {
                MARKS_DRAWN
            };
            match c {
                ' ' => {
                    let mut run = 1;
                    while rest.next_if_eq(&' ').is_some() {
                        run += 1;
                    }
                    shown.spaces(run, rest.peek().is_none_or(|next| breaks && *next == '\n'));
                }
                '\n' if breaks => shown.plain('\n'),
                '\t' => shown.mark("⇥".to_owned()),
                c if is_base => shown.plain(c),
                c if is_mark && marks <= MARKS_DRAWN && is_plain(c) => shown.plain(c),
                c => shown.mark(name(c)),
            }
        }
        shown
    }

    /// Spaces at the end of a line, and more than anybody needs, would not be seen. [TEXT-003]
    fn spaces(&mut self, run: usize, at_end: bool) {
        match (run, at_end) {
            (1, true) => self.mark(name(' ')),
            (_, true) => self.mark(format!("⟨U+0020 ×{run}⟩")),
            (_, false) if run > SPACES_DRAWN => self.mark(format!("⟨U+0020 ×{run}⟩")),
            (_, false) => (0..run).for_each(|_| self.plain(' ')),
        }
    }

    fn plain(&mut self, c: char) {
        match self.parts.last_mut() {
            Some(Part::Plain(text)) => text.push(c),
            _ => self.parts.push(Part::Plain(c.into())),
        }
    }

    fn mark(&mut self, text: String) {
        self.parts.push(Part::Mark(text));
    }
}

impl Part {
    fn length(&self) -> usize {
        match self {
            Self::Mark(_) | Self::Words(_) => 1,
            Self::Plain(text) => text.chars().count(),
        }
    }

    /// What is beyond so many characters. Only plain text is divided; of anything else all is beyond.
    fn split_off(&mut self, characters: usize) -> Self {
        match self {
            Self::Plain(text) => {
                let at = text.char_indices().nth(characters).map_or(text.len(), |(at, _)| at);
                Self::Plain(text.split_off(at))
            }
            whole => std::mem::replace(whole, Self::Plain(String::new())),
        }
    }

    fn as_str(&self) -> &str {
        match self {
            Self::Mark(text) | Self::Plain(text) => text,
            Self::Words(words) => words,
        }
    }
}

fn name(c: char) -> String {
    format!("⟨U+{:04X}⟩", u32::from(c))
}

fn is_combining(c: char) -> bool {
    use GeneralCategory as Category;
    let category = CodePointMapData::<GeneralCategory>::new().get(c);
    matches!(category, Category::NonspacingMark | Category::EnclosingMark | Category::SpacingMark)
}

/// Whether the character is drawn and draws over no other, takes no part in the text's direction, and isn't one that marks
/// are written with. [TEXT-002]
pub(super) fn is_plain(c: char) -> bool {
    use GeneralCategory as Category;
    if c == ' ' || c.is_ascii_graphic() {
        return true;
    }
    let category = CodePointMapData::<GeneralCategory>::new().get(c);
    let unseen = matches!(
        category,
        Category::Control
            | Category::EnclosingMark
            | Category::Format
            | Category::LineSeparator
            | Category::ParagraphSeparator
            | Category::PrivateUse
            | Category::SpaceSeparator
            | Category::Surrogate
            | Category::Unassigned
    );
    // U+2800 is a letter of Braille without a dot; the last three are what marks are written with.
    let taken = matches!(c, '\u{2800}' | '⟨' | '⟩' | '⇥');
    !unseen
        && !taken
        && !CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
        && !CodePointSetData::new::<WhiteSpace>().contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reads the text back: what is shown is all there is.
    fn unmarked(shown: &str) -> String {
        let mut text = String::new();
        let mut rest = shown;
        while let Some(c) = rest.chars().next() {
            rest = &rest[c.len_utf8()..];
            match c {
                '⇥' => text.push('\t'),
                '⟨' => {
                    let (mark, after) = rest.split_once('⟩').unwrap();
                    let (code, times) = mark.split_once(" ×").unwrap_or((mark, "1"));
                    let code = u32::from_str_radix(code.strip_prefix("U+").unwrap(), 16).unwrap();
                    (0..times.parse::<usize>().unwrap()).for_each(|_| text.push(char::from_u32(code).unwrap()));
                    rest = after;
                }
                c => text.push(c),
            }
        }
        text
    }

    fn plain_text(shown: &Shown) -> String {
        shown.parts.iter().filter(|part| matches!(part, Part::Plain(_))).map(Part::as_str).collect()
    }

    #[test]
    fn hostile_characters_are_named() {
        // [TEXT-002, TEXT-003]
        for (text, shown) in [
            ("evil\u{202e}txt.exe", "evil⟨U+202E⟩txt.exe"),
            ("a\u{200b}b", "a⟨U+200B⟩b"),
            ("\u{1b}[31mred", "⟨U+001B⟩[31mred"),
            ("line\u{2028}break\u{2029}", "line⟨U+2028⟩break⟨U+2029⟩"),
            ("\u{e000}", "⟨U+E000⟩"),
            ("a\u{e0061}\u{e007f}", "a⟨U+E0061⟩⟨U+E007F⟩"),
            ("a\u{fe0f}\u{e0100}", "a⟨U+FE0F⟩⟨U+E0100⟩"),
            ("a\u{a0}b\u{3000}c\u{2800}", "a⟨U+00A0⟩b⟨U+3000⟩c⟨U+2800⟩"),
            ("z\u{301}\u{302}\u{303}\u{304}", "z\u{301}\u{302}⟨U+0303⟩⟨U+0304⟩"),
            ("\u{600}\u{6dd}\u{fff9}x\u{fffb}", "⟨U+0600⟩⟨U+06DD⟩⟨U+FFF9⟩x⟨U+FFFB⟩"),
            ("a\u{20dd}", "a⟨U+20DD⟩"),
            ("\u{3164}\u{115f}\u{34f}", "⟨U+3164⟩⟨U+115F⟩⟨U+034F⟩"),
            ("a\tb\r\n", "a⇥b⟨U+000D⟩⟨U+000A⟩"),
            ("⟨U+202E⟩", "⟨U+27E8⟩U+202E⟨U+27E9⟩"),
            ("a ", "a⟨U+0020⟩"),
            ("\u{fdd0}\u{10ffff}", "⟨U+FDD0⟩⟨U+10FFFF⟩"),
            ("\u{301}a \u{301}\u{200b}\u{301}", "⟨U+0301⟩a ⟨U+0301⟩⟨U+200B⟩⟨U+0301⟩"),
            ("grüße, 你好, שלום", "grüße, 你好, שלום"),
        ] {
            assert_eq!(Shown::line(text).text(), shown);
        }
        assert_eq!(Shown::line(&format!("a{}b", " ".repeat(41))).text(), "a⟨U+0020 ×41⟩b");
        assert_eq!(Shown::prose("a \nb").text(), "a⟨U+0020⟩\nb");
    }

    #[test]
    fn markup_is_text() {
        // [TEXT-001]
        let html = Shown::line("<script>alert('1')</script>&amp;").to_string();
        assert!(!html.contains('<'), "{html}");
        assert_eq!(Shown::line("a\u{202e}b").to_string(), "a<span class=\"mark\">⟨U+202E⟩</span>b");
    }

    proptest! {
        #[test]
        fn nothing_is_hidden_and_nothing_is_lost(text in hostile(), breaks: bool) {
            // [TEXT-002, TEXT-004]
            let shown = Shown::with_breaks(&text, breaks);
            prop_assert_eq!(unmarked(&shown.text()), text);
            let plain = plain_text(&shown);
            for c in plain.chars() {
                prop_assert!(is_plain(c) || (breaks && c == '\n'), "U+{:04X} is shown as it is", u32::from(c));
                prop_assert!(!c.is_control() || c == '\n');
            }
        }

        #[test]
        fn what_is_split_is_whole(text in hostile(), limit in 0usize..80) {
            let whole = Shown::line(&text);
            let (head, rest) = whole.clone().split(limit);
            prop_assert_eq!(head.text() + &rest.text(), whole.text());
            prop_assert_eq!(head.length(), whole.length().min(limit));
        }

        #[test]
        fn marks_never_flood(count in 0usize..200) {
            // [TEXT-002]
            let shown = Shown::line(&format!("a{}", "\u{301}".repeat(count)));
            prop_assert_eq!(plain_text(&shown).chars().count(), 1 + count.min(MARKS_DRAWN));
        }
    }

    fn hostile() -> impl Strategy<Value = String> {
        let c = prop_oneof![
            any::<char>(),
            prop::sample::select(vec![
                ' ',
                '\n',
                '\t',
                '\r',
                '⟨',
                '⟩',
                '⇥',
                '×',
                '\u{202e}',
                '\u{2066}',
                '\u{200b}',
                '\u{301}',
                '\u{489}',
                '\u{fe0f}',
                '\u{e0041}',
                '\u{feff}',
                '\u{85}',
                'a',
                '<',
                '&',
            ]),
        ];
        prop::collection::vec(c, 0..60).prop_map(String::from_iter)
    }
}
