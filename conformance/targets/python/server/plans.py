"""Loading a plan (steps 2 to 4), what the clock does to it, and counting its rule."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from . import clock, policy, records, strictjson
from .seals import Keyring, SealBroken
from .store import PlanRow, Transaction

OPEN: Final = ("planned", "awaiting_approval", "approved")
SETTLED: Final = ("applied", "failed", "partial", "unknown")
RETRY: Final = {
    "already_executed": "never", "approval_expired": "replan", "approval_hash_mismatch": "never",
    "approval_pending": "same", "approval_rejected": "never", "approval_required": "same",
    "approval_withdrawn": "replan", "approver_not_permitted": "never", "challenge_expired": "same",
    "dry_run_failed": "replan", "execution_in_progress": "same", "integrity_failure": "never", "internal": "same",
    "outcome_unknown": "replan", "paused": "same", "payload_invalid": "never", "payload_too_large": "never",
    "plan_cancelled": "replan", "plan_expired": "replan", "plan_not_found": "replan", "plan_stale": "replan",
    "policy_changed": "replan", "policy_denied": "never", "precondition_failed": "replan", "preview_changed": "replan",
    "rate_limited": "same", "recently_rejected": "never", "requester_not_permitted": "never",
    "store_unavailable": "same", "target_changed": "replan", "target_unavailable": "same", "tool_changed": "replan",
    "unsupported": "never"}  # gate.md, section 9 [GATE-003] [GATE-007]
COUNTS: Final = frozenset({"approval_hash_mismatch", "approval_pending", "approval_required", "challenge_expired",
                           "outcome_unknown"})  # [GATE-006] [GATE-073]
ENDS_PLAN: Final = frozenset({"requester_not_permitted", "approver_not_permitted", "policy_changed", "tool_changed",
                              "target_changed", "precondition_failed", "preview_changed", "dry_run_failed"})  # [GATE-005]


class Refusal(Exception):
    """A call is refused, for one reason of the table. Its detail stays inside [GATE-004]."""

    def __init__(self, reason: str, member: str | None = None, plan_id: str | None = None, detail: str = "") -> None:
        assert reason in RETRY
        super().__init__(f"{reason} {detail}")
        self.reason, self.member, self.plan_id = reason, member, plan_id


@dataclass
class Plan:
    """A plan as the gate loaded it: every part opened, checked and fixed by the plan state [REC-040]."""

    plan_id: str
    row: PlanRow
    header: strictjson.Document
    state: dict[str, Any]
    intent: strictjson.Document | None = None
    review: strictjson.Document | None = None
    challenge: dict[str, Any] | None = None
    decisions: list[dict[str, Any]] = field(default_factory=list)
    execution: dict[str, Any] | None = None
    execution_revision: int = 0
    result: dict[str, Any] | None = None
    reconciliation: dict[str, Any] | None = None

    @property
    def digest(self) -> str:
        return self.state["planDigest"]

    @property
    def requester(self) -> str:
        return self.header.value["requester"]["person"]

    @property
    def policy(self) -> dict[str, Any]:
        return self.header.value["policy"]

    @property
    def limits(self) -> dict[str, int]:
        return self.policy["limits"]

    @property
    def expires_at(self) -> int:
        return clock.read_stamp(self.header.value["expiresAt"])

    def approvals(self) -> int:
        """Distinct persons whose approval counts; of a plan that was pruned, by the decisions that its state still names."""
        if not self.state["pruned"]:
            return len(self.approvers())
        ended_by_person = self.state["state"] == "rejected" or self.state.get("cause") == "withdrawn"
        return max(0, len(self.state.get("decisions", [])) - (1 if ended_by_person else 0))

    def approvers(self) -> dict[str, dict[str, Any]]:
        """Whose approval counts, by person: given on this digest, under this challenge, while it was live, with an
        authentication newer than it, by somebody whom the rule can count [GATE-080] [RULE-001] [CHAL-003]."""
        if self.challenge is None:
            return {}
        opened, closed = (clock.read_stamp(self.challenge[name]) for name in ("createdAt", "expiresAt"))
        counted: dict[str, dict[str, Any]] = {}
        for decision in self.decisions:
            person = decision["approver"]["person"]
            if decision["verdict"] != "approve":
                counted.pop(person, None)
                continue
            decided = clock.read_stamp(decision["decidedAt"])
            newer = clock.read_stamp(decision["approver"]["authTime"]) > opened
            if (opened <= decided < closed and newer and decision["planDigest"] == self.digest
                    and policy.rule_counts(self.policy["rule"], person, self.requester)):
                counted[person] = decision
        return counted


def load(tx: Transaction, keys: Keyring, plan_id: str, *, requester: str | None) -> Plan:
    """Steps 2 to 4. `requester` None loads for the server itself or the surface, which ask who may read later."""
    if clock.PLAN_ID.match(plan_id) is None:  # [GATE-010] [REC-003]
        raise Refusal("plan_not_found")
    row = tx.plan_row(plan_id)
    if row is None:
        raise Refusal("plan_not_found")
    if requester is not None and row.requester not in keys.tags("pseudonym", requester.encode()):  # [GATE-020]
        raise Refusal("plan_not_found")
    try:
        plan = _step_3(tx, keys, plan_id, row)
    except SealBroken:
        raise Refusal("integrity_failure", plan_id=plan_id) from None
    _step_4(plan)
    return plan


def _step_3(tx: Transaction, keys: Keyring, plan_id: str, row: PlanRow) -> Plan:
    """The seals hold, and the records are complete and match [GATE-030] [GATE-031]."""
    header, _ = _must(tx.open("header", plan_id, plan_id))
    value = header.value
    state, revision = _must(tx.open("plan-state", plan_id, plan_id))
    plan = Plan(plan_id, row, header, state.value)
    person = value["requester"]["person"]
    _hold(value["planId"] == plan_id and value["audience"] == keys.audience and state.value["planId"] == plan_id
          and state.value["revision"] == revision)
    _hold(row.state == plan.state["state"] and row.created_at == value["createdAt"]
          and row.requester in keys.tags("pseudonym", person.encode()))  # [STORE-008]
    _follow_events(tx, plan)
    _hold_state(plan)
    if plan.state["pruned"]:  # [STATE-033]
        _hold(not any(tx.has(kind, plan_id) for kind in ("intent", "review", "secrets", "execution", "result")))
        return plan
    plan.intent = _must(tx.open("intent", plan_id, plan_id))[0]
    plan.review = _must(tx.open("review", plan_id, plan_id))[0]
    touched = tx.effects_of(plan_id)
    effect_keys = plan.intent.value["effectKeys"]
    _hold(len(touched) == len(effect_keys) and all(
        touched & set(keys.tags("effect-tag", key.encode())) for key in effect_keys))  # [STORE-008]
    # This server's planners name no secret leaf [LEAF-006].
    _hold(not plan.intent.value.get("secretLeaves") and not plan.review.value.get("secretLeaves")
          and plan.state["secretsErased"] and not tx.has("secrets", plan_id))
    _open_named(tx, plan)
    _hold_named(plan)
    return plan


def _hold(what: bool) -> None:
    if not what:
        raise SealBroken


def _hold_state(plan: Plan) -> None:
    """What of the list of GATE-031 the plan state says by itself, pruned or not."""
    state = plan.state
    name, cause = state["state"], state.get("cause")
    claimed, settled = name == "executing" or name in SETTLED, name in SETTLED
    _hold(("claim" in state) == claimed and ("execution" in state) == settled)
    _hold("reconciliation" not in state or name in ("partial", "unknown"))
    decisions = state.get("decisions", [])
    _hold("challenge" in state or not (claimed or decisions or name in ("awaiting_approval", "approved")))
    _hold(not (name == "planned" and decisions) and len(set(decisions)) == len(decisions))
    until = state.get("approvalExpiresAt")
    _hold(until is not None or not (claimed or name == "approved" or cause == "approval"))
    _hold(until is None or (name not in ("planned", "awaiting_approval") and clock.read_stamp(until) <= plan.expires_at))
    _hold(cause in {"cancelled": ("cancelled", "withdrawn"), "expired": ("plan", "approval")}.get(name, (None,)))
    _hold(name in OPEN or state["secretsErased"])
    _hold(not state["pruned"] or (name not in OPEN and name != "executing"
                                  and (name not in ("partial", "unknown") or "reconciliation" in state)))
    if claimed:
        at, lease, deadline = (clock.read_stamp(state["claim"][n]) for n in ("claimedAt", "lease", "deadline"))
        _hold(deadline == at + 1000 * plan.limits["executionSeconds"] and lease >= at + 1000 * plan.limits["leaseSeconds"])


def _hold_named(plan: Plan) -> None:
    """What of that list is about the records that the plan state names."""
    name, cause = plan.state["state"], plan.state.get("cause")
    verdicts = [decision["verdict"] for decision in plan.decisions]
    if name not in OPEN:
        _hold(("reject" in verdicts) == (name == "rejected") and ("withdraw" in verdicts) == (cause == "withdrawn"))
    claim = plan.state.get("claim", {}).get("claimId")
    for record in (plan.execution, plan.reconciliation):
        _hold(record is None or (record["planId"] == plan.plan_id and record["claimId"] == claim))
    _hold(plan.execution is None or plan.execution["outcome"] == name)


def _open_named(tx: Transaction, plan: Plan) -> None:
    """The records that the plan state names by digest [REC-040]."""
    state, plan_id = plan.state, plan.plan_id
    _hold(("challenge" in state) == (plan.row.challenge_id is not None))  # [STORE-008]
    if plan.row.challenge_id is not None:
        challenge, _ = _must(tx.open("challenge", plan.row.challenge_id, plan_id))
        _hold(challenge.digest == state["challenge"] and challenge.value["challengeId"] == plan.row.challenge_id
              and challenge.value["planId"] == plan_id)
        plan.challenge = challenge.value
    for number, expected in enumerate(state.get("decisions", [])):
        assert plan.challenge is not None
        decision, _ = _must(tx.open("decision", f"{plan.challenge['challengeId']}.{number}", plan_id))
        _hold(decision.digest == expected and decision.value["planId"] == plan_id)
        plan.decisions.append(decision.value)
    if "execution" in state:
        execution, plan.execution_revision = _must(tx.open("execution", plan_id, plan_id))
        _hold(execution.digest == state["execution"])
        plan.execution = execution.value
        if "resultDigest" in plan.execution:
            result, _ = _must(tx.open("result", plan_id, plan_id))
            _hold(result.digest == plan.execution["resultDigest"])
            plan.result = result.value
    if "reconciliation" in state:
        reconciliation, _ = _must(tx.open("reconciliation", plan_id, plan_id))
        _hold(reconciliation.digest == state["reconciliation"])
        plan.reconciliation = reconciliation.value


def _follow_events(tx: Transaction, plan: Plan) -> None:
    """The plan's events link, and the last is the one that the state names [SEAL-007]."""
    last: str | None = None
    for event in tx.events(plan.plan_id):
        _hold(event.value.get("planPrevious") == last and event.value["event"].get("planId") == plan.plan_id)
        last = event.digest
    _hold(last == plan.state["lastEvent"])


