"""A plan, its transitions (gate.md, section 4), and what the clock does to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from . import clock, leaves, policy, records, strictjson
from .refusals import Refusal
from .store import PlanRow, Transaction

OPEN: Final = ("planned", "awaiting_approval", "approved")
SETTLED: Final = ("applied", "failed", "partial", "unknown")


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
    secrets: list[leaves.Leaf] = field(default_factory=list)

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

    def restored(self) -> dict[str, Any]:
        """The intent with its secrets in place, for the freshness step and the permit alone [LEAF-008]."""
        assert self.intent is not None
        return leaves.restore(self.intent.value, self.secrets)

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
    tx.update_plan_row(plan.plan_id, after["state"])
    plan.state = after
    plan.row = PlanRow(plan.plan_id, plan.row.requester, after["state"], plan.row.created_at)


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
