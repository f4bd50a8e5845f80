//! A database in which there is a plan in every state that matters, and whatever else is ever stored.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use approval_core::anchor::Anchor;
use approval_core::audit::AuditLog;
use approval_core::record::{Outcome, Reconciled, RecordKind, Verdict};
use approval_core::seal::{Sealer as _, TagPurpose};
use approval_core::store::Store;
use approval_core::transient::{SealedTransient, Transient};
use approval_core::{
    Approvals, ApprovalsBuilder, BuildError, Clock as _, ExecutionPermit, Executor, Person, PlanView, Refusal, Report,
    Timestamp,
};
use approval_testkit::ill_formed::AUDIENCE;
use approval_testkit::{FakeClock, FakeDirectory, FakeTarget, MemoryAnchor, Remembered, Room};
use async_trait::async_trait;
use tokio::sync::Notify;

use super::hand::{Contents, Hand, Table, Value, contents, difference, make};
use crate::workshop::{Workshop, call, decision, parts, policy};

/// The plans, by what became of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Who {
    /// Executed, and it was applied.
    Applied,
    /// Approved. The review lists the attempt of `Earlier`, which is on the same effect keys.
    Approved,
    /// One of two has approved.
    Awaiting,
    /// Approved, and on the same effect keys, before `Earlier` was executed.
    Beside,
    /// Executed, and nobody knows what it did.
    Earlier,
    /// As `Earlier`, on other effect keys, and an operator found out.
    Reconciled,
    Rejected,
    /// Another process executes it.
    Running,
    Withdrawn,
}

impl Who {
    pub(super) const ALL: [Self; 9] = [
        Self::Applied,
        Self::Approved,
        Self::Awaiting,
        Self::Beside,
        Self::Earlier,
        Self::Reconciled,
        Self::Rejected,
        Self::Running,
        Self::Withdrawn,
    ];

    /// What it puts something on.
    pub(super) fn place(self) -> &'static str {
        match self {
            Self::Applied => "c",
            Self::Approved | Self::Beside | Self::Earlier => "a",
            Self::Awaiting => "e",
            Self::Reconciled => "b",
            Self::Rejected => "r",
            Self::Running => "d",
            Self::Withdrawn => "w",
        }
    }
}

/// An older copy of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Moment {
    /// `Applied`, `Beside`, `Earlier`, `Reconciled`, `Running` and `Withdrawn` were approved, `Rejected` was planned, and nothing
    /// had been executed.
    AllApproved,
    /// `Approved` and `Awaiting` were planned, and execution was paused.
    Paused,
    /// One of two had approved `Approved`.
    HalfApproved,
}

/// A store, what is in it, and somebody else's hand in it.
pub(super) struct Desk {
    pub(super) room: Room,
    pub(super) hand: Arc<dyn Hand>,
    pub(super) tables: Vec<Table>,
    pub(super) plans: BTreeMap<Who, PlanView>,
    pub(super) anchor: MemoryAnchor,
    remembered: Remembered,
    pub(super) kept: SealedTransient,
    pub(super) now: Timestamp,
    /// What is stored.
    pub(super) whole: Contents,
    pub(super) older: BTreeMap<Moment, Contents>,
    /// A checkpoint of all of it, which was kept elsewhere.
    pub(super) checkpoint: String,
}

/// Names of short-lived values.
pub(super) const KEPT: [(RecordKind, &str); 2] = [(RecordKind::Session, "one's"), (RecordKind::Login, "another's")];

/// How long they are kept.
pub(super) const KEPT_FOR: Duration = Duration::from_secs(3600);

