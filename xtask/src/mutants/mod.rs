//! Mutation testing: changes one place of the source at a time, and runs the tests, which must notice.
//!
//! It takes hours, so it is no part of `cargo xtask ci`; what was found is kept in `tests/mutants/results.toml`, with the digest
//! of the file that it was found of, and the suite `mutants` holds it against the limits.

mod outcomes;
pub(crate) mod plan;
mod tree;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::cache::tool_directory;
use crate::command::{Stopwatch, answer, stream};
use crate::context::Context;
use plan::{Found, Group, Plan, Reasons, Results};

/// The longest that the mutants of one file may take.
const LONGEST: Duration = Duration::from_secs(4 * 60 * 60);

/// The longest that the tests of one mutant may take, in seconds. Unmutated they take a fraction of it.
const TEST_SECONDS: &str = "25";

/// `cargo xtask mutants`: runs the files whose kept result is of other contents, and of the others the mutants that went unnoticed
/// without a reason: there may be a test now. Begins no further file after `minutes`.
pub(crate) fn run(context: &Context, minutes: u64, only: &[String]) -> Result<ExitCode> {
    let plan = Plan::load(&context.root)?;
    let mut results = Results::load(&context.root)?;
    let reasons = Reasons::load(&context.root)?;
    let files = plan.files(&context.root)?;
    if let Some(unknown) = only.iter().find(|file| !files.contains_key(*file)) {
        bail!("`{unknown}` is not a file of tests/mutants/plan.toml");
    }
    results.file.retain(|file, _| files.contains_key(file));
    let program = program(context, &plan)?;
    let limit = Duration::from_secs(minutes * 60);
    let begun = Stopwatch::start();
    let mut left = 0;
    for (file, group) in files {
        let sha256 = sha256(&context.root.join(&file))?;
        if !only.is_empty() && !only.contains(&file) {
            continue;
        }
        let kept = results.file.get(&file).filter(|found| found.sha256 == sha256 && !only.contains(&file)).cloned();
        let again: Vec<String> = match &kept {
            Some(found) => found.missed.iter().filter(|name| !reasons.excuse(&file, name)).cloned().collect(),
            None => Vec::new(),
        };
        if kept.is_some() && again.is_empty() {
            continue;
        }
        if begun.elapsed() >= limit {
            left += 1;
            continue;
        }
        let found = mutate(context, &plan, &program, &file, group, &again)?;
        let found = match kept {
            Some(kept) => kept.with(&again, found),
            None => Found { sha256, ..found },
        };
        println!("{file}: {} noticed, {} not", found.caught + found.timeout, found.missed.len());
        results.file.insert(file, found);
        results.save(&context.root)?;
    }
    println!("{left} files are left for another time");
    Ok(ExitCode::SUCCESS)
}

/// The SHA-256 of a file, in hexadecimal.
pub(crate) fn sha256(path: &Path) -> Result<String> {
    let output = answer(Command::new("sha256sum").arg(path))?;
    Ok(output.split_whitespace().next().unwrap_or_default().to_owned())
}

/// Runs the mutants of one file, all or those with these names, in a copy of the repository: one that ends early leaves a mutant
/// there.
fn mutate(
    context: &Context,
    plan: &Plan,
    program: &Path,
    file: &str,
    group: &Group,
    names: &[String],
) -> Result<Found> {
    let target = &context.metadata.target_directory;
    let (tree, output) = (target.join("xtask-mutants-tree"), target.join("xtask-mutants"));
    if output.exists() {
        fs::remove_dir_all(&output).with_context(|| format!("removing `{}`", output.display()))?;
    }
    tree::copy(&context.root, &tree)?;
    let mut found = Found::default();
    for stage in &group.stages {
        let mut command = Command::new(program);
        command
            .current_dir(&tree)
            .env("CARGO_TARGET_DIR", target.join("xtask-mutants-target"))
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .envs(&group.environment)
            .args(["mutants", "--package", &plan.package, "--test-package", &plan.package])
            // Of a later stage, only the mutants that no earlier one noticed.
            .args(["--iterate", "--no-shuffle", "--in-place", "--colors=never"])
            // The baseline is run: where the tests fail on what is there, every mutant would seem to be noticed.
            .args(["--timeout", TEST_SECONDS, "--file", file, "--output"])
            .arg(&output)
            .args((!names.is_empty()).then(|| format!("--re={}", expression(names))))
            // Where only the tests' own phase is told which to take, all are built for each mutant.
            .args(stage.targets.iter().map(|target| format!("--cargo-arg={target}")))
            .args(["--", "--"])
            .args(stage.skip.iter().map(|name| format!("--skip={name}")));
        let ended = stream(&mut command, LONGEST)?;
        // 2: mutants were missed; 3: some took too long. Anything else says nothing about mutants.
        if ended.timed_out || !matches!(ended.status.code(), Some(0 | 2 | 3)) {
            bail!("the mutants of `{file}`: {}", ended.ending());
        }
        let written = output.join("mutants.out");
        // Of a file without mutants, nothing is written.
        if !written.join("outcomes.json").exists() {
            break;
        }
        found.then(outcomes::read(&written.join("outcomes.json"))?);
        if found.missed.is_empty() {
            break;
        }
        // One that made a test run for ever was noticed, which the tool sees otherwise.
        let slow = fs::read(written.join("timeout.txt"))?;
        fs::OpenOptions::new().append(true).open(written.join("caught.txt"))?.write_all(&slow)?;
    }
    Ok(found)
}

/// A regular expression for mutants with these names, wherever they are.
fn expression(names: &[String]) -> String {
    let escaped = names.iter().map(|name| {
        let escape = |letter: char| letter.is_ascii_punctuation().then_some('\\').into_iter().chain([letter]);
        name.chars().flat_map(escape).collect::<String>()
    });
    format!(": ({})$", escaped.collect::<Vec<_>>().join("|"))
}

/// The tool, built from source once: mutation testing is no part of each run.
fn program(context: &Context, plan: &Plan) -> Result<PathBuf> {
    let name = format!("cargo-{}-{}", plan.tool.name, plan.tool.version);
    let directory = tool_directory(&context.metadata.target_directory)?.join(name);
    let program = directory.join("bin").join(&plan.tool.name);
    if !program.is_file() {
        let mut install = context.cargo();
        install
            .args(["install", "--locked", "--version", &plan.tool.version, "--root"])
            .arg(&directory)
            .arg(&plan.tool.name);
        if !stream(&mut install, LONGEST)?.succeeded() {
            bail!("`{}` {} could not be installed", plan.tool.name, plan.tool.version);
        }
    }
    Ok(program)
}

#[cfg(test)]
mod tests {
    use super::expression;

    #[test]
    fn names_are_meant_as_they_stand() {
        let names = ["replace < with <= in f".to_owned(), "replace A::b -> &'a [u8] with ()".to_owned()];
        assert_eq!(expression(&names), r": (replace \< with \<\= in f|replace A\:\:b \-\> \&\'a \[u8\] with \(\))$");
    }
}
