//! Many lines, on their way to a page, or kept to be compared with others.

use super::shown::{Line, Span};

/// What takes lines, one after the other.
pub(crate) trait LineSink {
    fn push(&mut self, line: Line<'_>);
}

/// Lines in which nothing is hidden, in one piece.
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

impl LineSink for Lines {
    fn push(&mut self, Line { text, spans }: Line<'_>) {
        self.text.push_str(text);
        self.spans.extend_from_slice(spans);
        self.ends.push(End { text: self.text.len(), spans: self.spans.len() });
    }
}

impl Lines {
    pub(super) fn all(&self) -> impl Iterator<Item = Line<'_>> {
        let mut start = End::default();
        self.ends.iter().map(move |end| {
            let from = std::mem::replace(&mut start, *end);
            let text = self.text.get(from.text..end.text).unwrap_or_default();
            Line { text, spans: self.spans.get(from.spans..end.spans).unwrap_or_default() }
        })
    }
}
