//! The files that the operator of a server edits: `settings.toml` and `policy.toml` in the state directory.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context as _, Result};
use approval_core::Policy;
use approval_core::record::Isolation;
use serde::{Deserialize, Serialize};

/// `settings.toml`, read when the server starts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Settings {
    /// Where the notes are: `http://127.0.0.1:8080`.
    pub notes: String,
    /// Where MCP is served over HTTP.
    pub http: SocketAddr,
    /// Whether the agent runs under another user. Over stdio it never does.
    pub isolation: Isolation,
    /// Whether there is an anchor. Without one, plans say `rollback: none`.
    pub anchor: bool,
    /// What tools are said to do, in place of their own words.
    #[serde(default)]
    pub descriptions: BTreeMap<String, String>,
    /// A tool that the board has besides its own: what an upgrade may bring.
    #[serde(default)]
    pub more: Option<String>,
}

impl Settings {
    /// The settings of the installation in this directory.
    ///
    /// # Errors
    /// When the file can't be read, or isn't as it should be.
    pub fn read(state: &Path) -> Result<Self> {
        read(&state.join("settings.toml"))
    }

    /// Writes them there.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn write(&self, state: &Path) -> Result<()> {
        let path = state.join("settings.toml");
        fs::write(&path, toml::to_string(self)?).with_context(|| format!("`{}`", path.display()))
    }
}

/// `policy.toml` of the installation in this directory, read when the server starts.
pub(crate) fn policy(state: &Path) -> Result<Policy> {
    read(&state.join("policy.toml"))
}

fn read<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<T> {
    let text = fs::read_to_string(path).with_context(|| format!("`{}`", path.display()))?;
    toml::from_str(&text).with_context(|| format!("`{}`", path.display()))
}
