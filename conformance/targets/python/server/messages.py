"""Admission of MCP's messages, before the SDK reads them.

The SDK parses by the standard library: of a member that stands there twice it takes the last, and a number is what is left
of it. So the bytes are read here first, by the rules of digest.md; the SDK then gets the message without the arguments of
its call, which are handed to the tool as the text that they are [WIRE-041] [DIG-001].
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from . import strictjson

MESSAGE_LIMITS: Final = strictjson.Limits(8 * 1024 * 1024, 200_000)  # of a message around its arguments
INVALID_PARAMS: Final = -32602
_EMPTY: Final = strictjson.RawText(b"{}")
_NO_JSON: Final = ("syntax", "invalid_utf8", "byte_order_mark", "trailing_data")


class Refused(Exception):
    """A message that goes no further, and the error that answers it."""

    def __init__(self, code: int, message: str, request_id: str | int | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.request_id = code, message, request_id

    def response(self) -> dict[str, Any]:
        return {"jsonrpc": "2.0", "id": self.request_id, "error": {"code": self.code, "message": self.message}}


@dataclass(frozen=True)
class Admitted:
    """A message that the SDK may read, and what it doesn't get of it."""

    request_id: str | int | None  # None: nobody waits for an answer
    method: str | None  # None: an answer to something
    forwarded: bytes
    arguments: strictjson.RawText = _EMPTY


def admit(text: bytes) -> Admitted:
    """Admits the bytes of a message, but for what is in `params.arguments`. Raises Refused."""
    try:
        body = strictjson.parse(text, MESSAGE_LIMITS, ("params", "arguments"))
    except strictjson.Refused as refused:
        if refused.reason == "not_an_object":
            raise Refused(-32600, "a message is one object") from None
        if refused.reason in _NO_JSON:
            raise Refused(-32700, "not JSON") from None
        raise Refused(INVALID_PARAMS, f"not strict JSON: {refused.reason}", _id_of(text)) from None
    request_id, method = body.get("id"), body.get("method")
    if "id" in body and (isinstance(request_id, bool) or not isinstance(request_id, str | int)):
        raise Refused(-32600, "an id is a string or an integer")
    if body.get("jsonrpc") != "2.0" or not isinstance(method, str):
        if "method" not in body and ("result" in body or "error" in body):
            return Admitted(None, None, b"")
        raise Refused(-32600, "not a request", request_id)
    params = body.get("params", {})
    if not isinstance(params, dict):
        raise Refused(INVALID_PARAMS, "params have to be an object", request_id)
    arguments = params.get("arguments", _EMPTY)
    if isinstance(arguments, strictjson.RawText):
        if "arguments" in params:
            params["arguments"] = {}
    elif method == "tools/call":  # [WIRE-040]
        raise Refused(INVALID_PARAMS, "arguments have to be an object", request_id)
    else:
        arguments = _EMPTY
    return Admitted(request_id, method, json.dumps(body).encode("ascii"), arguments)


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
