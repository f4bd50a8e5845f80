//! Which states are the same: what can't matter to anything that follows is left out.
//!
//! Identifiers are told apart by what they stand for only, moments by how far ahead they are, and who decided by their part; the
//! audit is left out. That two states with one key go on in the same way is not taken on trust: the explorer tries it, see
//! [the exploration](mod@crate::explore).

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use approval_core::anchor::{AnchorEntry, AnchorKind, Entered};
use approval_core::record::{Outcome, State as Standing, Verdict};
use approval_core::store::CommitError;
use approval_core::{Reason, Timestamp};
use approval_testkit::Tables;

use crate::facts::{Facts, is_paused};
use crate::scenario::{Scenario, TICK};
use crate::seam::{Answer, CallKind};
use crate::state::{Decide, Entry, Op, Plan, State, Task};

/// What tells states apart.
pub(crate) type Key = u128;

/// The key of a state.
pub(crate) fn key(scenario: &Scenario, state: &State) -> Key {
    let straight = key_with(scenario, state, &|person| person);
    if scenario.persons.contains(&"bob") && scenario.persons.contains(&"carol") && !state.world.approver_disabled {
        // The two approvers differ by their names only.
        let swapped = key_with(scenario, state, &|person| match person {
            "bob" => "carol",
            "carol" => "bob",
            other => other,
        });
        return straight.min(swapped);
    }
    straight
}

type Renaming<'a> = &'a dyn for<'p> Fn(&'p str) -> &'p str;

fn key_with(scenario: &Scenario, state: &State, rename: Renaming<'_>) -> Key {
    let plans: Vec<_> = state.plans.iter().map(|plan| plan_key(scenario, state, plan, rename)).collect();
    let mut tasks: Vec<_> = state.tasks.iter().map(|task| task_key(scenario, state, task, rename)).collect();
    tasks.sort_unstable();
    let copy = state.copy.as_ref().map(|tables| copied_key(state, tables, rename));
    let cool_downs = cool_downs(state);
    digest(&(plans, tasks, state.paused, state.world, copy, state.put_back, cool_downs))
}

/// 128 bits, so that two different states out of millions do not meet by chance.
fn digest(value: &impl Hash) -> Key {
    let half = |seed: u64| {
        let mut hasher = DefaultHasher::new();
        seed.hash(&mut hasher);
        value.hash(&mut hasher);
        u128::from(hasher.finish())
    };
    (half(1) << 64) | half(2)
}

/// How many ticks a moment is ahead; 0 once it has come.
fn ahead(moment: Timestamp, now: Timestamp) -> u64 {
    moment.since(now).as_millis().div_ceil(u128::from(TICK) * 1000).try_into().unwrap_or(u64::MAX)
}

fn plan_key(scenario: &Scenario, state: &State, plan: &Plan, rename: Renaming<'_>) -> Key {
    let now = state.now;
    let (shown, history) = (&plan.shown, &plan.history);
    let copied = state.copy.as_ref().and_then(|tables| Facts::of_plan(tables, shown.id).ok().flatten());
    let is_open =
        [Some(plan.facts.as_ref()), copied.as_ref()].iter().flatten().any(|facts| facts.state.state.is_open());
    let last = plan.facts.challenge().map(|last| last.challenge_id);
    let mut approvals: Vec<_> =
        history.approvals.iter().filter(|(under, _)| Some(*under) == last).map(|(_, who)| rename(who)).collect();
    approvals.sort_unstable();
    let good_for = history.satisfied_at.map(|at| ahead(at.after(scenario.limits.approval()), now));
    // What an attempt did matters while it may still be told of.
    let attempt =
        state.tasks.iter().any(|task| task.plan() == state.number(shown.id) && task.claim.is_some()).then(|| {
            let deadline = history.claim.map(|(_, at)| ahead(at.after(scenario.limits.execution()), now));
            (deadline, history.effect, history.reported.map(outcome_key))
        });
    let entry = state.anchor.iter().find(|entry| entry.plan == shown.id).map(|entry| anchor_key(&plan.facts, entry));
    digest(&(
        (shown.requester, shown.key, &shown.warned_of),
        is_open.then(|| (ahead(shown.expires_at, now), approvals, good_for, plan.facts.challenges.len().min(2))),
        facts_key(&plan.facts, now, rename),
        (history.refused, history.satisfied_at.is_some(), history.claim.is_some(), history.calls),
        attempt,
        history.was_unknown,
        entry,
    ))
}

