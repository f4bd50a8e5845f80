"""Exports of the audit, verified as spec/v0/audit.md, sections 3 to 6, lays it down. CC0 1.0."""

import dataclasses
import hashlib
import json

import gate
import records
import signatures
import strict_json

KINDS = tuple(
    "account.changed anchor.renewed audit.checkpoint audit.started challenge.created challenge.expired decision.approved"
    " decision.refused decision.rejected decision.withdrawn execution.applied execution.claimed execution.conflict"
    " execution.failed execution.partial execution.reconciled execution.refused execution.settled_late execution.unknown"
    " key.rotated plan.cancelled plan.created plan.denied plan.expired plan.pruned plan.stale requester.muted requester.unmuted"
    " server.paused server.resumed".split()
)
HEAD = {"digest": records.digest, "sequence": records.number, "writer": records.identifier}
EVENT = {
    "type": "mutation-approval/event/v0",
    "writer": records.identifier,
    "sequence": records.number,
    "previous?": records.digest,
    "planPrevious?": records.digest,
    "at": records.timestamp,
    "event": {
        "kind": KINDS,
        "planId?": records.plan_id,
        "planDigest?": records.digest,
        "actor?": records.tag,
        "subject?": records.tag,
        "challengeId?": records.identifier,
        "claimId?": records.identifier,
        "recordDigest?": records.digest,
        "reason?": tuple(gate.RETRY),
        "enforcement?": records.enforcement,
        "heads?": [HEAD],
        "forgotten?": [records.identifier],
        "forgottenCheckpoint?": records.digest,
    },
}
CHECKPOINT = {
    "type": "mutation-approval/checkpoint/v0",
    "audience": records.name,
    "number": records.number,
    "previous?": records.digest,
    "at": records.timestamp,
    "events": records.number,
    "writers": records.number,
    "heads": [HEAD],
    "order": records.digest,
}
ENVELOPE = b'{"payload":'


class Fault(Exception):
    """The first thing that is wrong: its code, and where."""

    def __init__(self, code, line, writer=None, sequence=None):
        super().__init__(code)
        self.code, self.line, self.writer, self.sequence = code, line, writer, sequence


@dataclasses.dataclass(frozen=True)
class Read:
    """An event that was read."""

    line: int
    writer: str
    sequence: int
    digest: str


def verify(text, key_set=None, audience=None, kept=None, anchor=()):
    """What holds of an export, or raises Fault. `anchor` is the lines of a copy of the anchor's file."""
    return _Verifier(key_set, audience, kept, anchor).run(text)