def _step_4(plan: Plan) -> None:
    """The digests are recomputed, and are the same everywhere [GATE-040] [GATE-041] [SHOW-001]."""
    expected = plan.header.digest
    named = [plan.state["planDigest"], *(d["planDigest"] for d in plan.decisions)]
    named += [record["planDigest"] for record in (plan.challenge, plan.execution) if record is not None]
    wrong = any(not strictjson.same_digest(expected, digest) for digest in named)
    wrong |= any(plan.challenge is None or d["challengeId"] != plan.challenge["challengeId"] for d in plan.decisions)
    for document, name in ((plan.intent, "intentDigest"), (plan.review, "reviewDigest")):
        wrong |= document is not None and not strictjson.same_digest(document.digest, plan.header.value[name])
    if wrong:
        raise Refusal("approval_hash_mismatch", plan_id=plan.plan_id)


def _must(found: tuple[strictjson.Document, int] | None) -> tuple[strictjson.Document, int]:
    if found is None:  # [GATE-031]
        raise SealBroken
    return found


def end_reason(state: dict[str, Any]) -> str | None:
    """The reason of step 6, where a plan has ended unclaimed [GATE-060]."""
    return {"rejected": "approval_rejected", "stale": "plan_stale",
            "cancelled": "approval_withdrawn" if state.get("cause") == "withdrawn" else "plan_cancelled",
            "expired": "approval_expired" if state.get("cause") == "approval" else "plan_expired",
            }.get(state["state"])


