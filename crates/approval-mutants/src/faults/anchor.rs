//! The anchor.

use std::sync::Arc;

use approval_core::PlanId;
use approval_core::anchor::{Anchor, AnchorEntry, AnchorError, CheckpointMark, Entered, Standing};
use approval_core::record::Rollback;
use approval_core::seal::Tag;
use async_trait::async_trait;
use reference_target::Parts;

use crate::fault::Fault;

pub(super) const ALL: &[Fault] = &[
    Fault::new("anchor-forgets", |parts| Parts { anchor: Arc::new(Forgets(parts.anchor)), ..parts }),
    Fault::new("anchor-fails-in-silence", |parts| Parts { anchor: Arc::new(FailsInSilence(parts.anchor)), ..parts }),
];

/// Says that it keeps what ran, and keeps nothing. [ANCHOR-001] [ANCHOR-003]
#[derive(Debug)]
struct Forgets(Arc<dyn Anchor>);

/// An entry that couldn't be made counts as made. [ANCHOR-004]
#[derive(Debug)]
struct FailsInSilence(Arc<dyn Anchor>);

#[async_trait]
impl Anchor for Forgets {
    fn rollback(&self) -> Rollback {
        self.0.rollback()
    }

    async fn standing(&self) -> Result<Standing, AnchorError> {
        self.0.standing().await
    }

    async fn begin(&self) -> Result<(), AnchorError> {
        self.0.begin().await
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

#[async_trait]
impl Anchor for FailsInSilence {
    fn rollback(&self) -> Rollback {
        self.0.rollback()
    }

    async fn standing(&self) -> Result<Standing, AnchorError> {
        self.0.standing().await
    }

    async fn begin(&self) -> Result<(), AnchorError> {
        self.0.begin().await
    }

    async fn enter(&self, entry: AnchorEntry) -> Result<Entered, AnchorError> {
        Ok(self.0.enter(entry).await.unwrap_or(Entered::First))
    }

    async fn entry(&self, plan: PlanId) -> Result<Option<AnchorEntry>, AnchorError> {
        self.0.entry(plan).await
    }

    async fn claims_touching(&self, effects: &[Tag]) -> Result<Vec<AnchorEntry>, AnchorError> {
        self.0.claims_touching(effects).await
    }

    async fn entries(&self) -> Result<Vec<AnchorEntry>, AnchorError> {
        self.0.entries().await
    }

    async fn remove(&self, plans: &[PlanId]) -> Result<(), AnchorError> {
        self.0.remove(plans).await
    }

    async fn remember(&self, checkpoint: CheckpointMark) -> Result<(), AnchorError> {
        self.0.remember(checkpoint).await
    }

    async fn reset_checkpoint(&self, checkpoint: Option<CheckpointMark>) -> Result<(), AnchorError> {
        self.0.reset_checkpoint(checkpoint).await
    }

    async fn last_checkpoint(&self) -> Result<Option<CheckpointMark>, AnchorError> {
        self.0.last_checkpoint().await
    }
}
