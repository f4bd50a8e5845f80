use std::fmt;
use std::io::{self, Write as _};

/// What was measured, line by line.
#[derive(Default)]
pub(crate) struct Report {
    lines: Vec<Line>,
}

enum Line {
    /// Something worth knowing that has no target.
    Note(String),
    /// A figure and the most that it may be.
    Target { what: String, figure: f64, most: f64 },
}

impl Report {
    /// Adds something worth knowing.
    pub(crate) fn note(&mut self, text: impl Into<String>) {
        self.lines.push(Line::Note(text.into()));
    }

    /// Adds a figure that may be at most so much.
    pub(crate) fn target(&mut self, what: impl Into<String>, figure: f64, most: f64) {
        self.lines.push(Line::Target { what: what.into(), figure, most });
    }

    /// Whether a target was missed. A figure that is no number counts as missed.
    pub(crate) fn missed(&self) -> bool {
        self.lines.iter().any(Line::missed)
    }

    /// Writes all lines to standard output.
    pub(crate) fn print(&self) {
        let mut out = io::stdout().lock();
        for line in &self.lines {
            // A closed pipe is no reason to fail.
            let _ = writeln!(out, "{line}");
        }
    }
}

impl Line {
    fn missed(&self) -> bool {
        match self {
            Self::Note(_) => false,
            Self::Target { figure, most, .. } => figure.partial_cmp(most).is_none_or(|order| order.is_gt()),
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Note(text) => f.write_str(text),
            Self::Target { what, figure, most } => {
                let verdict = if self.missed() { "MISSED" } else { "met" };
                write!(f, "{what:<56} {figure:>7.2}  (at most {most:.2}: {verdict})")
            }
        }
    }
}
