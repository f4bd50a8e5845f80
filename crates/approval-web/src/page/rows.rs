//! Rows: lines as they stand on a page. A page has tens of thousands, so each is written as soon as it is known, once.

use std::fmt::Write as _;

use super::fold::{BLOCK, LINE, Passage, grouped};
use super::lines::LineSink;
use super::shown::Line;

/// Rows as HTML, of which a long rest is folded.
#[derive(Clone, Debug)]
pub(crate) struct Rows {
    /// On which side the next lines stand.
    pub(super) side: Side,
    html: String,
    /// How many rows there are before the fold.
    shown: usize,
    /// Where in the HTML the fold is, once there is something beyond it.
    fold: usize,
    /// How many lines are beyond the fold.
    beyond: usize,
    /// Whether a part of a line is folded.
    cut: bool,
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
        Self { side, html: String::new(), shown: 0, fold: 0, beyond: 0, cut: false }
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

    /// What is before the fold.
    pub(super) fn shown(&self) -> &str {
        if self.beyond == 0 { &self.html } else { self.html.get(..self.fold).unwrap_or_default() }
    }

    /// What is beyond the fold, and how many lines that is.
    pub(super) fn beyond(&self) -> Option<(&str, usize)> {
        (self.beyond > 0).then(|| (self.html.get(self.fold..).unwrap_or_default(), self.beyond))
    }

    /// Whether anything but unchanged lines is folded.
    pub(super) fn is_folded(&self) -> bool {
        self.beyond > 0 || self.cut
    }

    /// How many bytes they take on the page.
    pub(super) fn size(&self) -> usize {
        self.html.len()
    }

    /// Begins a row of so many lines.
    fn begin(&mut self, lines: usize) {
        if self.shown < BLOCK {
            self.shown += 1;
            return;
        }
        if self.beyond == 0 {
            self.fold = self.html.len();
        }
        self.beyond += lines;
    }
}

impl LineSink for Rows {
    fn push(&mut self, line: Line<'_>) {
        self.begin(1);
        let (begin, end) = self.side.tags();
        self.html.push_str(begin);
        // No text has more characters than bytes.
        if line.text.len() <= LINE {
            line.push_html(&mut self.html);
        } else {
            let passage = Passage::new(line.to_shown());
            self.cut |= passage.is_folded();
            // Writing to a string can't fail.
            let _ = write!(self.html, "{passage}");
        }
        self.html.push_str(end);
    }
}

impl Side {
    fn tags(self) -> (&'static str, &'static str) {
        match self {
            Self::After => ("<ins>", "</ins>"),
            Self::Before => ("<del>", "</del>"),
            Self::Both => ("<div>", "</div>"),
        }
    }
}
