"""Receipts: what one states, and whether one is taken (receipt.md, sections 3 and 4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from . import clock, records, strictjson
from .plans import OPEN, SETTLED, Plan
from .policy import rule_counts
from .refusals import Refusal
from .signing import KeySet, NotTaken, Signer, open_envelope

STATEMENT: Final = "https://in-toto.io/Statement/v1"
PREDICATE: Final = "https://mutation-approval.github.io/receipt/v0"
_FUTURE: Final = 300_000  # [RCPT-026]
_CLAIMS: Final = ("approved", "executed", "not-executed", "planned", "reconciled", "rejected", "withdrawn")
_LIMITS: Final = ("assertion", "content", "effect", "environment", "groups", "identity", "rollback", "same-user", "time",
                  "unresolved")


def _is_subject(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("urn:uuid:") and records.is_plan_id(value.removeprefix("urn:uuid:"))


def _subject(value: Any, at: str) -> None:
    records.object_of({"name": records.name, "digest": records.object_of({"sha256": records.name})})(value, at)
    if not (_is_subject(value["name"]) and strictjson.is_digest("sha256:" + value["digest"]["sha256"])):
        raise records.NotARecord("wrong_form", at)


def _true(value: Any, at: str) -> None:
    if value is not True:
        raise records.NotARecord("wrong_form", at)


_FORM: Final = records.object_of({
    "_type": records.name, "predicateType": records.name, "subject": records.list_of(_subject, 1),
    "predicate": records.object_of(
        {"header": records.form_of("plan"), "state": records.one_of(*records.STATES), "issuedAt": records.timestamp,
         "decisions": records.list_of(records.form_of("decision", ("type", "comment"), commentOmitted=_true)),
         "claims": records.list_of(records.one_of(*_CLAIMS)), "limits": records.list_of(records.one_of(*_LIMITS))},
        {"cause": records.one_of("approval", "cancelled", "plan", "withdrawn"), "challenge": records.form_of("challenge"),
         "execution": records.form_of("execution"), "reconciliation": records.form_of("reconciliation")})})


# ---- making one


def issue(plan: Plan, signer: Signer, now: int) -> bytes:
    """The receipt of a plan that was loaded, and so holds together [RCPT-001] [RCPT-032]. Raises Refusal."""
    state = plan.state["state"]
    if state == "executing":  # [RCPT-031]
        raise Refusal("execution_in_progress")
    if state in OPEN:
        raise Refusal("approval_pending")
    if plan.state["pruned"]:
        raise Refusal("plan_not_found", detail="its records are gone")
    moment = clock.stamp(now)
    statement = {"_type": STATEMENT, "predicateType": PREDICATE, "predicate": _predicate(plan, moment),
                 "subject": [{"name": f"urn:uuid:{plan.plan_id}", "digest": {"sha256": plan.digest.removeprefix("sha256:")}}]}
    signed = signer.sign("receipt", strictjson.canonical(statement), moment)
    if signed is None:
        raise Refusal("internal", detail="no key may sign receipts now")
    try:
        verify(signed, KeySet.read(signer.key_set()), now)
    except NotTaken as why:
        raise Refusal("internal", detail=f"no receipt that would be taken: {why.reason}") from None
    return signed


def _predicate(plan: Plan, moment: str) -> dict[str, Any]:
    """[RCPT-003] [RCPT-004]"""
    parts = {"cause": plan.state.get("cause"), "challenge": plan.challenge, "execution": plan.execution,
             "reconciliation": plan.reconciliation}
    predicate = {"header": plan.header.value, "state": plan.state["state"], "issuedAt": moment,
                 "decisions": [_without_comment(decision) for decision in plan.decisions],
                 **{name: part for name, part in parts.items() if part is not None}}
    found = _Receipt(predicate)
    return {**predicate, "claims": found.claims(), "limits": found.limits()}


def _without_comment(decision: dict[str, Any]) -> dict[str, Any]:
    kept = {name: member for name, member in decision.items() if name not in ("type", "comment")}
    return {**kept, "commentOmitted": True} if "comment" in decision else kept


# ---- taking one


@dataclass(frozen=True)
class Taken:
    """What a receipt says, and doesn't show."""

    plan_digest: str
    key: str
    claims: list[str]
    limits: list[str]


def verify(data: bytes, keys: KeySet, now: int | None) -> Taken:
    """The checks of RCPT-020, in order. Raises NotTaken."""
    payload, key = open_envelope(data, "receipt", keys)
    try:
        document = strictjson.admit(payload, strictjson.ARGUMENTS)
    except strictjson.Refused:
        raise NotTaken("payload_malformed") from None
    _need(document.canonical == payload, "payload_malformed")
    statement = document.value
    _need(statement.get("_type") == STATEMENT, "statement_type")
    _need(statement.get("predicateType") == PREDICATE, "predicate_type")  # [RCPT-002]
    _need(records.fits(_FORM, statement) and len(statement["subject"]) == 1, "members")
    predicate = statement["predicate"]
    header, receipt = predicate["header"], _Receipt(predicate)
    _need(header["audience"] == keys.audience, "audience_mismatch")
    key.may_have_signed(predicate["issuedAt"])
    _need(now is None or clock.read_stamp(predicate["issuedAt"]) <= now + _FUTURE, "issued_in_future")
    digest, subject = strictjson.digest(header), statement["subject"][0]
    _need(strictjson.same_digest(digest, "sha256:" + subject["digest"]["sha256"])
          and subject["name"] == f"urn:uuid:{header['planId']}", "subject_mismatch")
    _need(receipt.is_of_one_plan(digest), "plan_mismatch")
    _need(receipt.is_an_end(), "state_mismatch")
    _need(receipt.is_approved() or not (receipt.execution or predicate.get("cause") == "approval"), "rule_not_satisfied")
    _need(receipt.is_in_order(), "time_order")
    _need((predicate["claims"], predicate["limits"]) == (receipt.claims(), receipt.limits()), "claims_mismatch")
    return Taken(digest, key.members["id"], predicate["claims"], predicate["limits"])


