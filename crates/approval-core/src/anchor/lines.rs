//! What the lines of an anchor's file say.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{AnchorEntry, AnchorError, AnchorKind, CheckpointMark};
use crate::digest::Digest;
use crate::id::{Audience, ClaimId, PlanId, WriterId};
use crate::instant::Timestamp;
use crate::json::{Document, Limits};
use crate::seal::Tag;

/// The first line: whose anchor it is, and which writing of the whole file this is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Head {
    r#type: HeadType,
    pub(super) audience: Audience,
    /// Random, and new whenever the file is written anew: who has read so far into another one begins again.
    pub(super) generation: WriterId,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum HeadType {
    #[serde(rename = "mutation-approval/anchor/v0")]
    V0,
}

impl Head {
    pub(super) fn new(audience: Audience, generation: WriterId) -> Self {
        Self { r#type: HeadType::V0, audience, generation }
    }
}

/// What a line after the first one says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnchorRecord {
    /// Which checkpoint was the last: of several, the last one counts.
    Checkpoint(CheckpointMark),
    /// What happened to a plan.
    Entry(AnchorEntry),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct EntryLine {
    r#type: EntryType,
    plan_id: PlanId,
    kind: EntryKind,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::record::optional::present")]
    claim_id: Option<ClaimId>,
    plan_expires_at: Timestamp,
    effects: Vec<Tag>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum EntryType {
    #[serde(rename = "mutation-approval/anchor-entry/v0")]
    V0,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum EntryKind {
    Claimed,
    Rejected,
    Withdrawn,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CheckpointLine {
    r#type: CheckpointLineType,
    number: u64,
    digest: Digest,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum CheckpointLineType {
    #[serde(rename = "mutation-approval/anchor-checkpoint/v0")]
    V0,
}

impl AnchorRecord {
    /// The record's line.
    pub(super) fn line(&self) -> Result<Vec<u8>, AnchorError> {
        match self {
            Self::Checkpoint(CheckpointMark { number, digest }) => {
                line(&CheckpointLine { r#type: CheckpointLineType::V0, number: *number, digest: *digest })
            }
            Self::Entry(entry) => {
                let (kind, claim_id) = match entry.kind {
                    AnchorKind::Claimed(claim) => (EntryKind::Claimed, Some(claim)),
                    AnchorKind::Rejected => (EntryKind::Rejected, None),
                    AnchorKind::Withdrawn => (EntryKind::Withdrawn, None),
                };
                line(&EntryLine {
                    r#type: EntryType::V0,
                    plan_id: entry.plan,
                    kind,
                    claim_id,
                    plan_expires_at: entry.plan_expires_at,
                    effects: entry.effects.clone(),
                })
            }
        }
    }

    /// Reads a line, without its end.
    pub(super) fn read(text: &[u8]) -> Result<Self, String> {
        let document = canonical(text)?;
        if let Ok(CheckpointLine { number, digest, .. }) = document.read() {
            return Ok(Self::Checkpoint(CheckpointMark { number, digest }));
        }
        let EntryLine { plan_id: plan, kind, claim_id, plan_expires_at, effects, .. } =
            document.read().map_err(|error| error.to_string())?;
        let kind = match (kind, claim_id) {
            (EntryKind::Claimed, Some(claim)) => AnchorKind::Claimed(claim),
            (EntryKind::Rejected, None) => AnchorKind::Rejected,
            (EntryKind::Withdrawn, None) => AnchorKind::Withdrawn,
            (EntryKind::Claimed, None) => return Err("a claim without its id".to_owned()),
            (EntryKind::Rejected | EntryKind::Withdrawn, Some(_)) => {
                return Err("the claim of a plan that was not claimed".to_owned());
            }
        };
        Ok(Self::Entry(AnchorEntry { plan, kind, plan_expires_at, effects }))
    }

    /// The plan of an entry.
    pub(super) fn plan(&self) -> Option<PlanId> {
        match self {
            Self::Checkpoint(_) => None,
            Self::Entry(entry) => Some(entry.plan),
        }
    }
}

/// What the file of an anchor remembers, for whoever holds an audit against a copy of it, in the order of its lines. What a crash
/// left at the end is left out.
///
/// # Errors
/// When a line isn't what it must be.
pub fn read_anchor(text: &[u8]) -> Result<(Audience, Vec<AnchorRecord>), AnchorError> {
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    let mut lines = text.split_at(whole).0.split_inclusive(|byte| *byte == b'\n').map(without_end).zip(1..);
    let named = |number: u64, why: String| AnchorError(format!("line {number}: {why}"));
    let head: Head = read(lines.next().map_or(&[], |(line, _)| line)).map_err(|why| named(1, why))?;
    let records = lines.map(|(line, number)| AnchorRecord::read(line).map_err(|why| named(number, why)));
    Ok((head.audience, records.collect::<Result<_, _>>()?))
}

pub(super) fn without_end(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\n").unwrap_or(line)
}

pub(super) fn line<T: Serialize>(record: &T) -> Result<Vec<u8>, AnchorError> {
    let document = Document::from_serialize(record, &Limits::PLAN).map_err(|error| AnchorError(error.to_string()))?;
    let mut bytes = document.into_bytes();
    bytes.push(b'\n');
    Ok(bytes)
}

pub(super) fn read<T: DeserializeOwned>(text: &[u8]) -> Result<T, String> {
    canonical(text)?.read().map_err(|error| error.to_string())
}

fn canonical(text: &[u8]) -> Result<Document, String> {
    let document = Document::parse(text, &Limits::PLAN).map_err(|error| error.to_string())?;
    if document.as_bytes() == text { Ok(document) } else { Err("not in canonical form".to_owned()) }
}
