//! Older and consistent copies, and plans that are gone: seals do not tell, an anchor does.
//!
//! Each case is played twice: without an anchor the plan runs once more, which shows that nothing else would have found it; with
//! one it doesn't.

use std::sync::Arc;
use std::time::Duration;

use approval_core::anchor::{Anchor, FileAnchor, NoAnchor};
use approval_core::record::{Outcome, State, Verdict};
use approval_core::{Approvals, ApprovalsBuilder, ExecutionView, OsEntropy, PlanId, PlanView, Reason, Refusal};
use approval_testkit::ill_formed::AUDIENCE;
use approval_testkit::{FakeTarget, MemoryAnchor, Room, Tables};

use crate::tally::Tally;
use crate::workshop::{Workshop, call, decision, parts, policy};

/// How the plan came to its end, before the store was put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Executed(Outcome),
    Rejected,
    Withdrawn,
}

const ENDS: [End; 6] = [
    End::Executed(Outcome::Applied),
    End::Executed(Outcome::Failed),
    End::Executed(Outcome::Partial),
    End::Executed(Outcome::Unknown),
    End::Rejected,
    End::Withdrawn,
];

/// What is put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    /// All that belongs to the plan, and nothing else.
    Plan,
    /// The whole store.
    Store,
}

/// A plan's life, and what was stored before each step of it.
struct Life {
    room: Room,
    anchor: Arc<dyn Anchor>,
    target: FakeTarget,
    plan: PlanView,
    /// Another one on the same effect keys, approved before the first one ended.
    other: PlanView,
    history: Vec<Tables>,
}

impl Life {
    async fn until(end: End, anchor: Arc<dyn Anchor>) -> Self {
        let room = Room::with_policy(policy()).await;
        let service = process(&room, &anchor).await;
        let mut history = Vec::new();
        let mut remember = || history.push(room.memory.as_ref().unwrap().tables().clone());
        let other = service.plan(&Room::alice(), call("a"), &Workshop).await.unwrap();
        approve(&service, &room, &other).await.unwrap();
        remember();
        let plan = service.plan(&Room::alice(), call("a"), &Workshop).await.unwrap();
        remember();
        decide(&service, &room, &plan, "bob", Verdict::Approve).await.unwrap();
        remember();
        decide(&service, &room, &plan, "carol", Verdict::Approve).await.unwrap();
        remember();
        let target = FakeTarget::new();
        match end {
            End::Executed(outcome) => {
                target.report(outcome);
                assert_eq!(execute(&service, &plan, &target).await.unwrap().execution.outcome, outcome);
            }
            End::Rejected => decide(&service, &room, &plan, "bob", Verdict::Reject).await.unwrap(),
            End::Withdrawn => decide(&service, &room, &plan, "bob", Verdict::Withdraw).await.unwrap(),
        }
        Self { room, anchor, target: FakeTarget::new(), plan, other, history }
    }

    /// Puts back what was stored before a step, and begins a process that knows nothing of what came after.
    async fn put_back(&self, step: usize, extent: Extent) -> Approvals {
        {
            let mut tables = self.room.memory.as_ref().unwrap().tables();
            let then = &self.history[step];
            match extent {
                Extent::Store => tables.clone_from(then),
                Extent::Plan => put_plan_back(&mut tables, then, self.plan.header.plan_id),
            }
        }
        process(&self.room, &self.anchor).await
    }
}

fn put_plan_back(tables: &mut Tables, then: &Tables, plan: PlanId) {
    tables.rows.retain(|_, row| row.plan != Some(plan));
    let rows = then.rows.iter().filter(|(_, row)| row.plan == Some(plan));
    tables.rows.extend(rows.map(|(key, row)| (key.clone(), row.clone())));
    tables.plans.remove(&plan);
    tables.plans.extend(then.plans.get(&plan).map(|entry| (plan, entry.clone())));
    tables.events.retain(|event| event.plan != Some(plan) || then.events.contains(event));
    tables.attempts.retain(|(_, attempted)| *attempted != plan);
}

async fn process(room: &Room, anchor: &Arc<dyn Anchor>) -> Approvals {
    let builder = ApprovalsBuilder::new(parts(room)).clock(Arc::new(room.clock.clone())).separate_user();
    builder.anchor(Arc::clone(anchor)).start().await.unwrap()
}

async fn decide(service: &Approvals, room: &Room, plan: &PlanView, who: &str, verdict: Verdict) -> Result<(), Refusal> {
    let challenge = service.challenge(&Room::alice(), &plan.header.plan_id.to_string(), None).await?.challenge;
    room.clock.advance(Duration::from_secs(1));
    service.decide(decision(room, plan, &challenge, who, verdict)).await.map(drop)
}

/// Both approve, unless they have already.
async fn approve(service: &Approvals, room: &Room, plan: &PlanView) -> Result<(), Refusal> {
    for who in ["bob", "carol"] {
        let status = service.status(&Room::alice(), &plan.header.plan_id.to_string(), Duration::ZERO).await?;
        if status.state == State::Approved {
            break;
        }
        match decide(service, room, plan, who, Verdict::Approve).await {
            Err(refusal) if refusal.reason() != Reason::ApprovalPending => return Err(refusal),
            _ => {}
        }
    }
    Ok(())
}

async fn execute(service: &Approvals, plan: &PlanView, target: &FakeTarget) -> Result<ExecutionView, Refusal> {
    service.execute(&Room::alice(), &plan.header.plan_id.to_string(), None, &Workshop, target).await
}

