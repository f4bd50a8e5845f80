//! Many lines, on their way to a page, or kept to be compared with others.

use super::shown::{Line, Span, push_spaces};

/// What takes lines, one after the other.
pub(crate) trait LineSink {
    fn push(&mut self, line: Line<'_>);

    fn push_simple(&mut self, line: &SimpleLine<'_>);
}

/// A line of JSON of which each character is shown as it is, in HTML too. Most lines are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SimpleLine<'a> {
    /// How many spaces it begins with.
    pub(super) indent: usize,
    /// The member's name, where it begins one.
    pub(super) name: Option<&'a str>,
    pub(super) text: &'a str,
    /// Whether quotation marks stand around the text.
    pub(super) quoted: bool,
    /// Whether a comma ends it.
    pub(super) comma: bool,
}

impl SimpleLine<'_> {
    /// How many bytes it has at most.
    pub(super) fn length(&self) -> usize {
        self.indent + self.name.map_or(0, |name| name.len() + "\"\": ".len()) + self.text.len() + "\"\",".len()
    }

    pub(super) fn push_to(&self, line: &mut String) {
        push_spaces(line, self.indent);
        if let Some(name) = self.name {
            line.push('"');
            line.push_str(name);
            line.push_str("\": ");
        }
        if self.quoted {
            line.push('"');
            line.push_str(self.text);
            line.push('"');
        } else {
            line.push_str(self.text);
        }
        if self.comma {
            line.push(',');
        }
    }
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

    fn push_simple(&mut self, line: &SimpleLine<'_>) {
        line.push_to(&mut self.text);
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
