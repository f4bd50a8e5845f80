//! What a user's own choice of features must not change. Each directory below `tests/features` is a workspace of its own,
//! since cargo unifies features within one; it checks itself and ends with success when all is right.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{LIMIT, Suite, Tier};
use crate::command::stream;
use crate::context::Context;
use crate::report::Report;

pub(crate) const SUITE: Suite = Suite {
    name: "features",
    about: "features that others switch on change nothing (tests/features/*)",
    needs: "nothing more",
    tier: Tier::Each,
    run,
};

fn run(context: &Context) -> Result<Report> {
    let manifests = manifests(context)?;
    if manifests.is_empty() {
        return Ok(Report::skip("all", "there is no package below tests/features yet"));
    }
    let mut report = Report::default();
    for manifest in manifests {
        let mut command = context.cargo();
        // A build directory of its own: to cargo, packages of one name in two such workspaces are the same package.
        let name = manifest.parent().and_then(Path::file_name).unwrap_or_default();
        let target = context.metadata.target_directory.join("features").join(name);
        command.args(["run", "--quiet"]).env("CARGO_TARGET_DIR", target);
        if manifest.with_file_name("Cargo.lock").is_file() {
            command.arg("--locked");
        }
        let output = stream(command.arg("--manifest-path").arg(&manifest), LIMIT)?;
        if output.succeeded() {
            report.passed();
        } else {
            report.failed(context.shown(&manifest), output.ending());
        }
    }
    Ok(report)
}

fn manifests(context: &Context) -> Result<Vec<PathBuf>> {
    let directory = context.root.join("tests/features");
    if !directory.is_dir() {
        return Ok(Vec::new());
    }
    let mut manifests = Vec::new();
    for entry in fs::read_dir(directory)? {
        let manifest = entry?.path().join("Cargo.toml");
        if manifest.is_file() {
            manifests.push(manifest);
        }
    }
    manifests.sort();
    Ok(manifests)
}
