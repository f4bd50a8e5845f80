//! Licences, banned crates and sources, by cargo-deny. Its advisories need a database from the network: suite `advisories`.

use std::process::Command;

use anyhow::Result;

use super::{LIMIT, Suite, Tier};
use crate::command::{Output, stream};
use crate::context::Context;
use crate::report::Report;
use crate::tools::cargo_tool;

pub(crate) const SUITE: Suite = Suite {
    name: "deny",
    about: "licences, banned crates and sources of every dependency",
    needs: "cargo-deny",
    tier: Tier::Each,
    run: |context| run(context, &["bans", "licenses", "sources"]),
};

/// What cargo-deny says when its database can't be had: then nothing was checked.
const NO_DATABASE: &str = "failed to fetch advisory database";

pub(super) fn run(context: &Context, checks: &[&str]) -> Result<Report> {
    let program = match cargo_tool(context, "cargo-deny") {
        Ok(program) => program,
        Err(error) => {
            return Ok(Report::skip(checks.join(", "), format!("cargo-deny can't be had: {error:#}")));
        }
    };
    let mut command = Command::new(program);
    command.current_dir(&context.root).args(["--locked", "--color", "never", "check"]).args(checks);
    let output = stream(&mut command, LIMIT)?;
    if output.text.contains(NO_DATABASE) {
        return Ok(Report::skip(checks.join(", "), "the advisory database can't be fetched from here"));
    }
    Ok(judge(checks, &output))
}

/// Reads the closing line `bans ok, licenses FAILED, sources ok`: one test for each check.
fn judge(checks: &[&str], output: &Output) -> Report {
    let mut report = Report::default();
    for check in checks {
        match verdict(check, &output.text) {
            Some("ok") => report.passed(),
            Some(verdict) => report.failed(*check, format!("cargo-deny says {verdict}; see the output above")),
            None => report.failed(*check, format!("cargo-deny gave no verdict; {}", output.ending())),
        }
    }
    if report.failed.is_empty() && !output.succeeded() {
        report.failed("cargo deny", output.ending());
    }
    report
}

fn verdict<'a>(check: &str, output: &'a str) -> Option<&'a str> {
    output.lines().rev().find_map(|line| {
        line.split(", ")
            .find_map(|part| part.trim().strip_prefix(check)?.strip_prefix(' ').filter(|word| !word.contains(' ')))
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn judged(script: &str) -> Report {
        let output = stream(Command::new("sh").args(["-c", script]), Duration::from_secs(60)).unwrap();
        judge(&["bans", "licenses"], &output)
    }

    #[test]
    fn each_check_is_a_test() {
        let report = judged("echo 'warning[duplicate]: bans here'; echo 'bans ok, licenses ok'");
        assert_eq!((report.passed, report.failures()), (2, 0));
    }

    #[test]
    fn a_failed_check_is_named() {
        let report = judged("echo 'bans ok, licenses FAILED'; exit 4");
        assert_eq!(report.passed, 1);
        assert_eq!(report.failed.first().map(|remark| remark.what.as_str()), Some("licenses"));
    }

    #[test]
    fn silence_and_a_bad_end_fail() {
        assert_eq!(judged("true").failures(), 2);
        assert_eq!(judged("echo 'bans ok, licenses ok'; exit 1").failures(), 1);
    }
}
