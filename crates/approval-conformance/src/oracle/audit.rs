//! Exports of the audit, as a verifier reads them (audit.md, section 6).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonschema::Validator;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::signed::{Envelope, KeySet, Purpose};
use super::{digest, digest_of, own, read, timestamp};

const EVENT: &str = include_str!("../../schema/event.json");
const CHECKPOINT: &str = include_str!("../../schema/checkpoint.json");

/// What holds of an export.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Audit {
    pub(crate) events: u64,
    pub(crate) checkpoints: u64,
    /// How many events the last checkpoint is about, where there were keys to hold it against.
    pub(crate) proven: Option<u64>,
    /// How often a writer found that the store had lost something.
    pub(crate) forgotten: u64,
}

/// The first thing that is wrong. [AUDIT-013]
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("line {line}: {code}{}", .event.as_ref().map(|(writer, sequence)| format!(" (event {sequence} of writer {writer})")).unwrap_or_default())]
pub(crate) struct Fault {
    pub(crate) code: &'static str,
    pub(crate) line: u64,
    /// Writer and number.
    pub(crate) event: Option<(String, u64)>,
}

/// Verifies the lines of an export; `kept` is a checkpoint's envelope that was kept elsewhere.
///
/// # Errors
/// The first fault. [AUDIT-003]
pub(crate) fn verify(lines: &[String], keys: Option<&KeySet>, kept: Option<&str>) -> Result<Audit, Fault> {
    let mut verifier = Verifier::new(keys)?;
    verifier.kept = kept.map(|envelope| verifier.opened(envelope)).transpose()?;
    for line in lines {
        verifier.line += 1;
        let told = if line.starts_with("{\"payload\":") { verifier.checkpoint(line) } else { verifier.event(line) };
        // What was doubted before is the first fault.
        told.map_err(|fault| verifier.doubt.as_ref().map_or(fault, Doubt::fault))?;
    }
    verifier.at_the_end()
}

/// An event that was read.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Read {
    line: u64,
    writer: String,
    sequence: u64,
    digest: String,
}

impl Read {
    fn changed(&self) -> Fault {
        self.fault("event_changed")
    }

    fn fault(&self, code: &'static str) -> Fault {
        Fault { code, line: self.line, event: Some((self.writer.clone(), self.sequence)) }
    }

    fn head(&self) -> Value {
        json!({"digest": self.digest, "sequence": self.sequence, "writer": self.writer})
    }
}

struct Verifier<'a> {
    keys: Option<&'a KeySet>,
    events: Validator,
    checkpoints: Validator,
    line: u64,
    count: u64,
    writers_begun: u64,
    forgotten: u64,
    writers: BTreeMap<String, Read>,
    plans: BTreeMap<String, Read>,
    /// By the bytes of the writer.
    unnamed: BTreeMap<Vec<u8>, Read>,
    order: Sha256,
    /// The last checkpoint and its digest.
    last: Option<(Value, String)>,
    kept: Option<(Value, String)>,
    announced: bool,
    doubt: Option<Doubt>,
}

impl<'a> Verifier<'a> {
    fn new(keys: Option<&'a KeySet>) -> Result<Self, Fault> {
        let compiled = |schema| own(schema).map_err(|_| Fault { code: "unreadable", line: 0, event: None });
        Ok(Self {
            keys,
            events: compiled(EVENT)?,
            checkpoints: compiled(CHECKPOINT)?,
            line: 0,
            count: 0,
            writers_begun: 0,
            forgotten: 0,
            writers: BTreeMap::new(),
            plans: BTreeMap::new(),
            unnamed: BTreeMap::new(),
            order: Sha256::new_with_prefix([0; 32]),
            last: None,
            kept: None,
            announced: false,
            doubt: None,
        })
    }

    fn fault(&self, code: &'static str) -> Fault {
        Fault { code, line: self.line, event: None }
    }

    fn of(&self, code: &'static str, writer: &str, sequence: u64) -> Fault {
        Fault { code, line: self.line, event: Some((writer.to_owned(), sequence)) }
    }

