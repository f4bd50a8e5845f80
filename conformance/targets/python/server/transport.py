"""stdio and streamable HTTP, on the standard library alone."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import select
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, BinaryIO, Final

from . import rpc
from .policy import Requester
from .rpc import Message, Methods, RpcError

_STATUS: Final = {-32700: 400, -32600: 400, -32602: 400, -32020: 400, -32021: 400, -32022: 400, -32601: 404}


def encode(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8")


class Stdio:
    """One line, one message. The requester is the operator's configuration's [WIRE-020]."""

    def __init__(self, methods: Methods, requester: Requester, source: BinaryIO, sink: BinaryIO) -> None:
        self._methods, self._requester = methods, requester
        self._source, self._sink = source, sink
        self._writing = threading.Lock()
        self._cancelled: dict[str | int, threading.Event] = {}

    def run(self) -> None:
        """Until the client closes its end. Calls of tools run beside each other."""
        running: list[threading.Thread] = []
        while line := self._source.readline(rpc.MESSAGE_LIMITS.size + 1):
            if len(line) > rpc.MESSAGE_LIMITS.size:
                while line and not line.endswith(b"\n"):
                    line = self._source.readline(65536)
                self._write(rpc.response(None, RpcError(-32600, "the message is too large")))
                continue
            if not line.strip():
                continue
            try:
                message = rpc.read(line)
            except RpcError as error:
                self._write(rpc.response(getattr(error, "request_id", None), error))
                continue
            if message.method == "notifications/cancelled" and isinstance(message.params, dict):
                event = self._cancelled.get(message.params.get("requestId"))  # type: ignore[arg-type]
                if event is not None:
                    event.set()
            if not message.wants_answer:  # [WIRE-041]: what has no id calls nothing
                continue
            thread = threading.Thread(target=self._answer, args=(message,), daemon=True)
            thread.start()
            if message.method != "tools/call":
                thread.join()
            running = [t for t in running if t.is_alive()] + [thread]
        for event in self._cancelled.values():
            event.set()
        for thread in running:
            thread.join(5)

    def _answer(self, message: Message) -> None:
        assert message.request_id is not None
        event = self._cancelled.setdefault(message.request_id, threading.Event())
        try:
            outcome: dict[str, Any] | RpcError = self._methods.answer(message, False, self._requester, event.is_set)
        except RpcError as error:
            outcome = error
        except Exception:
            outcome = RpcError(-32603, "internal error")
        self._cancelled.pop(message.request_id, None)
        if not event.is_set():
            self._write(rpc.response(message.request_id, outcome))

    def _write(self, document: dict[str, Any]) -> None:
        with self._writing:
            try:
                self._sink.write(encode(document) + b"\n")
                self._sink.flush()
            except (BrokenPipeError, ValueError):
                pass


class Handler(BaseHTTPRequestHandler):
    """What both HTTP servers share: bounded reading, no logging of requests [SEC-002]."""

    protocol_version = "HTTP/1.1"
    server_version = "python-target"
    sys_version = ""
    timeout = 60

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing of a request is logged."""

    def one(self, name: str) -> str | None:
        """A header that stands there exactly once."""
        values = self.headers.get_all(name) or []
        return values[0].strip() if len(values) == 1 else None

    def body(self, limit: int) -> bytes | None:
        """The body, or None where it can't be taken; then the connection closes [SURF-021]."""
        length = self.one("Content-Length")
        if self.headers.get("Transfer-Encoding") or length is None or not length.isascii() or not length.isdigit():
            self.close_connection = True
            return None
        if len(length) > 12 or int(length) > limit:
            self.close_connection = True
            return None
        data = self.rfile.read(int(length))
        return data if len(data) == int(length) else None

    def send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def gone(self) -> bool:
        """Whether the caller has closed its end."""
        try:
            if select.select([self.connection], [], [], 0)[0]:
                return self.connection.recv(1, socket.MSG_PEEK) == b""
        except (OSError, ValueError):
            return True
        return False


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A broken connection is no news; of anything else the kind and the place are told, never the text [SEC-002]."""
        kind, error, trace = sys.exc_info()
        if kind is None or isinstance(error, ConnectionError | TimeoutError):
            return
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        where = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else "?"
        say(f"a request failed: {kind.__name__} at {where}")


def listen(address: str, handler: type[Handler]) -> Server:
    host, _, port = address.rpartition(":")
    if host not in ("127.0.0.1", "localhost", "::1", "[::1]"):  # [SURF-013]: without TLS on loopback alone
        raise ValueError("only a loopback address is served")
    return Server((host.strip("[]"), int(port)), handler)


def mcp_handler(methods: Methods, token: str, requester: Requester) -> type[Handler]:
    """The endpoint `/mcp`: one request in a POST, one answer as JSON."""
    expected = hashlib.sha256(token.encode()).digest()

    class McpHandler(Handler):
        def do_POST(self) -> None:
            body = self.body(rpc.MESSAGE_LIMITS.size)
            if self.path.split("?")[0] != "/mcp":
                return self.fail(404)
            if self.headers.get_all("Origin"):  # none is configured [WIRE-023]
                return self.fail(403)
            host, port = self.server.server_address[:2]  # type: ignore[misc]
            if self.one("Host") not in (f"{host}:{port}", f"localhost:{port}"):
                return self.fail(403)
            if not self.authenticated():  # [WIRE-021], with each request anew
                return self.fail(401, {"WWW-Authenticate": 'Bearer realm="mcp"'})
            if body is None:
                return self.fail(413)
            try:
                message = rpc.read(body)
            except RpcError as error:
                return self.json(_STATUS.get(error.code, 400), rpc.response(getattr(error, "request_id", None), error))
            if not message.wants_answer:
                return self.fail(202)
            headers = {name.lower(): value for name, value in self.headers.items()}
            modern = rpc.is_modern(message, headers)
            try:
                if modern:
                    if any(len(self.headers.get_all(n) or []) > 1 for n in ("MCP-Protocol-Version", "Mcp-Method", "Mcp-Name")):
                        raise RpcError(-32020, "a header stands there twice")
                    rpc.check_modern(message, headers, decode_header)
                answer = self.methods_answer(message, modern)
                self.json(200, rpc.response(message.request_id, answer))
            except RpcError as error:
                self.json(_STATUS.get(error.code, 200) if modern else 200, rpc.response(message.request_id, error))

        def methods_answer(self, message: Message, modern: bool) -> dict[str, Any]:
            try:
                return methods.answer(message, modern, requester, self.gone)
            except RpcError:
                raise
            except Exception:
                raise RpcError(-32603, "internal error") from None

        def authenticated(self) -> bool:
            scheme, _, given = (self.one("Authorization") or "").partition(" ")
            digest = hashlib.sha256(given.strip().encode("latin-1", "replace")).digest()
            return scheme.lower() == "bearer" and hmac.compare_digest(digest, expected)

        def other_method(self) -> None:
            self.close_connection = True
            if not self.authenticated():
                return self.fail(401, {"WWW-Authenticate": 'Bearer realm="mcp"'})
            self.fail(405, {"Allow": "POST"})

        do_GET = do_DELETE = do_PUT = do_HEAD = other_method

        def json(self, status: int, document: dict[str, Any]) -> None:
            self.send(status, encode(document), {"Content-Type": "application/json", "Cache-Control": "no-store"})

        def fail(self, status: int, headers: dict[str, str] | None = None) -> None:
            self.send(status, b"", headers or {})

    return McpHandler


def decode_header(text: str) -> str | None:
    """A header value, plain or as `=?base64?…?=`."""
    if not (text.startswith("=?base64?") and text.endswith("?=")):
        return text
    try:
        return base64.b64decode(text[9:-2], validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return None


def say(line: str) -> None:
    """To stderr: stdout is the protocol's."""
    print(line, file=sys.stderr, flush=True)
