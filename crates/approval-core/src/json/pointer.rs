use std::fmt;

/// The longest piece of input that an error repeats, in characters.
const MAX_QUOTED: usize = 128;

/// A JSON Pointer (RFC 6901) in the making: an error gathers its steps on its way out, innermost first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Steps(Vec<String>);

impl Steps {
    /// Adds the step that leads to what the others start from.
    pub(super) fn push(&mut self, step: String) {
        self.0.push(step);
    }

    /// Whether the pointer is to the whole document.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().rev().try_for_each(|step| write!(f, "/{}", step.replace('~', "~0").replace('/', "~1")))
    }
}

/// A piece of input in backticks, its control characters visible and its length bounded.
pub(super) fn quoted(input: &str) -> String {
    let shown: String = input.chars().take(MAX_QUOTED).flat_map(char::escape_debug).collect();
    let more = if input.chars().nth(MAX_QUOTED).is_some() { "…" } else { "" };
    format!("`{shown}{more}`")
}
