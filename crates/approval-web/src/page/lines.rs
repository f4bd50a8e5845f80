//! Many lines. A page has tens of thousands of them, so they are kept in one piece.

use std::ops::Range;

use super::shown::{Line, Shown, Span};

/// Lines in which nothing is hidden.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lines {
    text: String,
    /// Each from the beginning of its line.
    spans: Vec<Span>,
    ends: Vec<End>,
}

/// Up to where a line goes.
#[derive(Clone, Copy, Debug, Default)]
struct End {
    text: usize,
    spans: usize,
}

impl Lines {
    pub(crate) fn push(&mut self, line: &Shown) {
        let Line { text, spans } = line.as_line();
        self.text.push_str(text);
        self.spans.extend_from_slice(spans);
        self.ends.push(End { text: self.text.len(), spans: self.spans.len() });
    }

    /// About how many bytes they take on a page, each with its element.
    pub(super) fn size(&self) -> usize {
        // Every other line has a quotation mark or two to be escaped.
        self.text.len() + 24 * self.len()
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Those of them that there are, in order.
    pub(super) fn range(&self, range: Range<usize>) -> impl Iterator<Item = Line<'_>> {
        let mut start = range.start.checked_sub(1).and_then(|last| self.ends.get(last)).copied().unwrap_or_default();
        self.ends.get(range).unwrap_or_default().iter().map(move |end| {
            let from = std::mem::replace(&mut start, *end);
            let text = self.text.get(from.text..end.text).unwrap_or_default();
            Line { text, spans: self.spans.get(from.spans..end.spans).unwrap_or_default() }
        })
    }

    pub(super) fn all(&self) -> impl Iterator<Item = Line<'_>> {
        self.range(0..self.len())
    }
}

impl FromIterator<Shown> for Lines {
    fn from_iter<I: IntoIterator<Item = Shown>>(all: I) -> Self {
        let mut lines = Self::default();
        all.into_iter().for_each(|line| lines.push(&line));
        lines
    }
}