    fn event(&mut self, line: &str) -> Result<(), Fault> {
        let event = canonical(line.as_bytes(), &self.events).ok_or_else(|| self.fault("line_malformed"))?;
        if self.announced {
            return Err(self.fault("checkpoint_missing"));
        }
        let (writer, sequence) = (text(&event, "/writer"), number(&event, "/sequence"));
        let read = Read { line: self.line, writer: writer.to_owned(), sequence, digest: digest_of(line.as_bytes()) };
        self.follows(&event, &read)?;
        if let Some(doubt) = self.doubt.as_ref().filter(|doubt| doubt.is_decided()) {
            return Err(doubt.fault());
        }
        let what = event.get("event").cloned().unwrap_or_default();
        self.announced = text(&what, "/kind") == "audit.checkpoint";
        self.forgotten += u64::from(what.get("forgotten").is_some() || what.get("forgottenCheckpoint").is_some());
        self.count += 1;
        self.writers_begun += u64::from(sequence == 1);
        for head in heads(&what) {
            self.unnamed.remove(&raw(text(head, "/writer")));
        }
        self.unnamed.insert(raw(writer), read.clone());
        self.order.update(hex::decode(read.digest.trim_start_matches("sha256:")).unwrap_or_default());
        if let Some(plan) = what.get("planId").and_then(Value::as_str) {
            self.plans.insert(plan.to_owned(), read.clone());
        }
        self.writers.insert(writer.to_owned(), read);
        Ok(())
    }

    fn follows(&mut self, event: &Value, read: &Read) -> Result<(), Fault> {
        let before = self.writers.get(&read.writer);
        let expected = before.map_or(1, |before| before.sequence + 1);
        if read.sequence > expected {
            return Err(self.of("event_missing", &read.writer, expected));
        }
        if read.sequence < expected {
            return Err(self.of("event_repeated", &read.writer, read.sequence));
        }
        if let Some(doubt) = &mut self.doubt {
            doubt.hear(event);
            return Ok(());
        }
        let plan = event.pointer("/event/planId").and_then(Value::as_str);
        let of_plan = plan.and_then(|plan| self.plans.get(plan));
        let link = |member: &str| event.get(member).and_then(Value::as_str);
        if link("previous") != before.map(|before| before.digest.as_str()) {
            self.doubt = Some(Doubt::new(Link::Writer, before, read, plan));
        } else if plan.is_some() && link("planPrevious") != of_plan.map(|of_plan| of_plan.digest.as_str()) {
            let mut doubt = Doubt::new(Link::Plan, of_plan, read, plan);
            // The event before is vouched for where its writer has gone on from it, or goes on with this very event.
            let is_vouched = of_plan.is_some_and(|of_plan| {
                self.writers.get(&of_plan.writer) != Some(of_plan) || link("previous") == Some(of_plan.digest.as_str())
            });
            doubt.earlier_holds = is_vouched.then_some(true);
            self.doubt = Some(doubt);
        }
        for head in event.get("event").map(heads).unwrap_or_default() {
            let known = self.writers.get(text(head, "/writer"));
            let (known, is_same) = self.held(head, known)?;
            if !is_same && self.doubt.is_none() {
                self.doubt = Some(Doubt::new(Link::Head, Some(known), read, plan));
            }
        }
        Ok(())
    }

