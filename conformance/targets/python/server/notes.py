"""The target of a configuration file: a notes service over HTTP, with entity tags, preconditions and dry runs.

`write_note` and `delete_note` are planned by what the service says; `ask_clerk` is opaque, so that nothing is known of it but
its definition; `read_note` runs at once.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote, urlsplit

from .target import Draft, PlannerRefuses, Report, failed, outcome_of, preview_digest

LOOK_SECONDS: Final = 5
RUN_SECONDS: Final = 120  # a target may take its time
MAX_NAME: Final = 200
NORMALISER: Final = {"name": "notes-preview", "exclusions": ["/checkedAt"]}
_SECRETS: Final = ("/intent/arguments/password", "/intent/steps/0/body/password", "/review/changes/0/after/password")
_NAMED: Final[dict[str, Any]] = {"folder": {"type": "string", "minLength": 1, "maxLength": MAX_NAME, "description": "The folder."},
                                 "name": {"type": "string", "minLength": 1, "maxLength": MAX_NAME, "description": "The note's name."}}
WRITE_NOTE: Final[dict[str, Any]] = {
    "name": "write_note",
    "description": "Writes a note, whole, in place of what is there.",
    "inputSchema": {"type": "object", "additionalProperties": False, "required": ["folder", "name", "text"],
                    "properties": {**_NAMED, "text": {"type": "string", "description": "The whole text."},
                                   "rank": {"type": "number", "description": "Where it stands among others."},
                                   "extra": {"description": "Whatever else is kept with it."},
                                   "password": {"type": "string", "description": "What readers have to know: a secret."}}},
    "annotations": {"readOnlyHint": False, "destructiveHint": True, "idempotentHint": True, "openWorldHint": False},
}
DELETE_NOTE: Final[dict[str, Any]] = {
    "name": "delete_note",
    "description": "Deletes a note for good.",
    "inputSchema": {"type": "object", "additionalProperties": False, "required": ["folder", "name"], "properties": _NAMED},
    "annotations": {"readOnlyHint": False, "destructiveHint": True, "idempotentHint": False, "openWorldHint": False},
}
ASK_CLERK: Final[dict[str, Any]] = {
    "name": "ask_clerk",
    "description": "Asks the clerk of the notes to do something with a note; what he does is his affair.",
    "inputSchema": {"type": "object", "additionalProperties": False, "required": ["name", "wish"],
                    "properties": {"name": _NAMED["name"], "wish": {"type": "string", "description": "What to do."}}},
}
READ_NOTE: Final[dict[str, Any]] = {
    "name": "read_note",
    "description": "Reads a note.",
    "inputSchema": {"type": "object", "additionalProperties": False, "required": ["folder", "name"], "properties": _NAMED},
    "annotations": {"readOnlyHint": True, "openWorldHint": False},
}


class _Gone(Exception):
    """The service can't be reached; `sent` says whether it may have read the request."""

    def __init__(self, sent: bool) -> None:
        super().__init__()
        self.sent = sent


