//! The oldest Rust that the published crates name: none of what they are built from names a newer one, and they build with it.
//! (That their own code uses nothing newer is clippy's `incompatible_msrv`.)

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::{Suite, Tier, one_command};
use crate::command::answer;
use crate::context::{Context, Dependency, Metadata};
use crate::report::Report;

pub(crate) const SUITE: Suite = Suite {
    name: "msrv",
    about: "no dependency needs a newer Rust than the published crates name, and (with --full) they build with that one",
    needs: "with --full that toolchain, by rustup",
    tier: Tier::Each,
    run,
};

fn run(context: &Context) -> Result<Report> {
    let published = context.published();
    let oldest = published.iter().find_map(|package| package.rust_version.as_deref());
    let oldest = oldest.context("no published crate names its oldest Rust")?;
    let mut report = Report::default();
    for package in &published {
        let named = package.rust_version.as_deref();
        let others =
            (named != Some(oldest)).then(|| format!("it names {}, and others {oldest}", named.unwrap_or("none")));
        report
            .check(&format!("{} names the oldest Rust of all", package.name), &others.into_iter().collect::<Vec<_>>());
        let what = format!("{} is built from nothing newer", package.name);
        report.check(&what, &newer(&context.metadata, &package.id, version(oldest)?)?);
    }
    report.add(if context.full { build(context, oldest)? } else { Report::skip("the build", "left to --full") });
    Ok(report)
}

/// What a package is built from, on any platform, that names a newer Rust. Dependencies of tests are not among it.
fn newer(metadata: &Metadata, package: &str, oldest: [u64; 3]) -> Result<Vec<String>> {
    let packages: BTreeMap<_, _> = metadata.packages.iter().map(|package| (package.id.as_str(), package)).collect();
    let nodes: BTreeMap<_, _> = metadata.resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
    let mut seen = BTreeSet::new();
    let mut ahead = vec![package];
    let mut newer = BTreeSet::new();
    while let Some(id) = ahead.pop() {
        if !seen.insert(id) {
            continue;
        }
        let package = packages.get(id).with_context(|| format!("no package `{id}`"))?;
        if let Some(named) = &package.rust_version
            && version(named)? > oldest
        {
            newer.insert(format!("`{} {}` needs Rust {named}", package.name, package.version));
        }
        let node = nodes.get(id).with_context(|| format!("`{id}` is not resolved"))?;
        ahead.extend(
            node.deps.iter().filter(|dependency| is_built(dependency)).map(|dependency| dependency.pkg.as_str()),
        );
    }
    Ok(newer.into_iter().collect())
}

fn is_built(dependency: &Dependency) -> bool {
    dependency.dep_kinds.iter().any(|kind| kind.kind.as_deref() != Some("dev"))
}

/// `1.89` is `1.89.0`.
fn version(text: &str) -> Result<[u64; 3]> {
    let mut parts = text.split('.').map(str::parse);
    let mut next = || parts.next().unwrap_or(Ok(0)).with_context(|| format!("`{text}` is no version of Rust"));
    Ok([next()?, next()?, next()?])
}

fn build(context: &Context, oldest: &str) -> Result<Report> {
    let toolchains = match answer(Command::new("rustup").args(["toolchain", "list"])) {
        Ok(toolchains) => toolchains,
        Err(error) => {
            return Ok(Report::skip("the build", format!("rustup can't be asked: {error:#}")));
        }
    };
    let Some(toolchain) = installed(oldest, &toolchains) else {
        let why = format!("Rust {oldest} is not here; `rustup toolchain install {oldest} --profile minimal` brings it");
        return Ok(Report::skip("the build", why));
    };
    let mut command = Command::new("rustup");
    command.current_dir(&context.root).args(["run", toolchain, "cargo", "check", "--locked", "--all-features"]);
    context.published().iter().for_each(|package| {
        command.args(["--package", &package.name]);
    });
    let target = context.metadata.target_directory.join("msrv");
    one_command(
        "cargo check",
        command.env("CARGO_TARGET_DIR", target).env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO"),
    )
}

/// The installed toolchain of that version: `1.89` is met by `1.89-x86_64-…` and by `1.89.0-x86_64-…`.
fn installed<'a>(version: &str, toolchains: &'a str) -> Option<&'a str> {
    toolchains.lines().filter_map(|line| line.split(' ').next()).find(|name| {
        name.strip_prefix(version)
            .is_some_and(|rest| rest.starts_with('-') || (rest.starts_with('.') && version.matches('.').count() == 1))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `own` is built from `runtime` and, by its build script, from `script`; only its tests need `tests`.
    fn metadata(of_script: &str) -> Metadata {
        let package = |name: &str, oldest: &str| {
            format!(
                r#"{{"id":"{name}","name":"{name}","version":"1.0.0","manifest_path":"{name}","rust_version":{oldest}}}"#
            )
        };
        let packages = [
            package("own", r#""1.89""#),
            package("runtime", "null"),
            package("script", of_script),
            package("tests", r#""1.95""#),
        ];
        let needs = |name: &str, kind: &str| format!(r#"{{"pkg":"{name}","dep_kinds":[{{"kind":{kind}}}]}}"#);
        let node =
            |name: &str, deps: &[String]| format!(r#"{{"id":"{name}","features":[],"deps":[{}]}}"#, deps.join(","));
        let nodes = [
            node("own", &[needs("runtime", "null"), needs("tests", r#""dev""#)]),
            node("runtime", &[needs("script", r#""build""#)]),
            node("script", &[]),
            node("tests", &[]),
        ];
        let (packages, nodes) = (packages.join(","), nodes.join(","));
        let text = format!(
            r#"{{"packages":[{packages}],"resolve":{{"nodes":[{nodes}]}},"target_directory":"","workspace_members":[]}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_dependency_that_needs_a_newer_rust_is_named_unless_it_is_for_tests() {
        let oldest = version("1.89").unwrap();
        assert_eq!(newer(&metadata(r#""1.89.0""#), "own", oldest).unwrap(), Vec::<String>::new());
        assert_eq!(newer(&metadata(r#""1.89.1""#), "own", oldest).unwrap(), ["`script 1.0.0` needs Rust 1.89.1"]);
        assert_eq!(newer(&metadata(r#""1.100""#), "own", oldest).unwrap(), ["`script 1.0.0` needs Rust 1.100"]);
        assert!(newer(&metadata(r#""new""#), "own", oldest).is_err());
    }

    #[test]
    fn a_toolchain_is_found_by_its_version() {
        let list = "stable-x86_64-unknown-linux-gnu (default)\n1.89.0-x86_64-unknown-linux-gnu (active)\n";
        assert_eq!(installed("1.89", list), Some("1.89.0-x86_64-unknown-linux-gnu"));
        assert_eq!(installed("1.89.0", list), Some("1.89.0-x86_64-unknown-linux-gnu"));
        assert_eq!(installed("1.8", list), None);
        assert_eq!(installed("1.90", list), None);
    }
}
