//! A store in which something happens between what was read and what is written.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use approval_core::PlanId;
use approval_core::store::{CommitError, Include, PlanPage, PlanQuery, PlanRows, Store, StoreError, Transition};
use approval_testkit::{Around, AroundStore, MemoryStore};
use async_trait::async_trait;

type Happening = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The store in memory, with something that happens right before a transition commits.
pub(crate) struct Interposed {
    inner: MemoryStore,
    before: Mutex<Vec<(&'static str, Happening)>>,
    failing: Mutex<Option<&'static str>>,
    rolled_back: AtomicBool,
    unread: AtomicBool,
}

impl Interposed {
    pub(crate) fn around(inner: MemoryStore) -> Around<Self> {
        Around(Self {
            inner,
            before: Mutex::default(),
            failing: Mutex::default(),
            rolled_back: AtomicBool::default(),
            unread: AtomicBool::default(),
        })
    }

    /// Lets something happen once, before the next transition of this name commits.
    pub(crate) fn before(&self, transition: &'static str, happening: impl Future<Output = ()> + Send + 'static) {
        self.before.lock().unwrap().push((transition, Box::pin(happening)));
    }

    /// Lets every transition of this name fail, or none.
    pub(crate) fn fail(&self, transition: Option<&'static str>) {
        *self.failing.lock().unwrap() = transition;
    }

    /// Whether transitions are written, seen by the next ones, and then fail, as in a transaction that several share. What they
    /// wrote is the test's to take back.
    pub(crate) fn roll_back(&self, rolled_back: bool) {
        self.rolled_back.store(rolled_back, Ordering::Relaxed);
    }

    /// From now on no plan can be read or listed.
    pub(crate) fn fail_reads(&self) {
        self.unread.store(true, Ordering::Relaxed);
    }

    fn happening(&self, name: &str) -> Option<Happening> {
        let mut before = self.before.lock().unwrap();
        let position = before.iter().position(|(transition, _)| *transition == name)?;
        Some(before.remove(position).1)
    }
}

impl fmt::Debug for Interposed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Interposed")
    }
}

#[async_trait]
impl AroundStore for Interposed {
    fn inner(&self) -> &dyn Store {
        &self.inner
    }

    async fn commit(&self, transition: Transition) -> Result<(), CommitError> {
        if let Some(happening) = self.happening(transition.name()) {
            happening.await;
        }
        if *self.failing.lock().unwrap() == Some(transition.name()) {
            return Err(StoreError("told to".to_owned()).into());
        }
        self.inner.commit(transition).await?;
        match self.rolled_back.load(Ordering::Relaxed) {
            true => Err(StoreError("rolled back".to_owned()).into()),
            false => Ok(()),
        }
    }

    async fn plan(&self, plan: PlanId, include: Include) -> Result<Option<PlanRows>, StoreError> {
        if self.unread.load(Ordering::Relaxed) {
            return Err(StoreError("told to".to_owned()));
        }
        self.inner.plan(plan, include).await
    }

    async fn list(&self, query: &PlanQuery) -> Result<PlanPage, StoreError> {
        if self.unread.load(Ordering::Relaxed) {
            return Err(StoreError("told to".to_owned()));
        }
        self.inner.list(query).await
    }
}
