//! The gate: what stands between a stored plan and its execution.
//!
//! Each step takes what the step before it made, by value, so that none can be left out and none can be taken twice:
//!
//! | step | takes | makes |
//! |---|---|---|
//! | 1 arguments and handle well-formed | request | `WellFormed` |
//! | 2 plan exists and is this requester's | `WellFormed` | `Owned` |
//! | 3 seals hold, plan state complete | `Owned` | `Intact` |
//! | 4 digests recomputed | `Intact` | `Bound` |
//! | 5 not claimed, or replay | `Bound` | `Unclaimed` |
//! | 6 not ended | `Unclaimed` | `Live` |
//! | 7 not paused | `Live` | `Running` |
//! | 8 rule satisfied | `Running` | `Approved` |
//! | 9 persons, policy, tool and target are as they were | `Approved` | `Current` |
//! | 10 no other attempt, and fresh | `Current` | `Fresh` |
//! | 11 claim, then anchor | `Fresh` | the permit |
//!
//! The steps are pure functions over what was loaded; the service fetches what the next step needs. The order is normative:
//! of several reasons to refuse, the first counts. [GATE-001]

mod attempt;
mod claim;
mod steps;

pub(crate) use attempt::Attempt;
pub(crate) use claim::{Claimable, claim, still_holds};
pub(crate) use steps::{Bound, Facts, Replay, Request, WellFormed, still_open};

use crate::refusal::Refusal;

/// Why the gate stops.
#[derive(Debug)]
pub(crate) enum Stop {
    /// It refuses, and the plan is over: something is no longer what it was. [GATE-005]
    Ends(Refusal),
    /// It refuses, and nothing is lost. [GATE-006]
    Refuses(Refusal),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refuses(refusal)
    }
}
