"""A bounded HTTP server for the pages, on the standard library alone."""

from __future__ import annotations

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

MAX_DRAINED: Final = 4 * 1024 * 1024


class Handler(BaseHTTPRequestHandler):
    """Bounded reading, and no logging of requests [SEC-002]."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and content go together, and nobody waits for an acknowledgement of the ones
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
            left = min(int(length), MAX_DRAINED) if len(length) <= 12 else 0
            while left > 0 and (read := self.rfile.read(min(left, 65536))):  # so that the answer is read, too
                left -= len(read)
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

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the library itself turns away: no method of ours, or no request at all."""
        self.close_connection = True
        self.turned_away(code)

    def turned_away(self, code: int) -> None:
        self.send(code, b"", {})


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A broken connection is no news."""
        error = sys.exc_info()[1]
        if error is not None and not isinstance(error, ConnectionError | TimeoutError):
            say_where(error)


def listen(address: str, handler: type[Handler]) -> Server:
    host, _, port = address.rpartition(":")
    if host not in ("127.0.0.1", "localhost", "::1", "[::1]"):  # [SURF-013]: without TLS on loopback alone
        raise ValueError("only a loopback address is served")
    return Server((host.strip("[]"), int(port)), handler)


def say(line: str) -> None:
    """To stderr: stdout is the protocol's."""
    print(line, file=sys.stderr, flush=True)


def say_where(error: BaseException) -> None:
    """The kind of an error and its place, never its text [SEC-002]."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else "?"
    say(f"a request failed: {type(error).__name__} at {where}")
