"""The gate: all that reads and writes plans goes through here (gate.md, sections 5 to 7)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from . import clock, plans, records
from .audit import lacks_checkpoint, start_writer
from .decisions import Decisions
from .execution import Execution
from .operations import Operations
from .planning import Planning
from .plans import OPEN, SETTLED, Plan
from .refusals import Refusal
from .policy import Requester
from .store import Transaction

MAX_WAIT: Final = 25  # seconds [WIRE-T-021]


class Gate(Planning, Execution, Decisions, Operations):
    """Its parts, the start of a process, and the calls about a plan that execute nothing."""

    def start(self, assurance: str, *told: dict[str, Any]) -> None:
        """Begins this process's writer, tells what was done before, settles what lost its lease, and mends the anchor."""
        def begin(tx: Transaction) -> None:
            remembered = self.anchor.checkpoint() if self.anchor is not None else None
            start_writer(tx, self.configuration.enforcement(assurance), self._forgotten(tx), lacks_checkpoint(tx, remembered))
            for event in told:
                tx.event(**event)
        self.store.commit(begin)
        for row in self.store.commit(lambda tx: tx.plans_in(("executing",))):
            try:
                self.store.commit(lambda tx, i=row.plan_id: self._load(tx, i, None))  # type: ignore[misc]
            except Refusal:
                continue
        if self.anchor is None:
            return
        for row in self.store.commit(lambda tx: tx.plans_in(("rejected", "cancelled", "executing", *SETTLED))):
            try:
                plan = self.store.commit(lambda tx, i=row.plan_id: self._load(tx, i, None))  # type: ignore[misc]
            except Refusal:
                continue
            if clock.now() < plan.expires_at:
                self._anchor_end(plan)

    def _forgotten(self, tx: Transaction) -> list[str]:
        """Claims that the anchor knows and the store lacks, unresolved [ANCHOR-009] [ANCHOR-010]."""
        found = []
        for plan_id, entry in self._anchor_entries().items():
            if entry["kind"] == "claimed" and not self._store_has_claim(tx, plan_id, entry["claimId"]):
                if not self._is_resolved(tx, plan_id):
                    found.append(entry["claimId"])
        return sorted(found)

    def challenge(self, requester: Requester, plan_id: str, digest: str | None) -> Plan:
        """The live challenge, the one of the approval or the execution, or a new one [CHAL-001] [WIRE-T-010]."""
        def transition(tx: Transaction, plan: Plan) -> Plan | Refusal:
            refusal = self._other_digest(plan, digest)
            if refusal is None and plan.state["state"] == "executing":
                refusal = Refusal("execution_in_progress", plan_id=plan_id)
            refusal = refusal or self._ended(plan)  # [CHAL-004]
            if refusal is not None:
                return refusal
            if plan.state["pruned"]:
                return Refusal("already_executed", plan_id=plan_id)
            if plan.state["state"] != "planned":
                return plan
            until = min(tx.now + 1000 * plan.limits["challengeSeconds"], plan.expires_at)  # [CHAL-002]
            challenge = records.make("challenge", challengeId=clock.new_id(), planId=plan_id, planDigest=plan.digest,
                                     createdAt=clock.stamp(tx.now), expiresAt=clock.stamp(until))  # [REC-020]
            recorded = tx.insert("challenge", challenge["challengeId"], plan_id, 0, challenge)
            plan.challenge, plan.decisions = challenge, []
            plans.change(tx, plan, {"kind": "challenge.created", "challengeId": challenge["challengeId"],
                                    "recordDigest": recorded, "actor": self._pseudonym(requester.person)},
                         state="awaiting_approval", challenge=recorded, decisions=None)
            return plan
        return self._called(plan_id, requester, digest, transition)

    def status(self, requester: Requester, plan_id: str, wait: int, gone: Callable[[], bool]) -> Plan:
        """Where a plan stands, after waiting while it is before a person or runs [STATE-013] [WIRE-T-020] [WIRE-T-021]."""
        until = time.monotonic() + min(wait, MAX_WAIT)
        while True:
            plan: Plan = self._called(plan_id, requester, None, lambda tx, plan: plan)
            left = until - time.monotonic()
            if plan.state["state"] not in ("awaiting_approval", "executing") or left <= 0 or gone():
                return plan
            with self.store.changed:
                self.store.changed.wait(min(left, 0.5))

    def cancel(self, requester: Requester, plan_id: str) -> Plan:
        """Ends an open plan [WIRE-T-040]; one that is executing is refused [GATE-114]."""
        def transition(tx: Transaction, plan: Plan) -> Plan | Refusal:
            if plan.state["state"] == "executing":
                return Refusal("execution_in_progress", plan_id=plan_id)
            if plan.state["state"] in OPEN:
                plans.change(tx, plan, {"kind": "plan.cancelled", "actor": self._pseudonym(requester.person)},
                             state="cancelled", cause="cancelled")
            return plan
        return self._called(plan_id, requester, None, transition)
