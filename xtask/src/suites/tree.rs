//! The house stands: what each crate may depend on and name (the rooms of the architecture), as cargo resolves it.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context as _, Result};
use proc_macro2::{TokenStream, TokenTree};

use super::{Suite, Tier};
use crate::command::answer;
use crate::context::Context;
use crate::report::Report;
use crate::source::tests_only::TestsOnly;
use crate::source::{SourceFile, files, flat, public};

pub(crate) const SUITE: Suite = Suite {
    name: "tree",
    about: "each crate keeps to its room: dependencies, features, names",
    needs: "nothing more",
    tier: Tier::Each,
    run,
};

/// A crate and the packages that its production tree never holds. A `*` at the end stands for any ending.
const ROOMS: &[(&str, &[&str])] = &[
    (
        "approval-core",
        &[
            "async-std",
            "axum",
            "hyper",
            "kube",
            "kube-*",
            "reqwest",
            "rmcp",
            "rusqlite",
            "smol",
            "sqlx",
            "tokio",
            "tokio-*",
        ],
    ),
    (
        "approval-kubernetes",
        &[
            "approval-rmcp",
            "approval-store-*",
            "approval-web",
            "axum",
            "libsqlite3-sys",
            "ring",
            "rmcp",
            "tokio-postgres",
        ],
    ),
    ("approval-rmcp", &["approval-store-*", "approval-web", "askama", "libsqlite3-sys", "rusqlite", "tokio-postgres"]),
    ("approval-store-postgres", &["axum", "hyper", "reqwest", "rmcp", "rusqlite"]),
    ("approval-store-sqlite", &["axum", "hyper", "reqwest", "rmcp", "tokio-postgres"]),
    ("approval-testkit", &["axum", "hyper", "rmcp", "rusqlite"]),
    ("approval-web", &["approval-rmcp", "approval-store-*", "libsqlite3-sys", "rmcp", "rusqlite", "tokio-postgres"]),
];

/// For tests only, and so in nobody's production tree.
const TESTKIT: &str = "approval-testkit";

/// Features that change what everybody in the build gets, and so must stay off.
const FEATURES_OFF: &[(&str, &str)] = &[("serde_json", "arbitrary_precision"), ("axum", "json")];

/// These go through the service `Approvals`: their sources never name the trait `Store`.
const WITHOUT_STORE: &[&str] = &["approval-rmcp", "approval-web"];

/// The core's public interface has types of its own for these crates' times and identifiers.
const CORE: &str = "approval-core";
const INTERNAL_TO_CORE: &[&str] = &["time", "uuid"];

fn run(context: &Context) -> Result<Report> {
    let mut report = Report::default();
    for (package, never) in ROOMS {
        let what = format!("{package} keeps its room");
        report.check(&what, &unwanted(package, &production_tree(context, package)?, never));
    }
    for package in context.published().into_iter().filter(|package| package.name != TESTKIT) {
        let tree = production_tree(context, &package.name)?;
        report.check(&format!("{} ships without {TESTKIT}", package.name), &unwanted(&package.name, &tree, &[TESTKIT]));
    }
    for (package, feature) in FEATURES_OFF {
        report.check(&format!("{package}/{feature} is off"), &switched_on(context, package, feature)?);
    }
    for package in WITHOUT_STORE {
        report.check(&format!("{package} never names `Store`"), &naming(context, package, "Store")?);
    }
    let interface = public::mentions(INTERNAL_TO_CORE, &sources(context, CORE)?)?;
    let complaints: Vec<_> = interface.mentions.into_iter().chain(interface.unread).collect();
    report.check(&format!("{CORE} shows no type of {}", INTERNAL_TO_CORE.join(", ")), &complaints);
    for (name, package) in context.members() {
        let manifest = fs::read_to_string(&package.manifest_path)?;
        report.check(&format!("{name} inherits the workspace's lints"), &lints(&manifest)?);
    }
    Ok(report)
}

/// The names of the packages that ship with one, on any platform and with all of its features.
fn production_tree(context: &Context, package: &str) -> Result<BTreeSet<String>> {
    let mut command = context.cargo();
    command.args(["tree", "--locked", "--package", package, "--edges", "normal", "--all-features"]);
    let tree = answer(command.args(["--target", "all", "--prefix", "none", "--format", "{p}"]))?;
    Ok(tree
        .lines()
        .filter_map(|line| line.split(' ').next())
        .filter(|name| !name.is_empty())
        .map(ToOwned::to_owned)
        .collect())
}

fn unwanted(package: &str, tree: &BTreeSet<String>, never: &[&str]) -> Vec<String> {
    if !tree.contains(package) {
        return vec!["its tree doesn't hold itself, so it wasn't read".to_owned()];
    }
    let matches = |name: &str, pattern: &str| match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == pattern,
    };
    let is_unwanted = |name: &&String| *name != package && never.iter().any(|pattern| matches(name, pattern));
    tree.iter().filter(is_unwanted).map(|name| format!("it depends on `{name}`")).collect()
}

