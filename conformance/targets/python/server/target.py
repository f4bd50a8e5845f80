"""What a target is to the gate: it plans calls, says how things are, and executes what was stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from . import records, strictjson


class PlannerRefuses(Exception):
    """A call that gets no plan, or a target that is not as it must be [PLAN-011] [GATE-103]. `member` is the argument at
    fault, where it is known [WIRE-044]."""

    def __init__(self, reason: str, member: str | None = None) -> None:
        super().__init__(reason)
        self.reason, self.member = reason, member


@dataclass
class Draft:
    """What the planner says of a call."""

    target: dict[str, Any]
    steps: list[dict[str, Any]]
    effect_keys: list[str]
    headline: str
    step_texts: list[str]
    findings: list[dict[str, str]] = field(default_factory=list)
    changes: list[dict[str, Any]] = field(default_factory=list)
    quotes: list[dict[str, str]] = field(default_factory=list)
    normaliser: dict[str, Any] | None = None
    secrets: list[str] = field(default_factory=list)  # pointers to leaves, from /intent and /review on [LEAF-001]


@dataclass
class Report:
    """What came of an attempt."""

    outcome: str
    steps: list[dict[str, str]]
    tool_result: Any


class Target(Protocol):
    """The tools of one target."""

    def gated(self) -> list[dict[str, Any]]:
        """Definitions of the tools that are planned, as they are before the gate adds to them (profile.md, 3.12)."""

    def ungated(self) -> list[dict[str, Any]]:
        """Definitions of those that run at once."""

    def plan(self, tool: str, arguments: dict[str, Any]) -> Draft:
        """Plans a call without touching the target but for reading it [PLAN-008]."""

    def identity(self, intent: dict[str, Any]) -> dict[str, Any]:
        """What tells the target from every other one, now [GATE-095]."""

    def hold_preconditions(self, step: dict[str, Any]) -> None:
        """Holds a step's preconditions against what is there [GATE-102] [GATE-103]."""

    def preview(self, step: dict[str, Any]) -> Any:
        """What a dry run of a step gives, normalised."""

    def execute(self, intent: dict[str, Any], may_start: Callable[[], bool]) -> Report:
        """Runs the stored steps; no step starts after the deadline [EXEC-002], and `failed` is said only where no effect
        occurred [EXEC-003]."""

    def call_ungated(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """A plain tool result."""


def definition_digest(target: Target, tool: str) -> str | None:
    """Of a tool's definition as its server lists it, or None where there is no such tool (profile.md, 3.12)."""
    for definition in (*target.gated(), *target.ungated()):
        if definition["name"] == tool:
            return strictjson.digest({"type": records.type_of("tool"), "tool": definition})
    return None


def preview_digest(preview: Any) -> str:
    return strictjson.digest({"type": records.type_of("preview"), "preview": preview})


def outcome_of(reports: list[dict[str, str]]) -> str:
    """The outcome of the whole, by those of its steps (profile.md, 3.8)."""
    outcomes = {report["outcome"] for report in reports}
    if outcomes == {"applied"}:
        return "applied"
    if "unknown" in outcomes:
        return "unknown"
    return "partial" if "applied" in outcomes else "failed"


def failed(text: str) -> dict[str, Any]:
    """A plain tool result that says that it is none."""
    return {"content": [{"type": "text", "text": text}], "isError": True}
