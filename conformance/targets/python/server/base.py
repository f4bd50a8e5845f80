"""What all parts of the gate stand on: store, keys, configuration, target and anchor; and the loading of a plan for a call."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from . import clock, plans, strictjson
from .anchor import Anchor, AnchorBroken
from .loading import load
from .plans import OPEN, Plan
from .policy import Configuration, Requester
from .refusals import Refusal
from .seals import KeyRevoked, Keyring, SealBroken
from .signing import Signer
from .store import Store, Transaction
from .target import Target


Glimpse = tuple[dict[str, Any], dict[str, Any]] | None


class Base:
    """What is here reads plans; what changes them stands in a file of its own."""

    def __init__(self, store: Store, keys: Keyring, signer: Signer, configuration: Configuration, target: Target,
                 anchor: Anchor | None) -> None:
        self.store, self.keys, self.signer, self.configuration = store, keys, signer, configuration
        self.target, self.anchor = target, anchor
        self.counters: dict[str, int] = {}  # refusals before step 3 [AUDIT-005]
        self._running = 0
        self._idle = threading.Condition()

    def _load(self, tx: Transaction, plan_id: str, requester: str | None) -> Plan:
        plan = load(tx, self.keys, plan_id, requester=requester)
        plans.tick(tx, plan)
        return plan

    def _called(self, plan_id: str, requester: Requester, digest: str | None,
                then: Callable[[Transaction, Plan], Any]) -> Any:
        """Loads a plan for a call about it and goes on in the same transaction. A refusal that `then` returns, not
        raises, keeps what was recorded."""
        if clock.PLAN_ID.match(plan_id) is None:  # [GATE-010]
            self._count("plan_not_found")
            raise Refusal("plan_not_found")
        if digest is not None and not strictjson.is_digest(digest):  # [GATE-011]
            self._count("payload_invalid")
            raise Refusal("payload_invalid", member="planDigest")

        def transition(tx: Transaction) -> Any:
            try:
                plan = self._load(tx, plan_id, requester.person)
            except Refusal as refusal:
                if refusal.plan_id is not None:  # [AUDIT-006]: on the writer's chain
                    tx.event(kind="execution.refused", reason=refusal.reason, actor=self._pseudonym(requester.person))
                return refusal
            return then(tx, plan)
        answer = self.store.commit(transition)
        if isinstance(answer, Refusal):
            if answer.reason == "plan_not_found":
                self._count("plan_not_found")
            raise answer
        return answer

    def _count(self, reason: str) -> None:
        self.counters[reason] = self.counters.get(reason, 0) + 1  # [AUDIT-005]

    @staticmethod
    def _other_digest(plan: Plan, digest: str | None) -> Refusal | None:
        """[GATE-042]"""
        if digest is not None and not strictjson.same_digest(digest, plan.digest):
            return Refusal("approval_hash_mismatch", plan_id=plan.plan_id)
        return None

    def _ended(self, plan: Plan) -> Refusal | None:
        """Step 6: by its state, by the clock, or by what the anchor knows [GATE-060] [ANCHOR-008]."""
        reason = plans.end_reason(plan.state)
        if reason is None and plan.state["state"] in OPEN:
            entry = self._anchor_entries().get(plan.plan_id)
            if entry is not None:
                reason = {"rejected": "approval_rejected", "withdrawn": "approval_withdrawn"}.get(entry["kind"])
        return None if reason is None else Refusal(reason, plan_id=plan.plan_id)

    def _find(self, tx: Transaction, kind: str, ids: list[str]) -> tuple[str, dict[str, Any], int] | None:
        """A record under the tag of any good key [SEAL-018]."""
        for record_id in ids:
            try:
                found = tx.open(kind, record_id, None)
            except SealBroken:
                raise Refusal("integrity_failure") from None
            if found is not None:
                if found[0].value["revision"] != found[1]:
                    raise Refusal("integrity_failure")
                return record_id, found[0].value, found[1]
        return None

    def _attempts(self, tx: Transaction, effect_keys: list[str], except_plan: str | None) -> dict[str, str | None]:
        """Attempts of other plans on the effect keys: running (None) or unresolved (the outcome) [STORE-006]."""
        tags = [tag for key in effect_keys for tag in self.keys.tags("effect-tag", key.encode())]
        found: dict[str, str | None] = {}
        candidates = set(tx.plans_with_effects(tags))
        entries = self._anchor_entries()
        claimed = {i: e for i, e in entries.items() if e["kind"] == "claimed" and set(tags) & set(e["effects"])}
        for plan_id in sorted((candidates | set(claimed)) - {except_plan}):
            if plan_id in claimed and not self._store_has_claim(tx, plan_id, claimed[plan_id]["claimId"]):
                if not self._is_resolved(tx, plan_id):  # [ANCHOR-002] [ANCHOR-010]
                    found[plan_id] = "unknown"
                continue
            try:
                opened = tx.open("plan-state", plan_id, plan_id)
            except KeyRevoked:
                if not self._is_resolved(tx, plan_id):
                    found[plan_id] = "unknown"  # until an operator says what it did [KEYS-032]
                continue
            except SealBroken:
                raise Refusal("integrity_failure") from None  # what can't be read may have run
            if opened is None:
                raise Refusal("integrity_failure")
            state = opened[0].value
            if state["state"] == "executing":
                alive = tx.now < clock.read_stamp(state["claim"]["lease"])
                found[plan_id] = None if alive else "unknown"
            elif state["state"] in ("unknown", "partial") and "reconciliation" not in state:
                found[plan_id] = state["state"]
        return found

    def _anchor_entries(self) -> dict[str, dict[str, Any]]:
        if self.anchor is None:
            return {}
        try:
            return self.anchor.entries()
        except AnchorBroken:
            raise Refusal("store_unavailable", detail="anchor") from None  # [ANCHOR-008]

    def _store_has_claim(self, tx: Transaction, plan_id: str, claim_id: str) -> bool:
        try:
            found = tx.open("plan-state", plan_id, plan_id)
        except SealBroken:
            return False
        return found is not None and found[0].value.get("claim", {}).get("claimId") == claim_id

    @staticmethod
    def _is_resolved(tx: Transaction, plan_id: str) -> bool:
        """Whether an operator has said what an attempt did that the store lacks or can't open (audit.md, section 7)."""
        try:
            return tx.open("reconciliation", f"anchor.{plan_id}", None) is not None
        except SealBroken:
            return False

    def _effect_tags(self, plan: Plan) -> list[str]:
        assert plan.intent is not None
        return [self.keys.tag("effect-tag", key.encode()) for key in plan.intent.value["effectKeys"]]

    def _anchor_end(self, plan: Plan) -> None:
        """Rejections and withdrawals, once they have committed, and claims that the anchor lacks [ANCHOR-003]."""
        if self.anchor is None or plan.intent is None:  # of what was pruned nothing can be entered any more
            return
        state = plan.state
        kind = {"rejected": "rejected"}.get(state["state"])
        if state["state"] == "cancelled" and state.get("cause") == "withdrawn":
            kind = "withdrawn"
        claim_id = state.get("claim", {}).get("claimId")
        if claim_id is not None and state["state"] != "executing":
            kind = "claimed"
        if kind is not None:
            try:
                self.anchor.enter(plan.plan_id, kind, plan.header.value["expiresAt"], self._effect_tags(plan),
                                  claim_id if kind == "claimed" else None)
            except (AnchorBroken, OSError):
                pass

    @staticmethod
    def _glimpse(tx: Transaction, plan_id: str) -> Glimpse:
        """A plan's header and state, where their seals hold: enough for a list of plans."""
        try:
            header, state = (tx.open(kind, plan_id, plan_id) for kind in ("header", "plan-state"))
        except SealBroken:
            return None
        return None if header is None or state is None else (header[0].value, state[0].value)

    @staticmethod
    def _is_open(tx: Transaction, seen: Glimpse) -> bool:
        """By the sealed state and the clock; a plan that does not hold together counts as open."""
        if seen is None:
            return True
        header, state = seen
        if state["state"] not in OPEN or tx.now >= clock.read_stamp(header["expiresAt"]):
            return False
        return state["state"] != "approved" or tx.now < clock.read_stamp(state["approvalExpiresAt"])

    def _is_paused(self, tx: Transaction) -> bool:
        found = self._find(tx, "pause", ["pause"])
        return found is not None and found[1]["paused"]

    def _pseudonym(self, person: str) -> str:
        return self.keys.tag("pseudonym", person.encode())
