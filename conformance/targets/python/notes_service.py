"""A notes service over HTTP on loopback, as the world of the conformance harness has it.

    GET, PUT, DELETE /notes/FOLDER/NAME      with ETag, If-Match and If-None-Match; `?dryRun=1` says what would be
    GET              /clerk/NAME             who this is
    POST             /clerk                  asks the clerk, who answers as a tool does

What was done is counted here and nowhere else. The rest of `Service` is what others do to the notes meanwhile.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import quote

ANOTHER: Final = "another-instance"
LOCKED: Final = "/notes/locked/"  # a folder whose dry runs are refused
AWAY: Final = "/notes/away/"  # and one that nobody reaches
UNKNOWN: Final = {"error": {"code": -32000, "message": "the clerk is out"}}
ANSWERS: Final[dict[str, dict[str, Any]]] = {
    "error": {"result": {"content": [{"type": "text", "text": "the clerk could not"}], "isError": True}},
    "protocol-error": UNKNOWN,
    "input": {"result": {"resultType": "input_required", "inputRequests": {"more": {"method": "elicitation/create"}}}},
}


def path_of(tool: str, arguments: dict[str, Any]) -> str:
    """What a call of a tool touches."""
    name = quote(str(arguments.get("name", "")), safe="")
    return f"/clerk/{name}" if tool == "ask_clerk" else f"/notes/{quote(str(arguments.get('folder', '')), safe='')}/{name}"


class Service:
    """The notes, what was done to them, and what the world does."""

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._notes: dict[str, tuple[str, Any]] = {}
        self._version = 0
        self._effects: list[tuple[str, str, Any]] = []
        self._drift: dict[str, set[str]] = {}
        self._subscribers: dict[str, int] = {}
        self._held: set[str] = set()
        self._waiting: set[str] = set()
        self._answers: dict[str, str] = {}  # how the clerk answers next, by what he is asked about
        self._instance = str(uuid.uuid4())
        self.kill: tuple[str, Callable[[], None]] | None = None  # when the server dies at the next execution, and how
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler(self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        with self._lock:
            self._held.clear()
            self._lock.notify_all()
        self._server.shutdown()
        self._server.server_close()

    # ---- the world's part

    def effects(self, tool: str, arguments: dict[str, Any]) -> int:
        path = path_of(tool, arguments)
        body = {name: value for name, value in arguments.items() if name not in ("folder", "name")}
        wanted = {"write_note": ("PUT", path, body), "delete_note": ("DELETE", path, None), "ask_clerk": ("POST", path, arguments)}
        with self._lock:
            return sum(same(effect, wanted[tool]) for effect in self._effects)

    def move(self, path: str) -> None:
        """Somebody else changes the note."""
        with self._lock:
            self._put(path, {"text": f"somebody else's, at {time.time_ns()}"})

    def preview_otherwise(self, path: str) -> None:
        """Somebody subscribes to the note: writing it does something else now."""
        with self._lock:
            self._subscribers[path] = self._subscribers.get(path, 0) + 1

    def trouble(self, path: str, how: str) -> None:
        with self._lock:
            self._drift.setdefault(path, set()).add(how)

    def restore(self, path: str | None) -> None:
        """Of one note, or of all."""
        with self._lock:
            for known in [path] if path is not None else list(self._drift):
                self._drift.pop(known, None)
        self.release(path)

    def hold(self, path: str) -> None:
        with self._lock:
            self._held.add(path)

    def release(self, path: str | None) -> None:
        with self._lock:
            self._held -= {path} if path is not None else set(self._held)
            self._lock.notify_all()

    def held(self, path: str, seconds: float) -> bool:
        with self._lock:
            return self._lock.wait_for(lambda: path in self._waiting, seconds)

    def answer_next(self, path: str, how: str) -> None:
        with self._lock:
            self._answers[path] = how

    # ---- the service's part

    def instance(self, path: str) -> str:
        with self._lock:
            return ANOTHER if "replaced" in self._drift.get(path, ()) else self._instance

    def reachable(self, path: str) -> bool:
        with self._lock:
            return not path.startswith(AWAY) and "unreachable" not in self._drift.get(path, ())

    def read(self, path: str) -> tuple[str, Any] | None:
        with self._lock:
            return self._notes.get(path)

    def dry_run(self, method: str, path: str, body: Any) -> Any | None:
        """What would be, or None where that is refused."""
        with self._lock:
            if path.startswith(LOCKED) or "refused" in self._drift.get(path, ()):
                return None
            return {"note": path, "before": None if path not in self._notes else self._notes[path][1],
                    "after": told(body), "isLocked": "password" in (body or {}), "subscribersTold": self._subscribers.get(path, 0),
                    "checkedAt": time.time_ns() // 1_000_000}

    def write(self, method: str, path: str, body: Any, match: str | None, none_match: str | None) -> tuple[int, str | None] | None:
        """Status and new entity tag; None where the caller is dead before it is answered."""
        if not self._begin(path):
            return None
        with self._lock:
            present = self._notes.get(path)
            if (none_match == "*" and present is not None) or (match is not None and (present is None or present[0] != match)):
                return 412, None
            self._effects.append((method, path, body if method == "PUT" else None))
            if method == "PUT":
                status, tag = 200 if present is not None else 201, self._put(path, body)
            else:
                self._notes.pop(path, None)
                status, tag = 204, None
        return (status, tag) if self._done() else None

    def ask(self, path: str, arguments: Any) -> dict[str, Any] | None:
        if not self._begin(path):
            return None
        with self._lock:
            how = self._answers.pop(path, "ordinary")
            if how != "ordinary":
                return ANSWERS[how]
            self._effects.append(("POST", path, arguments))
        said = {"content": [{"type": "text", "text": "the clerk has done it"}], "structuredContent": {"wish": arguments["wish"]},
                "isError": False}
        return {"result": said} if self._done() else None

    def put_there(self, path: str, body: Any) -> None:
        """What is there from the start."""
        with self._lock:
            self._put(path, body)

    def _put(self, path: str, body: Any) -> str:
        self._version += 1
        tag = f'"{self._version}"'
        self._notes[path] = (tag, told(body))
        return tag

    def _begin(self, path: str) -> bool:
        with self._lock:
            if path in self._held:
                self._waiting.add(path)
                self._lock.notify_all()
                self._lock.wait_for(lambda: path not in self._held)
                self._waiting.discard(path)
        return not self._dies("before-effect")

    def _done(self) -> bool:
        return not self._dies("after-effect")

    def _dies(self, when: str) -> bool:
        with self._lock:
            if self.kill is None or self.kill[0] != when:
                return False
            killer, self.kill = self.kill[1], None
        killer()
        return True


def told(body: Any) -> Any:
    """What the service tells of a note: a password is never given back."""
    return {name: member for name, member in body.items() if name != "password"} if isinstance(body, dict) else body


def same(left: Any, right: Any) -> bool:
    """Equal as JSON: 1 is 1.0, and neither is `true`."""
    return json.dumps(left, sort_keys=True, default=list) == json.dumps(right, sort_keys=True, default=list)


def handler(service: Service) -> type[BaseHTTPRequestHandler]:
    class NotesHandler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # headers and content go together

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if not service.reachable(path):
                return self.hang_up()
            found = service.read(path)
            if path.startswith("/clerk/"):
                return self.answer(200, path, {})
            if found is None:
                return self.answer(404, path, None)
            self.answer(200, path, found[1], found[0])

        def do_PUT(self) -> None:
            path, _, query = self.path.partition("?")
            body = self.body()
            if not service.reachable(path):
                return self.hang_up()
            if query == "dryRun=1":
                preview = service.dry_run(self.command, path, body)
                return self.answer(422 if preview is None else 200, path, preview)
            written = service.write(self.command, path, body, self.headers.get("If-Match"), self.headers.get("If-None-Match"))
            if written is None:
                return self.hang_up()
            self.answer(written[0], path, None, written[1])

        do_DELETE = do_PUT

        def do_POST(self) -> None:
            arguments = self.body()
            path = path_of("ask_clerk", arguments)
            if self.path != "/clerk" or not service.reachable(path):
                return self.hang_up()
            answer = service.ask(path, arguments)
            if answer is None:
                return self.hang_up()
            self.answer(200, path, answer)

        def body(self) -> Any:
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            return json.loads(data) if data else None

        def answer(self, status: int, path: str, document: Any, tag: str | None = None) -> None:
            data = b"" if document is None else json.dumps(document).encode("utf-8")
            self.send_response_only(status)
            self.send_header("Instance", service.instance(path))
            if tag is not None:
                self.send_header("ETag", tag)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def hang_up(self) -> None:
            self.close_connection = True

    return NotesHandler
