//! What all processes share: the store, the anchor, and the effects.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use approval_core::anchor::{Anchor, FileAnchor};
use approval_core::record::{Limits, Outcome};
use approval_core::store::Store;
use approval_core::{
    Approvals, ApprovalsBuilder, Audience, Clock, ExecutionPermit, ExecutionView, Executor, OsEntropy, Parts, PlanId,
    Policy, Refusal, Report, Terms,
};
use approval_store_postgres::{PostgresAnchor, PostgresOptions, PostgresStore};
use approval_store_sqlite::{SqliteOptions, SqliteStore};
use approval_testkit::ill_formed::AUDIENCE;
use approval_testkit::{FakeClock, FakeDirectory, FakeTarget, Room, StillTimer, test_key_ring, test_signing_keys};
use async_trait::async_trait;
use serde_json::json;
use torture::Effects;

use crate::Fault;
use crate::blind::BlindStore;

/// Where it is.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) directory: PathBuf,
    pub(crate) database: Database,
}

/// Where store and anchor are.
#[derive(Clone, Debug)]
pub(crate) enum Database {
    /// The PostgreSQL databases at these addresses.
    Addresses { store: String, anchor: String },
    /// Files in the directory.
    Files,
}

impl Place {
    pub(crate) fn effects(&self) -> Effects {
        Effects::new(self.directory.join("effects"))
    }

    /// The ids of the plans, one in a line.
    pub(crate) fn plans(&self) -> PathBuf {
        self.directory.join("plans")
    }

    /// None, where none were made yet.
    pub(crate) fn read_plans(&self) -> Result<Vec<PlanId>> {
        let ids = if self.plans().exists() { fs::read_to_string(self.plans())? } else { String::new() };
        ids.lines().map(|id| Ok(id.parse()?)).collect()
    }

    pub(crate) fn store_file(&self) -> PathBuf {
        self.directory.join("store.sqlite3")
    }
}

/// A process of the server.
pub(crate) struct World {
    pub(crate) target: FakeTarget,
    pub(crate) approvals: Approvals,
    executor: Recorder,
}

impl World {
    /// Starts a process. Where the store is a file, time stands still: at another moment for those who plan than `later`.
    pub(crate) async fn open(place: &Place, later: Duration, fault: Option<Fault>) -> Result<Self> {
        let audience = Audience::from(AUDIENCE);
        let (mut store, anchor, clock): (Arc<dyn Store>, Arc<dyn Anchor>, Arc<dyn Clock>) = match &place.database {
            Database::Files => {
                let clock = FakeClock::new();
                clock.advance(later);
                let store = SqliteStore::open_with(
                    place.store_file(),
                    Arc::new(clock.clone()),
                    &SqliteOptions::default().in_place(),
                )?;
                let file = place.directory.join("anchor.jsonl");
                let anchor = FileAnchor::new(file, audience.clone(), Arc::new(OsEntropy))?.in_place();
                (Arc::new(store), Arc::new(anchor), Arc::new(clock))
            }
            Database::Addresses { store, anchor } => {
                let store = PostgresStore::open(PostgresOptions::new(store)).await?;
                let options = PostgresOptions::new(anchor).schema("anchor");
                let anchor = PostgresAnchor::open(options, audience.clone()).await?;
                let clock = store.clock();
                (Arc::new(store), Arc::new(anchor), clock)
            }
        };
        if fault == Some(Fault::BlindClaim) {
            store = Arc::new(BlindStore::open(store, &place.read_plans()?).await?);
        }
        let parts = Parts {
            audience,
            store,
            sealer: Arc::new(test_key_ring()),
            directory: Arc::new(FakeDirectory::new().with("alice", &[])),
            timer: Arc::new(StillTimer),
            policy: Policy::always(Terms { limits: unlimited(), ..Terms::same_subject() }),
            surface: "http://127.0.0.1:8080".to_owned(),
        };
        let mut builder = ApprovalsBuilder::new(parts).clock(clock).signer(Arc::new(test_signing_keys()));
        if fault.is_none() {
            builder = builder.anchor(anchor);
        }
        let approvals = builder.separate_user().start().await?;
        Ok(Self { target: FakeTarget::new(), approvals, executor: Recorder(place.effects()) })
    }

    pub(crate) async fn execute(&self, plan: PlanId) -> Result<ExecutionView, Refusal> {
        let id = plan.to_string();
        self.approvals.execute(&Room::alice(), &id, None, &self.target, &self.executor).await
    }
}

/// As many plans as are wanted, and nothing that runs out while they are executed.
fn unlimited() -> Limits {
    let day = 86_400;
    Limits {
        plan_seconds: day,
        challenge_seconds: day,
        approval_seconds: day,
        lease_seconds: day,
        execution_seconds: day,
        open_plans: u32::MAX,
        ..Limits::default()
    }
}

/// Has an effect that anybody can see: a line in a file.
#[derive(Debug)]
struct Recorder(Effects);

#[async_trait]
impl Executor for Recorder {
    async fn execute(&self, permit: ExecutionPermit) -> Report {
        let outcome = match self.0.act(permit.plan_id()) {
            Ok(()) => Outcome::Applied,
            Err(_) => Outcome::Failed,
        };
        let tool_result = Some(json!({ "claim": permit.claim_id().to_string() }));
        Report { tool_result, ..Report::of(outcome) }
    }
}
