//! What may happen next in a state.

use std::time::Duration;

use approval_core::record::{State as Standing, Verdict};

use crate::scenario::Scenario;
use crate::seam::CallKind;
use crate::state::{Action, Decide, How, Op, Page, Plan, PlanNumber, State, Task};

/// Every step that is possible from here, in a fixed order.
pub(crate) fn actions(scenario: &Scenario, state: &State) -> Vec<Action> {
    let mut actions = Vec::new();
    for (number, task) in state.tasks.iter().enumerate() {
        answers(scenario, state, number, task, &mut actions);
    }
    for (number, plan) in state.plans.iter().enumerate() {
        if state.tasks.len() < scenario.concurrent {
            executions(scenario, number, plan, &mut actions);
        }
        calls(scenario, state, number, plan, &mut actions);
    }
    let with = scenario.with;
    if state.plans.len() < scenario.most_plans {
        actions.extend(scenario.replanning.iter().map(|(by, key)| Action::Begin(Op::Plan { by, key })));
    }
    if with.pause {
        actions.push(Action::Begin(if state.paused { Op::Resume } else { Op::Pause }));
    }
    if state.plans.iter().any(|plan| plan.facts.state.state == Standing::Executing) {
        actions.push(Action::Begin(Op::Recover));
    }
    if with.approver_disabled && !state.world.approver_disabled {
        actions.push(Action::DisableApprover);
    }
    if with.target_changed && !state.world.target_changed {
        actions.push(Action::ChangeTarget);
    }
    if with.put_back && !state.put_back {
        actions.push(if state.copy.is_none() { Action::Copy } else { Action::PutBack });
    }
    actions.push(Action::Tick);
    actions
}

/// What a call that is under way may meet.
fn answers(scenario: &Scenario, state: &State, number: usize, task: &Task, actions: &mut Vec<Action>) {
    let mut answer = |open: usize, kind, how| actions.push(Action::Answer { task: number, number: open, kind, how });
    let mut may_crash = false;
    for open in &task.open {
        match open.kind {
            CallKind::Execute => {
                scenario.outcomes.iter().for_each(|outcome| answer(open.number, open.kind, How::Outcome(*outcome)));
                may_crash = true;
            }
            CallKind::Commit(_) => {
                answer(open.number, open.kind, How::Done);
                if scenario.with.outages {
                    answer(open.number, open.kind, How::Fails);
                    answer(open.number, open.kind, How::Lost);
                }
                may_crash |= task.claim.is_some();
            }
            CallKind::Enter => {
                answer(open.number, open.kind, How::Done);
                if scenario.with.outages {
                    answer(open.number, open.kind, How::Fails);
                }
                may_crash = true;
            }
            CallKind::Look | CallKind::Read => answer(open.number, open.kind, How::Done),
            CallKind::Sleep(millis) => {
                if scenario.with.renew && state.now >= open.since.after(Duration::from_millis(millis)) {
                    answer(open.number, open.kind, How::Done);
                }
            }
        }
    }
    if scenario.with.crash && may_crash {
        actions.push(Action::Crash(number));
    }
}

fn executions(scenario: &Scenario, number: PlanNumber, plan: &Plan, actions: &mut Vec<Action>) {
    actions.push(Action::Begin(Op::Execute { plan: number, by: plan.shown.requester }));
    if scenario.with.foreigner {
        let other = if plan.shown.requester == "alice" { "dave" } else { "alice" };
        actions.push(Action::Begin(Op::Execute { plan: number, by: other }));
    }
}

/// What requester, persons and operator may do about a plan.
fn calls(scenario: &Scenario, state: &State, number: PlanNumber, plan: &Plan, actions: &mut Vec<Action>) {
    let mut begin = |op| actions.push(Action::Begin(op));
    if plan.facts.has_lapsed(plan.shown.expires_at, state.now) {
        begin(Op::Look(number));
    }
    // A call that goes in small steps counts among those that are under way at once.
    if scenario.with.fine_calls && state.tasks.len() >= scenario.concurrent {
        return;
    }
    if !scenario.approved || plan.facts.challenge().is_none() {
        begin(Op::Challenge(number));
    }
    if scenario.with.cancel {
        begin(Op::Cancel(number));
    }
    if plan.facts.state.state.outcome().is_some_and(approval_core::record::Outcome::is_unresolved) {
        scenario.findings.iter().for_each(|finding| begin(Op::Reconcile(number, *finding)));
    }
    let Some(last) = plan.facts.challenge() else { return };
    for person in scenario.persons {
        for verdict in scenario.verdicts {
            let decide =
                |page, challenge| Op::Decide(Decide { plan: number, person, verdict: *verdict, page, challenge });
            begin(decide(Page::Current, last.challenge_id));
            if !scenario.wrong_pages || *verdict != Verdict::Approve {
                continue;
            }
            begin(decide(Page::OldLogin, last.challenge_id));
            if let Some(old) = plan.facts.challenges.iter().rev().nth(1) {
                begin(decide(Page::OldChallenge, old.challenge_id));
            }
            if let Some(other) = (0..state.plans.len()).find(|other| *other != number) {
                begin(decide(Page::OtherDigest(other), last.challenge_id));
            }
        }
    }
}
