//! Rows: lines as they stand on a page. A page has tens of thousands, so each is written as soon as it is known, once.

use std::fmt::Write as _;

use super::fold::{BLOCK, LINE, Passage, grouped};
use super::lines::{LineSink, SimpleLine};
use super::shown::Line;

/// The least room for a row, in bytes.
const ROOM: usize = 256;

/// Rows as HTML, of which a long rest is folded.
#[derive(Debug)]
pub(crate) struct Rows {
    /// On which side the next lines stand.
    pub(super) side: Side,
    html: String,
    /// How many rows there are before the fold.
    shown: usize,
    fold: Fold,
}

/// What of some rows isn't seen at once.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fold {
    /// Where in the HTML the fold is, once there is something beyond it.
    pub(super) at: usize,
    /// How many lines are beyond the fold.
    pub(super) beyond: usize,
    /// Whether a part of a line is folded.
    pub(super) cut: bool,
}

/// Where a line stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    After,
    Before,
    Both,
}

impl Rows {
    pub(super) fn on(side: Side) -> Self {
        Self { side, html: String::new(), shown: 0, fold: Fold::default() }
    }

    /// Lines that are on both sides, of which only the number is seen: one row.
    pub(super) fn put_away(&mut self, lines: &[Line<'_>]) {
        self.begin(lines.len());
        self.html.push_str("<details class=\"row-unchanged\"><summary>");
        self.html.push_str(&grouped(lines.len()));
        self.html.push_str(" unchanged lines</summary>");
        for line in lines {
            self.html.push_str("<div>");
            line.push_html(&mut self.html);
            self.html.push_str("</div>");
        }
        self.html.push_str("</details>");
    }

    /// All of them.
    pub(super) fn end(self) -> (String, Fold) {
        (self.html, self.fold)
    }

    /// Begins a row of so many lines.
    fn begin(&mut self, lines: usize) {
        // Room that isn't used costs nothing, and what is moved costs fresh memory: so there is soon room for four times as much.
        if self.html.capacity() - self.html.len() < ROOM {
            self.html.reserve(4 * self.html.len() + 4 * ROOM);
        }
        if self.shown < BLOCK {
            self.shown += 1;
            return;
        }
        if self.fold.beyond == 0 {
            self.fold.at = self.html.len();
        }
        self.fold.beyond += lines;
    }
}

impl LineSink for Rows {
    fn push(&mut self, line: Line<'_>) {
        self.begin(1);
        self.html.push_str(self.side.begin());
        // No text has more characters than bytes.
        if line.text.len() <= LINE {
            line.push_html(&mut self.html);
        } else {
            let passage = Passage::new(line.to_shown());
            self.fold.cut |= passage.is_folded();
            // Writing to a string can't fail.
            let _ = write!(self.html, "{passage}");
        }
        self.html.push_str(self.side.end());
    }

    fn push_simple(&mut self, line: &SimpleLine<'_>) {
        if line.length() > LINE {
            let mut text = String::new();
            line.push_to(&mut text);
            return self.push(Line { text: &text, spans: &[] });
        }
        self.begin(1);
        self.html.push_str(self.side.begin());
        line.push_to(&mut self.html);
        self.html.push_str(self.side.end());
    }
}

impl Side {
    fn begin(self) -> &'static str {
        match self {
            Self::After => "<ins>",
            Self::Before => "<del>",
            Self::Both => "<div>",
        }
    }

    fn end(self) -> &'static str {
        match self {
            Self::After => "</ins>",
            Self::Before => "</del>",
            Self::Both => "</div>",
        }
    }
}
