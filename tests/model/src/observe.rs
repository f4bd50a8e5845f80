//! Watches a step from outside, keeps what is known to have happened, and holds every invariant against it.
//!
//! What persons decided, when the executor was called and what it did is seen at the traits. Where a plan stands is read from its
//! stored records. The rule, the times and the table of transitions are the explorer's own, not the service's.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use approval_core::Reason;
use approval_core::anchor::{AnchorEntry, AnchorKind};
use approval_core::record::{Cause, Outcome, State as Standing, Verdict};

use crate::facts::Facts;
use crate::invariant::{
    ALONE_ON_KEY, APPROVED_DIGEST, Invariant, NO_WAY_BACK, ONE_CHALLENGE, ONE_CLAIM, REFUSAL_FINAL, RIGHT_ANSWER,
    SOUND, TRUE_OUTCOME, WITHIN_BOUNDS,
};
use crate::lab::{Broken, Done};
use crate::scenario::Scenario;
use crate::seam::{Note, Permitted};
use crate::state::{Decide, History, Op, Page, Plan, PlanNumber, State};

/// The specification's table of states, as it is printed: from where to where.
static TABLE: LazyLock<BTreeSet<(&str, &str)>> = LazyLock::new(|| {
    let text = include_str!("../../../spec/v0/gate.md");
    let rows = text.lines().skip_while(|line| *line != "| from | what happens | to | cause |").skip(2);
    let cells = rows.take_while(|line| line.starts_with('|')).filter_map(|row| {
        let mut cells = row.split('|').map(|cell| cell.trim().trim_matches('`')).skip(1);
        Some((cells.next()?, cells.nth(1)?))
    });
    cells.collect()
});

/// Watches one step.
pub(crate) struct Observer<'a> {
    scenario: &'a Scenario,
    pub(crate) state: &'a mut State,
    op: Option<&'a Op>,
    /// The plans' records before the step, and before the last commit.
    at_first: Vec<Arc<Facts>>,
    before: Vec<Arc<Facts>>,
    /// Whether the call began in this step.
    began: bool,
    /// Whether something was written, whatever the call was told.
    wrote: bool,
    pub(crate) broken: Vec<Broken>,
}

impl<'a> Observer<'a> {
    pub(crate) fn new(scenario: &'a Scenario, state: &'a mut State, op: Option<&'a Op>) -> Self {
        let facts: Vec<_> = state.plans.iter().map(|plan| Arc::clone(&plan.facts)).collect();
        Self {
            scenario,
            state,
            op,
            at_first: facts.clone(),
            before: facts,
            began: false,
            wrote: false,
            broken: Vec::new(),
        }
    }

    pub(crate) fn began(&mut self) {
        self.began = true;
    }

    pub(crate) fn wrote(&mut self) {
        self.wrote = true;
    }

    pub(crate) fn take_wrote(&mut self) -> bool {
        std::mem::take(&mut self.wrote)
    }

    fn breaks(&mut self, invariant: Invariant, why: impl Into<String>) {
        self.broken.push(Broken { invariant, why: why.into() });
    }

    fn history(&mut self, plan: PlanNumber, change: impl FnOnce(&mut Plan)) {
        if let Some(plan) = self.state.plans.get_mut(plan) {
            change(plan);
        }
    }

    /// A transition of this call has committed.
    pub(crate) fn committed(&mut self, name: &str) {
        match (self.op, name) {
            (Some(Op::Decide(decide)), "decide") => self.decided(decide),
            (Some(Op::Execute { plan, .. }), "claim") => self.claimed(*plan),
            _ => {}
        }
        self.changes();
        self.standing();
        self.before = self.state.plans.iter().map(|plan| Arc::clone(&plan.facts)).collect();
    }

    /// A person's decision was taken. [INV-001, INV-003]
    fn decided(&mut self, decide: &Decide) {
        let (now, rule) = (self.state.now, self.scenario.rule);
        let forgettable = self.scenario.with.put_back;
        self.history(decide.plan, |plan| {
            if decide.verdict != Verdict::Approve {
                plan.history.refused |= !forgettable;
                return;
            }
            let live = plan.facts.challenge().is_some_and(|last| {
                last.challenge_id == decide.challenge && last.created_at <= now && now < last.expires_at
            });
            if live && decide.page == Page::Current {
                plan.history.approvals.push((decide.challenge, decide.person));
                let under = plan.history.approvals.iter().filter(|(challenge, _)| *challenge == decide.challenge);
                let persons: Vec<_> = under.map(|(_, person)| *person).collect();
                if plan.history.satisfied_at.is_none() && rule.is_satisfied(plan.shown.requester, &persons) {
                    plan.history.satisfied_at = Some(now);
                }
            }
        });
    }

