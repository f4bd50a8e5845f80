//! How many tests ran, read from what the test programs print.

use crate::command::Output;
use crate::report::{Remark, Report};

const NEXTEST_SUMMARY: &str = "Summary [";

/// Tests by outcome.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
}

/// The last summary line of cargo-nextest: `Summary [ 1.2s] 9/10 tests run: 7 passed (1 slow), 1 failed, 1 timed out, 2 skipped`.
/// Whatever is neither passed nor skipped has failed, and so has a test that was never reached.
pub(crate) fn nextest(output: &str) -> Option<Counts> {
    output.lines().rev().find_map(|line| {
        let (_, rest) = line.trim_start().strip_prefix(NEXTEST_SUMMARY)?.split_once(']')?;
        let (run, outcomes) = rest.split_once(" run:")?;
        let mut counts = Counts { failed: not_reached(run)?, ..Counts::default() };
        for outcome in without_parentheses(outcomes).split(',') {
            let (number, word) = outcome.trim().split_once(' ')?;
            let number: usize = number.parse().ok()?;
            match word.trim() {
                "passed" => counts.passed += number,
                "skipped" => counts.skipped += number,
                _ => counts.failed += number,
            }
        }
        Some(counts)
    })
}

/// From `9/10 tests` or `10 tests`.
fn not_reached(run: &str) -> Option<usize> {
    let number = run.trim().split(' ').next()?;
    match number.split_once('/') {
        None => number.parse::<usize>().ok().map(|_| 0),
        Some((run, all)) => all.parse::<usize>().ok()?.checked_sub(run.parse().ok()?),
    }
}

fn without_parentheses(text: &str) -> String {
    let mut depth = 0_usize;
    text.chars()
        .filter(|character| {
            match character {
                '(' => depth += 1,
                ')' => {
                    depth = depth.saturating_sub(1);
                    return false;
                }
                _ => {}
            }
            depth == 0
        })
        .collect()
}

/// The sum of libtest's lines `test result: ok. 3 passed; 0 failed; 1 ignored; …`; nothing if there is none.
pub(crate) fn libtest(output: &str) -> Option<Counts> {
    let results = output.lines().filter_map(|line| {
        let (_, outcomes) = line.trim_start().strip_prefix("test result: ")?.split_once(". ")?;
        let number = |wanted: &str| {
            outcomes.split(';').find_map(|outcome| {
                let (number, word) = outcome.trim().split_once(' ')?;
                (word == wanted).then(|| number.parse::<usize>().ok())?
            })
        };
        Some(Counts { passed: number("passed")?, failed: number("failed")?, skipped: number("ignored")? })
    });
    results.reduce(|sum, one| Counts {
        passed: sum.passed + one.passed,
        failed: sum.failed + one.failed,
        skipped: sum.skipped + one.skipped,
    })
}

/// The tests that failed, by name: those that nextest repeats after its summary, else libtest's `test NAME ... FAILED`.
pub(crate) fn failed_names(output: &str) -> Vec<&str> {
    if let Some(closing) = output.rfind(NEXTEST_SUMMARY).and_then(|at| output.get(at..)) {
        // `        FAIL [   0.079s] (1/2) approval-core gate::tests::order`
        // Those that passed are repeated too, where what they have said is shown.
        let is_failure =
            |line: &&str| !["PASS", "SLOW", "LEAK "].iter().any(|passed| line.trim_start().starts_with(passed));
        let repeated = closing.lines().skip(1).filter(is_failure).filter_map(|line| line.split_once("] ("));
        return repeated.filter_map(|(_, rest)| Some(rest.split_once(") ")?.1.trim())).collect();
    }
    let failed = output.lines().filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"));
    failed.collect()
}

/// The report of a program that prints one line for each of its tests: `ok NAME`, `not ok NAME: why` or `skip NAME: why`.
/// It fails as well when it ends badly without naming a failure.
pub(crate) fn lines(what: &str, output: &Output) -> Report {
    let mut report = Report::default();
    for line in output.text.lines() {
        if line.starts_with("ok ") {
            report.passed();
        } else if let Some(rest) = line.strip_prefix("not ok ") {
            report.failed.push(remark(rest));
        } else if let Some(rest) = line.strip_prefix("skip ") {
            report.skipped.push(remark(rest));
        }
    }
    if !output.succeeded() && report.failed.is_empty() {
        report.failed(what, output.ending());
    }
    if output.succeeded() && report.passed == 0 && report.skipped.is_empty() {
        report.failed(what, "it printed no line `ok …`");
    }
    report
}

fn remark(text: &str) -> Remark {
    let (what, why) = text.split_once(": ").unwrap_or((text, "no reason given"));
    Remark { what: what.to_owned(), why: why.to_owned(), count: 1 }
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::Duration;

    use super::*;
    use crate::command::stream;

    fn counts(passed: usize, failed: usize, skipped: usize) -> Option<Counts> {
        Some(Counts { passed, failed, skipped })
    }

    #[test]
    fn nextest_summaries() {
        let ok = "    Starting 3 tests across 2 binaries\n        PASS [   0.004s] a b\n------------\n     Summary [   0.010s] 3 tests run: 3 passed, 0 skipped\n";
        assert_eq!(nextest(ok), counts(3, 0, 0));
        let one = "     Summary [   0.010s] 1 test run: 1 passed, 0 skipped";
        assert_eq!(nextest(one), counts(1, 0, 0));
        let mixed = "     Summary [ 301.2s] 10 tests run: 6 passed (1 slow, 1 flaky, 1 leaky), 2 failed, 1 exec failed, 1 timed out, 4 skipped\n        FAIL [   0.1s] a b\n";
        assert_eq!(nextest(mixed), counts(6, 4, 4));
    }

    #[test]
    fn tests_that_nextest_never_reached_have_failed() {
        let stopped = "     Summary [   1.2s] 9/12 tests run: 8 passed, 1 failed, 2 skipped";
        assert_eq!(nextest(stopped), counts(8, 4, 2));
    }

    #[test]
    fn a_run_without_a_summary_has_no_counts() {
        assert_eq!(nextest("error: could not compile `approval-core`\n"), None);
        assert_eq!(nextest("     Summary [   1.2s] gibberish run: many passed"), None);
        assert_eq!(libtest("error: could not compile `approval-core`\n"), None);
    }

    #[test]
    fn libtest_results_are_added_up() {
        let output = "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\n\
                      test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n";
        assert_eq!(libtest(output), counts(4, 2, 1));
    }

    #[test]
    fn failures_have_names() {
        let nextest = "test a ... FAILED\n     Summary [   0.081s] 3 tests run: 1 passed, 1 failed, 1 timed out, 1 skipped\n        FAIL [   0.079s] (1/3) approval-core gate::tests::order\n        PASS [   0.1s] (2/3) approval-core b\n     TIMEOUT [ 300.0s] (3/3) approval-web pages\nerror: test run failed\n";
        assert_eq!(failed_names(nextest), ["approval-core gate::tests::order", "approval-web pages"]);
        let libtest = "test a ... ok\ntest src/lib.rs - b (line 3) ... FAILED\n\nfailures:\n";
        assert_eq!(failed_names(libtest), ["src/lib.rs - b (line 3)"]);
        assert_eq!(failed_names("test a ... ok"), Vec::<&str>::new());
    }

    fn printed(script: &str) -> Report {
        lines("demo", &stream(Command::new("sh").args(["-c", script]), Duration::from_secs(60)).unwrap())
    }

    #[test]
    fn printed_lines_are_tests() {
        let report = printed("echo 'ok plan'; echo 'note'; echo 'skip oidc: no provider'; echo 'ok execute'");
        assert_eq!(report.passed, 2);
        assert_eq!(report.failures(), 0);
        assert_eq!(report.skipped, [remark("oidc: no provider")]);
    }

    #[test]
    fn a_failing_line_fails_once() {
        let report = printed("echo 'ok plan'; echo 'not ok execute: applied twice'; exit 1");
        assert_eq!(report.passed, 1);
        assert_eq!(report.failed, [remark("execute: applied twice")]);
    }

    #[test]
    fn a_bad_end_or_no_line_at_all_fails() {
        assert_eq!(printed("echo 'ok plan'; exit 7").failures(), 1);
        assert_eq!(printed("true").failures(), 1);
    }
}