/// Approves what isn't approved (any more), and executes: what comes of it, and what happens to the target.
async fn run_again(life: &Life, service: &Approvals) -> (Result<Outcome, Reason>, u32) {
    let again = match approve(service, &life.room, &life.plan).await {
        Ok(()) => execute(service, &life.plan, &life.target).await,
        Err(refusal) => Err(refusal),
    };
    let again = again.map(|view| view.execution.outcome).map_err(|refusal| refusal.reason());
    (again, life.target.effects())
}

/// What an anchor makes of a plan that the store shows as it was before this step.
fn anchored(end: End, step: usize) -> Result<Outcome, Reason> {
    match (end, step) {
        // The plan is not there yet.
        (_, 0) => Err(Reason::PlanNotFound),
        // The claim finds out. [ANCHOR-005]
        (End::Executed(_), 3) => Ok(Outcome::Unknown),
        // Nobody can decide on it. [ANCHOR-008]
        (End::Executed(_), _) => Err(Reason::OutcomeUnknown),
        (End::Rejected, _) => Err(Reason::ApprovalRejected),
        (End::Withdrawn, _) => Err(Reason::ApprovalWithdrawn),
    }
}

async fn played(anchor: &dyn Fn() -> Arc<dyn Anchor>, name: &'static str, tally: &mut Tally) {
    let keeps = name != "none";
    for end in ENDS {
        for step in 0..4 {
            for extent in [Extent::Plan, Extent::Store] {
                let what = format!("{end:?} put back to step {step}, {extent:?}, anchor: {name}");
                let life = Life::until(end, anchor()).await;
                let service = life.put_back(step, extent).await;
                let seen = run_again(&life, &service).await;
                let expected = match (keeps, step) {
                    (true, _) => (anchored(end, step), 0),
                    (false, 0) => (Err(Reason::PlanNotFound), 0),
                    // The control: without an anchor it runs (again), though it ended.
                    (false, _) => (Ok(Outcome::Applied), 2),
                };
                assert_eq!(seen, expected, "{what}");

                // What the plan did, or may have done, stands in the way of others on its effect keys. [ANCHOR-002]
                let life = Life::until(end, anchor()).await;
                let service = life.put_back(step, extent).await;
                let other = execute(&service, &life.other, &life.target).await;
                let other = other.map(|view| view.execution.outcome).map_err(|refusal| refusal.reason());
                let expected = match (keeps, end) {
                    (true, End::Executed(_)) => (Err(Reason::OutcomeUnknown), 0),
                    _ => (Ok(Outcome::Applied), 2),
                };
                assert_eq!((other, life.target.effects()), expected, "another plan: {what}");
                tally.count(name, if extent == Extent::Plan { "plan" } else { "store" });
            }
        }
        // Untouched, the end stands, whoever asks.
        let life = Life::until(end, anchor()).await;
        let service = process(&life.room, &life.anchor).await;
        let expected = match end {
            End::Executed(outcome) => Ok(outcome),
            End::Rejected => Err(Reason::ApprovalRejected),
            End::Withdrawn => Err(Reason::ApprovalWithdrawn),
        };
        let again = execute(&service, &life.plan, &life.target).await;
        let again = again.map(|view| view.execution.outcome).map_err(|refusal| refusal.reason());
        assert_eq!((again, life.target.effects()), (expected, 0), "{end:?}, untouched");
        tally.count(name, "untouched");
    }
}

#[tokio::test]
async fn what_only_an_anchor_finds_the_anchor_finds() {
    // [ANCHOR-001, ANCHOR-002, ANCHOR-003, ANCHOR-005, ANCHOR-008]
    let mut tally = Tally::default();
    played(&|| Arc::new(NoAnchor), "none", &mut tally).await;
    played(&|| Arc::new(MemoryAnchor::default()), "memory", &mut tally).await;
    let directory = tempfile::tempdir().unwrap();
    let count = std::sync::atomic::AtomicU32::new(0);
    let file = || -> Arc<dyn Anchor> {
        let number = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = directory.path().join(format!("anchor-{number}.jsonl"));
        Arc::new(FileAnchor::new(path, AUDIENCE.into(), Arc::new(OsEntropy)).unwrap())
    };
    played(&file, "file", &mut tally).await;
    tally.close("put back, by anchor", |_| 0);
}

#[tokio::test]
async fn an_attempt_hidden_from_the_look_up_is_found_by_the_anchor() {
    // [ANCHOR-002]
    type Hide = fn(&mut Tables, PlanId);
    let ways: [(&str, Hide); 3] = [
        ("its links", |tables, plan| tables.attempts.retain(|(_, attempted)| *attempted != plan)),
        ("its entry", |tables, plan| drop(tables.plans.remove(&plan))),
        ("all of it", |tables, plan| put_plan_back(tables, &Tables::default(), plan)),
    ];
    for (what, hide) in ways {
        for keeps in [false, true] {
            let anchor: Arc<dyn Anchor> = if keeps { Arc::new(MemoryAnchor::default()) } else { Arc::new(NoAnchor) };
            let life = Life::until(End::Executed(Outcome::Unknown), anchor).await;
            hide(&mut life.room.memory.as_ref().unwrap().tables(), life.plan.header.plan_id);
            let service = process(&life.room, &life.anchor).await;
            let other = execute(&service, &life.other, &life.target).await;
            let other = other.map(|view| view.execution.outcome).map_err(|refusal| refusal.reason());
            let expected = if keeps { (Err(Reason::OutcomeUnknown), 0) } else { (Ok(Outcome::Applied), 2) };
            assert_eq!((other, life.target.effects()), expected, "{what}, anchor: {keeps}");
        }
    }
}