    /// A head that was named is its writer's last event.
    fn held<'r>(&self, head: &Value, known: Option<&'r Read>) -> Result<(&'r Read, bool), Fault> {
        let (writer, sequence) = (text(head, "/writer"), number(head, "/sequence"));
        let known = known.ok_or_else(|| self.of("writer_missing", writer, sequence))?;
        if known.sequence < sequence {
            return Err(self.of("event_missing", writer, known.sequence + 1));
        }
        if known.sequence > sequence {
            return Err(self.of("event_unknown", writer, sequence + 1));
        }
        Ok((known, known.digest == text(head, "/digest")))
    }

    /// A checkpoint and the digest of its payload.
    fn opened(&self, envelope: &str) -> Result<(Value, String), Fault> {
        let (payload, key) = match self.keys {
            Some(keys) => {
                let opened = keys.open(envelope.as_bytes(), Purpose::Checkpoint);
                let (payload, key) = opened.map_err(|_| self.fault("checkpoint_signature"))?;
                (payload, Some(key))
            }
            None => {
                (Envelope::unverified(envelope.as_bytes()).ok_or_else(|| self.fault("checkpoint_malformed"))?, None)
            }
        };
        let checkpoint = canonical(&payload, &self.checkpoints).ok_or_else(|| self.fault("checkpoint_malformed"))?;
        if let Some(key) = key {
            key.good_at(text(&checkpoint, "/at")).map_err(|_| self.fault("checkpoint_signature"))?;
        }
        let of_last = self.last.as_ref().map(|(last, _)| text(last, "/audience"));
        let audience = self.keys.map(|keys| keys.audience.as_str()).or(of_last);
        if audience.is_some_and(|audience| audience != text(&checkpoint, "/audience")) {
            return Err(self.fault("checkpoint_audience"));
        }
        Ok((checkpoint, digest_of(&payload)))
    }

    fn checkpoint(&mut self, line: &str) -> Result<(), Fault> {
        if !self.announced {
            return Err(self.fault("checkpoint_unexpected"));
        }
        self.announced = false;
        let (checkpoint, digest) = self.opened(line)?;
        let expected = self.last.as_ref().map_or(1, |(last, _)| number(last, "/number") + 1);
        let previous = self.last.as_ref().map(|(_, digest)| digest.as_str());
        if number(&checkpoint, "/number") != expected || checkpoint.get("previous").and_then(Value::as_str) != previous
        {
            return Err(self.fault("checkpoint_chain"));
        }
        if let Some(doubt) = &mut self.doubt {
            doubt.hear_heads(&heads(&checkpoint));
            return Err(doubt.fault());
        }
        self.covers(&checkpoint)?;
        let order = hex::decode(text(&checkpoint, "/order").trim_start_matches("sha256:")).unwrap_or_default();
        self.order = Sha256::new_with_prefix(order);
        if let Some((_, of_kept)) = self.kept.as_ref().filter(|(kept, _)| number(kept, "/number") == expected) {
            if *of_kept != digest {
                return Err(self.fault("checkpoint_lost"));
            }
            self.kept = None;
        }
        self.last = Some((checkpoint, digest));
        Ok(())
    }

    /// What it states is what came before it. [CKPT-011]
    fn covers(&self, checkpoint: &Value) -> Result<(), Fault> {
        let listed = heads(checkpoint);
        for head in &listed {
            let (writer, sequence) = (text(head, "/writer"), number(head, "/sequence"));
            let known = self.writers.get(writer);
            let (known, is_same) = self.held(head, known).map_err(|fault| match known {
                Some(known) if fault.code == "event_unknown" => {
                    Fault { line: known.line, event: Some((known.writer.clone(), sequence + 1)), ..fault }
                }
                _ => fault,
            })?;
            if !is_same {
                return Err(known.changed());
            }
        }
        let is_listed = |known: &Read| listed.iter().any(|head| text(head, "/writer") == known.writer);
        if let Some(unknown) = self.unnamed.values().find(|known| !is_listed(known)) {
            return Err(unknown.fault("writer_unknown"));
        }
        let own: Vec<Value> = self.unnamed.values().map(Read::head).collect();
        let order = format!("sha256:{}", hex::encode(self.order.clone().finalize()));
        let holds = number(checkpoint, "/events") == self.count
            && number(checkpoint, "/writers") == self.writers_begun
            && checkpoint.get("heads") == Some(&Value::Array(own))
            && text(checkpoint, "/order") == order;
        if holds { Ok(()) } else { Err(self.fault("order")) }
    }

    /// [CKPT-012]
    fn at_the_end(mut self) -> Result<Audit, Fault> {
        if let Some(doubt) = &self.doubt {
            return Err(doubt.fault());
        }
        self.line += 1;
        if self.announced {
            return Err(self.fault("checkpoint_missing"));
        }
        if let Some((kept, _)) = &self.kept {
            let is_cut = number(kept, "/events") > self.count;
            return Err(self.fault(if is_cut { "tail_missing" } else { "checkpoint_lost" }));
        }
        if self.count == 0 {
            return Err(self.fault("no_events"));
        }
        let of_last = |member: &str| self.last.as_ref().map_or(0, |(last, _)| number(last, member));
        Ok(Audit {
            events: self.count,
            checkpoints: of_last("/number"),
            proven: self.keys.map(|_| of_last("/events")),
            forgotten: self.forgotten,
        })
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Link {
    Head,
    Plan,
    Writer,
}

/// A link that does not hold, between an earlier event and the later one that has it. [AUDIT-015]
#[derive(Debug)]
struct Doubt {
    link: Link,
    earlier: Option<Read>,
    later: Read,
    plan: Option<String>,
    earlier_holds: Option<bool>,
    later_holds: Option<bool>,
}

impl Doubt {
    fn new(link: Link, earlier: Option<&Read>, later: &Read, plan: Option<&str>) -> Self {
        let (earlier, later, plan) = (earlier.cloned(), later.clone(), plan.map(str::to_owned));
        Self { link, earlier, later, plan, earlier_holds: None, later_holds: None }
    }

    /// Whether an event that comes later vouches for one of the two, or contradicts.
    fn hear(&mut self, event: &Value) {
        if self.later_holds.is_none() {
            self.later_holds = says(event, &self.later);
            let is_of_plan =
                self.plan.is_some() && event.pointer("/event/planId").and_then(Value::as_str) == self.plan.as_deref();
            if self.later_holds.is_none() && is_of_plan && text(event, "/planPrevious") == self.later.digest {
                self.later_holds = Some(true);
            }
        }
        if let Some(earlier) = self.earlier.as_ref().filter(|_| self.earlier_holds.is_none()) {
            self.earlier_holds = says(event, earlier);
        }
    }

    fn hear_heads(&mut self, heads: &[&Value]) {
        self.later_holds = self.later_holds.or_else(|| named(heads, &self.later));
        self.earlier_holds =
            self.earlier_holds.or_else(|| self.earlier.as_ref().and_then(|earlier| named(heads, earlier)));
    }

    fn is_decided(&self) -> bool {
        if self.link != Link::Plan {
            return self.later_holds.is_some() || self.earlier_holds == Some(true);
        }
        let is_both = self.later_holds.is_some() && (self.earlier.is_none() || self.earlier_holds.is_some());
        self.later_holds == Some(false) || self.earlier_holds == Some(false) || is_both
    }

    fn fault(&self) -> Fault {
        if self.later_holds == Some(false) {
            return self.later.changed();
        }
        match &self.earlier {
            Some(earlier) if self.earlier_holds != Some(true) => earlier.changed(),
            Some(_) if self.link != Link::Plan => self.later.changed(),
            _ => self.later.fault("plan_event_missing"),
        }
    }
}

/// What an event says of another one.
fn says(event: &Value, of: &Read) -> Option<bool> {
    if text(event, "/writer") == of.writer && number(event, "/sequence") == of.sequence + 1 {
        return Some(text(event, "/previous") == of.digest);
    }
    named(&event.get("event").map(heads).unwrap_or_default(), of)
}

fn named(heads: &[&Value], of: &Read) -> Option<bool> {
    let named =
        heads.iter().find(|head| text(head, "/writer") == of.writer && number(head, "/sequence") == of.sequence);
    named.map(|head| text(head, "/digest") == of.digest)
}

fn heads(of: &Value) -> Vec<&Value> {
    of.get("heads").and_then(Value::as_array).into_iter().flatten().collect()
}

fn raw(writer: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(writer).unwrap_or_default()
}

fn text<'v>(value: &'v Value, path: &str) -> &'v str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

