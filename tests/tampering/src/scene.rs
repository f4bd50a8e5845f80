//! Plans in each state in which their records are used.

use std::time::Duration;

use approval_core::record::{Challenge, Outcome, Reconciled, RecordKind, State, Verdict};
use approval_core::store::RowKey;
use approval_core::{
    Approvals, ApprovalsBuilder, Clock as _, ExecutionPermit, Executor, Person, PlanId, PlanView, Report, Requester,
    Timestamp,
};
use approval_testkit::ill_formed::Forger;
use approval_testkit::{FakeTarget, MemoryStore, Room, SeededEntropy, Tables};
use async_trait::async_trait;
use serde_json::Value;
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;

use crate::tally::Tally;
use crate::usage::Use;
use crate::workshop::{Workshop, call, decide, parts, policy};

/// A store at one moment, the plan in it that is tampered with, and the calls that are made then.
pub(crate) struct Scene {
    pub(crate) name: &'static str,
    pub(crate) room: Room,
    pub(crate) plan: PlanView,
    /// Another plan, on the same effect keys, whose attempt nobody has resolved; the plan's review says so.
    pub(crate) earlier: PlanView,
    /// Another one, approved before the plan was claimed.
    pub(crate) another: Option<PlanView>,
    /// The last challenge of the plan.
    pub(crate) challenge: Option<Challenge>,
    /// What is stored: what was, and that the process under attack began.
    pub(crate) whole: Tables,
    before: Tables,
    live: Mutex<Option<Approvals>>,
    /// What was stored before each thing that happened, oldest first.
    pub(crate) history: Vec<Tables>,
    pub(crate) now: Timestamp,
    pub(crate) uses: Vec<Use>,
}

/// The scenes, by what has happened in each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Story {
    Applied,
    Approved,
    Awaiting,
    Cancelled,
    /// The challenge ran out after one of two approvals.
    ChallengeRanOut,
    Executing,
    /// The approval ran out.
    Expired,
    Muted,
    Paused,
    Planned,
    Reconciled,
    Rejected,
    Resumed,
    Unknown,
    Withdrawn,
}

impl Story {
    pub(crate) const ALL: [Self; 15] = [
        Self::Applied,
        Self::Approved,
        Self::Awaiting,
        Self::Cancelled,
        Self::ChallengeRanOut,
        Self::Executing,
        Self::Expired,
        Self::Muted,
        Self::Paused,
        Self::Planned,
        Self::Reconciled,
        Self::Rejected,
        Self::Resumed,
        Self::Unknown,
        Self::Withdrawn,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Approved => "approved",
            Self::Awaiting => "awaiting",
            Self::Cancelled => "cancelled",
            Self::ChallengeRanOut => "challenge ran out",
            Self::Executing => "executing",
            Self::Expired => "expired",
            Self::Muted => "muted",
            Self::Paused => "paused",
            Self::Planned => "planned",
            Self::Reconciled => "reconciled",
            Self::Rejected => "rejected",
            Self::Resumed => "resumed",
            Self::Unknown => "unknown",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// The calls that are made, the one first that says most.
    fn uses(self) -> Vec<Use> {
        let mut uses = match self {
            Self::Applied => vec![Use::Execute, Use::ExecuteRepeated, Use::Challenge, Use::Reconcile],
            Self::Approved => {
                vec![
                    Use::Execute,
                    Use::ExecuteRepeated,
                    Use::Withdraw,
                    Use::Reject,
                    Use::Challenge,
                    Use::Cancel,
                    Use::Mute,
                ]
            }
            Self::Awaiting => {
                vec![Use::Approve, Use::Execute, Use::Reject, Use::Pending, Use::Challenge, Use::Cancel]
            }
            Self::Cancelled | Self::Expired | Self::Withdrawn => vec![Use::Execute, Use::Cancel, Use::Challenge],
            Self::ChallengeRanOut => vec![Use::Execute, Use::Challenge, Use::Cancel, Use::Plan],
            Self::Planned => vec![Use::Execute, Use::Challenge, Use::Cancel, Use::Plan, Use::Checkpoint],
            Self::Executing => vec![Use::Execute, Use::ExecuteAnother, Use::Cancel, Use::Recover, Use::Start],
            Self::Muted => vec![Use::Plan, Use::Mute],
            Self::Paused => vec![Use::Execute, Use::Resume, Use::Pause],
            Self::Reconciled | Self::Unknown => vec![Use::Execute, Use::Reconcile, Use::ExecuteAnother],
            Self::Rejected => vec![Use::Plan, Use::Execute, Use::Challenge],
            Self::Resumed => vec![Use::Execute, Use::Pause, Use::Resume],
        };
        uses.extend([Use::Status, Use::View, Use::Mine]);
        uses
    }
}

impl Scene {
    pub(crate) async fn of(story: Story) -> Self {
        let room = Room::with_policy(policy()).await;
        let mut stage = Stage { room, history: Vec::new() };
        let earlier = stage.plan("a").await;
        stage.approve(&earlier).await;
        stage.execute(&earlier, Outcome::Unknown).await;
        stage.room.clock.advance(Duration::from_secs(60));
        let plan = stage.plan("a").await;
        assert_eq!(plan.warnings.len(), 1, "the review lists the unresolved attempt");
        let another = match story {
            Story::Executing | Story::Reconciled | Story::Unknown => {
                let another = stage.plan("a").await;
                stage.approve(&another).await;
                Some(another)
            }
            _ => None,
        };
        stage.play(story, &plan).await;
        stage.remember();
        let Stage { room, history } = stage;
        let before = tables(&room).clone();
        let challenge = challenge_of(&before, &plan);
        let now = room.clock.now();
        let (live, whole) = (Mutex::default(), Tables::default());
        let mut scene = Self {
            name: story.name(),
            room,
            plan,
            earlier,
            another,
            challenge,
            whole,
            before,
            live,
            history,
            now,
            uses: story.uses(),
        };
        scene.begin_anew().await;
        let begun = scene.tables().clone();
        scene.whole = begun;
        assert!(scene.state_is(story));
        scene
    }

