//! The conformance harness against the servers of `conformance/targets`, ours and those that share no code with it, and an example; and beside them
//! against servers with a fault, each of which must be found out.

mod mutation;

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use super::{LIMIT, Suite, Tier};
use crate::command::{answer, stream};
use crate::context::Context;
use crate::report::{Remark, Report};
use crate::tools::{ensure_node, npm_packages, python_environment, python_packages};

pub(crate) const SUITE: Suite = Suite {
    name: "conformance",
    about: "servers put through the conformance harness: each check on each server is a test, and each fault that it must find",
    needs: "python3 with pip, Node with npm, for the servers in these languages",
    tier: Tier::Each,
    run,
};

const HARNESS: &str = "approval-conformance";
const REFERENCE: &str = "reference-target";
const TYPESCRIPT: &str = "conformance/targets/typescript";
const OLDEST_NODE: u32 = 20;
/// What one server may take.
const RUN_LIMIT: Duration = Duration::from_secs(6 * 60);

/// Variables and their values.
type Environment = Vec<(OsString, OsString)>;

/// A server, and how far it is tried.
struct Target {
    name: &'static str,
    file: &'static str,
    each: Option<&'static str>,
    full: &'static str,
    /// What its driver finds in its environment.
    environment: fn(&Context) -> Result<Environment>,
}

const TARGETS: &[Target] = &[
    Target {
        name: "reference",
        file: "conformance/targets/reference/target.toml",
        each: Some("l2"),
        full: "l2",
        environment: cargo,
    },
    Target {
        name: "reference-stdio",
        file: "conformance/targets/reference/target-stdio.toml",
        each: None,
        full: "l2",
        environment: cargo,
    },
    Target {
        name: "quickstart",
        file: "examples/quickstart/conformance/target.toml",
        each: None,
        full: "l1",
        environment: cargo,
    },
    Target {
        name: "python",
        file: "conformance/targets/python/target.toml",
        each: Some("l1"),
        full: "l2",
        environment: packages,
    },
    Target {
        name: "typescript",
        file: "conformance/targets/typescript/target.toml",
        each: Some("l1"),
        full: "l1",
        environment: bundles,
    },
];

fn run(context: &Context) -> Result<Report> {
    let mut report = Report::default();
    // One by one, as drivers build them: together they would be built with other features, and once more.
    for package in [HARNESS, REFERENCE, mutation::PACKAGE] {
        let output = stream(context.cargo().args(["build", "--locked", "--bins", "--package", package]), LIMIT)?;
        if !output.succeeded() {
            report.failed(format!("cargo build -p {package}"), output.ending());
            return Ok(report);
        }
    }
    // Servers that are waited for leave half of the machine idle.
    let (targets, mutants) = thread::scope(|scope| {
        let mutants = scope.spawn(|| mutation::run(context));
        (all_targets(context), mutants.join())
    });
    report.add(targets?);
    let Ok(mutants) = mutants else { bail!("the thread of the mutants panicked") };
    report.add(mutants?);
    Ok(report)
}

fn all_targets(context: &Context) -> Result<Report> {
    let mut report = Report::default();
    for target in TARGETS {
        let level = if context.full { Some(target.full) } else { target.each };
        let Some(level) = level else {
            report.skipped(target.name, "left to --full");
            continue;
        };
        match (target.environment)(context) {
            Ok(environment) => report.add(put_through(context, target, level, environment)?),
            Err(error) => report.skipped(target.name, format!("what it needs can't be had: {error:#}")),
        }
    }
    Ok(report)
}

/// Of a report of the harness, what is counted here.
#[derive(Deserialize)]
struct Found {
    checks: Vec<Check>,
    stale: Vec<String>,
}

#[derive(Deserialize)]
struct Check {
    id: String,
    revision: Option<String>,
    verdict: String,
    message: Option<String>,
    expected: Option<String>,
}

