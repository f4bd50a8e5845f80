//! Replicas of a server, with an anchor on a PostgreSQL server of its own, and effects that are counted outside of both.

use std::sync::Arc;
use std::time::Duration;

use approval_core::anchor::Anchor;
use approval_core::record::{Limits, Outcome, State, Verdict};
use approval_core::{
    Approvals, ApprovalsBuilder, Audience, Clock, ExecutionPermit, ExecutionView, Executor, Parts, PlanId, PlanView,
    Policy, Refusal, Report, Terms, Timer,
};
use approval_store_postgres::{PostgresAnchor, PostgresOptions, PostgresStore};
use approval_testkit::ill_formed::AUDIENCE;
use approval_testkit::{FakeDirectory, FakeTarget, Room, StillTimer, decision, test_key_ring, test_signing_keys};
use async_trait::async_trait;
use postgres::{Durability, Server};
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::Notify;
use torture::{Effects, verify_audit};

/// How long a lease is, in seconds: longer than a test takes, and shorter than an approval is good.
const LEASE: u32 = 300;

/// So many seconds later a lease has passed.
pub(crate) const PAST_THE_LEASE: i64 = LEASE as i64 + 1;

/// What all replicas share but for the store.
pub(crate) struct Site {
    pub(crate) anchor: Server,
    pub(crate) effects: Effects,
    _directory: TempDir,
}

impl Site {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let effects = Effects::new(directory.path().join("effects"));
        Self { anchor: Server::start(Durability::Unsynced).unwrap(), effects, _directory: directory }
    }

    /// A replica on the store at this address, which goes by its clock.
    pub(crate) async fn replica(&self, address: &str) -> Replica {
        self.replica_with(PostgresOptions::new(address)).await
    }

    pub(crate) async fn replica_with(&self, options: PostgresOptions) -> Replica {
        self.fittings().replica(options, Arc::new(StillTimer)).await
    }

    pub(crate) fn fittings(&self) -> Fittings {
        Fittings::new(self.anchor.address(), self.effects.clone())
    }

    /// How often the plan has had its effect.
    pub(crate) fn effects_of(&self, plan: &PlanView) -> u64 {
        self.effects.count().unwrap().get(&plan.header.plan_id).copied().unwrap_or_default()
    }
}

/// What a replica is made of.
pub(crate) struct Fittings {
    pub(crate) anchor: String,
    pub(crate) effects: Effects,
    /// A clock of the replica's own, in place of the store's.
    pub(crate) clock: Option<Arc<dyn Clock>>,
    pub(crate) lease_seconds: u32,
}

impl Fittings {
    pub(crate) fn new(anchor: String, effects: Effects) -> Self {
        Self { anchor, effects, clock: None, lease_seconds: LEASE }
    }

    pub(crate) async fn replica(self, options: PostgresOptions, timer: Arc<dyn Timer>) -> Replica {
        let store = Arc::new(PostgresStore::open(options).await.unwrap());
        let audience = Audience::from(AUDIENCE);
        let anchor = PostgresOptions::new(self.anchor).schema("anchor");
        let anchor: Arc<dyn Anchor> = Arc::new(PostgresAnchor::open(anchor, audience.clone()).await.unwrap());
        let limits = Limits { lease_seconds: self.lease_seconds, open_plans: 1000, ..Limits::default() };
        let parts = Parts {
            audience,
            store: Arc::clone(&store) as _,
            sealer: Arc::new(test_key_ring()),
            directory: Arc::new(FakeDirectory::new().with("alice", &[])),
            timer,
            policy: Policy::always(Terms { limits, ..Terms::same_subject() }),
            surface: "http://127.0.0.1:8080".to_owned(),
        };
        let builder = ApprovalsBuilder::new(parts).clock(self.clock.unwrap_or_else(|| store.clock()));
        let builder = builder.signer(Arc::new(test_signing_keys())).anchor(anchor).separate_user();
        let approvals = builder.start().await.unwrap();
        Replica { approvals, target: FakeTarget::new(), executor: Recorder(self.effects) }
    }
}

/// A process of the server.
pub(crate) struct Replica {
    pub(crate) approvals: Approvals,
    pub(crate) target: FakeTarget,
    executor: Recorder,
}

