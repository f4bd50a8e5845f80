//! Verifying an exported audit, with nothing but the file and public keys.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{BufRead, Read as _};

use super::checkpoint::{Checkpoint, Extent};
use super::fault::{AuditFault, FaultCode, Place};
use super::line::{self, EnvelopeFault, Facts};
use super::suspicion::{Link, Read, Suspicion};
use super::{EventKind, Head};
use crate::anchor::{AnchorKind, AnchorRecord, CheckpointMark};
use crate::digest::Digest;
use crate::id::{ClaimId, PlanId, WriterId};
use crate::signing::KeySet;

/// What an audit is held against, each as far as it is at hand.
#[derive(Clone, Copy, Debug, Default)]
pub struct Evidence<'a> {
    /// The installation's public keys. Without them links are verified, and no signature.
    pub keys: Option<&'a KeySet>,
    /// A checkpoint's envelope that was kept elsewhere: the audit must go as far as that.
    pub checkpoint: Option<&'a [u8]>,
    /// What an anchor remembers: the audit must tell of it.
    pub anchor: &'a [AnchorRecord],
}

/// What holds of an audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditReport {
    /// How many events there are.
    pub events: u64,
    /// How many checkpoints.
    pub checkpoints: u64,
    /// How many events the last checkpoint proves, where its signature was verified. What lies after it may be cut or written by
    /// anyone. [AUDIT-014]
    pub proven: Option<u64>,
    /// How often a writer found that the store had forgotten something: that an older copy of it was put back.
    pub forgotten: u64,
    /// The last event of every writer, in the order of the writers' ids.
    pub heads: Vec<Head>,
}

/// Verifies an export without keys: its links only. A file that was rewritten from its beginning on has whole links too.
///
/// # Errors
/// The first fault, by its position.
pub fn verify_lines(lines: impl BufRead) -> Result<AuditReport, AuditFault> {
    verify(lines, &Evidence::default())
}

/// The longest line that is read. A checkpoint names every writer, some 200 bytes for each; an event takes a few thousand.
const LONGEST_LINE: u64 = 16 << 20;

/// Verifies an export: JSON lines of events and checkpoints, in the order in which they were committed. [AUDIT-003] [CKPT-010]
///
/// Each event must follow its writer's last event, and its plan's; the heads that a writer names at its beginning must be there;
/// and what a checkpoint signs must be what came before it. Memory grows with the number of writers and plans, not of events.
///
/// # Errors
/// The first fault, by its position.
pub fn verify(mut lines: impl BufRead, evidence: &Evidence<'_>) -> Result<AuditReport, AuditFault> {
    let mut verifier = Verifier::new(evidence)?;
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = lines.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line);
        let read = read.map_err(|error| verifier.fault(FaultCode::Unreadable, error.to_string()))?;
        if read == 0 {
            return verifier.end();
        }
        verifier.line += 1;
        if read as u64 == LONGEST_LINE && !line.ends_with(b"\n") {
            return Err(verifier.fault(FaultCode::Unreadable, format!("a line of more than {LONGEST_LINE} bytes")));
        }
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        let taken = if line::is_envelope(text) { verifier.checkpoint(text) } else { verifier.event(text) };
        // What was suspected before is the first fault.
        taken.map_err(|fault| verifier.suspicion.as_ref().map_or(fault, Suspicion::fault))?;
    }
}

struct Verifier<'a> {
    keys: Option<&'a KeySet>,
    line: u64,
    extent: Extent,
    writers: HashMap<WriterId, Read>,
    plans: HashMap<PlanId, Read>,
    /// The last checkpoint, and its line.
    last: Option<(Checkpoint, Digest, u64)>,
    /// An event has told of a checkpoint, and nothing has come since.
    announced: bool,
    suspicion: Option<Suspicion>,
    forgotten: u64,
    wanted: Wanted,
}

/// What must be in the audit, by what is known from elsewhere.
#[derive(Default)]
struct Wanted {
    claims: BTreeMap<ClaimId, PlanId>,
    ends: BTreeSet<PlanId>,
    marks: BTreeMap<u64, Digest>,
    checkpoint: Option<(Checkpoint, Digest)>,
}

