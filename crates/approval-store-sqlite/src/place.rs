//! On which thread a call of SQLite runs.

use tokio::runtime::{Handle, RuntimeFlavor};

/// On which thread the work is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Place {
    /// A thread of the store's own: no call of SQLite ever blocks an asynchronous task.
    #[default]
    Thread,
    /// The thread that asks, if it may block.
    Caller,
}

impl Place {
    /// Does this here, with what `get` gives, if here is the place and `get` gives something without waiting.
    pub(crate) fn work<G, T>(self, get: impl FnOnce() -> Option<G>, work: impl FnOnce(G) -> T) -> Option<T> {
        // Elsewhere tokio has no other thread that would go on with the other tasks.
        let may_block =
            || Handle::try_current().is_ok_and(|handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread);
        if self == Self::Thread || !may_block() {
            return None;
        }
        let got = get()?;
        Some(tokio::task::block_in_place(|| work(got)))
    }
}
