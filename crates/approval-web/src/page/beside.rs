//! What stands beside a plan in the live part of its page. [SHOW-012]

use approval_core::{Beside, Neighbours, OpenNeighbour, RejectedNeighbour, Timestamp};

use super::fold::Passage;
use super::name::Name;
use super::shown::Shown;
use super::words;

/// The requester's other open plans, and what of theirs was rejected lately.
#[derive(Clone, Debug)]
pub(crate) struct BesideView {
    pub(crate) open: Vec<OpenView>,
    /// The class and the words of each remark on those that are not shown.
    pub(crate) open_rest: Vec<(&'static str, &'static str)>,
    pub(crate) rejected: Vec<RejectedView>,
    pub(crate) rejected_rest: Vec<(&'static str, &'static str)>,
    /// Until when no plan is taken from the requester, where they are muted.
    pub(crate) muted_until: Option<Timestamp>,
}

/// Another open plan.
#[derive(Clone, Debug)]
pub(crate) struct OpenView {
    pub(crate) id: String,
    pub(crate) headline: Passage,
    pub(crate) target: Name,
    pub(crate) state: &'static str,
    pub(crate) tone: &'static str,
    pub(crate) created: Timestamp,
    pub(crate) shares_effects: bool,
}

/// A plan that was rejected.
#[derive(Clone, Debug)]
pub(crate) struct RejectedView {
    pub(crate) id: String,
    pub(crate) headline: Passage,
    pub(crate) target: Name,
    pub(crate) by: Name,
    pub(crate) at: Timestamp,
    /// Until when the requester is refused the same, where they are still.
    pub(crate) sticks_until: Option<Timestamp>,
}

impl BesideView {
    pub(crate) fn new(beside: &Beside) -> Self {
        Self {
            open: beside.open.shown.iter().map(OpenView::new).collect(),
            open_rest: rest(&beside.open),
            rejected: beside.rejected.shown.iter().map(RejectedView::new).collect(),
            rejected_rest: rest(&beside.rejected),
            muted_until: beside.muted_until,
        }
    }
}

impl OpenView {
    fn new(open: &OpenNeighbour) -> Self {
        Self {
            id: open.status.plan_id.to_string(),
            headline: Passage::new(Shown::prose(&open.headline)),
            target: Name::new(&open.target),
            state: words::state(&open.status),
            tone: words::tone(open.status.state),
            created: open.created_at,
            shares_effects: open.shares_effects,
        }
    }
}

impl RejectedView {
    fn new(rejected: &RejectedNeighbour) -> Self {
        Self {
            id: rejected.plan_id.to_string(),
            headline: Passage::new(Shown::prose(&rejected.headline)),
            target: Name::new(&rejected.target),
            by: Name::new(rejected.rejected_by.as_str()),
            at: rejected.rejected_at,
            sticks_until: rejected.sticks_until,
        }
    }
}

/// What is said of those that are not shown. [SHOW-007] [SHOW-014]
fn rest<T>(of: &Neighbours<T>) -> Vec<(&'static str, &'static str)> {
    let remarks = [
        (of.more, "hint", "There are more: these are the latest."),
        (of.hidden, "hint", "There are some that are not yours to read, or no longer kept."),
        (
            of.broken,
            "error",
            "Something here does not hold together: it may have been tampered with. Tell the operator.",
        ),
    ];
    remarks.into_iter().filter(|(is_so, ..)| *is_so).map(|(_, class, words)| (class, words)).collect()
}
