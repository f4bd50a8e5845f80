//! One line of an export.

mod scan;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::{Checkpoint, Event, EventKind, Head};
use crate::digest::Digest;
use crate::id::{ClaimId, PlanId, WriterId};
use crate::json::{Document, Limits};
use crate::record::Record as _;
use crate::signing::{self, KeySet, SigningPurpose};

/// What a line begins with that is a signed envelope: its canonical form has no member before `payload`.
const ENVELOPE: &[u8] = br#"{"payload":"#;

/// What verification needs to know of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) digest: Digest,
    pub(super) writer: WriterId,
    pub(super) sequence: u64,
    pub(super) previous: Option<Digest>,
    pub(super) plan: Option<PlanId>,
    pub(super) plan_previous: Option<Digest>,
    pub(super) kind: EventKind,
    pub(super) claim: Option<ClaimId>,
    pub(super) heads: Vec<Head>,
    pub(super) forgotten: usize,
}

/// Whether the line is to be read as a signed envelope.
pub(super) fn is_envelope(line: &[u8]) -> bool {
    line.starts_with(ENVELOPE)
}

/// Reads an event, which must be canonical and closed.
pub(super) fn event(line: &[u8]) -> Result<Facts, String> {
    match scan::event(line) {
        Some(facts) => Ok(facts),
        None => read_event(line),
    }
}

/// As [`event`], for every event there can be.
fn read_event(line: &[u8]) -> Result<Facts, String> {
    let document = Document::parse(line, &Limits::PLAN).map_err(|error| error.to_string())?;
    if document.as_bytes() != line {
        return Err("not in canonical form".to_owned());
    }
    // The digest is of what was read, not of what a typed reading would write. [DIG-046]
    let event = Event::read(&document).map_err(|error| error.to_string())?;
    Ok(Facts {
        digest: document.digest(),
        writer: event.writer,
        sequence: event.sequence,
        previous: event.previous,
        plan: event.event.plan_id,
        plan_previous: event.plan_previous,
        kind: event.event.kind,
        claim: event.event.claim_id,
        heads: event.event.heads,
        forgotten: event.event.forgotten.len() + usize::from(event.event.forgotten_checkpoint.is_some()),
    })
}

/// What an envelope holds, and the digest of it.
pub(super) struct Opened {
    pub(super) checkpoint: Checkpoint,
    pub(super) digest: Digest,
}

/// Why an envelope isn't taken.
pub(super) enum EnvelopeFault {
    Malformed(String),
    Signature(&'static str, String),
}

/// Opens a checkpoint's envelope: with keys, its signature must hold, at the time that the checkpoint says. [CKPT-010]
pub(super) fn checkpoint(line: &[u8], keys: Option<&KeySet>) -> Result<Opened, EnvelopeFault> {
    let Some(keys) = keys else { return unverified(line).and_then(|payload| read(&payload)) };
    let refused = |fault: signing::SignatureFault| EnvelopeFault::Signature(fault.code(), fault.to_string());
    let signed = signing::open(line, SigningPurpose::Checkpoint, keys).map_err(refused)?;
    let opened = read(signed.payload())?;
    signed.at(opened.checkpoint.at).map_err(refused)?;
    Ok(opened)
}

fn read(payload: &[u8]) -> Result<Opened, EnvelopeFault> {
    let malformed = |why: String| EnvelopeFault::Malformed(why);
    let document = Document::parse(payload, &Limits::PLAN).map_err(|error| malformed(error.to_string()))?;
    if document.as_bytes() != payload {
        return Err(malformed("not in canonical form".to_owned()));
    }
    let checkpoint = document.read().map_err(|error| malformed(error.to_string()))?;
    Ok(Opened { checkpoint, digest: document.digest() })
}

/// The payload of an envelope whose signature nobody can verify without keys.
fn unverified(line: &[u8]) -> Result<Vec<u8>, EnvelopeFault> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Envelope {
        payload: String,
        payload_type: String,
        #[serde(rename = "signatures")]
        _signatures: serde_json::Value,
    }
    let malformed = |why: &str| EnvelopeFault::Malformed(why.to_owned());
    let document = Document::parse(line, &Limits::PLAN).map_err(|error| malformed(&error.to_string()))?;
    let envelope: Envelope = document.read().map_err(|error| malformed(&error.to_string()))?;
    if document.as_bytes() != line || envelope.payload_type != SigningPurpose::Checkpoint.payload_type() {
        return Err(malformed("not a checkpoint's envelope in canonical form"));
    }
    STANDARD.decode(envelope.payload).map_err(|_| malformed("the payload is not base64"))
}