fn number(value: &Value, path: &str) -> u64 {
    value.pointer(path).and_then(Value::as_u64).unwrap_or_default()
}

/// A document of that form in canonical bytes.
fn canonical(bytes: &[u8], schema: &Validator) -> Option<Value> {
    let value = read(bytes).ok().filter(|value| schema.is_valid(value))?;
    let is_canonical = digest(&value).ok()? == digest_of(bytes);
    (is_canonical && timestamp(text(&value, "/at")).is_some()).then_some(value)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::verify;
    use crate::oracle::signed::KeySet;
    use crate::oracle::vectors::{each, patched};

    #[test]
    fn exports_are_verified_as_the_vectors_say() {
        each(include_str!("../../vectors/audit.json"), |file, input| {
            let given = patched(file["audits"][input["audit"].as_str()?].clone(), input.get("change"));
            // Nobody hands the harness an anchor.
            if given.get("anchor").is_some() {
                return None;
            }
            let keys = given.get("keySet").map(|keys| KeySet::read(&serde_json::to_vec(keys).unwrap_or_default()));
            let keys = keys.transpose().unwrap_or_else(|error| panic!("{error}"));
            let lines = given["lines"].as_array()?.iter().filter_map(Value::as_str).map(str::to_owned);
            let kept = given.get("checkpoint").and_then(Value::as_str).map(|kept| kept.trim_end_matches('\n'));
            Some(match verify(&lines.collect::<Vec<_>>(), keys.as_ref(), kept) {
                Ok(audit) => {
                    let mut found = json!({
                        "verdict": "accepted",
                        "events": audit.events,
                        "checkpoints": audit.checkpoints,
                        "forgotten": audit.forgotten,
                    });
                    if let Some(proven) = audit.proven {
                        found["proven"] = proven.into();
                    }
                    found
                }
                Err(fault) => {
                    let mut found = json!({"verdict": "refused", "reason": fault.code, "line": fault.line});
                    if let Some((writer, sequence)) = fault.event {
                        found["writer"] = writer.into();
                        found["sequence"] = sequence.into();
                    }
                    found
                }
            })
        });
    }
}
