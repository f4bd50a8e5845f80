//! Lines, and the difference between two lots of lines.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use askama::Template;
use similar::{Algorithm, DiffOp, capture_diff_slices_deadline};

use super::fold::grouped;
use super::lines::{LineSink, Lines};
use super::rows::{Fold, Rows, Side};
use super::shown::{Line, Shown};

/// Unchanged lines that are shown around a change.
const CONTEXT: usize = 3;

/// How long the smallest differences of one page are looked for. After that larger ones are shown: as true, less handy.
const PATIENCE: Duration = Duration::from_secs(1);

/// Until when small differences are looked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience(Instant);

impl Patience {
    /// For one page, beginning now.
    pub(crate) fn begin() -> Self {
        #[expect(clippy::disallowed_methods, reason = "bounds the work on a page, and decides nothing")]
        let now = Instant::now();
        Self(now + PATIENCE)
    }
}

/// Lines on a page, of which a long rest is folded.
#[derive(Clone, Debug, Template)]
#[template(path = "block.html")]
pub(crate) struct Block {
    html: Arc<String>,
    fold: Fold,
}

// Its rows are escaped already.
impl askama::filters::HtmlSafe for Block {}

impl Block {
    /// All lines on one side.
    pub(crate) fn of(side: Side, write: impl FnOnce(&mut Rows)) -> Self {
        let mut rows = Rows::on(side);
        write(&mut rows);
        Self::new(rows)
    }

    /// What is before and after, if anything, as lines: all of what is on one side only, the difference of what is on both.
    pub(crate) fn compare<T>(
        before: Option<T>,
        after: Option<T>,
        patience: Patience,
        write: impl Fn(T, &mut dyn LineSink),
    ) -> Self {
        let (side, alone) = match (before, after) {
            (Some(before), Some(after)) => {
                let [before, after] = [before, after].map(|value| {
                    let mut lines = Lines::default();
                    write(value, &mut lines);
                    lines
                });
                return Self::difference(&before, &after, patience);
            }
            (Some(before), None) => (Side::Before, Some(before)),
            (None, after) => (Side::After, after),
        };
        Self::of(side, |rows| {
            if let Some(value) = alone {
                write(value, rows);
            }
        })
    }

    /// What is on one side only, with a little of what is around it.
    fn difference(before: &Lines, after: &Lines, patience: Patience) -> Self {
        let (old, new): (Vec<_>, Vec<_>) = (before.all().collect(), after.all().collect());
        let operations = capture_diff_slices_deadline(Algorithm::Myers, &old, &new, Some(patience.0));
        let mut rows = Rows::on(Side::Both);
        for (number, operation) in operations.iter().enumerate() {
            match operation {
                DiffOp::Equal { .. } => {
                    let next = operations.get(number + 1).and_then(|next| match next {
                        DiffOp::Insert { new_index, .. } => new.get(*new_index),
                        next => old.get(next.old_range().start),
                    });
                    let unchanged = Unchanged { lines: &old, follows: number > 0, next: next.copied() };
                    unchanged.show(&mut rows, operation.old_range());
                }
                _ => {
                    push(&mut rows, Side::Before, &old, operation.old_range());
                    push(&mut rows, Side::After, &new, operation.new_range());
                }
            }
        }
        Self::new(rows)
    }

    fn new(rows: Rows) -> Self {
        let (html, fold) = rows.end();
        Self { html: Arc::new(html), fold }
    }

    /// What is before the fold.
    fn shown(&self) -> &str {
        if self.fold.beyond == 0 { &self.html } else { self.html.get(..self.fold.at).unwrap_or_default() }
    }

    /// What is beyond the fold, and how many lines that is.
    fn beyond(&self) -> Option<(&str, usize)> {
        (self.fold.beyond > 0).then(|| (self.html.get(self.fold.at..).unwrap_or_default(), self.fold.beyond))
    }

    /// Whether anything but unchanged lines is folded.
    pub(crate) fn is_folded(&self) -> bool {
        self.fold.beyond > 0 || self.fold.cut
    }

    /// Its lines, which stand on the page as they are here.
    pub(crate) fn html(&self) -> &Arc<String> {
        &self.html
    }
}

