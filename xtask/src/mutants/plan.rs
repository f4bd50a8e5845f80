//! What is mutated, what was found, and why some of it may stay: the files of `tests/mutants`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

const DIRECTORY: &str = "tests/mutants";

/// `plan.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plan {
    pub(crate) tool: Tool,
    pub(crate) package: String,
    pub(crate) least_caught_percent: usize,
    group: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tool {
    pub(crate) name: String,
    pub(crate) version: String,
}

/// Files, and the tests that must notice when one of them is changed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Group {
    #[expect(dead_code, reason = "it is for people")]
    name: String,
    files: Vec<String>,
    /// Each is for the mutants that those before it didn't notice.
    #[serde(rename = "stage")]
    pub(crate) stages: Vec<Stage>,
    #[serde(default)]
    pub(crate) environment: BTreeMap<String, String>,
}

/// Tests that are run for each mutant.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stage {
    /// Which targets, in the words of `cargo test`.
    pub(crate) targets: Vec<String>,
    /// The tests that are left out.
    #[serde(default)]
    pub(crate) skip: Vec<String>,
}

/// `results.toml`: what was found, file by file.
#[derive(Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Results {
    #[serde(default)]
    pub(crate) file: BTreeMap<String, Found>,
}

/// What was found of the mutants of one file.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Found {
    /// Of which contents: the SHA-256 of the file.
    pub(crate) sha256: String,
    /// How many a test noticed.
    pub(crate) caught: usize,
    /// How many made a test run for ever, which is noticed too.
    pub(crate) timeout: usize,
    /// How many didn't compile.
    pub(crate) unviable: usize,
    /// The mutants that no test noticed.
    pub(crate) missed: Vec<String>,
}

/// `reasons.toml`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reasons {
    #[serde(default)]
    pub(crate) mutant: Vec<Reason>,
}

/// Why a mutant may go unnoticed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reason {
    pub(crate) file: String,
    pub(crate) name: String,
    pub(crate) reason: String,
}

impl Found {
    /// Adds what a further stage found: it has run what wasn't noticed before.
    pub(super) fn then(&mut self, stage: Self) {
        self.caught += stage.caught;
        self.timeout += stage.timeout;
        self.unviable += stage.unviable;
        self.missed = stage.missed;
    }
}

impl Found {
    /// What is found once these, which went unnoticed, have been run again.
    pub(super) fn with(mut self, again: &[String], found: Self) -> Self {
        let before = self.missed.len();
        self.missed.retain(|name| !again.contains(name));
        self.missed.extend(found.missed);
        self.missed.sort();
        self.caught += before.saturating_sub(self.missed.len());
        self
    }
}

impl Plan {
    pub(crate) fn load(root: &Path) -> Result<Self> {
        read(&root.join(DIRECTORY).join("plan.toml"))
    }

    /// Every file that is mutated, by its path from the root, with its group.
    pub(crate) fn files(&self, root: &Path) -> Result<BTreeMap<String, &Group>> {
        let mut files = BTreeMap::new();
        for group in &self.group {
            for path in &group.files {
                let mut found = Vec::new();
                sources(&root.join(path), &mut found).with_context(|| format!("looking for `{path}`"))?;
                for file in found {
                    files.insert(file.strip_prefix(root)?.to_string_lossy().into_owned(), group);
                }
            }
        }
        Ok(files)
    }
}

impl Results {
    pub(crate) fn load(root: &Path) -> Result<Self> {
        let path = root.join(DIRECTORY).join("results.toml");
        if path.exists() { read(&path) } else { Ok(Self::default()) }
    }

    pub(crate) fn save(&self, root: &Path) -> Result<()> {
        let path = root.join(DIRECTORY).join("results.toml");
        let head = "# Written by `cargo xtask mutants`.\n\n";
        fs::write(&path, format!("{head}{}", toml::to_string_pretty(self)?))
            .with_context(|| format!("writing `{}`", path.display()))
    }
}

impl Reasons {
    /// Whether this mutant may go unnoticed.
    pub(crate) fn excuse(&self, file: &str, name: &str) -> bool {
        let of_this = |reason: &&Reason| reason.file == file && reason.name == name;
        self.mutant.iter().find(of_this).is_some_and(|reason| !reason.reason.trim().is_empty())
    }

    pub(crate) fn load(root: &Path) -> Result<Self> {
        read(&root.join(DIRECTORY).join("reasons.toml"))
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = fs::read_to_string(path).with_context(|| format!("reading `{}`", path.display()))?;
    toml::from_str(&text).with_context(|| format!("reading `{}`", path.display()))
}

/// The Rust files at a path or below it, but for those that hold tests only.
fn sources(path: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    if path.is_file() {
        found.push(path.to_owned());
        return Ok(());
    }
    let mut entries = fs::read_dir(path)?.collect::<std::io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::path);
    for entry in entries {
        let path = entry.path();
        let is_source = path.extension().is_some_and(|extension| extension == "rs");
        let is_test = path.file_stem().is_some_and(|stem| stem == "tests");
        if path.is_dir() || is_source && !is_test {
            sources(&path, found)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Found;

    #[test]
    fn what_is_noticed_now_counts_as_noticed() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let kept = Found { caught: 5, missed: names(&["a", "b", "b", "excused"]), ..Found::default() };
        let again = Found { caught: 2, missed: names(&["b"]), ..Found::default() };
        let found = kept.with(&names(&["a", "b"]), again);
        assert_eq!((found.caught, found.missed), (7, names(&["b", "excused"])));
    }
}