    /// The anchor has taken an entry as the first one of its plan: what it holds, no older copy of the store undoes. [INV-003]
    pub(crate) fn anchored(&mut self, entry: &AnchorEntry) {
        if let (AnchorKind::Rejected | AnchorKind::Withdrawn, Some(number)) =
            (entry.kind, self.state.number(entry.plan))
        {
            self.history(number, |plan| plan.history.refused = true);
        }
    }

    /// A person was told that their refusal was heard: unless the anchor knew a claim by then, nothing runs any more.
    fn heard(&mut self, number: PlanNumber) {
        let id = self.state.plans.get(number).map(|plan| plan.shown.id);
        let claimed = |entry: &AnchorEntry| Some(entry.plan) == id && matches!(entry.kind, AnchorKind::Claimed(_));
        if !self.state.anchor.iter().any(claimed) {
            self.history(number, |plan| plan.history.refused = true);
        }
    }

    /// A claim has committed. [INV-002, INV-005, INV-006]
    fn claimed(&mut self, number: PlanNumber) {
        let now = self.state.now;
        let Some(plan) = self.state.plans.get(number) else { return };
        let (shown, history) = (Arc::clone(&plan.shown), plan.history.clone());
        let claim = plan.facts.state.claim.clone();
        if history.claim.is_some() && !self.state.put_back {
            self.breaks(ONE_CLAIM, "a plan is claimed that was claimed before");
        }
        let approval = self.scenario.limits.approval();
        if now >= shown.expires_at {
            self.breaks(WITHIN_BOUNDS, "a plan is claimed that has run out");
        } else if history.satisfied_at.is_some_and(|satisfied_at| now >= satisfied_at.after(approval)) {
            self.breaks(WITHIN_BOUNDS, "a plan is claimed whose approval has run out");
        }
        if self.state.paused {
            self.breaks(WITHIN_BOUNDS, "a plan is claimed while execution is paused");
        }
        let others = self.state.plans.iter().enumerate();
        let others = others.filter(|(other, plan)| *other != number && plan.shown.key == shown.key);
        let mut beside = Vec::new();
        for (other, plan) in others.filter(|(_, plan)| plan.history.claim.is_some()) {
            if plan.facts.is_alive(now) {
                beside.push(format!("plan {number} is claimed while plan {other} is executing on the same key"));
            } else if plan.facts.is_unresolved() && !shown.warned_of.contains(&other) {
                beside.push(format!(
                    "plan {number} is claimed beside the unresolved plan {other}, which its review does not list"
                ));
            }
        }
        beside.into_iter().for_each(|why| self.breaks(ALONE_ON_KEY, why));
        let claim = claim.map(|claim| (claim.claim_id, now));
        self.history(number, |plan| {
            // What an attempt did that the store has forgotten is no longer this one's.
            plan.history = History { claim, effect: false, reported: None, ..plan.history.clone() };
        });
    }

    /// The executor was called. [INV-001, INV-002, INV-003, INV-006]
    pub(crate) fn called(&mut self, permitted: &Permitted) {
        let Some(number) = self.state.number(permitted.plan) else {
            return self.breaks(APPROVED_DIGEST, "the executor is called for a plan that nobody made");
        };
        let Some(plan) = self.state.plans.get(number) else { return };
        let (shown, history, facts) = (Arc::clone(&plan.shown), plan.history.clone(), Arc::clone(&plan.facts));
        let by = match self.op {
            Some(Op::Execute { by, .. }) => *by,
            _ => "nobody",
        };
        if permitted.digest != shown.digest || permitted.arguments != shown.arguments {
            self.breaks(APPROVED_DIGEST, "the executor is called for something else than was shown");
        }
        if history.satisfied_at.is_none() {
            self.breaks(APPROVED_DIGEST, "the executor is called though the rule was never satisfied");
        }
        if by != shown.requester {
            self.breaks(APPROVED_DIGEST, "the executor is called for another requester");
        }
        if history.calls > 0 {
            self.breaks(ONE_CLAIM, "the executor is called twice for one plan");
        }
        if history.refused {
            self.breaks(REFUSAL_FINAL, "the executor is called for a plan that was refused");
        }
        let lease = facts.state.claim.as_ref().map(|claim| claim.lease);
        // In an older copy of the store the claim can't be found.
        if !self.state.put_back && lease.is_none_or(|lease| self.state.now >= lease) {
            self.breaks(WITHIN_BOUNDS, "the executor is called after the lease has passed");
        }
        self.history(number, |plan| plan.history.calls += 1);
    }

