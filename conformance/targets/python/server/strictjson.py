"""Admission of JSON, canonical bytes and digests (digest.md, sections 2 to 4)."""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import re
from dataclasses import dataclass
from typing import Any, Final

import rfc8785

from .reader import ARGUMENTS, MAX_DEPTH, MAX_SAFE, PLAN, RESERVED_PREFIX, Limits, RawText, Refused, parse

__all__ = ["ARGUMENTS", "PLAN", "RESULT_TO_MODEL", "Document", "Limits", "RawText", "Refused", "admit", "admit_value", "canonical",
           "digest", "digest_bytes", "is_digest", "nodes", "parse", "read_stored", "same_digest"]

DIGEST_FORM: Final = re.compile(r"sha256:[0-9a-f]{64}\Z")
RESULT_TO_MODEL: Final = 16 * 1024


@dataclass(frozen=True)
class Document:
    """What was admitted: the value that is used, and the canonical bytes that are stored [DIG-035]."""

    value: dict[str, Any]
    canonical: bytes

    @property
    def digest(self) -> str:
        return digest_bytes(self.canonical)


def digest_bytes(data: bytes) -> str:
    """SHA-256 of canonical bytes in the one spelling [DIG-040] [DIG-041]."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def is_digest(text: object) -> bool:
    """Whether a text is a digest in its one spelling [DIG-041]."""
    return isinstance(text, str) and DIGEST_FORM.match(text) is not None


def same_digest(left: str, right: str) -> bool:
    """Constant-time comparison [DIG-042]."""
    return hmac.compare_digest(left.encode(), right.encode())


def canonical(value: Any) -> bytes:
    """The bytes of RFC 8785 [DIG-030] [DIG-031] [DIG-032] [DIG-033]."""
    if _is_plain(value):
        try:
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode("utf-8")
        except UnicodeEncodeError:
            pass  # what that is called the other one says
    return rfc8785.dumps(value)


def _is_plain(value: Any) -> bool:
    """Whether the standard library writes the same bytes, and faster: it does, but for floats and the order of some names."""
    kind = type(value)
    if kind is dict:
        return all(type(name) is str and name.isascii() and _is_plain(member) for name, member in value.items())
    if kind is list:
        return all(map(_is_plain, value))
    return kind is str or kind is bool or value is None or (kind is int and abs(value) <= MAX_SAFE)


def digest(value: Any) -> str:
    """The digest of a record that this server made itself [DIG-040]."""
    return digest_bytes(canonical(value))


def admit(text: bytes, limits: Limits = ARGUMENTS) -> Document:
    """Admits a text by all rules of section 2, or raises `Refused` [DIG-001]."""
    value = parse(text, limits)
    form = canonical(value)
    if len(form) > limits.size:  # [DIG-011]
        raise Refused("too_large")
    return Document(value, form)


def read_stored(data: bytes, limits: Limits = PLAN) -> Document:
    """Admits stored bytes, which must be canonical already [DIG-034] [DIG-035]. What any reader makes of them and is
    written as the same bytes again was read as the strict one reads; that one names the fault of all others."""
    try:
        value = json.loads(data)
        if admit_value(value, limits) == data:
            return Document(value, data)
    except (ValueError, RecursionError, Refused):
        pass
    document = admit(data, limits)
    if document.canonical != data:
        raise Refused("syntax", 0)
    return document


def admit_value(value: Any, limits: Limits) -> bytes:
    """Admits a value that this server made or that a library parsed, and gives its canonical bytes [DIG-050]."""
    nodes = 0
    stack: list[tuple[Any, int]] = [(value, 0)]
    if not isinstance(value, dict):
        raise Refused("not_an_object")
    while stack:
        node, depth = stack.pop()
        nodes += 1
        if nodes > limits.nodes:
            raise Refused("too_many_nodes")
        if isinstance(node, dict | list):
            if depth == MAX_DEPTH:
                raise Refused("too_deep")
            if isinstance(node, dict):
                for name, member in node.items():
                    if not isinstance(name, str):  # [DIG-052]
                        raise Refused("name_not_a_string")
                    if name.startswith(RESERVED_PREFIX):
                        raise Refused("reserved_name")
                    _admit_string(name)
                    stack.append((member, depth + 1))
            else:
                stack.extend((member, depth + 1) for member in node)
        elif isinstance(node, str):
            _admit_string(node)
        elif node is None or isinstance(node, bool):
            pass
        elif isinstance(node, int):
            if abs(node) > MAX_SAFE:
                raise Refused("integer_out_of_range")
        elif isinstance(node, float):
            if not math.isfinite(node):  # [DIG-055]
                raise Refused("not_finite")
            if node.is_integer() and abs(node) > MAX_SAFE:
                raise Refused("integer_out_of_range")
        else:  # [DIG-054]
            raise Refused("unsupported_type")
    form = canonical(value)
    if len(form) > limits.size:
        raise Refused("too_large")
    return form


def nodes(value: Any) -> int:
    """How many nodes a value has that was admitted (digest.md, section 1)."""
    count, stack = 0, [value]
    while stack:
        node = stack.pop()
        count += 1
        stack.extend(node.values() if isinstance(node, dict) else node if isinstance(node, list) else ())
    return count


def _admit_string(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise Refused("lone_surrogate") from None