    /// Puts everything back to how it was.
    pub(crate) fn restore(&self) {
        *self.tables() = self.whole.clone();
        self.room.clock.set(self.now);
    }

    /// The process under attack.
    pub(crate) fn approvals(&self) -> Approvals {
        self.live.lock().unwrap().clone().expect("it has begun")
    }

    /// Another process, which begins as the one before did, to the byte: one that remembers what it wrote notices that it was
    /// taken back.
    pub(crate) async fn begin_anew(&self) {
        *self.tables() = self.before.clone();
        self.room.clock.set(self.now);
        let builder = ApprovalsBuilder::new(parts(&self.room)).clock(Arc::new(self.room.clock.clone()));
        let builder = builder.entropy(Arc::new(SeededEntropy::new(11))).signer(Arc::clone(&self.room.signer) as _);
        let builder = builder.separate_user();
        *self.live.lock().unwrap() = Some(builder.start().await.unwrap());
        let begun = self.tables().clone();
        assert!(self.whole == Tables::default() || self.whole == begun, "it begins in the same way");
    }

    pub(crate) fn tables(&self) -> std::sync::MutexGuard<'_, Tables> {
        tables(&self.room)
    }

    pub(crate) fn id(&self) -> PlanId {
        self.plan.header.plan_id
    }

    /// The plan's state, as it is stored.
    pub(crate) fn state(&self) -> Value {
        let row = &self.whole.rows[&RowKey::of_plan(RecordKind::PlanState, self.id())];
        serde_json::from_str(&Forger::new().open_text(row).unwrap()).unwrap()
    }

    fn state_is(&self, story: Story) -> bool {
        let expected = match story {
            Story::Applied => State::Applied,
            Story::Approved | Story::Paused | Story::Resumed => State::Approved,
            Story::Awaiting => State::AwaitingApproval,
            Story::Cancelled | Story::Withdrawn => State::Cancelled,
            Story::ChallengeRanOut | Story::Planned | Story::Muted => State::Planned,
            Story::Executing => State::Executing,
            Story::Expired => State::Expired,
            Story::Reconciled | Story::Unknown => State::Unknown,
            Story::Rejected => State::Rejected,
        };
        self.whole.plans[&self.id()].state == expected
    }
}

fn tables(room: &Room) -> std::sync::MutexGuard<'_, Tables> {
    // The guard borrows the store, which the room keeps.
    let memory: &MemoryStore = room.memory.as_ref().expect("the room is over the store in memory");
    memory.tables()
}

fn challenge_of(tables: &Tables, plan: &PlanView) -> Option<Challenge> {
    let mut challenges = tables
        .rows
        .values()
        .filter(|row| row.key.kind == RecordKind::Challenge && row.plan == Some(plan.header.plan_id));
    let row = challenges.next()?;
    assert!(challenges.next().is_none(), "one challenge of each plan");
    Some(serde_json::from_str(&Forger::new().open_text(row).unwrap()).unwrap())
}

/// What leads to a scene.
struct Stage {
    room: Room,
    history: Vec<Tables>,
}

impl Stage {
    fn remember(&mut self) {
        let stored = tables(&self.room).clone();
        self.history.push(stored);
    }

    async fn plan(&mut self, name: &str) -> PlanView {
        self.remember();
        self.room.approvals.plan(&Room::alice(), call(name), &Workshop).await.unwrap()
    }

    async fn decide(&mut self, plan: &PlanView, who: &str, verdict: Verdict) {
        self.remember();
        decide(&self.room, plan, who, verdict).await.unwrap();
    }

    async fn approve(&mut self, plan: &PlanView) {
        self.decide(plan, "bob", Verdict::Approve).await;
        self.decide(plan, "carol", Verdict::Approve).await;
    }

    async fn execute(&mut self, plan: &PlanView, outcome: Outcome) {
        self.remember();
        let target = FakeTarget::new();
        target.report(outcome);
        let id = plan.header.plan_id.to_string();
        let done = self.room.approvals.execute(&Room::alice(), &id, None, &Workshop, &target).await.unwrap();
        assert_eq!((done.execution.outcome, done.replayed), (outcome, false));
    }