    /// The executor did something. [INV-006]
    pub(crate) fn noted(&mut self, note: Note) {
        let now = self.state.now;
        match note {
            Note::Started(id) => {
                let claimed_at = self.state.number(id).and_then(|number| self.state.plans.get(number)?.history.claim);
                let deadline = claimed_at.map(|(_, at)| at.after(self.scenario.limits.execution()));
                if deadline.is_none_or(|deadline| now >= deadline) {
                    self.breaks(WITHIN_BOUNDS, "a step starts after the deadline");
                }
            }
            Note::Effect(id) => {
                if let Some(number) = self.state.number(id) {
                    self.history(number, |plan| plan.history.effect = true);
                }
            }
            Note::Reported(id, outcome) => {
                if let Some(number) = self.state.number(id) {
                    self.history(number, |plan| plan.history.reported = Some(outcome));
                }
            }
        }
    }

    /// What a commit did to each plan's records. [INV-002, INV-003, INV-004, INV-007]
    fn changes(&mut self) {
        if self.state.put_back {
            return; // Whoever puts an older copy back changes the records as they like: what runs is another matter.
        }
        for (number, before) in std::mem::take(&mut self.before).iter().enumerate() {
            let Some(plan) = self.state.plans.get(number) else { continue };
            let (after, history) = (Arc::clone(&plan.facts), plan.history.clone());
            let (from, to) = (before.state.state, after.state.state);
            if from != to && !TABLE.contains(&(from.name(), to.name())) {
                self.breaks(NO_WAY_BACK, format!("plan {number} goes from `{}` to `{}`", from.name(), to.name()));
            }
            let claim = |facts: &Facts| facts.state.claim.as_ref().map(|claim| claim.claim_id);
            if claim(before).is_some() && claim(before) != claim(&after) {
                self.breaks(ONE_CLAIM, format!("plan {number} is claimed anew"));
            }
            if to == Standing::Approved && from != to && history.satisfied_at.is_none() {
                self.breaks(APPROVED_DIGEST, format!("plan {number} is approved though the rule is not satisfied"));
            }
            if history.refused && !matches!(to, Standing::Rejected | Standing::Cancelled) {
                self.breaks(REFUSAL_FINAL, format!("plan {number} was refused, and is `{}`", to.name()));
            }
            self.outcome(number, before, &after);
        }
    }

    /// What is recorded as an outcome is what happened. [INV-007]
    fn outcome(&mut self, number: PlanNumber, before: &Facts, after: &Facts) {
        let Some(recorded) = after.outcome() else { return };
        if before.outcome() == Some(recorded) {
            return;
        }
        if recorded == Outcome::Unknown {
            self.history(number, |plan| plan.history.was_unknown = true);
        }
        let Some(history) = self.state.plans.get(number).map(|plan| plan.history.clone()) else { return };
        let is_true = match recorded {
            Outcome::Applied | Outcome::Partial => history.reported == Some(recorded),
            Outcome::Failed => !history.effect,
            Outcome::Unknown => true,
        };
        if !is_true {
            self.breaks(TRUE_OUTCOME, format!("plan {number} is recorded as {recorded:?}, which it was not"));
        }
        if before.outcome().is_some_and(|known| known != Outcome::Unknown) || before.reconciliation.is_some() {
            self.breaks(TRUE_OUTCOME, format!("the outcome of plan {number} is recorded anew"));
        }
        if after.state.state.outcome() != Some(recorded) {
            self.breaks(TRUE_OUTCOME, format!("the outcome of plan {number} is not that of its state"));
        }
    }