/// Whether a feature is on anywhere in the lock, tests included.
fn switched_on(context: &Context, package: &str, feature: &str) -> Result<Vec<String>> {
    let named: BTreeSet<_> =
        context.metadata.packages.iter().filter(|found| found.name == package).map(|found| &found.id).collect();
    let nodes: Vec<_> = context.metadata.resolve.nodes.iter().filter(|node| named.contains(&node.id)).collect();
    nodes.first().with_context(|| format!("no package `{package}` is resolved"))?;
    let is_on = nodes.iter().any(|node| node.features.iter().any(|on| on == feature));
    Ok(is_on
        .then(|| format!("something switches it on: `cargo tree -e features -i {package} --workspace` tells"))
        .into_iter()
        .collect())
}

fn sources(context: &Context, package: &str) -> Result<Vec<SourceFile>> {
    let members = context.members();
    let directory = members.get(package).with_context(|| format!("no package `{package}`"))?.directory();
    let mut files = files(&directory.join("src"), &["rs"])?;
    for file in &mut files {
        file.path = file.path.strip_prefix(&context.root).unwrap_or(&file.path).to_owned();
    }
    Ok(files)
}

fn naming(context: &Context, package: &str, name: &str) -> Result<Vec<String>> {
    named_in(&sources(context, package)?, name)
}

/// Where production code says a name. Text in comments and strings is no name.
fn named_in(files: &[SourceFile], name: &str) -> Result<Vec<String>> {
    let tests = TestsOnly::find(files)?;
    let mut complaints = Vec::new();
    for file in files {
        let tokens: TokenStream =
            file.text.parse().map_err(|error| anyhow::anyhow!("`{}`: {error}", file.path.display()))?;
        for token in flat(tokens) {
            let line = token.span().start().line;
            if matches!(&token, TokenTree::Ident(word) if word == name) && !tests.holds(&file.path, line) {
                complaints.push(format!("{}:{line} names `{name}`", file.path.display()));
            }
        }
    }
    Ok(complaints)
}

fn lints(manifest: &str) -> Result<Vec<String>> {
    let manifest: toml::Table = toml::from_str(manifest)?;
    let inherits = manifest.get("lints").and_then(|lints| lints.get("workspace")).and_then(toml::Value::as_bool);
    Ok(if inherits == Some(true) { Vec::new() } else { vec!["add `[lints] workspace = true`".to_owned()] })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_forbidden_dependency_is_named() {
        let never = &["tokio", "approval-store-*"];
        assert!(unwanted("a", &tree(&["a", "serde", "tokio-free"]), never).is_empty());
        assert_eq!(unwanted("a", &tree(&["a", "tokio"]), never), ["it depends on `tokio`"]);
        assert_eq!(
            unwanted("a", &tree(&["a", "approval-store-sqlite"]), never),
            ["it depends on `approval-store-sqlite`"]
        );
    }

    #[test]
    fn an_unread_tree_is_no_clean_tree() {
        assert_eq!(unwanted("a", &tree(&[]), &["tokio"]).len(), 1);
    }

    #[test]
    fn a_real_tree_and_real_features_are_read() {
        let context = Context::load(false).unwrap();
        let tree = production_tree(&context, "approval-rmcp").unwrap();
        assert_eq!(unwanted("approval-rmcp", &tree, &["rmcp"]), ["it depends on `rmcp`"]);
        assert!(switched_on(&context, "serde_json", "std").unwrap().len() == 1);
        assert!(switched_on(&context, "no-such-package", "std").is_err());
    }

    #[test]
    fn a_name_counts_in_production_code_only() {
        let file = |text: &str| vec![SourceFile { path: "src/lib.rs".into(), text: text.into() }];
        let clean = "/// A `Store` keeps.\nfn a() -> &'static str { \"Store\" } // Store\n#[cfg(test)]\nmod tests { use core::Store; }";
        assert_eq!(named_in(&file(clean), "Store").unwrap(), Vec::<String>::new());
        let naming = "use core::{Clock,\n Store};";
        assert_eq!(named_in(&file(naming), "Store").unwrap(), ["src/lib.rs:2 names `Store`"]);
        assert_eq!(named_in(&file("fn a(s: StoreError) {}"), "Store").unwrap(), Vec::<String>::new());
        assert_eq!(named_in(&file("m! { dyn Store }"), "Store").unwrap().len(), 1);
    }

    #[test]
    fn a_manifest_without_the_lints_is_told() {
        assert!(lints("[lints]\nworkspace = true").unwrap().is_empty());
        assert_eq!(lints("[package]\nname = \"a\"").unwrap().len(), 1);
        assert_eq!(lints("[lints.clippy]\nall = \"warn\"").unwrap().len(), 1);
    }
}
