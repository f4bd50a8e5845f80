//! Servers with one fault each, which the checks of the harness must find.

use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::command::collect;
use crate::context::Context;
use crate::report::Report;

pub(super) const PACKAGE: &str = "approval-mutants";
const PROGRAM: &str = "mutation-run";
/// With the checks that are named for each.
const LIMIT: Duration = Duration::from_secs(8 * 60);
/// With all checks.
const WHOLE_LIMIT: Duration = Duration::from_secs(3 * 60 * 60);

pub(super) fn run(context: &Context) -> Result<Report> {
    let mut command = Command::new(context.program(PROGRAM));
    command.current_dir(&context.root).env("CARGO_TARGET_DIR", &context.metadata.target_directory);
    let limit = if context.full {
        command.arg("--whole");
        WHOLE_LIMIT
    } else {
        LIMIT
    };
    let output = collect(&mut command, limit)?;
    let mut report = read(&output.text);
    // It ends well where nothing is told against a server, and only there.
    if output.succeeded() != (report.failures() == 0) || report.passed == 0 {
        report.failed(PROGRAM, output.ending());
    }
    println!("{PROGRAM}: {} found out, {} not", report.passed, report.failures());
    Ok(report)
}

fn read(text: &str) -> Report {
    let mut report = Report::default();
    for line in text.lines() {
        if line.starts_with("ok ") {
            report.passed();
        } else if let Some(told) = line.strip_prefix("not ok ") {
            let (what, why) = told.split_once(": ").unwrap_or((told, "without a reason"));
            report.failed(format!("mutant: {what}"), why);
        }
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_program_are_results() {
        let report =
            read("ok a (1.4 s)\n WARN a server says: ok b\nnot ok c (2.0 s): it survives `d`: pass \n1 ok, 1 not ok\n");
        assert_eq!(report.passed, 1);
        let [failed] = report.failed.as_slice() else { panic!("{:?}", report.failed) };
        assert_eq!((failed.what.as_str(), failed.why.as_str()), ("mutant: c (2.0 s)", "it survives `d`: pass "));
    }
}
