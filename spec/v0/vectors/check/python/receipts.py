"""Receipts, verified as spec/v0/receipt.md, sections 3 and 4, lays it down. CC0 1.0."""

import datetime

import rfc8785

import records
import signatures
import strict_json

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://mutation-approval.github.io/receipt/v0"
CLAIMS = ("approved", "executed", "not-executed", "planned", "reconciled", "rejected", "withdrawn")
LIMITS = tuple(
    "assertion content effect environment groups identity rollback same-user time unresolved".split()
)
OUTCOMES = ("applied", "failed", "partial", "unknown")


class Refused(ValueError):
    """A receipt that isn't taken."""

    @property
    def reason(self):
        return self.args[0]


def record(kind):
    name = f"mutation-approval/{kind}/v0"
    return {"type": name, **records.RECORDS[name]}


def true(value):
    return value is True


_decision = {member: form for member, form in records.RECORDS["mutation-approval/decision/v0"].items() if member != "comment?"}
RECEIPT = {
    "_type": STATEMENT,
    "predicateType": PREDICATE,
    "subject": [
        {
            "name": records.text_of("urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"),
            "digest": {"sha256": records.text_of("[0-9a-f]{64}")},
        }
    ],
    "predicate": {
        "header": record("plan"),
        "state": tuple(records.states),
        "cause?": ("approval", "cancelled", "plan", "withdrawn"),
        "challenge?": record("challenge"),
        "decisions": [{**_decision, "commentOmitted?": true}],
        "execution?": record("execution"),
        "reconciliation?": record("reconciliation"),
        "issuedAt": records.timestamp,
        "claims": [CLAIMS],
        "limits": [LIMITS],
    },
}


def verify(envelope, key_set, audience, now=None):
    """What a receipt claims and doesn't show, or raises Refused."""
    try:
        payload, key = signatures.open_envelope(envelope, "receipt", key_set)
    except signatures.Refused as refused:
        raise Refused(refused.reason) from None
    try:
        document = strict_json.admit(payload)
    except strict_json.Refused:
        raise Refused("payload_malformed") from None
    need(document.canonical == payload, "payload_malformed")
    statement = document.value
    need(statement.get("_type") == STATEMENT, "statement_type")
    need(statement.get("predicateType") == PREDICATE, "predicate_type")
    try:
        records.fits(statement, RECEIPT, "")
    except records.Misfit:
        raise Refused("members") from None
    need(len(statement["subject"]) == 1, "members")
    receipt = statement["predicate"]
    need(receipt["header"]["audience"] == audience, "audience_mismatch")
    try:
        signatures.good_at(key, receipt["issuedAt"])
    except signatures.Refused as refused:
        raise Refused(refused.reason) from None
    if now is not None:
        need(moment(receipt["issuedAt"]) <= moment(now) + datetime.timedelta(seconds=300), "issued_in_future")

    digest = strict_json.digest(rfc8785.dumps(receipt["header"]))
    plan = receipt["header"]["planId"]
    [subject] = statement["subject"]
    need(subject == {"name": f"urn:uuid:{plan}", "digest": {"sha256": digest.removeprefix("sha256:")}}, "subject_mismatch")
    need(is_of_one_plan(receipt, plan, digest), "plan_mismatch")
    need(is_an_end(receipt), "state_mismatch")
    approved = is_approved(receipt)
    need(approved or not ("execution" in receipt or receipt.get("cause") == "approval"), "rule_not_satisfied")
    need(is_in_order(receipt), "time_order")
    found = claims(receipt, approved), limits(receipt)
    need(found == (receipt["claims"], receipt["limits"]), "claims_mismatch")
    return {"planDigest": digest, "key": key["id"], "claims": receipt["claims"], "limits": receipt["limits"]}


def need(holds, reason):
    if not holds:
        raise Refused(reason)


def moment(text):
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ")


def is_of_one_plan(receipt, plan, digest):
    named = [receipt[member] for member in ("challenge", "execution") if member in receipt] + receipt["decisions"]
    challenge = receipt.get("challenge", {}).get("challengeId")
    reconciliation = receipt.get("reconciliation")
    attempt = (plan, receipt.get("execution", {}).get("claimId"))
    return (
        all((record["planId"], record["planDigest"]) == (plan, digest) for record in named)
        and all(decision["challengeId"] == challenge for decision in receipt["decisions"])
        and (reconciliation is None or (reconciliation["planId"], reconciliation["claimId"]) == attempt)
    )


