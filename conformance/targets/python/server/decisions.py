"""What a person decides on a plan (gate.md, 5.3), and how long a rejection sticks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from . import clock, plans, records, strictjson
from .planning import cool_down_text
from .plans import SETTLED, Plan
from .policy import Identity, satisfied
from .reading import Reading
from .refusals import Refusal
from .store import Transaction


@dataclass(frozen=True)
class Authentication:
    """Who decides, and when they authenticated for it [AUTH-010]."""

    identity: Identity
    at: int


class Decisions(Reading):
    """Decisions, cool-downs and mutes."""

    def decide(self, who: Authentication, plan_id: str, digest: str, challenge_id: str, verdict: str,
               comment: str | None, rendered_at: int) -> Plan:
        """The checks of a decision, in order, inside the transaction that takes it [DEC-001] to [DEC-010]."""
        person = who.identity.person
        self.view(plan_id, person)

        def transition(tx: Transaction) -> Plan | Refusal:
            plan = self._load(tx, plan_id, None)
            refusal = self._refuse_decision(tx, who, plan, digest, challenge_id, verdict)
            if refusal is not None:
                if refusal.reason not in ("store_unavailable", "internal"):  # [DEC-010]
                    plans.change(tx, plan, {"kind": "decision.refused", "reason": refusal.reason,
                                            "actor": self._pseudonym(person), "challengeId": challenge_id})
                return refusal
            decision = records.make(
                "decision", challengeId=challenge_id, planId=plan_id, planDigest=digest, verdict=verdict,
                approver={**who.identity.record(), "authTime": clock.stamp(who.at)}, comment=comment or None,
                renderedAt=clock.stamp(rendered_at), decidedAt=clock.stamp(tx.now))  # [REC-021] [DIG-104]
            recorded = tx.insert("decision", f"{challenge_id}.{len(plan.decisions)}", plan_id, 0, decision)
            decisions = [*plan.state.get("decisions", []), recorded]
            plan.decisions.append(decision)
            event = {"challengeId": challenge_id, "recordDigest": recorded, "actor": self._pseudonym(person)}
            if verdict == "reject":  # [DEC-007]
                plans.change(tx, plan, {"kind": "decision.rejected", **event}, state="rejected", decisions=decisions)
                self._cool_down(tx, plan)
            elif verdict == "withdraw":  # [DEC-008]
                plans.change(tx, plan, {"kind": "decision.withdrawn", **event}, state="cancelled", cause="withdrawn",
                             decisions=decisions)
            elif satisfied(plan.policy["rule"], set(plan.approvers())):  # [DEC-009] [GATE-072]
                until = min(tx.now + 1000 * plan.limits["approvalSeconds"], plan.expires_at)
                plans.change(tx, plan, {"kind": "decision.approved", **event}, state="approved", decisions=decisions,
                             approvalExpiresAt=clock.stamp(until), gateAttempts=0)
            else:
                plans.change(tx, plan, {"kind": "decision.approved", **event}, decisions=decisions)
            return plan
        answer = self.store.commit(transition)
        if isinstance(answer, Refusal):
            raise answer
        self._anchor_end(answer)
        return answer

    def _refuse_decision(self, tx: Transaction, who: Authentication, plan: Plan, digest: str, challenge_id: str,
                         verdict: str) -> Refusal | None:
        person, state = who.identity.person, plan.state["state"]
        if not strictjson.same_digest(digest, plan.digest):  # [DEC-001]
            return Refusal("approval_hash_mismatch")
        if not self.configuration.may_approve(person, plan.policy["rule"], plan.requester):  # [DEC-002]
            return Refusal("approver_not_permitted")
        if state == "executing":  # [DEC-003]
            return Refusal("execution_in_progress")
        if state in SETTLED:
            return Refusal("already_executed")
        reason = plans.end_reason(plan.state)
        if reason is not None:
            return Refusal(reason)
        own = plan.challenge is not None and plan.challenge["challengeId"] == challenge_id
        live = own and (state == "awaiting_approval" or (state == "approved" and verdict in ("reject", "withdraw")))
        if not live:  # [DEC-004]
            return Refusal("challenge_expired")
        assert plan.challenge is not None
        if who.at <= clock.read_stamp(plan.challenge["createdAt"]):  # [DEC-005]
            return Refusal("approver_not_permitted")
        approved = person in plan.approvers()
        if verdict == "approve" and approved:  # [DEC-006]
            return Refusal("approval_pending")
        if verdict == "withdraw" and not approved:  # [DEC-008]
            return Refusal("approver_not_permitted")
        entry = self._anchor_entries().get(plan.plan_id)  # [ANCHOR-008]
        if entry is not None:
            return Refusal({"rejected": "approval_rejected", "withdrawn": "approval_withdrawn",
                            "claimed": "outcome_unknown"}[entry["kind"]])
        return None

    def _cool_down(self, tx: Transaction, plan: Plan) -> None:
        """A rejection sticks, and no other shortens it [PLAN-005]."""
        assert plan.intent is not None
        until = tx.now + 1000 * plan.limits["coolDownSeconds"]
        for key in plan.intent.value["effectKeys"]:
            text = cool_down_text(plan.requester, key)
            self._put_until(tx, "cool-down", "effect-tag", text, until, planId=plan.plan_id)

    def mute(self, requester: str, seconds: int, by: str) -> None:
        """[FORM-009] [PLAN-006]"""
        def transition(tx: Transaction) -> None:
            self._put_until(tx, "mute", "pseudonym", requester.encode(), tx.now + 1000 * seconds)
            tx.event(kind="requester.muted", actor=self._pseudonym(by), subject=self._pseudonym(requester))
        self.store.commit(transition)

    def _put_until(self, tx: Transaction, kind: str, label: str, text: bytes, until: int, **members: Any) -> None:
        found = self._find(tx, kind, self.keys.tags(label, text))
        record_id = self.keys.tag(label, text)
        if found is not None and clock.read_stamp(found[1]["until"]) >= until:
            return
        if found is not None and found[0] != record_id:
            tx.delete(kind, found[0])
            found = None
        revision = 1 if found is None else found[2] + 1
        document = records.make(kind, revision=revision, until=clock.stamp(until), **members)
        if found is None:
            tx.insert(kind, record_id, None, revision, document)
        else:
            tx.replace(kind, record_id, None, found[2], revision, document)
