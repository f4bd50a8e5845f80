//! An anchor in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use approval_core::PlanId;
use approval_core::anchor::{Anchor, AnchorEntry, AnchorError, AnchorKind, CheckpointMark, Entered, Standing};
use approval_core::record::Rollback;
use approval_core::seal::Tag;
use async_trait::async_trait;

/// An anchor in memory: nothing is durable, everything else is as the contract says. Clones share what is remembered.
#[derive(Clone, Debug, Default)]
pub struct MemoryAnchor(Arc<Mutex<Option<Remembered>>>);

/// What an anchor in memory remembers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remembered {
    /// Its entries.
    pub entries: BTreeMap<PlanId, AnchorEntry>,
    /// The last checkpoint.
    pub checkpoint: Option<CheckpointMark>,
}

impl MemoryAnchor {
    /// What is remembered, to be looked at or tampered with; `None` where the memory is missing.
    pub fn remembered(&self) -> MutexGuard<'_, Option<Remembered>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, look: impl FnOnce(&mut Remembered) -> T) -> Result<T, AnchorError> {
        self.remembered().as_mut().map(look).ok_or_else(|| AnchorError("it is missing".to_owned()))
    }
}

#[async_trait]
impl Anchor for MemoryAnchor {
    fn rollback(&self) -> Rollback {
        Rollback::Local
    }

    async fn standing(&self) -> Result<Standing, AnchorError> {
        Ok(if self.remembered().is_some() { Standing::Kept } else { Standing::Missing })
    }

    async fn begin(&self) -> Result<(), AnchorError> {
        self.remembered().get_or_insert_default();
        Ok(())
    }

    async fn enter(&self, entry: AnchorEntry) -> Result<Entered, AnchorError> {
        self.with(|remembered| match remembered.entries.get(&entry.plan) {
            Some(present) => Entered::Present(present.clone()),
            None => {
                remembered.entries.insert(entry.plan, entry);
                Entered::First
            }
        })
    }

    async fn entry(&self, plan: PlanId) -> Result<Option<AnchorEntry>, AnchorError> {
        self.with(|remembered| remembered.entries.get(&plan).cloned())
    }

    async fn claims_touching(&self, effects: &[Tag]) -> Result<Vec<AnchorEntry>, AnchorError> {
        let touches = |entry: &&AnchorEntry| {
            matches!(entry.kind, AnchorKind::Claimed(_)) && entry.effects.iter().any(|effect| effects.contains(effect))
        };
        self.with(|remembered| remembered.entries.values().filter(touches).cloned().collect())
    }

    async fn entries(&self) -> Result<Vec<AnchorEntry>, AnchorError> {
        self.with(|remembered| remembered.entries.values().cloned().collect())
    }

    async fn remove(&self, plans: &[PlanId]) -> Result<(), AnchorError> {
        self.with(|remembered| remembered.entries.retain(|plan, _| !plans.contains(plan)))
    }

    async fn remember(&self, checkpoint: CheckpointMark) -> Result<(), AnchorError> {
        self.with(|remembered| {
            if remembered.checkpoint.is_none_or(|known| known.number < checkpoint.number) {
                remembered.checkpoint = Some(checkpoint);
            }
        })
    }

    async fn reset_checkpoint(&self, checkpoint: Option<CheckpointMark>) -> Result<(), AnchorError> {
        self.with(|remembered| remembered.checkpoint = checkpoint)
    }

    async fn last_checkpoint(&self) -> Result<Option<CheckpointMark>, AnchorError> {
        self.with(|remembered| remembered.checkpoint)
    }
}