    async fn play(&mut self, story: Story, plan: &PlanView) {
        match story {
            Story::Planned => {
                // Two: an older one can be put back.
                for _ in 0..2 {
                    self.remember();
                    self.room.approvals.checkpoint().await.unwrap().expect("something to sign");
                    self.room.approvals.note_account_change("dave", "op").await.unwrap();
                }
            }
            Story::Awaiting => self.decide(plan, "bob", Verdict::Approve).await,
            Story::ChallengeRanOut => {
                self.decide(plan, "bob", Verdict::Approve).await;
                self.remember();
                self.room.clock.advance(Duration::from_secs(900));
                let id = plan.header.plan_id.to_string();
                self.room.approvals.status(&Room::alice(), &id, Duration::ZERO).await.unwrap();
            }
            Story::Approved => self.approve(plan).await,
            Story::Applied => {
                self.approve(plan).await;
                self.execute(plan, Outcome::Applied).await;
            }
            Story::Unknown => {
                self.approve(plan).await;
                self.execute(plan, Outcome::Unknown).await;
            }
            Story::Reconciled => {
                self.approve(plan).await;
                self.execute(plan, Outcome::Unknown).await;
                self.remember();
                self.room.approvals.reconcile(plan.header.plan_id, Reconciled::NotApplied, "op").await.unwrap();
            }
            Story::Executing => {
                self.approve(plan).await;
                self.remember();
                begin(&self.room, plan).await;
            }
            Story::Paused => {
                self.approve(plan).await;
                self.remember();
                self.room.approvals.pause("op").await.unwrap();
            }
            Story::Resumed => {
                self.approve(plan).await;
                self.remember();
                self.room.approvals.pause("op").await.unwrap();
                self.remember();
                self.room.approvals.resume("op").await.unwrap();
            }
            Story::Rejected => {
                self.approve(plan).await;
                self.decide(plan, "carol", Verdict::Reject).await;
            }
            Story::Withdrawn => {
                self.approve(plan).await;
                self.decide(plan, "carol", Verdict::Withdraw).await;
            }
            Story::Cancelled => {
                self.approve(plan).await;
                self.remember();
                self.room.approvals.cancel(&Room::alice(), &plan.header.plan_id.to_string()).await.unwrap();
            }
            Story::Expired => {
                self.approve(plan).await;
                self.remember();
                self.room.clock.advance(Duration::from_secs(800));
                let id = plan.header.plan_id.to_string();
                self.room.approvals.status(&Room::alice(), &id, Duration::ZERO).await.unwrap();
            }
            Story::Muted => {
                // Twice: an older one has ended.
                let alice = Person::from("alice");
                for _ in 0..2 {
                    self.remember();
                    self.room.clock.advance(Duration::from_secs(61));
                    self.room.approvals.mute(&alice, Duration::from_secs(60), "carol").await.unwrap();
                }
            }
        }
    }
}

/// Another process begins to execute the plan, and is never heard of again.
async fn begin(room: &Room, plan: &PlanView) {
    let builder = ApprovalsBuilder::new(parts(room)).clock(Arc::new(room.clock.clone())).separate_user();
    let other = builder.start().await.unwrap();
    let hanging = Hanging(Notify::new());
    let alice: Requester = Room::alice();
    let id = plan.header.plan_id.to_string();
    tokio::select! {
        _ = other.execute(&alice, &id, None, &Workshop, &hanging) => unreachable!("it hangs"),
        () = hanging.0.notified() => {}
    }
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

/// What comes of the same in every story, all stories at once.
pub(crate) async fn in_all_stories<F>(tell: impl Fn(Story) -> F) -> Tally
where
    F: Future<Output = Tally> + Send + 'static,
{
    let mut stories = tokio::task::JoinSet::new();
    for story in Story::ALL {
        stories.spawn(tell(story));
    }
    let mut tally = Tally::default();
    while let Some(told) = stories.join_next().await {
        tally.add(told.expect("a story that ends"));
    }
    tally
}

/// A test for each story, for the full tier.
macro_rules! in_full {
    ($tell:expr, $title:literal) => {
        mod in_full {
            use super::*;

            $crate::scene::in_full! { $tell, $title;
                applied: Applied, approved: Approved, awaiting: Awaiting, cancelled: Cancelled,
                challenge_ran_out: ChallengeRanOut, executing: Executing, expired: Expired, muted: Muted,
                paused: Paused, planned: Planned, reconciled: Reconciled, rejected: Rejected, resumed: Resumed,
                unknown: Unknown, withdrawn: Withdrawn
            }
        }
    };
    ($tell:expr, $title:literal; $($name:ident: $story:ident),*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            #[ignore = "takes long: every call that is made in this state"]
            async fn $name() {
                let tell = $tell;
                tokio::spawn(tell(Story::$story)).await.unwrap().close(concat!($title, ": ", stringify!($name)), |_| 0);
            }
        )*
    };
}
pub(crate) use in_full;
