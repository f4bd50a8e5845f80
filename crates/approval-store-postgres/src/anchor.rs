//! An anchor that all replicas share: a memory in another database than the store's.

use std::fmt;

use approval_core::anchor::{Anchor, AnchorEntry, AnchorError, AnchorKind, CheckpointMark, Entered, Standing};
use approval_core::record::Rollback;
use approval_core::seal::Tag;
use approval_core::{Audience, PlanId, Timestamp};
use async_trait::async_trait;
use deadpool_postgres::{Object, Pool};
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use crate::connect;
use crate::error::OpenError;
use crate::fault::Fault;
use crate::options::PostgresOptions;
use crate::read::{number_of, parsed};
use crate::schema::ANCHOR;
use crate::sql::{Parameter, Schema, Session};

const ENTRY: &str = "plan, kind, claim, expires_at, effects";
const MISSING: &str = "its memory is missing";

/// What remembers, for all replicas, that a plan was claimed, rejected or withdrawn. Plans say `rollback: shared`.
///
/// It is worth something only where whoever puts the store's database back doesn't put this one back with it: in another cluster,
/// with backups of its own. Open it with a schema of its own, even where the databases differ.
pub struct PostgresAnchor {
    pool: Pool,
    schema: Schema,
    audience: Audience,
}

impl PostgresAnchor {
    /// Opens the anchor of an installation, and makes its tables if they aren't there; its memory is begun by the service.
    ///
    /// # Errors
    /// As for [`PostgresStore::open`](crate::PostgresStore::open).
    pub async fn open(options: PostgresOptions, audience: Audience) -> Result<Self, OpenError> {
        let (pool, schema) = connect::open(&options, ANCHOR).await?;
        Ok(Self { pool, schema, audience })
    }

    async fn connection(&self) -> Result<Object, Fault> {
        Ok(self.pool.get().await?)
    }

    /// Each statement is a transaction of its own.
    fn session<'a>(&'a self, client: &'a Object) -> Session<'a> {
        Session { client, schema: &self.schema }
    }

