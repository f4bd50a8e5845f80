"""The ordered steps of an execution up to its claim (gate.md, section 6)."""

from __future__ import annotations

from typing import Any

from . import clock, plans, strictjson
from .attempt import Attempts
from .plans import OPEN, SETTLED, Plan
from .policy import Requester, satisfied, weaker
from .refusals import COUNTS, ENDS_PLAN, Refusal
from .store import Transaction
from .target import PlannerRefuses, definition_digest, preview_digest


class Execution(Attempts):
    """Steps 4 to 11; those before them are the loading."""

    def execute(self, requester: Requester, plan_id: str, digest: str | None) -> tuple[Plan, bool]:
        """Steps 1 to 13, in order [GATE-001]. Gives the plan with its outcome, and whether it is replayed."""
        looked = self._called(plan_id, requester, digest,
                              lambda tx, plan: self._counted(tx, requester, plan, self._steps_4_to_8(tx, plan, digest)))
        if looked is None:  # settled earlier [GATE-050]
            return self._called(plan_id, requester, None, lambda tx, plan: plan), True
        plan: Plan = looked
        refusal = self._step_9(plan, requester) or self._step_10(plan)
        if refusal is not None:
            self._refuse_on_world(requester, plan_id, refusal)
            return self._called(plan_id, requester, None, lambda tx, plan: plan), True
        enforcement = self.configuration.enforcement(requester.assurance)
        claimed = self._called(plan_id, requester, digest, lambda tx, again: self._counted(
            tx, requester, again, self._claim(tx, requester, again, digest)))
        if claimed is None:
            return self._called(plan_id, requester, None, lambda tx, plan: plan), True
        self._attempt(claimed, enforcement)
        settled: Plan = self._called(plan_id, requester, None, lambda tx, plan: plan)
        if settled.execution is None:
            raise Refusal("store_unavailable", plan_id=plan_id)  # the outcome couldn't be recorded yet
        return settled, False

    def _counted(self, tx: Transaction, requester: Requester, plan: Plan, answer: Any) -> Any:
        """Counts and chains a refusal of a plan that is open, as the table says [GATE-071] [GATE-073]; of an end that the anchor
        alone knows too [ANCHOR-008]. Beyond the limit nothing is written any more, so that nobody fills the audit."""
        if (isinstance(answer, Refusal) and (answer.reason in COUNTS or answer.reason in ("approval_rejected", "approval_withdrawn"))
                and plan.state["state"] in OPEN and plan.state["gateAttempts"] < plan.limits["gateAttempts"]):
            plans.change(tx, plan, {"kind": "execution.refused", "reason": answer.reason,
                                    "actor": self._pseudonym(requester.person)},
                         gateAttempts=plan.state["gateAttempts"] + 1)
        return answer

    def _steps_4_to_8(self, tx: Transaction, plan: Plan, digest: str | None) -> Plan | Refusal | None:
        """The end of step 4 and steps 5 to 8. None: the attempt has an outcome, which is replayed."""
        refusal = self._other_digest(plan, digest)
        if refusal is not None:
            return refusal
        if plan.state["state"] == "executing":  # step 5 [GATE-051]
            return Refusal("execution_in_progress", plan_id=plan.plan_id)
        if plan.state["state"] in SETTLED:
            if plan.state["pruned"]:  # [GATE-052]
                return Refusal("already_executed", plan_id=plan.plan_id)
            return None
        refusal = self._ended(plan)  # step 6
        if refusal is not None:
            return refusal
        if self._is_paused(tx):  # step 7 [GATE-070] [OPER-001]
            return Refusal("paused", plan_id=plan.plan_id)
        if plan.state["gateAttempts"] >= plan.limits["gateAttempts"]:
            return Refusal("rate_limited", plan_id=plan.plan_id)
        if plan.state["state"] == "planned":  # step 8 [GATE-081] [GATE-083]
            return Refusal("approval_required" if plan.challenge is None else "challenge_expired", plan_id=plan.plan_id)
        if plan.state["state"] != "approved" or not satisfied(plan.policy["rule"], set(plan.approvers())):
            return Refusal("approval_pending", plan_id=plan.plan_id)  # [GATE-080] [GATE-082] [STATE-003]
        return plan

    def _step_9(self, plan: Plan, requester: Requester) -> Refusal | None:
        """Persons, policy, enforcement, tool and target are as they were."""
        assert plan.intent is not None
        intent, rule = plan.intent.value, plan.policy["rule"]
        tool, target = intent["tool"]["name"], intent["target"]
        if not self.configuration.may_request(plan.requester, tool, target["name"]):  # [GATE-091]
            return Refusal("requester_not_permitted")
        for person in plan.approvers():  # [GATE-092]
            if not self.configuration.may_approve(person, rule, plan.requester):
                return Refusal("approver_not_permitted")
        decision = self.configuration.evaluate(tool, target["name"], intent["arguments"])
        if decision is None or strictjson.canonical(decision) != strictjson.canonical(plan.policy):  # [GATE-090]
            return Refusal("policy_changed")
        if weaker(self.configuration.enforcement(requester.assurance), plan.header.value["enforcement"]):  # [GATE-093]
            return Refusal("policy_changed")
        if definition_digest(self.target, tool) != intent["tool"]["definitionDigest"]:  # [GATE-094]
            return Refusal("tool_changed")
        try:
            if self.target.identity(intent) != target["identity"]:  # [GATE-095]
                return Refusal("target_changed")
        except PlannerRefuses:
            pass  # out of reach: step 10 says so, after what comes before it there
        return None

    def _step_10(self, plan: Plan) -> Refusal | None:
        """No other attempt stands in the way, and the target is as it was."""
        refusal = self.store.commit(lambda tx: self._others(tx, plan))
        if refusal is not None:
            return refusal
        intent = plan.restored()
        steps = intent["steps"]
        try:
            self.target.identity(intent)
            for step in steps:
                self.target.hold_preconditions(step)  # [GATE-102] [GATE-103]
            if any("previewDigest" in step and preview_digest(self.target.preview(step)) != step["previewDigest"] for step in steps):
                return Refusal("preview_changed")
        except PlannerRefuses as refused:
            return Refusal(refused.reason)
        return None

    def _others(self, tx: Transaction, plan: Plan) -> Refusal | None:
        """[GATE-100] [GATE-101]"""
        assert plan.intent is not None and plan.review is not None
        attempts = self._attempts(tx, plan.intent.value["effectKeys"], plan.plan_id)
        if any(outcome is None for outcome in attempts.values()):
            return Refusal("execution_in_progress")  # not this plan: its status has nothing to wait for [WIRE-038]
        listed = {warning["planId"] for warning in plan.review.value.get("warnings", [])}
        if set(attempts) - listed:
            return Refusal("outcome_unknown", plan_id=plan.plan_id)
        return None

    def _refuse_on_world(self, requester: Requester, plan_id: str, refusal: Refusal) -> None:
        """A refusal of step 9 or 10: what has changed ends the plan [GATE-005]. But where another call has claimed the
        plan meanwhile, what it changed is no reason: then step 5 answers, and this returns if there is an outcome."""
        refusal.plan_id = plan_id

        def transition(tx: Transaction, plan: Plan) -> Refusal | None:
            if plan.state["state"] not in OPEN or self._ended(plan) is not None:  # [GATE-008]
                again = self._steps_4_to_8(tx, plan, None)
                return again if isinstance(again, Refusal) else None
            if refusal.reason in ENDS_PLAN:
                plans.change(tx, plan, {"kind": "plan.stale", "reason": refusal.reason,
                                        "actor": self._pseudonym(requester.person)}, state="stale")
                return refusal
            return self._counted(tx, requester, plan, refusal)
        self._called(plan_id, requester, None, transition)

    def _claim(self, tx: Transaction, requester: Requester, plan: Plan, digest: str | None) -> Plan | Refusal | None:
        """Step 11: 5 to 8 and the other attempts again, in the transaction that claims [GATE-110] [STATE-004]."""
        again = self._steps_4_to_8(tx, plan, digest)
        if not isinstance(again, Plan):
            return again
        refusal = self._others(tx, plan)
        if refusal is not None:
            return refusal
        claim = {"claimId": clock.new_id(), "claimedAt": clock.stamp(tx.now),
                 "lease": clock.stamp(tx.now + 1000 * plan.limits["leaseSeconds"]),
                 "deadline": clock.stamp(tx.now + 1000 * plan.limits["executionSeconds"])}
        plans.change(tx, plan, {"kind": "execution.claimed", "claimId": claim["claimId"],
                                "actor": self._pseudonym(requester.person)}, state="executing", claim=claim)
        return plan
