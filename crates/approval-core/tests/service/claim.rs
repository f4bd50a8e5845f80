//! The claim, the lease, the deadline and the outcome.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use approval_core::record::{Outcome, Reconciled, RecordKind, RequesterAssurance, Rule, State, StepOutcome, Verdict};
use approval_core::{
    Approvals, Clock as _, DeadlinePassed, ExecutionPermit, ExecutionView, PlanView, Policy, Reason, Refusal, Report,
    Terms,
};
use approval_testkit::{FakeTarget, Room, StillTimer};
use serde_json::json;
use tokio::sync::oneshot;

use crate::support::{
    Agreeable, Bell, Doing, Forge, Held, Interposed, always, applied, approved, decision, id, key_of, kinds, parts,
    refused, reporting, run, seconds, start_over, state,
};

fn policy() -> Policy {
    Policy::always(Terms::same_subject())
}

/// A service whose leases nobody renews.
async fn unrenewed(room: &Room) -> Approvals {
    let mut parts = parts(room, Arc::clone(&room.store), policy());
    parts.timer = Arc::new(StillTimer);
    let builder = approval_core::ApprovalsBuilder::new(parts).clock(Arc::new(room.clock.clone()));
    builder.separate_user().start().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_sixty_four_who_execute_at_once_one_does() {
    // [STATE-004, STATE-003, STORE-004]
    let mut room = Room::new().await;
    let plan = approved(&room).await;
    let target = Arc::new(std::mem::replace(&mut room.target, FakeTarget::new()));
    let others = [room.another(policy()).await, room.another(policy()).await];
    let tasks: Vec<_> = (0..64)
        .map(|n| {
            let approvals = if n % 2 == 0 { room.approvals.clone() } else { others[n / 2 % 2].clone() };
            let (target, plan) = (Arc::clone(&target), id(&plan));
            tokio::spawn(async move {
                approvals.execute(&Room::alice(), &plan, None, target.as_ref(), target.as_ref()).await
            })
        })
        .collect();
    let mut first = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(done) => {
                assert_eq!(done.execution.outcome, Outcome::Applied);
                first += u32::from(!done.replayed);
            }
            // Who looked before the claim and came after it finds the effect: it is the attempt's. [GATE-008]
            Err(refusal) => assert_eq!(refusal.reason(), Reason::ExecutionInProgress, "{refusal}"),
        }
    }
    assert_eq!(first, 1);
    assert_eq!(target.effects(), 1);
    assert_eq!(state(&room, &plan).await, State::Applied);
    let told = kinds(&room, &plan).await;
    assert_eq!(told.iter().filter(|kind| *kind == "execution.claimed").count(), 1);
}

#[tokio::test]
async fn what_may_have_changed_is_asked_again_in_the_transaction() {
    // [GATE-110]
    type Happening = fn(Room, PlanView, Held2) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;
    struct Held2(PlanView);
    let cases: [(Happening, Reason); 6] = [
        (|room, _, _| Box::pin(async move { room.approvals.pause("op").await.unwrap() }), Reason::Paused),
        (
            |room, plan, _| {
                Box::pin(async move {
                    room.approvals.cancel(&Room::alice(), &id(&plan)).await.unwrap();
                })
            },
            Reason::PlanCancelled,
        ),
        (
            |room, plan, _| {
                Box::pin(async move {
                    room.decide(&plan, "alice", Verdict::Withdraw).await.unwrap();
                })
            },
            Reason::ApprovalWithdrawn,
        ),
        (|room, _, _| Box::pin(async move { room.clock.advance(seconds(900)) }), Reason::ApprovalExpired),
        (|room, _, _| Box::pin(async move { room.clock.advance(seconds(3600)) }), Reason::PlanExpired),
        (
            |room, _, Held2(rival)| {
                Box::pin(async move {
                    run(&room, &rival, &reporting(Outcome::Unknown)).await.unwrap();
                })
            },
            Reason::OutcomeUnknown,
        ),
    ];
    for (happening, reason) in cases {
        let room = Room::new().await;
        let plan = approved(&room).await;
        let rival = room.plan("a", json!(2)).await.unwrap();
        room.decide(&rival, "alice", Verdict::Approve).await.unwrap();
        let target = FakeTarget::new();
        let store = Arc::new(Interposed::around(room.memory.clone().unwrap()));
        let approvals = start_over(&room, Arc::clone(&store) as _, policy(), |it| it).await;
        let handle = id(&plan);
        store.before("claim", happening(room, plan, Held2(rival)));
        let executed = approvals.execute(&Room::alice(), &handle, None, &target, &target).await;
        let refusal = executed.expect_err("the claim must be refused");
        assert_eq!(refusal.reason(), reason, "{refusal}");
        assert_eq!(target.effects(), 0);
    }
}