    /// Runs a statement, where there is a memory of this installation.
    async fn remembered(&self, sql: &str, parameters: &[Parameter<'_>]) -> Result<Vec<Row>, AnchorError> {
        let client = self.connection().await?;
        match self.standing_in(&client).await? {
            Standing::Kept => {
                let done = self.session(&client).query(sql, parameters).await;
                Ok(connect::give_back(client, done)?)
            }
            Standing::Missing => Err(AnchorError(MISSING.to_owned())),
        }
    }

    async fn standing_in(&self, client: &Object) -> Result<Standing, AnchorError> {
        let rows = self.session(client).query("SELECT audience FROM @memory", &[]).await?;
        let Some(row) = rows.first() else { return Ok(Standing::Missing) };
        let audience: String = row.try_get(0).map_err(Fault::from)?;
        if audience == self.audience.as_str() {
            Ok(Standing::Kept)
        } else {
            Err(AnchorError(format!("it is the memory of another installation, `{audience}`")))
        }
    }
}

impl fmt::Debug for PostgresAnchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresAnchor")
            .field("schema", &self.schema)
            .field("audience", &self.audience)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Anchor for PostgresAnchor {
    fn rollback(&self) -> Rollback {
        Rollback::Shared
    }

    async fn standing(&self) -> Result<Standing, AnchorError> {
        let client = self.connection().await?;
        self.standing_in(&client).await
    }

    async fn begin(&self) -> Result<(), AnchorError> {
        let client = self.connection().await?;
        let sql = "INSERT INTO @memory (audience) VALUES ($1) ON CONFLICT DO NOTHING";
        self.session(&client).query(sql, &[(&self.audience.as_str(), Type::TEXT)]).await?;
        // Another's memory stays as it is, and is an error.
        self.standing_in(&client).await.map(drop)
    }

    async fn enter(&self, entry: AnchorEntry) -> Result<Entered, AnchorError> {
        let (kind, claim) = match entry.kind {
            AnchorKind::Claimed(claim) => ("claimed", Some(claim.to_string())),
            AnchorKind::Rejected => ("rejected", None),
            AnchorKind::Withdrawn => ("withdrawn", None),
        };
        let effects: Vec<String> = entry.effects.iter().map(ToString::to_string).collect();
        // Of those who enter a plan at once the first to commit is the first; the others wait for it, and then find it.
        let sql = format!(
            "INSERT INTO @entries ({ENTRY}) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (plan) DO NOTHING RETURNING true"
        );
        let parameters: [Parameter<'_>; 5] = [
            (&entry.plan.to_string(), Type::TEXT),
            (&kind, Type::TEXT),
            (&claim, Type::TEXT),
            (&entry.plan_expires_at.unix_millis(), Type::INT8),
            (&effects, Type::TEXT_ARRAY),
        ];
        if self.remembered(&sql, &parameters).await?.len() == 1 {
            return Ok(Entered::First);
        }
        let present = self.entry(entry.plan).await?;
        present
            .map(Entered::Present)
            .ok_or_else(|| AnchorError("an entry was removed while another was made".to_owned()))
    }

    async fn entry(&self, plan: PlanId) -> Result<Option<AnchorEntry>, AnchorError> {
        let sql = format!("SELECT {ENTRY} FROM @entries WHERE plan = $1");
        let rows = self.remembered(&sql, &[(&plan.to_string(), Type::TEXT)]).await?;
        Ok(rows.first().map(entry_of).transpose()?)
    }

    async fn claims_touching(&self, effects: &[Tag]) -> Result<Vec<AnchorEntry>, AnchorError> {
        let effects: Vec<String> = effects.iter().map(ToString::to_string).collect();
        let sql = format!("SELECT {ENTRY} FROM @entries WHERE kind = 'claimed' AND effects && $1 ORDER BY plan");
        let rows = self.remembered(&sql, &[(&effects, Type::TEXT_ARRAY)]).await?;
        Ok(rows.iter().map(entry_of).collect::<Result<_, _>>()?)
    }

    async fn entries(&self) -> Result<Vec<AnchorEntry>, AnchorError> {
        let rows = self.remembered(&format!("SELECT {ENTRY} FROM @entries ORDER BY plan"), &[]).await?;
        Ok(rows.iter().map(entry_of).collect::<Result<_, _>>()?)
    }

    async fn remove(&self, plans: &[PlanId]) -> Result<(), AnchorError> {
        let plans: Vec<String> = plans.iter().map(ToString::to_string).collect();
        self.remembered("DELETE FROM @entries WHERE plan = ANY ($1)", &[(&plans, Type::TEXT_ARRAY)]).await.map(drop)
    }

    async fn remember(&self, checkpoint: CheckpointMark) -> Result<(), AnchorError> {
        let sql = "INSERT INTO @checkpoint AS known (number, digest) VALUES ($1, $2) ON CONFLICT (is_only_row) \
                   DO UPDATE SET number = excluded.number, digest = excluded.digest WHERE known.number < excluded.number";
        self.put(sql, checkpoint).await
    }

    async fn reset_checkpoint(&self, checkpoint: Option<CheckpointMark>) -> Result<(), AnchorError> {
        let Some(checkpoint) = checkpoint else {
            return self.remembered("DELETE FROM @checkpoint", &[]).await.map(drop);
        };
        let sql = "INSERT INTO @checkpoint (number, digest) VALUES ($1, $2) ON CONFLICT (is_only_row) \
                   DO UPDATE SET number = excluded.number, digest = excluded.digest";
        self.put(sql, checkpoint).await
    }

    async fn last_checkpoint(&self) -> Result<Option<CheckpointMark>, AnchorError> {
        let rows = self.remembered("SELECT number, digest FROM @checkpoint", &[]).await?;
        Ok(rows.first().map(mark_of).transpose()?)
    }
}

impl PostgresAnchor {
    async fn put(&self, sql: &str, checkpoint: CheckpointMark) -> Result<(), AnchorError> {
        let number = i64::try_from(checkpoint.number).map_err(|_| Fault::Number(checkpoint.number))?;
        let parameters: [Parameter<'_>; 2] = [(&number, Type::INT8), (&checkpoint.digest.to_string(), Type::TEXT)];
        self.remembered(sql, &parameters).await.map(drop)
    }
}

fn entry_of(row: &Row) -> Result<AnchorEntry, Fault> {
    let (kind, claim): (String, Option<String>) = (row.try_get(1)?, row.try_get(2)?);
    let kind = match (kind.as_str(), claim) {
        ("claimed", Some(claim)) => AnchorKind::Claimed(parsed(claim, "claim id")?),
        ("rejected", None) => AnchorKind::Rejected,
        ("withdrawn", None) => AnchorKind::Withdrawn,
        _ => return Err(Fault::Unreadable { expected: "kind of entry", value: kind }),
    };
    let effects: Vec<String> = row.try_get(4)?;
    Ok(AnchorEntry {
        plan: parsed(row.try_get(0)?, "plan id")?,
        kind,
        plan_expires_at: Timestamp::from_unix_millis(row.try_get(3)?),
        effects: effects.into_iter().map(|effect| parsed(effect, "tag")).collect::<Result<_, _>>()?,
    })
}

fn mark_of(row: &Row) -> Result<CheckpointMark, Fault> {
    Ok(CheckpointMark {
        number: number_of(row.try_get(0)?, "number of a checkpoint")?,
        digest: parsed(row.try_get(1)?, "digest")?,
    })
}
