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
pub(super) const SPACES_DRAWN: usize = 40;

/// A text in which nothing is hidden.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Template)]
#[template(path = "shown.html")]
pub(crate) struct Shown {
    /// All of it, marks and words included. A page has thousands of lines, and hardly any has a mark in it: so a text is one
    /// piece, and where its marks are stands beside it.
    text: String,
    spans: Vec<Span>,
}

// Its template escapes each part.
impl askama::filters::HtmlSafe for Shown {}

/// A text in which nothing is hidden, that is kept elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Line<'a> {
    pub(super) text: &'a str,
    pub(super) spans: &'a [Span],
}

/// A part of a text that is not as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Span {
    kind: Kind,
    start: usize,
    end: usize,
}

/// Where a text's lines end.
#[derive(Clone, Copy, Debug)]
struct Ends {
    /// At its line breaks.
    breaks: bool,
    /// With the text: nothing follows.
    here: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Kind {
    /// A character that can't be seen, or a run of it, by its code point.
    Mark,
    /// As it is.
    Plain,
    /// The page's own words, such as those in place of a secret: no text of others can imitate them.
    Words,
}

impl Shown {
    /// A text on one line: line breaks are named too.
    pub(crate) fn line(text: &str) -> Self {
        let mut shown = Self::default();
        shown.push_line(text);
        shown
    }

    /// A text in which line breaks break the line.
    pub(crate) fn prose(text: &str) -> Self {
        let mut shown = Self::default();
        shown.push(text, Ends { breaks: true, here: true });
        shown
    }

    /// The page's own words, such as what stands in place of a secret.
    pub(crate) fn words(words: &'static str) -> Self {
        let mut shown = Self::default();
        shown.push_words(words);
        shown
    }

    /// Nothing, in the room that it has.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.spans.clear();
    }

    /// The page's own spaces.
    pub(super) fn push_own_spaces(&mut self, count: usize) {
        push_spaces(&mut self.text, count);
    }

    /// More on the same line.
    pub(crate) fn push_line(&mut self, text: &str) {
        self.push(text, Ends { breaks: false, here: true });
    }

    /// More on the same line, as a text of JSON. No mark in it sits on a quotation mark, or on a line break's `n`, that is the
    /// page's own. [TEXT-002]
    pub(crate) fn push_quoted(&mut self, text: &str) {
        let within = Ends { breaks: false, here: false };
        self.text.push('"');
        for (number, piece) in text.split('\n').enumerate() {
            if number > 0 {
                self.text.push_str("\\n");
            }
            if piece.contains(['\\', '"']) {
                self.push(&piece.replace('\\', "\\\\").replace('"', "\\\""), within);
            } else {
                self.push(piece, within);
            }
        }
        self.text.push('"');
    }

    /// More that is the page's own, and needs no mark wherever it stands: the space behind a member's colon.
    pub(crate) fn push_own(&mut self, text: &'static str) {
        self.text.push_str(text);
    }

    /// More of the page's own words.
    pub(crate) fn push_words(&mut self, words: &'static str) {
        self.span(Kind::Words, words);
    }

    /// At most so many characters on so many lines, and what is left beyond them. A mark counts as one.
    pub(crate) fn split(mut self, characters: usize, lines: usize) -> (Self, Self) {
        let by_lines = self.text.match_indices('\n').nth(lines.saturating_sub(1)).map(|(at, _)| at + 1);
        let cut = [self.end_of(characters), by_lines].into_iter().flatten().min();
        let Some(cut) = cut else { return (self, Self::default()) };
        let text = self.text.split_off(cut);
        let (spans, beyond) = std::mem::take(&mut self.spans).into_iter().partition(|span| span.start < cut);
        self.spans = spans;
        let beyond: Vec<Span> = beyond;
        let spans = beyond.into_iter().map(|span| span.moved(|at| at - cut)).collect();
        (self, Self { text, spans })
    }

    /// Where so many characters end, if there are more.
    fn end_of(&self, characters: usize) -> Option<usize> {
        // No text has more characters than bytes.
        if self.text.len() <= characters {
            return None;
        }
        let mut left = characters;
        for (kind, start, end) in self.as_line().pieces() {
            let piece = self.text.get(start..end).unwrap_or_default();
            let length = if kind == Kind::Plain { piece.chars().count() } else { 1 };
            if length <= left {
                left -= length;
                continue;
            }
            // Only plain text is divided; of anything else all is beyond.
            let within = if kind == Kind::Plain { piece.char_indices().nth(left).map_or(0, |(at, _)| at) } else { 0 };
            return Some(start + within);
        }
        None
    }