#[tokio::test]
async fn who_comes_second_to_the_claim_gets_the_outcome_of_the_first() {
    // [GATE-050, GATE-110]
    let room = Room::new().await;
    let plan = approved(&room).await;
    let handle = id(&plan);
    let store = Arc::new(Interposed::around(room.memory.clone().unwrap()));
    let approvals = start_over(&room, Arc::clone(&store) as _, policy(), |it| it).await;
    let (target, settled) = (FakeTarget::new(), Arc::new(std::sync::Mutex::new(None)));
    let first = Arc::clone(&settled);
    store.before("claim", async move {
        let done = run(&room, &plan, &reporting(Outcome::Applied)).await.unwrap();
        *first.lock().unwrap() = Some(done.execution);
    });
    let done = approvals.execute(&Room::alice(), &handle, None, &target, &target).await.unwrap();
    assert!(done.replayed);
    assert_eq!(Some(done.execution), *settled.lock().unwrap());
    assert_eq!(target.effects(), 0);
}

/// Executes a plan, finds that the target was changed, and is overtaken before it can record that.
async fn overtaken(
    room: &Room,
    plan: &PlanView,
    happening: impl Future<Output = ()> + Send + 'static,
) -> Result<ExecutionView, Refusal> {
    let store = Arc::new(Interposed::around(room.memory.clone().unwrap()));
    let approvals = start_over(room, Arc::clone(&store) as _, policy(), |it| it).await;
    let target = FakeTarget::new();
    target.meddle("a", json!("another's"));
    store.before("refuse", happening);
    let answer = approvals.execute(&Room::alice(), &id(plan), None, &target, &target).await;
    assert_eq!(target.effects(), 0);
    answer
}

#[tokio::test]
async fn a_change_that_another_call_made_is_answered_with_its_outcome() {
    // [GATE-008, INV-008]
    for outcome in [Outcome::Applied, Outcome::Failed, Outcome::Partial, Outcome::Unknown] {
        let room = Arc::new(Room::new().await);
        let plan = approved(&room).await;
        let (first, twin) = (Arc::clone(&room), plan.clone());
        let done = overtaken(&room, &plan, async move {
            run(&first, &twin, &reporting(outcome)).await.unwrap();
        });
        let done = done.await.unwrap();
        assert!(done.replayed);
        assert_eq!(done.execution.outcome, outcome);
        let told = kinds(&room, &plan).await;
        assert!(!told.iter().any(|kind| kind == "plan.stale" || kind == "execution.refused"), "{told:?}");
    }
}

#[tokio::test]
async fn a_change_beside_a_running_attempt_ends_nothing() {
    // [GATE-008, GATE-051]
    let room = Arc::new(Room::new().await);
    let plan = approved(&room).await;
    let (first, twin, begun) = (Arc::clone(&room), plan.clone(), Arc::new(std::sync::Mutex::new(None)));
    let running = Arc::clone(&begun);
    let answer = overtaken(&room, &plan, async move {
        let held = Held::begin(&first, policy(), &twin).await;
        *running.lock().unwrap() = Some(held);
    });
    assert_eq!(answer.await.unwrap_err().reason(), Reason::ExecutionInProgress);
    let held = begun.lock().unwrap().take().unwrap();
    assert_eq!(held.release(Outcome::Applied).await.unwrap().execution.outcome, Outcome::Applied);
    assert_eq!(state(&room, &plan).await, State::Applied);
}

