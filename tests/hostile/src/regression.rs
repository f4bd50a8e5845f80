//! Texts that were once read in two ways, or nearly, with the verdict that the specification gives. They run first.

use anyhow::{Context as _, Result, bail};
use approval_core::json::Limits;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hostile::Case;
use serde::Deserialize;

const FILE: &str = include_str!("../regressions.json");

/// A text that is kept.
pub(crate) struct Regression {
    pub(crate) name: String,
    pub(crate) case: Case,
    /// The line that every reader gives.
    pub(crate) verdict: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    text: Option<String>,
    base64: Option<String>,
    max_bytes: Option<usize>,
    max_nodes: Option<usize>,
    verdict: String,
}

/// All of them, in the order of the file.
pub(crate) fn regressions() -> Result<Vec<Regression>> {
    let entries: Vec<Entry> = serde_json::from_str(FILE).context("reading regressions.json")?;
    entries.into_iter().map(Regression::of).collect()
}

impl Regression {
    fn of(entry: Entry) -> Result<Self> {
        let text = match (entry.text, entry.base64) {
            (Some(text), None) => text.into_bytes(),
            (None, Some(base64)) => STANDARD.decode(base64).with_context(|| entry.name.clone())?,
            _ => bail!("`{}` needs a text, plain or in base64", entry.name),
        };
        let case = Case {
            text,
            max_bytes: entry.max_bytes.unwrap_or(Limits::ARGUMENTS.max_bytes()),
            max_nodes: entry.max_nodes.unwrap_or(Limits::ARGUMENTS.max_nodes()),
        };
        Ok(Self { name: entry.name, case, verdict: entry.verdict })
    }
}