    /// How many characters it is long. A mark counts as one.
    pub(crate) fn length(&self) -> usize {
        let length = |(kind, start, end)| match kind {
            Kind::Plain => self.text.get(start..end).unwrap_or_default().chars().count(),
            Kind::Mark | Kind::Words => 1,
        };
        self.as_line().pieces().map(length).sum()
    }

    /// The words and marks, without their style.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    pub(super) fn as_line(&self) -> Line<'_> {
        Line { text: &self.text, spans: &self.spans }
    }

    /// The parts, each of one kind.
    fn parts(&self) -> impl Iterator<Item = (Kind, &str)> {
        self.as_line().parts()
    }

    fn push(&mut self, text: &str, ends: Ends) {
        // Most texts are short words.
        if is_short_ascii(text) && !(ends.here && text.ends_with(' ')) {
            return self.text.push_str(text);
        }
        let mut rest = text;
        // Marks on what is no base are not drawn either: they would sit on what the page says before them.
        let mut marks = MARKS_DRAWN;
        loop {
            // Most of what there is to show is ASCII.
            let plain = rest.bytes().position(|byte| !byte.is_ascii_graphic()).unwrap_or(rest.len());
            if plain > 0 {
                let (graphic, more) = rest.split_at(plain);
                self.text.push_str(graphic);
                (rest, marks) = (more, 0);
            }
            let mut chars = rest.chars();
            let Some(c) = chars.next() else { return };
            rest = chars.as_str();
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
                    let more = rest.trim_start_matches(' ');
                    let run = 1 + rest.len() - more.len();
                    rest = more;
                    self.spaces(run, ends.here && rest.is_empty() || ends.breaks && rest.starts_with('\n'));
                }
                '\n' if ends.breaks => self.text.push('\n'),
                c if is_base => self.text.push(c),
                c if is_mark && marks <= MARKS_DRAWN && is_plain(c) => self.text.push(c),
                c => self.span(Kind::Mark, &name(c)),
            }
        }
    }

    /// Spaces at the end of a line, and more than anybody needs, would not be seen. [TEXT-003]
    fn spaces(&mut self, run: usize, at_end: bool) {
        match (run, at_end) {
            (1, true) => self.span(Kind::Mark, &name(' ')),
            (_, true) => self.span(Kind::Mark, &format!("⟨U+0020 ×{run}⟩")),
            (_, false) if run > SPACES_DRAWN => self.span(Kind::Mark, &format!("⟨U+0020 ×{run}⟩")),
            (_, false) => (0..run).for_each(|_| self.text.push(' ')),
        }
    }

    fn span(&mut self, kind: Kind, text: &str) {
        let start = self.text.len();
        self.text.push_str(text);
        self.spans.push(Span { kind, start, end: self.text.len() });
    }
}

/// Whether nothing in a text can need a mark, but for a space at its end: so few characters that spaces are no flood.
fn is_short_ascii(text: &str) -> bool {
    text.len() <= SPACES_DRAWN && text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

pub(super) fn push_spaces(text: &mut String, count: usize) {
    const SPACES: &str = "                                ";
    match SPACES.get(..count) {
        Some(spaces) => text.push_str(spaces),
        None => text.extend(std::iter::repeat_n(' ', count)),
    }
}

impl<'a> Line<'a> {
    pub(super) fn to_shown(self) -> Shown {
        Shown { text: self.text.to_owned(), spans: self.spans.to_vec() }
    }

    /// Appends it as the content of an element.
    pub(super) fn push_html(self, html: &mut String) {
        for (kind, text) in self.parts() {
            let class = match kind {
                Kind::Mark => "mark",
                Kind::Plain => {
                    push_content(html, text);
                    continue;
                }
                Kind::Words => "words",
            };
            html.push_str("<span class=\"");
            html.push_str(class);
            html.push_str("\">");
            push_content(html, text);
            html.push_str("</span>");
        }
    }

    fn pieces(self) -> Pieces<'a> {
        Pieces { length: self.text.len(), spans: self.spans, at: 0 }
    }

    /// The parts, each of one kind.
    fn parts(self) -> impl Iterator<Item = (Kind, &'a str)> {
        self.pieces().map(move |(kind, start, end)| (kind, self.text.get(start..end).unwrap_or_default()))
    }
}