class _Verifier:
    def __init__(self, key_set, audience, kept, anchor):
        self.key_set, self.audience = key_set, audience
        self.line = self.count = self.writers_begun = self.forgotten = 0
        self.writers, self.plans, self.unnamed = {}, {}, {}
        self.order = hashlib.sha256(bytes(32))
        self.last = self.last_digest = self.doubt = None
        self.last_line = 0
        self.announced = False
        self.claims, self.ends, self.marks = {}, set(), {}
        for record in map(json.loads, anchor):
            if record.get("kind") == "claimed":
                self.claims[record["claimId"]] = record["planId"]
            elif "kind" in record:
                self.ends.add(record["planId"])
            elif "number" in record:
                self.marks = {record["number"]: record["digest"]}
        self.kept = None
        if kept is not None:
            self.kept = self.opened(kept.removesuffix(b"\n"))

    def run(self, text):
        lines = text.split(b"\n")
        if lines[-1] == b"":
            lines.pop()
        for line in lines:
            self.line += 1
            try:
                self.checkpoint(line) if line.startswith(ENVELOPE) else self.event(line)
            except Fault:
                # What was doubted before is the first fault.
                if self.doubt:
                    raise self.doubt.fault() from None
                raise
        self.at_the_end()
        found = {"events": self.count, "checkpoints": self.last["number"] if self.last else 0}
        if self.key_set is not None:
            found["proven"] = self.last["events"] if self.last else 0
        return {**found, "forgotten": self.forgotten}

    def event(self, line):
        try:
            document = strict_json.admit(line, strict_json.PLAN)
            records.fits(document.value, EVENT, "")
        except (strict_json.Refused, records.Misfit):
            raise Fault("line_malformed", self.line) from None
        if document.canonical != line:
            raise Fault("line_malformed", self.line)
        if self.announced:
            raise Fault("checkpoint_missing", self.line)
        event, what = document.value, document.value["event"]
        read = Read(self.line, event["writer"], event["sequence"], document.digest)
        self.follows(event, read)
        if self.doubt and self.doubt.decided():
            raise self.doubt.fault()

        self.announced = what["kind"] == "audit.checkpoint"
        self.forgotten += "forgotten" in what or "forgottenCheckpoint" in what
        if what["kind"] == "execution.claimed":
            self.claims.pop(what.get("claimId"), None)
        if what["kind"] in ("decision.rejected", "decision.withdrawn"):
            self.ends.discard(what.get("planId"))
        self.count += 1
        self.writers_begun += read.sequence == 1
        for head in what.get("heads", []):
            self.unnamed.pop(head["writer"], None)
        self.unnamed[read.writer] = self.writers[read.writer] = read
        self.order.update(bytes.fromhex(read.digest.removeprefix("sha256:")))
        if "planId" in what:
            self.plans[what["planId"]] = read

    def follows(self, event, read):
        before = self.writers.get(read.writer)
        expected = before.sequence + 1 if before else 1
        if read.sequence > expected:
            raise Fault("event_missing", self.line, read.writer, expected)
        if read.sequence < expected:
            raise Fault("event_repeated", self.line, read.writer, read.sequence)
        if self.doubt:
            self.doubt.hear(event)
            return
        plan = event["event"].get("planId")
        of_plan = self.plans.get(plan) if plan else None
        if event.get("previous") != (before and before.digest):
            self.doubt = _Doubt("writer", before, read, plan)
        elif plan and event.get("planPrevious") != (of_plan and of_plan.digest):
            self.doubt = _Doubt("plan", of_plan, read, plan)
            # The event before is vouched for where its writer has gone on from it, or goes on with this very event.
            if of_plan and (self.writers[of_plan.writer] != of_plan or event.get("previous") == of_plan.digest):
                self.doubt.earlier_holds = True
        for head in event["event"].get("heads", []):
            known = self.writers.get(head["writer"])
            if known is None:
                raise Fault("writer_missing", self.line, head["writer"], head["sequence"])
            if known.sequence < head["sequence"]:
                raise Fault("event_missing", self.line, head["writer"], known.sequence + 1)
            if known.sequence > head["sequence"]:
                raise Fault("event_unknown", self.line, head["writer"], head["sequence"] + 1)
            if known.digest != head["digest"] and not self.doubt:
                self.doubt = _Doubt("head", known, read, plan)

    def opened(self, envelope):
        """A checkpoint and the digest of its payload."""
        if self.key_set is None:
            payload, key = unverified(envelope, self.line), None
        else:
            try:
                payload, key = signatures.open_envelope(envelope, "checkpoint", self.key_set)
            except signatures.Refused:
                raise Fault("checkpoint_signature", self.line) from None
        try:
            document = strict_json.admit(payload, strict_json.PLAN)
            records.fits(document.value, CHECKPOINT, "")
        except (strict_json.Refused, records.Misfit):
            raise Fault("checkpoint_malformed", self.line) from None
        if document.canonical != payload:
            raise Fault("checkpoint_malformed", self.line)
        if key is not None:
            try:
                signatures.good_at(key, document.value["at"])
            except signatures.Refused:
                raise Fault("checkpoint_signature", self.line) from None
        audience = self.audience if self.key_set is not None else self.last and self.last["audience"]
        if audience is not None and document.value["audience"] != audience:
            raise Fault("checkpoint_audience", self.line)
        return document.value, document.digest

    def checkpoint(self, line):
        if not self.announced:
            raise Fault("checkpoint_unexpected", self.line)
        self.announced = False
        checkpoint, digest = self.opened(line)
        number = self.last["number"] + 1 if self.last else 1
        if checkpoint["number"] != number or checkpoint.get("previous") != self.last_digest:
            raise Fault("checkpoint_chain", self.line)
        if self.doubt:
            self.doubt.hear_heads(checkpoint["heads"])
            raise self.doubt.fault()
        self.covers(checkpoint)
        self.order = hashlib.sha256(bytes.fromhex(checkpoint["order"].removeprefix("sha256:")))
        if self.marks.get(number) == digest:
            self.marks = {}
        if self.kept and self.kept[0]["number"] == number:
            if self.kept[1] != digest:
                raise Fault("checkpoint_lost", self.line)
            self.kept = None
        self.last, self.last_digest, self.last_line = checkpoint, digest, self.line

    def covers(self, checkpoint):
        for head in checkpoint["heads"]:
            known = self.writers.get(head["writer"])
            if known is None:
                raise Fault("writer_missing", self.line, head["writer"], head["sequence"])
            if known.sequence < head["sequence"]:
                raise Fault("event_missing", self.line, known.writer, known.sequence + 1)
            if known.sequence > head["sequence"]:
                raise Fault("event_unknown", known.line, known.writer, head["sequence"] + 1)
            if known.digest != head["digest"]:
                raise Fault("event_changed", known.line, known.writer, known.sequence)
        listed = {head["writer"] for head in checkpoint["heads"]}
        unnamed = [self.unnamed[writer] for writer in sorted(self.unnamed, key=records.bytes_of)]
        for known in unnamed:
            if known.writer not in listed:
                raise Fault("writer_unknown", known.line, known.writer, known.sequence)
        heads = [{"digest": known.digest, "sequence": known.sequence, "writer": known.writer} for known in unnamed]
        found = (self.count, self.writers_begun, heads, "sha256:" + self.order.hexdigest())
        if found != (checkpoint["events"], checkpoint["writers"], checkpoint["heads"], checkpoint["order"]):
            raise Fault("order", self.line)

    def at_the_end(self):
        if self.doubt:
            raise self.doubt.fault()
        line = self.line + 1
        if self.announced:
            raise Fault("checkpoint_missing", line)
        if self.kept:
            raise Fault("tail_missing" if self.kept[0]["events"] > self.count else "checkpoint_lost", line)
        if self.claims:
            raise Fault("attempt_missing", line)
        if self.ends:
            raise Fault("end_missing", line)
        for number in self.marks:
            raise Fault("tail_missing" if number > (self.last["number"] if self.last else 0) else "checkpoint_lost", line)
        if not self.count:
            raise Fault("no_events", line)


