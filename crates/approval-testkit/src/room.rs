//! Everything that a test of the whole cycle needs, in one place.

use std::sync::Arc;

use approval_core::record::Verdict;
use approval_core::seal::{KeyRing, KeyState, MasterKey};
use approval_core::signing::{DatedKey, KeySet, SigningKey, SigningKeys, SigningPurpose};
use approval_core::store::Store;
use approval_core::{
    Approvals, ApprovalsBuilder, Audience, ChallengeId, Clock as _, DecisionRequest, KeyId, Parts, PlanPageView,
    PlanView, Policy, Refusal, Requester, StatusView, Terms, Timestamp,
};
use serde_json::{Value, json};

use crate::{FakeClock, FakeDirectory, FakeTarget, FakeTimer, MemoryStore, SeededEntropy};

/// The installation of every room.
const AUDIENCE: &str = "urn:uuid:00000000-0000-4000-8000-000000000001";

/// What a person decides on what the page shows, without a comment: authenticated, and the page rendered, at this moment.
#[must_use]
pub fn decision(
    plan: &PlanView,
    challenge_id: ChallengeId,
    person: &str,
    verdict: Verdict,
    now: Timestamp,
) -> DecisionRequest {
    DecisionRequest {
        plan_id: plan.header.plan_id,
        challenge_id,
        plan_digest: plan.plan_digest,
        approver: FakeDirectory::approver(person, now),
        verdict,
        comment: None,
        rendered_at: now,
    }
}

/// A service over a store, with persons, a target and a clock that a test can change.
///
/// `alice` asks; `bob` and `carol` are in the group `sre`.
#[derive(Debug)]
pub struct Room {
    /// The clock that everything goes by.
    pub clock: FakeClock,
    /// The persons.
    pub directory: Arc<FakeDirectory>,
    /// What is mutated.
    pub target: FakeTarget,
    /// The seals.
    pub sealer: Arc<KeyRing>,
    /// The signatures.
    pub signer: Arc<SigningKeys>,
    /// The store.
    pub store: Arc<dyn Store>,
    /// The store, where it is the one in memory.
    pub memory: Option<MemoryStore>,
    /// The service.
    pub approvals: Approvals,
}

impl Room {
    /// A room over a store in memory, in which requesters approve for themselves.
    pub async fn new() -> Self {
        Self::with_policy(Policy::always(Terms::same_subject())).await
    }

    /// A room over a store in memory, under this policy.
    pub async fn with_policy(policy: Policy) -> Self {
        let clock = FakeClock::new();
        let memory = MemoryStore::new(Arc::new(clock.clone()));
        let mut room = Self::over(Arc::new(memory.clone()), clock, policy).await;
        room.memory = Some(memory);
        room
    }

    /// A room over any store, which must go by this clock.
    pub async fn over(store: Arc<dyn Store>, clock: FakeClock, policy: Policy) -> Self {
        let directory = FakeDirectory::new().with("alice", &[]).with("bob", &["sre"]).with("carol", &["sre"]);
        let directory = Arc::new(directory);
        let sealer = Arc::new(test_key_ring());
        let signer = Arc::new(test_signing_keys());
        let approvals = service(&store, &clock, &directory, &sealer, &signer, policy).await;
        Self { clock, directory, target: FakeTarget::new(), sealer, signer, store, memory: None, approvals }
    }

    /// Another process over the same store, under this policy.
    pub async fn another(&self, policy: Policy) -> Approvals {
        service(&self.store, &self.clock, &self.directory, &self.sealer, &self.signer, policy).await
    }

    /// What a service over this store is made of that has the room's clock, persons and key.
    #[must_use]
    pub fn parts(&self, store: Arc<dyn Store>, policy: Policy) -> Parts {
        parts(store, &self.clock, &self.directory, &self.sealer, policy)
    }

    /// The person for whom the agent acts.
    #[must_use]
    pub fn alice() -> Requester {
        FakeDirectory::requester("alice")
    }

    /// Plans to put `value` at `name`.
    ///
    /// # Errors
    /// As for [`Approvals::plan`].
    pub async fn plan(&self, name: &str, value: Value) -> Result<PlanView, Refusal> {
        self.approvals.plan(&Self::alice(), self.target.call(name, &value), &self.target).await
    }