fn put_through(context: &Context, target: &Target, level: &str, environment: Environment) -> Result<Report> {
    let directory = context.metadata.target_directory.join("xtask-conformance");
    fs::create_dir_all(&directory)?;
    let json = directory.join(format!("{}.json", target.name));
    // What an earlier run wrote says nothing of this one.
    if json.exists() {
        fs::remove_file(&json)?;
    }
    let file = context.root.join(target.file);
    let mut command = Command::new(context.program(HARNESS));
    command.envs(environment).args(["run", "--level", level, "--target"]).arg(&file).arg("--json").arg(&json);
    command.arg("--html").arg(json.with_extension("html"));
    let expected = file.with_file_name("expected-failures.toml");
    if expected.is_file() {
        command.arg("--expected-failures").arg(expected);
    }
    let output = stream(&mut command, RUN_LIMIT)?;
    let text = fs::read_to_string(&json).with_context(|| format!("{}: {}", target.name, output.ending()))?;
    Ok(counted(target.name, &serde_json::from_str(&text)?))
}

fn counted(target: &str, found: &Found) -> Report {
    let mut report = Report::default();
    let mut inapplicable = Vec::new();
    for check in &found.checks {
        let what = format!(
            "{target}: {}{}",
            check.id,
            check.revision.as_ref().map_or_else(String::new, |at| format!(" @{at}"))
        );
        let message = check.message.clone().unwrap_or_default();
        match (check.verdict.as_str(), &check.expected) {
            ("pass" | "warning", _) => report.passed(),
            ("not-applicable", _) => inapplicable.push(check.id.as_str()),
            (_, Some(reason)) => report.skipped(what, format!("expected to fail ({reason}): {message}")),
            (verdict, None) => report.failed(what, format!("{verdict}: {message}")),
        }
    }
    for id in &found.stale {
        report.failed(format!("{target}: {id}"), "it is expected to fail, and doesn't: take it out of the file");
    }
    if !inapplicable.is_empty() {
        let (what, why) =
            (format!("{target}: {}", inapplicable.join(", ")), "the target declares nothing of the kind".to_owned());
        report.skipped.push(Remark { what, why, count: inapplicable.len() });
    }
    report
}

fn cargo(context: &Context) -> Result<Environment> {
    Ok(vec![("CARGO_TARGET_DIR".into(), context.metadata.target_directory.clone().into())])
}

fn packages(context: &Context) -> Result<Environment> {
    Ok(python_environment(&python_packages(context)?))
}

/// The server in TypeScript and its driver, each as one file.
fn bundles(context: &Context) -> Result<Environment> {
    ensure_node(OLDEST_NODE)?;
    let modules = npm_packages(context, TYPESCRIPT)?;
    let built: PathBuf = context.metadata.target_directory.join("xtask-bundles").join("typescript-target");
    let mut esbuild = Command::new(modules.join(".bin/esbuild"));
    esbuild.current_dir(context.root.join(TYPESCRIPT)).env("NODE_PATH", &modules);
    esbuild.args(["server/main.ts", "driver.ts", "--bundle", "--platform=node", "--format=esm"]);
    esbuild.args(["--target=node20", "--log-level=warning", "--entry-names=[name]", "--out-extension:.js=.mjs"]);
    answer(esbuild.arg(format!("--outdir={}", built.display())))?;
    Ok(vec![("NOTES_BUILD".into(), built.into())])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_holds_passes() {
        let check = |id: &str, verdict: &str, expected: Option<&str>| Check {
            id: id.to_owned(),
            revision: None,
            verdict: verdict.to_owned(),
            message: Some("so".to_owned()),
            expected: expected.map(str::to_owned),
        };
        let checks = vec![
            check("a", "pass", None),
            check("b", "warning", None),
            check("c", "fail", None),
            check("d", "not-testable", None),
            check("e", "harness-fault", None),
            check("f", "fail", Some("known")),
            check("g", "not-applicable", None),
            check("h", "of another kind", None),
        ];
        let report = counted("t", &Found { checks, stale: vec!["i".to_owned()] });
        assert_eq!((report.passed, report.failures(), report.skips()), (2, 5, 2));
        let failed: Vec<&str> = report.failed.iter().map(|remark| remark.what.as_str()).collect();
        assert_eq!(failed, ["t: c", "t: d", "t: e", "t: h", "t: i"]);
    }
}
