"""Planning a call (gate.md, 5.1), and what keeps a requester from it."""

from __future__ import annotations

from typing import Any

from . import clock, leaves, records, strictjson
from .base import Base
from .plans import OPEN, Plan
from .policy import Requester
from .refusals import Refusal
from .store import PlanRow, Transaction
from .target import Draft, PlannerRefuses, definition_digest


class Planning(Base):
    """Calls of gated tools become plans."""

    def plan(self, requester: Requester, tool: str, arguments: dict[str, Any], client: str | None = None) -> Plan:
        """Plans a call; nothing is mutated [PLAN-008] [WIRE-T-001] [WIRE-T-002]. What refuses comes in the order of
        PLAN-013."""
        person = requester.person
        try:
            strictjson.admit_value(arguments, strictjson.ARGUMENTS)  # [PLAN-003]
        except strictjson.Refused as refused:
            raise Refusal(payload_reason(refused.reason)) from None
        if not self.configuration.is_enabled(person):  # [PLAN-001] [PERSON-002]
            raise Refusal("requester_not_permitted")
        try:
            draft = self.target.plan(tool, arguments)
        except PlannerRefuses as refused:  # [PLAN-011]
            raise Refusal(refused.reason, member=refused.member) from None
        effect_keys = list(dict.fromkeys(draft.effect_keys))  # [PLAN-004]
        if not effect_keys:
            raise Refusal("unsupported")
        if not self.configuration.may_request(person, tool, draft.target["name"]):  # [PLAN-001]
            raise Refusal("requester_not_permitted")
        decision = self.configuration.evaluate(tool, draft.target["name"], arguments)
        if decision is None:  # [PLAN-002]
            self.store.commit(lambda tx: tx.event(kind="plan.denied", actor=self._pseudonym(person),
                                                  reason="policy_denied"))
            raise Refusal("policy_denied")

        def record(tx: Transaction) -> Plan:
            intent, review, secrets = self._documents(tx, tool, arguments, draft, effect_keys, client)
            self._admit_muted(tx, person)
            self._admit_effects(tx, person, effect_keys)
            self._admit_open(tx, person, decision)
            plan_id = clock.new_plan_id(tx.now)
            header = records.make(  # [DIG-102] [DIG-103]
                "plan", planId=plan_id, audience=self.keys.audience, requester=requester.identity.record(),
                intentDigest=strictjson.digest(intent), reviewDigest=strictjson.digest(review), policy=decision,
                enforcement=self.configuration.enforcement(requester.assurance), createdAt=clock.stamp(tx.now),
                expiresAt=clock.stamp(tx.now + 1000 * decision["limits"]["planSeconds"]))
            digest = tx.insert("header", plan_id, plan_id, 0, header)
            tx.insert("intent", plan_id, plan_id, 0, intent)
            tx.insert("review", plan_id, plan_id, 0, review)
            if secrets:  # [LEAF-007]
                tx.insert("secrets", plan_id, plan_id, 0, records.make("secrets", leaves=secrets))
            event = tx.event(kind="plan.created", planId=plan_id, planDigest=digest, actor=self._pseudonym(person))
            tx.insert("plan-state", plan_id, plan_id, 1, records.make(
                "plan-state", planId=plan_id, revision=1, state="planned", planDigest=digest,
                requestTag=self.request_tag(tool, arguments), gateAttempts=0, secretsErased=not secrets, pruned=False,
                lastEvent=event))
            tx.insert_plan_row(PlanRow(plan_id, self._pseudonym(person), "planned", header["createdAt"]),
                               [self.keys.tag("effect-tag", key.encode()) for key in effect_keys])
            return self._load(tx, plan_id, person)
        return self.store.commit(record)

    def _documents(self, tx: Transaction, tool: str, arguments: dict[str, Any], draft: Draft, effect_keys: list[str],
                   client: str | None) -> tuple[dict[str, Any], dict[str, Any], list[leaves.Leaf]]:
        """Intent and review, admitted within the limits of a whole plan [PLAN-003] [DIG-029], and the secrets that were in
        them [LEAF-001]."""
        intent = records.make(  # [DIG-100] [DIG-110]
            "intent", salt=clock.new_salt(), arguments=arguments, target=draft.target, steps=draft.steps,
            tool={"name": tool, "definitionDigest": definition_digest(self.target, tool)}, effectKeys=effect_keys,
            normaliser=draft.normaliser)
        attempts = self._attempts(tx, effect_keys, None)
        quotes = [*draft.quotes, *([{"source": "agent", "text": client}] if client else [])]  # [WIRE-T-004]
        review = records.make(  # [DIG-101] [PLAN-009] [REC-013]
            "review", salt=clock.new_salt(), headline={"source": "server", "text": draft.headline},
            findings=draft.findings or None, steps=[{"source": "server", "text": t} for t in draft.step_texts],
            changes=draft.changes or None, quotes=quotes or None,
            warnings=[{"code": "unresolved-attempt", "planId": other, "outcome": outcome or "unknown"}
                      for other, outcome in sorted(attempts.items())] or None)
        secrets = [leaves.leaf({"intent": intent, "review": review}, pointer) for pointer in draft.secrets]
        replaced = leaves.replace({"intent": intent, "review": review}, secrets)  # [LEAF-002]
        for name, document in replaced.items():
            if listed := [each["pointer"] for each in leaves.of(name, secrets)]:
                document["secretLeaves"] = listed
        intent, review = replaced["intent"], replaced["review"]
        try:
            size = sum(len(strictjson.admit_value(document, strictjson.PLAN)) for document in (intent, review))
        except strictjson.Refused as refused:
            raise Refusal(payload_reason(refused.reason)) from None
        if size > strictjson.PLAN.size or strictjson.nodes(intent) + strictjson.nodes(review) > strictjson.PLAN.nodes:
            raise Refusal("payload_too_large")
        return intent, review, secrets

    def request_tag(self, tool: str, arguments: dict[str, Any]) -> str:
        """[DIG-123]; it never leaves the server."""
        request = {"type": records.type_of("request"), "audience": self.keys.audience, "tool": tool,
                   "arguments": arguments}
        return self.keys.tag("request-tag", strictjson.canonical(request))

    def _admit_muted(self, tx: Transaction, person: str) -> None:
        """[PLAN-006]"""
        mute = self._find(tx, "mute", self.keys.tags("pseudonym", person.encode()))
        if mute is not None and tx.now < clock.read_stamp(mute[1]["until"]):
            raise Refusal("rate_limited")

    def _admit_open(self, tx: Transaction, person: str, decision: dict[str, Any]) -> None:
        """[PLAN-007]"""
        limit = decision["limits"]["openPlans"]
        mine = tx.plans_of(self.keys.tags("pseudonym", person.encode()), 1_000_000)
        rows = [row for row in mine if row.state in OPEN]
        # Only where it matters is it asked which of them have run out.
        if len(rows) >= limit and sum(self._is_open(tx, self._glimpse(tx, row.plan_id)) for row in rows) >= limit:
            raise Refusal("rate_limited")

    def _admit_effects(self, tx: Transaction, person: str, effect_keys: list[str]) -> None:
        """Rejections stick to requester and effect key [PLAN-005]."""
        for key in effect_keys:
            found = self._find(tx, "cool-down", self.keys.tags("effect-tag", cool_down_text(person, key)))
            if found is not None and tx.now < clock.read_stamp(found[1]["until"]):
                raise Refusal("recently_rejected")


def payload_reason(reason: str) -> str:
    """What a fault of admission is called towards the agent [PLAN-003]."""
    return "payload_too_large" if reason in ("too_large", "too_many_nodes") else "payload_invalid"


def cool_down_text(person: str, effect_key: str) -> bytes:
    """What the tag of a cool-down is over [SEAL-017]."""
    name = person.encode()
    return str(len(name)).encode("ascii") + b":" + name + effect_key.encode()