def unverified(envelope, line):
    """The payload of an envelope whose signature can't be verified without keys."""
    form = {"payload": records.name, "payloadType": records.name, "signatures": records.any_value}
    try:
        document = strict_json.admit(envelope, strict_json.PLAN)
        records.fits(document.value, form, "")
    except (strict_json.Refused, records.Misfit):
        raise Fault("checkpoint_malformed", line) from None
    payload = signatures.decoded(document.value["payload"])
    known = document.value["payloadType"] == signatures.TYPES["checkpoint"]
    if document.canonical != envelope or not known or payload is None:
        raise Fault("checkpoint_malformed", line)
    return payload


class _Doubt:
    """A link that does not hold, between an earlier event and the later one that has it. [AUDIT-015]"""

    def __init__(self, link, earlier, later, plan):
        self.link, self.earlier, self.later, self.plan = link, earlier, later, plan
        self.earlier_holds = self.later_holds = None

    def hear(self, event):
        """Whether an event that comes later vouches for one of the two, or contradicts."""
        if self.later_holds is None:
            self.later_holds = self.says(event, self.later)
            of_plan = self.plan is not None and event["event"].get("planId") == self.plan
            if self.later_holds is None and of_plan and event.get("planPrevious") == self.later.digest:
                self.later_holds = True
        if self.earlier_holds is None and self.earlier:
            self.earlier_holds = self.says(event, self.earlier)

    def says(self, event, of):
        if (event["writer"], event["sequence"]) == (of.writer, of.sequence + 1):
            return event.get("previous") == of.digest
        return self.named(event["event"].get("heads", []), of)

    def named(self, heads, of):
        for head in heads:
            if (head["writer"], head["sequence"]) == (of.writer, of.sequence):
                return head["digest"] == of.digest
        return None

    def hear_heads(self, heads):
        if self.later_holds is None:
            self.later_holds = self.named(heads, self.later)
        if self.earlier_holds is None and self.earlier:
            self.earlier_holds = self.named(heads, self.earlier)

    def decided(self):
        if self.link != "plan":
            return self.later_holds is not None or self.earlier_holds is True
        both = self.later_holds is not None and (self.earlier is None or self.earlier_holds is not None)
        return self.later_holds is False or self.earlier_holds is False or both

    def fault(self):
        def changed(read):
            return Fault("event_changed", read.line, read.writer, read.sequence)

        if self.later_holds is False:
            return changed(self.later)
        if self.earlier is None or (self.link == "plan" and self.earlier_holds):
            return Fault("plan_event_missing", self.later.line, self.later.writer, self.later.sequence)
        return changed(self.later if self.earlier_holds else self.earlier)
