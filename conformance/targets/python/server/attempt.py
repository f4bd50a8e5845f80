"""From the claim to the outcome (gate.md, section 7): anchor, permit, executor, lease."""

from __future__ import annotations

import threading
import time
from typing import Any, Final

from . import clock, plans, records, strictjson
from .anchor import AnchorBroken
from .base import Base
from .plans import Plan
from .refusals import Refusal
from .seals import SealBroken
from .store import Conflict, StoreUnavailable, Transaction
from .target import Report

_PERMIT: Final = object()


class Permit:
    """What an executor gets, once: the stored intent, made by the gate alone [GATE-112] [EXEC-001]."""

    def __init__(self, made_by: object, intent: dict[str, Any], deadline: int) -> None:
        if made_by is not _PERMIT:
            raise TypeError("a permit is made by the gate")
        self._intent: dict[str, Any] | None = intent
        self._deadline = deadline

    def spend(self) -> dict[str, Any]:
        intent, self._intent = self._intent, None
        if intent is None:
            raise RuntimeError("a permit is good once")
        return intent

    def may_start(self) -> bool:
        """[EXEC-002]"""
        return clock.now() < self._deadline

    def __copy__(self) -> "Permit":
        raise TypeError("a permit is not copied")

    def __deepcopy__(self, memo: Any) -> "Permit":
        raise TypeError("a permit is not copied")


class Attempts(Base):
    """Each runs in a thread of its own, and its outcome is recorded whoever is gone meanwhile."""

    def _attempt(self, plan: Plan, enforcement: dict[str, str]) -> None:
        """Runs the attempt in a thread of its own: a caller that goes away does not stop it [GATE-111] [WIRE-T-033]."""
        with self._idle:
            self._running += 1
        done, told = threading.Event(), threading.Event()
        threading.Thread(target=self._renew, args=(plan, done), daemon=True).start()
        threading.Thread(target=self._run, args=(plan, enforcement, done, told), daemon=True).start()
        told.wait()

    def _run(self, plan: Plan, enforcement: dict[str, str], done: threading.Event, told: threading.Event) -> None:
        try:
            self._settle(plan, self._carry_out(plan), enforcement, done, told)
        except (Refusal, Conflict, SealBroken):
            pass  # somebody else has settled it, or the records don't hold together any more
        finally:
            done.set()
            told.set()
            with self._idle:
                self._running -= 1
                self._idle.notify_all()

    def _carry_out(self, plan: Plan) -> Report:
        """From the claim's commit to what came of it: the anchor, the permit, the executor."""
        refused = self._enter_claim(plan)
        if refused is not None:
            return Report(refused, [], None)
        try:
            alive = self.store.commit(lambda tx: self._lease_alive(tx, plan))
        except StoreUnavailable:
            alive = False
        if not alive:  # [GATE-113]
            return Report("failed", [], None)
        permit = Permit(_PERMIT, plan.restored(), clock.read_stamp(plan.state["claim"]["deadline"]))
        try:
            return self.target.execute(permit.spend(), permit.may_start)
        except Exception:  # [EXEC-004]
            return Report("unknown", [], None)

    def _enter_claim(self, plan: Plan) -> str | None:
        """The claim is entered after its commit and before the permit; the outcome where it can't be [ANCHOR-001]
        [ANCHOR-004] [ANCHOR-005]."""
        if self.anchor is None:
            return None
        try:
            known = self.anchor.enter(plan.plan_id, "claimed", plan.header.value["expiresAt"], self._effect_tags(plan),
                                      plan.state["claim"]["claimId"])
        except (AnchorBroken, OSError):
            return "failed"
        if known is None:
            return None
        another = known["kind"] == "claimed" and known["claimId"] != plan.state["claim"]["claimId"]
        return "unknown" if another else "failed"

    def wait_idle(self, seconds: float = 10) -> None:
        """At the end of the process, for attempts that run. One that takes longer is lost, and settled by its lease."""
        with self._idle:
            self._idle.wait_for(lambda: not self._running, seconds)

    def _lease_alive(self, tx: Transaction, plan: Plan) -> bool:
        found = tx.open("plan-state", plan.plan_id, plan.plan_id)
        if found is None:
            return False
        state = found[0].value
        return (state["state"] == "executing" and state["claim"]["claimId"] == plan.state["claim"]["claimId"]
                and tx.now < clock.read_stamp(state["claim"]["lease"]))

    def _renew(self, plan: Plan, done: threading.Event) -> None:
        """Renews the lease of its own attempt alone; that is no event [STATE-020]."""
        seconds = plan.limits["leaseSeconds"]

        def transition(tx: Transaction) -> bool:
            if not self._lease_alive(tx, plan):
                return False
            found = tx.open("plan-state", plan.plan_id, plan.plan_id)
            assert found is not None
            state, revision = found[0].value, found[1]
            renewed = {**state, "revision": revision + 1,
                       "claim": {**state["claim"], "lease": clock.stamp(tx.now + 1000 * seconds)}}
            tx.replace("plan-state", plan.plan_id, plan.plan_id, revision, revision + 1, renewed)
            return True
        while not done.wait(max(seconds / 3, 0.3)):
            try:
                if not self.store.commit(transition):
                    return
            except (StoreUnavailable, SealBroken, Conflict):
                continue

    def _settle(self, plan: Plan, report: Report, enforcement: dict[str, str], done: threading.Event,
                told: threading.Event) -> None:
        """Step 13, also where the outcome comes late [STATE-021] [STATE-031]. Where the store can't be written, the caller is
        told so and it is tried again, for as long as the process lives."""
        claim_id = plan.state["claim"]["claimId"]

        def transition(tx: Transaction) -> None:
            current = self._load(tx, plan.plan_id, None)
            if current.state.get("claim", {}).get("claimId") != claim_id:
                raise Refusal("internal")
            state = current.state["state"]
            if current.reconciliation is not None:
                plans.change(tx, current, {"kind": "execution.conflict", "claimId": claim_id})
                return
            late = state == "unknown" and current.execution_revision == 0
            if state != "executing" and not late:
                raise Refusal("internal")
            digest = None
            if report.tool_result is not None:  # [REC-031]
                digest = tx.insert("result", plan.plan_id, plan.plan_id, 0, kept_result(report.tool_result))
            plans.settle(tx, current, report.outcome, report.steps, digest, enforcement, late=late)
        while True:
            try:
                self.store.commit(transition)
                done.set()
                return
            except StoreUnavailable:
                told.set()
                time.sleep(0.5)


def kept_result(tool_result: Any) -> dict[str, Any]:
    """The record of a tool's answer; what can't be kept is left out, and says so [EXEC-005]."""
    result = {"type": records.type_of("result"), "salt": clock.new_salt(), "toolResult": tool_result}
    try:
        strictjson.admit_value(result, strictjson.PLAN)
    except strictjson.Refused:
        result["toolResult"] = {"omitted": "the tool's answer can't be kept: it is no strict JSON within the limits"}
    return result