# the transitions of section 4: from, to, cause [STATE-001]
_TABLE: Final = frozenset({
    ("planned", "cancelled", "cancelled"), ("planned", "awaiting_approval", None), ("planned", "stale", None),
    ("planned", "expired", "plan"), ("awaiting_approval", "cancelled", "cancelled"),
    ("awaiting_approval", "planned", None), ("awaiting_approval", "stale", None),
    ("awaiting_approval", "expired", "plan"), ("awaiting_approval", "rejected", None),
    ("awaiting_approval", "approved", None), ("awaiting_approval", "cancelled", "withdrawn"),
    ("approved", "expired", "approval"), ("approved", "cancelled", "cancelled"), ("approved", "executing", None),
    ("approved", "stale", None), ("approved", "expired", "plan"), ("approved", "rejected", None),
    ("approved", "cancelled", "withdrawn"), *(("executing", to, None) for to in SETTLED),
    *(("unknown", to, None) for to in SETTLED)})


def change(tx: Transaction, plan: Plan, event: dict[str, Any], **members: Any) -> None:
    """Replaces the plan state, with an event of the plan in the same transaction [AUDIT-002] [AUDIT-008]. A member
    given as None is taken away. Only the transitions of the table are made [STATE-001] [STATE-002]."""
    before = plan.state
    after = {**before, **members, "revision": before["revision"] + 1}
    after = {name: member for name, member in after.items() if member is not None}
    if after["state"] != before["state"] and (before["state"], after["state"], after.get("cause")) not in _TABLE:
        raise Refusal("internal", plan_id=plan.plan_id, detail="transition")
    if after["state"] not in OPEN and not after["secretsErased"]:  # [LEAF-007]
        tx.delete("secrets", plan.plan_id)
        after["secretsErased"] = True
    after["lastEvent"] = tx.event(before["lastEvent"], planId=plan.plan_id, planDigest=plan.digest, **event)
    tx.replace("plan-state", plan.plan_id, plan.plan_id, before["revision"], after["revision"], after)
    challenge_id = plan.challenge["challengeId"] if plan.challenge is not None and "challenge" in after else None
    tx.update_plan_row(plan.plan_id, after["state"], challenge_id)
    plan.state = after
    plan.row = PlanRow(plan.plan_id, plan.row.requester, after["state"], plan.row.created_at, challenge_id)


