"""Loading a plan: steps 2 to 4 of gate.md, section 6, for all calls [GATE-002]."""

from __future__ import annotations

from typing import Any

from . import clock, leaves, strictjson
from .plans import OPEN, SETTLED, Plan
from .refusals import Refusal
from .seals import Keyring, SealBroken
from .store import PlanRow, Transaction


def load(tx: Transaction, keys: Keyring, plan_id: str, *, requester: str | None) -> Plan:
    """Steps 2 to 4. `requester` None loads for the server itself or the surface, which ask who may read later."""
    if clock.PLAN_ID.match(plan_id) is None:  # [GATE-010] [REC-003]
        raise Refusal("plan_not_found")
    row = tx.plan_row(plan_id)
    if row is None:
        raise Refusal("plan_not_found")
    if requester is not None and row.requester not in keys.tags("pseudonym", requester.encode()):  # [GATE-020]
        raise Refusal("plan_not_found")
    try:
        plan = _step_3(tx, keys, plan_id, row)
    except SealBroken:
        raise Refusal("integrity_failure", plan_id=plan_id) from None
    _step_4(plan)
    return plan


def _step_3(tx: Transaction, keys: Keyring, plan_id: str, row: PlanRow) -> Plan:
    """The seals hold, and the records are complete and match [GATE-030] [GATE-031]."""
    header, _ = _must(tx.open("header", plan_id, plan_id))
    value = header.value
    state, revision = _must(tx.open("plan-state", plan_id, plan_id))
    plan = Plan(plan_id, row, header, state.value)
    person = value["requester"]["person"]
    _hold(value["planId"] == plan_id and value["audience"] == keys.audience and state.value["planId"] == plan_id
          and state.value["revision"] == revision)
    _hold(row.state == plan.state["state"] and row.created_at == value["createdAt"]
          and row.requester in keys.tags("pseudonym", person.encode()))  # [STORE-008]
    last = tx.last_event(plan_id)  # [SEAL-007]
    _hold(last is not None and strictjson.same_digest(last.digest, plan.state["lastEvent"]))
    _hold_state(plan)
    if plan.state["pruned"]:  # [STATE-033]
        _hold(not any(tx.has(kind, plan_id) for kind in ("intent", "review", "secrets", "execution", "result")))
        return plan
    plan.intent = _must(tx.open("intent", plan_id, plan_id))[0]
    plan.review = _must(tx.open("review", plan_id, plan_id))[0]
    touched = tx.effects_of(plan_id)
    effect_keys = plan.intent.value["effectKeys"]
    _hold(len(touched) == len(effect_keys) and all(
        touched & set(keys.tags("effect-tag", key.encode())) for key in effect_keys))  # [STORE-008]
    _hold(plan.state["secretsErased"] != tx.has("secrets", plan_id))
    if plan.state["state"] in OPEN:
        _open_secrets(tx, plan)
    _open_named(tx, plan)
    _hold_named(plan)
    return plan


def _hold(what: bool) -> None:
    if not what:
        raise SealBroken


def _hold_state(plan: Plan) -> None:
    """What of the list of GATE-031 the plan state says by itself, pruned or not."""
    state = plan.state
    name, cause = state["state"], state.get("cause")
    claimed, settled = name == "executing" or name in SETTLED, name in SETTLED
    _hold(("claim" in state) == claimed and ("execution" in state) == settled)
    _hold("reconciliation" not in state or name in ("partial", "unknown"))
    decisions = state.get("decisions", [])
    _hold("challenge" in state or not (claimed or decisions or name in ("awaiting_approval", "approved")))
    _hold(not (name == "planned" and decisions) and len(set(decisions)) == len(decisions))
    until = state.get("approvalExpiresAt")
    _hold(until is not None or not (claimed or name == "approved" or cause == "approval"))
    _hold(until is None or (name not in ("planned", "awaiting_approval") and clock.read_stamp(until) <= plan.expires_at))
    _hold(cause in {"cancelled": ("cancelled", "withdrawn"), "expired": ("plan", "approval")}.get(name, (None,)))
    _hold(name in OPEN or state["secretsErased"])
    _hold(not state["pruned"] or (name not in OPEN and name != "executing"
                                  and (name not in ("partial", "unknown") or "reconciliation" in state)))
    if claimed:
        at, lease, deadline = (clock.read_stamp(state["claim"][n]) for n in ("claimedAt", "lease", "deadline"))
        _hold(deadline == at + 1000 * plan.limits["executionSeconds"] and lease >= at + 1000 * plan.limits["leaseSeconds"])


