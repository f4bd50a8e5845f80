"""The gate: planning, challenges, decisions, the ordered steps, the claim and its outcome (gate.md, sections 5 to 7)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from . import clock, plans, records, strictjson
from .anchor import Anchor, AnchorBroken
from .audit import start_writer
from .plans import COUNTS, ENDS_PLAN, OPEN, SETTLED, Plan, Refusal
from .policy import Configuration, Identity, Requester, satisfied, weaker
from .seals import KeyRevoked, Keyring, SealBroken
from .store import Conflict, PlanRow, Store, StoreUnavailable, Transaction
from .target import Draft, PlannerRefuses, Report, Target, definition_digest, preview_digest

MAX_WAIT: Final = 25  # seconds [WIRE-T-021]
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


@dataclass(frozen=True)
class Authentication:
    """Who decides, and when they authenticated for it [AUTH-010]."""

    identity: Identity
    at: int


class Gate:
    """All that reads and writes plans goes through here."""

    def __init__(self, store: Store, keys: Keyring, configuration: Configuration, target: Target,
                 anchor: Anchor | None) -> None:
        self.store, self.keys, self.configuration = store, keys, configuration
        self.target, self.anchor = target, anchor
        self.counters: dict[str, int] = {}  # refusals before step 3 [AUDIT-005]
        self._running = 0
        self._idle = threading.Condition()

    # ---- start

    def start(self, assurance: str) -> None:
        """Begins this process's writer, settles what lost its lease, and mends the anchor."""
        def begin(tx: Transaction) -> None:
            start_writer(tx, self.configuration.enforcement(assurance), self._forgotten(tx))
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

    @staticmethod
    def _is_resolved(tx: Transaction, plan_id: str) -> bool:
        """Whether an operator has said what an attempt did that the store lacks or can't open (audit.md, section 7)."""
        try:
            return tx.open("reconciliation", f"anchor.{plan_id}", None) is not None
        except SealBroken:
            return False

    # ---- planning (5.1)

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
            intent, review = self._documents(tx, tool, arguments, draft, effect_keys, client)
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
            event = tx.event(kind="plan.created", planId=plan_id, planDigest=digest, actor=self._pseudonym(person))
            tx.insert("plan-state", plan_id, plan_id, 1, records.make(
                "plan-state", planId=plan_id, revision=1, state="planned", planDigest=digest,
                requestTag=self.request_tag(tool, arguments), gateAttempts=0, secretsErased=True, pruned=False,
                lastEvent=event))
            tx.insert_plan_row(PlanRow(plan_id, self._pseudonym(person), "planned", header["createdAt"], None),
                               [self.keys.tag("effect-tag", key.encode()) for key in effect_keys])
            return self._load(tx, plan_id, person)
        return self.store.commit(record)

    def _documents(self, tx: Transaction, tool: str, arguments: dict[str, Any], draft: Draft, effect_keys: list[str],
                   client: str | None) -> tuple[dict[str, Any], dict[str, Any]]:
        """Intent and review, admitted within the limits of a whole plan [PLAN-003] [DIG-029]."""
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
        try:
            size = sum(len(strictjson.admit_value(document, strictjson.PLAN)) for document in (intent, review))
        except strictjson.Refused as refused:
            raise Refusal(payload_reason(refused.reason)) from None
        if size > strictjson.PLAN.size or strictjson.nodes(intent) + strictjson.nodes(review) > strictjson.PLAN.nodes:
            raise Refusal("payload_too_large")
        return intent, review

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
        open_plans = 0
        for row in tx.plans_of(self.keys.tags("pseudonym", person.encode()), 1_000_000):
            if row.state in OPEN and self._is_open(tx, row):
                open_plans += 1
        if open_plans >= limit:
            raise Refusal("rate_limited")

    def _is_open(self, tx: Transaction, row: PlanRow) -> bool:
        """By the sealed state and the clock; a plan that does not hold together counts as open."""
        try:
            found = tx.open("plan-state", row.plan_id, row.plan_id)
            header = tx.open("header", row.plan_id, row.plan_id)
        except SealBroken:
            return True
        if found is None or header is None:
            return True
        state = found[0].value
        if state["state"] not in OPEN or tx.now >= clock.read_stamp(header[0].value["expiresAt"]):
            return False
        return state["state"] != "approved" or tx.now < clock.read_stamp(state["approvalExpiresAt"])

    def _admit_effects(self, tx: Transaction, person: str, effect_keys: list[str]) -> None:
        """Rejections stick to requester and effect key [PLAN-005]."""
        for key in effect_keys:
            found = self._find(tx, "cool-down", self.keys.tags("effect-tag", cool_down_text(person, key)))
            if found is not None and tx.now < clock.read_stamp(found[1]["until"]):
                raise Refusal("recently_rejected")

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

    # ---- loading (steps 1 to 4) for all calls [GATE-002]

    def _load(self, tx: Transaction, plan_id: str, requester: str | None) -> Plan:
        plan = plans.load(tx, self.keys, plan_id, requester=requester)
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

    # ---- challenge, status, cancel

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

    # ---- execution: the steps of section 6

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
        assert plan.intent is not None
        steps = plan.intent.value["steps"]
        try:
            self.target.identity(plan.intent.value)
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

    # ---- from the claim to the outcome (section 7)

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
        assert plan.intent is not None
        permit = Permit(_PERMIT, plan.intent.value, clock.read_stamp(plan.state["claim"]["deadline"]))
        try:
            return self.target.execute(permit.spend(), permit.may_start)
        except Exception:  # [EXEC-004]
            return Report("unknown", [], None)

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

    # ---- the anchor

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

    def _effect_tags(self, plan: Plan) -> list[str]:
        assert plan.intent is not None
        return [self.keys.tag("effect-tag", key.encode()) for key in plan.intent.value["effectKeys"]]

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

    # ---- decisions (5.3)

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
        return not plan.state["pruned"] and self.configuration.is_enabled(person) and (  # [STATE-033]
            plan.requester == person or self.configuration.may_approve(person, plan.policy["rule"], plan.requester))

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
        if found is None:
            return False
        header = found[0].value
        return self.configuration.may_approve(person, header["policy"]["rule"], header["requester"]["person"])

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

    # ---- what stands beside a plan, and the inbox

    def beside(self, plan: Plan, person: str) -> tuple[list[str], list[dict[str, Any]], bool]:
        """The requester's other open plans, and recent rejections on the same effect keys [SHOW-012], as far as the person may
        read them; and whether there are others [SHOW-014]."""
        assert plan.intent is not None
        keys: list[str] = plan.intent.value["effectKeys"]

        def transition(tx: Transaction) -> tuple[list[str], list[dict[str, Any]], bool]:
            mine = tx.plans_of(self.keys.tags("pseudonym", plan.requester.encode()), 50)
            others = [row.plan_id for row in mine
                      if row.plan_id != plan.plan_id and row.state in OPEN and self._is_open(tx, row)]
            rejections = []
            for key in keys:
                found = self._find(tx, "cool-down", self.keys.tags("effect-tag", cool_down_text(plan.requester, key)))
                if found is not None and tx.now < clock.read_stamp(found[1]["until"]):
                    rejections.append(found[1])
            told = ([i for i in others if self._is_readable(tx, i, person)],
                    [r for r in rejections if self._is_readable(tx, r["planId"], person)])
            return (*told, len(told[0]) < len(others) or len(told[1]) < len(rejections))
        return self.store.commit(transition)

    def _is_readable(self, tx: Transaction, plan_id: str, person: str) -> bool:
        try:
            return self._may_read(self._load(tx, plan_id, None), person)
        except Refusal:
            return False

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

    # ---- the operator's (never over MCP) [OPER-003]

    def _is_paused(self, tx: Transaction) -> bool:
        found = self._find(tx, "pause", ["pause"])
        return found is not None and found[1]["paused"]

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

    def _pseudonym(self, person: str) -> str:
        return self.keys.tag("pseudonym", person.encode())


def kept_result(tool_result: Any) -> dict[str, Any]:
    """The record of a tool's answer; what can't be kept is left out, and says so [EXEC-005]."""
    result = {"type": records.type_of("result"), "salt": clock.new_salt(), "toolResult": tool_result}
    try:
        strictjson.admit_value(result, strictjson.PLAN)
    except strictjson.Refused:
        result["toolResult"] = {"omitted": "the tool's answer can't be kept: it is no strict JSON within the limits"}
    return result


def payload_reason(reason: str) -> str:
    """What a fault of admission is called towards the agent [PLAN-003]."""
    return "payload_too_large" if reason in ("too_large", "too_many_nodes") else "payload_invalid"


def cool_down_text(person: str, effect_key: str) -> bytes:
    """What the tag of a cool-down is over [SEAL-017]."""
    name = person.encode()
    return str(len(name)).encode("ascii") + b":" + name + effect_key.encode()
