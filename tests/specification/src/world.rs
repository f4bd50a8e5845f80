//! A service that makes the same records in every run: a clock that stands still, and randomness from a seed.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use approval_core::record::{Approver, Identity, RecordKind, Verdict};
use approval_core::signing::SigningKeys;
use approval_core::store::RowKey;
use approval_core::{
    Approvals, ApprovalsBuilder, Audience, Clock as _, DecisionRequest, ExecutionPermit, Executor, Parts, PlanId,
    PlanView, Policy, Report,
};
use approval_testkit::ill_formed::{AUDIENCE, Forger};
use approval_testkit::{
    FakeClock, FakeDirectory, FakeTarget, FakeTimer, MemoryStore, Room, SeededEntropy, test_key_ring,
};
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// A service over a store in memory.
pub(crate) struct World {
    pub(crate) approvals: Approvals,
    pub(crate) target: FakeTarget,
    pub(crate) clock: FakeClock,
    memory: MemoryStore,
    forger: Forger,
}

impl World {
    /// The service under this policy. Each seed gives other identifiers.
    pub(crate) async fn new(seed: u64, policy: Policy) -> Result<Self> {
        let clock = FakeClock::new();
        let memory = MemoryStore::new(Arc::new(clock.clone()));
        let persons = FakeDirectory::new().with("alice", &[]).with("bob", &["sre"]).with("carol", &["sre"]);
        let parts = Parts {
            audience: Audience::from(AUDIENCE),
            store: Arc::new(memory.clone()),
            sealer: Arc::new(test_key_ring()),
            directory: Arc::new(persons),
            timer: Arc::new(FakeTimer::new(clock.clone())),
            policy,
            surface: "https://approvals.example".to_owned(),
        };
        let builder = ApprovalsBuilder::new(parts).clock(Arc::new(clock.clone())).separate_user();
        // Keys of their own seed, so that what is signed leaves everything else as it is.
        let keys = SigningKeys::generate(Audience::from(AUDIENCE), clock.now(), &SeededEntropy::new(9))?;
        let builder = builder.signer(Arc::new(keys));
        let approvals = builder.entropy(Arc::new(SeededEntropy::new(seed))).start().await?;
        Ok(Self { approvals, target: FakeTarget::new(), clock, memory, forger: Forger::new() })
    }

    pub(crate) async fn plan(&self, name: &str, value: Value) -> Result<PlanView> {
        let call = self.target.call(name, &value);
        Ok(self.approvals.plan(&Room::alice(), call, &self.target).await?)
    }

    pub(crate) async fn challenge(&self, plan: PlanId) -> Result<approval_core::ChallengeView> {
        Ok(self.approvals.challenge(&Room::alice(), &plan.to_string(), None).await?)
    }

    /// A person logs in, reads and decides.
    pub(crate) async fn decide(
        &self,
        plan: PlanId,
        person: &str,
        verdict: Verdict,
        comment: Option<&str>,
    ) -> Result<()> {
        let challenge = self.challenge(plan).await?.challenge;
        self.clock.advance(Duration::from_secs(20));
        let auth_time = self.clock.now();
        self.clock.advance(Duration::from_secs(5));
        let rendered_at = self.clock.now();
        self.clock.advance(Duration::from_secs(30));
        let Identity { person, issuer, subject } = FakeDirectory::identity(person);
        let (acr, amr) = match comment {
            Some(_) => (Some("urn:example:two-factors".to_owned()), vec!["pwd".to_owned(), "otp".to_owned()]),
            None => (None, Vec::new()),
        };
        let approver = Approver { person, issuer, subject, auth_time, acr, amr };
        let request = DecisionRequest {
            plan_id: plan,
            challenge_id: challenge.challenge_id,
            plan_digest: challenge.plan_digest,
            approver,
            verdict,
            comment: comment.map(str::to_owned),
            rendered_at,
        };
        self.approvals.decide(request).await?;
        Ok(())
    }

    /// Executes a plan, and returns its state as it was while the executor ran.
    pub(crate) async fn execute(&self, plan: PlanId) -> Result<Value> {
        let watched = Watched { world: self, seen: std::sync::Mutex::new(None) };
        self.approvals.execute(&Room::alice(), &plan.to_string(), None, &self.target, &watched).await?;
        let seen = watched.seen.into_inner().ok().flatten();
        seen.context("the executor was not called")
    }

    /// The record of a plan.
    pub(crate) fn of_plan(&self, kind: RecordKind, plan: PlanId) -> Result<Value> {
        self.read(&RowKey::of_plan(kind, plan))
    }

    /// The last record of a kind.
    pub(crate) fn last(&self, kind: RecordKind) -> Result<Value> {
        let key = self.memory.tables().rows.keys().rfind(|key| key.kind == kind).cloned();
        self.read(&key.with_context(|| format!("there is no {kind}"))?)
    }

    /// What a receipt of a plan states.
    pub(crate) async fn receipt(&self, plan: PlanId) -> Result<Value> {
        let envelope = self.approvals.receipt(&FakeDirectory::identity("alice"), &plan.to_string()).await?;
        let envelope: Value = serde_json::from_slice(&envelope)?;
        let payload = envelope.get("payload").and_then(Value::as_str).context("an envelope without a payload")?;
        Ok(serde_json::from_slice(&STANDARD.decode(payload)?)?)
    }

    /// Every event, in order.
    pub(crate) fn events(&self) -> Result<Vec<Value>> {
        let events = self.memory.tables().events.clone();
        events.iter().map(|row| Ok(self.forger.open_event(row)?)).collect()
    }

    fn read(&self, key: &RowKey) -> Result<Value> {
        let row = self.memory.tables().rows.get(key).cloned();
        let row = row.with_context(|| format!("there is no {} `{}`", key.kind, key.id))?;
        Ok(serde_json::from_str(&self.forger.open_text(&row)?)?)
    }
}

/// The target, and a look at the plan's state while it works.
struct Watched<'a> {
    world: &'a World,
    seen: std::sync::Mutex<Option<Value>>,
}

#[async_trait]
impl Executor for Watched<'_> {
    async fn execute(&self, permit: ExecutionPermit) -> Report {
        let state = self.world.of_plan(RecordKind::PlanState, permit.plan_id()).ok();
        if let Ok(mut seen) = self.seen.lock() {
            *seen = state;
        }
        self.world.target.execute(permit).await
    }
}