impl<'a> Verifier<'a> {
    fn new(evidence: &Evidence<'a>) -> Result<Self, AuditFault> {
        let mut wanted = Wanted::default();
        for record in evidence.anchor {
            match record {
                AnchorRecord::Entry(entry) => match entry.kind {
                    AnchorKind::Claimed(claim) => drop(wanted.claims.insert(claim, entry.plan)),
                    AnchorKind::Rejected | AnchorKind::Withdrawn => drop(wanted.ends.insert(entry.plan)),
                },
                AnchorRecord::Checkpoint(CheckpointMark { number, digest }) => {
                    // Of several, the last one counts.
                    wanted.marks = BTreeMap::from([(*number, *digest)]);
                }
            }
        }
        let mut verifier = Self {
            keys: evidence.keys,
            line: 0,
            extent: Extent::default(),
            writers: HashMap::new(),
            plans: HashMap::new(),
            last: None,
            announced: false,
            suspicion: None,
            forgotten: 0,
            wanted,
        };
        if let Some(envelope) = evidence.checkpoint {
            let opened = line::checkpoint(envelope.strip_suffix(b"\n").unwrap_or(envelope), evidence.keys);
            let opened = opened.map_err(|fault| {
                let fault = verifier.of_envelope(fault);
                AuditFault { detail: format!("the checkpoint that was kept elsewhere: {}", fault.detail), ..fault }
            })?;
            verifier.is_ours(&opened.checkpoint)?;
            verifier.wanted.checkpoint = Some((opened.checkpoint, opened.digest));
        }
        Ok(verifier)
    }

    fn event(&mut self, text: &[u8]) -> Result<(), AuditFault> {
        let event = line::event(text).map_err(|why| self.fault(FaultCode::LineMalformed, why))?;
        if self.announced {
            let detail = "the event before it tells of a checkpoint".to_owned();
            return Err(self.fault(FaultCode::CheckpointMissing, detail));
        }
        let read = Read { line: self.line, writer: event.writer, sequence: event.sequence, digest: event.digest };
        self.follows(&event, read)?;
        if let Some(suspicion) = &mut self.suspicion
            && suspicion.is_settled()
        {
            return Err(suspicion.fault());
        }
        self.announced = event.kind == EventKind::AuditCheckpoint;
        self.forgotten += u64::from(event.forgotten > 0);
        self.tell(&event);
        self.extent.add(Head { writer: read.writer, sequence: read.sequence, digest: read.digest }, &event.heads);
        self.writers.insert(read.writer, read);
        if let Some(plan) = event.plan {
            self.plans.insert(plan, read);
        }
        Ok(())
    }

    /// The event's place among the others: by its number and its links.
    fn follows(&mut self, event: &Facts, read: Read) -> Result<(), AuditFault> {
        let before = self.writers.get(&event.writer).copied();
        let expected = before.map_or(1, |before| before.sequence + 1);
        if event.sequence != expected {
            let missing = event.sequence > expected;
            let code = if missing { FaultCode::EventMissing } else { FaultCode::EventRepeated };
            // What is missing is the one that belongs here; what is repeated is the one that is here.
            let sequence = if missing { expected } else { event.sequence };
            let detail = format!("event {} comes where event {expected} belongs", event.sequence);
            let place = Place { line: self.line, writer: Some(event.writer), sequence: Some(sequence) };
            return Err(AuditFault { code, place, detail });
        }
        if let Some(suspicion) = &mut self.suspicion {
            suspicion.hear(event);
            return Ok(());
        }
        let holds =
            |accused: &Read| self.writers.get(&accused.writer).is_some_and(|last| last.sequence > accused.sequence);
        let plan_before = event.plan.and_then(|plan| self.plans.get(&plan).copied());
        if !links(event.previous, before) {
            self.suspicion = Some(Suspicion::new(Link::Lane, read, event.plan, before, false));
        } else if !links(event.plan_previous, plan_before) {
            // The event may vouch by one link for what the other one leaves out.
            let known = plan_before.is_some_and(|accused| holds(&accused) || event.previous == Some(accused.digest));
            self.suspicion = Some(Suspicion::new(Link::Plan, read, event.plan, plan_before, known));
        }
        for head in &event.heads {
            match self.writers.get(&head.writer) {
                Some(known) if known.sequence == head.sequence => {
                    if known.digest != head.digest && self.suspicion.is_none() {
                        self.suspicion = Some(Suspicion::new(Link::Head, read, event.plan, Some(*known), false));
                    }
                }
                known => {
                    let (code, sequence) = match known {
                        Some(known) if known.sequence < head.sequence => (FaultCode::EventMissing, known.sequence + 1),
                        Some(_) => (FaultCode::EventUnknown, head.sequence + 1),
                        None => (FaultCode::WriterMissing, head.sequence),
                    };
                    let place = Place { line: self.line, writer: Some(head.writer), sequence: Some(sequence) };
                    let detail = format!("the writer that begins here names event {} of it as its last", head.sequence);
                    return Err(AuditFault { code, place, detail });
                }
            }
        }
        Ok(())
    }

