//! An anchor that takes no write while it is told so.

use std::sync::Arc;

use approval_core::PlanId;
use approval_core::anchor::{Anchor, AnchorEntry, AnchorError, CheckpointMark, Entered};
use approval_testkit::{Around, AroundAnchor};
use async_trait::async_trait;

use super::Switch;

/// An anchor whose writes fail while its switch is on.
#[derive(Debug)]
pub(super) struct ControlledAnchor {
    anchor: Arc<dyn Anchor>,
    fails: Switch,
}

impl ControlledAnchor {
    pub(super) fn around(anchor: Arc<dyn Anchor>, fails: Switch) -> Around<Self> {
        Around(Self { anchor, fails })
    }

    fn check(&self) -> Result<(), AnchorError> {
        self.fails.check().map_err(AnchorError)
    }
}

#[async_trait]
impl AroundAnchor for ControlledAnchor {
    fn inner(&self) -> &dyn Anchor {
        self.anchor.as_ref()
    }

    async fn begin(&self) -> Result<(), AnchorError> {
        self.check()?;
        self.anchor.begin().await
    }

    async fn enter(&self, entry: AnchorEntry) -> Result<Entered, AnchorError> {
        self.check()?;
        self.anchor.enter(entry).await
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
}
