"""The records of the profile and the forms of their members, as spec/v0/profile.md, section 3, has them. CC0 1.0."""

import base64
import calendar
import re


class Misfit(ValueError):
    """A record that isn't of its type: why, and where, as a JSON Pointer."""

    def __init__(self, reason, at):
        super().__init__(f"{reason} at {at!r}")
        self.reason, self.at = reason, at


# Forms: a function says whether a value has it; a string is that string; a tuple holds the strings that are allowed; a list
# of one form is an array of such; a dictionary is an object of these members, where "?" marks what may be absent. An array
# that may be absent is never empty.


def any_value(value):
    return True


def an_object(value):
    return isinstance(value, dict)


def members(value):
    """An object that is never empty."""
    return isinstance(value, dict) and bool(value)


def name(value):
    return isinstance(value, str)


def boolean(value):
    return isinstance(value, bool)


def integer(most):
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most


number = integer(2**53 - 1)
count = integer(2**32 - 1)


def text_of(pattern):
    compiled = re.compile(pattern, re.ASCII)
    return lambda value: isinstance(value, str) and compiled.fullmatch(value) is not None


digest = text_of("sha256:[0-9a-f]{64}")
plan_id = text_of("[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
identifier = text_of("[A-Za-z0-9_-]{21}[AQgw]")
salt = nonce = text_of("[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")
tag = text_of(r"[a-z0-9-]{1,64}\.[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")
_moment = text_of(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")


def timestamp(value):
    if not _moment(value):
        return False
    year, month, day, hour, minute, second, _ = map(int, re.findall("[0-9]+", value))
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    days = 29 if leap and month == 2 else calendar.mdays[month] if 1 <= month <= 12 else 0
    return 1 <= day <= days and hour < 24 and minute < 60 and second < 60


def pointer(value):
    return isinstance(value, str)


# Names in the order of their UTF-8 bytes, none twice.
groups = [name]
identity = {"person": name, "issuer": name, "subject": name}
enforcement = {
    "isolation": ("same-user", "separate"),
    "rollback": ("none", "local", "shared"),
    "requesterAssurance": ("environment", "verified-token"),
}
outcome = ("applied", "failed", "partial", "unknown")
text = {"source": ("server", "agent", "upstream", "target"), "text": name}
policy = {
    "type": "mutation-approval/policy/v0",
    "rule": {"kind": ("same-subject", "other-subject", "quorum"), "required": count, "groups?": groups},
    "limits": {
        limit: count
        for limit in (
            "planSeconds challengeSeconds approvalSeconds coolDownSeconds leaseSeconds executionSeconds gateAttempts openPlans"
        ).split()
    },
    "requesterReadsTarget": boolean,
}
states = (
    "planned awaiting_approval approved executing applied failed partial unknown rejected expired cancelled stale"
).split()

RECORDS = {
    "mutation-approval/plan/v0": {
        "planId": plan_id,
        "audience": name,
        "requester": identity,
        "intentDigest": digest,
        "reviewDigest": digest,
        "policy": policy,
        "enforcement": enforcement,
        "createdAt": timestamp,
        "expiresAt": timestamp,
    },
    "mutation-approval/intent/v0": {
        "salt": salt,
        "tool": {"name": name, "definitionDigest": digest},
        "arguments": an_object,
        "target": {"name": name, "identity": an_object},
        "steps": [
            {
                "action": name,
                "object": name,
                "body?": any_value,
                "preconditions?": [
                    {"kind": name, "expected": any_value, "enforcement": ("on-write", "before-write", "none")}
                ],
                "previewDigest?": digest,
            }
        ],
        "effectKeys": [name],
        "generated?": members,
        "normaliser?": {"name": name, "exclusions": [pointer]},
        "secretLeaves?": [pointer],
    },
    "mutation-approval/review/v0": {
        "salt": salt,
        "headline": text,
        "findings?": [{"code": name, "severity": ("info", "warn", "high"), "text": name}],
        "steps": [text],
        "changes?": [{"object": name, "before?": any_value, "after?": any_value}],
        "warnings?": [{"code": ("unresolved-attempt",), "planId": plan_id, "outcome": outcome}],
        "quotes?": [text],
        "secretLeaves?": [pointer],
    },
    "mutation-approval/secrets/v0": {"leaves": [{"pointer": pointer, "nonce": nonce, "value": any_value}]},
    "mutation-approval/challenge/v0": {
        "challengeId": identifier,
        "planId": plan_id,
        "planDigest": digest,
        "createdAt": timestamp,
        "expiresAt": timestamp,
    },
    "mutation-approval/decision/v0": {
        "challengeId": identifier,
        "planId": plan_id,
        "planDigest": digest,
        "approver": {**identity, "authTime": timestamp, "acr?": name, "amr?": [name]},
        "verdict": ("approve", "reject", "withdraw"),
        "comment?": name,
        "renderedAt": timestamp,
        "decidedAt": timestamp,
    },
    "mutation-approval/execution/v0": {
        "planId": plan_id,
        "planDigest": digest,
        "claimId": identifier,
        "claimedAt": timestamp,
        "enforcement": enforcement,
        "outcome": outcome,
        "steps?": [{"outcome": ("applied", "failed", "skipped", "unknown"), "code?": name}],
        "resultDigest?": digest,
        "settledAt": timestamp,
    },
    "mutation-approval/result/v0": {"salt": salt, "toolResult": any_value},
    "mutation-approval/plan-state/v0": {
        "planId": plan_id,
        "revision": number,
        "state": tuple(states),
        "cause?": ("approval", "cancelled", "plan", "withdrawn"),
        "planDigest": digest,
        "requestTag": tag,
        "challenge?": digest,
        "decisions?": [digest],
        "approvalExpiresAt?": timestamp,
        "claim?": {"claimId": identifier, "claimedAt": timestamp, "lease": timestamp, "deadline": timestamp},
        "execution?": digest,
        "reconciliation?": digest,
        "gateAttempts": count,
        "secretsErased": boolean,
        "pruned": boolean,
        "lastEvent": digest,
    },
    "mutation-approval/reconciliation/v0": {
        "planId": plan_id,
        "claimId": identifier,
        "finding": ("applied", "not-applied"),
        "operator": name,
        "at": timestamp,
    },
    "mutation-approval/pause/v0": {"revision": number, "paused": boolean, "operator": name, "at": timestamp},
    "mutation-approval/cool-down/v0": {"revision": number, "planId": plan_id, "until": timestamp},
    "mutation-approval/mute/v0": {"revision": number, "until": timestamp},
}


def read(record, kind):
    """Holds a record against its type, closed, or raises Misfit."""
    if not isinstance(record, dict) or "type" not in record:
        raise Misfit("missing_member", "")
    if record["type"] != kind:
        raise Misfit("wrong_type", "/type")
    fits({member: value for member, value in record.items() if member != "type"}, RECORDS[kind], "")
    return record


def fits(value, form, at):
    if isinstance(form, dict):
        if not isinstance(value, dict):
            raise Misfit("wrong_form", at)
        members = {member.removesuffix("?"): inner for member, inner in form.items()}
        if any(member not in members for member in value):
            raise Misfit("unknown_member", at)
        if any(member not in value and f"{member}?" not in form for member in members):
            raise Misfit("missing_member", at)
        for member, inner in value.items():
            if inner == [] and isinstance(form.get(f"{member}?"), list):
                raise Misfit("wrong_form", f"{at}/{member}")
            fits(inner, members[member], f"{at}/{member}")
    elif isinstance(form, list):
        if not isinstance(value, list):
            raise Misfit("wrong_form", at)
        for index, inner in enumerate(value):
            fits(inner, form[0], f"{at}/{index}")
        if form is groups and value != sorted(set(value)):
            raise Misfit("wrong_form", at)
    elif not (form(value) if callable(form) else value == form if isinstance(form, str) else value in form):
        raise Misfit("wrong_form", at)


def bytes_of(base64_url):
    """The bytes of a text in base64url without padding."""
    return base64.urlsafe_b64decode(base64_url + "=" * (-len(base64_url) % 4))
