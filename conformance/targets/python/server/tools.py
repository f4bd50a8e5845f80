"""What is listed and answered on the wire: the gated tool, the ungated one, and the four tools (profile.md, 4 and 5)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from . import plans, strictjson
from .gate import Gate
from .planning import payload_reason
from .plans import Plan
from .refusals import RETRY, Refusal
from .policy import Requester
from .store import StoreUnavailable
from .web import say_where

EXTENSION: Final = "io.github.mutation-approval/profile"
ANSWER_SCHEMA: Final[dict[str, Any]] = json.loads(
    (Path(__file__).parents[4] / "spec/v0/schema/Answer.json").read_text(encoding="utf-8"))
ROLES: Final = ("challenge", "status", "execute", "cancel")
TOOL_NAMES: Final = {role: f"approval_{role}" for role in ROLES}  # [WIRE-002]
_DESCRIPTIONS: Final = {
    "challenge": "Puts a plan before a person and gives the address of its page, where that person decides.",
    "status": "Says where a plan stands; waits for a decision for up to `waitSeconds`, at most 25.",
    "execute": "Executes a plan that was approved, at most once; again it gives the recorded outcome.",
    "cancel": "Takes a plan back that has not been executed.",
}
_HINTS: Final[dict[str, dict[str, bool]]] = {  # [WIRE-012]
    "challenge": {"readOnlyHint": False, "destructiveHint": False, "idempotentHint": True, "openWorldHint": False},
    "status": {"readOnlyHint": True, "openWorldHint": False},
    "execute": {"readOnlyHint": False, "destructiveHint": True, "idempotentHint": True, "openWorldHint": True},
    "cancel": {"readOnlyHint": False, "destructiveHint": False, "idempotentHint": True, "openWorldHint": False},
}
_PLAN_ID = {"type": "string", "description": "The `planId` of the plan."}
_PLAN_DIGEST = {"type": "string", "description": "The `planDigest` of the plan: where it is given, it must be the plan's."}
_WAIT = {"type": "integer", "minimum": 0, "description": "How many seconds to wait for a change, at most 25."}
_PROPERTIES: Final[dict[str, dict[str, Any]]] = {
    "challenge": {"planId": _PLAN_ID, "planDigest": _PLAN_DIGEST}, "status": {"planId": _PLAN_ID, "waitSeconds": _WAIT},
    "execute": {"planId": _PLAN_ID, "planDigest": _PLAN_DIGEST}, "cancel": {"planId": _PLAN_ID}}
_ORDER_LEFT_OUT: Final = {"execution": ("toolResult", "steps"),
                          "plan": ("changes", "steps", "findings", "warnings", "headline")}  # [WIRE-036]
_SENTENCES: Final = {
    "plan": "The call was planned; nothing has been changed. Put the plan before a person with approval_challenge.",
    "challenge": "The person decides on the page at `url`. Wait with approval_status, then call approval_execute.",
    "status": "This is where the plan stands.",
    "refusal": "The call was refused; `reason` and `retry` say why and what may be done.",
}
_OUTCOMES: Final = {
    "applied": "The plan was executed: the whole effect occurred.", "failed": "The plan had no effect.",
    "partial": "Some of the plan's effect occurred.", "unknown": "It can't be told what of the plan's effect occurred.",
}


class BadParameters(Exception):
    """What is answered with the error -32602 [WIRE-040]."""


class Tools:
    """The tools of one installation."""

    def __init__(self, gate: Gate, origin: str) -> None:
        self.gate = gate
        self.origin = origin  # of the approval surface
        self._roles = {name: role for role, name in TOOL_NAMES.items()}
        self.listed()

    def _definitions(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Those that run at once, and those that are gated."""
        ungated, gated = self.gate.target.ungated(), self.gate.target.gated()
        if {tool["name"] for tool in (*ungated, *gated)} & set(self._roles):  # [WIRE-003]
            raise ValueError("a tool has the name of one of the four tools")
        if any(tool["annotations"].get("readOnlyHint") is not True for tool in ungated):  # [WIRE-010]
            raise ValueError("a tool that doesn't say that it only reads has to be gated")
        return ungated, gated

    def extensions(self) -> dict[str, dict[str, Any]]:
        """[WIRE-001] [WIRE-K-001]"""
        return {EXTENSION: {"version": "v0", "bindings": ["T"], "digest": "sha256-jcs", "audience": self.gate.keys.audience,
                            "approvalOrigin": self.origin, "tools": dict(TOOL_NAMES)}}

    def listed(self) -> list[dict[str, Any]]:
        """The same for all callers [WIRE-013]."""
        ungated, gated = self._definitions()
        return [*ungated, *(  # [WIRE-011]
            {**tool, "outputSchema": ANSWER_SCHEMA, "_meta": {EXTENSION: {"gated": True}}} for tool in gated), *(
            {"name": TOOL_NAMES[role], "description": _DESCRIPTIONS[role],  # [WIRE-012]
             "inputSchema": {"type": "object", "additionalProperties": False, "required": ["planId"],
                             "properties": _PROPERTIES[role]},
             "outputSchema": ANSWER_SCHEMA, "annotations": _HINTS[role]} for role in ROLES)]

    def page(self, plan_id: str) -> str:
        """From the configured address of the surface alone; it confers nothing [SURF-002] [WIRE-T-011]."""
        return f"{self.origin}/plans/{plan_id}"

    def call(self, requester: Requester | None, name: str, raw: strictjson.RawText, *, answers: bool, client: str | None,
             gone: Callable[[], bool]) -> dict[str, Any]:
        """A `tools/call`: the result, or BadParameters. `answers` says that it comes with an answer to a request for input,
        and `client` how the client calls itself."""
        gated = {tool["name"] for tool in self._definitions()[1]}
        ungated = {tool["name"] for tool in self._definitions()[0]}
        if name not in gated and name not in ungated and name not in self._roles:
            raise BadParameters  # [WIRE-040]
        if name in ungated:
            return self.gate.target.call_ungated(name, self._admit(raw, lambda fault: BadParameters()))
        try:
            if requester is None:  # [WIRE-022], before the arguments are looked at
                raise Refusal("requester_not_permitted")
            self.gate.configuration.refresh()
            if name in gated:
                if answers:  # [WIRE-043]
                    raise Refusal("payload_invalid")
                arguments = self._admit(raw, refused_payload)
                plan = self.gate.plan(requester, name, arguments, client)
                return self._result(self._plan_answer(plan))
            arguments = self._admit(raw, lambda fault: Refusal("payload_invalid", member=fault.member))
            return self._result(self._call_role(requester, self._roles[name], arguments, gone))
        except BadParameters:
            raise
        except Refusal as refusal:
            return self._refusal(refusal, name in self._roles)
        except StoreUnavailable:
            return self._refusal(Refusal("store_unavailable"), name in self._roles)
        except Exception as error:
            say_where(error)
            return self._refusal(Refusal("internal"), name in self._roles)

    @staticmethod
    def _admit(raw: strictjson.RawText, refuse: Callable[[strictjson.Refused], Exception]) -> dict[str, Any]:
        """Arguments are admitted as the text that they are [DIG-001] [PLAN-003]. Text that no two readers read alike is
        an error of the message [WIRE-041]."""
        try:
            return strictjson.admit(raw.data, strictjson.ARGUMENTS).value
        except strictjson.Refused as refused:
            if refused.reason in ("duplicate_name", "syntax", "invalid_utf8", "not_an_object", "trailing_data"):
                raise BadParameters from None
            raise refuse(refused) from None

    def _call_role(self, requester: Requester, role: str, arguments: dict[str, Any],
                   gone: Callable[[], bool]) -> dict[str, Any]:
        self._check_arguments(role, arguments)
        plan_id, digest = arguments["planId"], arguments.get("planDigest")
        if role == "challenge":
            return self._challenge_answer(self.gate.challenge(requester, plan_id, digest))
        if role == "status":
            return self._status_answer(self.gate.status(requester, plan_id, arguments.get("waitSeconds", 0), gone))
        if role == "cancel":
            return self._status_answer(self.gate.cancel(requester, plan_id))
        plan, replayed = self.gate.execute(requester, plan_id, digest)
        return self._execution_answer(plan, replayed)

    @staticmethod
    def _check_arguments(role: str, arguments: dict[str, Any]) -> None:
        """[WIRE-042] [DIG-105]"""
        for name in sorted(arguments):
            if name not in _PROPERTIES[role]:
                raise Refusal("payload_invalid", member=name)
        for name in _PROPERTIES[role]:
            value = arguments.get(name)
            if name not in arguments:
                if name == "planId":
                    raise Refusal("payload_invalid", member=name)
            elif name == "waitSeconds":
                if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                    raise Refusal("payload_invalid", member=name)
            elif not isinstance(value, str):
                raise Refusal("payload_invalid", member=name)

    # ---- the five answers [WIRE-030]

    def _next(self, role: str, plan: Plan) -> dict[str, Any]:
        """[WIRE-038]"""
        arguments: dict[str, Any] = {"planId": plan.plan_id}
        if role in ("challenge", "execute"):
            arguments["planDigest"] = plan.digest
        elif role == "status":
            arguments["waitSeconds"] = 25
        return {"tool": TOOL_NAMES[role], "arguments": arguments}

    def _next_by_state(self, plan: Plan) -> dict[str, Any] | None:
        state = plan.state["state"]
        if state == "planned":
            return self._next("challenge", plan)
        if state in ("awaiting_approval", "executing"):
            return self._next("status", plan)
        if state == "approved" or state in plans.SETTLED:
            return self._next("execute", plan)
        return None

    def _plan_answer(self, plan: Plan) -> dict[str, Any]:
        """The header, and of the review the server's own part; no salt [DIG-111] [PLAN-010]."""
        assert plan.review is not None
        review = plan.review.value
        answer = {"kind": "plan", "planId": plan.plan_id, "planDigest": plan.digest, "header": plan.header.value,
                  "headline": review["headline"]["text"], "steps": review["steps"], "next": self._next("challenge", plan)}
        for name in ("findings", "warnings"):
            if name in review:
                answer[name] = review[name]
        if plan.policy["requesterReadsTarget"] and "changes" in review:
            answer["changes"] = review["changes"]
        return answer

    def _challenge_answer(self, plan: Plan) -> dict[str, Any]:
        assert plan.challenge is not None
        return _present({"kind": "challenge", "planId": plan.plan_id, "planDigest": plan.digest,
                         "challengeId": plan.challenge["challengeId"], "url": self.page(plan.plan_id),
                         "state": plan.state["state"], "createdAt": plan.challenge["createdAt"],
                         "expiresAt": plan.challenge["expiresAt"], "next": self._next_by_state(plan)})

    def _status_answer(self, plan: Plan) -> dict[str, Any]:
        live = plan.state["state"] == "awaiting_approval" and plan.challenge is not None
        return _present({"kind": "status", "planId": plan.plan_id, "planDigest": plan.digest,
                         "state": plan.state["state"], "cause": plan.state.get("cause"),
                         "expiresAt": plan.header.value["expiresAt"],
                         "challengeExpiresAt": plan.challenge["expiresAt"] if live and plan.challenge else None,
                         "approvalExpiresAt": plan.state.get("approvalExpiresAt"),
                         "approvals": plan.approvals(), "approvalsRequired": plan.policy["rule"]["required"],
                         "next": self._next_by_state(plan)})

    def _execution_answer(self, plan: Plan, replayed: bool) -> dict[str, Any]:
        execution = plan.execution
        assert execution is not None
        return _present({"kind": "execution", "planId": plan.plan_id, "planDigest": plan.digest,
                         "claimId": execution["claimId"], "outcome": execution["outcome"], "replayed": replayed,
                         "claimedAt": execution["claimedAt"], "settledAt": execution["settledAt"],
                         "steps": execution.get("steps"), "resultDigest": execution.get("resultDigest"),
                         "toolResult": None if plan.result is None else plan.result["toolResult"]})

    def _refusal(self, refusal: Refusal, of_the_four: bool) -> dict[str, Any]:
        """A tool result, and no error of the protocol; its detail stays here [WIRE-032] [GATE-004]."""
        follow = None
        if of_the_four and refusal.plan_id is not None:
            role = {"approval_required": "challenge", "challenge_expired": "challenge", "approval_pending": "status",
                    "execution_in_progress": "status"}.get(refusal.reason)
            if role is not None:
                arguments: dict[str, Any] = {"planId": refusal.plan_id}
                if role == "status":
                    arguments["waitSeconds"] = 25
                follow = {"tool": TOOL_NAMES[role], "arguments": arguments}
        return self._result(_present({"kind": "refusal", "reason": refusal.reason, "retry": RETRY[refusal.reason],
                                      "member": refusal.member, "next": follow}))

    def _result(self, answer: dict[str, Any]) -> dict[str, Any]:
        """The result of a call, within its limit [WIRE-031] [WIRE-033] [WIRE-035] [DIG-029]."""
        kind = answer["kind"]
        wrong = kind == "refusal" or (kind == "execution" and answer["outcome"] != "applied")
        sentence = _OUTCOMES[answer["outcome"]] if kind == "execution" else _SENTENCES[kind]
        left_out: list[str] = []
        order = [name for name in _ORDER_LEFT_OUT.get(kind, ()) if name in answer]
        while True:
            if left_out:
                answer["omitted"] = {"members": left_out, "page": self.page(answer["planId"])}
            result: dict[str, Any] = {"content": [{"type": "text", "text": sentence}], "structuredContent": answer,
                                      "isError": wrong}
            if len(strictjson.canonical(result)) <= strictjson.RESULT_TO_MODEL - 512 or not order:
                break
            left_out.append(order.pop(0))
            del answer[left_out[-1]]
        shown = {"type": "text", "text": strictjson.canonical(answer).decode("utf-8")}
        with_text = {**result, "content": [*result["content"], shown]}
        if len(strictjson.canonical(with_text)) <= strictjson.RESULT_TO_MODEL - 512:
            return with_text
        return result


def refused_payload(fault: strictjson.Refused) -> Refusal:
    """What a fault of the arguments is called, and in which of them it lies [PLAN-003] [WIRE-044]."""
    reason = payload_reason(fault.reason)
    return Refusal(reason, member=fault.member if reason == "payload_invalid" else None)


def _present(members: dict[str, Any]) -> dict[str, Any]:
    """Without the members that have no value [WIRE-030] [REC-004]."""
    return {name: member for name, member in members.items() if member is not None}
