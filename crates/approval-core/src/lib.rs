#![doc = include_str!("lib.md")]
#![warn(clippy::missing_errors_doc)]

pub mod anchor;
mod approvals;
pub mod audit;
mod clock;
pub mod digest;
mod directory;
mod entropy;
mod executor;
mod gate;
mod id;
mod instant;
pub mod json;
mod opened;
mod permit;
mod planner;
mod policy;
pub mod receipt;
pub mod record;
mod refusal;
mod resolved;
mod rule;
pub mod seal;
pub mod signing;
pub mod state_dir;
pub mod store;
pub mod transient;
pub mod transition;
mod vault;

pub use approvals::{
    Actor, Approvals, ApprovalsBuilder, Beside, BuildError, ChallengeView, CheckpointInterval, DecisionRequest,
    ExecutionView, Figures, GroupFigures, InboxEntry, InboxPage, InboxQuery, LONGEST_WAIT, Neighbours, OpenNeighbour,
    Parts, PlanPageView, PlanView, Pruned, RejectedNeighbour, Retention, Scope, StatusView, Surroundings, Timeline,
    TimelineEvent,
};
pub use clock::{Clock, SystemClock, Timer};
pub use digest::Digest;
pub use directory::{Directory, DirectoryError, Requester, Standing};
pub use entropy::{Entropy, EntropyError, OsEntropy};
pub use executor::{Executor, Report};
pub use id::{Audience, ChallengeId, ClaimId, EffectKey, Group, IdError, KeyId, Nonce, Person, PlanId, Salt, WriterId};
pub use instant::{Timestamp, TimestampError};
pub use permit::{DeadlinePassed, ExecutionPermit};
pub use planner::{Call, Draft, DraftStep, FreshnessError, Identified, PlanError, Planner};
pub use policy::{Clause, Matcher, Policy, Terms, Verdict as PolicyVerdict};
pub use refusal::{Reason, Refusal, Retry};
pub use resolved::ResolvedPlan;
pub use rule::{Standings, Tally};
