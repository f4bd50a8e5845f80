//! Checkpoints: what an installation signs about all events so far, so that public keys are enough to verify them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Head;
use crate::digest::Digest;
use crate::id::{Audience, WriterId};
use crate::instant::Timestamp;
use crate::record::record_type;

record_type!(SignedCheckpointType, SignedCheckpoint, Checkpoint, "mutation-approval/signed-checkpoint/v0");

/// What is signed about the first events of an audit: all of them, from the first one on. [CKPT-001] [AUDIT-010]
///
/// A head that a later writer has named is proven by that writer's head, so only those that nobody has named are listed: the
/// list stays as short as the processes are few, however many there were.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Checkpoint {
    /// The record's type.
    #[serde(rename = "type")]
    pub kind: CheckpointType,
    /// The installation.
    pub audience: Audience,
    /// The checkpoint's number, from 1 on.
    pub number: u64,
    /// The digest of the checkpoint before it; absent in the first.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::record::optional::present")]
    pub previous: Option<Digest>,
    /// When it was made.
    pub at: Timestamp,
    /// How many events it is about. The last one of them is the one that tells of it.
    pub events: u64,
    /// How many writers they are of.
    pub writers: u64,
    /// The heads that no later writer has named, in the order of the writers' ids. A head's sequence is the writer's count of
    /// events.
    pub heads: Vec<Head>,
    /// SHA-256 of the order of the checkpoint before, or of 32 zeros, and of the digests of all events since, 32 bytes each.
    pub order: Digest,
}

/// The `type` member `mutation-approval/checkpoint/v0`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CheckpointType {
    /// `mutation-approval/checkpoint/v0`
    #[default]
    #[serde(rename = "mutation-approval/checkpoint/v0")]
    V0,
}

/// A checkpoint as it is stored: what it says, and the DSSE envelope around it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SignedCheckpoint {
    /// The record's type.
    #[serde(rename = "type")]
    pub kind: SignedCheckpointType,
    /// What it says.
    pub checkpoint: Checkpoint,
    /// The envelope's canonical JSON.
    pub envelope: String,
}

/// How far an audit goes: what a checkpoint says of its events. [CKPT-002]
#[derive(Clone, Debug)]
pub(crate) struct Extent {
    pub(crate) events: u64,
    pub(crate) writers: u64,
    /// The heads that no later writer has named.
    pub(crate) heads: BTreeMap<WriterId, Head>,
    order: Sha256,
}

impl Default for Extent {
    /// No events.
    fn default() -> Self {
        Self { events: 0, writers: 0, heads: BTreeMap::new(), order: order_after(&[0; 32]) }
    }
}

impl Extent {
    /// The extent that a checkpoint proves.
    pub(crate) fn of(checkpoint: &Checkpoint) -> Self {
        Self {
            events: checkpoint.events,
            writers: checkpoint.writers,
            heads: checkpoint.heads.iter().map(|head| (head.writer, head.clone())).collect(),
            order: order_after(checkpoint.order.as_bytes()),
        }
    }

    /// One event more, by its place and the heads that it names.
    pub(crate) fn add(&mut self, head: Head, named: &[Head]) {
        self.events += 1;
        self.writers += u64::from(head.sequence == 1);
        for named in named {
            self.heads.remove(&named.writer);
        }
        self.order.update(head.digest.as_bytes());
        self.heads.insert(head.writer, head);
    }

    /// From here on the order is counted anew.
    pub(crate) fn proven(&mut self, checkpoint: &Checkpoint) {
        self.order = order_after(checkpoint.order.as_bytes());
    }

    /// SHA-256 of the order of the checkpoint before, or of 32 zeros, and of the digests of all events since, 32 bytes each.
    pub(crate) fn order(&self) -> Digest {
        Digest::from_bytes(self.order.clone().finalize().into())
    }
}

fn order_after(before: &[u8; 32]) -> Sha256 {
    Sha256::new_with_prefix(before)
}
