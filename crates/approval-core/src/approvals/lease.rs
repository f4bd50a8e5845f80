//! What a running attempt knows of its own lease.

use std::sync::{Mutex, PoisonError};

use crate::instant::Timestamp;

/// Until when the attempt's lease is known to be alive.
pub(super) struct KeptLease(Mutex<Timestamp>);

impl KeptLease {
    pub(super) fn new(until: Timestamp) -> Self {
        Self(Mutex::new(until))
    }

    pub(super) fn set(&self, until: Timestamp) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }

    pub(super) fn until(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