#[tokio::test]
async fn a_change_of_a_plan_that_has_ended_meanwhile_is_answered_with_its_end() {
    // [GATE-008, GATE-005]: the control, overtaken by nothing, ends the plan itself.
    let room = Arc::new(Room::new().await);
    let plan = approved(&room).await;
    let answer = overtaken(&room, &plan, std::future::ready(()));
    assert_eq!(answer.await.unwrap_err().reason(), Reason::PreconditionFailed);
    assert_eq!(state(&room, &plan).await, State::Stale);

    let plan = approved(&room).await;
    let (person, rejected) = (Arc::clone(&room), plan.clone());
    let answer = overtaken(&room, &plan, async move {
        person.decide(&rejected, "alice", Verdict::Reject).await.unwrap();
    });
    assert_eq!(answer.await.unwrap_err().reason(), Reason::ApprovalRejected);
    assert_eq!(state(&room, &plan).await, State::Rejected);
}

#[tokio::test]
async fn a_store_that_fails_to_claim_uses_nothing_up() {
    // [GATE-006, GATE-112]
    let room = Room::new().await;
    let plan = approved(&room).await;
    let store = Arc::new(Interposed::around(room.memory.clone().unwrap()));
    let approvals = start_over(&room, Arc::clone(&store) as _, policy(), |it| it).await;
    store.fail(Some("claim"));
    let executed = approvals.execute(&Room::alice(), &id(&plan), None, &room.target, &room.target).await;
    assert_eq!(executed.unwrap_err().reason(), Reason::StoreUnavailable);
    assert_eq!(room.target.effects(), 0);
    store.fail(None);
    applied(&room, &plan).await;
}

#[tokio::test]
async fn what_ends_a_plan_is_not_forgotten() {
    // [GATE-005]: where the end can't be recorded, the answer says so, and the next look finds it again.
    let room = Room::new().await;
    let plan = approved(&room).await;
    let store = Arc::new(Interposed::around(room.memory.clone().unwrap()));
    let approvals = start_over(&room, Arc::clone(&store) as _, policy(), |it| it).await;
    store.fail(Some("refuse"));
    room.target.redefine();
    let execute = async || {
        let executed = approvals.execute(&Room::alice(), &id(&plan), None, &room.target, &room.target).await;
        executed.unwrap_err().reason()
    };
    assert_eq!(execute().await, Reason::StoreUnavailable);
    store.fail(None);
    assert_eq!(execute().await, Reason::ToolChanged);
    assert_eq!(execute().await, Reason::PlanStale);
}

#[tokio::test]
async fn a_refusal_that_ends_nothing_stands_without_its_record() {
    // [AUDIT-005]
    let room = Room::new().await;
    let plan = room.plan("a", json!(1)).await.unwrap();
    let store = Arc::new(Interposed::around(room.memory.clone().unwrap()));
    let approvals = start_over(&room, Arc::clone(&store) as _, policy(), |it| it).await;
    store.fail(Some("refuse"));
    let executed = approvals.execute(&Room::alice(), &id(&plan), None, &room.target, &room.target).await;
    assert_eq!(executed.unwrap_err().reason(), Reason::ApprovalRequired);
}

#[tokio::test]
async fn an_executor_that_panics_leaves_an_unknown_outcome() {
    // [EXEC-004]
    let room = Room::new().await;
    let plan = approved(&room).await;
    room.target.panic();
    let done = room.execute(&plan).await.unwrap();
    assert_eq!(done.execution.outcome, Outcome::Unknown);
    assert_eq!(state(&room, &plan).await, State::Unknown);
    assert!(room.execute(&plan).await.unwrap().replayed);
    assert_eq!(room.target.effects(), 1);
}

