//! The anchor.

use std::sync::Arc;

use approval_core::anchor::{Anchor, AnchorEntry, AnchorError, Entered, NoAnchor, Standing};
use approval_core::record::Rollback;
use approval_testkit::{Around, AroundAnchor};
use async_trait::async_trait;
use reference_target::Parts;

use crate::fault::Fault;

pub(super) const ALL: &[Fault] = &[
    Fault::new("anchor-forgets", |parts| Parts { anchor: Arc::new(Around(Forgets(parts.anchor))), ..parts }),
    Fault::new("anchor-fails-in-silence", |parts| Parts {
        anchor: Arc::new(Around(FailsInSilence(parts.anchor))),
        ..parts
    }),
];

/// Says that it keeps what ran, and keeps nothing. [ANCHOR-001] [ANCHOR-003]
#[derive(Debug)]
struct Forgets(Arc<dyn Anchor>);

/// An entry that couldn't be made counts as made. [ANCHOR-004]
#[derive(Debug)]
struct FailsInSilence(Arc<dyn Anchor>);

#[async_trait]
impl AroundAnchor for Forgets {
    fn inner(&self) -> &dyn Anchor {
        &NoAnchor
    }

    fn rollback(&self) -> Rollback {
        self.0.rollback()
    }

    async fn standing(&self) -> Result<Standing, AnchorError> {
        self.0.standing().await
    }

    async fn begin(&self) -> Result<(), AnchorError> {
        self.0.begin().await
    }
}

#[async_trait]
impl AroundAnchor for FailsInSilence {
    fn inner(&self) -> &dyn Anchor {
        self.0.as_ref()
    }

    async fn enter(&self, entry: AnchorEntry) -> Result<Entered, AnchorError> {
        Ok(self.0.enter(entry).await.unwrap_or(Entered::First))
    }
}
