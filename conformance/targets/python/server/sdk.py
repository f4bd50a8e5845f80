"""MCP by the official SDK's low-level server: 2025-11-25 and 2026-07-28, over stdio and streamable HTTP.

What the SDK can't keep stands in front of it here, and says which requirement it is for: the admission of a message's bytes
(messages.py), the requester of each request, a caller who is gone, and the capability of `initialize`.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import socket
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, BinaryIO, Final

import anyio
import mcp_types as types
import uvicorn
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.server.auth.middleware.bearer_auth import BearerAuthBackend, RequireAuthMiddleware
from mcp.server.auth.provider import AccessToken
from mcp.server.caching import CacheHint
from mcp.server.context import CallNext, HandlerResult, ServerMiddleware, ServerRequestContext
from mcp.server.lowlevel.server import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecurityMiddleware, TransportSecuritySettings
from mcp.shared.exceptions import MCPError
from mcp.shared.message import ServerMessageMetadata, SessionMessage
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import __version__, introduction, messages
from .introduction import Introductions
from .policy import Requester
from .strictjson import RawText
from .tools import BadParameters, Tools

_INSTRUCTIONS: Final = ("Tools that change something are planned first: their call is answered with a plan and changes nothing. "
                        "A person approves the plan on its page (approval_challenge), then approval_execute runs it.")
_CALL: Final = "mutation_approval.call"  # where the ASGI scope carries a request's call
_TICK_SECONDS: Final = 5  # between two words to a caller that waits
_THREADS: Final = 256
_COMPLETE: Final = {"resultType": "complete"}  # which the SDK takes away again where a revision doesn't have it


class Call:
    """What a request brings beside what the SDK reads of it: whose it is, and its arguments as text."""

    def __init__(self, requester: Requester | None, arguments: RawText, client: str | None = None) -> None:
        self.requester, self.arguments, self.client = requester, arguments, client
        self.gone = threading.Event()

    @staticmethod
    def of(context: ServerRequestContext[Any, Any]) -> "Call":
        """Over HTTP the scope has it, over stdio it came with the message."""
        found = context.request
        return found if isinstance(found, Call) else found.scope[_CALL]  # type: ignore[union-attr]


def serve_tools(tools: Tools) -> Server[Any]:
    """The SDK's server. It keeps nothing from one request to the next [WIRE-020]."""
    limiter = anyio.CapacityLimiter(_THREADS)

    async def list_tools(context: ServerRequestContext[Any], params: types.PaginatedRequestParams | None) -> dict[str, Any]:
        if params is not None and params.cursor is not None:
            raise MCPError(code=messages.INVALID_PARAMS, message="there is one page")
        return {**_COMPLETE, "tools": tools.listed()}

    async def call_tool(context: ServerRequestContext[Any], params: types.CallToolRequestParams) -> dict[str, Any]:
        call = Call.of(context)
        sent = context.params or {}
        said = context.session.client_params.client_info if context.session.client_params is not None else None
        client = call.client if said is None else introduction.called({"name": said.name, "version": said.version})
        run = partial(tools.call, call.requester, params.name, call.arguments,
                      answers="inputResponses" in sent or "requestState" in sent,
                      client=client, gone=call.gone.is_set)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_tell_that_it_waits, context)
                # A caller who goes away leaves the thread to its end [GATE-111] [WIRE-T-033].
                result = await anyio.to_thread.run_sync(run, abandon_on_cancel=True, limiter=limiter)
                tasks.cancel_scope.cancel()
        except* BadParameters:
            raise MCPError(code=messages.INVALID_PARAMS, message="no such tool, or not the parameters of tools/call") from None
        finally:
            call.gone.set()
        return {**_COMPLETE, **result}

    server: Server[Any] = Server(
        "python-target", version=__version__, instructions=_INSTRUCTIONS,
        on_list_tools=list_tools,  # type: ignore[arg-type]  # a result's members are taken as they are
        on_call_tool=call_tool,  # type: ignore[arg-type]
        get_tool_input_schema=lambda name: None,  # no argument of a tool here is repeated in a header
        cache_hints={"tools/list": CacheHint(0, "private"), "server/discover": CacheHint(0, "private")})  # [WIRE-013]
    logging.getLogger("mcp").setLevel(logging.CRITICAL)  # it tells what it was sent, and what a result held [SEC-002]
    server.extensions = tools.extensions()  # [WIRE-001] [WIRE-K-001]
    server.middleware = [_with_extensions(server)]
    return server


def _with_extensions(server: Server[Any]) -> ServerMiddleware[Any]:
    """The SDK leaves `extensions` out of the capabilities of `initialize`, whose schema of 2025-11-25 doesn't have it; the
    profile is advertised there too [WIRE-001]."""
    async def advertise(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        result = await call_next(ctx)
        if ctx.method == "initialize" and isinstance(result, dict):
            result["capabilities"] = {**result["capabilities"], "extensions": server.extensions}
        return result
    return advertise


async def _tell_that_it_waits(context: ServerRequestContext[Any]) -> None:
    """To a caller that gave a progress token [WIRE-T-022]; without one it says nothing."""
    for count in range(1, 1000):
        await anyio.sleep(_TICK_SECONDS)
        await context.session.report_progress(count, None, "still waiting")


# ---- streamable HTTP


class Tokens:
    """Who has which bearer token, asked with each request anew [WIRE-021]."""

    def __init__(self, known: Callable[[], dict[str, Requester]]) -> None:
        self._known = known  # SHA-256 of the token in hexadecimal -> for whom it speaks

    def requester(self, token: str) -> Requester | None:
        given = hashlib.sha256(token.encode("latin-1", "replace")).hexdigest()
        found = None
        for digest, requester in self._known().items():
            if hmac.compare_digest(digest, given):
                found = requester
        return found

    async def verify_token(self, token: str) -> AccessToken | None:
        requester = self.requester(token)
        if requester is None:
            return None
        return AccessToken(token=token, client_id=requester.person, scopes=[], subject=requester.identity.subject,
                           claims={"iss": requester.identity.issuer})


class Front:
    """In front of the SDK's endpoint: host and origin before anything else [WIRE-023], then the bearer, then the message."""

    def __init__(self, manager: StreamableHTTPSessionManager, tokens: Tokens, introductions: Introductions,
                 security: TransportSecuritySettings) -> None:
        self._manager, self._tokens, self._introductions = manager, tokens, introductions
        self._security = TransportSecurityMiddleware(security)
        authenticated: ASGIApp = RequireAuthMiddleware(self._message, [])
        self._inner = AuthenticationMiddleware(authenticated, backend=BearerAuthBackend(tokens))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._lifespan(receive, send)
        if scope["type"] != "http":
            return
        turned_away = await self._security.validate_request(Request(scope, receive))
        if turned_away is None and scope["path"] != "/mcp":
            turned_away = Response(status_code=404)
        await (turned_away or self._inner)(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        async with self._manager.run():
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def _message(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":  # no stream is kept: there is nothing that a server would begin
            return await Response(status_code=405, headers={"Allow": "POST"})(scope, receive, send)
        body = await _body(receive)
        if body is None:
            return await Response(status_code=413)(scope, receive, send)
        try:
            message = messages.admit(body)
        except messages.Refused as refused:
            modern = Request(scope).headers.get("mcp-protocol-version", "") not in ("", *_HANDSHAKE)
            answered = refused.request_id is not None and not modern
            return await Response(json.dumps(refused.response()), 200 if answered else 400,
                                  media_type="application/json")(scope, receive, send)
        if message.request_id is None:  # a notification calls nothing [WIRE-041]
            return await Response(status_code=202)(scope, receive, send)
        # BearerAuthBackend has verified the token of this request already; here it says for whom.
        requester = self._tokens.requester(scope["user"].access_token.token)
        person = "" if requester is None else requester.person
        session = Request(scope).headers.get("mcp-session-id")
        call = scope[_CALL] = Call(requester, message.arguments,
                                   None if session is None else self._introductions.client(person, session))
        if message.method == "initialize" and (begun := self._introductions.session(person, message.forwarded)) is not None:
            send = _with_session(send, begun)
        headers = [(name, value) for name, value in scope["headers"] if name != b"content-length"]
        scope["headers"] = [*headers, (b"content-length", str(len(message.forwarded)).encode("ascii"))]
        await _until_gone(self._manager.handle_request, scope, message.forwarded, receive, send, call)


def _with_session(send: Send, session: bytes) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], (b"mcp-session-id", session)]}
        await send(message)
    return sent


_HANDSHAKE: Final = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")


async def _body(receive: Receive) -> bytes | None:
    """The whole body, or None where it is too large or breaks off."""
    parts: list[bytes] = []
    size = 0
    while True:
        part = await receive()
        if part["type"] != "http.request":
            return None
        parts.append(part.get("body", b""))
        size += len(parts[-1])
        if size > messages.MESSAGE_LIMITS.size:
            return None
        if not part.get("more_body", False):
            return b"".join(parts)


async def _until_gone(app: ASGIApp, scope: Scope, body: bytes, receive: Receive, send: Send, call: Call) -> None:
    """Serves a request whose body was read, and tells the call when its caller has gone [WIRE-T-021]."""
    gone = anyio.Event()
    given = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        if given:
            return given.pop()
        await gone.wait()
        return {"type": "http.disconnect"}

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        call.gone.set()
        gone.set()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch)
        await app(scope, replay, send)
        tasks.cancel_scope.cancel()


def serve_http(server: Server[Any], tokens: Tokens, introductions: Introductions, address: str, origins: list[str], started: Callable[[str], None]) -> None:
    """Serves `/mcp` until the process is told to end."""
    host, _, port = address.rpartition(":")
    if host not in ("127.0.0.1", "localhost", "[::1]"):
        raise ValueError("only a loopback address is served")
    listening = socket.socket(socket.AF_INET6 if host == "[::1]" else socket.AF_INET)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((host.strip("[]"), int(port)))
    bound = listening.getsockname()[1]
    security = TransportSecuritySettings(allowed_hosts=[f"{name}:{bound}" for name in ("127.0.0.1", "localhost", "[::1]")],
                                         allowed_origins=origins)
    manager = StreamableHTTPSessionManager(
        server, stateless=True,  # each request stands for itself, and its token is verified with it
        security_settings=security, max_request_body_size=messages.MESSAGE_LIMITS.size)
    web = uvicorn.Server(uvicorn.Config(
        Front(manager, tokens, introductions, security), log_config=None, access_log=False, server_header=False, lifespan="on",
        timeout_graceful_shutdown=2, ws="none"))
    listening.listen(128)
    started(f"http://{host}:{bound}/mcp")
    web.run(sockets=[listening])


# ---- stdio


def serve_stdio(server: Server[Any], requester: Requester, source: BinaryIO, sink: BinaryIO) -> None:
    """One line, one message. The SDK's own `stdio_server` gives no place for bytes that it doesn't parse. The requester is
    the operator's configuration's [WIRE-020]."""
    anyio.run(_over_stdio, server, requester, source, sink)


async def _over_stdio(server: Server[Any], requester: Requester, source: BinaryIO, sink: BinaryIO) -> None:
    to_server, read = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    write, from_server = anyio.create_memory_object_stream[SessionMessage](0)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_lines, source, requester, to_server, write.clone())
        tasks.start_soon(_written, sink, from_server)
        await server.run(read, write, server.create_initialization_options())
        tasks.cancel_scope.cancel()


async def _lines(source: BinaryIO, requester: Requester, to_server: MemoryObjectSendStream[SessionMessage | Exception],
                 answers: MemoryObjectSendStream[SessionMessage]) -> None:
    async with to_server, answers:
        while line := await _line(source):
            if not line.strip():
                continue
            try:
                message = messages.admit(line)
            except messages.Refused as refused:
                error = types.JSONRPCError.model_validate(refused.response())
                await answers.send(SessionMessage(error))
                continue
            if message.method is None or (message.request_id is None and not message.method.startswith("notifications/")):
                continue  # an answer to nothing, or a request that nobody waits for [WIRE-041]
            parsed = types.jsonrpc_message_adapter.validate_json(message.forwarded, by_name=False)
            call = ServerMessageMetadata(request_context=Call(requester, message.arguments))
            await to_server.send(SessionMessage(parsed, call))


async def _line(source: BinaryIO) -> bytes:
    """The next line; one that is too large comes without its end, and so as what no message is."""
    limit = messages.MESSAGE_LIMITS.size
    line = await anyio.to_thread.run_sync(source.readline, limit, abandon_on_cancel=True)
    rest = line
    while len(rest) >= limit and not rest.endswith(b"\n"):
        rest = await anyio.to_thread.run_sync(source.readline, limit, abandon_on_cancel=True)
    return line


async def _written(sink: BinaryIO, from_server: MemoryObjectReceiveStream[SessionMessage]) -> None:
    async with from_server:
        async for message in from_server:
            body = message.message.model_dump(mode="json", by_alias=True, exclude_unset=True)
            if isinstance(message.message, types.JSONRPCError):
                body.setdefault("id", None)
            try:
                sink.write(json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8") + b"\n")
                sink.flush()
            except (BrokenPipeError, ValueError):
                return
