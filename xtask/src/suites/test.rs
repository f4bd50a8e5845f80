//! Unit, property, integration and compile-fail tests through cargo-nextest where it can be had, and the doc tests.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::counts::{Counts, failed_names, libtest, nextest};
use super::{LIMIT, Suite, Tier};
use crate::command::{Output, answer, stream};
use crate::context::Context;
use crate::report::{Remark, Report};
use crate::tools::cargo_tool;

pub(crate) const SUITE: Suite = Suite {
    name: "test",
    about: "unit, property, integration, compile-fail and doc tests",
    needs: "cargo-nextest, else cargo's own runner",
    tier: Tier::Each,
    run,
};

/// Packages whose tests are suites of their own.
const ELSEWHERE: [&str; 4] =
    [super::browser::PACKAGE, super::kubernetes::PACKAGE, super::kubernetes_oracle::PACKAGE, super::postgres::PACKAGE];

/// Which tests to run, and how.
#[derive(Default)]
pub(super) struct Tests<'a> {
    /// The packages, and perhaps which of their tests, in cargo's words.
    pub(super) packages: &'a [&'a str],
    /// For cargo-nextest.
    pub(super) options: &'a [&'a str],
    /// Where the tests find what they need.
    pub(super) environment: &'a [(&'a str, &'a Path)],
}

fn run(context: &Context) -> Result<Report> {
    let mut report = Report::default();
    let excluded = ELSEWHERE.iter().flat_map(|package| ["--exclude", package]);
    let packages: Vec<_> = ["--workspace"].into_iter().chain(excluded).collect();
    run_packages(context, &Tests { packages: &packages, ..Tests::default() }, &mut report)?;
    let mut command = context.cargo();
    command.args(["test", "--doc", "--workspace", "--locked", "--no-fail-fast"]);
    let output = run_tests(command, context, &[])?;
    enter("doc tests", libtest(&output.text), &output, &mut report);
    Ok(report)
}

/// Runs tests, but for doc tests: by cargo-nextest, where it can be had.
pub(super) fn run_packages(context: &Context, tests: &Tests<'_>, report: &mut Report) -> Result<()> {
    match cargo_tool(context, "cargo-nextest") {
        Ok(program) => with_nextest(context, &program, tests, report),
        Err(error) => {
            println!("cargo-nextest can't be had, so cargo runs the tests: {error:#}");
            let mut command = context.cargo();
            command.arg("test").args(tests.packages).envs(tests.environment.iter().copied());
            command.args(["--locked", "--no-fail-fast"]);
            if !tests.packages.contains(&"--test") {
                command.args(["--lib", "--bins", "--tests", "--examples"]);
            }
            let output = run_tests(command, context, &["--", "--include-ignored"])?;
            enter("cargo test", libtest(&output.text), &output, report);
            Ok(())
        }
    }
}

fn with_nextest(context: &Context, program: &Path, tests: &Tests<'_>, report: &mut Report) -> Result<()> {
    let nextest_command = |verb| {
        let mut command = Command::new(program);
        command
            .current_dir(&context.root)
            .args(["nextest", verb])
            .args(tests.packages)
            .envs(tests.environment.iter().copied())
            .args(["--locked", "--color", "never"]);
        command
    };
    let mut command = nextest_command("run");
    command.arg("--no-fail-fast").args(tests.options);
    let output = run_tests(command, context, &["--run-ignored", "all"])?;
    let before = report.skipped.len();
    enter("cargo nextest", nextest(&output.text), &output, report);
    if report.skipped.len() > before {
        // Its summary only counts what it skipped; name them.
        let ignored = answer(
            nextest_command("list")
                .args(["--run-ignored", "ignored-only", "--message-format", "oneline"])
                .env("CARGO_TERM_COLOR", "never"),
        )?;
        ignored.lines().for_each(|name| println!("ignored: {name}"));
    }
    Ok(())
}

/// Runs tests so that none of them rewrites what it expects, and in the full tier with those that are marked as ignored.
fn run_tests(mut command: Command, context: &Context, with_ignored: &[&str]) -> Result<Output> {
    if context.full {
        command.args(with_ignored);
    }
    stream(command.env("CARGO_TERM_COLOR", "never").env("INSTA_UPDATE", "no"), LIMIT)
}

/// Enters counts, and doubts them: they must be there, and agree with the program's ending.
pub(super) fn enter(what: &str, counts: Option<Counts>, output: &Output, report: &mut Report) {
    let Some(Counts { passed, failed, skipped }) = counts else {
        report.failed(what, format!("no result was printed; {}", output.ending()));
        return;
    };
    report.passed += passed;
    if failed > 0 {
        let why = format!("{}; see the output above", failed_names(&output.text).join(", "));
        report.failed.push(Remark { what: format!("{what}: failed tests"), why, count: failed });
    } else if !output.succeeded() {
        report.failed(what, format!("all tests passed, but {}", output.ending()));
    }
    if skipped > 0 {
        let why = "marked as ignored; of these `cargo xtask ci --full` runs all but doc tests".to_owned();
        report.skipped.push(Remark { what: format!("{what}: ignored tests"), why, count: skipped });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn entered(script: &str) -> Report {
        let output = stream(Command::new("sh").args(["-c", script]), Duration::from_secs(60)).unwrap();
        let mut report = Report::default();
        enter("cargo test", libtest(&output.text), &output, &mut report);
        report
    }

    #[test]
    fn counts_are_entered_by_number() {
        let report = entered("echo 'test result: FAILED. 5 passed; 2 failed; 3 ignored; 0 measured'; exit 101");
        assert_eq!((report.passed, report.failures(), report.skips()), (5, 2, 3));
    }

    #[test]
    fn passes_with_a_bad_end_are_a_failure() {
        let report = entered("echo 'test result: ok. 5 passed; 0 failed; 0 ignored; 0 measured'; exit 101");
        assert_eq!((report.passed, report.failures()), (5, 1));
    }

    #[test]
    fn no_result_is_a_failure_even_with_a_good_end() {
        let report = entered("echo 'nothing to do'");
        assert_eq!((report.passed, report.failures()), (0, 1));
    }
}
