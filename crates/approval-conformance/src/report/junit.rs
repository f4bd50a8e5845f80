//! The report as JUnit XML, which CI systems show.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report as Junit, TestCase, TestCaseStatus, TestSuite};

use super::{CheckReport, Report};
use crate::verdict::Verdict;

/// The report as JUnit XML. What counts against the server is a failure, what doesn't apply is skipped, a harness fault is an error.
///
/// # Errors
/// Where it can't be written: a fault of the harness.
pub fn junit(report: &Report) -> Result<String, quick_junit::SerializeError> {
    let mut junit = Junit::new("approval-conformance");
    let mut suite = TestSuite::new(format!("{} {}", report.target, report.level));
    suite.add_test_cases(report.checks.iter().map(case));
    if !report.stale.is_empty() {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status.set_message(format!("expected to fail, and don't: {}", report.stale.join(", ")));
        suite.add_test_case(TestCase::new("expected-failures", status));
    }
    junit.add_test_suite(suite);
    junit.to_string()
}

fn case(check: &CheckReport) -> TestCase {
    let message = check.message.clone().unwrap_or_default();
    let status = match (check.verdict, &check.expected) {
        (Verdict::Pass | Verdict::Warning, _) => TestCaseStatus::success(),
        (Verdict::NotApplicable, _) => {
            let mut skipped = TestCaseStatus::skipped();
            skipped.set_message(message);
            skipped
        }
        (_, Some(reason)) => {
            let mut skipped = TestCaseStatus::skipped();
            skipped.set_message(format!("expected to fail ({reason}): {message}"));
            skipped
        }
        (verdict, None) => {
            let kind = if verdict == Verdict::HarnessFault { NonSuccessKind::Error } else { NonSuccessKind::Failure };
            let mut failed = TestCaseStatus::non_success(kind);
            failed.set_message(message).set_type(verdict.as_str());
            let told =
                check.messages.iter().map(|message| format!("{} ms, {}:\n{}\n", message.at, message.way, message.text));
            failed.set_description(told.collect::<String>());
            failed
        }
    };
    let name = check.revision.map_or_else(|| check.id.clone(), |revision| format!("{} @{revision}", check.id));
    let mut case = TestCase::new(name, status);
    case.set_classname(format!("approval-conformance.{}", check.level))
        .set_time(Duration::from_millis(check.milliseconds));
    if check.verdict == Verdict::Warning {
        case.set_system_out(check.message.clone().unwrap_or_default());
    }
    case
}