impl Desk {
    /// A desk over an empty store, which goes by this clock.
    pub(super) async fn new<S>(store: Arc<S>, clock: FakeClock, hand: Arc<dyn Hand>) -> Self
    where
        S: Store + Transient + 'static,
    {
        let tables = hand.catalogue().await;
        let anchor = MemoryAnchor::default();
        let room = Room::over(Arc::clone(&store) as Arc<dyn Store>, clock, policy()).await;
        let service = begin(&room, Arc::new(anchor.clone())).await.unwrap();
        let stage = Stage { room: &room, service: &service };
        let mut plans = BTreeMap::new();
        let mut older = BTreeMap::new();
        for who in [Who::Applied, Who::Beside, Who::Earlier, Who::Reconciled, Who::Running, Who::Withdrawn] {
            plans.insert(who, stage.plan(who).await);
            stage.approve(&plans[&who]).await;
        }
        plans.insert(Who::Rejected, stage.plan(Who::Rejected).await);
        older.insert(Moment::AllApproved, contents(hand.as_ref(), &tables).await);
        stage.execute(&plans[&Who::Applied], Outcome::Applied).await;
        stage.execute(&plans[&Who::Earlier], Outcome::Unknown).await;
        stage.execute(&plans[&Who::Reconciled], Outcome::Unknown).await;
        service.reconcile(plans[&Who::Reconciled].header.plan_id, Reconciled::Applied, "op").await.unwrap();
        stage.decide(&plans[&Who::Rejected], "bob", Verdict::Reject).await;
        stage.decide(&plans[&Who::Withdrawn], "carol", Verdict::Withdraw).await;
        for who in [Who::Approved, Who::Awaiting] {
            plans.insert(who, stage.plan(who).await);
        }
        assert_eq!(plans[&Who::Approved].warnings.len(), 1, "the review lists the unresolved attempt");
        service.checkpoint().await.unwrap().expect("something to sign");
        service.pause("op").await.unwrap();
        older.insert(Moment::Paused, contents(hand.as_ref(), &tables).await);
        service.resume("op").await.unwrap();
        stage.decide(&plans[&Who::Approved], "bob", Verdict::Approve).await;
        older.insert(Moment::HalfApproved, contents(hand.as_ref(), &tables).await);
        stage.decide(&plans[&Who::Approved], "carol", Verdict::Approve).await;
        stage.decide(&plans[&Who::Awaiting], "bob", Verdict::Approve).await;
        stage.hang(&plans[&Who::Running], &anchor).await;
        service.mute(&Person::from("bob"), Duration::from_secs(3600), "carol").await.unwrap();
        let kept = SealedTransient::new(store, Arc::clone(&room.sealer) as _, AUDIENCE.into());
        for (kind, name) in KEPT {
            kept.put(kind, name, &serde_json::json!({ "of": name }), room.clock.now().after(KEPT_FOR)).await.unwrap();
        }
        service.checkpoint().await.unwrap().expect("something to sign");
        let log = AuditLog::new(Arc::clone(&room.store), Arc::clone(&room.sealer) as _, AUDIENCE.into());
        let checkpoint = log.last_checkpoint().await.unwrap().expect("it was just made");
        let whole = contents(hand.as_ref(), &tables).await;
        let remembered = anchor.remembered().clone().expect("it was begun");
        let now = room.clock.now();
        Self { room, hand, tables, plans, anchor, remembered, kept, now, whole, older, checkpoint }
    }

    /// Puts everything back to how it was.
    pub(super) async fn restore(&self) {
        let found = contents(self.hand.as_ref(), &self.tables).await;
        let changes = difference(&self.tables, &found, &self.whole);
        make(self.hand.as_ref(), &self.tables, &changes).await.unwrap();
        *self.anchor.remembered() = Some(self.remembered.clone());
        self.room.clock.set(self.now);
    }

    /// A process that begins now.
    pub(super) async fn begin(&self, anchor: Arc<dyn Anchor>) -> Result<Approvals, BuildError> {
        begin(&self.room, anchor).await
    }

