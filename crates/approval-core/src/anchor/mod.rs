//! The anchor: what remembers, outside the store, that a plan was claimed, rejected or withdrawn.
//!
//! Who can write the store can put an older, consistent copy of it back. Seals do not tell; the anchor does. [`FileAnchor`] keeps
//! it in a file beside the key.

mod file;
mod journal;
mod known;
mod lines;
mod worker;

use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::id::{ClaimId, PlanId};
use crate::instant::Timestamp;
use crate::record::Rollback;
use crate::seal::Tag;

pub use file::FileAnchor;
pub use lines::{AnchorRecord, read_anchor};

/// A durable memory outside the store, insert-if-absent on the plan id and atomic between processes. [ANCHOR-001]
///
/// A store that was put back to an older copy forgets that a plan ran; the anchor doesn't. The gate enters a claim after it has
/// committed and before it makes the permit. `approval-testkit` holds this contract as an executable suite.
#[async_trait]
pub trait Anchor: Send + Sync + fmt::Debug {
    /// What a plan may say about this anchor.
    fn rollback(&self) -> Rollback;

    /// Whether the memory is there. One that is missing answers everything else with an error, until it is begun.
    ///
    /// # Errors
    /// When that can't be told, or what is there is no memory of this installation.
    async fn standing(&self) -> Result<Standing, AnchorError>;

    /// Begins an empty memory where it is missing; one that is there stays as it is. [ANCHOR-006]
    ///
    /// # Errors
    /// When it can't be made durably.
    async fn begin(&self) -> Result<(), AnchorError>;

    /// Enters `entry`, unless its plan has one already; returns the one that is there. Durable before it answers.
    ///
    /// # Errors
    /// When it can't be entered durably: then nothing may run.
    async fn enter(&self, entry: AnchorEntry) -> Result<Entered, AnchorError>;

    /// The entry of a plan.
    ///
    /// # Errors
    /// When the anchor can't be read.
    async fn entry(&self, plan: PlanId) -> Result<Option<AnchorEntry>, AnchorError>;

    /// The claims whose plans touch what one of these tags stands for, in the order of their plans' ids.
    ///
    /// # Errors
    /// When the anchor can't be read.
    async fn claims_touching(&self, effects: &[Tag]) -> Result<Vec<AnchorEntry>, AnchorError>;

    /// Every entry, in the order of the plans' ids.
    ///
    /// # Errors
    /// When the anchor can't be read.
    async fn entries(&self) -> Result<Vec<AnchorEntry>, AnchorError>;

    /// Forgets the entries of these plans, and no others: all of them, or none. The caller has made sure that each may go.
    /// [ANCHOR-007]
    ///
    /// # Errors
    /// When the anchor can't be written.
    async fn remove(&self, plans: &[PlanId]) -> Result<(), AnchorError>;

    /// Remembers the last checkpoint of the audit, unless a later one is remembered. [CKPT-004]
    ///
    /// # Errors
    /// When it can't be remembered durably.
    async fn remember(&self, checkpoint: CheckpointMark) -> Result<(), AnchorError>;

    /// Remembers this checkpoint, or none, whatever was remembered: once it has been told of that the store lacks it.
    ///
    /// # Errors
    /// When the anchor can't be written.
    async fn reset_checkpoint(&self, checkpoint: Option<CheckpointMark>) -> Result<(), AnchorError>;

    /// The last checkpoint of the audit.
    ///
    /// # Errors
    /// When the anchor can't be read.
    async fn last_checkpoint(&self) -> Result<Option<CheckpointMark>, AnchorError>;
}

/// Which checkpoint of the audit was the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointMark {
    /// Its number.
    pub number: u64,
    /// The digest of what was signed.
    pub digest: Digest,
}

/// Whether an anchor's memory is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is there.
    Kept,
    /// It isn't: it was never begun, or it is gone.
    Missing,
}

/// What the anchor remembers of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnchorEntry {
    /// The plan.
    pub plan: PlanId,
    /// What happened to it.
    pub kind: AnchorKind,
    /// When the plan expires: the entry may go then, once the store holds its outcome.
    pub plan_expires_at: Timestamp,
    /// What the plan touches.
    pub effects: Vec<Tag>,
}

/// What happened to a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnchorKind {
    /// It was claimed.
    Claimed(ClaimId),
    /// A person said no.
    Rejected,
    /// An approver took the approval back.
    Withdrawn,
}

/// Whether an entry was the first for its plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entered {
    /// It was.
    First,
    /// There is this one already.
    Present(AnchorEntry),
}

/// The anchor can't be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the anchor can't be used: {0}")]
pub struct AnchorError(pub String);

/// The anchor that keeps nothing: plans say `rollback: none`. A store put back to an older copy goes unnoticed.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoAnchor;

#[async_trait]
impl Anchor for NoAnchor {
    fn rollback(&self) -> Rollback {
        Rollback::None
    }

    async fn standing(&self) -> Result<Standing, AnchorError> {
        Ok(Standing::Kept)
    }

    async fn begin(&self) -> Result<(), AnchorError> {
        Ok(())
    }

    async fn enter(&self, _: AnchorEntry) -> Result<Entered, AnchorError> {
        Ok(Entered::First)
    }

    async fn entry(&self, _: PlanId) -> Result<Option<AnchorEntry>, AnchorError> {
        Ok(None)
    }

    async fn claims_touching(&self, _: &[Tag]) -> Result<Vec<AnchorEntry>, AnchorError> {
        Ok(Vec::new())
    }

    async fn entries(&self) -> Result<Vec<AnchorEntry>, AnchorError> {
        Ok(Vec::new())
    }

    async fn remove(&self, _: &[PlanId]) -> Result<(), AnchorError> {
        Ok(())
    }

    async fn remember(&self, _: CheckpointMark) -> Result<(), AnchorError> {
        Ok(())
    }

    async fn reset_checkpoint(&self, _: Option<CheckpointMark>) -> Result<(), AnchorError> {
        Ok(())
    }

    async fn last_checkpoint(&self) -> Result<Option<CheckpointMark>, AnchorError> {
        Ok(None)
    }
}