/// Of what has ended, nothing matters but its end; of what was claimed, its lease while it is executing.
fn facts_key(facts: &Facts, now: Timestamp, rename: Renaming<'_>) -> Key {
    let state = &facts.state;
    let challenge = state.challenge.as_ref().and(facts.challenge());
    let open = state.state.is_open().then(|| {
        let mut decisions: Vec<_> = facts
            .decisions
            .iter()
            .map(|decision| {
                let of_challenge = challenge.map(|challenge| {
                    (
                        decision.challenge_id == challenge.challenge_id,
                        decision.decided_at < challenge.expires_at,
                        decision.approver.auth_time > challenge.created_at,
                    )
                });
                let of_plan = decision.plan_digest == state.plan_digest;
                let person = rename(decision.approver.person.as_str()).to_owned();
                (person, verdict_key(decision.verdict), of_challenge, of_plan)
            })
            .collect();
        decisions.sort_unstable();
        let expires = challenge.map(|challenge| ahead(challenge.expires_at, now));
        (expires, decisions, state.approval_expires_at.map(|until| ahead(until, now)), state.gate_attempts)
    });
    let lease =
        state.claim.as_ref().map(|claim| if state.state == Standing::Executing { ahead(claim.lease, now) } else { 0 });
    digest(&(
        (state.state, state.cause.map(|cause| format!("{cause:?}"))),
        open,
        lease,
        facts.outcome().map(outcome_key),
        facts.reconciliation.as_ref().map(|reconciliation| format!("{:?}", reconciliation.finding)),
        (state.execution.is_some(), state.reconciliation.is_some()),
    ))
}

fn copied_key(state: &State, tables: &Tables, rename: Renaming<'_>) -> Key {
    let plans: Vec<_> = state
        .plans
        .iter()
        .map(|plan| {
            let facts = Facts::of_plan(tables, plan.shown.id).ok().flatten();
            facts.map(|facts| {
                let claim = facts.state.claim.as_ref().map(|claim| claim.claim_id);
                let same_claim = claim == plan.facts.state.claim.as_ref().map(|claim| claim.claim_id);
                let same_challenge = facts.challenges.len() == plan.facts.challenges.len();
                (facts_key(&facts, state.now, rename), same_claim, same_challenge)
            })
        })
        .collect();
    digest(&(plans, is_paused(tables).ok()))
}

fn anchor_key(facts: &Facts, entry: &AnchorEntry) -> (u8, bool) {
    match entry.kind {
        AnchorKind::Claimed(claim) => (0, facts.state.claim.as_ref().is_some_and(|stored| stored.claim_id == claim)),
        AnchorKind::Rejected => (1, false),
        AnchorKind::Withdrawn => (2, false),
    }
}

/// How long planning is refused after rejections.
fn cool_downs(state: &State) -> Vec<u64> {
    use approval_core::record::{CoolDown, RecordKind};
    let rows = state.tables.rows.values().filter(|row| row.key.kind == RecordKind::CoolDown);
    let until = |row: &approval_core::store::Row| {
        let cool_down: CoolDown = crate::facts::read(crate::traits::Glass::through(&row.sealed)).ok()?;
        Some(ahead(cool_down.until, state.now)).filter(|ahead| *ahead > 0)
    };
    rows.filter_map(until).collect()
}

type TaskKey = (String, Vec<(CallKind, bool)>, Vec<Key>, Option<bool>, Option<u64>);

fn task_key(scenario: &Scenario, state: &State, task: &Task, rename: Renaming<'_>) -> TaskKey {
    let op = match &task.op {
        Op::Decide(decide) => decide_key(state, decide, rename),
        op => op.to_string(),
    };
    let due = |kind: CallKind, since: Timestamp| match kind {
        CallKind::Sleep(millis) => state.now.since(since).as_millis() >= u128::from(millis),
        _ => false,
    };
    let open = task.open.iter().map(|open| (open.kind, due(open.kind, open.since))).collect();
    let log = log_that_matters(task).map(|entry| entry_key(state, entry, rename)).collect();
    (op, open, log, owns_claim(state, task), kept_lease(scenario, state, task))
}

