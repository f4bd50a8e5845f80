"""A link of the audit that does not hold: which of its two events was changed [AUDIT-015]."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


class Fault(Exception):
    """The first thing that is wrong with an export: its code, the line, and the event in question [AUDIT-013]."""

    def __init__(self, code: str, line: int, writer: str | None = None, sequence: int | None = None) -> None:
        super().__init__(f"line {line}: {code}" + (f" ({writer}, {sequence})" if writer is not None else ""))
        self.code, self.line, self.writer, self.sequence = code, line, writer, sequence


@dataclass(frozen=True)
class Read:
    """An event that was read."""

    line: int
    writer: str
    sequence: int
    digest: str

    def named(self) -> dict[str, Any]:
        """As a head."""
        return {"digest": self.digest, "sequence": self.sequence, "writer": self.writer}

    def changed(self) -> Fault:
        return Fault("event_changed", self.line, self.writer, self.sequence)


class Doubt:
    """An earlier event and the later one whose link to it, as its writer's, its plan's or a head, does not hold. What comes
    later vouches for one of the two, or contradicts."""

    def __init__(self, link: str, earlier: Read | None, later: Read, plan: str | None) -> None:
        self._link, self._earlier, self._later, self._plan = link, earlier, later, plan
        self.earlier_holds: bool | None = None
        self._later_holds: bool | None = None

    def hear_event(self, event: dict[str, Any]) -> None:
        if self._later_holds is None:
            self._later_holds = _says(event, self._later)
            of_plan = self._plan is not None and event["event"].get("planId") == self._plan
            if self._later_holds is None and of_plan and event.get("planPrevious") == self._later.digest:
                self._later_holds = True
        if self._earlier is not None and self.earlier_holds is None:
            self.earlier_holds = _says(event, self._earlier)

    def hear_heads(self, heads: list[dict[str, Any]]) -> None:
        """Of a checkpoint, with which it comes to an end."""
        if self._later_holds is None:
            self._later_holds = _names(heads, self._later)
        if self._earlier is not None and self.earlier_holds is None:
            self.earlier_holds = _names(heads, self._earlier)

    def is_decided(self) -> bool:
        if self._link != "plan":
            return self._later_holds is not None or self.earlier_holds is True
        both = self._later_holds is not None and (self._earlier is None or self.earlier_holds is not None)
        return both or self._later_holds is False or self.earlier_holds is False

    def fault(self) -> Fault:
        if self._later_holds is False:
            return self._later.changed()
        if self._earlier is not None and self.earlier_holds is not True:
            return self._earlier.changed()
        if self._earlier is not None and self._link != "plan":
            return self._later.changed()
        return Fault("plan_event_missing", self._later.line, self._later.writer, self._later.sequence)


def _says(event: dict[str, Any], of: Read) -> bool | None:
    """What an event says of one that came before it, as its writer's next or by a head."""
    if (event["writer"], event["sequence"]) == (of.writer, of.sequence + 1):
        return bool(event.get("previous") == of.digest)
    return _names(event["event"].get("heads", []), of)


def _names(heads: list[dict[str, Any]], of: Read) -> bool | None:
    for head in heads:
        if (head["writer"], head["sequence"]) == (of.writer, of.sequence):
            return bool(head["digest"] == of.digest)
    return None
