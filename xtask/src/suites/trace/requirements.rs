//! `spec/v0/requirements.toml`: an array `[[requirement]]`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use super::citations;

#[derive(Debug, Deserialize)]
pub(super) struct Requirements {
    #[serde(rename = "requirement")]
    pub(super) all: Vec<Requirement>,
}

/// The part of a requirement that tracing reads. Members that others read are passed over.
#[derive(Debug, Deserialize)]
pub(super) struct Requirement {
    /// Permanent, such as `GATE-012`.
    pub(super) id: String,
    pub(super) level: Level,
    /// How somebody who didn't write the server can find out whether it holds.
    pub(super) tested: Option<Tested>,
    /// Where it stands: the page and the section.
    #[serde(default)]
    pub(super) section: String,
    /// Why it can't be enforced or checked by code.
    reason: Option<String>,
    /// What will enforce and check it, where that doesn't exist yet.
    planned: Option<String>,
}

/// How a requirement can be tested from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Tested {
    /// With the server's help: vectors, a clock that can be moved, stored bytes that can be changed, a process that is ended.
    Instrument,
    /// By nothing but reading code and configuration.
    Review,
    /// By what goes over MCP and HTTP, and by looking at the target.
    Wire,
}

/// The key words of RFC 2119.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) enum Level {
    #[serde(rename = "MAY")]
    May,
    #[serde(rename = "MUST")]
    Must,
    #[serde(rename = "MUST NOT")]
    MustNot,
    #[serde(rename = "SHOULD")]
    Should,
    #[serde(rename = "SHOULD NOT")]
    ShouldNot,
}

impl Requirements {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("reading `{}`", path.display()))?;
        Self::parse(&text).with_context(|| format!("reading `{}`", path.display()))
    }

    pub(super) fn parse(text: &str) -> Result<Self> {
        let requirements: Self = toml::from_str(text)?;
        ensure!(!requirements.all.is_empty(), "it holds no requirement");
        let mut seen = BTreeSet::new();
        for Requirement { id, planned, reason, .. } in &requirements.all {
            ensure!(citations::is_id(id), "`{id}` is no id: it must look like `GATE-012`");
            ensure!(seen.insert(id), "`{id}` stands there twice");
            ensure!(planned.is_none() || reason.is_none(), "`{id}` is both planned and excused: it can only be one");
            let excuse = planned.as_ref().or(reason.as_ref());
            ensure!(excuse.is_none_or(|why| !why.trim().is_empty()), "`{id}` is excused without a word why");
        }
        Ok(requirements)
    }

    pub(super) fn ids(&self) -> BTreeSet<&str> {
        self.all.iter().map(|requirement| requirement.id.as_str()).collect()
    }
}

impl Requirement {
    pub(super) fn is_binding(&self) -> bool {
        matches!(self.level, Level::Must | Level::MustNot)
    }

    /// The mark under which it may have gaps, and why.
    pub(super) fn excuse(&self) -> Option<(&'static str, &str)> {
        let planned = self.planned.as_deref().map(|why| ("planned", why));
        planned.or_else(|| self.reason.as_deref().map(|why| ("reason", why)))
    }
}

impl Level {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::May => "MAY",
            Self::Must => "MUST",
            Self::MustNot => "MUST NOT",
            Self::Should => "SHOULD",
            Self::ShouldNot => "SHOULD NOT",
        }
    }
}

impl Tested {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Instrument => "instrument",
            Self::Review => "review",
            Self::Wire => "wire",
        }
    }
}