def _hold_named(plan: Plan) -> None:
    """What of that list is about the records that the plan state names."""
    name, cause = plan.state["state"], plan.state.get("cause")
    verdicts = [decision["verdict"] for decision in plan.decisions]
    if name not in OPEN:
        _hold(("reject" in verdicts) == (name == "rejected") and ("withdraw" in verdicts) == (cause == "withdrawn"))
    claim = plan.state.get("claim", {}).get("claimId")
    for record in (plan.execution, plan.reconciliation):
        _hold(record is None or (record["planId"] == plan.plan_id and record["claimId"] == claim))
    _hold(plan.execution is None or (plan.execution["outcome"] == name
                                     and plan.execution["claimedAt"] == plan.state["claim"]["claimedAt"]))


def _open_named(tx: Transaction, plan: Plan) -> None:
    """The records that the plan state names by digest [REC-040]."""
    state, plan_id = plan.state, plan.plan_id
    if "challenge" in state:
        plan.challenge = _named(tx, "challenge", plan_id, state["challenge"])
    for digest in state.get("decisions", []):
        plan.decisions.append(_named(tx, "decision", plan_id, digest))
    if "execution" in state:
        execution, plan.execution_revision = _must(tx.open("execution", plan_id, plan_id))
        _hold(execution.digest == state["execution"])
        plan.execution = execution.value
        if "resultDigest" in plan.execution:
            result, _ = _must(tx.open("result", plan_id, plan_id))
            _hold(result.digest == plan.execution["resultDigest"])
            plan.result = result.value
    if "reconciliation" in state:
        reconciliation, _ = _must(tx.open("reconciliation", plan_id, plan_id))
        _hold(reconciliation.digest == state["reconciliation"])
        plan.reconciliation = reconciliation.value


def _named(tx: Transaction, kind: str, plan_id: str, digest: str) -> dict[str, Any]:
    """Of the plan's records of a kind the one with that digest; any other counts for nothing, whatever is wrong with it."""
    for document in tx.records_of(kind, plan_id):
        if document is not None and strictjson.same_digest(document.digest, digest):
            return document.value
    raise SealBroken


def _open_secrets(tx: Transaction, plan: Plan) -> None:
    """The leaves that are kept are those that are listed, besides those of previews [LEAF-006]."""
    assert plan.intent is not None and plan.review is not None
    if not plan.state["secretsErased"]:
        plan.secrets = _must(tx.open("secrets", plan.plan_id, plan.plan_id))[0].value["leaves"]
    try:
        for name, document in (("intent", plan.intent), ("review", plan.review)):
            leaves.check(document.value, leaves.of(name, plan.secrets))
    except leaves.Broken:
        raise SealBroken from None
    _hold(all(each["pointer"].startswith(("/intent/", "/review/", "/preview/")) for each in plan.secrets))


def _step_4(plan: Plan) -> None:
    """The digests are recomputed, and are the same everywhere [GATE-040] [GATE-041] [SHOW-001]."""
    expected = plan.header.digest
    named = [plan.state["planDigest"], *(d["planDigest"] for d in plan.decisions)]
    named += [record["planDigest"] for record in (plan.challenge, plan.execution) if record is not None]
    wrong = any(not strictjson.same_digest(expected, digest) for digest in named)
    wrong |= any(record["planId"] != plan.plan_id for record in (plan.challenge, *plan.decisions) if record is not None)
    wrong |= any(plan.challenge is None or d["challengeId"] != plan.challenge["challengeId"] for d in plan.decisions)
    for document, name in ((plan.intent, "intentDigest"), (plan.review, "reviewDigest")):
        wrong |= document is not None and not strictjson.same_digest(document.digest, plan.header.value[name])
    if wrong:
        raise Refusal("approval_hash_mismatch", plan_id=plan.plan_id)


def _must(found: tuple[strictjson.Document, int] | None) -> tuple[strictjson.Document, int]:
    if found is None:  # [GATE-031]
        raise SealBroken
    return found
