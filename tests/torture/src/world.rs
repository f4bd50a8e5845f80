//! What outlives a server that is killed: the store, the anchor, and the effects.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use approval_core::anchor::FileAnchor;
use approval_core::record::Outcome;
use approval_core::record::Verdict;
use approval_core::store::Store;
use approval_core::{
    Approvals, ApprovalsBuilder, Audience, Clock as _, ExecutionPermit, Executor, OsEntropy, Parts, PlanId, PlanView,
    Policy, Refusal, Report, Terms, Timestamp,
};
use approval_store_postgres::{PostgresOptions, PostgresStore};
use approval_store_sqlite::{SqliteOptions, SqliteStore};
use approval_testkit::ill_formed::AUDIENCE;
use approval_testkit::{
    Around, FakeClock, FakeDirectory, FakeTarget, Room, StillTimer, decision, test_key_ring, test_signing_keys,
};
use async_trait::async_trait;
use torture::Effects;

use crate::Fault;
use crate::steps::{StepAnchor, StepStore, Steps};

/// Where it is.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) directory: PathBuf,
    pub(crate) database: Database,
}

/// Where the store is.
#[derive(Clone, Debug)]
pub(crate) enum Database {
    /// A file in the directory.
    File,
    /// The PostgreSQL database at this address.
    Address(String),
}

impl Place {
    fn effects(&self) -> Effects {
        Effects::new(self.directory.join("effects"))
    }

    /// How often each plan has had its effect.
    pub(crate) fn count(&self) -> Result<BTreeMap<PlanId, u64>> {
        self.effects().count()
    }
}

/// A server.
pub(crate) struct World {
    pub(crate) clock: FakeClock,
    pub(crate) target: FakeTarget,
    pub(crate) approvals: Approvals,
    pub(crate) executor: Recorder,
}

impl World {
    /// Starts a server.
    pub(crate) async fn open(place: &Place, now: Timestamp, steps: &Arc<Steps>) -> Result<Self> {
        let clock = FakeClock::new();
        clock.set(now);
        let inner: Arc<dyn Store> = match &place.database {
            Database::File => Arc::new(SqliteStore::open_with(
                place.directory.join("store.sqlite3"),
                Arc::new(clock.clone()),
                &SqliteOptions::default().in_place(),
            )?),
            Database::Address(address) => {
                let options = PostgresOptions::new(address).clock(Arc::new(clock.clone()));
                Arc::new(PostgresStore::open(options).await?)
            }
        };
        let audience = Audience::from(AUDIENCE);
        let anchor = FileAnchor::new(place.directory.join("anchor.jsonl"), audience.clone(), Arc::new(OsEntropy))?;
        let parts = Parts {
            audience,
            store: Arc::new(Around(StepStore { inner, steps: Arc::clone(steps) })),
            sealer: Arc::new(test_key_ring()),
            directory: Arc::new(FakeDirectory::new().with("alice", &[])),
            // However slow the machine is, a lease ends in the time that the server is told.
            timer: Arc::new(StillTimer),
            policy: Policy::always(Terms::same_subject()),
            surface: "http://127.0.0.1:8080".to_owned(),
        };
        let approvals = ApprovalsBuilder::new(parts)
            .clock(Arc::new(clock.clone()))
            .signer(Arc::new(test_signing_keys()))
            .anchor(Arc::new(Around(StepAnchor { inner: anchor, steps: Arc::clone(steps) })))
            .separate_user()
            .start()
            .await?;
        let executor = Recorder { effects: place.effects(), steps: Arc::clone(steps), fault: None };
        Ok(Self { clock, target: FakeTarget::new(), approvals, executor })
    }

    /// Puts a plan before its requester, who decides a second later.
    pub(crate) async fn decide(&self, plan: &PlanView, verdict: Verdict) -> Result<(), Refusal> {
        let id = plan.header.plan_id.to_string();
        let challenge = self.approvals.challenge(&Room::alice(), &id, None).await?.challenge;
        self.clock.advance(std::time::Duration::from_secs(1));
        let decided = decision(plan, challenge.challenge_id, "alice", verdict, self.clock.now());
        self.approvals.decide(decided).await.map(drop)
    }

    pub(crate) async fn execute(&self, plan: PlanId) -> Result<approval_core::ExecutionView, Refusal> {
        let (alice, id) = (Room::alice(), plan.to_string());
        self.approvals.execute(&alice, &id, None, &self.target, &self.executor).await
    }
}

/// Has an effect that anybody can see: a line in a file.
#[derive(Debug)]
pub(crate) struct Recorder {
    effects: Effects,
    steps: Arc<Steps>,
    pub(crate) fault: Option<Fault>,
}

impl Recorder {
    pub(crate) fn act(&self, plan: PlanId) -> io::Result<()> {
        self.effects.act(plan)
    }
}

#[async_trait]
impl Executor for Recorder {
    async fn execute(&self, permit: ExecutionPermit) -> Report {
        self.steps.reach(format_args!("before the effect"));
        let acts = match self.fault {
            Some(Fault::EffectTwice) => 2,
            Some(Fault::EffectBeforeClaim) => 0,
            Some(Fault::EarlyAcknowledgement) | None => 1,
        };
        let done = (0..acts).all(|_| self.act(permit.plan_id()).is_ok());
        self.steps.reach(format_args!("after the effect"));
        Report::of(if done { Outcome::Applied } else { Outcome::Failed })
    }
}
