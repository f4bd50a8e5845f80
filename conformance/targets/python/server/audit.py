"""Starting a writer, exporting the audit, and verifying an export (audit.md, section 3)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from . import clock, records, strictjson
from .store import Transaction


def start_writer(tx: Transaction, enforcement: dict[str, str], forgotten: list[str]) -> None:
    """The first event: enforcement, and the heads of others that nobody has named [AUDIT-004] [AUDIT-007] [ANCHOR-009]."""
    named: set[tuple[str, int, str]] = set()
    last: dict[str, tuple[int, str]] = {}
    for document in tx.first_and_last_events():
        event = document.value
        for head in event["event"].get("heads", []):
            named.add((head["writer"], head["sequence"], head["digest"]))
        last[event["writer"]] = (event["sequence"], document.digest)
    heads = [{"writer": writer, "sequence": sequence, "digest": digest}
             for writer, (sequence, digest) in sorted(last.items(), key=lambda item: clock.unb64(item[0])) if (writer, sequence, digest) not in named]
    tx.event(kind="audit.started", enforcement=enforcement, heads=heads or None, forgotten=forgotten or None)


def verify(lines: Iterable[bytes]) -> tuple[int, str] | None:
    """The first line, from 1, at which links say that an event was edited, removed, moved or doubled [AUDIT-003]."""
    writers: dict[str, tuple[int, str]] = {}
    plans: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        try:
            document = strictjson.read_stored(line.removesuffix(b"\n"))
            records.check("event", document.value)
        except (strictjson.Refused, records.NotARecord):
            return number, "not an event in canonical bytes"
        event: dict[str, Any] = document.value
        sequence, head = writers.get(event["writer"], (0, None))
        if event["sequence"] != sequence + 1 or event.get("previous") != head:
            return number, "the writer's chain"
        plan_id = event["event"].get("planId")
        if event.get("planPrevious") != (None if plan_id is None else plans.get(plan_id)):
            return number, "the plan's chain"
        for named in event["event"].get("heads", []):
            known = writers.get(named["writer"])
            if known is None or known[0] < named["sequence"]:
                return number, "a head that is not there"
        writers[event["writer"]] = (event["sequence"], document.digest)
        if plan_id is not None:
            plans[plan_id] = document.digest
    return None