    /// Takes note of what an event tells of that is known from elsewhere.
    fn tell(&mut self, event: &Facts) {
        match (event.kind, event.plan, event.claim) {
            (EventKind::ExecutionClaimed, _, Some(claim)) => drop(self.wanted.claims.remove(&claim)),
            (EventKind::DecisionRejected | EventKind::DecisionWithdrawn, Some(plan), _) => {
                self.wanted.ends.remove(&plan);
            }
            _ => {}
        }
    }

    fn checkpoint(&mut self, text: &[u8]) -> Result<(), AuditFault> {
        if !std::mem::take(&mut self.announced) {
            let detail = "no event right before it tells of a checkpoint".to_owned();
            return Err(self.fault(FaultCode::CheckpointUnexpected, detail));
        }
        let opened = line::checkpoint(text, self.keys).map_err(|fault| self.of_envelope(fault))?;
        let (checkpoint, digest) = (opened.checkpoint, opened.digest);
        self.is_ours(&checkpoint)?;
        let before = self.last.as_ref();
        let number = before.map_or(1, |(before, ..)| before.number + 1);
        if checkpoint.number != number || checkpoint.previous != before.map(|(_, digest, _)| *digest) {
            let detail = format!("checkpoint {} does not follow the one before it", checkpoint.number);
            return Err(self.fault(FaultCode::CheckpointChain, detail));
        }
        if let Some(suspicion) = &mut self.suspicion {
            for head in &checkpoint.heads {
                suspicion.hear_signed(head.writer, head.sequence, head.digest);
            }
            return Err(suspicion.fault());
        }
        self.covers(&checkpoint)?;
        self.extent.proven(&checkpoint);
        if self.wanted.marks.get(&number) == Some(&digest) {
            self.wanted.marks.remove(&number);
        }
        if let Some((kept, kept_digest)) = &self.wanted.checkpoint
            && kept.number == number
        {
            if *kept_digest != digest {
                return Err(self.fault(FaultCode::CheckpointLost, forked(number)));
            }
            self.wanted.checkpoint = None;
        }
        self.last = Some((checkpoint, digest, self.line));
        Ok(())
    }

    /// What was signed is what came before. [CKPT-011]
    fn covers(&self, checkpoint: &Checkpoint) -> Result<(), AuditFault> {
        let since = self.last.as_ref().map_or(1, |(.., line)| line + 1);
        let of_writer = |code, writer, sequence, line, detail: String| {
            Err(AuditFault { code, place: Place { line, writer: Some(writer), sequence: Some(sequence) }, detail })
        };
        for head in &checkpoint.heads {
            let Head { writer, sequence, digest } = *head;
            let detail = format!("checkpoint {} proves event {sequence} of it", checkpoint.number);
            match self.writers.get(&writer) {
                None => return of_writer(FaultCode::WriterMissing, writer, sequence, self.line, detail),
                Some(known) if known.sequence < sequence => {
                    return of_writer(FaultCode::EventMissing, writer, known.sequence + 1, self.line, detail);
                }
                Some(known) if known.sequence > sequence => {
                    return of_writer(FaultCode::EventUnknown, writer, sequence + 1, known.line, detail);
                }
                Some(known) if known.digest != digest => {
                    let detail =
                        format!("{detail} otherwise: it, or one of its writer's since line {since}, was changed");
                    return of_writer(FaultCode::EventChanged, writer, sequence, known.line, detail);
                }
                Some(_) => {}
            }
        }
        let listed: BTreeSet<WriterId> = checkpoint.heads.iter().map(|head| head.writer).collect();
        if let Some(head) = self.extent.heads.values().find(|head| !listed.contains(&head.writer)) {
            let line = self.writers.get(&head.writer).map_or(self.line, |read| read.line);
            let detail = format!("checkpoint {} does not know the writer", checkpoint.number);
            return of_writer(FaultCode::WriterUnknown, head.writer, head.sequence, line, detail);
        }
        let same = checkpoint.events == self.extent.events
            && checkpoint.writers == self.extent.writers
            && checkpoint.heads.len() == self.extent.heads.len()
            && checkpoint.heads.iter().eq(self.extent.heads.values())
            && checkpoint.order == self.extent.order();
        if same {
            Ok(())
        } else {
            let detail =
                format!("the events of the lines {since} to {} are not in the order that was signed", self.line - 1);
            Err(self.fault(FaultCode::Order, detail))
        }
    }

