//! What a running attempt knows of its own claim.

use std::sync::{Arc, Mutex, PoisonError};

use crate::instant::Timestamp;
use crate::record::Claim;

/// The claim that a transition made: a store may apply a transition more than once, and the last time counts.
#[derive(Clone, Default)]
pub(super) struct Committed(Arc<Mutex<Option<Claim>>>);

impl Committed {
    pub(super) fn set(&self, claim: &Claim) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(claim.clone());
    }

    pub(super) fn claim(&self) -> Option<Claim> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

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