    /// What must hold of the state as it is. [INV-005, INV-010]
    pub(crate) fn standing(&mut self) {
        if self.state.put_back {
            return;
        }
        let now = self.state.now;
        let mut broken = Vec::new();
        for (number, plan) in self.state.plans.iter().enumerate() {
            let live = plan.facts.challenges.iter().filter(|challenge| now < challenge.expires_at).count();
            if live > 1 {
                broken.push((ONE_CHALLENGE, format!("plan {number} has {live} live challenges")));
            }
            let others = self.state.plans.iter().skip(number + 1).filter(|other| other.shown.key == plan.shown.key);
            if plan.facts.is_alive(now) && others.filter(|other| other.facts.is_alive(now)).count() > 0 {
                broken.push((ALONE_ON_KEY, format!("plan {number} and another one are executing on the same key")));
            }
        }
        broken.into_iter().for_each(|(invariant, why)| self.breaks(invariant, why));
    }

    /// The call has an answer. [INV-003, INV-008, INV-009, INV-010]
    pub(crate) fn ended(&mut self, done: &Done) {
        if let (Some(Op::Decide(decide)), Done::Decided(Ok(_))) = (self.op, done)
            && decide.verdict != Verdict::Approve
        {
            self.heard(decide.plan);
        }
        if self.state.put_back {
            return;
        }
        if let Done::Challenged(Ok(view)) = done
            && view.state == Standing::AwaitingApproval
            && self.state.now >= view.challenge.expires_at
        {
            self.breaks(ONE_CHALLENGE, "a challenge is given that has run out");
        }
        if let Some(reason) = done.refusal() {
            let misled = matches!(self.op, Some(Op::Decide(Decide { page: Page::OtherDigest(_), .. })));
            let unsound = match reason {
                Reason::IntegrityFailure | Reason::Internal => true,
                Reason::ApprovalHashMismatch => !misled,
                _ => false,
            };
            if unsound {
                self.breaks(SOUND, format!("an honest call is refused as `{}`", reason.code()));
            }
        }
        match (self.op, done) {
            (Some(Op::Execute { plan, by }), Done::Executed(result)) => {
                let outcome =
                    result.as_ref().map(|view| view.execution.outcome).map_err(approval_core::Refusal::reason);
                self.executed(*plan, by, outcome);
            }
            (Some(Op::Cancel(plan)), Done::Decided(Ok(status)))
                if status.state == Standing::Cancelled && status.cause == Some(Cause::Cancelled) =>
            {
                self.history(*plan, |plan| plan.history.refused = true);
            }
            _ => {}
        }
    }

    /// An execution answers with what is recorded, and with the reason why a plan has ended. [INV-008]
    fn executed(&mut self, number: PlanNumber, by: &str, result: Result<Outcome, Reason>) {
        let Some(plan) = self.state.plans.get(number) else { return };
        if by != plan.shown.requester {
            if result != Err(Reason::PlanNotFound) {
                self.breaks(RIGHT_ANSWER, format!("another requester gets {result:?}"));
            }
            return;
        }
        if let Ok(outcome) = result {
            // What was recorded when the call read it may have been told of late since.
            let told_late = outcome == Outcome::Unknown && plan.history.was_unknown;
            if plan.facts.outcome() != Some(outcome) && !told_late {
                self.breaks(RIGHT_ANSWER, format!("an execution answers {outcome:?}, which is not recorded"));
            }
            return;
        }
        let Some(first) = self.at_first.get(number).filter(|_| self.began) else { return };
        let expected = match (first.state.state, first.state.cause) {
            (state, _) if state.outcome().is_some() => None,
            (Standing::Rejected, _) => Some(Reason::ApprovalRejected),
            (Standing::Cancelled, Some(Cause::Withdrawn)) => Some(Reason::ApprovalWithdrawn),
            (Standing::Cancelled, _) => Some(Reason::PlanCancelled),
            (Standing::Stale, _) => Some(Reason::PlanStale),
            (Standing::Expired, Some(Cause::Approval)) => Some(Reason::ApprovalExpired),
            (Standing::Expired, _) => Some(Reason::PlanExpired),
            _ => return,
        };
        if result.err() != expected {
            self.breaks(
                RIGHT_ANSWER,
                format!("an execution of a plan that is `{}` gets {result:?}", first.state.state.name()),
            );
        }
    }
}
