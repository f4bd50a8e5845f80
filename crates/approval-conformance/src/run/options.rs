//! What a run is asked for.

use std::path::Path;

use serde::Deserialize;

use crate::check::Level;
use crate::toml_file::{self, FileError};

/// What a run is asked for.
#[derive(Clone, Debug)]
pub struct Options {
    /// Up to which level.
    pub level: Level,
    /// These checks only: all where it is empty.
    pub only: Vec<String>,
    /// What is known to fail.
    pub expected: Expected,
    /// How many checks at a time.
    pub at_once: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { level: Level::L1, only: Vec::new(), expected: Expected::default(), at_once: 8 }
    }
}

/// Why a run can't begin.
#[derive(Debug, thiserror::Error)]
pub enum OptionsError {
    /// What is chosen leaves nothing to run.
    #[error("nothing is left to run: no check of that name is of this level")]
    Nothing,
    /// There is no such check.
    #[error("there is no check `{0}`: `approval-conformance list` names them")]
    Unknown(String),
}

/// Checks that are known to fail, each with the reason why.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// One for each check.
    #[serde(default)]
    expected: Vec<Expectation>,
}

/// A check that is known to fail.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// The check.
    pub check: String,
    /// Why it fails, and what becomes of it.
    pub reason: String,
}

impl Expected {
    /// Reads a file of expected failures.
    ///
    /// # Errors
    /// Where it can't be read, has a key that isn't known, a check twice, or no reason.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let expected: Self = toml_file::read(path)?;
        let mut seen = std::collections::BTreeSet::new();
        for Expectation { check, reason } in &expected.expected {
            let wrong = |what: &str| FileError::Wrong {
                path: path.to_owned(),
                what: format!("the entry for `{check}` {what}"),
            };
            if reason.trim().is_empty() {
                return Err(wrong("has no reason"));
            }
            if !seen.insert(check) {
                return Err(wrong("stands there twice"));
            }
        }
        Ok(expected)
    }

    /// Why `check` is known to fail.
    pub(crate) fn reason(&self, check: &str) -> Option<&str> {
        self.expected.iter().find(|expected| expected.check == check).map(|expected| expected.reason.as_str())
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        self.expected.iter().map(|expected| expected.check.as_str())
    }
}
