//! Short-lived values, beside the plans: sessions of the approval surface, forms that were used. The numbers are those that the suite
//! of them gives to its promises.

use approval_core::Timestamp;
use approval_core::transient::{Transient, TransientError};
use async_trait::async_trait;
use redb::{ReadableDatabase as _, ReadableTable as _};

use crate::fault::Fault;
use crate::store::RedbStore;
use crate::tables::TRANSIENT;
use crate::write;

#[async_trait]
impl Transient for RedbStore {
    /// In place of what was there. (TRANSIENT-001)
    async fn put(&self, key: &str, sealed: Vec<u8>, expires_at: Timestamp) -> Result<(), TransientError> {
        let key = key.to_owned();
        let put = self.work(move |database| {
            let transaction = write::begin(database)?;
            let value = (expires_at.unix_millis(), sealed.as_slice());
            transaction.open_table(TRANSIENT)?.insert(key.as_str(), value)?;
            Ok::<_, Fault>(transaction.commit()?)
        });
        Ok(put.await?)
    }

    /// Looked at and put in one transaction: of all who come at once, the others find the first one's. (TRANSIENT-005)
    async fn put_new(
        &self,
        key: &str,
        sealed: Vec<u8>,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<bool, TransientError> {
        let key = key.to_owned();
        let put = self.work(move |database| {
            let transaction = write::begin(database)?;
            let is_free = {
                let mut values = transaction.open_table(TRANSIENT)?;
                let is_free = values.get(key.as_str())?.is_none_or(|found| found.value().0 <= now.unix_millis());
                if is_free {
                    values.insert(key.as_str(), (expires_at.unix_millis(), sealed.as_slice()))?;
                }
                is_free
            };
            transaction.commit()?;
            Ok::<_, Fault>(is_free)
        });
        Ok(put.await?)
    }

    /// What has expired isn't there, swept or not. (TRANSIENT-002)
    async fn find(&self, key: &str, now: Timestamp) -> Result<Option<Vec<u8>>, TransientError> {
        let key = key.to_owned();
        let found = self.work(move |database| {
            let found = database.begin_read()?.open_table(TRANSIENT)?.get(key.as_str())?;
            Ok::<_, Fault>(found.and_then(|found| good(found.value(), now)))
        });
        Ok(found.await?)
    }

    /// What is returned was removed for good: the commit comes before the answer. (TRANSIENT-003)
    async fn take(&self, key: &str, now: Timestamp) -> Result<Option<Vec<u8>>, TransientError> {
        let key = key.to_owned();
        let taken = self.work(move |database| {
            let transaction = write::begin(database)?;
            let taken =
                transaction.open_table(TRANSIENT)?.remove(key.as_str())?.and_then(|taken| good(taken.value(), now));
            transaction.commit()?;
            Ok::<_, Fault>(taken)
        });
        Ok(taken.await?)
    }

    /// And nothing else. (TRANSIENT-004)
    async fn sweep(&self, now: Timestamp) -> Result<(), TransientError> {
        let swept = self.work(move |database| {
            let transaction = write::begin(database)?;
            transaction.open_table(TRANSIENT)?.retain(|_, (expires_at, _)| now.unix_millis() < expires_at)?;
            Ok::<_, Fault>(transaction.commit()?)
        });
        Ok(swept.await?)
    }
}

fn good((expires_at, sealed): (i64, &[u8]), now: Timestamp) -> Option<Vec<u8>> {
    (now.unix_millis() < expires_at).then(|| sealed.to_vec())
}
