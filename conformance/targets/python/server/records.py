"""The closed member tables of all records (profile.md, section 3; Event after its schema), and the check against them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from . import clock, strictjson
from .refusals import RETRY

Form = Callable[[Any, str], None]  # holds a value against a form, and says where it stands


class NotARecord(Exception):
    """A record that is not of its type [REC-001]: why, and where, as a JSON Pointer."""

    def __init__(self, reason: str, at: str) -> None:
        super().__init__(f"{reason} at `{at}`")
        self.reason, self.at = reason, at


def fits(form: Form, value: Any) -> bool:
    """Whether a value has a form."""
    try:
        form(value, "")
    except NotARecord:
        return False
    return True


def _where(holds: Callable[[Any], bool]) -> Form:
    """The form of what holds."""
    def check(value: Any, at: str) -> None:
        if not holds(value):
            raise NotARecord("wrong_form", at)
    return check


def is_plan_id(value: Any) -> bool:
    return isinstance(value, str) and clock.PLAN_ID.match(value) is not None


def is_timestamp(value: Any) -> bool:
    try:
        clock.read_stamp(value)
    except (ValueError, TypeError):
        return False
    return True


def is_key_id(text: str) -> bool:
    """1 to 64 characters a-z, 0-9 and '-' (gate.md, 3.1)."""
    return 1 <= len(text) <= 64 and all(c in "abcdefghijklmnopqrstuvwxyz0123456789-" for c in text)


def _has_bytes(count: int) -> Callable[[Any], bool]:
    def holds(value: Any) -> bool:
        try:
            return isinstance(value, str) and len(clock.unb64(value)) == count
        except ValueError:
            return False
    return holds


is_id, is_salt = _has_bytes(16), _has_bytes(32)


def _is_tag(value: Any) -> bool:
    if not isinstance(value, str) or "." not in value:
        return False
    key, code = value.rsplit(".", 1)
    return is_key_id(key) and is_salt(code)


def _number(top: int) -> Form:
    return _where(lambda value: isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= top)


def one_of(*values: Any) -> Form:
    return _where(lambda value: isinstance(value, str) and value in values)


def list_of(form: Form, least: int = 0, unique: bool = False, ordered: bool = False) -> Form:
    """`ordered`: by their UTF-8 bytes, which is how names stand."""
    def check(value: Any, at: str) -> None:
        if not isinstance(value, list) or len(value) < least:
            raise NotARecord("wrong_form", at)
        for number, element in enumerate(value):
            form(element, f"{at}/{number}")
        if ((unique or ordered) and len(set(value)) < len(value)) or (ordered and value != sorted(value, key=str.encode)):
            raise NotARecord("wrong_form", at)
    return check


def object_of(required: dict[str, Form], optional: dict[str, Form] | None = None) -> Form:
    """A closed object."""
    members = {**required, **(optional or {})}

    def check(value: Any, at: str) -> None:
        if not isinstance(value, dict):
            raise NotARecord("wrong_form", at)
        if not value.keys() <= members.keys():
            raise NotARecord("unknown_member", at)
        if not required.keys() <= value.keys():
            raise NotARecord("missing_member", at)
        for member, inner in value.items():
            members[member](inner, f"{at}/{member}")
    return check


name = _where(lambda value: isinstance(value, str))
anything = _where(lambda value: True)
timestamp = _where(is_timestamp)
digest = _where(strictjson.is_digest)
plan_id = _where(is_plan_id)
boolean = _where(lambda value: isinstance(value, bool))
integer = _number(2**53 - 1)
identifier = _where(is_id)
_count = _number(2**32 - 1)
_salt = _where(is_salt)
_tag = _where(_is_tag)
_object = _where(lambda value: isinstance(value, dict))
_pointer = _where(lambda value: isinstance(value, str) and (value == "" or value.startswith("/")))

OUTCOMES: Final = ("applied", "failed", "partial", "unknown")
STATES: Final = ("planned", "awaiting_approval", "approved", "executing", *OUTCOMES, "rejected", "expired", "cancelled",
                 "stale")
_identity_members: dict[str, Form] = {"person": name, "issuer": name, "subject": name}
ENFORCEMENT = object_of({"isolation": one_of("separate", "same-user"), "rollback": one_of("none", "local", "shared"),
                         "requesterAssurance": one_of("verified-token", "environment")})
_rule = object_of({"kind": one_of("same-subject", "other-subject", "quorum"), "required": _count},
                  {"groups": list_of(name, 1, ordered=True)})
LIMIT_NAMES: Final = ("planSeconds", "challengeSeconds", "approvalSeconds", "coolDownSeconds", "leaseSeconds",
                      "executionSeconds", "gateAttempts", "openPlans")
_policy = object_of({"type": one_of("mutation-approval/policy/v0"), "rule": _rule,
                     "limits": object_of({name: _count for name in LIMIT_NAMES}), "requesterReadsTarget": boolean})
_text = object_of({"source": one_of("server", "agent", "upstream", "target"), "text": name})
_step = object_of({"action": name, "object": name},
                  {"body": anything, "previewDigest": digest,
                   "preconditions": list_of(object_of({"kind": name, "expected": anything,
                                                       "enforcement": one_of("on-write", "before-write", "none")}), 1)})
HEAD = object_of({"writer": identifier, "sequence": integer, "digest": digest})
_EVENT_KINDS: Final = (
    "account.changed", "anchor.renewed", "audit.checkpoint", "audit.started", "challenge.created", "challenge.expired",
    "decision.approved", "decision.refused", "decision.rejected", "decision.withdrawn", "execution.applied", "execution.claimed",
    "execution.conflict", "execution.failed", "execution.partial", "execution.reconciled", "execution.refused",
    "execution.settled_late", "execution.unknown", "key.rotated", "plan.cancelled", "plan.created", "plan.denied",
    "plan.expired", "plan.pruned", "plan.stale", "requester.muted", "requester.unmuted", "server.paused", "server.resumed")

_TABLES: Final[dict[str, tuple[dict[str, Form], dict[str, Form]]]] = {
    "plan": ({"planId": plan_id, "audience": name, "requester": object_of(_identity_members), "intentDigest": digest,
              "reviewDigest": digest, "policy": _policy, "enforcement": ENFORCEMENT, "createdAt": timestamp,
              "expiresAt": timestamp}, {}),
    "intent": ({"salt": _salt, "tool": object_of({"name": name, "definitionDigest": digest}), "arguments": _object,
                "target": object_of({"name": name, "identity": _object}), "steps": list_of(_step),
                "effectKeys": list_of(name, 1, True)},
               {"generated": _where(lambda value: isinstance(value, dict) and bool(value)),
                "normaliser": object_of({"name": name, "exclusions": list_of(_pointer)}),
                "secretLeaves": list_of(_pointer, 1)}),
    "review": ({"salt": _salt, "headline": _text, "steps": list_of(_text)},
               {"findings": list_of(object_of({"code": name, "severity": one_of("info", "warn", "high"), "text": name}), 1),
                "changes": list_of(object_of({"object": name}, {"before": anything, "after": anything}), 1),
                "warnings": list_of(object_of({"code": one_of("unresolved-attempt"), "planId": plan_id,
                                               "outcome": one_of(*OUTCOMES)}), 1),
                "quotes": list_of(_text, 1), "secretLeaves": list_of(_pointer, 1)}),
    "secrets": ({"leaves": list_of(object_of({"pointer": _pointer, "nonce": _salt, "value": anything}))}, {}),
    "challenge": ({"challengeId": identifier, "planId": plan_id, "planDigest": digest, "createdAt": timestamp,
                   "expiresAt": timestamp}, {}),
    "decision": ({"challengeId": identifier, "planId": plan_id, "planDigest": digest,
                  "approver": object_of({**_identity_members, "authTime": timestamp},
                                        {"acr": name, "amr": list_of(name, 1)}),
                  "verdict": one_of("approve", "reject", "withdraw"), "renderedAt": timestamp, "decidedAt": timestamp},
                 {"comment": name}),
    "execution": ({"planId": plan_id, "planDigest": digest, "claimId": identifier, "claimedAt": timestamp,
                   "enforcement": ENFORCEMENT, "outcome": one_of(*OUTCOMES), "settledAt": timestamp},
                  {"steps": list_of(object_of({"outcome": one_of("applied", "failed", "skipped", "unknown")},
                                              {"code": name}), 1), "resultDigest": digest}),
    "result": ({"salt": _salt, "toolResult": anything}, {}),
    "plan-state": ({"planId": plan_id, "revision": integer, "state": one_of(*STATES), "planDigest": digest,
                    "requestTag": _tag, "gateAttempts": _count, "secretsErased": boolean, "pruned": boolean,
                    "lastEvent": digest},
                   {"cause": one_of("approval", "cancelled", "plan", "withdrawn"), "challenge": digest,
                    "decisions": list_of(digest, 1), "approvalExpiresAt": timestamp,
                    "claim": object_of({"claimId": identifier, "claimedAt": timestamp, "lease": timestamp,
                                        "deadline": timestamp}),
                    "execution": digest, "reconciliation": digest}),
    "reconciliation": ({"planId": plan_id, "claimId": identifier, "finding": one_of("applied", "not-applied"),
                        "operator": name, "at": timestamp}, {}),
    "pause": ({"revision": integer, "paused": boolean, "operator": name, "at": timestamp}, {}),
    "cool-down": ({"revision": integer, "planId": plan_id, "until": timestamp}, {}),
    "mute": ({"revision": integer, "until": timestamp}, {}),
    "event": ({"writer": identifier, "sequence": integer, "at": timestamp,
               "event": object_of({"kind": one_of(*_EVENT_KINDS)},
                                  {"actor": _tag, "challengeId": identifier, "claimId": identifier, "enforcement": ENFORCEMENT,
                                   "forgotten": list_of(identifier, 1), "forgottenCheckpoint": digest,
                                   "heads": list_of(HEAD, 1), "planDigest": digest, "planId": plan_id,
                                   "reason": one_of(*RETRY), "recordDigest": digest, "subject": _tag})},
              {"previous": digest, "planPrevious": digest}),
    "checkpoint": ({"audience": name, "number": integer, "at": timestamp, "events": integer, "writers": integer,
                    "heads": list_of(HEAD), "order": digest}, {"previous": digest}),
    "signed-checkpoint": ({"checkpoint": lambda value, at: form_of("checkpoint")(value, at), "envelope": name}, {}),
    "anchor": ({"audience": name, "generation": identifier}, {}),
    "anchor-entry": ({"effects": list_of(_tag), "kind": one_of("claimed", "rejected", "withdrawn"),
                      "planExpiresAt": timestamp, "planId": plan_id}, {"claimId": identifier}),
    "anchor-checkpoint": ({"number": integer, "digest": digest}, {}),
}


def type_of(record: str) -> str:
    """The `type` of a record of this version [DIG-043]."""
    return f"mutation-approval/{record}/v0"


def make(record: str, **members: Any) -> dict[str, Any]:
    """A record with its `type`, without members that have no value [REC-004], and checked [REC-006]."""
    document = {"type": type_of(record), **{k: v for k, v in members.items() if v is not None}}
    check(record, document)
    return document


def form_of(record: str, without: tuple[str, ...] = (), **more: Form) -> Form:
    """The closed table of a type as a form; a part of another document may lack some members, and may have more."""
    required, optional = _TABLES[record]
    kept = {name: form for name, form in optional.items() if name not in without}
    typed = {} if "type" in without else {"type": one_of(type_of(record))}
    return object_of({**typed, **required}, {**kept, **more})


_FORMS: Final = {record: form_of(record) for record in _TABLES}


def check(record: str, document: Any) -> None:
    """Holds a document against the closed table of its type [REC-001]."""
    if isinstance(document, dict) and document.get("type", type_of(record)) != type_of(record):
        raise NotARecord("wrong_type", "/type")
    _FORMS[record](document, "")
