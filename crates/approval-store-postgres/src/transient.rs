//! Short-lived values, beside the plans.

use approval_core::Timestamp;
use approval_core::transient::{Transient, TransientError};
use async_trait::async_trait;
use tokio_postgres::types::Type;

use crate::connect::give_back;
use crate::fault::Fault;
use crate::store::PostgresStore;

// Each is one statement, and a transaction of its own.
#[async_trait]
impl Transient for PostgresStore {
    async fn put(&self, key: &str, sealed: Vec<u8>, expires_at: Timestamp) -> Result<(), TransientError> {
        let client = self.connection().await?;
        let sql = "INSERT INTO @transient (key, expires_at, sealed) VALUES ($1, $2, $3) \
                   ON CONFLICT (key) DO UPDATE SET expires_at = excluded.expires_at, sealed = excluded.sealed";
        let expires_at = expires_at.unix_millis();
        let put = [
            (&key as &(dyn tokio_postgres::types::ToSql + Sync), Type::TEXT),
            (&expires_at, Type::INT8),
            (&sealed, Type::BYTEA),
        ];
        let done = self.alone(&client).query(sql, &put).await;
        give_back(client, done)?;
        Ok(())
    }

    async fn put_new(
        &self,
        key: &str,
        sealed: Vec<u8>,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<bool, TransientError> {
        let client = self.connection().await?;
        // Of several who put something there at once, the others wait for the first and then find it.
        let sql = "INSERT INTO @transient AS kept (key, expires_at, sealed) VALUES ($1, $2, $3) \
                   ON CONFLICT (key) DO UPDATE SET expires_at = excluded.expires_at, sealed = excluded.sealed \
                   WHERE kept.expires_at <= $4 RETURNING 1";
        let (expires_at, now) = (expires_at.unix_millis(), now.unix_millis());
        let put = [
            (&key as &(dyn tokio_postgres::types::ToSql + Sync), Type::TEXT),
            (&expires_at, Type::INT8),
            (&sealed, Type::BYTEA),
            (&now, Type::INT8),
        ];
        let done = self.alone(&client).query(sql, &put).await;
        Ok(!give_back(client, done)?.is_empty())
    }

    async fn find(&self, key: &str, now: Timestamp) -> Result<Option<Vec<u8>>, TransientError> {
        let client = self.connection().await?;
        let sql = "SELECT sealed FROM @transient WHERE key = $1 AND expires_at > $2";
        let found = self.alone(&client).query(sql, &[(&key, Type::TEXT), (&now.unix_millis(), Type::INT8)]).await?;
        Ok(found.first().map(|row| row.try_get(0)).transpose().map_err(Fault::from)?)
    }

    async fn take(&self, key: &str, now: Timestamp) -> Result<Option<Vec<u8>>, TransientError> {
        let client = self.connection().await?;
        // Of several who delete one row at once, one gets it.
        let sql = "DELETE FROM @transient WHERE key = $1 RETURNING sealed, expires_at";
        let taken = self.alone(&client).query(sql, &[(&key, Type::TEXT)]).await;
        let taken = give_back(client, taken)?;
        let Some(row) = taken.first() else { return Ok(None) };
        let (sealed, expires_at): (Vec<u8>, i64) =
            (row.try_get(0).map_err(Fault::from)?, row.try_get(1).map_err(Fault::from)?);
        Ok((now.unix_millis() < expires_at).then_some(sealed))
    }

    async fn sweep(&self, now: Timestamp) -> Result<(), TransientError> {
        let client = self.connection().await?;
        let sql = "DELETE FROM @transient WHERE expires_at <= $1";
        let done = self.alone(&client).query(sql, &[(&now.unix_millis(), Type::INT8)]).await;
        give_back(client, done)?;
        Ok(())
    }
}
