//! An anchor that takes no write while it is told so.

use std::sync::Arc;

use approval_core::PlanId;
use approval_core::anchor::{Anchor, AnchorEntry, AnchorError, CheckpointMark, Entered, Standing};
use approval_core::record::Rollback;
use approval_core::seal::Tag;
use async_trait::async_trait;

use super::Switch;

/// An anchor whose writes fail while its switch is on.
#[derive(Debug)]
pub(super) struct ControlledAnchor {
    anchor: Arc<dyn Anchor>,
    fails: Switch,
}

impl ControlledAnchor {
    pub(super) fn new(anchor: Arc<dyn Anchor>, fails: Switch) -> Self {
        Self { anchor, fails }
    }

    fn check(&self) -> Result<(), AnchorError> {
        self.fails.check().map_err(AnchorError)
    }
}

#[async_trait]
impl Anchor for ControlledAnchor {
    fn rollback(&self) -> Rollback {
        self.anchor.rollback()
    }

    async fn standing(&self) -> Result<Standing, AnchorError> {
        self.anchor.standing().await
    }

    async fn begin(&self) -> Result<(), AnchorError> {
        self.check()?;
        self.anchor.begin().await
    }

    async fn enter(&self, entry: AnchorEntry) -> Result<Entered, AnchorError> {
        self.check()?;
        self.anchor.enter(entry).await
    }

    async fn entry(&self, plan: PlanId) -> Result<Option<AnchorEntry>, AnchorError> {
        self.anchor.entry(plan).await
    }

    async fn claims_touching(&self, effects: &[Tag]) -> Result<Vec<AnchorEntry>, AnchorError> {
        self.anchor.claims_touching(effects).await
    }

    async fn entries(&self) -> Result<Vec<AnchorEntry>, AnchorError> {
        self.anchor.entries().await
    }

    async fn remove(&self, plans: &[PlanId]) -> Result<(), AnchorError> {
        self.check()?;
        self.anchor.remove(plans).await
    }

    async fn remember(&self, checkpoint: CheckpointMark) -> Result<(), AnchorError> {
        self.check()?;
        self.anchor.remember(checkpoint).await
    }

    async fn reset_checkpoint(&self, checkpoint: Option<CheckpointMark>) -> Result<(), AnchorError> {
        self.check()?;
        self.anchor.reset_checkpoint(checkpoint).await
    }

    async fn last_checkpoint(&self) -> Result<Option<CheckpointMark>, AnchorError> {
        self.anchor.last_checkpoint().await
    }
}