    /// What the anchor remembers, as a verifier gets it.
    pub(super) fn anchored(&self) -> Vec<approval_core::anchor::AnchorRecord> {
        use approval_core::anchor::AnchorRecord;
        let entries = self.remembered.entries.values().cloned().map(AnchorRecord::Entry);
        entries.chain(self.remembered.checkpoint.map(AnchorRecord::Checkpoint)).collect()
    }

    /// What is in a column of a row.
    pub(super) fn get<'a>(&self, table: &str, row: &'a super::hand::Row, column: &str) -> &'a Value {
        super::hand::table_of(&self.tables, table).get(row, column)
    }

    /// Whose plan an id is.
    pub(super) fn whose(&self, id: &str) -> Option<Who> {
        Who::ALL.into_iter().find(|who| self.plans[who].header.plan_id.to_string() == id)
    }

    pub(super) fn id(&self, who: Who) -> String {
        self.plans[&who].header.plan_id.to_string()
    }

    /// The tags of the effect keys that a plan touches.
    pub(super) fn effects(&self, who: Who) -> Vec<String> {
        let keys = [format!("shelf/{}", who.place()), format!("shelf/{}-log", who.place())];
        keys.map(|key| self.room.sealer.tag(TagPurpose::Effect, key.as_bytes()).unwrap().to_string()).to_vec()
    }
}

async fn begin(room: &Room, anchor: Arc<dyn Anchor>) -> Result<Approvals, BuildError> {
    let builder = ApprovalsBuilder::new(parts(room)).clock(Arc::new(room.clock.clone())).separate_user();
    builder.anchor(anchor).signer(Arc::clone(&room.signer) as _).start().await
}

/// What leads to the desk.
struct Stage<'a> {
    room: &'a Room,
    service: &'a Approvals,
}

impl Stage<'_> {
    async fn plan(&self, who: Who) -> PlanView {
        self.service.plan(&Room::alice(), call(who.place()), &Workshop).await.unwrap()
    }

    async fn decide(&self, plan: &PlanView, who: &str, verdict: Verdict) {
        decide(self.service, self.room, plan, who, verdict).await.unwrap();
    }

    async fn approve(&self, plan: &PlanView) {
        self.decide(plan, "bob", Verdict::Approve).await;
        self.decide(plan, "carol", Verdict::Approve).await;
    }

    async fn execute(&self, plan: &PlanView, outcome: Outcome) {
        let target = FakeTarget::new();
        target.report(outcome);
        let id = plan.header.plan_id.to_string();
        let done = self.service.execute(&Room::alice(), &id, None, &Workshop, &target).await.unwrap();
        assert_eq!((done.execution.outcome, done.replayed), (outcome, false));
    }

    /// Another process begins to execute a plan, and is never heard of again.
    async fn hang(&self, plan: &PlanView, anchor: &MemoryAnchor) {
        let other = begin(self.room, Arc::new(anchor.clone())).await.unwrap();
        let hanging = Hanging(Notify::new());
        let (alice, id) = (Room::alice(), plan.header.plan_id.to_string());
        tokio::select! {
            _ = other.execute(&alice, &id, None, &Workshop, &hanging) => unreachable!("it hangs"),
            () = hanging.0.notified() => {}
        }
    }
}

/// Puts the plan before a person, who decides a second later.
pub(super) async fn decide(
    service: &Approvals,
    room: &Room,
    plan: &PlanView,
    who: &str,
    verdict: Verdict,
) -> Result<(), Refusal> {
    let challenge =
        service.challenge(&FakeDirectory::requester("alice"), &plan.header.plan_id.to_string(), None).await?;
    room.clock.advance(Duration::from_secs(1));
    service.decide(decision(room, plan, &challenge.challenge, who, verdict)).await.map(drop)
}

/// An executor that begins and does not end.
struct Hanging(Notify);

#[async_trait]
impl Executor for Hanging {
    async fn execute(&self, _permit: ExecutionPermit) -> Report {
        self.0.notify_one();
        std::future::pending().await
    }
}
