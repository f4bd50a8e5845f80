//! Where we are: the workspace, where it builds to, and how this run was asked for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::command::answer;

/// What every suite may ask about.
pub(crate) struct Context {
    /// The directory of the workspace's `Cargo.toml`.
    pub(crate) root: PathBuf,
    pub(crate) metadata: Metadata,
    /// Whether the suites and tests that are too long for each run are wanted.
    pub(crate) full: bool,
}

/// The part of `cargo metadata` that the chores read.
#[derive(Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    pub(crate) resolve: Resolve,
    pub(crate) target_directory: PathBuf,
    pub(crate) workspace_members: Vec<String>,
}

#[derive(Deserialize)]
pub(crate) struct Package {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) manifest_path: PathBuf,
    pub(crate) rust_version: Option<String>,
    /// The registries that it may go to: `None` is any, empty is none.
    pub(crate) publish: Option<Vec<String>>,
}

#[derive(Deserialize)]
pub(crate) struct Resolve {
    pub(crate) nodes: Vec<Node>,
}

#[derive(Deserialize)]
pub(crate) struct Node {
    pub(crate) id: String,
    pub(crate) features: Vec<String>,
    pub(crate) deps: Vec<Dependency>,
}

/// A package that another one depends on, for each of the kinds in which it does.
#[derive(Deserialize)]
pub(crate) struct Dependency {
    pub(crate) pkg: String,
    pub(crate) dep_kinds: Vec<DependencyKind>,
}

#[derive(Deserialize)]
pub(crate) struct DependencyKind {
    /// `build` or `dev`; `None` is the ordinary kind.
    pub(crate) kind: Option<String>,
}

impl Context {
    pub(crate) fn load(full: bool) -> Result<Self> {
        let root = workspace_root()?;
        let answer = answer(cargo_at(&root).args(["metadata", "--format-version", "1", "--locked"]))?;
        let metadata = serde_json::from_str(&answer).context("reading `cargo metadata`")?;
        Ok(Self { root, metadata, full })
    }

    /// Cargo, at the root of the workspace, without colours so that its words can be read.
    pub(crate) fn cargo(&self) -> Command {
        cargo_at(&self.root)
    }

    /// The packages of this workspace by name.
    pub(crate) fn members(&self) -> BTreeMap<&str, &Package> {
        let is_member = |package: &&Package| self.metadata.workspace_members.contains(&package.id);
        self.metadata.packages.iter().filter(is_member).map(|package| (package.name.as_str(), package)).collect()
    }

    /// The members that are published, which is what others build on.
    pub(crate) fn published(&self) -> Vec<&Package> {
        self.members().into_values().filter(|package| package.publish != Some(Vec::new())).collect()
    }

    /// The development build of a program of this workspace.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.metadata.target_directory.join("debug").join(name)
    }
}

impl Package {
    pub(crate) fn directory(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(&self.manifest_path)
    }
}

/// As cargo says it now. What was known when this was compiled may be another clone, where build directories are shared.
pub(crate) fn workspace_root() -> Result<PathBuf> {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").context("run this as `cargo xtask`")?;
    Ok(Path::new(&package).parent().context("this package lies in the workspace's root")?.to_owned())
}

fn cargo_at(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root).env("CARGO_TERM_COLOR", "never");
    command
}