/// Appends a text in which nothing begins a tag or a character reference. Quotation marks would end an attribute's value, but
/// no element's content. [TEXT-001]
fn push_content(html: &mut String, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| matches!(byte, b'&' | b'<' | b'>')) {
        let (before, from) = rest.split_at(at);
        html.push_str(before);
        let mut from = from.chars();
        html.push_str(match from.next() {
            Some('&') => "&amp;",
            Some('<') => "&lt;",
            _ => "&gt;",
        });
        rest = from.as_str();
    }
    html.push_str(rest);
}

/// Where the parts of a text are.
struct Pieces<'a> {
    length: usize,
    spans: &'a [Span],
    at: usize,
}

impl Iterator for Pieces<'_> {
    type Item = (Kind, usize, usize);

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.at;
        let (kind, end) = match self.spans.split_first() {
            Some((span, rest)) if span.start == start => {
                self.spans = rest;
                (span.kind, span.end)
            }
            Some((span, _)) => (Kind::Plain, span.start),
            None if start < self.length => (Kind::Plain, self.length),
            None => return None,
        };
        self.at = end;
        Some((kind, start, end))
    }
}

impl Span {
    fn moved(self, to: impl Fn(usize) -> usize) -> Self {
        Self { kind: self.kind, start: to(self.start), end: to(self.end) }
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
    // U+2800 is a letter of Braille without a dot; the last two are what marks are written with.
    let taken = matches!(c, '\u{2800}' | '⟨' | '⟩');
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
        shown.parts().filter(|(kind, _)| *kind == Kind::Plain).map(|(_, text)| text).collect()
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
            ("a\tb\r\n", "a⟨U+0009⟩b⟨U+000D⟩⟨U+000A⟩"),
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
        let mut html = String::new();
        Shown::line("<b>\u{202e}</b>&amp; \"'").as_line().push_html(&mut html);
        assert_eq!(html, "&lt;b&gt;<span class=\"mark\">⟨U+202E⟩</span>&lt;/b&gt;&amp;amp; \"'");
    }

    proptest! {
        #[test]
        fn a_line_is_written_as_its_template_writes_it(text in hostile()) {
            // [TEXT-001]
            let (shown, mut html) = (Shown::line(&text), String::new());
            shown.as_line().push_html(&mut html);
            prop_assert_eq!(html, shown.to_string().replace("&#34;", "\"").replace("&#39;", "'").replace("&#60;", "&lt;").replace("&#62;", "&gt;").replace("&#38;", "&amp;"));
        }

        #[test]
        fn nothing_is_hidden_and_nothing_is_lost(text in hostile(), breaks: bool) {
            // [TEXT-002, TEXT-004]
            let shown = if breaks { Shown::prose(&text) } else { Shown::line(&text) };
            prop_assert_eq!(unmarked(shown.text()), text);
            let plain = plain_text(&shown);
            for c in plain.chars() {
                prop_assert!(is_plain(c) || (breaks && c == '\n'), "U+{:04X} is shown as it is", u32::from(c));
                prop_assert!(!c.is_control() || c == '\n');
            }
        }

        #[test]
        fn what_is_split_is_whole(text in hostile(), limit in 0usize..80) {
            let whole = Shown::line(&text);
            let (head, rest) = whole.clone().split(limit, usize::MAX);
            prop_assert_eq!(head.text().to_owned() + rest.text(), whole.text());
            prop_assert_eq!(head.to_string() + &rest.to_string(), whole.to_string());
            prop_assert_eq!(head.length(), whole.length().min(limit));
        }

        #[test]
        fn what_is_split_by_lines_is_whole(text in "[a\u{301} \n]{0,40}", limit in 0usize..40, lines in 1usize..9) {
            let whole = Shown::prose(&text);
            let (head, rest) = whole.clone().split(limit, lines);
            prop_assert_eq!(head.text().to_owned() + rest.text(), whole.text());
            prop_assert!(head.length() <= limit && head.text().matches('\n').count() <= lines);
            let (by_lines, _) = whole.clone().split(usize::MAX, lines);
            let (by_characters, _) = whole.split(limit, usize::MAX);
            prop_assert_eq!(head.length(), by_lines.length().min(by_characters.length()));
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
