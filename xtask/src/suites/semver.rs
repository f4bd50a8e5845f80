//! No release breaks what an earlier one offered without saying so by its version: cargo-semver-checks, against the last tag.

use std::collections::BTreeSet;
use std::process::Command;

use anyhow::Result;

use super::{LIMIT, Suite, Tier};
use crate::command::{answer, stream};
use crate::context::{Context, Package};
use crate::report::Report;

pub(crate) const SUITE: Suite = Suite {
    name: "semver",
    about: "the public interfaces fit their versions, held against the last tag (docs/versions.md)",
    needs: "a tag, and cargo-semver-checks",
    tier: Tier::Full,
    run,
};

const WHAT: &str = "the public interfaces";
const TOOL: &str = "cargo-semver-checks";

fn run(context: &Context) -> Result<Report> {
    let published = context.published();
    let mut report = Report::default();
    let versions: BTreeSet<_> = published.iter().map(|package| package.version.as_str()).collect();
    report.check("until 1.0 all crates have one version", &at_odds(&versions));
    report.add(interfaces(context)?);
    Ok(report)
}

fn at_odds(versions: &BTreeSet<&str>) -> Vec<String> {
    let young: Vec<_> = versions.iter().filter(|version| version.starts_with("0.")).copied().collect();
    if young.is_empty() || versions.len() == 1 {
        return Vec::new();
    }
    vec![format!("they have {}", versions.iter().copied().collect::<Vec<_>>().join(" and "))]
}

fn interfaces(context: &Context) -> Result<Report> {
    let mut git = Command::new("git");
    git.current_dir(&context.root).args(["tag", "--list", "v*", "--merged", "HEAD", "--sort=-version:refname"]);
    let tags = answer(&mut git)?;
    let Some(tag) = tags.lines().find(|tag| is_release(tag)) else {
        return Ok(Report::skip(WHAT, "nothing is released: there is no tag `vX.Y.Z`"));
    };
    if let Err(error) = answer(context.cargo().args(["semver-checks", "--version"])) {
        return Ok(Report::skip(WHAT, format!("{TOOL} can't be asked (`cargo install --locked {TOOL}`): {error:#}")));
    }
    let mut report = Report::default();
    for package in context.published().into_iter().filter(|package| is_library(package)) {
        check(context, package, tag, &mut report)?;
    }
    Ok(report)
}

/// A program has no interface in Rust.
fn is_library(package: &Package) -> bool {
    package.directory().join("src/lib.rs").is_file()
}

fn check(context: &Context, package: &Package, tag: &str, report: &mut Report) -> Result<()> {
    let what = format!("{} since {tag}", package.name);
    let manifest = package.manifest_path.strip_prefix(&context.root).unwrap_or(&package.manifest_path);
    let before = format!("{tag}:{}", manifest.display());
    if answer(Command::new("git").current_dir(&context.root).args(["cat-file", "-e", &before])).is_err() {
        report.skipped(what, "it is new since then");
        return Ok(());
    }
    let mut command = context.cargo();
    command.args(["semver-checks", "--package", &package.name, "--baseline-rev", tag, "--all-features"]);
    let output = stream(&mut command, LIMIT)?;
    report.check(&what, &(!output.succeeded()).then(|| output.ending()).into_iter().collect::<Vec<_>>());
    Ok(())
}

/// `v1.2.3`; what comes before a release, such as `v1.2.3-rc.1`, promises nothing.
fn is_release(tag: &str) -> bool {
    let parts: Vec<_> = tag.strip_prefix('v').unwrap_or_default().split('.').collect();
    parts.len() == 3 && parts.iter().all(|part| part.parse::<u64>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn young_crates_that_differ_in_version_are_told() {
        assert_eq!(at_odds(&BTreeSet::from(["0.2.0"])), Vec::<String>::new());
        assert_eq!(at_odds(&BTreeSet::from(["1.0.0", "2.3.1"])), Vec::<String>::new());
        assert_eq!(at_odds(&BTreeSet::from(["0.2.0", "0.2.1"])), ["they have 0.2.0 and 0.2.1"]);
        assert_eq!(at_odds(&BTreeSet::from(["0.2.0", "1.0.0"])), ["they have 0.2.0 and 1.0.0"]);
    }

    #[test]
    fn a_release_is_three_numbers() {
        assert!(is_release("v1.20.3"));
        assert!(["1.2.3", "v1.2", "v1.2.3-rc.1", "v1.2.3.4", "vectors"].iter().all(|tag| !is_release(tag)));
    }
}
