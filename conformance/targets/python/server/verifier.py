"""Verification of an export of the audit (audit.md, section 6): what holds, or the first fault and its place."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from . import records, signing, strictjson
from .clock import unb64
from .doubt import Doubt, Fault, Read
from .signing import KeySet, NotTaken

ENVELOPE: Final = b'{"payload":'
Line = tuple[dict[str, Any], str]  # a document and its digest


@dataclass(frozen=True)
class Holds:
    """What holds of an export [AUDIT-014]."""

    events: int
    checkpoints: int
    proven: int | None  # None: without keys nothing is
    forgotten: int


def verify(lines: Iterable[bytes], keys: KeySet | None = None, kept: bytes | None = None, anchor: Iterable[bytes] = ()) -> Holds:
    """Verifies an export, held against what is at hand. Raises Fault."""
    verifier = Verifier(keys)
    verifier.expect(kept, anchor)
    for line in lines:
        verifier.read(line.removesuffix(b"\n"))
    return verifier.end()


class Verifier:
    """Reads lines in their order, and knows after each what a checkpoint would have to state."""

    def __init__(self, keys: KeySet | None) -> None:
        self._keys = keys
        self._line = 0
        self._announced = False  # the last event tells of a checkpoint
        self._doubt: Doubt | None = None
        self._last: Line | None = None  # the last checkpoint
        self._writers: dict[str, Read] = {}
        self._unnamed: dict[str, Read] = {}
        self._plans: dict[str, Read] = {}
        self._order = hashlib.sha256(bytes(32))
        self._events = self._begun = self._forgotten = 0
        self._kept: Line | None = None
        self._claims: set[str] = set()
        self._ends: set[str] = set()
        self._remembered: tuple[int, str] | None = None

    def expect(self, kept: bytes | None, anchor: Iterable[bytes]) -> None:
        """A checkpoint that was kept elsewhere, and the lines of a copy of the anchor's file."""
        if kept is not None:
            self._kept = self._opened(kept.removesuffix(b"\n"))
        for entry in map(json.loads, anchor):
            if "number" in entry:
                self._remembered = entry["number"], entry["digest"]
            elif entry.get("kind") == "claimed":
                self._claims.add(entry["claimId"])
            elif "kind" in entry:
                self._ends.add(entry["planId"])

    def read(self, line: bytes) -> None:
        self._line += 1
        try:
            if line.startswith(ENVELOPE):
                self._read_checkpoint(line)
            else:
                self._read_event(line)
        except Fault:
            if self._doubt is not None:  # what was doubted before is the first fault
                raise self._doubt.fault() from None
            raise

    def end(self) -> Holds:
        """[CKPT-012]"""
        if self._doubt is not None:
            raise self._doubt.fault()
        self._line += 1
        self._need(not self._announced, "checkpoint_missing")
        if self._kept is not None:
            raise Fault("tail_missing" if self._kept[0]["events"] > self._events else "checkpoint_lost", self._line)
        self._need(not self._claims, "attempt_missing")
        self._need(not self._ends, "end_missing")
        number, proven = (self._last[0]["number"], self._last[0]["events"]) if self._last is not None else (0, 0)
        if self._remembered is not None:
            raise Fault("tail_missing" if self._remembered[0] > number else "checkpoint_lost", self._line)
        self._need(self._events > 0, "no_events")
        return Holds(self._events, number, None if self._keys is None else proven, self._forgotten)

    def statement(self) -> dict[str, Any]:
        """What a checkpoint states of what was read [CKPT-001] [CKPT-002]."""
        heads = [head.named() for _, head in sorted(self._unnamed.items(), key=lambda item: unb64(item[0]))]
        number, previous = (self._last[0]["number"], self._last[1]) if self._last is not None else (0, None)
        return {"number": number + 1, "previous": previous, "events": self._events, "writers": self._begun,
                "heads": heads, "order": f"sha256:{self._order.hexdigest()}"}

    def _need(self, holds: bool, code: str) -> None:
        if not holds:
            raise Fault(code, self._line)

    # ---- an event

    def _read_event(self, line: bytes) -> None:
        event, digest = self._document(line, "event", "line_malformed")
        self._need(not self._announced, "checkpoint_missing")
        read, what = Read(self._line, event["writer"], event["sequence"], digest), event["event"]
        self._follow(event, read)
        if self._doubt is not None and self._doubt.is_decided():
            raise self._doubt.fault()
        self._announced = what["kind"] == "audit.checkpoint"
        self._forgotten += "forgotten" in what or "forgottenCheckpoint" in what
        if what["kind"] == "execution.claimed":
            self._claims.discard(what.get("claimId", ""))
        elif what["kind"] in ("decision.rejected", "decision.withdrawn"):
            self._ends.discard(what.get("planId", ""))
        self._events += 1
        self._begun += read.sequence == 1
        for head in what.get("heads", []):
            self._unnamed.pop(head["writer"], None)
        self._writers[read.writer] = self._unnamed[read.writer] = read
        if "planId" in what:
            self._plans[what["planId"]] = read
        self._order.update(bytes.fromhex(digest.removeprefix("sha256:")))

    def _follow(self, event: dict[str, Any], read: Read) -> None:
        """Steps 3 to 6."""
        before = self._writers.get(read.writer)
        expected = 1 if before is None else before.sequence + 1
        if read.sequence != expected:
            missing = read.sequence > expected
            raise Fault("event_missing" if missing else "event_repeated", self._line, read.writer,
                        expected if missing else read.sequence)
        if self._doubt is not None:
            self._doubt.hear_event(event)
            return
        plan = event["event"].get("planId")
        of_plan = self._plans.get(plan) if plan is not None else None
        if event.get("previous") != (None if before is None else before.digest):
            self._doubt = Doubt("writer", before, read, plan)
        elif event.get("planPrevious") != (None if of_plan is None else of_plan.digest):
            self._doubt = Doubt("plan", of_plan, read, plan)
            if of_plan is not None and (self._writers[of_plan.writer] != of_plan or event.get("previous") == of_plan.digest):
                self._doubt.earlier_holds = True  # its own writer has gone on from it
        for head in event["event"].get("heads", []):
            known = self._known(head)
            if known.digest != head["digest"] and self._doubt is None:
                self._doubt = Doubt("head", known, read, plan)

    def _known(self, head: dict[str, Any]) -> Read:
        """The writer's last event, which a head has to be."""
        known = self._writers.get(head["writer"])
        if known is None:
            raise Fault("writer_missing", self._line, head["writer"], head["sequence"])
        if known.sequence < head["sequence"]:
            raise Fault("event_missing", self._line, known.writer, known.sequence + 1)
        if known.sequence > head["sequence"]:
            raise Fault("event_unknown", self._line, known.writer, head["sequence"] + 1)
        return known

    # ---- a checkpoint

    def _read_checkpoint(self, line: bytes) -> None:
        """[CKPT-010]"""
        self._need(self._announced, "checkpoint_unexpected")
        self._announced = False
        opened = checkpoint, digest = self._opened(line)
        states = self.statement()
        self._need((checkpoint["number"], checkpoint.get("previous")) == (states["number"], states["previous"]), "checkpoint_chain")
        if self._doubt is not None:
            self._doubt.hear_heads(checkpoint["heads"])
            raise self._doubt.fault()
        self._hold_heads(checkpoint["heads"])
        self._need(all(checkpoint[name] == states[name] for name in ("events", "writers", "heads", "order")), "order")
        self._order = hashlib.sha256(bytes.fromhex(checkpoint["order"].removeprefix("sha256:")))
        if self._remembered == (checkpoint["number"], digest):
            self._remembered = None
        if self._kept is not None and self._kept[0]["number"] == checkpoint["number"]:
            self._need(self._kept[1] == digest, "checkpoint_lost")
            self._kept = None
        self._last = opened

    def _hold_heads(self, heads: list[dict[str, Any]]) -> None:
        """[CKPT-011]"""
        for head in heads:
            known = self._writers.get(head["writer"])
            if known is not None and known.sequence > head["sequence"]:  # the event is there, and is named where it stands
                raise Fault("event_unknown", known.line, known.writer, head["sequence"] + 1)
            if self._known(head).digest != head["digest"]:
                raise self._writers[head["writer"]].changed()
        listed = {head["writer"] for head in heads}
        for writer, read in sorted(self._unnamed.items(), key=lambda item: unb64(item[0])):
            if writer not in listed:
                raise Fault("writer_unknown", read.line, writer, read.sequence)

    def _opened(self, line: bytes) -> Line:
        """A checkpoint and its payload's digest, by the keys that there are."""
        key = None
        if self._keys is None:
            payload = signing.unverified(line, "checkpoint")
        else:
            try:
                payload, key = signing.open_envelope(line, "checkpoint", self._keys)
            except NotTaken:
                raise Fault("checkpoint_signature", self._line) from None
        checkpoint, digest = self._document(payload or b"", "checkpoint", "checkpoint_malformed")
        if key is not None:
            try:
                key.may_have_signed(checkpoint["at"])
            except NotTaken:
                raise Fault("checkpoint_signature", self._line) from None
        audience = self._keys.audience if self._keys is not None else self._last[0]["audience"] if self._last is not None else None
        self._need(audience in (None, checkpoint["audience"]), "checkpoint_audience")
        return checkpoint, digest

    def _document(self, data: bytes, record: str, code: str) -> Line:
        try:
            document = strictjson.read_stored(data)
            records.check(record, document.value)
        except (strictjson.Refused, records.NotARecord):
            raise Fault(code, self._line) from None
        return document.value, document.digest
