//! Values that live for a short while: sessions of the approval surface, logins under way.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::id::Audience;
use crate::instant::Timestamp;
use crate::json::{Document, Limits};
use crate::record::RecordKind;
use crate::seal::{Binding, Purpose, SealError, Sealer, TagPurpose};

/// A store of sealed, expiring values. It sees tags and ciphertext only.
#[async_trait]
pub trait Transient: Send + Sync + fmt::Debug {
    /// Keeps `sealed` under `key` until `expires_at`, in place of what was there.
    ///
    /// # Errors
    /// When it can't be kept.
    async fn put(&self, key: &str, sealed: Vec<u8>, expires_at: Timestamp) -> Result<(), TransientError>;

    /// Keeps `sealed` under `key` until `expires_at`, unless something is there that hasn't expired at `now`: of all who put
    /// something there at once, exactly one is told that it was theirs.
    ///
    /// # Errors
    /// When it can't be kept.
    async fn put_new(
        &self,
        key: &str,
        sealed: Vec<u8>,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<bool, TransientError>;

    /// What is under `key`, unless it has expired at `now`.
    ///
    /// # Errors
    /// When it can't be read.
    async fn find(&self, key: &str, now: Timestamp) -> Result<Option<Vec<u8>>, TransientError>;

    /// What is under `key`, unless it has expired; of all who take it at once, exactly one gets it.
    ///
    /// # Errors
    /// When it can't be taken.
    async fn take(&self, key: &str, now: Timestamp) -> Result<Option<Vec<u8>>, TransientError>;

    /// Removes what has expired at `now`.
    ///
    /// # Errors
    /// When it can't be removed.
    async fn sweep(&self, now: Timestamp) -> Result<(), TransientError>;
}

/// Transient values can't be kept, read, or opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransientError {
    /// The store doesn't answer.
    #[error("short-lived values can't be stored: {0}")]
    Unavailable(String),
    /// A value was edited, or is of another key.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// A value isn't what it should be.
    #[error("a short-lived value can't be read: {0}")]
    Unreadable(String),
}

/// [`Transient`] with the seals: values go in and come out typed, and are stored encrypted under a tag of their identifier.
#[derive(Clone, Debug)]
pub struct SealedTransient {
    transient: Arc<dyn Transient>,
    sealer: Arc<dyn Sealer>,
    audience: Audience,
}

impl SealedTransient {
    /// Seals what goes into `transient`.
    #[must_use]
    pub fn new(transient: Arc<dyn Transient>, sealer: Arc<dyn Sealer>, audience: Audience) -> Self {
        Self { transient, sealer, audience }
    }

    /// Keeps `value` under `identifier` until `expires_at`.
    ///
    /// # Errors
    /// When it can't be sealed or kept.
    pub async fn put<T: serde::Serialize + Sync>(
        &self,
        kind: RecordKind,
        identifier: &str,
        value: &T,
        expires_at: Timestamp,
    ) -> Result<(), TransientError> {
        let (key, sealed) = self.seal(kind, identifier, value)?;
        self.transient.put(&key, sealed, expires_at).await
    }

    /// Keeps `value` under `identifier` until `expires_at`, unless something is there already: exactly one caller is told that
    /// it was theirs.
    ///
    /// # Errors
    /// When it can't be sealed or kept.
    pub async fn put_new<T: serde::Serialize + Sync>(
        &self,
        kind: RecordKind,
        identifier: &str,
        value: &T,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<bool, TransientError> {
        let (key, sealed) = self.seal(kind, identifier, value)?;
        self.transient.put_new(&key, sealed, expires_at, now).await
    }

    /// What is under `identifier`.
    ///
    /// # Errors
    /// When it can't be read or opened.
    pub async fn find<T: serde::de::DeserializeOwned>(
        &self,
        kind: RecordKind,
        identifier: &str,
        now: Timestamp,
    ) -> Result<Option<T>, TransientError> {
        let key = self.key(kind, identifier)?;
        let found = self.transient.find(&key, now).await?;
        found.map(|sealed| self.open(kind, &key, &sealed)).transpose()
    }

    /// Takes what is under `identifier`: exactly one caller gets it.
    ///
    /// # Errors
    /// When it can't be taken or opened.
    pub async fn take<T: serde::de::DeserializeOwned>(
        &self,
        kind: RecordKind,
        identifier: &str,
        now: Timestamp,
    ) -> Result<Option<T>, TransientError> {
        let key = self.key(kind, identifier)?;
        let taken = self.transient.take(&key, now).await?;
        taken.map(|sealed| self.open(kind, &key, &sealed)).transpose()
    }

    /// Removes what has expired.
    ///
    /// # Errors
    /// When it can't be removed.
    pub async fn sweep(&self, now: Timestamp) -> Result<(), TransientError> {
        self.transient.sweep(now).await
    }

    fn seal<T: serde::Serialize>(
        &self,
        kind: RecordKind,
        identifier: &str,
        value: &T,
    ) -> Result<(String, Vec<u8>), TransientError> {
        let document = Document::from_serialize(value, &Limits::ARGUMENTS)
            .map_err(|error| TransientError::Unreadable(error.to_string()))?;
        let key = self.key(kind, identifier)?;
        let sealed = self.sealer.seal(Purpose::Session, &self.binding(kind, &key), document.as_bytes())?;
        Ok((key, sealed))
    }

    /// Who can read the store's keys can't guess an identifier from them: they are tags. [SEAL-006]
    fn key(&self, kind: RecordKind, identifier: &str) -> Result<String, TransientError> {
        let named = format!("{kind}/{identifier}");
        Ok(self.sealer.tag(TagPurpose::Session, named.as_bytes())?.to_string())
    }

    fn binding<'a>(&'a self, kind: RecordKind, key: &'a str) -> Binding<'a> {
        Binding { record: kind.name(), version: 0, id: key, plan_id: None, revision: 0, audience: &self.audience }
    }

    fn open<T: serde::de::DeserializeOwned>(
        &self,
        kind: RecordKind,
        key: &str,
        sealed: &[u8],
    ) -> Result<T, TransientError> {
        let bytes = self.sealer.open(Purpose::Session, &self.binding(kind, key), sealed)?;
        let document = Document::parse(&bytes, &Limits::ARGUMENTS)
            .map_err(|error| TransientError::Unreadable(error.to_string()))?;
        document.read().map_err(|error| TransientError::Unreadable(error.to_string()))
    }
}
