//! Lines, and the difference between two lots of lines.

use std::time::{Duration, Instant};

use askama::Template;
use similar::{Algorithm, DiffOp, capture_diff_slices_deadline};

use super::fold::{BLOCK, Passage, grouped};
use super::shown::Shown;

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
    rows: Vec<Row>,
    rest: Vec<Row>,
    count: String,
}

// Its template escapes.
impl askama::filters::HtmlSafe for Block {}

#[derive(Clone, Debug, Template)]
#[template(path = "row.html")]
enum Row {
    Line { side: Side, text: Passage },
    Unchanged { count: String, lines: Vec<Shown> },
}

// Its template escapes.
impl askama::filters::HtmlSafe for Row {}

/// Where a line stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    After,
    Before,
    Both,
}

impl Block {
    /// All lines on one side.
    pub(crate) fn of(side: Side, lines: Vec<Shown>) -> Self {
        Self::fold(lines.into_iter().map(|line| Row::line(side, line)).collect())
    }

    /// What is on one side only, with a little of what is around it.
    pub(crate) fn difference(before: &[Shown], after: &[Shown], patience: Patience) -> Self {
        let operations = capture_diff_slices_deadline(Algorithm::Myers, before, after, Some(patience.0));
        let last = operations.len().saturating_sub(1);
        let mut rows = Vec::new();
        for (number, operation) in operations.iter().enumerate() {
            if let DiffOp::Equal { old_index, len, .. } = *operation {
                let lines = before.get(old_index..old_index + len).unwrap_or_default();
                unchanged(&mut rows, lines, number > 0, number < last);
                continue;
            }
            let side = |side, lines: Option<&[Shown]>| {
                let lines = lines.unwrap_or_default().to_vec();
                lines.into_iter().map(move |line| Row::line(side, line)).collect::<Vec<_>>()
            };
            rows.extend(side(Side::Before, before.get(operation.old_range())));
            rows.extend(side(Side::After, after.get(operation.new_range())));
        }
        Self::fold(rows)
    }

    /// Whether anything but unchanged lines is folded.
    pub(crate) fn is_folded(&self) -> bool {
        let cut = |row: &Row| matches!(row, Row::Line { text, .. } if text.is_folded());
        !self.rest.is_empty() || self.rows.iter().any(cut)
    }

    fn fold(mut rows: Vec<Row>) -> Self {
        let rest = if rows.len() > BLOCK { rows.split_off(BLOCK) } else { Vec::new() };
        let count = rest.iter().map(Row::count).sum();
        Self { rows, rest, count: grouped(count) }
    }
}

/// Unchanged lines: those near a change are shown, the others counted, and there to be opened.
fn unchanged(rows: &mut Vec<Row>, lines: &[Shown], follows: bool, precedes: bool) {
    let head = if follows { CONTEXT } else { 0 };
    let tail = if precedes { CONTEXT } else { 0 };
    let show = |lines: &[Shown]| lines.iter().cloned().map(|line| Row::line(Side::Both, line)).collect::<Vec<_>>();
    // To put one line away takes as much room as to show it.
    if lines.len() <= head + tail + 1 {
        return rows.extend(show(lines));
    }
    let (head, others) = lines.split_at(head);
    let (hidden, tail) = others.split_at(others.len() - tail);
    rows.extend(show(head));
    rows.push(Row::Unchanged { count: grouped(hidden.len()), lines: hidden.to_vec() });
    rows.extend(show(tail));
}

impl Row {
    fn line(side: Side, text: Shown) -> Self {
        Self::Line { side, text: Passage::new(text) }
    }

    fn count(&self) -> usize {
        match self {
            Self::Line { .. } => 1,
            Self::Unchanged { lines, .. } => lines.len(),
        }
    }
}

/// The lines of a text, with a note where it doesn't end as texts do.
pub(crate) fn text_lines(text: &str) -> Vec<Shown> {
    let mut lines: Vec<_> =
        text.split_inclusive('\n').map(|line| Shown::line(line.strip_suffix('\n').unwrap_or(line))).collect();
    if !text.ends_with('\n') {
        lines.push(Shown::words("no line break at the end"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plain(block: &Block) -> Vec<(Side, String)> {
        let all = block.rows.iter().chain(&block.rest);
        all.flat_map(|row| match row {
            Row::Line { side, text } => vec![(*side, text.to_string())],
            Row::Unchanged { lines, .. } => lines.iter().map(|line| (Side::Both, line.to_string())).collect(),
        })
        .collect()
    }

    #[test]
    fn a_missing_line_break_is_a_difference() {
        let block = Block::difference(&text_lines("a\nb"), &text_lines("a\nb\n"), Patience::begin());
        assert!(plain(&block).iter().any(|(side, text)| *side == Side::Before && text.contains("no line break")));
    }

    #[test]
    fn a_long_block_is_folded_and_complete() {
        let lines: Vec<_> = (0..=BLOCK).map(|number| Shown::line(&format!("line {number};"))).collect();
        let block = Block::of(Side::After, lines);
        assert!(block.is_folded());
        let html = block.to_string();
        assert!(html.contains("… 1 more line"), "{html}");
        assert_eq!(html.matches("line ").count(), BLOCK + 1);
        assert!(!Block::of(Side::After, vec![Shown::line("x"); BLOCK]).is_folded());
    }

    proptest! {
        #[test]
        fn both_sides_can_be_read_back(
            before in prop::collection::vec(0..6u8, 0..60),
            after in prop::collection::vec(0..6u8, 0..60),
        ) {
            let lines = |side: &[u8]| side.iter().map(|n| Shown::line(&n.to_string())).collect::<Vec<_>>();
            let (before, after) = (lines(&before), lines(&after));
            let rows = plain(&Block::difference(&before, &after, Patience::begin()));
            let side = |not: Side| rows.iter().filter(|row| row.0 != not).map(|row| row.1.clone()).collect::<Vec<_>>();
            prop_assert_eq!(side(Side::After), before.iter().map(Shown::to_string).collect::<Vec<_>>());
            prop_assert_eq!(side(Side::Before), after.iter().map(Shown::to_string).collect::<Vec<_>>());
        }
    }
}
