"""What persons may read of plans: a plan, what stands beside it, the inbox."""

from __future__ import annotations

from typing import Any

from . import clock
from .base import Base, Glimpse
from .planning import cool_down_text
from .plans import OPEN, Plan
from .refusals import Refusal
from .seals import SealBroken
from .store import Transaction


class Reading(Base):
    """For the approval surface."""

    def view(self, plan_id: str, person: str) -> Plan:
        """A plan for somebody who may request or decide on it; for others there is none [SURF-001]."""
        def transition(tx: Transaction) -> Plan | Refusal:
            try:
                plan = self._load(tx, plan_id, None)
            except Refusal as refusal:
                if refusal.reason == "plan_not_found":
                    return refusal
                return refusal if self._may_read_broken(tx, plan_id, person) else Refusal("plan_not_found")
            return plan if self._may_read(plan, person) else Refusal("plan_not_found")
        answer = self.store.commit(transition)
        if isinstance(answer, Refusal):
            raise answer
        return answer

    def _may_read(self, plan: Plan, person: str) -> bool:
        return not plan.state["pruned"] and self._may_read_header(plan.header.value, person)  # [STATE-033]

    def _may_read_header(self, header: dict[str, Any], person: str) -> bool:
        requester = header["requester"]["person"]
        return self.configuration.is_enabled(person) and (
            requester == person or self.configuration.may_approve(person, header["policy"]["rule"], requester))

    def _may_read_broken(self, tx: Transaction, plan_id: str, person: str) -> bool:
        """Of a plan that doesn't hold together, whoever its header or its index says."""
        row = tx.plan_row(plan_id)
        if not self.configuration.is_enabled(person) or row is None:
            return False
        if row.requester in self.keys.tags("pseudonym", person.encode()):
            return True
        try:
            found = tx.open("header", plan_id, plan_id)
        except SealBroken:
            return False
        return found is not None and self._may_read_header(found[0].value, person)

    def beside(self, plan: Plan, person: str) -> tuple[list[str], list[dict[str, Any]], bool]:
        """The requester's other open plans, and recent rejections on the same effect keys [SHOW-012], as far as the person may
        read them; and whether there are others [SHOW-014]."""
        assert plan.intent is not None
        keys: list[str] = plan.intent.value["effectKeys"]

        def transition(tx: Transaction) -> tuple[list[str], list[dict[str, Any]], bool]:
            mine = tx.plans_of(self.keys.tags("pseudonym", plan.requester.encode()), 50)
            seen = {row.plan_id: self._glimpse(tx, row.plan_id) for row in mine if row.plan_id != plan.plan_id and row.state in OPEN}
            others = [plan_id for plan_id in seen if self._is_open(tx, seen[plan_id])]
            rejections = []
            for key in keys:
                found = self._find(tx, "cool-down", self.keys.tags("effect-tag", cool_down_text(plan.requester, key)))
                if found is not None and tx.now < clock.read_stamp(found[1]["until"]):
                    rejections.append(found[1])
            told = ([plan_id for plan_id in others if self._is_readable(seen[plan_id], person)],
                    [r for r in rejections if self._is_readable(self._glimpse(tx, r["planId"]), person)])
            return (*told, len(told[0]) < len(others) or len(told[1]) < len(rejections))
        return self.store.commit(transition)

    def _is_readable(self, seen: Glimpse, person: str) -> bool:
        return seen is not None and not seen[1]["pruned"] and self._may_read_header(seen[0], person)

    def inbox(self, person: str) -> list[Plan]:
        """A person's own plans, and those that wait for them [SURF-003]; newest first."""
        def transition(tx: Transaction) -> list[Plan]:
            mine = tx.plans_of(self.keys.tags("pseudonym", person.encode()), 50)
            waiting = [row for row in tx.plans_in(("awaiting_approval",)) if row not in mine][:50]
            found = []
            for row in sorted((*mine, *waiting), key=lambda row: row.plan_id, reverse=True):
                try:
                    plan = self._load(tx, row.plan_id, None)
                except Refusal:
                    continue
                waits = plan.state["state"] == "awaiting_approval" and self.configuration.may_approve(
                    person, plan.policy["rule"], plan.requester)
                if not plan.state["pruned"] and (plan.requester == person or waits):
                    found.append(plan)
            return found
        return self.store.commit(transition)
