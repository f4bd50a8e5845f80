//! The live part of a plan's page: how things stand now. No digest covers it. [SHOW-011]

use std::time::Duration;

use approval_core::record::{Decision, State};
use approval_core::{PlanPageView, Surroundings, Timestamp};

use super::beside::BesideView;
use super::fold::Passage;
use super::name::Name;
use super::plan::step_outcomes;
use super::shown::Shown;
use super::timeline::TimelineView;
use super::words;

/// How a plan stands now.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    pub(crate) state: &'static str,
    pub(crate) tone: &'static str,
    pub(crate) now: Timestamp,
    pub(crate) left: Option<(&'static str, Duration, Timestamp)>,
    pub(crate) approvals: u32,
    pub(crate) required: u32,
    pub(crate) decisions: Vec<DecisionView>,
    pub(crate) outcome: Option<OutcomeView>,
    pub(crate) reconciled: Option<(&'static str, Name, Timestamp)>,
    /// Whether there is a receipt.
    pub(crate) receipt: bool,
    pub(crate) beside: BesideView,
    /// Nothing where the audit's events of the plan do not hold together.
    pub(crate) timeline: Option<TimelineView>,
}

/// What a person decided.
#[derive(Clone, Debug)]
pub(crate) struct DecisionView {
    pub(crate) person: Name,
    pub(crate) verdict: &'static str,
    pub(crate) at: Timestamp,
    pub(crate) comment: Option<Passage>,
}

/// What came of the attempt.
#[derive(Clone, Debug)]
pub(crate) struct OutcomeView {
    pub(crate) words: &'static str,
    pub(crate) claimed: Timestamp,
    pub(crate) settled: Timestamp,
    pub(crate) steps: Vec<(&'static str, Option<Name>)>,
}

impl Live {
    /// `signs`: whether this installation signs receipts and checkpoints.
    pub(crate) fn new(view: &PlanPageView, around: &Surroundings, now: Timestamp, signs: bool) -> Self {
        let status = &view.status;
        let left = |what, until: Timestamp| (what, until.since(now), until);
        Self {
            state: words::state(status),
            tone: words::tone(status.state),
            now,
            left: match (status.challenge_expires_at, status.approval_expires_at, status.state) {
                (Some(until), ..) => Some(left("to decide", until)),
                (None, Some(until), State::Approved) => Some(left("until the approval runs out", until)),
                (None, None, State::Planned) => Some(left("until the plan runs out", status.expires_at)),
                _ => None,
            },
            approvals: status.approvals,
            required: status.approvals_required,
            decisions: view.decisions.iter().map(DecisionView::new).collect(),
            outcome: view.execution.as_ref().map(|execution| OutcomeView {
                words: words::outcome(execution.outcome),
                claimed: execution.claimed_at,
                settled: execution.settled_at,
                steps: step_outcomes(execution),
            }),
            reconciled: view
                .reconciliation
                .as_ref()
                .map(|found| (words::reconciled(found.finding), Name::new(&found.operator), found.at)),
            // [RCPT-031]
            receipt: signs && !status.state.is_open() && status.state != State::Executing,
            beside: BesideView::new(&around.beside),
            timeline: around.timeline.as_ref().map(|timeline| TimelineView::new(timeline, signs)),
        }
    }
}

impl DecisionView {
    fn new(decision: &Decision) -> Self {
        Self {
            person: Name::new(decision.approver.person.as_str()),
            verdict: words::verdict(decision.verdict),
            at: decision.decided_at,
            comment: decision.comment.as_deref().map(|comment| Passage::new(Shown::prose(comment))),
        }
    }
}
