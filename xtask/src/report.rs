//! What a suite has to say for itself, and the summary of all.

use std::fmt::Write as _;
use std::time::Duration;

/// The outcome of one suite: every test is passed, failed or skipped, and the last two say why.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) passed: usize,
    pub(crate) failed: Vec<Remark>,
    pub(crate) skipped: Vec<Remark>,
}

/// One failed or skipped test, or `count` of them that share a reason.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Remark {
    pub(crate) what: String,
    pub(crate) why: String,
    pub(crate) count: usize,
}

impl Report {
    pub(crate) fn skip(what: impl Into<String>, why: impl Into<String>) -> Self {
        let mut report = Self::default();
        report.skipped(what, why);
        report
    }

    pub(crate) fn passed(&mut self) {
        self.passed += 1;
    }

    pub(crate) fn failed(&mut self, what: impl Into<String>, why: impl Into<String>) {
        self.failed.push(Remark { what: what.into(), why: why.into(), count: 1 });
    }

    pub(crate) fn skipped(&mut self, what: impl Into<String>, why: impl Into<String>) {
        self.skipped.push(Remark { what: what.into(), why: why.into(), count: 1 });
    }

    /// Records one check: it passes when there is nothing to complain about.
    pub(crate) fn check(&mut self, what: &str, complaints: &[String]) {
        if complaints.is_empty() {
            self.passed();
        } else {
            self.failed(what, complaints.join("; "));
        }
    }

    /// Takes another part of the same suite in.
    pub(crate) fn add(&mut self, mut part: Self) {
        self.passed += part.passed;
        self.failed.append(&mut part.failed);
        self.skipped.append(&mut part.skipped);
    }

    pub(crate) fn failures(&self) -> usize {
        self.failed.iter().map(|remark| remark.count).sum()
    }

    pub(crate) fn skips(&self) -> usize {
        self.skipped.iter().map(|remark| remark.count).sum()
    }

    /// A suite that ran nothing and gives no reason has failed: silence is never green.
    pub(crate) fn refuse_silence(&mut self) {
        if self.passed == 0 && self.failures() == 0 && self.skips() == 0 {
            self.failed("the whole suite", "it ran no test and gave no reason");
        }
    }

    /// Where all that a suite needs has to be there, what is skipped has failed, for the same reason.
    pub(crate) fn refuse_skips(&mut self) {
        self.failed.append(&mut self.skipped);
    }
}

/// A suite's report with the time that it took.
pub(crate) struct Finished {
    pub(crate) suite: &'static str,
    pub(crate) report: Report,
    pub(crate) took: Duration,
}

/// Everything that was run.
#[derive(Default)]
pub(crate) struct Summary {
    pub(crate) finished: Vec<Finished>,
}

impl Summary {
    /// Green means: something passed and nothing failed.
    pub(crate) fn is_green(&self) -> bool {
        let (passed, failed, _) = self.totals();
        passed > 0 && failed == 0
    }

    fn totals(&self) -> (usize, usize, usize) {
        self.finished.iter().fold((0, 0, 0), |(passed, failed, skipped), finished| {
            let report = &finished.report;
            (passed + report.passed, failed + report.failures(), skipped + report.skips())
        })
    }

    /// The closing text, without a line break at its end: remarks, a table, and the one line that machines read.
    pub(crate) fn render(&self) -> String {
        let mut text = String::new();
        self.remarks(&mut text, "skipped", |report| &report.skipped);
        self.remarks(&mut text, "failed", |report| &report.failed);
        line(
            &mut text,
            format_args!("\n{:<12} {:>8} {:>8} {:>8} {:>9}", "suite", "passed", "failed", "skipped", "seconds"),
        );
        for Finished { suite, report, took } in &self.finished {
            let (passed, failed, skipped) = (report.passed, report.failures(), report.skips());
            line(
                &mut text,
                format_args!("{suite:<12} {passed:>8} {failed:>8} {skipped:>8} {:>9.1}", took.as_secs_f64()),
            );
        }
        let (passed, failed, skipped) = self.totals();
        line(&mut text, format_args!("\n{passed} passed, {failed} failed, {skipped} skipped"));
        text.trim_end().to_owned()
    }

