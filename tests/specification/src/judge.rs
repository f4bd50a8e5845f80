//! What was looked at, one line each, as every program of the repository's tests prints it.

use std::process::ExitCode;

/// Counts and prints.
#[derive(Debug, Default)]
pub(crate) struct Judge {
    failed: usize,
    passed: usize,
}

impl Judge {
    /// One thing, and what is wrong with it.
    pub(crate) fn check(&mut self, what: &str, wrong: &[String]) {
        if wrong.is_empty() {
            self.passed += 1;
            println!("ok {what}");
        } else {
            self.failed += 1;
            println!("not ok {what}: {}", wrong.join("; "));
        }
    }

    /// Nothing looked at is no success.
    pub(crate) fn verdict(&self) -> ExitCode {
        if self.failed == 0 && self.passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
