//! What was read of an anchor's file.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{File, Metadata};
use std::path::Path;

use super::lines::AnchorRecord;
use super::{AnchorEntry, AnchorKind, CheckpointMark};
use crate::id::{PlanId, WriterId};
use crate::seal::Tag;
use crate::state_dir::files;

/// What was read of one generation.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) generation: WriterId,
    /// How many bytes were read: all of them whole lines.
    pub(super) bytes: u64,
    /// How many lines these are.
    pub(super) lines: u64,
    entries: BTreeMap<PlanId, AnchorEntry>,
    /// The plans of the claims that touch something.
    touching: HashMap<Tag, BTreeSet<PlanId>>,
    mark: Option<CheckpointMark>,
    /// How many of the lines are about checkpoints.
    pub(super) marks: u64,
    /// The file: as long as it is open, no other one can be taken for it.
    file: Option<(File, Identity)>,
}

impl Known {
    /// Nothing but the first line.
    pub(super) fn at(generation: WriterId, bytes: u64) -> Self {
        Self {
            generation,
            bytes,
            lines: 1,
            entries: BTreeMap::new(),
            touching: HashMap::new(),
            mark: None,
            marks: 0,
            file: None,
        }
    }

    /// One line more.
    pub(super) fn take(&mut self, record: AnchorRecord, bytes: u64) {
        self.bytes += bytes;
        self.lines += 1;
        match record {
            AnchorRecord::Checkpoint(mark) => {
                self.mark = Some(mark);
                self.marks += 1;
            }
            AnchorRecord::Entry(entry) => {
                if let AnchorKind::Claimed(_) = entry.kind {
                    for effect in &entry.effects {
                        self.touching.entry(effect.clone()).or_default().insert(entry.plan);
                    }
                }
                self.entries.insert(entry.plan, entry);
            }
        }
    }

    pub(super) fn entry(&self, plan: PlanId) -> Option<&AnchorEntry> {
        self.entries.get(&plan)
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &AnchorEntry> {
        self.entries.values()
    }

    pub(super) fn claims_touching(&self, effects: &[Tag]) -> Vec<AnchorEntry> {
        let plans: BTreeSet<&PlanId> =
            effects.iter().filter_map(|effect| self.touching.get(effect)).flatten().collect();
        plans.into_iter().filter_map(|plan| self.entries.get(plan)).cloned().collect()
    }

    pub(super) fn last_checkpoint(&self) -> Option<CheckpointMark> {
        self.mark
    }

    /// Keeps the file open that all this was read from.
    pub(super) fn keep_open(&mut self, file: &File) {
        let found = file.metadata().ok().and_then(|metadata| identity(&metadata));
        if self.file.as_ref().map(|(_, kept)| *kept) != found {
            self.file = file.try_clone().ok().zip(found);
        }
    }

    /// Whether the file at `path` is the one that this was read from, as long as what was read, and its owner's alone.
    pub(super) fn is_all_of(&self, path: &Path) -> bool {
        let (Some((_, kept)), Ok(metadata)) = (&self.file, path.metadata()) else { return false };
        identity(&metadata) == Some(*kept) && metadata.len() == self.bytes && files::is_owner_only(&metadata)
    }
}

/// Device and number: no two files have the same at one time.
type Identity = (u64, u64);

#[cfg(unix)]
fn identity(metadata: &Metadata) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt as _;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn identity(_: &Metadata) -> Option<Identity> {
    None
}
