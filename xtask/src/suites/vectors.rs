//! The vectors of the specification: that they are what the core says, and that two programs which share no code with it,
//! written from the specification, say the same of each. To show that they can tell, each has to find wrong ones too.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::{LIMIT, Suite, Tier, counts};
use crate::command::{answer, stream};
use crate::context::Context;
use crate::report::Report;
use crate::tools::{bundle, python_packages};

pub(crate) const SUITE: Suite = Suite {
    name: "vectors",
    about: "the vectors are what the core says, and two programs from the text alone agree (spec/v0/vectors)",
    needs: "python3 with pip, Node with npm, and their packages",
    tier: Tier::Each,
    run,
};

const PACKAGE: &str = "vectors";
const VECTORS: &str = "spec/v0/vectors";
const PYTHON: &str = "spec/v0/vectors/check/python/check.py";
const NODE: &str = "spec/v0/vectors/check/typescript/check.ts";
/// Where the npm packages are named that the program imports.
const NODE_PACKAGES: &str = "spec/v0/vectors/check/typescript";

/// Which vectors are spoiled, and how.
const SEEDS: [u64; 3] = [1, 2, 3];

const CHECKER_LIMIT: Duration = Duration::from_secs(5 * 60);

/// `cargo xtask vectors [--check]`.
pub(crate) fn by_hand(context: &Context, check: bool) -> Result<ExitCode> {
    let chore = if check { "check" } else { "write" };
    let succeeded = stream(&mut emitter(context, &[chore, VECTORS]), LIMIT)?.succeeded();
    Ok(if succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn run(context: &Context) -> Result<Report> {
    let mut report = counts::lines(PACKAGE, &stream(&mut emitter(context, &["check", VECTORS]), LIMIT)?);
    let spoiled = SEEDS.into_iter().map(|seed| Spoiled::make(context, seed)).collect::<Result<Vec<_>>>()?;
    for (name, program) in [("Python", python(context)), ("Node", node(context))] {
        match program {
            Ok(program) => judge(context, name, &program, &spoiled, &mut report)?,
            Err(error) => report.skipped(format!("the check in {name}"), format!("it can't be had: {error:#}")),
        }
    }
    Ok(report)
}

fn emitter(context: &Context, arguments: &[&str]) -> Command {
    let mut command = context.cargo();
    command.args(["run", "--locked", "--quiet", "--package", PACKAGE, "--"]).args(arguments);
    command
}

/// Makes the command that checks the vectors of a directory.
type Program = Box<dyn Fn(&Path) -> Command>;

fn python(context: &Context) -> Result<Program> {
    let packages = python_packages(context)?;
    let script = context.root.join(PYTHON);
    Ok(Box::new(move |directory| {
        let mut command = Command::new("python3");
        command.arg(&script).arg(directory).env("PYTHONPATH", &packages);
        command.env("PYTHONNOUSERSITE", "1").env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }))
}

fn node(context: &Context) -> Result<Program> {
    answer(Command::new("node").arg("--version")).context("node is needed")?;
    let script = bundle(context, NODE_PACKAGES, NODE)?;
    Ok(Box::new(move |directory| {
        let mut command = Command::new("node");
        command.arg(&script).arg(directory);
        command
    }))
}

/// Copies of all files in which some vectors are wrong.
struct Spoiled {
    seed: u64,
    copies: PathBuf,
    /// The wrong ones, a name a line.
    names: String,
}

impl Spoiled {
    fn make(context: &Context, seed: u64) -> Result<Self> {
        let copies = context.metadata.target_directory.join("xtask-vectors").join(seed.to_string());
        if copies.is_dir() {
            fs::remove_dir_all(&copies)?;
        }
        let mut command = emitter(context, &["spoil", VECTORS]);
        let names = answer(command.arg(&copies).args(["--seed", &seed.to_string()]))?;
        Ok(Self { seed, copies, names })
    }
}

/// All vectors are right, and of copies in which some are wrong it names exactly those.
fn judge(context: &Context, name: &str, program: &Program, spoiled: &[Spoiled], report: &mut Report) -> Result<()> {
    let checked = counts::lines(name, &stream(&mut program(&context.root.join(VECTORS)), CHECKER_LIMIT)?);
    report.passed += checked.passed;
    report.failed.extend(checked.failed);
    report.skipped.extend(checked.skipped);
    for Spoiled { seed, copies, names } in spoiled {
        let output = program(copies).output().with_context(|| format!("starting the check in {name}"))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let what = format!("{name} names the {} wrong ones of seed {seed}", names.lines().count());
        println!("{what}, and no others?");
        report.check(&what, &complaints(names, &text, output.status.success()));
    }
    Ok(())
}

/// What differs between the vectors that are wrong and those that were named.
fn complaints(spoiled: &str, output: &str, succeeded: bool) -> Vec<String> {
    let wrong: BTreeSet<&str> = spoiled.lines().collect();
    let named: BTreeSet<&str> = output
        .lines()
        .filter_map(|line| line.strip_prefix("not ok "))
        .map(|rest| rest.split_once(": ").map_or(rest, |(name, _)| name))
        .collect();
    let mut complaints = Vec::new();
    if wrong.is_empty() {
        complaints.push("none was spoiled".to_owned());
    }
    if succeeded {
        complaints.push("it ended as if all were right".to_owned());
    }
    complaints.extend(wrong.difference(&named).map(|name| format!("`{name}` is wrong and wasn't named")));
    complaints.extend(named.difference(&wrong).map(|name| format!("`{name}` is right and was named")));
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_the_wrong_ones_have_to_be_named() {
        let spoiled = "gate/a\nseals/b\n";
        let right = "ok forms: 3 vectors\nnot ok gate/a: {} found\nnot ok seals/b: x: y\n";
        assert_eq!(complaints(spoiled, right, false), Vec::<String>::new());
        assert_eq!(complaints(spoiled, right, true), ["it ended as if all were right"]);
        assert_eq!(complaints(spoiled, "not ok gate/a: {}", false), ["`seals/b` is wrong and wasn't named"]);
        let more = format!("{right}not ok tags/c: {{}}");
        assert_eq!(complaints(spoiled, &more, false), ["`tags/c` is right and was named"]);
        assert_eq!(complaints("", "", false), ["none was spoiled"]);
    }
}
