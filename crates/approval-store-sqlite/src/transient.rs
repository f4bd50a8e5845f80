//! Short-lived values, beside the plans.

use approval_core::Timestamp;
use approval_core::transient::{Transient, TransientError};
use async_trait::async_trait;
use rusqlite::{OptionalExtension as _, params};

use crate::fault::Fault;
use crate::read;
use crate::store::SqliteStore;

#[async_trait]
impl Transient for SqliteStore {
    async fn put(&self, key: &str, sealed: Vec<u8>, expires_at: Timestamp) -> Result<(), TransientError> {
        let key = key.to_owned();
        let put = self.writer.run(move |connection| {
            let sql = "INSERT OR REPLACE INTO transient (key, expires_at, sealed) VALUES (?1, ?2, ?3)";
            connection.prepare_cached(sql)?.execute(params![key, expires_at.unix_millis(), sealed])?;
            Ok(())
        });
        put.await.map_err(|fault: Fault| fault.into())
    }

    async fn put_new(
        &self,
        key: &str,
        sealed: Vec<u8>,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<bool, TransientError> {
        let key = key.to_owned();
        let put = self.writer.run(move |connection| {
            let sql = "INSERT INTO transient (key, expires_at, sealed) VALUES (?1, ?2, ?3) \
                       ON CONFLICT (key) DO UPDATE SET expires_at = excluded.expires_at, sealed = excluded.sealed \
                       WHERE transient.expires_at <= ?4";
            let values = params![key, expires_at.unix_millis(), sealed, now.unix_millis()];
            Ok(connection.prepare_cached(sql)?.execute(values)? == 1)
        });
        put.await.map_err(|fault: Fault| fault.into())
    }

    async fn find(&self, key: &str, now: Timestamp) -> Result<Option<Vec<u8>>, TransientError> {
        let key = key.to_owned();
        let found = self.reader.run(move |connection| {
            read::at_one_moment(connection, |connection| {
                let sql = "SELECT sealed FROM transient WHERE key = ?1 AND expires_at > ?2";
                let mut statement = connection.prepare_cached(sql)?;
                Ok(statement.query_row(params![key, now.unix_millis()], |row| row.get(0)).optional()?)
            })
        });
        found.await.map_err(|fault: Fault| fault.into())
    }

    async fn take(&self, key: &str, now: Timestamp) -> Result<Option<Vec<u8>>, TransientError> {
        let key = key.to_owned();
        let taken = self.writer.run(move |connection| {
            // What is returned was removed for good: the commit comes before the answer.
            let sql = "DELETE FROM transient WHERE key = ?1 RETURNING sealed, expires_at";
            let removed = connection
                .prepare_cached(sql)?
                .query_row([key], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?)))
                .optional()?;
            Ok(removed.filter(|(_, expires_at)| now.unix_millis() < *expires_at).map(|(sealed, _)| sealed))
        });
        taken.await.map_err(|fault: Fault| fault.into())
    }

    async fn sweep(&self, now: Timestamp) -> Result<(), TransientError> {
        let swept = self.writer.run(move |connection| {
            connection.prepare_cached("DELETE FROM transient WHERE expires_at <= ?1")?.execute([now.unix_millis()])?;
            Ok(())
        });
        swept.await.map_err(|fault: Fault| fault.into())
    }
}