#[tokio::test]
async fn no_step_starts_after_the_deadline() {
    // [EXEC-002]
    let room = Room::new().await;
    let plan = approved(&room).await;
    let clock = room.clock.clone();
    let slow = Doing(move |permit: ExecutionPermit| {
        let clock = clock.clone();
        async move {
            assert!(permit.start(0).unwrap().is_some());
            assert!(permit.start(1).unwrap().is_none(), "there is one step");
            let begun = clock.now();
            clock.advance(Duration::from_secs(300) - Duration::from_millis(1));
            assert!(permit.start(0).is_ok());
            clock.advance(Duration::from_millis(1));
            let passed = permit.start(0).unwrap_err();
            assert_eq!(passed, DeadlinePassed { deadline: begun.after(Duration::from_secs(300)) });
            assert_eq!(
                passed.to_string(),
                "the deadline 2026-01-01T00:05:01.000Z has passed: no further step may start"
            );
            Report::of(Outcome::Partial)
        }
    });
    let done = run(&room, &plan, &slow).await.unwrap();
    assert_eq!(done.execution.outcome, Outcome::Partial);
}

#[tokio::test]
async fn the_lease_is_renewed_while_the_executor_runs() {
    // [STATE-020]
    let room = Room::new().await;
    let plan = approved(&room).await;
    let (clock, approvals, plan_id) = (room.clock.clone(), room.approvals.clone(), id(&plan));
    let slow = Doing(move |permit: ExecutionPermit| {
        let (clock, approvals, plan_id) = (clock.clone(), approvals.clone(), plan_id.clone());
        async move {
            let until = clock.now().after(Duration::from_secs(120));
            while clock.now() < until {
                // Whoever looks finds it alive, though the first lease has long passed.
                let status = approvals.status(&Room::alice(), &plan_id, Duration::ZERO).await.unwrap();
                assert_eq!(status.state, State::Executing);
                tokio::task::yield_now().await;
            }
            drop(permit);
            Report::of(Outcome::Applied)
        }
    });
    let done = run(&room, &plan, &slow).await.unwrap();
    assert_eq!(done.execution.outcome, Outcome::Applied);
    let told = kinds(&room, &plan).await;
    assert_eq!(told[told.len() - 2..], ["execution.claimed", "execution.applied"], "a renewal is no event");
}

#[tokio::test]
async fn a_lease_that_passed_is_unknown_and_never_tried_again() {
    // [STATE-022, GATE-051]
    for by_recovery in [true, false] {
        let room = Room::new().await;
        let (plan, alive) = (approved(&room).await, room.plan("b", json!(1)).await.unwrap());
        room.decide(&alive, "alice", Verdict::Approve).await.unwrap();
        let held = Held::begin(&room, policy(), &plan).await;
        room.clock.advance(seconds(20));
        let living = Held::begin(&room, policy(), &alive).await;
        assert_eq!(room.approvals.recover().await.unwrap(), 0, "both are alive");
        refused(&room, &plan, Reason::ExecutionInProgress).await;
        room.clock.advance(seconds(10));
        if by_recovery {
            assert_eq!(room.approvals.recover().await.unwrap(), 1, "one is");
        }
        let found = room.execute(&plan).await.unwrap();
        assert!(found.replayed);
        assert_eq!(found.execution.outcome, Outcome::Unknown);
        assert_eq!(state(&room, &alive).await, State::Executing);
        assert_eq!(kinds(&room, &plan).await.last().unwrap(), "execution.unknown");
        assert_eq!(room.target.effects(), 0);
        drop((held, living));
    }
}

#[tokio::test]
async fn recovery_at_the_start() {
    // [STATE-022]
    let room = Room::new().await;
    let plan = approved(&room).await;
    let held = Held::begin(&room, policy(), &plan).await;
    room.clock.advance(seconds(30));
    room.another(policy()).await;
    assert_eq!(kinds(&room, &plan).await.last().unwrap(), "execution.unknown");
    drop(held);
}

