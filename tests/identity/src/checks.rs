//! What was checked, one line for each.

use std::future::Future;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use http::StatusCode;

use crate::browser::Answer;

/// How long one check may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The checks of one provider.
#[derive(Debug)]
pub(crate) struct Checks {
    provider: &'static str,
    failed: usize,
}

impl Checks {
    pub(crate) fn of(provider: &'static str) -> Self {
        Self { provider, failed: 0 }
    }

    /// Says what came of one.
    pub(crate) async fn check(&mut self, what: &str, check: impl Future<Output = Result<()>>) {
        let provider = self.provider;
        let complaint = match tokio::time::timeout(PATIENCE, check).await {
            Ok(Ok(())) => {
                println!("ok {provider}, {what}");
                return;
            }
            Ok(Err(error)) => format!("{error:#}"),
            Err(_) => format!("it takes more than {} seconds", PATIENCE.as_secs()),
        };
        self.failed += 1;
        println!("not ok {provider}, {what}: {}", complaint.split_whitespace().collect::<Vec<_>>().join(" "));
    }

    pub(crate) fn end(self) -> Result<()> {
        ensure!(self.failed == 0, "{} checks failed", self.failed);
        Ok(())
    }
}

/// A page must have this status, and say this.
pub(crate) fn says(page: &Answer, status: StatusCode, words: &str) -> Result<()> {
    ensure!(page.status == status, "it answers {} in place of {status}: {}", page.status, page.text());
    ensure!(page.body.contains(words), "it doesn't say `{words}`: {}", page.text());
    Ok(())
}

/// What was written into the log must hold this.
pub(crate) fn told(log: &[String], words: &str) -> Result<()> {
    ensure!(log.iter().any(|line| line.contains(words)), "`{words}` isn't in the log: {log:?}");
    Ok(())
}

/// Two things must be the same.
pub(crate) fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: T, expected: T) -> Result<()> {
    if found != expected {
        bail!("{what} is {found:?} in place of {expected:?}");
    }
    Ok(())
}