def is_an_end(receipt):
    state, cause = receipt["state"], receipt.get("cause")
    outcome = receipt.get("execution", {}).get("outcome")
    if outcome != (state if state in OUTCOMES else None):
        return False
    if "reconciliation" in receipt and outcome not in ("partial", "unknown"):
        return False
    verdicts = [decision["verdict"] for decision in receipt["decisions"]]
    persons = [decision["approver"]["person"] for decision in receipt["decisions"]]
    before = verdicts[:-1] == ["approve"] * (len(verdicts) - 1)
    if (state, cause) == ("rejected", None):
        return verdicts[-1:] == ["reject"] and before
    if (state, cause) == ("cancelled", "withdrawn"):
        return verdicts[-1:] == ["withdraw"] and before and persons[-1] in persons[:-1]
    ends = [(outcome, None) for outcome in OUTCOMES]
    ends += [("cancelled", "cancelled"), ("expired", "plan"), ("expired", "approval"), ("stale", None)]
    return (state, cause) in ends and set(verdicts) <= {"approve"}


def is_approved(receipt):
    header = receipt["header"]
    rule, requester = header["policy"]["rule"], header["requester"]["person"]
    own = rule["kind"] == "same-subject"
    persons = {decision["approver"]["person"] for decision in receipt["decisions"]}
    counted = {person for person in persons if (person == requester) == own}
    approvals = all(decision["verdict"] == "approve" for decision in receipt["decisions"])
    return approvals and 0 < rule["required"] <= len(counted)


def is_in_order(receipt):
    header, decisions = receipt["header"], receipt["decisions"]
    challenge, execution = receipt.get("challenge"), receipt.get("execution")
    times, holds = [], header["createdAt"] < header["expiresAt"]
    if challenge:
        times.append(challenge["createdAt"])
        holds = holds and challenge["createdAt"] < challenge["expiresAt"] <= header["expiresAt"]
    for decision in decisions:
        times.append(decision["decidedAt"])
        in_time = decision["verdict"] != "approve" or decision["decidedAt"] < challenge["expiresAt"]
        holds = holds and in_time and decision["approver"]["authTime"] > challenge["createdAt"]
    if execution:
        times += [execution["claimedAt"], execution["settledAt"]]
        good_for = datetime.timedelta(seconds=header["policy"]["limits"]["approvalSeconds"])
        holds = (
            holds
            and execution["claimedAt"] < header["expiresAt"]
            and moment(execution["claimedAt"]) < moment(decisions[-1]["decidedAt"]) + good_for
        )
    if "reconciliation" in receipt:
        times.append(receipt["reconciliation"]["at"])
    times.append(receipt["issuedAt"])
    return holds and times == sorted(times)


def claims(receipt, approved):
    holds = {
        "approved": approved,
        "executed": "execution" in receipt,
        "not-executed": "execution" not in receipt,
        "planned": True,
        "reconciled": "reconciliation" in receipt,
        "rejected": receipt["state"] == "rejected",
        "withdrawn": receipt.get("cause") == "withdrawn",
    }
    return [claim for claim in CLAIMS if holds[claim]]


def limits(receipt):
    execution = receipt.get("execution")
    enforcement = (execution or receipt["header"])["enforcement"]
    open_still = execution is not None and execution["outcome"] in ("partial", "unknown")
    holds = {
        "assertion": True,
        "content": True,
        "effect": execution is not None,
        "environment": enforcement["requesterAssurance"] == "environment",
        "groups": bool(receipt["header"]["policy"]["rule"].get("groups")) and bool(receipt["decisions"]),
        "identity": True,
        "rollback": enforcement["rollback"] == "none",
        "same-user": enforcement["isolation"] == "same-user",
        "time": True,
        "unresolved": open_still and "reconciliation" not in receipt,
    }
    return [limit for limit in LIMITS if holds[limit]]
