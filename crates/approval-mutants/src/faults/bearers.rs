//! For whom the bearer of a token acts.

use std::sync::{Arc, Mutex, PoisonError};

use approval_core::Requester;
use approval_web::{BearerError, BearerVerifier, Verified};
use async_trait::async_trait;
use reference_target::Parts;

use crate::fault::Fault;

pub(super) const ALL: &[Fault] =
    &[Fault::new("any-token-is-good", |parts| Parts { bearers: Arc::new(AnyToken::of(parts.bearers)), ..parts })];

/// A token that nobody knows stands for whoever came last. [WIRE-021]
#[derive(Debug)]
struct AnyToken {
    bearers: Arc<dyn BearerVerifier>,
    last: Mutex<Option<Requester>>,
}

impl AnyToken {
    fn of(bearers: Arc<dyn BearerVerifier>) -> Self {
        Self { bearers, last: Mutex::default() }
    }
}

#[async_trait]
impl BearerVerifier for AnyToken {
    async fn verify(&self, token: &str) -> Result<Verified, BearerError> {
        let verified = self.bearers.verify(token).await?;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match &verified {
            Verified::For(requester) => *last = Some(requester.clone()),
            _ => return Ok(last.clone().map_or(verified, Verified::For)),
        }
        Ok(verified)
    }
}