fn push(rows: &mut Rows, side: Side, lines: &[Line<'_>], range: Range<usize>) {
    rows.side = side;
    for line in lines.get(range).unwrap_or_default() {
        rows.push(*line);
    }
}

/// Unchanged lines: those near a change are shown, and those that the next change is within; the others are counted, and there
/// to be opened.
struct Unchanged<'a> {
    /// All lines before the change.
    lines: &'a [Line<'a>],
    /// Whether a change is before them.
    follows: bool,
    /// The first line of the change after them.
    next: Option<Line<'a>>,
}

impl Unchanged<'_> {
    fn show(&self, rows: &mut Rows, range: Range<usize>) {
        let head = if self.follows { range.start + CONTEXT } else { range.start };
        let tail = if self.next.is_some() { range.end.saturating_sub(CONTEXT) } else { range.end };
        let around = self.around(range.clone());
        let shown = range.clone().filter(|line| *line < head || *line >= tail || around.contains(line));
        let mut at = range.start;
        for line in shown.chain([range.end]) {
            match line - at {
                // To put one line away takes as much room as to show it.
                0 | 1 => push(rows, Side::Both, self.lines, at..line),
                _ => rows.put_away(self.lines.get(at..line).unwrap_or_default()),
            }
            push(rows, Side::Both, self.lines, line..range.end.min(line + 1));
            at = line + 1;
        }
    }

    /// The lines that the next change is within: before it, each less indented than the one after.
    fn around(&self, range: Range<usize>) -> BTreeSet<usize> {
        let mut around = BTreeSet::new();
        let Some(mut inner) = self.next.and_then(depth) else { return around };
        for (number, line) in range.clone().zip(self.lines.get(range).unwrap_or_default()).rev() {
            let Some(depth) = depth(*line).filter(|depth| *depth < inner) else { continue };
            inner = depth;
            // A bracket alone says nothing.
            if line.text.contains(char::is_alphanumeric) {
                around.insert(number);
            }
        }
        around
    }
}

/// How far a line is indented, unless it is blank. An item of a list in YAML stands deeper than the key above it, although it may be
/// written in the same column.
fn depth(line: Line<'_>) -> Option<usize> {
    const TAB: &str = "⟨U+0009⟩";
    let (mut rest, mut indent) = (line.text, 0);
    while let Some(more) = rest.strip_prefix(' ').or_else(|| rest.strip_prefix(TAB)) {
        (rest, indent) = (more, indent + 1);
    }
    (!rest.is_empty()).then_some(2 * indent + usize::from(rest.starts_with("- ")))
}

/// The lines of a text, with a note where it doesn't end as texts do.
pub(crate) fn text_lines(text: &str, lines: &mut dyn LineSink) {
    for line in text.split_inclusive('\n') {
        lines.push(Shown::line(line.strip_suffix('\n').unwrap_or(line)).as_line());
    }
    if !text.ends_with('\n') {
        lines.push(Shown::words("no line break at the end").as_line());
    }
}

#[cfg(test)]
mod tests {
    use super::super::fold::{BLOCK, LINE};
    use super::*;
    use proptest::prelude::*;

    fn lines(text: &str) -> Lines {
        let mut lines = Lines::default();
        text_lines(text, &mut lines);
        lines
    }

    fn difference(before: &str, after: &str) -> Block {
        Block::difference(&lines(before), &lines(after), Patience::begin())
    }

    /// The rows, each with its element; lines that are put away stand in one row.
    fn all(block: &Block) -> Vec<String> {
        let beyond = block.beyond().map_or("", |(beyond, _)| beyond);
        let (mut rows, mut rest) = (Vec::new(), [block.shown(), beyond].concat());
        while let Some((element, after)) = rest.strip_prefix('<').and_then(|rest| rest.split_once('>')) {
            let (tag, _) = element.split_once(' ').unwrap_or((element, ""));
            let (row, after) = after.split_once(&format!("</{tag}>")).unwrap();
            rows.push(match row.split_once("</summary>") {
                Some((_, lines)) => lines.replace("<div>", "|").replace("</div>", ""),
                None => format!("{tag} {row}"),
            });
            rest = after.to_owned();
        }
        assert_eq!(rest, "");
        rows
    }

