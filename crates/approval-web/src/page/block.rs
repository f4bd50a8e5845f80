//! Lines, and the difference between two lots of lines.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::{Duration, Instant};

use askama::Template;
use similar::{Algorithm, DiffOp, capture_diff_slices_deadline};

use super::fold::{BLOCK, LINE, Passage, grouped};
use super::lines::Lines;
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
    /// Those before, and those on both sides.
    before: Lines,
    after: Lines,
    shown: Vec<Run>,
    rest: Vec<Run>,
    /// How many lines the rest has.
    count: usize,
}

// Its template escapes.
impl askama::filters::HtmlSafe for Block {}

/// Lines that stand under each other and are alike.
#[derive(Clone, Debug)]
enum Run {
    Lines { side: Side, range: Range<usize> },
    Unchanged { range: Range<usize> },
}

/// Some rows of a block.
#[derive(Template)]
#[template(path = "rows.html")]
struct Rows<'a> {
    block: &'a Block,
    runs: &'a [Run],
}

// Its template escapes.
impl askama::filters::HtmlSafe for Rows<'_> {}

/// Where a line stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    After,
    Before,
    Both,
}

impl Block {
    /// All lines on one side.
    pub(crate) fn of(side: Side, lines: Lines) -> Self {
        let all = vec![Run::Lines { side, range: 0..lines.len() }];
        match side {
            Side::After => Self::fold(Lines::default(), lines, all),
            Side::Before | Side::Both => Self::fold(lines, Lines::default(), all),
        }
    }

    /// What is on one side only, with a little of what is around it.
    pub(crate) fn difference(before: Lines, after: Lines, patience: Patience) -> Self {
        let (old, new): (Vec<_>, Vec<_>) = (before.all().collect(), after.all().collect());
        let operations = capture_diff_slices_deadline(Algorithm::Myers, &old, &new, Some(patience.0));
        let mut runs = Vec::new();
        for (number, operation) in operations.iter().enumerate() {
            match operation {
                DiffOp::Equal { .. } => {
                    let next = operations.get(number + 1).and_then(|next| match next {
                        DiffOp::Insert { new_index, .. } => new.get(*new_index),
                        next => old.get(next.old_range().start),
                    });
                    let unchanged = Unchanged { lines: &old, follows: number > 0, next: next.copied() };
                    unchanged.show(&mut runs, operation.old_range());
                }
                _ => runs.extend([
                    Run::Lines { side: Side::Before, range: operation.old_range() },
                    Run::Lines { side: Side::After, range: operation.new_range() },
                ]),
            }
        }
        Self::fold(before, after, runs)
    }

    /// Whether anything but unchanged lines is folded.
    pub(crate) fn is_folded(&self) -> bool {
        let cut = |run: &Run| match run {
            Run::Lines { side, range } => self.lines(*side).range(range.clone()).any(|line| is_folded(line)),
            Run::Unchanged { .. } => false,
        };
        !self.rest.is_empty() || self.shown.iter().any(cut)
    }

    /// About how many bytes it takes on the page.
    pub(crate) fn size(&self) -> usize {
        self.before.size() + self.after.size()
    }

    fn rows<'a>(&'a self, runs: &'a [Run]) -> Rows<'a> {
        Rows { block: self, runs }
    }

    fn lines(&self, side: Side) -> &Lines {
        match side {
            Side::After => &self.after,
            Side::Before | Side::Both => &self.before,
        }
    }

