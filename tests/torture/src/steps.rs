//! The boundaries: before and after each commit, each entry in the anchor, and each effect.

use std::fmt;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use approval_core::anchor::{Anchor, AnchorEntry, AnchorError, Entered, FileAnchor};
use approval_core::store::{CommitError, Store, Transition};
use approval_testkit::{AroundAnchor, AroundStore};
use async_trait::async_trait;

/// Counts boundaries, and stops for good at one of them.
#[derive(Debug)]
pub(crate) struct Steps {
    reached: AtomicU64,
    stop: u64,
}

impl Steps {
    pub(crate) fn new(stop: u64) -> Arc<Self> {
        Arc::new(Self { reached: AtomicU64::new(0), stop })
    }

    /// A boundary. Whoever kills is told where the server waits for it.
    pub(crate) fn reach(&self, boundary: fmt::Arguments<'_>) {
        if self.reached.fetch_add(1, Ordering::Relaxed) + 1 == self.stop {
            say(format_args!("stop {boundary}"));
            loop {
                std::thread::park();
            }
        }
    }
}

/// Says something that outlives this process.
pub(crate) fn say(line: fmt::Arguments<'_>) {
    let mut out = std::io::stdout().lock();
    // Where nobody listens any more, nobody is told.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// A store with boundaries around each commit.
#[derive(Debug)]
pub(crate) struct StepStore {
    pub(crate) inner: Arc<dyn Store>,
    pub(crate) steps: Arc<Steps>,
}

#[async_trait]
impl AroundStore for StepStore {
    fn inner(&self) -> &dyn Store {
        self.inner.as_ref()
    }

    async fn commit(&self, transition: Transition) -> Result<(), CommitError> {
        let name = transition.name();
        self.steps.reach(format_args!("before {name}"));
        let committed = self.inner.commit(transition).await;
        self.steps.reach(format_args!("after {name}"));
        committed
    }
}

/// An anchor with boundaries around each entry.
#[derive(Debug)]
pub(crate) struct StepAnchor {
    pub(crate) inner: FileAnchor,
    pub(crate) steps: Arc<Steps>,
}

#[async_trait]
impl AroundAnchor for StepAnchor {
    fn inner(&self) -> &dyn Anchor {
        &self.inner
    }

    async fn enter(&self, entry: AnchorEntry) -> Result<Entered, AnchorError> {
        self.steps.reach(format_args!("before the anchor"));
        let entered = self.inner.enter(entry).await;
        self.steps.reach(format_args!("after the anchor"));
        entered
    }
}
