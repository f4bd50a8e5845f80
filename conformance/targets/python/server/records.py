"""The closed member tables of all records (profile.md, section 3; Event after its schema), and the check against them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from . import clock, strictjson

Form = Callable[[Any], bool]


class NotARecord(Exception):
    """A record that is not of its type [REC-001]."""


def _name(value: Any) -> bool:
    return isinstance(value, str)


def _any(value: Any) -> bool:
    return True


def _boolean(value: Any) -> bool:
    return isinstance(value, bool)


def _number(top: int) -> Form:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= top


def _timestamp(value: Any) -> bool:
    try:
        clock.read_stamp(value)
    except (ValueError, TypeError):
        return False
    return True


def _plan_id(value: Any) -> bool:
    return isinstance(value, str) and clock.PLAN_ID.match(value) is not None


def _bytes(count: int) -> Form:
    def check(value: Any) -> bool:
        try:
            return isinstance(value, str) and len(clock.unb64(value)) == count
        except ValueError:
            return False
    return check


def _tag(value: Any) -> bool:
    if not isinstance(value, str) or "." not in value:
        return False
    key, code = value.rsplit(".", 1)
    return is_key_id(key) and _bytes(32)(code)


def is_key_id(text: str) -> bool:
    """1 to 64 characters a-z, 0-9 and '-' (gate.md, 3.1)."""
    return 1 <= len(text) <= 64 and all(c in "abcdefghijklmnopqrstuvwxyz0123456789-" for c in text)


def _one_of(*values: str) -> Form:
    return lambda value: isinstance(value, str) and value in values


def _list(form: Form, least: int = 0, unique: bool = False) -> Form:
    def check(value: Any) -> bool:
        return (isinstance(value, list) and len(value) >= least and all(form(v) for v in value)
                and (not unique or len(set(value)) == len(value)))
    return check


def _object(required: dict[str, Form], optional: dict[str, Form] | None = None) -> Form:
    def check(value: Any) -> bool:
        if not isinstance(value, dict):
            return False
        allowed = {**required, **(optional or {})}
        return (all(name in value for name in required)
                and all(name in allowed and allowed[name](member) for name, member in value.items()))
    return check


def _pointer(value: Any) -> bool:
    return isinstance(value, str) and (value == "" or value.startswith("/"))


def _open_object(value: Any) -> bool:
    return isinstance(value, dict)


_id = _bytes(16)
_salt = _bytes(32)
_count = _number(2**32 - 1)
_integer = _number(2**53 - 1)
_digest: Form = strictjson.is_digest

is_timestamp, is_plan_id, is_id, is_salt = _timestamp, _plan_id, _id, _salt

OUTCOMES: Final = ("applied", "failed", "partial", "unknown")
STATES: Final = ("planned", "awaiting_approval", "approved", "executing", *OUTCOMES, "rejected", "expired", "cancelled",
                 "stale")
_identity_members: dict[str, Form] = {"person": _name, "issuer": _name, "subject": _name}
ENFORCEMENT = _object({"isolation": _one_of("separate", "same-user"), "rollback": _one_of("none", "local", "shared"),
                       "requesterAssurance": _one_of("verified-token", "environment")})
_rule = _object({"kind": _one_of("same-subject", "other-subject", "quorum"), "required": _count},
                {"groups": _list(_name, 1, True)})
LIMIT_NAMES: Final = ("planSeconds", "challengeSeconds", "approvalSeconds", "coolDownSeconds", "leaseSeconds",
                      "executionSeconds", "gateAttempts", "openPlans")
_policy = _object({"type": _one_of("mutation-approval/policy/v0"), "rule": _rule,
                   "limits": _object({name: _count for name in LIMIT_NAMES}), "requesterReadsTarget": _boolean})
_text = _object({"source": _one_of("server", "agent", "upstream", "target"), "text": _name})
_step = _object({"action": _name, "object": _name},
                {"body": _any, "previewDigest": _digest,
                 "preconditions": _list(_object({"kind": _name, "expected": _any,
                                                 "enforcement": _one_of("on-write", "before-write", "none")}), 1)})
_EVENT_KINDS: Final = (
    "audit.started", "account.changed", "anchor.renewed", "challenge.created", "challenge.expired", "decision.approved",
    "decision.refused", "decision.rejected", "decision.withdrawn", "execution.applied", "execution.claimed",
    "execution.conflict", "execution.failed", "execution.partial", "execution.reconciled", "execution.refused",
    "execution.settled_late", "execution.unknown", "key.rotated", "plan.cancelled", "plan.created", "plan.denied",
    "plan.expired", "plan.pruned", "plan.stale", "requester.muted", "requester.unmuted", "server.paused", "server.resumed")

_TABLES: Final[dict[str, tuple[dict[str, Form], dict[str, Form]]]] = {
    "plan": ({"planId": _plan_id, "audience": _name, "requester": _object(_identity_members), "intentDigest": _digest,
              "reviewDigest": _digest, "policy": _policy, "enforcement": ENFORCEMENT, "createdAt": _timestamp,
              "expiresAt": _timestamp}, {}),
    "intent": ({"salt": _salt, "tool": _object({"name": _name, "definitionDigest": _digest}), "arguments": _open_object,
                "target": _object({"name": _name, "identity": _open_object}), "steps": _list(_step),
                "effectKeys": _list(_name, 1, True)},
               {"generated": lambda v: isinstance(v, dict) and bool(v),
                "normaliser": _object({"name": _name, "exclusions": _list(_pointer)}),
                "secretLeaves": _list(_pointer, 1)}),
    "review": ({"salt": _salt, "headline": _text, "steps": _list(_text)},
               {"findings": _list(_object({"code": _name, "severity": _one_of("info", "warn", "high"), "text": _name}), 1),
                "changes": _list(_object({"object": _name}, {"before": _any, "after": _any}), 1),
                "warnings": _list(_object({"code": _one_of("unresolved-attempt"), "planId": _plan_id,
                                           "outcome": _one_of(*OUTCOMES)}), 1),
                "quotes": _list(_text, 1), "secretLeaves": _list(_pointer, 1)}),
    "challenge": ({"challengeId": _id, "planId": _plan_id, "planDigest": _digest, "createdAt": _timestamp,
                   "expiresAt": _timestamp}, {}),
    "decision": ({"challengeId": _id, "planId": _plan_id, "planDigest": _digest,
                  "approver": _object({**_identity_members, "authTime": _timestamp},
                                      {"acr": _name, "amr": _list(_name, 1)}),
                  "verdict": _one_of("approve", "reject", "withdraw"), "renderedAt": _timestamp, "decidedAt": _timestamp},
                 {"comment": _name}),
    "execution": ({"planId": _plan_id, "planDigest": _digest, "claimId": _id, "claimedAt": _timestamp,
                   "enforcement": ENFORCEMENT, "outcome": _one_of(*OUTCOMES), "settledAt": _timestamp},
                  {"steps": _list(_object({"outcome": _one_of("applied", "failed", "skipped", "unknown")},
                                          {"code": _name}), 1), "resultDigest": _digest}),
    "result": ({"salt": _salt, "toolResult": _any}, {}),
    "plan-state": ({"planId": _plan_id, "revision": _integer, "state": _one_of(*STATES), "planDigest": _digest,
                    "requestTag": _tag, "gateAttempts": _count, "secretsErased": _boolean, "pruned": _boolean,
                    "lastEvent": _digest},
                   {"cause": _one_of("approval", "cancelled", "plan", "withdrawn"), "challenge": _digest,
                    "decisions": _list(_digest, 1), "approvalExpiresAt": _timestamp,
                    "claim": _object({"claimId": _id, "claimedAt": _timestamp, "lease": _timestamp,
                                      "deadline": _timestamp}),
                    "execution": _digest, "reconciliation": _digest}),
    "reconciliation": ({"planId": _plan_id, "claimId": _id, "finding": _one_of("applied", "not-applied"),
                        "operator": _name, "at": _timestamp}, {}),
    "pause": ({"revision": _integer, "paused": _boolean, "operator": _name, "at": _timestamp}, {}),
    "cool-down": ({"revision": _integer, "planId": _plan_id, "until": _timestamp}, {}),
    "mute": ({"revision": _integer, "until": _timestamp}, {}),
    "event": ({"writer": _id, "sequence": _integer, "at": _timestamp,
               "event": _object({"kind": _one_of(*_EVENT_KINDS)},
                                {"actor": _tag, "challengeId": _id, "claimId": _id, "enforcement": ENFORCEMENT,
                                 "forgotten": _list(_id, 1),
                                 "heads": _list(_object({"writer": _id, "sequence": _integer, "digest": _digest}), 1),
                                 "planDigest": _digest, "planId": _plan_id, "reason": _name, "recordDigest": _digest,
                                 "subject": _tag})},
              {"previous": _digest, "planPrevious": _digest}),
    "anchor": ({"audience": _name, "generation": _id}, {}),
    "anchor-entry": ({"effects": _list(_tag), "kind": _one_of("claimed", "rejected", "withdrawn"),
                      "planExpiresAt": _timestamp, "planId": _plan_id}, {"claimId": _id}),
}


def type_of(record: str) -> str:
    """The `type` of a record of this version [DIG-043]."""
    return f"mutation-approval/{record}/v0"


def make(record: str, **members: Any) -> dict[str, Any]:
    """A record with its `type`, without members that have no value [REC-004], and checked [REC-006]."""
    document = {"type": type_of(record), **{k: v for k, v in members.items() if v is not None}}
    check(record, document)
    return document


def check(record: str, document: Any) -> None:
    """Holds a document against the closed table of its type [REC-001]."""
    required, optional = _TABLES[record]
    form = _object({"type": _one_of(type_of(record)), **required}, optional)
    if not form(document):
        raise NotARecord(record)
