"""The gate, as spec/v0/gate.md and audit.md lay it down: steps 1 to 11 over what is stored and how things are. CC0 1.0."""

import datetime

import rfc8785

import leaves
import records
import seals
from strict_json import digest

RETRY = {
    reason: retry
    for retry, reasons in {
        "never": "already_executed approval_hash_mismatch approval_rejected approver_not_permitted integrity_failure"
        " payload_invalid payload_too_large policy_denied recently_rejected requester_not_permitted unsupported",
        "replan": "approval_expired approval_withdrawn dry_run_failed outcome_unknown plan_cancelled plan_expired"
        " plan_not_found plan_stale policy_changed precondition_failed preview_changed target_changed tool_changed",
        "same": "approval_pending approval_required challenge_expired execution_in_progress internal paused rate_limited"
        " store_unavailable target_unavailable",
    }.items()
    for reason in reasons.split()
}
TYPES = {
    "header": "plan",
    "intent": "intent",
    "review": "review",
    "secrets": "secrets",
    "planState": "plan-state",
    "execution": "execution",
    "result": "result",
    "reconciliation": "reconciliation",
}
OPEN = ("planned", "awaiting_approval", "approved")
OUTCOMES = ("applied", "failed", "partial", "unknown")
STRENGTH = {
    "isolation": ["same-user", "separate"],
    "rollback": ["none", "local", "shared"],
    "requesterAssurance": ["environment", "verified-token"],
}
FRESHNESS = {
    "precondition-fails": "precondition_failed",
    "preview-differs": "preview_changed",
    "preview-refused": "dry_run_failed",
}


class Refused(Exception):
    """A reason, and whether the plan has ended by it."""

    def __init__(self, reason, ends=False):
        super().__init__(reason)
        self.reason, self.ends = reason, ends


class Replayed(Exception):
    """The outcome that was recorded."""


class Settled(Exception):
    """The outcome of a claim that gets no permit."""


def decide(scene, ring):
    """What the gate answers to the request of a scene."""
    found = []
    try:
        pass_steps(scene, ring, found)
    except Replayed as replayed:
        return {"verdict": "replayed", "outcome": replayed.args[0]}
    except Settled as settled:
        return {"verdict": "settled", "outcome": settled.args[0]}
    except Refused as refused:
        answer = {"verdict": "refused", "reason": refused.reason, "retry": RETRY[refused.reason]}
        if found and refused.reason != "integrity_failure":
            answer["state"] = "stale" if refused.ends else found[0].state_now(scene["now"])
        return answer
    return {"verdict": "permitted"}