impl Replica {
    pub(crate) async fn planned(&self, name: &str) -> PlanView {
        let call = self.target.call(name, &json!(1));
        self.approvals.plan(&Room::alice(), call, &self.target).await.unwrap()
    }

    /// A plan that its requester has approved.
    pub(crate) async fn approved(&self, name: &str) -> PlanView {
        let plan = self.planned(name).await;
        let id = plan.header.plan_id.to_string();
        let challenge = self.approvals.challenge(&Room::alice(), &id, None).await.unwrap().challenge;
        // The person logs in right after it.
        let then = challenge.created_at.after(Duration::from_millis(1));
        let decided = decision(&plan, challenge.challenge_id, "alice", Verdict::Approve, then);
        assert_eq!(self.approvals.decide(decided).await.unwrap().state, State::Approved);
        plan
    }

    pub(crate) async fn execute(&self, plan: &PlanView) -> Result<ExecutionView, Refusal> {
        self.execute_by(plan, &self.executor).await
    }

    pub(crate) async fn execute_by(&self, plan: &PlanView, by: &dyn Executor) -> Result<ExecutionView, Refusal> {
        self.execute_id(plan.header.plan_id, by).await
    }

    pub(crate) async fn execute_id(&self, plan: PlanId, by: &dyn Executor) -> Result<ExecutionView, Refusal> {
        self.approvals.execute(&Room::alice(), &plan.to_string(), None, &self.target, by).await
    }

    pub(crate) async fn state(&self, plan: &PlanView) -> State {
        let id = plan.header.plan_id.to_string();
        self.approvals.status(&Room::alice(), &id, Duration::ZERO).await.unwrap().state
    }

    /// Executes the plan, which has been applied: it is told so, and has no other effect. [GATE-050]
    pub(crate) async fn replays(&self, site: &Site, plan: &PlanView, outcome: Outcome, effects: u64) {
        let again = self.execute(plan).await.unwrap();
        assert_eq!((again.execution.outcome, again.replayed), (outcome, true));
        assert_eq!(site.effects_of(plan), effects);
    }

    /// The lines of the audit, which holds.
    pub(crate) async fn audit(&self) -> Vec<String> {
        let (_, text) = verify_audit(&self.approvals).await.unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// What the audit tells of a plan, in its order.
    pub(crate) async fn told_of(&self, plan: &PlanView) -> Vec<String> {
        let id = plan.header.plan_id.to_string();
        let events = self.audit().await.into_iter().map(|line| serde_json::from_str(&line).unwrap());
        let of_plan = events.filter(|line: &serde_json::Value| line["event"]["planId"] == id);
        of_plan.map(|line| line["event"]["kind"].as_str().unwrap().to_owned()).collect()
    }
}

/// Has an effect that anybody can see: a line in a file.
#[derive(Clone, Debug)]
pub(crate) struct Recorder(pub(crate) Effects);

#[async_trait]
impl Executor for Recorder {
    async fn execute(&self, permit: ExecutionPermit) -> Report {
        self.0.act(permit.plan_id()).unwrap();
        Report::of(Outcome::Applied)
    }
}

/// Has its effect, says so, and ends when it is told to.
#[derive(Debug)]
pub(crate) struct Held {
    effects: Effects,
    pub(crate) begun: Notify,
    pub(crate) goes_on: Notify,
}

impl Held {
    pub(crate) fn new(site: &Site) -> Arc<Self> {
        Arc::new(Self { effects: site.effects.clone(), begun: Notify::new(), goes_on: Notify::new() })
    }
}

#[async_trait]
impl Executor for Held {
    async fn execute(&self, permit: ExecutionPermit) -> Report {
        self.effects.act(permit.plan_id()).unwrap();
        self.begun.notify_one();
        self.goes_on.notified().await;
        Report::of(Outcome::Applied)
    }
}

/// The execution of a plan, which has begun.
pub(crate) async fn begun(
    replica: &Arc<Replica>,
    plan: &PlanView,
    by: &Arc<Held>,
) -> tokio::task::JoinHandle<Result<ExecutionView, Refusal>> {
    let execution = tokio::spawn({
        let (replica, id, by) = (Arc::clone(replica), plan.header.plan_id, Arc::clone(by));
        async move { replica.execute_id(id, by.as_ref()).await }
    });
    by.begun.notified().await;
    execution
}
