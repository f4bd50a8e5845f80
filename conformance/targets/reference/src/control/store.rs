//! A store that takes no write while it is told so.

use std::sync::Arc;

use approval_core::Timestamp;
use approval_core::store::{CommitError, Store, StoreError, Transition};
use approval_core::transient::{Transient, TransientError};
use approval_testkit::{Around, AroundStore, AroundTransient};
use async_trait::async_trait;

use super::Switch;

/// A store whose commits fail while its switch is on.
#[derive(Debug)]
pub(super) struct ControlledStore {
    store: Arc<dyn Store>,
    fails: Switch,
}

/// What keeps sessions, likewise: it is the same file.
#[derive(Debug)]
pub(super) struct ControlledTransient {
    transient: Arc<dyn Transient>,
    fails: Switch,
}

impl ControlledStore {
    pub(super) fn around(store: Arc<dyn Store>, fails: Switch) -> Around<Self> {
        Around(Self { store, fails })
    }
}

impl ControlledTransient {
    pub(super) fn around(transient: Arc<dyn Transient>, fails: Switch) -> Around<Self> {
        Around(Self { transient, fails })
    }

    fn check(&self) -> Result<(), TransientError> {
        self.fails.check().map_err(TransientError::Unavailable)
    }
}

#[async_trait]
impl AroundStore for ControlledStore {
    fn inner(&self) -> &dyn Store {
        self.store.as_ref()
    }

    async fn commit(&self, transition: Transition) -> Result<(), CommitError> {
        self.fails.check().map_err(StoreError)?;
        self.store.commit(transition).await
    }
}

#[async_trait]
impl AroundTransient for ControlledTransient {
    fn inner(&self) -> &dyn Transient {
        self.transient.as_ref()
    }

    async fn put(&self, key: &str, sealed: Vec<u8>, expires_at: Timestamp) -> Result<(), TransientError> {
        self.check()?;
        self.transient.put(key, sealed, expires_at).await
    }

    async fn put_new(
        &self,
        key: &str,
        sealed: Vec<u8>,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<bool, TransientError> {
        self.check()?;
        self.transient.put_new(key, sealed, expires_at, now).await
    }

    async fn take(&self, key: &str, now: Timestamp) -> Result<Option<Vec<u8>>, TransientError> {
        self.check()?;
        self.transient.take(key, now).await
    }

    async fn sweep(&self, now: Timestamp) -> Result<(), TransientError> {
        self.check()?;
        self.transient.sweep(now).await
    }
}