/// What a call has read before it commits, its transaction reads again: from then on it goes by what it has committed.
fn log_that_matters(task: &Task) -> impl Iterator<Item = &Arc<Entry>> {
    let reads_again = |kind: CallKind| {
        let name = if let CallKind::Commit(name) = kind { name } else { "" };
        matches!(name, "cancel" | "claim" | "decide" | "open-challenge" | "pause" | "reconcile" | "resume")
    };
    let waits = task.open.iter().any(|open| reads_again(open.kind));
    let committed_at = task.log.iter().rposition(|entry| reads_again(entry.kind));
    let log = task.log.iter().skip(if waits { task.log.len() } else { committed_at.unwrap_or(0) });
    log.filter(|entry| !matches!(entry.kind, CallKind::Commit("renew") | CallKind::Sleep(_)))
}

/// How long a call takes its own lease to be alive, until the executor is called.
fn kept_lease(scenario: &Scenario, state: &State, task: &Task) -> Option<u64> {
    let enters = task.open.iter().any(|open| open.kind == CallKind::Enter);
    let renewed = task.log.iter().rev().find(|entry| {
        matches!((entry.kind, &entry.answer), (CallKind::Commit("claim" | "renew"), Answer::Commit(_, Ok(()))))
    });
    renewed.filter(|_| enters).map(|entry| ahead(entry.at.after(scenario.limits.lease()), state.now))
}

fn decide_key(state: &State, decide: &Decide, rename: Renaming<'_>) -> String {
    let last = state.plans.get(decide.plan).and_then(|plan| plan.facts.challenge());
    let is_last = last.is_some_and(|last| last.challenge_id == decide.challenge);
    let Decide { plan, person, verdict, page, .. } = decide;
    format!("{} {plan} {verdict:?} {page:?} {is_last}", rename(person))
}

/// Whether the plan's claim, as it is stored, is this call's.
fn owns_claim(state: &State, task: &Task) -> Option<bool> {
    let claim = task.claim?;
    let plan = task.plan().and_then(|plan| state.plans.get(plan))?;
    Some(plan.facts.state.claim.as_ref().is_some_and(|stored| stored.claim_id == claim))
}

fn entry_key(state: &State, entry: &Entry, rename: Renaming<'_>) -> Key {
    let now = state.now;
    let facts: Vec<_> = entry.facts.iter().map(|facts| facts_key(facts, now, rename)).collect();
    match &entry.answer {
        Answer::Attempts(found) => {
            let plans: Vec<_> = found.iter().map(|(plan, _)| state.number(*plan)).collect();
            digest(&("attempts", plans, facts))
        }
        Answer::Claims(entries) => {
            digest(&("claims", entries.iter().map(|entry| state.number(entry.plan)).collect::<Vec<_>>()))
        }
        Answer::Commit(_, result) => digest(&("commit", entry.kind, commit_key(result))),
        Answer::Enter(entered) => digest(&(
            "enter",
            entered.as_ref().ok().map(|entered| match entered {
                Entered::First => None,
                Entered::Present(known) => Some(matches!(known.kind, AnchorKind::Claimed(_))),
            }),
        )),
        Answer::Entry(known) => digest(&("entry", known.is_some())),
        Answer::Executed(outcome) => digest(&("executed", outcome_key(*outcome))),
        Answer::Executing(plans) => {
            digest(&("executing", plans.iter().map(|plan| state.number(*plan)).collect::<Vec<_>>()))
        }
        Answer::Plan(found) => digest(&("plan", found.is_ok(), facts)),
        Answer::Rows(rows) => {
            let paused = rows.first().map(|row| row.sealed.windows(13).any(|part| part == br#""paused":true"#));
            digest(&("rows", paused))
        }
        Answer::Slept => digest(&"slept"),
        Answer::World(world) => digest(&("world", world)),
    }
}

fn commit_key(result: &Result<(), CommitError>) -> Option<Option<&'static str>> {
    match result {
        Ok(()) => None,
        Err(CommitError::Refused(refusal)) => Some(Some(Reason::code(refusal.reason()))),
        Err(_) => Some(None),
    }
}

fn outcome_key(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Applied => 0,
        Outcome::Failed => 1,
        Outcome::Partial => 2,
        Outcome::Unknown => 3,
    }
}

fn verdict_key(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Approve => 0,
        Verdict::Reject => 1,
        Verdict::Withdraw => 2,
    }
}
