"""Strict JSON admission, canonical bytes and digests (digest.md, sections 2 to 4).

The reader works on the bytes as received, once from front to back, and stops at the first fault. The order in which it
looks for faults at one offset is that of the table in 2.4.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import re
from dataclasses import dataclass
from typing import Any, Final

import rfc8785

MAX_DEPTH: Final = 64  # [DIG-025]
MAX_RUN: Final = 40  # [DIG-020]
MAX_SAFE: Final = 9007199254740991  # [DIG-022]
RESERVED_PREFIX: Final = "$serde_json::private::"  # [DIG-027]
DIGEST_FORM: Final = re.compile(r"sha256:[0-9a-f]{64}\Z")


@dataclass(frozen=True)
class Limits:
    """How much a text may hold [DIG-029]."""

    size: int
    nodes: int


ARGUMENTS: Final = Limits(2 * 1024 * 1024, 200_000)
PLAN: Final = Limits(16 * 1024 * 1024, 2_000_000)
RESULT_TO_MODEL: Final = 16 * 1024


class Refused(Exception):
    """A text or value that is not admitted: one reason of the closed list, and where [DIG-002]."""

    def __init__(self, reason: str, offset: int | None = None) -> None:
        super().__init__(reason if offset is None else f"{reason} at {offset}")
        self.reason = reason
        self.offset = offset
        self.member: str | None = None  # of the outermost object, where the fault lies in its value


@dataclass(frozen=True)
class Document:
    """What was admitted: the value that is used, and the canonical bytes that are stored [DIG-035]."""

    value: dict[str, Any]
    canonical: bytes

    @property
    def digest(self) -> str:
        return digest_bytes(self.canonical)


@dataclass(frozen=True)
class RawText:
    """The bytes of one value of an envelope, set aside so that they are admitted as a text of their own."""

    data: bytes


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


def parse(text: bytes, limits: Limits = ARGUMENTS, set_aside: tuple[str, ...] | None = None) -> dict[str, Any]:
    """Reads a text. An object at the path `set_aside` becomes a `RawText` and is not looked into."""
    if len(text) > limits.size:  # [DIG-010]
        raise Refused("too_large")
    if text.startswith(b"\xef\xbb\xbf"):  # [DIG-013]
        raise Refused("byte_order_mark", 0)
    malformed: int | None = None
    try:
        text.decode("utf-8", "strict")
    except UnicodeDecodeError as error:
        malformed = error.start
    reader = _Reader(text if malformed is None else text[:malformed], limits.nodes, set_aside)
    try:
        value = reader.outermost()
    except Refused as fault:
        fault.member = reader.path[0] if reader.path else None
        # Whatever lies before the malformed bytes comes first; at their offset they do. [DIG-003] [DIG-014]
        if malformed is not None and fault.offset is not None and fault.offset >= malformed:
            raise Refused("invalid_utf8", malformed) from None
        raise
    if malformed is not None:
        raise Refused("invalid_utf8", malformed)
    return value


_SPACE = re.compile(rb"[ \t\n\r]*")
_PLAIN = re.compile(rb'[^"\\\x00-\x1f]*')
_HEX = re.compile(rb"[0-9A-Fa-f]{0,4}")
_LOW = re.compile(rb"\\u([Dd][C-Fc-f][0-9A-Fa-f]{2})")
_BEGIN = frozenset(b'{["-0123456789tfn')
_SIMPLE = {ord('"'): '"', ord("\\"): "\\", ord("/"): "/", ord("b"): "\b", ord("f"): "\f", ord("n"): "\n",
           ord("r"): "\r", ord("t"): "\t"}
_LITERALS: dict[int, tuple[bytes, Any]] = {ord("t"): (b"true", True), ord("f"): (b"false", False),
                                           ord("n"): (b"null", None)}
_NUMBER_PARTS = re.compile(rb"(-?)(0|[1-9][0-9]*)?(\.[0-9]*)?(?:([eE])([+-]?)([0-9]*))?")
_SKIP = re.compile(rb'(?:[^"{}\[\]]+|"[^"\\]*(?:\\.[^"\\]*)*")+|[{}\[\]]', re.DOTALL)


class _Reader:
    """One pass over the bytes of a text."""

    def __init__(self, data: bytes, max_nodes: int, set_aside: tuple[str, ...] | None) -> None:
        self.data = data
        self.at = 0
        self.nodes_left = max_nodes
        self.depth = 0
        self.path: list[str] = []
        self.set_aside = set_aside

    def outermost(self) -> dict[str, Any]:
        first = self.peek()
        if first in _BEGIN and first != ord("{"):  # [DIG-012]
            raise Refused("not_an_object", self.at)
        value = self.value()
        if self.peek() != -1:  # [DIG-016]
            raise Refused("trailing_data", self.at)
        return value

    def peek(self) -> int:
        """The next byte that is not white space, or -1 at the end."""
        self.at = _SPACE.match(self.data, self.at).end()  # type: ignore[union-attr]
        return self.data[self.at] if self.at < len(self.data) else -1

    def value(self) -> Any:
        first = self.peek()
        if first not in _BEGIN:  # [DIG-017]
            raise Refused("syntax", self.at)
        if self.nodes_left == 0:  # [DIG-026], before [DIG-025] at the same offset
            raise Refused("too_many_nodes", self.at)
        self.nodes_left -= 1
        if first == ord("{") or first == ord("["):
            if self.depth == MAX_DEPTH:
                raise Refused("too_deep", self.at)
            self.depth += 1
            self.at += 1
            found: Any = self.members() if first == ord("{") else self.elements()
            self.depth -= 1
            return found
        if first == ord('"'):
            return self.string()
        if first in _LITERALS:
            word, meaning = _LITERALS[first]
            for expected in word:
                if self.at >= len(self.data) or self.data[self.at] != expected:
                    raise Refused("syntax", self.at)
                self.at += 1
            return meaning
        return self.number()

    def members(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if self.peek() == ord("}"):
            self.at += 1
            return found
        while True:
            if self.peek() != ord('"'):
                raise Refused("syntax", self.at)
            quote = self.at
            name = self.string()
            if name in found:  # [DIG-028]
                raise Refused("duplicate_name", quote)
            if name.startswith(RESERVED_PREFIX):
                raise Refused("reserved_name", quote)
            if self.peek() != ord(":"):
                raise Refused("syntax", self.at)
            self.at += 1
            self.path.append(name)
            if self.set_aside is not None and tuple(self.path) == self.set_aside and self.peek() == ord("{"):
                found[name] = self.skipped()
            else:
                found[name] = self.value()
            self.path.pop()
            if self.closes(ord("}")):
                return found

    def elements(self) -> list[Any]:
        found: list[Any] = []
        if self.peek() == ord("]"):
            self.at += 1
            return found
        self.path.append("*")  # what stands in an array is never at the path that is set aside
        self.path.append("*")
        while True:
            found.append(self.value())
            if self.closes(ord("]")):
                self.path.pop()
                self.path.pop()
                return found

    def closes(self, bracket: int) -> bool:
        found = self.peek()
        if found != bracket and found != ord(","):
            raise Refused("syntax", self.at)
        self.at += 1
        return found == bracket

    def skipped(self) -> RawText:
        """Passes an object by its brackets alone; what is in it is admitted later, as a text of its own."""
        begin, open_brackets = self.at, 0
        while True:
            token = _SKIP.match(self.data, self.at)
            if token is None:
                raise Refused("syntax", len(self.data))
            self.at = token.end()
            if token[0] in (b"{", b"["):
                open_brackets += 1
            elif token[0] in (b"}", b"]"):
                open_brackets -= 1
                if open_brackets == 0:
                    return RawText(self.data[begin:self.at])

    def string(self) -> str:
        self.at += 1
        parts: list[str] = []
        while True:
            plain = _PLAIN.match(self.data, self.at)
            assert plain is not None
            parts.append(plain[0].decode("utf-8"))
            self.at = plain.end()
            found = self.data[self.at] if self.at < len(self.data) else -1
            if found == ord('"'):
                self.at += 1
                return "".join(parts)
            if found != ord("\\"):
                raise Refused("syntax", self.at)
            parts.append(self.escape())

    def escape(self) -> str:
        backslash = self.at
        letter = self.data[backslash + 1] if backslash + 1 < len(self.data) else -1
        if letter in _SIMPLE:
            self.at = backslash + 2
            return _SIMPLE[letter]
        if letter != ord("u"):
            raise Refused("syntax", backslash + 1)
        digits = _HEX.match(self.data, backslash + 2)
        assert digits is not None
        if len(digits[0]) < 4:
            raise Refused("syntax", digits.end())
        self.at = digits.end()
        unit = int(digits[0], 16)
        if 0xD800 <= unit <= 0xDBFF:
            low = _LOW.match(self.data, self.at)
            if low is not None:
                self.at = low.end()
                return chr(0x10000 + (unit - 0xD800) * 0x400 + int(low[1], 16) - 0xDC00)
        if 0xD800 <= unit <= 0xDFFF:  # [DIG-015]
            raise Refused("lone_surrogate", backslash)
        return chr(unit)

    def number(self) -> int | float:
        begin = self.at
        end, complete = _number_run(self.data, begin)
        if end - begin > MAX_RUN:  # [DIG-020]
            raise Refused("number_too_long", begin)
        if not complete:
            raise Refused("syntax", end)
        self.at = end
        token = self.data[begin:end].decode("ascii")
        nearest = float(token)
        if math.isinf(nearest):  # [DIG-021]
            raise Refused("not_finite", begin)
        negative, digits, power = _exact(token)
        if digits and power >= 0:
            whole = int(digits) * 10**power  # the double is finite, so the power is below 309
            if whole > MAX_SAFE:  # [DIG-022]
                raise Refused("integer_out_of_range", begin)
            return -whole if negative else whole
        if not digits:
            return 0
        if _exact(repr(nearest)) != (negative, digits, power):  # [DIG-023]
            raise Refused("number_not_canonical", begin)
        return nearest


def _number_run(data: bytes, begin: int) -> tuple[int, bool]:
    """The end of the longest prefix of a number, and whether the run is a number itself (digest.md, section 1)."""
    parts = _NUMBER_PARTS.match(data, begin)
    assert parts is not None
    if parts[2] is None:
        return parts.end(1), False
    if parts[3] is not None:
        if parts[3] == b".":
            return parts.end(3), False
    if parts[4] is not None:
        return parts.end(), bool(parts[6])
    return (parts.end(3) if parts[3] is not None else parts.end(2)), True


def _exact(token: str) -> tuple[bool, str, int]:
    """Sign, digits without outer zeros, and the power of ten of the last digit: one form for one value."""
    mantissa, _, exponent = token.lower().partition("e")
    negative = mantissa.startswith("-")
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    power = int(exponent or "0") - len(fraction)
    digits = (whole + fraction).lstrip("0")
    stripped = digits.rstrip("0")
    if not stripped:
        return False, "", 0
    return negative, stripped, power + len(digits) - len(stripped)


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