def pass_steps(scene, ring, found):
    request, now = scene["request"], scene["now"]

    # 1 handle and digest are well-formed
    if not records.plan_id(request["planId"]):
        raise Refused("plan_not_found")
    if "planDigest" in request and not records.digest(request["planDigest"]):
        raise Refused("payload_invalid")

    # 2 the plan exists and is this requester's
    index = scene["stored"].get("index")
    if index is None or index["planId"] != request["planId"] or index["requester"] != request["requester"]["person"]:
        raise Refused("plan_not_found")

    # 3 the seals hold, the records are complete
    plan = Plan(scene["stored"], scene["audience"], documents=True)

    # 4 the digests are the same everywhere
    plan.recompute()
    if request.get("planDigest", plan.digest) != plan.digest:
        raise Refused("approval_hash_mismatch")
    if "repeated" in request:
        repeated = {"type": "mutation-approval/request/v0", "audience": scene["audience"], **request["repeated"]}
        good = [key for key in ring if key.state != "revoked"]
        tags = [seals.tag(key, "request-tag", rfc8785.dumps(repeated)) for key in good]
        if plan.state["requestTag"] not in tags:
            raise Refused("approval_hash_mismatch")
    found.append(plan)

    # 5 not claimed
    if "claim" in plan.state:
        if plan.execution is not None:
            raise Replayed(plan.execution["outcome"])
        if plan.state["state"] != "executing":
            raise Refused("already_executed")
        if now < plan.state["claim"]["lease"]:
            raise Refused("execution_in_progress")
        raise Replayed("unknown")

    # 6 not ended
    if (reason := plan.end(now)) is not None:
        raise Refused(reason)
    anchored = {entry["planId"]: entry for entry in scene["anchor"]}
    own = anchored.get(request["planId"], {"kind": None})
    if own["kind"] in ("rejected", "withdrawn"):
        raise Refused(f"approval_{own['kind']}")

    # 7 not paused, attempts left
    if scene.get("pause", {}).get("paused", False):
        raise Refused("paused")
    policy = plan.header["policy"]
    if plan.state["gateAttempts"] >= policy["limits"]["gateAttempts"]:
        raise Refused("rate_limited")

    # 8 the rule is satisfied
    challenge = plan.challenge
    if challenge is None:
        raise Refused("approval_required")
    if plan.state["state"] != "approved":
        live = plan.state["state"] == "awaiting_approval" and now < challenge["expiresAt"]
        raise Refused("approval_pending" if live else "challenge_expired")
    counts = all(
        decision["verdict"] == "approve"
        and decision["decidedAt"] < challenge["expiresAt"]
        and decision["approver"]["authTime"] > challenge["createdAt"]
        for decision in plan.decisions
    )
    requester = plan.header["requester"]["person"]
    same = policy["rule"]["kind"] == "same-subject"
    approvers = {decision["approver"]["person"] for decision in plan.decisions}
    approvers = {person for person in approvers if (person == requester) == same}
    if not counts or not 0 < policy["rule"]["required"] <= len(approvers):
        raise Refused("approval_pending")

    # 9 persons, policy, enforcement, tool and target are as they were
    directory, groups = scene["directory"], set(policy["rule"].get("groups", []))
    if not directory.get(requester, {}).get("enabled") or not directory[requester]["mayRequest"]:
        raise Refused("requester_not_permitted", ends=True)
    for person in approvers:
        standing = directory.get(person, {"enabled": False})
        member = same or not groups or groups & set(standing.get("groups", []))
        if not (standing["enabled"] and member and standing["mayApprove"]):
            raise Refused("approver_not_permitted", ends=True)
    if scene.get("policy") != policy or weaker(scene["enforcement"], plan.header["enforcement"]):
        raise Refused("policy_changed", ends=True)
    if scene["tool"] != plan.intent["tool"]:
        raise Refused("tool_changed", ends=True)
    if scene["target"]["identity"] != plan.intent["target"]["identity"]:
        raise Refused("target_changed", ends=True)

    # 10 no other attempt stands in the way; the target is as it was
    attempts = [Plan(stored, scene["audience"], documents=False) for stored in scene["attempts"]]
    standings = {attempt.header["planId"]: attempt.attempt(now) for attempt in attempts}
    for other, entry in anchored.items():
        if entry["kind"] == "claimed" and not entry["inStore"] and other != request["planId"]:
            standings[other] = "unresolved"
    if "executing" in standings.values():
        raise Refused("execution_in_progress")
    listed = {warning["planId"] for warning in plan.review.get("warnings", [])}
    if any(standing == "unresolved" and other not in listed for other, standing in standings.items()):
        raise Refused("outcome_unknown")
    if scene["freshness"] == "unreachable":
        raise Refused("target_unavailable")
    if scene["freshness"] != "unchanged":
        raise Refused(FRESHNESS[scene["freshness"]], ends=True)

    # 11 the claim, which the anchor must not know yet
    if own["kind"] == "claimed":
        raise Settled("unknown")


def later(moment, seconds):
    """A moment so many seconds after another one."""
    whole = datetime.datetime.strptime(moment, "%Y-%m-%dT%H:%M:%S.%fZ") + datetime.timedelta(seconds=seconds)
    return whole.isoformat(timespec="milliseconds") + "Z"