def _need(holds: Any, reason: str) -> None:
    if not holds:
        raise NotTaken(reason)


class _Receipt:
    """The records of a predicate, and what follows from them alone."""

    def __init__(self, predicate: dict[str, Any]) -> None:
        self.state, self.cause = predicate["state"], predicate.get("cause")
        self.header, self.decisions = predicate["header"], predicate["decisions"]
        self.challenge, self.execution = predicate.get("challenge"), predicate.get("execution")
        self.reconciliation, self.issued_at = predicate.get("reconciliation"), predicate["issuedAt"]
        self.verdicts = [decision["verdict"] for decision in self.decisions]

    def is_of_one_plan(self, digest: str) -> bool:
        """[RCPT-022]"""
        plan = self.header["planId"]
        challenge = self.challenge["challengeId"] if self.challenge else None
        claim = self.execution["claimId"] if self.execution else None
        named = [part for part in (self.challenge, *self.decisions, self.execution) if part]
        return (all(part["planId"] == plan and part["planDigest"] == digest for part in named)
                and all(decision["challengeId"] == challenge for decision in self.decisions)
                and (self.reconciliation is None
                     or (self.reconciliation["planId"] == plan and self.reconciliation["claimId"] == claim)))

    def is_an_end(self) -> bool:
        """[RCPT-023]"""
        outcome = self.execution["outcome"] if self.execution else None
        if (outcome is not None or self.state in SETTLED) and outcome != self.state:
            return False
        if self.reconciliation is not None and outcome not in ("partial", "unknown"):
            return False
        before, last = self.verdicts[:-1], self.verdicts[-1:]
        if any(verdict != "approve" for verdict in before):
            return False
        match self.state, self.cause:
            case "rejected", None:
                return last == ["reject"]
            case "cancelled", "withdrawn":
                persons = [decision["approver"]["person"] for decision in self.decisions]
                return last == ["withdraw"] and persons[-1] in persons[:-1]
            case ("applied" | "failed" | "partial" | "unknown" | "stale", None) | ("cancelled", "cancelled") | (
                    "expired", "plan" | "approval"):
                return last in (["approve"], [])
        return False

    def is_approved(self) -> bool:
        """[RCPT-024]"""
        rule, requester = self.header["policy"]["rule"], self.header["requester"]["person"]
        persons = {decision["approver"]["person"] for decision in self.decisions}
        counted = [person for person in persons if rule_counts(rule, person, requester)]
        return all(verdict == "approve" for verdict in self.verdicts) and 0 < rule["required"] <= len(counted)

    def is_in_order(self) -> bool:
        """[RCPT-025]. Timestamps are in the order of their texts."""
        header, challenge, execution = self.header, self.challenge, self.execution
        holds = header["createdAt"] < header["expiresAt"]
        times = []
        if challenge:
            holds &= challenge["createdAt"] < challenge["expiresAt"] <= header["expiresAt"]
            times.append(challenge["createdAt"])
            for decision in self.decisions:
                holds &= decision["approver"]["authTime"] > challenge["createdAt"]
                holds &= decision["verdict"] != "approve" or decision["decidedAt"] < challenge["expiresAt"]
        times += [decision["decidedAt"] for decision in self.decisions]
        if execution:
            good_until = clock.read_stamp(self.decisions[-1]["decidedAt"]) + 1000 * header["policy"]["limits"]["approvalSeconds"]
            holds &= execution["claimedAt"] < header["expiresAt"] and clock.read_stamp(execution["claimedAt"]) < good_until
            times += [execution["claimedAt"], execution["settledAt"]]
        times += [self.reconciliation["at"]] if self.reconciliation else []
        times.append(self.issued_at)
        return holds and times == sorted(times)

    def claims(self) -> list[str]:
        """[RCPT-010]"""
        holds = {"approved": self.is_approved(), "executed": bool(self.execution), "not-executed": not self.execution,
                 "planned": True, "reconciled": bool(self.reconciliation), "rejected": self.state == "rejected",
                 "withdrawn": self.cause == "withdrawn"}
        return [claim for claim in _CLAIMS if holds[claim]]

    def limits(self) -> list[str]:
        """[RCPT-011]"""
        enforcement = (self.execution or self.header)["enforcement"]
        holds = {"assertion": True, "content": True, "effect": bool(self.execution), "identity": True, "time": True,
                 "environment": enforcement["requesterAssurance"] == "environment",
                 "groups": "groups" in self.header["policy"]["rule"] and bool(self.decisions),
                 "rollback": enforcement["rollback"] == "none", "same-user": enforcement["isolation"] == "same-user",
                 "unresolved": self.state in ("partial", "unknown") and not self.reconciliation}
        return [limit for limit in _LIMITS if holds[limit]]