class Notes:
    """The service at one address."""

    def __init__(self, url: str, descriptions: Callable[[], dict[str, str]] = dict) -> None:
        self._url = url.rstrip("/")
        self._host = urlsplit(url).netloc
        self._descriptions = descriptions  # the operator's, in place of a tool's own

    def gated(self) -> list[dict[str, Any]]:
        return [self._described(tool) for tool in (WRITE_NOTE, DELETE_NOTE, ASK_CLERK)]

    def ungated(self) -> list[dict[str, Any]]:
        return [self._described(READ_NOTE)]

    def _described(self, definition: dict[str, Any]) -> dict[str, Any]:
        own = self._descriptions().get(definition["name"])
        return definition if own is None else {**definition, "description": own}

    # ---- planning

    def plan(self, tool: str, arguments: dict[str, Any]) -> Draft:
        definition = next((found for found in self.gated() if found["name"] == tool), None)
        if definition is None:
            raise PlannerRefuses("unsupported")
        _check(definition["inputSchema"], arguments)
        if arguments["name"] == "*":  # all notes of a folder are nothing that could be named here [PLAN-004]
            raise PlannerRefuses("unsupported")
        if tool == "ask_clerk":
            return self._opaque(definition, arguments)
        path = _path(arguments["folder"], arguments["name"])
        present, tag = self._read(path)
        if tool == "delete_note" and tag is None:
            raise PlannerRefuses("payload_invalid", "name")
        name = f"{arguments['folder']}/{arguments['name']}"
        step: dict[str, Any] = {
            "action": "write" if tool == "write_note" else "delete", "object": name,
            "preconditions": [{"kind": "entity-tag", "expected": tag, "enforcement": "on-write"}]}
        change: dict[str, Any] = {"object": name}
        if present is not None:
            change["before"] = present
        if tool == "write_note":
            step["body"] = change["after"] = {k: v for k, v in arguments.items() if k not in ("folder", "name")}
        step["previewDigest"] = preview_digest(self.preview(step))
        what = "delete" if tool == "delete_note" else "create" if tag is None else "replace"
        findings = []
        if what == "replace":
            findings.append({"code": "replaces-content", "severity": "warn", "text": "the note exists: what it says now is lost"})
        if arguments["folder"] == "public":
            findings.append({"code": "is-public", "severity": "high", "text": "everybody can read this folder"})
            if "password" not in arguments:
                findings.append({"code": "no-password", "severity": "info", "text": "nobody is asked for a password"})
        said = "delete" if tool == "delete_note" else "write what is shown to"
        return Draft(target={"name": "notes", "identity": self._identity(path)}, steps=[step],
                     effect_keys=[f"note:{self._host}{path}"], headline=f"{what} the note `{name}`",
                     step_texts=[f"{said} `{name}`"], findings=findings, changes=[change], normaliser=dict(NORMALISER),
                     secrets=list(_SECRETS) if "password" in arguments else [])

    def _opaque(self, definition: dict[str, Any], arguments: dict[str, Any]) -> Draft:
        """A tool of which nothing is known but its definition (profile.md, 5.1) [WIRE-T-003]."""
        return Draft(
            target={"name": "the clerk of the notes", "identity": self._identity(_clerk(arguments))},
            steps=[{"action": "call", "object": "ask_clerk", "body": arguments}],
            effect_keys=[f"clerk:{self._host}/ask_clerk/{quote(arguments['name'], safe='')}"],
            headline="call the tool `ask_clerk`", step_texts=["call `ask_clerk` with the arguments that are shown"],
            findings=[{"code": "no-preview", "severity": "warn", "text": "what the call would change can't be previewed"}],
            quotes=[{"source": "upstream", "text": definition["description"]}])

    def identity(self, intent: dict[str, Any]) -> dict[str, Any]:
        return self._identity(_place(intent["steps"][0]))

    def hold_preconditions(self, step: dict[str, Any]) -> None:
        for condition in step.get("preconditions", []):
            _, tag = self._read(_place(step))
            if tag != condition["expected"]:
                raise PlannerRefuses("precondition_failed")

    def preview(self, step: dict[str, Any]) -> Any:
        """The service's dry run, without what the normaliser leaves out."""
        method = "PUT" if step["action"] == "write" else "DELETE"
        status, _, answer = self._look(method, _place(step) + "?dryRun=1", step.get("body"))
        if status != 200 or not isinstance(answer, dict):
            raise PlannerRefuses("dry_run_failed")
        answer.pop("checkedAt", None)
        return answer

    # ---- executing

    def execute(self, intent: dict[str, Any], may_start: Callable[[], bool]) -> Report:
        reports: list[dict[str, str]] = []
        result: Any = None
        for step in intent["steps"]:
            if not may_start():
                reports.append({"outcome": "skipped"})
                continue
            report, result = self._call(step) if step["action"] == "call" else self._write(step)
            reports.append(report)
        return Report(outcome_of(reports), reports, result)

    def _write(self, step: dict[str, Any]) -> tuple[dict[str, str], Any]:
        """The precondition goes with the write, so that the service itself holds it."""
        expected = step["preconditions"][0]["expected"]
        condition = {"If-None-Match": "*"} if expected is None else {"If-Match": expected}
        method = "PUT" if step["action"] == "write" else "DELETE"
        try:
            status, _, _ = self._ask(method, _place(step), step.get("body"), condition, RUN_SECONDS)
        except _Gone as gone:
            return ({"outcome": "unknown" if gone.sent else "failed", "code": "unreachable"}, failed("the service can't be reached"))
        if status in (200, 201, 204):
            return {"outcome": "applied"}, {"content": [{"type": "text", "text": "done"}], "isError": False}
        if 400 <= status < 500:  # the service says that it did nothing
            code = "precondition_failed" if status == 412 else "refused"
            return {"outcome": "failed", "code": code}, failed("the service refused it")
        return {"outcome": "unknown", "code": "server_error"}, failed("the service failed")

    def _call(self, step: dict[str, Any]) -> tuple[dict[str, str], Any]:
        """The tool's own answer, and what it says of the effect [WIRE-034] [WIRE-T-032]."""
        try:
            status, _, answer = self._ask("POST", "/clerk", step["body"], {}, RUN_SECONDS)
        except _Gone as gone:
            return ({"outcome": "unknown" if gone.sent else "failed", "code": "unreachable"}, failed("the clerk can't be reached"))
        if status != 200 or not isinstance(answer, dict):
            return {"outcome": "unknown", "code": "no_answer"}, failed("the clerk gave no answer")
        if isinstance(answer.get("error"), dict):
            error = {"code": answer["error"].get("code", 0), "message": str(answer["error"].get("message", ""))}
            return {"outcome": "unknown", "code": "protocol_error"}, {"isError": True, "error": error}
        result = answer.get("result")
        if not isinstance(result, dict) or not isinstance(result.get("content"), list):
            return {"outcome": "unknown", "code": "no_complete_result"}, failed("the clerk gave no complete result")
        kept = {name: result[name] for name in ("content", "structuredContent") if name in result}
        kept["isError"] = result.get("isError") is True
        return ({"outcome": "unknown", "code": "is_error"} if kept["isError"] else {"outcome": "applied"}), kept

    def call_ungated(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        try:
            _check(READ_NOTE["inputSchema"], arguments)
            present, _ = self._read(_path(arguments["folder"], arguments["name"]))
        except PlannerRefuses as refused:
            return failed("the arguments aren't those of this tool" if refused.reason == "payload_invalid" else "it can't be read")
        if present is None:
            return failed("there is no such note")
        return {"content": [{"type": "text", "text": json.dumps(present, ensure_ascii=False)}], "isError": False}

    # ---- the service

    def _read(self, path: str) -> tuple[Any, str | None]:
        """What is there and its entity tag, or nothing."""
        status, headers, answer = self._look("GET", path)
        if status == 404:
            return None, None
        if status != 200 or "etag" not in headers:
            raise PlannerRefuses("target_unavailable")
        return answer, headers["etag"]

    def _identity(self, path: str) -> dict[str, Any]:
        status, headers, _ = self._look("GET", path)
        if status not in (200, 404) or "instance" not in headers:
            raise PlannerRefuses("target_unavailable")
        return {"url": self._url, "instance": headers["instance"]}

    def _look(self, method: str, path: str, body: Any = None) -> tuple[int, dict[str, str], Any]:
        try:
            return self._ask(method, path, body, {}, LOOK_SECONDS)
        except _Gone:
            raise PlannerRefuses("target_unavailable") from None

    def _ask(self, method: str, path: str, body: Any, headers: dict[str, str], seconds: float) -> tuple[int, dict[str, str], Any]:
        connection = http.client.HTTPConnection(self._host, timeout=seconds)
        sent = False
        try:
            connection.connect()
            sent = True
            text = None if body is None else json.dumps(body, ensure_ascii=False).encode("utf-8")
            connection.request(method, path, text, {"Content-Type": "application/json", **headers})
            response = connection.getresponse()
            data = response.read()
            return response.status, {k.lower(): v for k, v in response.getheaders()}, json.loads(data) if data else None
        except (OSError, http.client.HTTPException, ValueError):
            raise _Gone(sent) from None
        finally:
            connection.close()


def _path(folder: str, name: str) -> str:
    return f"/notes/{quote(folder, safe='')}/{quote(name, safe='')}"


def _clerk(arguments: dict[str, Any]) -> str:
    return f"/clerk/{quote(arguments['name'], safe='')}"


def _place(step: dict[str, Any]) -> str:
    """Where a step's object is; a folder has no stroke in its name."""
    if step["action"] == "call":
        return _clerk(step["body"])
    folder, _, name = step["object"].partition("/")
    return _path(folder, name)


def _check(schema: dict[str, Any], arguments: dict[str, Any]) -> None:
    """Arguments against the little of JSON Schema that the definitions here use [WIRE-044]."""
    for member in sorted(arguments):
        if member not in schema["properties"]:
            raise PlannerRefuses("payload_invalid", member)
    for member in schema["required"]:
        if member not in arguments:
            raise PlannerRefuses("payload_invalid", member)
    for member, value in sorted(arguments.items()):
        form = schema["properties"][member]
        if form.get("type") == "string" and (not isinstance(value, str) or not (
                form.get("minLength", 0) <= len(value) <= form.get("maxLength", 10**9))):
            raise PlannerRefuses("payload_invalid", member)
        if form.get("type") == "number" and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise PlannerRefuses("payload_invalid", member)
        if member == "folder" and "/" in value:
            raise PlannerRefuses("payload_invalid", member)