    fn remarks(&self, text: &mut String, heading: &str, of: fn(&Report) -> &Vec<Remark>) {
        if self.finished.iter().all(|finished| of(&finished.report).is_empty()) {
            return;
        }
        line(text, format_args!("\n{heading}:"));
        for finished in &self.finished {
            for Remark { what, why, count } in of(&finished.report) {
                let times = if *count == 1 { String::new() } else { format!(" ({count})") };
                line(text, format_args!("  {}: {what}{times}: {why}", finished.suite));
            }
        }
    }
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a `String` can't fail.
    let _ = writeln!(text, "{arguments}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(reports: Vec<(&'static str, Report)>) -> Summary {
        let finished = reports
            .into_iter()
            .map(|(suite, report)| Finished { suite, report, took: Duration::from_millis(1500) })
            .collect();
        Summary { finished }
    }

    fn passing(passed: usize) -> Report {
        Report { passed, ..Report::default() }
    }

    #[test]
    fn passes_are_green_and_the_last_line_counts_them() {
        let summary = summary(vec![("fmt", passing(1)), ("test", passing(41))]);
        assert!(summary.is_green());
        assert_eq!(summary.render().lines().last(), Some("42 passed, 0 failed, 0 skipped"));
    }

    #[test]
    fn one_failure_is_not_green() {
        let mut report = passing(3);
        report.failed("gate", "wrong reason");
        let summary = summary(vec![("test", report)]);
        assert!(!summary.is_green());
        let text = summary.render();
        assert!(text.contains("failed:\n  test: gate: wrong reason"), "{text}");
        assert_eq!(text.lines().last(), Some("3 passed, 1 failed, 0 skipped"));
    }

    #[test]
    fn skips_alone_are_not_green_but_beside_passes_they_are() {
        assert!(!summary(vec![("python", Report::skip("all", "no interpreter"))]).is_green());
        let both = summary(vec![("fmt", passing(1)), ("python", Report::skip("all", "no interpreter"))]);
        assert!(both.is_green());
        assert!(both.render().contains("skipped:\n  python: all: no interpreter"), "{}", both.render());
    }

    #[test]
    fn a_silent_suite_fails() {
        let mut silent = Report::default();
        silent.refuse_silence();
        assert_eq!(silent.failures(), 1);
        let mut spoken = Report::skip("all", "absent");
        spoken.refuse_silence();
        assert_eq!(spoken.failures(), 0);
    }

    #[test]
    fn where_nothing_may_be_skipped_a_skip_beside_passes_is_not_green() {
        let mut report = passing(3);
        report.skipped("inspector", "no Node");
        report.refuse_skips();
        let summary = summary(vec![("interop", report)]);
        assert!(!summary.is_green());
        let text = summary.render();
        assert!(text.contains("failed:\n  interop: inspector: no Node"), "{text}");
        assert_eq!(text.lines().last(), Some("3 passed, 1 failed, 0 skipped"));
        let mut whole = passing(3);
        whole.refuse_skips();
        assert_eq!(whole.failures(), 0);
    }

    #[test]
    fn shared_reasons_count_each_test() {
        let mut report = passing(1);
        report.skipped.push(Remark { what: "ignored tests".into(), why: "left to --full".into(), count: 4 });
        assert_eq!(summary(vec![("test", report)]).render().lines().last(), Some("1 passed, 0 failed, 4 skipped"));
    }

    #[test]
    fn a_check_passes_only_without_complaints() {
        let mut report = Report::default();
        report.check("tree", &[]);
        report.check("tree", &["tokio".into(), "axum".into()]);
        assert_eq!(report.passed, 1);
        assert_eq!(report.failed, [Remark { what: "tree".into(), why: "tokio; axum".into(), count: 1 }]);
    }
}