def tick(tx: Transaction, plan: Plan) -> None:
    """Computes and records what the clock has done to a plan [STATE-010] [STATE-011]."""
    state = plan.state["state"]
    if state == "executing":
        claim = plan.state["claim"]
        if tx.now >= clock.read_stamp(claim["lease"]):  # [STATE-022]
            settle(tx, plan, "unknown", None, None,
                   {**plan.header.value["enforcement"], "requesterAssurance": "environment"})
        return
    if state not in OPEN:
        return
    if tx.now >= plan.expires_at:  # before the approval, whichever ran out first [GATE-060]
        change(tx, plan, {"kind": "plan.expired"}, state="expired", cause="plan")
        return
    if state == "approved" and tx.now >= clock.read_stamp(plan.state["approvalExpiresAt"]):
        change(tx, plan, {"kind": "plan.expired"}, state="expired", cause="approval")
        return
    if state == "awaiting_approval":
        assert plan.challenge is not None
        if tx.now >= clock.read_stamp(plan.challenge["expiresAt"]):  # [STATE-012] [CHAL-003]
            change(tx, plan, {"kind": "challenge.expired"}, state="planned", decisions=None)
            plan.decisions = []


def settle(tx: Transaction, plan: Plan, outcome: str, steps: list[dict[str, str]] | None, result_digest: str | None,
           enforcement: dict[str, str], late: bool = False) -> None:
    """Records the outcome of the one attempt, for its claim [STATE-021] [REC-030]."""
    claim = plan.state["claim"]
    execution = records.make("execution", planId=plan.plan_id, planDigest=plan.digest, claimId=claim["claimId"],
                             claimedAt=claim["claimedAt"], enforcement=enforcement, outcome=outcome,
                             steps=steps or None, resultDigest=result_digest, settledAt=clock.stamp(tx.now))
    if late:
        digest = tx.replace("execution", plan.plan_id, plan.plan_id, 0, 1, execution)
        plan.execution_revision = 1
    else:
        digest = tx.insert("execution", plan.plan_id, plan.plan_id, 0, execution)
    kind = "execution.settled_late" if late else f"execution.{outcome}"
    change(tx, plan, {"kind": kind, "claimId": claim["claimId"], "recordDigest": digest}, state=outcome, execution=digest)
    plan.execution = execution