    /// The rows as they are read, with a count where lines are put away.
    fn read(block: &Block) -> Vec<String> {
        let count = |row: String| if row.starts_with('|') { format!("… {}", row.matches('|').count()) } else { row };
        all(block).into_iter().map(count).collect()
    }

    #[test]
    fn a_missing_line_break_is_a_difference() {
        let rows = read(&difference("a\nb", "a\nb\n"));
        assert_eq!(rows, ["div a", "div b", "del <span class=\"words\">no line break at the end</span>"]);
    }

    #[test]
    fn a_change_is_shown_with_what_it_is_within() {
        // [SHOW-005]
        let filler = |indent: usize| (0..9).map(|n| format!("{}k{n}: v\n", " ".repeat(indent))).collect::<String>();
        let deployment = |image: &str| {
            let (top, spec) = (filler(0), filler(2));
            let inner = filler(4);
            format!("{top}spec:\n{spec}  containers:\n  - name: web\n{inner}    image: {image}\n{inner}status: x\n")
        };
        let rows = read(&difference(&deployment("a"), &deployment("b")));
        assert_eq!(
            rows,
            [
                "… 9",
                "div spec:",
                "… 9",
                "div   containers:",
                "div   - name: web",
                "… 6",
                "div     k6: v",
                "div     k7: v",
                "div     k8: v",
                "del     image: a",
                "ins     image: b",
                "div     k0: v",
                "div     k1: v",
                "div     k2: v",
                "… 7",
            ]
        );
    }

    #[test]
    fn a_line_that_comes_in_between_is_shown_with_what_it_is_within() {
        // [SHOW-005]
        let before = "{\n  a\n    1\n    2\n    3\n    4\n    5\n    6\n  b\n}\n";
        let after = before.replace("    6\n", "    6\n    7\n");
        let rows = read(&difference(before, &after));
        assert_eq!(rows.get(..4).unwrap(), ["div {", "div   a", "… 3", "div     4"]);
        assert_eq!(rows.get(4..).unwrap(), ["div     5", "div     6", "ins     7", "div   b", "div }"]);
    }

    #[test]
    fn a_long_block_is_folded_and_complete() {
        let numbered = |count| (0..count).map(|number| format!("line {number};\n")).collect::<String>();
        let block = |text: String| Block::of(Side::After, |lines| text_lines(&text, lines));
        let long = block(numbered(BLOCK + 2));
        assert!(long.is_folded());
        let html = long.to_string();
        let (shown, beyond) = html.split_once("… 2 more lines").unwrap();
        assert_eq!([shown, beyond].map(|part| part.matches("line ").count()), [BLOCK, 2]);
        assert!(!block(numbered(BLOCK)).is_folded());
    }

    #[test]
    fn a_long_line_is_folded_and_complete() {
        let block = |length| Block::of(Side::After, |lines| text_lines(&"x".repeat(length), lines));
        assert!(block(LINE + 1).is_folded());
        assert!(block(LINE + 1).to_string().contains("… 1 more characters"));
        assert_eq!(block(LINE + 1).to_string().matches('x').count(), LINE + 1);
        assert!(!block(LINE).is_folded());
    }

    #[test]
    fn lines_put_away_are_one_row_and_no_fold() {
        let same = "same\n".repeat(2 * BLOCK);
        let block = difference(&format!("{same}a\n"), &format!("{same}b\n"));
        assert!(!block.is_folded());
        assert_eq!(read(&block).len(), 1 + CONTEXT + 2);
    }

    proptest! {
        #[test]
        fn both_sides_can_be_read_back(
            before in prop::collection::vec(0..6u8, 0..60),
            after in prop::collection::vec(0..6u8, 0..60),
        ) {
            let text = |side: &[u8]| side.iter().map(|n| format!("{n}\n")).collect::<String>();
            let (before, after) = (text(&before), text(&after));
            let rows = all(&difference(&before, &after));
            let side = |not: &str| -> String {
                rows.iter().filter(|row| !row.starts_with(not)).flat_map(|row| row.matches(char::is_numeric)).collect()
            };
            prop_assert_eq!(side("ins"), before.replace('\n', ""));
            prop_assert_eq!(side("del"), after.replace('\n', ""));
        }
    }
}