def weaker(now, then):
    return any(order.index(now[member]) < order.index(then[member]) for member, order in STRENGTH.items())


class Plan:
    """A plan's records, once it is known that they hold together. [step 3]"""

    def __init__(self, stored, audience, documents):
        self.stored = stored
        self.header, self.state = self.record("header"), self.record("planState")
        event, index = stored.get("lastEvent"), stored["index"]
        self.digest = digest(rfc8785.dumps(self.header))
        whole = (
            event is not None
            and digest(rfc8785.dumps(event)) == self.state["lastEvent"]
            and self.header["audience"] == audience
            and self.header["planId"] == self.state["planId"] == index["planId"]
            and self.header["requester"]["person"] == index["requester"]
            and self.header["createdAt"] == index["createdAt"]
            and self.header["expiresAt"] == index["expiresAt"]
            and self.state["state"] == index["state"]
            and self.state["revision"] == index["revision"]
        )
        if not whole:
            raise Refused("integrity_failure")
        self.challenge = self.named("challenges", "challenge", self.state.get("challenge"))
        self.decisions = [
            self.named("decisions", "decision", name) for name in self.state.get("decisions", [])
        ]
        self.execution = self.named("execution", "execution", self.state.get("execution"))
        self.reconciliation = self.named("reconciliation", "reconciliation", self.state.get("reconciliation"))
        self.decisions = [decision for decision in self.decisions if decision is not None]
        if not self.complete():
            raise Refused("integrity_failure")
        self.intent = self.review = self.secrets = None
        if documents and not self.state["pruned"]:
            self.intent, self.review = self.record("intent"), self.record("review")
            self.secrets = None if self.state["secretsErased"] else self.record("secrets")
            if self.intent["target"]["name"] != index["target"]:
                raise Refused("integrity_failure")
            if not self.ended():
                try:
                    kept = self.secrets["leaves"] if self.secrets else []
                    leaves.check({"intent": self.intent, "review": self.review}, kept)
                except leaves.Broken:
                    raise Refused("integrity_failure") from None
            result = (self.execution or {}).get("resultDigest")
            if result is not None and digest(rfc8785.dumps(self.record("result"))) != result:
                raise Refused("integrity_failure")

    def record(self, member):
        """The one record of a kind, which must be there, its seal whole, and of its type."""
        if member not in self.stored or member in self.stored.get("broken", []):
            raise Refused("integrity_failure")
        try:
            return records.read(self.stored[member], f"mutation-approval/{TYPES[member]}/v0")
        except records.Misfit:
            raise Refused("integrity_failure") from None

    def named(self, member, kind, name):
        """The record that the plan's state names by its digest; a pruned plan may lack it."""
        if name is None:
            return None
        if member in self.stored.get("broken", []):
            raise Refused("integrity_failure")
        held = self.stored.get(member, [])
        for record in held if isinstance(held, list) else [held]:
            if digest(rfc8785.dumps(record)) == name:
                try:
                    return records.read(record, f"mutation-approval/{kind}/v0")
                except records.Misfit:
                    raise Refused("integrity_failure") from None
        if not self.state["pruned"]:
            raise Refused("integrity_failure")
        return None

    def complete(self):
        """What the state says of the plan follows from what it names. [GATE-030]"""
        state, cause, decisions = self.state["state"], self.state.get("cause"), self.state.get("decisions", [])
        has = {member: member in self.state for member in ("challenge", "claim", "execution", "reconciliation")}
        settled, claimed = state in OUTCOMES, state in OUTCOMES or state == "executing"
        until = self.state.get("approvalExpiresAt")
        resolved = state in ("applied", "failed") or has["reconciliation"]
        causes = {"cancelled": ("cancelled", "withdrawn"), "expired": ("approval", "plan")}.get(state, (None,))
        members = (
            has["claim"] == claimed
            and has["execution"] == settled
            and (not has["reconciliation"] or state in ("partial", "unknown"))
            and (has["challenge"] or not (claimed or decisions or state in ("awaiting_approval", "approved")))
            and not (decisions and state == "planned")
            and (until is not None or not (claimed or state == "approved" or cause == "approval"))
            and (until is None or (state not in ("planned", "awaiting_approval") and until <= self.header["expiresAt"]))
            and (self.state["secretsErased"] or state in OPEN)
            and cause in causes
            and len(set(decisions)) == len(decisions)
            and (not self.state["pruned"] or (resolved if settled else state not in OPEN and state != "executing"))
        )
        verdicts = {decision["verdict"] for decision in self.decisions}
        ends = ("reject" in verdicts, "withdraw" in verdicts) == (state == "rejected", cause == "withdrawn")
        return members and (ends or self.state["pruned"] or state in OPEN) and (not claimed or self.is_one_attempt())

    def is_one_attempt(self):
        """The claim has the times that it was given, and outcome and reconciliation are its own."""
        claim, limits = self.state["claim"], self.header["policy"]["limits"]
        attempt = (self.header["planId"], claim["claimId"])
        execution, found = self.execution, self.reconciliation
        return (
            claim["deadline"] == later(claim["claimedAt"], limits["executionSeconds"])
            and claim["lease"] >= later(claim["claimedAt"], limits["leaseSeconds"])
            and (
                execution is None
                or (execution["planId"], execution["claimId"]) == attempt
                and (execution["claimedAt"], execution["outcome"]) == (claim["claimedAt"], self.state["state"])
            )
            and (found is None or (found["planId"], found["claimId"]) == attempt)
        )

    def ended(self):
        return self.state["state"] not in OPEN

    def recompute(self):
        named = [self.state["planDigest"]]
        if self.challenge is not None:
            named.append(self.challenge["planDigest"])
        named += [decision["planDigest"] for decision in self.decisions]
        if self.execution is not None:
            named.append(self.execution["planDigest"])
        plans = [self.challenge["planId"]] if self.challenge is not None else []
        plans += [decision["planId"] for decision in self.decisions]
        under = self.challenge and self.challenge["challengeId"]
        documents = self.intent is None or (
            digest(rfc8785.dumps(self.intent)) == self.header["intentDigest"]
            and digest(rfc8785.dumps(self.review)) == self.header["reviewDigest"]
        )
        same = (
            all(name == self.digest for name in named)
            and all(plan == self.header["planId"] for plan in plans)
            and all(decision["challengeId"] == under for decision in self.decisions)
        )
        if not same or not documents:
            raise Refused("approval_hash_mismatch")

    def end(self, now):
        """Why the plan has ended, by its state or by the clock."""
        state, cause = self.state["state"], self.state.get("cause")
        if state == "expired":
            return "approval_expired" if cause == "approval" else "plan_expired"
        if state == "cancelled":
            return "approval_withdrawn" if cause == "withdrawn" else "plan_cancelled"
        if state in ("rejected", "stale"):
            return {"rejected": "approval_rejected", "stale": "plan_stale"}[state]
        if now >= self.header["expiresAt"]:
            return "plan_expired"
        if state == "approved" and now >= self.state["approvalExpiresAt"]:
            return "approval_expired"
        return None

    def state_now(self, now):
        """The state, once what the clock has done is recorded."""
        state = self.state["state"]
        if state in OPEN and self.end(now) is not None:
            return "expired"
        if state == "awaiting_approval" and now >= self.challenge["expiresAt"]:
            return "planned"
        return state

    def attempt(self, now):
        """How the attempt of another plan stands."""
        if self.state["state"] == "executing":
            return "executing" if now < self.state["claim"]["lease"] else "unresolved"
        if self.state["state"] in ("unknown", "partial") and self.reconciliation is None:
            return "unresolved"
        return "resolved"
