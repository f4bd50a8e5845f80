//! A service over a store, with an anchor, and cycles through it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use approval_core::anchor::{Anchor, FileAnchor};
use approval_core::record::{Outcome, RecordKind, Verdict};
use approval_core::store::{Include, Store};
use approval_core::{ApprovalsBuilder, Audience, Clock as _, OsEntropy, PlanView, Policy, Terms};
use approval_store_postgres::{PostgresAnchor, PostgresOptions, PostgresStore};
use approval_store_sqlite::{SqliteOptions, SqliteStore};
use approval_testkit::{FakeClock, Room, StillTimer, decision};
use postgres::Server;
use serde_json::json;

/// Plan, challenge, decision, claim, settle.
pub(crate) const TRANSITIONS: u32 = 5;

const AUDIENCE: &str = "urn:uuid:00000000-0000-4000-8000-000000000001";

/// A service over a store.
#[derive(Debug)]
pub(crate) struct Bed {
    pub(crate) room: Arc<Room>,
    number: Arc<AtomicU64>,
}

impl Bed {
    pub(crate) async fn on_sqlite(directory: &Path) -> Result<Self> {
        let clock = FakeClock::new();
        let store = SqliteStore::open_with(
            directory.join("store.sqlite3"),
            Arc::new(clock.clone()),
            &SqliteOptions::default().in_place(),
        )?;
        let anchor =
            FileAnchor::new(directory.join("anchor.jsonl"), Audience::from(AUDIENCE), Arc::new(OsEntropy))?.in_place();
        Self::over(Arc::new(store), Arc::new(anchor), clock).await
    }

    pub(crate) async fn on_postgres(server: &Server) -> Result<Self> {
        let clock = FakeClock::new();
        let store = PostgresStore::open(PostgresOptions::new(server.address()).clock(Arc::new(clock.clone()))).await?;
        let elsewhere = PostgresOptions::new(server.database("anchor")?);
        let anchor = PostgresAnchor::open(elsewhere, Audience::from(AUDIENCE)).await?;
        Self::over(Arc::new(store), Arc::new(anchor), clock).await
    }

    async fn over(store: Arc<dyn Store>, anchor: Arc<dyn Anchor>, clock: FakeClock) -> Result<Self> {
        let mut terms = Terms::same_subject();
        terms.limits.open_plans = 10_000;
        let policy = Policy::always(terms);
        let mut room = Room::over(store, clock, policy.clone()).await;
        let mut parts = room.parts(Arc::clone(&room.store), policy);
        parts.timer = Arc::new(StillTimer);
        let builder = ApprovalsBuilder::new(parts).clock(Arc::new(room.clock.clone())).separate_user();
        room.approvals = builder.anchor(anchor).dangerous_new_anchor().start().await?;
        Ok(Self { room: Arc::new(room), number: Arc::default() })
    }

    /// A plan of 1 KiB, approved.
    pub(crate) async fn approved(&self) -> Result<PlanView> {
        let room = &self.room;
        let name = self.number.fetch_add(1, Ordering::Relaxed).to_string();
        let plan = room.plan(&name, json!("x".repeat(400))).await?;
        let challenge =
            room.approvals.challenge(&Room::alice(), &plan.header.plan_id.to_string(), None).await?.challenge;
        room.clock.advance(Duration::from_millis(1));
        let decision = decision(&plan, challenge.challenge_id, "alice", Verdict::Approve, room.clock.now());
        room.approvals.decide(decision).await?;
        Ok(plan)
    }

    /// One plan, from the call to its outcome.
    pub(crate) async fn cycle(&self) -> Result<PlanView> {
        let plan = self.approved().await?;
        let done = self.room.execute(&plan).await?;
        ensure!(done.execution.outcome == Outcome::Applied && !done.replayed, "the plan was not applied");
        Ok(plan)
    }

    /// Cycles by so many callers at once.
    pub(crate) async fn cycles(&self, callers: u32, each: u32) -> Result<()> {
        let callers: Vec<_> = (0..callers)
            .map(|_| {
                let bed = Self { room: Arc::clone(&self.room), number: Arc::clone(&self.number) };
                tokio::spawn(async move {
                    for _ in 0..each {
                        bed.cycle().await?;
                    }
                    anyhow::Ok(())
                })
            })
            .collect();
        for caller in callers {
            caller.await??;
        }
        Ok(())
    }

    /// How many sealed bytes one transition of a cycle writes, on average.
    pub(crate) async fn bytes(&self) -> Result<usize> {
        let before = self.room.store.events(0, u32::MAX).await?.len();
        let plan = self.cycle().await?.header.plan_id;
        let rows = self.room.store.plan(plan, Include::Documents).await?.map(|found| found.rows).unwrap_or_default();
        let events = self.room.store.events(0, u32::MAX).await?;
        let of_events: usize = events.iter().skip(before).map(|event| event.sealed.len()).sum();
        let size = |kind| rows.iter().filter(|row| row.key.kind == kind).map(|row| row.sealed.len()).sum::<usize>();
        let of_rows: usize = rows.iter().map(|row| row.sealed.len()).sum();
        // The plan's state is written by each transition; the secrets are gone by now, and were the size of a state.
        let again = size(RecordKind::PlanState) * TRANSITIONS as usize;
        Ok((of_events + of_rows + again) / TRANSITIONS as usize)
    }
}