    /// As [`Room::plan`], with a secret token among the arguments.
    ///
    /// # Errors
    /// As for [`Approvals::plan`].
    pub async fn plan_with_token(&self, name: &str, value: Value, token: &str) -> Result<PlanView, Refusal> {
        let mut call = self.target.call(name, &value);
        call.arguments.insert("token".to_owned(), json!(token));
        self.approvals.plan(&Self::alice(), call, &self.target).await
    }

    /// Opens a challenge, and has a person decide on it, with an authentication of this moment.
    ///
    /// # Errors
    /// As for [`Approvals::challenge`] and [`Approvals::decide`].
    pub async fn decide(&self, plan: &PlanView, person: &str, verdict: Verdict) -> Result<StatusView, Refusal> {
        self.approvals.decide(self.prepare(plan, person, verdict).await?).await
    }

    /// Opens a challenge a second ago, and what a person decides on it now, with an authentication of this moment.
    ///
    /// # Errors
    /// As for [`Approvals::challenge`].
    pub async fn prepare(&self, plan: &PlanView, person: &str, verdict: Verdict) -> Result<DecisionRequest, Refusal> {
        let id = plan.header.plan_id.to_string();
        let challenge = self.approvals.challenge(&Self::alice(), &id, None).await?.challenge;
        self.clock.advance(std::time::Duration::from_secs(1));
        Ok(decision(plan, challenge.challenge_id, person, verdict, self.clock.now()))
    }

    /// Executes a plan as its requester.
    ///
    /// # Errors
    /// As for [`Approvals::execute`].
    pub async fn execute(&self, plan: &PlanView) -> Result<approval_core::ExecutionView, Refusal> {
        let id = plan.header.plan_id.to_string();
        self.approvals.execute(&Self::alice(), &id, None, &self.target, &self.target).await
    }

    /// The page of a plan, for a person.
    ///
    /// # Errors
    /// As for [`Approvals::view`].
    pub async fn page(&self, plan: &PlanView, person: &str) -> Result<PlanPageView, Refusal> {
        self.approvals.view(&FakeDirectory::identity(person), &plan.header.plan_id.to_string()).await
    }
}

/// A key ring for tests: the key is 32 bytes of seven.
#[must_use]
pub fn test_key_ring() -> KeyRing {
    let key = (KeyId::from("test"), MasterKey::from_bytes([7; 32]), KeyState::Active);
    #[expect(clippy::expect_used, reason = "one well-formed active key makes a ring")]
    KeyRing::new([key], Arc::new(SeededEntropy::new(7))).expect("a ring of one key")
}

/// Signing keys for tests, good from the first moment of the [`FakeClock`] on: the secret key for receipts is 32 bytes of
/// eight, the one for checkpoints 32 bytes of nine.
#[must_use]
pub fn test_signing_keys() -> SigningKeys {
    let keys = [(SigningPurpose::Receipt, 8), (SigningPurpose::Checkpoint, 9)];
    let keys = keys.map(|(purpose, byte)| (purpose, SigningKey::from_bytes(&[byte; 32])));
    let dated = keys.iter().map(|(purpose, key)| DatedKey::new(&key.public_key(), *purpose, FakeClock::new().now()));
    #[expect(clippy::expect_used, reason = "two different keys make a set")]
    let set = KeySet::new(Audience::from(AUDIENCE), dated.collect()).expect("a set of two keys");
    SigningKeys::new(set, keys.map(|(_, key)| key))
}

async fn service(
    store: &Arc<dyn Store>,
    clock: &FakeClock,
    directory: &Arc<FakeDirectory>,
    sealer: &Arc<KeyRing>,
    signer: &Arc<SigningKeys>,
    policy: Policy,
) -> Approvals {
    let parts = parts(Arc::clone(store), clock, directory, sealer, policy);
    let builder = ApprovalsBuilder::new(parts).clock(Arc::new(clock.clone())).signer(Arc::clone(signer) as _);
    let started = builder.separate_user().start().await;
    #[expect(clippy::expect_used, reason = "a room that can't be built is a test that can't run")]
    started.expect("a service over the store under test")
}

fn parts(
    store: Arc<dyn Store>,
    clock: &FakeClock,
    directory: &Arc<FakeDirectory>,
    sealer: &Arc<KeyRing>,
    policy: Policy,
) -> Parts {
    Parts {
        audience: Audience::from(AUDIENCE),
        store,
        sealer: Arc::clone(sealer) as _,
        directory: Arc::clone(directory) as _,
        timer: Arc::new(FakeTimer::new(clock.clone())),
        policy,
        surface: "http://127.0.0.1:8080".to_owned(),
    }
}
