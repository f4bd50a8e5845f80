//! Clients that others wrote, and the official conformance suite: `tests/interop` says what each is tried with.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::{LIMIT, Suite, Tier, counts};
use crate::command::stream;
use crate::context::Context;
use crate::report::Report;
use crate::tools::{ensure_node, npm_packages, python_environment, python_packages};

pub(crate) const SUITE: Suite = Suite {
    name: "interop",
    about: "the official SDKs and MCP Inspector drive a gated server; with --full in every way, and the official conformance suite too",
    needs: "python3 with pip and Node 20 with npm, each for its part, and the packages of tests/interop",
    tier: Tier::Each,
    run,
};

const PACKAGE: &str = "interop";

/// The programs that use the SDKs.
const SCRIPTS: &str = "tests/interop/clients";

/// Where npm's packages are named: the clients, and apart from them the conformance suite with the Node that it needs.
const CLIENTS: &str = "tests/interop";
const CONFORMANCE: &str = "tests/interop/conformance";

/// What the conformance suite is known to find.
const EXPECTED: &str = "tests/interop/conformance/expected.toml";

/// The oldest Node that the clients run on.
const OLDEST_NODE: u32 = 20;

/// Each client with its revisions; with `--full`, each of them over both transports.
const PYTHON: [&str; 2] = ["python/2025-11-25", "python/2026-07-28"];
const TYPESCRIPT: [&str; 3] = ["typescript-1/2025-11-25", "typescript-2/2025-11-25", "typescript-2/2026-07-28"];
const TRANSPORTS: [&str; 2] = ["http", "stdio"];

/// What is enough for each run: every client, every revision and every transport is there.
const ENOUGH: [&str; 4] = [
    "python/2026-07-28/stdio",
    "typescript-1/2025-11-25/http",
    "typescript-2/2025-11-25/stdio",
    "typescript-2/2026-07-28/http",
];

/// A server that does wrong like this must be found, and how that is told.
const FAULTS: [(&str, &str); 3] = [
    ("early", ", and changes nothing: "),
    ("misshapen", "Structured content does not match the tool's output schema"),
    ("twice", ", and has no second effect: "),
];

/// The client that finds it: the one that looks at errors too.
const FINDER: &str = "typescript-1/2025-11-25/stdio";

/// What all of the ways together may take.
const INTEROP_LIMIT: Duration = Duration::from_secs(10 * 60);

fn run(context: &Context) -> Result<Report> {
    let mut report = Report::default();
    let output = stream(context.cargo().args(["build", "--locked", "--package", PACKAGE]), LIMIT)?;
    if !output.succeeded() {
        report.failed("cargo build -p interop", output.ending());
        return Ok(report);
    }
    report.add(over_python(context)?);
    report.add(over_node(context)?);
    if context.full {
        report.add(conformance(context)?);
    } else {
        report.skipped("conformance", "the official suite and the other ways are left to --full");
    }
    Ok(report)
}

/// The ways of these clients that are gone in this run.
fn cases(clients: &[&str], full: bool) -> Vec<String> {
    let ways = clients.iter().flat_map(|client| TRANSPORTS.map(|transport| format!("{client}/{transport}")));
    ways.filter(|case| full || ENOUGH.contains(&case.as_str())).collect()
}

fn over_python(context: &Context) -> Result<Report> {
    let cases = cases(&PYTHON, context.full);
    let packages = match python_packages(context) {
        Ok(packages) => packages,
        Err(error) => return Ok(skipped(&cases, &format!("its packages can't be had: {error:#}"))),
    };
    let mut command = program(context);
    command.envs(python_environment(&packages));
    command.arg("clients").arg("--scripts").arg(context.root.join(SCRIPTS)).args(cases);
    Ok(counts::lines("the clients in Python", &stream(&mut command, INTEROP_LIMIT)?))
}

fn over_node(context: &Context) -> Result<Report> {
    let cases = cases(&TYPESCRIPT, context.full);
    let modules = match ensure_node(OLDEST_NODE).and_then(|()| npm_packages(context, CLIENTS)) {
        Ok(modules) => modules,
        Err(error) => {
            let inspector = "inspector".to_owned();
            return Ok(skipped(&[&cases[..], &[inspector]].concat(), &format!("it can't be had: {error:#}")));
        }
    };
    let clients = || {
        let mut command = program(context);
        command.arg("clients").arg("--scripts").arg(context.root.join(SCRIPTS)).arg("--modules").arg(&modules);
        command
    };
    let mut report = counts::lines("the clients in TypeScript", &stream(clients().args(cases), INTEROP_LIMIT)?);
    for (fault, told) in FAULTS {
        let output = stream(clients().args(["--fault", fault, FINDER]), INTEROP_LIMIT)?;
        let complaint = format!("it ended with {}, and didn't say `{told}`", output.ending());
        let is_found = output.text.lines().any(|line| line.starts_with("not ok ") && line.contains(told));
        let found = is_found && !output.succeeded();
        report.check(&format!("the fault {fault}"), if found { &[] } else { std::slice::from_ref(&complaint) });
    }
    let mut command = program(context);
    command.arg("inspector").arg("--modules").arg(&modules);
    if context.full {
        command.arg("--http");
    }
    report.add(counts::lines("inspector", &stream(&mut command, INTEROP_LIMIT)?));
    Ok(report)
}

/// The official conformance suite, which needs a newer Node than the clients: npm has that too.
fn conformance(context: &Context) -> Result<Report> {
    let found = npm_packages(context, CONFORMANCE).and_then(|modules| Ok((node(&modules)?, modules)));
    let (node, modules) = match found {
        Ok(found) => found,
        Err(error) => return Ok(Report::skip("conformance", format!("it can't be had: {error:#}"))),
    };
    let mut command = program(context);
    command.arg("conformance").arg("--modules").arg(modules).arg("--node").arg(node);
    command.arg("--expected").arg(context.root.join(EXPECTED));
    Ok(counts::lines("conformance", &stream(&mut command, INTEROP_LIMIT)?))
}

/// The Node among npm's packages that is for this machine.
fn node(modules: &Path) -> Result<PathBuf> {
    let platforms = ["linux-arm64", "linux-x64"].into_iter();
    let mut nodes = platforms.map(|platform| modules.join(format!("node-{platform}/bin/node")));
    nodes.find(|node| node.is_file()).context("npm has no newer Node for this machine")
}

fn program(context: &Context) -> Command {
    Command::new(context.program(PACKAGE))
}

fn skipped(what: &[String], why: &str) -> Report {
    let mut report = Report::default();
    for what in what {
        report.skipped(what, why);
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_run_has_every_client_revision_and_transport() {
        let whole = [cases(&PYTHON, true), cases(&TYPESCRIPT, true)].concat();
        assert_eq!(whole.len(), 10);
        assert!(ENOUGH.iter().all(|enough| whole.iter().any(|case| case == enough)));
        for at in 0..3 {
            let parts = |cases: &[String]| {
                cases.iter().filter_map(|case| case.split('/').nth(at).map(ToOwned::to_owned)).collect()
            };
            let each = [cases(&PYTHON, false), cases(&TYPESCRIPT, false)].concat();
            let (each, whole): (std::collections::BTreeSet<_>, std::collections::BTreeSet<_>) =
                (parts(&each), parts(&whole));
            assert_eq!(each, whole);
        }
    }
}