    /// [CKPT-012]
    fn end(mut self) -> Result<AuditReport, AuditFault> {
        if let Some(suspicion) = &self.suspicion {
            return Err(suspicion.fault());
        }
        self.line += 1;
        if self.announced {
            let detail = "the last event tells of a checkpoint".to_owned();
            return Err(self.fault(FaultCode::CheckpointMissing, detail));
        }
        if let Some((kept, _)) = &self.wanted.checkpoint {
            let (code, detail) = if kept.events > self.extent.events {
                let (has, proves) = (self.extent.events, kept.events);
                let detail = format!("it ends after event {has}; checkpoint {} proves {proves}", kept.number);
                (FaultCode::TailMissing, detail)
            } else {
                (FaultCode::CheckpointLost, forked(kept.number))
            };
            return Err(self.fault(code, detail));
        }
        if let Some((claim, plan)) = self.wanted.claims.iter().next() {
            let detail = format!("the anchor knows attempt `{claim}` of plan `{plan}`");
            return Err(self.fault(FaultCode::AttemptMissing, detail));
        }
        if let Some(plan) = self.wanted.ends.iter().next() {
            let detail = format!("the anchor knows that plan `{plan}` was rejected or withdrawn");
            return Err(self.fault(FaultCode::EndMissing, detail));
        }
        if let Some(number) = self.wanted.marks.keys().next() {
            let last = self.last.as_ref().map_or(0, |(last, ..)| last.number);
            let code = if *number > last { FaultCode::TailMissing } else { FaultCode::CheckpointLost };
            return Err(self.fault(code, format!("the anchor knows checkpoint {number}")));
        }
        if self.extent.events == 0 {
            return Err(self.fault(FaultCode::NoEvents, "nothing was verified".to_owned()));
        }
        let mut heads: Vec<_> = self.writers.into_values().collect();
        heads.sort_by_key(|read| read.writer);
        let head = |Read { writer, sequence, digest, .. }: Read| Head { writer, sequence, digest };
        Ok(AuditReport {
            events: self.extent.events,
            checkpoints: self.last.as_ref().map_or(0, |(last, ..)| last.number),
            proven: self.keys.map(|_| self.last.as_ref().map_or(0, |(last, ..)| last.events)),
            forgotten: self.forgotten,
            heads: heads.into_iter().map(head).collect(),
        })
    }

    fn is_ours(&self, checkpoint: &Checkpoint) -> Result<(), AuditFault> {
        let before = self.last.as_ref().map(|(last, ..)| &last.audience);
        match self.keys.map(KeySet::audience).or(before) {
            Some(audience) if *audience != checkpoint.audience => {
                let detail = format!("it is of `{}`", checkpoint.audience);
                Err(self.fault(FaultCode::CheckpointAudience, detail))
            }
            _ => Ok(()),
        }
    }

    fn of_envelope(&self, fault: EnvelopeFault) -> AuditFault {
        match fault {
            EnvelopeFault::Malformed(why) => self.fault(FaultCode::CheckpointMalformed, why),
            EnvelopeFault::Signature(code, why) => self.fault(FaultCode::CheckpointSignature, format!("{code}: {why}")),
        }
    }

    fn fault(&self, code: FaultCode, detail: String) -> AuditFault {
        AuditFault { code, place: Place { line: self.line, writer: None, sequence: None }, detail }
    }
}

/// Whether the link is that to the event before, or there is neither. Everything here is public: no comparison gives anything away.
fn links(link: Option<Digest>, before: Option<Read>) -> bool {
    match (link, before) {
        (Some(link), Some(before)) => link.as_bytes() == before.digest.as_bytes(),
        (None, None) => true,
        _ => false,
    }
}

fn forked(number: u64) -> String {
    format!(
        "checkpoint {number} is not the one that is known from elsewhere: the audit was put back, and went on from there"
    )
}