#[tokio::test]
async fn a_late_outcome_is_taken_until_the_attempt_was_resolved() {
    // [STATE-021, STATE-022, STATE-031]
    for (resolved, late) in [(false, Outcome::Applied), (false, Outcome::Failed), (true, Outcome::Applied)] {
        let room = Room::new().await;
        let plan = approved(&room).await;
        let held = Held::begin(&room, policy(), &plan).await;
        room.clock.advance(seconds(30));
        assert_eq!(room.approvals.recover().await.unwrap(), 1);
        if resolved {
            room.approvals.reconcile(plan.header.plan_id, Reconciled::NotApplied, "op").await.unwrap();
        }
        let done = held.release(late).await.unwrap();
        let (outcome, told) = match resolved {
            true => (Outcome::Unknown, "execution.conflict"),
            false => (late, "execution.settled_late"),
        };
        assert_eq!(done.execution.outcome, outcome);
        // Who claimed it is known to nobody but the process that did.
        let assurance = match resolved {
            true => RequesterAssurance::Environment,
            false => RequesterAssurance::VerifiedToken,
        };
        assert_eq!(done.execution.enforcement.requester_assurance, assurance);
        assert_eq!(room.execute(&plan).await.unwrap().execution.outcome, outcome);
        assert_eq!(kinds(&room, &plan).await.last().unwrap(), told);
        let row = Forge::new(&room).row(&key_of(RecordKind::Execution, plan.header.plan_id));
        assert_eq!(row.revision, u64::from(!resolved), "how often it was recorded before");
    }
}

#[tokio::test]
async fn an_outcome_in_time() {
    // [STATE-021, REC-030, REC-031]: the control of the late one.
    let room = Room::new().await;
    let plan = approved(&room).await;
    let held = Held::begin(&room, policy(), &plan).await;
    room.clock.advance(seconds(29));
    let done = held.release(Outcome::Applied).await.unwrap();
    assert_eq!(done.execution.plan_digest, plan.plan_digest);
    assert_eq!(kinds(&room, &plan).await.last().unwrap(), "execution.applied");
}

#[tokio::test]
async fn every_outcome_is_recorded_and_replayed() {
    // [GATE-050, EXEC-003]
    for outcome in [Outcome::Applied, Outcome::Failed, Outcome::Partial, Outcome::Unknown] {
        let room = Room::new().await;
        let plan = approved(&room).await;
        room.target.report(outcome);
        let effects = u32::from(outcome != Outcome::Failed);
        let done = room.execute(&plan).await.unwrap();
        assert_eq!((done.execution.outcome, done.replayed), (outcome, false));
        assert_eq!(room.target.effects(), effects);
        assert_eq!(state(&room, &plan).await.outcome(), Some(outcome));
        room.clock.advance(seconds(7200));
        let again = room.execute(&plan).await.unwrap();
        assert!(again.replayed);
        assert_eq!((again.execution, again.tool_result), (done.execution.clone(), done.tool_result));
        assert_eq!(room.target.effects(), effects);
        let step = match outcome {
            Outcome::Applied => StepOutcome::Applied,
            Outcome::Failed => StepOutcome::Failed,
            Outcome::Partial | Outcome::Unknown => StepOutcome::Unknown,
        };
        assert_eq!(done.execution.steps[0].outcome, step);
    }
}

