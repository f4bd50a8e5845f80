//! What was checked, one line for each.

use std::fmt::Debug;

use anyhow::{Result, ensure};

/// The checks of one part.
#[derive(Debug)]
pub(crate) struct Checks {
    part: String,
    failed: usize,
}

impl Checks {
    pub(crate) fn of(part: impl Into<String>) -> Self {
        Self { part: part.into(), failed: 0 }
    }

    /// Says whether it holds, and where it doesn't, what was seen.
    pub(crate) fn holds(&mut self, what: &str, holds: bool, seen: &dyn Debug) {
        let part = &self.part;
        if holds {
            println!("ok {part}, {what}");
        } else {
            self.fail(what, &format!("{seen:?}"));
        }
    }

    /// Two things must be the same.
    pub(crate) fn same<T: PartialEq<U> + Debug, U: Debug>(&mut self, what: &str, found: T, expected: U) {
        self.holds(what, found == expected, &format_args!("{found:?} in place of {expected:?}"));
    }

    /// What breaks off is a failure, never a silence.
    pub(crate) fn reaches_its_end(&mut self, ended: Result<()>) {
        if let Err(error) = ended {
            self.fail("it reaches its end", &format!("{error:#}"));
        }
    }

    pub(crate) fn end(self) -> Result<()> {
        ensure!(self.failed == 0, "{} checks failed", self.failed);
        Ok(())
    }

    fn fail(&mut self, what: &str, why: &str) {
        self.failed += 1;
        println!("not ok {}, {what}: {}", self.part, why.split_whitespace().collect::<Vec<_>>().join(" "));
    }
}
