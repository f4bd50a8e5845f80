"""Persons, policy and enforcement: the operator's configuration (gate.md, section 5)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from . import records

DEFAULT_LIMITS: Final = {"planSeconds": 3600, "challengeSeconds": 900, "approvalSeconds": 900, "coolDownSeconds": 900,
                         "leaseSeconds": 30, "executionSeconds": 300, "gateAttempts": 50, "openPlans": 20}
_STRENGTH: Final = {"isolation": ("same-user", "separate"), "rollback": ("none", "local", "shared"),
                    "requesterAssurance": ("environment", "verified-token")}


@dataclass(frozen=True)
class Identity:
    """A person, and how they are known."""

    person: str
    issuer: str
    subject: str

    def record(self) -> dict[str, str]:
        return {"person": self.person, "issuer": self.issuer, "subject": self.subject}


@dataclass(frozen=True)
class Requester:
    """For whom a call is made, and how sure that is [WIRE-020] [ENF-005]."""

    identity: Identity
    assurance: str

    @property
    def person(self) -> str:
        return self.identity.person


@dataclass
class Person:
    """A person of the operator's configuration [PERSON-001]."""

    name: str
    enabled: bool = True
    groups: frozenset[str] = frozenset()
    may_request: bool | frozenset[str] = True  # or the tools that they may request
    may_approve: bool = True


@dataclass(frozen=True)
class Clause:
    """If tool, target and argument values match, `rule` decides; None denies."""

    tool: str | None
    rule: dict[str, Any] | None
    target: str | None = None
    arguments: tuple[tuple[str, Any], ...] = ()
    limits: dict[str, int] | None = None  # None: those of the configuration
    requester_reads_target: bool | None = None

    def matches(self, tool: str, target: str, arguments: dict[str, Any]) -> bool:
        return (self.tool in (None, tool) and self.target in (None, target)
                and all(name in arguments and arguments[name] == value for name, value in self.arguments))


@dataclass
class Configuration:
    """Persons, clauses, limits, and what the operator has declared about the boundary."""

    persons: dict[str, Person]
    clauses: list[Clause]
    default: dict[str, Any] | None = None  # the policy's default denies
    limits: dict[str, int] = field(default_factory=lambda: dict(DEFAULT_LIMITS))
    requester_reads_target: bool = True
    isolation: str = "same-user"  # [ENF-003]
    rollback: str = "none"  # [ENF-004]

    def evaluate(self, tool: str, target: str, arguments: dict[str, Any]) -> dict[str, Any] | None:
        """The decision for a call: the first clause that matches, else the default [POLICY-001] [POLICY-002]."""
        clause = next((c for c in self.clauses if c.matches(tool, target, arguments)), Clause(None, self.default))
        if clause.rule is None:
            return None
        reads = clause.requester_reads_target
        return {"type": records.type_of("policy"), "rule": dict(clause.rule), "limits": dict(clause.limits or self.limits),
                "requesterReadsTarget": self.requester_reads_target if reads is None else reads}

    def refresh(self) -> None:
        """Takes what the operator has changed; here nobody has."""

    def is_enabled(self, person: str) -> bool:
        """[PERSON-002]"""
        found = self.persons.get(person)
        return found is not None and found.enabled

    def may_request(self, person: str, tool: str, target: str) -> bool:
        """[PLAN-001] [PERSON-002] [GATE-091]"""
        if not self.is_enabled(person):
            return False
        allowed = self.persons[person].may_request
        return allowed if isinstance(allowed, bool) else tool in allowed

    def may_approve(self, person: str, rule: dict[str, Any], requester: str) -> bool:
        """Whether the rule asks for this person, who is enabled and permitted [RULE-002] [RULE-003] [RULE-004]."""
        found = self.persons.get(person)
        if found is None or not found.enabled or not found.may_approve:
            return False
        if not rule_counts(rule, person, requester):
            return False
        return rule["kind"] == "same-subject" or "groups" not in rule or bool(found.groups & set(rule["groups"]))

    def enforcement(self, assurance: str) -> dict[str, str]:
        """Never stronger than what is configured [ENF-001]."""
        return {"isolation": self.isolation, "rollback": self.rollback, "requesterAssurance": assurance}


def rule_counts(rule: dict[str, Any], person: str, requester: str) -> bool:
    """Whether a person's approval can count at all, by who they are [RULE-002] [RULE-003]."""
    return (person == requester) == (rule["kind"] == "same-subject")


def satisfied(rule: dict[str, Any], persons: set[str]) -> bool:
    """[RULE-001] [RULE-005]"""
    return rule["required"] >= 1 and len(persons) >= rule["required"]


def weaker(now: dict[str, str], then: dict[str, str]) -> bool:
    """Whether an enforcement is weaker in any respect [GATE-093]."""
    return any(order.index(now[name]) < order.index(then[name]) for name, order in _STRENGTH.items())
