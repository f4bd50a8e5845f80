//! A store whose connection breaks while it commits.

use std::sync::Mutex;

use approval_core::store::{CommitError, Store, StoreError, Transition};
use approval_testkit::{Around, AroundStore, MemoryStore};
use async_trait::async_trait;

/// What becomes of a transition whose connection breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    Before,
    After,
}

/// The store in memory, whose connection breaks before or after the next transition of this name is committed.
#[derive(Debug)]
pub struct Breaking {
    inner: MemoryStore,
    next: Mutex<Option<(&'static str, Break)>>,
}

impl Breaking {
    pub fn around(inner: MemoryStore) -> Around<Self> {
        Around(Self { inner, next: Mutex::default() })
    }

    pub fn breaks(&self, transition: &'static str, how: Break) {
        *self.next.lock().unwrap() = Some((transition, how));
    }
}

#[async_trait]
impl AroundStore for Breaking {
    fn inner(&self) -> &dyn Store {
        &self.inner
    }

    async fn commit(&self, transition: Transition) -> Result<(), CommitError> {
        let breaks = self.next.lock().unwrap().take_if(|(name, _)| *name == transition.name());
        let lost = || Err(StoreError("the connection was lost".to_owned()).into());
        match breaks {
            Some((_, Break::Before)) => return lost(),
            Some((_, Break::After)) => {}
            None => return self.inner.commit(transition).await,
        }
        self.inner.commit(transition).await?;
        lost()
    }
}