    /// Folds what is beyond the first rows.
    fn fold(before: Lines, after: Lines, runs: Vec<Run>) -> Self {
        let mut left = BLOCK;
        let (mut shown, mut rest) = (Vec::new(), Vec::new());
        for run in runs {
            let (within, beyond) = run.split(left);
            left -= within.as_ref().map_or(0, Run::rows);
            shown.extend(within);
            rest.extend(beyond);
        }
        let count = rest.iter().map(Run::lines).sum();
        Self { before, after, shown, rest, count }
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
    fn show(&self, runs: &mut Vec<Run>, range: Range<usize>) {
        let head = if self.follows { range.start + CONTEXT } else { range.start };
        let tail = if self.next.is_some() { range.end.saturating_sub(CONTEXT) } else { range.end };
        let around = self.around(range.clone());
        let shown = range.clone().filter(|line| *line < head || *line >= tail || around.contains(line));
        let mut at = range.start;
        for line in shown.chain([range.end]) {
            match line - at {
                // To put one line away takes as much room as to show it.
                0 | 1 => both(runs, at..line),
                _ => runs.push(Run::Unchanged { range: at..line }),
            }
            both(runs, line..range.end.min(line + 1));
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
    let text = line.text;
    let rest = text.trim_start_matches([' ', '⇥']);
    let indent = text.chars().count() - rest.chars().count();
    (!rest.is_empty()).then_some(2 * indent + usize::from(rest.starts_with("- ")))
}

/// More lines that are on both sides.
fn both(runs: &mut Vec<Run>, more: Range<usize>) {
    match runs.last_mut() {
        Some(Run::Lines { side: Side::Both, range }) if range.end == more.start => range.end = more.end,
        _ if more.is_empty() => {}
        _ => runs.push(Run::Lines { side: Side::Both, range: more }),
    }
}

impl Run {
    /// How many rows it takes.
    fn rows(&self) -> usize {
        match self {
            Self::Lines { range, .. } => range.len(),
            Self::Unchanged { .. } => 1,
        }
    }

    fn lines(&self) -> usize {
        match self {
            Self::Lines { range, .. } | Self::Unchanged { range } => range.len(),
        }
    }

    /// What is within the first so many rows, and what is beyond.
    fn split(self, rows: usize) -> (Option<Self>, Option<Self>) {
        match self {
            whole if whole.rows() <= rows => (Some(whole), None),
            whole if rows == 0 => (None, Some(whole)),
            Self::Lines { side, range: Range { start, end } } => {
                let middle = start + rows;
                (Some(Self::Lines { side, range: start..middle }), Some(Self::Lines { side, range: middle..end }))
            }
            whole @ Self::Unchanged { .. } => (None, Some(whole)),
        }
    }
}

/// A line, of which a long rest is folded.
fn passage(line: Line<'_>) -> Option<Passage> {
    // No text has more characters than bytes.
    (line.text.len() > LINE).then(|| Passage::new(line.to_shown()))
}

fn is_folded(line: Line<'_>) -> bool {
    passage(line).is_some_and(|passage| passage.is_folded())
}

impl Side {
    fn element(self) -> &'static str {
        match self {
            Self::After => "ins",
            Self::Before => "del",
            Self::Both => "div",
        }
    }
}

/// The lines of a text, with a note where it doesn't end as texts do.
pub(crate) fn text_lines(text: &str) -> Lines {
    let mut lines: Lines =
        text.split_inclusive('\n').map(|line| Shown::line(line.strip_suffix('\n').unwrap_or(line))).collect();
    if !text.ends_with('\n') {
        lines.push(&Shown::words("no line break at the end"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plain(block: &Block) -> Vec<(Side, String)> {
        let all = block.shown.iter().chain(&block.rest);
        let runs = all.map(|run| match run {
            Run::Lines { side, range } => (*side, range),
            Run::Unchanged { range } => (Side::Both, range),
        });
        let text = |(side, range): (Side, &Range<usize>)| {
            block.lines(side).range(range.clone()).map(move |line| (side, line.to_string())).collect::<Vec<_>>()
        };
        runs.flat_map(text).collect()
    }

    #[test]
    fn a_missing_line_break_is_a_difference() {
        let block = Block::difference(text_lines("a\nb"), text_lines("a\nb\n"), Patience::begin());
        assert!(plain(&block).iter().any(|(side, text)| *side == Side::Before && text.contains("no line break")));
    }

    /// The rows as they are read, with a count where lines are put away.
    fn read(block: &Block) -> Vec<String> {
        let row = |run: &Run| match run {
            Run::Lines { side, range } => {
                let lines = block.lines(*side).range(range.clone());
                lines.map(|line| format!("{} {}", side.element(), line.text)).collect()
            }
            Run::Unchanged { range } => vec![format!("… {}", range.len())],
        };
        block.shown.iter().flat_map(row).collect::<Vec<String>>()
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
        let block = Block::difference(text_lines(&deployment("a")), text_lines(&deployment("b")), Patience::begin());
        let rows = read(&block);
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
        let block = Block::difference(text_lines(before), text_lines(&after), Patience::begin());
        let rows = read(&block);
        assert_eq!(rows.get(..4).unwrap(), ["div {", "div   a", "… 3", "div     4"]);
        assert_eq!(rows.get(4..).unwrap(), ["div     5", "div     6", "ins     7", "div   b", "div }"]);
    }

    #[test]
    fn a_long_block_is_folded_and_complete() {
        let lines = (0..=BLOCK).map(|number| Shown::line(&format!("line {number};")));
        let block = Block::of(Side::After, lines.collect());
        assert!(block.is_folded());
        let html = block.to_string();
        assert!(html.contains("… 1 more line"), "{html}");
        assert_eq!(html.matches("line ").count(), BLOCK + 1);
        assert!(!Block::of(Side::After, vec![Shown::line("x"); BLOCK].into_iter().collect()).is_folded());
    }

    proptest! {
        #[test]
        fn both_sides_can_be_read_back(
            before in prop::collection::vec(0..6u8, 0..60),
            after in prop::collection::vec(0..6u8, 0..60),
        ) {
            let lines = |side: &[u8]| side.iter().map(|n| Shown::line(&n.to_string())).collect::<Lines>();
            let rows = plain(&Block::difference(lines(&before), lines(&after), Patience::begin()));
            let side = |not: Side| rows.iter().filter(|row| row.0 != not).map(|row| row.1.clone()).collect::<Vec<_>>();
            prop_assert_eq!(side(Side::After), before.iter().map(u8::to_string).collect::<Vec<_>>());
            prop_assert_eq!(side(Side::Before), after.iter().map(u8::to_string).collect::<Vec<_>>());
        }
    }
}
