"""The target of the command line, one directory: the planner and executor of `write_file`, and `read_file`."""

from __future__ import annotations

import hashlib
import os
import secrets
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from .target import Draft, PlannerRefuses, Report, failed, outcome_of, preview_digest

MAX_PRESENT: Final = 4 * 1024 * 1024  # what is read of a present file, so that a plan stays within its limits

WRITE_FILE: Final[dict[str, Any]] = {
    "name": "write_file",
    "description": "Writes a UTF-8 text file of the given plain name, whole, in place of what is there.",
    "inputSchema": {"type": "object", "additionalProperties": False, "required": ["name", "content"],
                    "properties": {"name": {"type": "string", "description": "A plain file name."},
                                   "content": {"type": "string", "description": "The whole content."}}},
    "annotations": {"readOnlyHint": False, "destructiveHint": True, "idempotentHint": True, "openWorldHint": False},
}
READ_FILE: Final[dict[str, Any]] = {
    "name": "read_file",
    "description": "Reads a UTF-8 text file of the given plain name.",
    "inputSchema": {"type": "object", "additionalProperties": False, "required": ["name"],
                    "properties": {"name": {"type": "string", "description": "A plain file name."}}},
    "annotations": {"readOnlyHint": True, "openWorldHint": False},
}


class Directory:
    """The directory that `--dir` names."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self._writing = threading.Lock()

    def gated(self) -> list[dict[str, Any]]:
        return [WRITE_FILE]

    def ungated(self) -> list[dict[str, Any]]:
        return [READ_FILE]

    def identity(self, intent: dict[str, Any]) -> dict[str, Any]:
        """The same path on another device or inode is another target."""
        identity: dict[str, Any] = self.target()["identity"]
        return identity

    def target(self) -> dict[str, Any]:
        try:
            found = os.stat(self.path)
        except OSError:
            raise PlannerRefuses("target_unavailable") from None
        return {"name": str(self.path), "identity": {"path": str(self.path), "device": str(found.st_dev),
                                                     "inode": str(found.st_ino)}}

    def plan(self, tool: str, arguments: dict[str, Any]) -> Draft:
        """Plans a call without touching the target but for reading it [PLAN-008]."""
        if tool != "write_file":
            raise PlannerRefuses("unsupported")
        for member in sorted({"name", "content"} ^ set(arguments)):
            raise PlannerRefuses("payload_invalid", member)
        for member, value in sorted(arguments.items()):
            if not isinstance(value, str):
                raise PlannerRefuses("payload_invalid", member)
        name, content = arguments["name"], arguments["content"]
        if not is_plain_name(name):
            raise PlannerRefuses("payload_invalid", "name")
        target = self.target()
        present = self._present(name)
        step = {"action": "write", "object": name, "body": content,
                "preconditions": [{"kind": "content-digest", "expected": content_digest(present),
                                   "enforcement": "before-write"}]}
        step["previewDigest"] = preview_digest(self.preview(step))
        change: dict[str, Any] = {"object": name, "after": content}
        findings = []
        if present is None:
            what = "create the file"
        else:
            what = "replace the content of the file"
            try:
                change["before"] = present.decode("utf-8")
            except UnicodeDecodeError:
                change["before"] = {"notUtf8Hex": present.hex()}
            findings.append({"code": "replaces-content", "severity": "warn",
                             "text": "the file exists: its whole present content is lost"})
        return Draft(target=target, steps=[step],
                     effect_keys=[f"file:{target['identity']['device']}:{target['identity']['inode']}/{name}"],
                     headline=f"{what} `{name}`", step_texts=[f"write the content shown, as UTF-8, to `{name}`"],
                     findings=findings, changes=[change])

    def hold_preconditions(self, step: dict[str, Any]) -> None:
        """Holds a step's preconditions against the live file [GATE-102] [GATE-103]."""
        for condition in step.get("preconditions", []):
            try:
                present = self._present(step["object"])
            except PlannerRefuses as error:
                unreachable = error.reason == "target_unavailable"
                raise PlannerRefuses("target_unavailable" if unreachable else "precondition_failed") from None
            if content_digest(present) != condition["expected"]:
                raise PlannerRefuses("precondition_failed")

    def preview(self, step: dict[str, Any]) -> dict[str, Any]:
        """A dry run: what the file would hold afterwards, if the directory can be written."""
        if not os.access(self.path, os.W_OK | os.X_OK):
            raise PlannerRefuses("dry_run_failed" if self.path.is_dir() else "target_unavailable")
        after = step["body"].encode("utf-8")
        return {"object": step["object"], "after": content_digest(after), "bytes": len(after)}

    def execute(self, intent: dict[str, Any], may_start: Callable[[], bool]) -> Report:
        """Runs the stored steps; no step starts after the deadline [EXEC-002], and `failed` is said only where no
        effect occurred [EXEC-003]."""
        reports: list[dict[str, str]] = []
        written: list[dict[str, Any]] = []
        for step in intent["steps"]:
            if any(report["outcome"] != "applied" for report in reports) or not may_start():
                reports.append({"outcome": "skipped"})
                continue
            outcome, code = self._write(step)
            reports.append({"outcome": outcome, **({"code": code} if code else {})})
            if outcome == "applied":
                body = step["body"].encode("utf-8")
                written.append({"name": step["object"], "bytes": len(body), "digest": content_digest(body)})
        outcome = outcome_of(reports)
        text = "written" if outcome == "applied" else f"not written: {reports[-1].get('code', outcome)}"
        return Report(outcome, reports, {"content": [{"type": "text", "text": text}],
                                         "structuredContent": {"written": written}, "isError": outcome != "applied"})

    def _write(self, step: dict[str, Any]) -> tuple[str, str | None]:
        """Checks the preconditions and puts a whole new file in the place, in one move."""
        temporary = self.path / f".write_file-{secrets.token_hex(8)}"
        with self._writing:
            try:
                descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
                with os.fdopen(descriptor, "wb") as out:
                    out.write(step["body"].encode("utf-8"))
                    out.flush()
                    os.fsync(out.fileno())
                self.hold_preconditions(step)  # `before-write`
            except (OSError, PlannerRefuses) as error:
                _remove(temporary)
                return "failed", error.reason if isinstance(error, PlannerRefuses) else "io_error"
            try:
                os.rename(temporary, self.path / step["object"])
            except OSError:
                _remove(temporary)
                return "failed", "io_error"
            try:
                directory = os.open(self.path, os.O_RDONLY)
                os.fsync(directory)
                os.close(directory)
            except OSError:
                return "unknown", "io_error"
        return "applied", None

    def call_ungated(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        name = arguments.get("name")
        if set(arguments) != {"name"} or not isinstance(name, str) or not is_plain_name(name):
            return failed("the argument `name` has to be a plain file name")
        try:
            present = self._present(name)
        except PlannerRefuses:
            return failed("the file can't be read")
        if present is None:
            return failed("there is no such file")
        try:
            return {"content": [{"type": "text", "text": present.decode("utf-8")}], "isError": False}
        except UnicodeDecodeError:
            return failed("the file isn't UTF-8 text")

    def _present(self, name: str) -> bytes | None:
        """The present content, or None where there is no such file. Links are not followed."""
        try:
            descriptor = os.open(self.path / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            if not self.path.is_dir():
                raise PlannerRefuses("target_unavailable") from None
            return None
        except OSError:
            raise PlannerRefuses("unsupported" if (self.path / name).is_symlink() else "target_unavailable") from None
        try:
            if not os.path.isfile(f"/proc/self/fd/{descriptor}") or os.fstat(descriptor).st_size > MAX_PRESENT:
                raise PlannerRefuses("unsupported")
            with os.fdopen(os.dup(descriptor), "rb") as source:
                return source.read(MAX_PRESENT + 1)
        finally:
            os.close(descriptor)


def is_plain_name(name: str) -> bool:
    """One path segment, of plain printable text."""
    return (0 < len(name.encode("utf-8")) <= 200 and name not in (".", "..") and "/" not in name
            and not name.startswith(".write_file-") and all(c.isprintable() for c in name))


def content_digest(content: bytes | None) -> str | None:
    return None if content is None else "sha256:" + hashlib.sha256(content).hexdigest()


def _remove(path: Path) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass
