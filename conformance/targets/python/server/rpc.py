"""JSON-RPC and the methods of MCP, 2025-11-25 and 2026-07-28, on texts that were admitted as strict JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from . import __version__, strictjson
from .policy import Requester
from .tools import BadParameters, Tools

LEGACY: Final = "2025-11-25"
MODERN: Final = "2026-07-28"
MESSAGE_LIMITS: Final = strictjson.Limits(8 * 1024 * 1024, 200_000)  # of a message around its arguments
_META: Final = "io.modelcontextprotocol/"
_INSTRUCTIONS: Final = ("write_file is planned first: its call is answered with a plan and changes nothing. A person "
                        "approves the plan on its page (approval_challenge), then approval_execute runs it.")


class RpcError(Exception):
    """An error of the protocol."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code, self.message, self.data = code, message, data


@dataclass
class Message:
    """A message that was read: a request, or something that is owed no answer (`request_id` None)."""

    request_id: str | int | None
    method: str
    params: Any

    @property
    def wants_answer(self) -> bool:
        return self.request_id is not None


def read(text: bytes) -> Message:
    """Admits the bytes of a message. What is in `params.arguments` is left for the tool [WIRE-041]."""
    try:
        body = strictjson.parse(text, MESSAGE_LIMITS, ("params", "arguments"))
    except strictjson.Refused as refused:
        if refused.reason == "not_an_object":
            raise RpcError(-32600, "a message is one object") from None
        if refused.reason in ("syntax", "invalid_utf8", "byte_order_mark", "trailing_data"):
            raise RpcError(-32700, "not JSON") from None
        error = RpcError(-32602, f"not strict JSON: {refused.reason}")
        error.request_id = _id_of(text)  # type: ignore[attr-defined]
        raise error from None
    request_id = body.get("id")
    if "id" in body and (isinstance(request_id, bool) or not isinstance(request_id, str | int)):
        raise RpcError(-32600, "an id is a string or an integer")
    if body.get("jsonrpc") != "2.0" or not isinstance(body.get("method"), str):
        if "method" not in body and ("result" in body or "error" in body):
            return Message(None, "", None)  # an answer to nothing that this server asked
        error = RpcError(-32600, "not a request")
        error.request_id = request_id  # type: ignore[attr-defined]
        raise error
    return Message(request_id, body["method"], body.get("params", {}))


def _id_of(text: bytes) -> str | int | None:
    """The id of a message that isn't admitted, so that it can be answered; only where there is exactly one."""
    ids: list[Any] = []

    def members(pairs: list[tuple[str, Any]]) -> Any:
        ids[:] = [value for name, value in pairs if name == "id"]  # the outermost object closes last
        return None
    try:
        json.loads(text, object_pairs_hook=members)
    except (ValueError, RecursionError):
        return None
    usable = len(ids) == 1 and isinstance(ids[0], str | int) and not isinstance(ids[0], bool)
    return ids[0] if usable else None


class Methods:
    """Answers requests. It keeps nothing from one request to the next [WIRE-020]."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._server_info = {"name": "python-target", "version": __version__}

    def answer(self, message: Message, modern: bool, requester: Requester | None,
               gone: Callable[[], bool]) -> dict[str, Any]:
        """The result of a request. Raises RpcError."""
        if not isinstance(message.params, dict):
            raise RpcError(-32602, "params have to be an object")
        if message.method == "tools/call":
            try:
                result = self._tools.call(requester, message.params, gone)
            except BadParameters:
                raise RpcError(-32602, "no such tool, or not the parameters of tools/call") from None
        elif message.method == "tools/list":
            if "cursor" in message.params:
                raise RpcError(-32602, "there is one page")
            result = {"tools": self._tools.listed()}
            if modern:  # [WIRE-013]
                result |= {"ttlMs": 0, "cacheScope": "private"}
        elif modern and message.method == "server/discover":
            result = {"supportedVersions": [MODERN], "capabilities": self._tools.capabilities(),
                      "instructions": _INSTRUCTIONS, "ttlMs": 0, "cacheScope": "private"}
        elif not modern and message.method == "initialize":
            result = {"protocolVersion": LEGACY, "capabilities": self._tools.capabilities(),
                      "serverInfo": self._server_info, "instructions": _INSTRUCTIONS}
        elif not modern and message.method == "ping":
            result = {}
        else:
            raise RpcError(-32601, "no such method")
        if modern:
            result = {**result, "resultType": "complete", "_meta": {_META + "serverInfo": self._server_info}}
        return result


def is_modern(message: Message, headers: Mapping[str, str]) -> bool:
    """By the version header or the envelope of the request."""
    version = headers.get("mcp-protocol-version")
    if version is not None and version not in (LEGACY, "2025-06-18", "2025-03-26", "2024-11-05"):
        return True
    meta = message.params.get("_meta") if isinstance(message.params, dict) else None
    return isinstance(meta, dict) and _META + "protocolVersion" in meta


def check_modern(message: Message, headers: Mapping[str, str], decode: Callable[[str], str | None]) -> None:
    """The envelope of 2026-07-28 over HTTP, against its headers."""
    meta = message.params.get("_meta") if isinstance(message.params, dict) else None
    if not isinstance(meta, dict) or any(_META + name not in meta for name in ("protocolVersion", "clientCapabilities")):
        raise RpcError(-32602, "params._meta lacks the protocol version or the client's capabilities")
    version = meta[_META + "protocolVersion"]
    if headers.get("mcp-protocol-version") != version:
        raise RpcError(-32020, "MCP-Protocol-Version isn't the envelope's")
    if headers.get("mcp-method") != message.method:
        raise RpcError(-32020, "Mcp-Method isn't the request's")
    name = message.params.get("name")
    if message.method == "tools/call" and isinstance(name, str) and decode(headers.get("mcp-name", "")) != name:
        raise RpcError(-32020, "Mcp-Name isn't the tool's")
    if version != MODERN:
        raise RpcError(-32022, "Unsupported protocol version", {"supported": [MODERN, LEGACY], "requested": version})


def response(request_id: str | int | None, outcome: dict[str, Any] | RpcError) -> dict[str, Any]:
    """The answer to a request."""
    if isinstance(outcome, RpcError):
        error: dict[str, Any] = {"code": outcome.code, "message": outcome.message}
        if outcome.data is not None:
            error["data"] = outcome.data
        return {"jsonrpc": "2.0", "id": request_id, "error": error}
    return {"jsonrpc": "2.0", "id": request_id, "result": outcome}
