"""What an operator does, and never over MCP [OPER-003]."""

from __future__ import annotations

from . import audit, clock, plans, receipts, records, strictjson
from .anchor import AnchorBroken
from .base import Base
from .loading import load
from .plans import OPEN
from .refusals import Refusal
from .store import Transaction


class Operations(Base):
    """Pause, findings, pruning, mutes; the audit tells of each [OPER-002]."""

    def pause(self, operator: str, paused: bool) -> None:
        """[OPER-001] [OPER-002]"""
        def transition(tx: Transaction) -> None:
            found = self._find(tx, "pause", ["pause"])
            revision = 1 if found is None else found[2] + 1
            document = records.make("pause", revision=revision, paused=paused, operator=operator, at=clock.stamp(tx.now))
            if found is None:
                tx.insert("pause", "pause", None, revision, document)
            else:
                tx.replace("pause", "pause", None, found[2], revision, document)
            tx.event(kind="server.paused" if paused else "server.resumed", actor=self._pseudonym(operator))
        self.store.commit(transition)

    def reconcile(self, operator: str, plan_id: str, finding: str) -> None:
        """Once, what an operator found out about an unresolved attempt [STATE-030], also of one that the anchor alone knows
        [ANCHOR-010]."""
        def forgotten(tx: Transaction, claim_id: str) -> None:
            if self._is_resolved(tx, plan_id):
                raise Refusal("internal", detail="nothing to reconcile")
            record = records.make("reconciliation", planId=plan_id, claimId=claim_id, finding=finding,
                                  operator=operator, at=clock.stamp(tx.now))
            recorded = tx.insert("reconciliation", f"anchor.{plan_id}", None, 0, record)
            tx.event(kind="execution.reconciled", claimId=claim_id, recordDigest=recorded, actor=self._pseudonym(operator))

        def transition(tx: Transaction) -> None:
            entry = self._anchor_entries().get(plan_id)
            if entry is not None and entry["kind"] == "claimed" and not self._store_has_claim(tx, plan_id, entry["claimId"]):
                return forgotten(tx, entry["claimId"])
            plan = self._load(tx, plan_id, None)
            if plan.state["state"] not in ("unknown", "partial") or plan.reconciliation is not None:
                raise Refusal("internal", detail="nothing to reconcile")
            claim_id = plan.state["claim"]["claimId"]
            record = records.make("reconciliation", planId=plan_id, claimId=claim_id, finding=finding,
                                  operator=operator, at=clock.stamp(tx.now))
            recorded = tx.insert("reconciliation", plan_id, plan_id, 0, record)
            plans.change(tx, plan, {"kind": "execution.reconciled", "claimId": claim_id, "recordDigest": recorded,
                                    "actor": self._pseudonym(operator)}, reconciliation=recorded)
        self.store.commit(transition)

    def prune(self, plan_id: str) -> None:
        """Removes what a plan held, once it has ended and is resolved [STATE-032] [STATE-033]."""
        def transition(tx: Transaction) -> None:
            plan = self._load(tx, plan_id, None)
            state = plan.state["state"]
            unresolved = state in ("partial", "unknown") and plan.reconciliation is None
            if state in OPEN or state == "executing" or unresolved or plan.state["pruned"]:
                raise Refusal("internal", detail="nothing to prune")
            tx.prune(plan_id)
            plans.change(tx, plan, {"kind": "plan.pruned"}, pruned=True)
        self.store.commit(transition)

    def export(self) -> list[bytes]:
        """The audit, as lines."""
        return self.store.commit(audit.export)

    def checkpoint(self) -> bool:
        """Signs the audit as it stands [CKPT-003]. Raises Fault or SealBroken where it doesn't hold."""
        made = self.store.commit(lambda tx: audit.checkpoint(tx, self.keys.audience, self.signer))
        if made is not None and self.anchor is not None:
            try:
                self.anchor.remember(*made)  # [CKPT-004]
            except (AnchorBroken, OSError):
                pass  # the next one is remembered
        return made is not None

    def receipt(self, plan_id: str) -> bytes:
        """A plan's receipt, as the records are; making one changes nothing [RCPT-030]."""
        return self.store.commit(lambda tx: receipts.issue(load(tx, self.keys, plan_id, requester=None), self.signer, tx.now))

    def rotate(self, operator: str, purpose: str) -> None:
        """[KEYS-013] [KEYS-014]"""
        self.signer.rotate(purpose, clock.stamp(clock.now()))
        self.store.commit(lambda tx: tx.event(actor=self._pseudonym(operator), **self.rotated()))

    def rotated(self) -> dict[str, str]:
        """What the audit tells of a signing key that was made, but for who did it [KEYS-014]."""
        return {"kind": "key.rotated", "recordDigest": strictjson.digest_bytes(self.signer.key_set())}

    def account_changed(self, operator: str, person: str) -> None:
        """[OPER-002]"""
        self.store.commit(lambda tx: tx.event(kind="account.changed", actor=self._pseudonym(operator),
                                              subject=self._pseudonym(person)))

    def unmute(self, operator: str, person: str) -> None:
        """[PLAN-006]"""
        def transition(tx: Transaction) -> None:
            for tag in self.keys.tags("pseudonym", person.encode()):
                tx.delete("mute", tag)
            tx.event(kind="requester.unmuted", actor=self._pseudonym(operator), subject=self._pseudonym(person))
        self.store.commit(transition)