#[tokio::test]
async fn a_lease_that_has_passed_is_not_renewed() {
    // [STATE-020]: others count the attempt as lost from then on. The control is renewed a second before.
    for (passes, lost) in [(29, 0), (30, 1)] {
        let room = Room::new().await;
        let (plan, bell) = (approved(&room).await, Arc::new(tokio::sync::Notify::new()));
        let mut parts = parts(&room, Arc::clone(&room.store), policy());
        parts.timer = Arc::new(Bell(Arc::clone(&bell)));
        let builder = approval_core::ApprovalsBuilder::new(parts).clock(Arc::new(room.clock.clone()));
        let approvals = builder.separate_user().start().await.unwrap();
        let never = Doing(async |_: ExecutionPermit| std::future::pending::<Report>().await);
        let (plan_id, alice) = (id(&plan), Room::alice());
        let mut call = Box::pin(approvals.execute(&alice, &plan_id, None, &Agreeable, &never));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(call.as_mut().poll(&mut context).is_pending());
        room.clock.advance(seconds(passes));
        bell.notify_one();
        assert!(call.as_mut().poll(&mut context).is_pending());
        room.clock.advance(seconds(1));
        assert_eq!(room.approvals.recover().await.unwrap(), lost, "after {passes} seconds");
    }
}

#[tokio::test]
async fn an_attempt_that_nobody_drives_any_more() {
    // [GATE-111, STATE-022]: a dropped call is not undone.
    let room = Room::new().await;
    let plan = approved(&room).await;
    let approvals = unrenewed(&room).await;
    let never = Doing(async |permit: ExecutionPermit| {
        let _permit = permit;
        std::future::pending::<Report>().await
    });
    let plan_id = id(&plan);
    let alice = Room::alice();
    let mut call = Box::pin(approvals.execute(&alice, &plan_id, None, &Agreeable, &never));
    assert!(std::future::poll_fn(|context| std::task::Poll::Ready(call.as_mut().poll(context).is_pending())).await);
    drop(call);
    refused(&room, &plan, Reason::ExecutionInProgress).await;
    room.clock.advance(seconds(30));
    assert_eq!(room.execute(&plan).await.unwrap().execution.outcome, Outcome::Unknown);
    assert_eq!(room.target.effects(), 0);
}

#[tokio::test]
async fn the_end_of_a_process_waits_for_its_attempts() {
    // [GATE-111]
    let room = Room::new().await;
    let plan = approved(&room).await;
    let approvals = unrenewed(&room).await;
    approvals.close().await;
    let (release, released) = oneshot::channel();
    let released = Mutex::new(Some(released));
    let executor = Doing(|permit: ExecutionPermit| {
        let released = released.lock().unwrap().take().expect("it is executed once");
        async move {
            let outcome = released.await.unwrap();
            drop(permit);
            Report::of(outcome)
        }
    });
    let (plan_id, alice) = (id(&plan), Room::alice());
    let mut call = Box::pin(approvals.execute(&alice, &plan_id, None, &Agreeable, &executor));
    assert!(std::future::poll_fn(|context| std::task::Poll::Ready(call.as_mut().poll(context).is_pending())).await);
    let ending = approvals.clone();
    let ends = [(); 2].map(|()| {
        let ending = ending.clone();
        tokio::spawn(async move { ending.close().await })
    });
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert!(ends.iter().all(|end| !end.is_finished()));
    release.send(Outcome::Applied).unwrap();
    assert_eq!(call.await.unwrap().execution.outcome, Outcome::Applied);
    for end in ends {
        end.await.unwrap();
    }
}

#[tokio::test]
async fn an_attempt_that_has_begun_ignores_the_clock() {
    // [GATE-111]: neither expiry nor a decision ends it.
    let room = Room::with_policy(always(Rule::same_subject())).await;
    let plan = approved(&room).await;
    let challenge = room.approvals.challenge(&Room::alice(), &id(&plan), None).await.unwrap().challenge;
    let held = Held::begin(&room, policy(), &plan).await;
    room.clock.advance(seconds(1));
    let withdrawn = room.approvals.decide(decision(&room, &plan, &challenge, "alice", Verdict::Withdraw)).await;
    assert_eq!(withdrawn.unwrap_err().reason(), Reason::ExecutionInProgress);
    room.clock.advance(seconds(7200));
    assert_eq!(held.release(Outcome::Applied).await.unwrap().execution.outcome, Outcome::Applied);
}
