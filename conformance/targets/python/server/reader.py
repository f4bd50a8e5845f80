"""The strict reader of JSON (digest.md, section 2).

It works on the bytes as received, once from front to back, and stops at the first fault. The order in which it looks for
faults at one offset is that of the table in 2.4.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, Final

MAX_DEPTH: Final = 64  # [DIG-025]
MAX_RUN: Final = 40  # [DIG-020]
MAX_SAFE: Final = 9007199254740991  # [DIG-022]
RESERVED_PREFIX: Final = "$serde_json::private::"  # [DIG-027]


@dataclass(frozen=True)
class Limits:
    """How much a text may hold [DIG-029]."""

    size: int
    nodes: int


ARGUMENTS: Final = Limits(2 * 1024 * 1024, 200_000)
PLAN: Final = Limits(16 * 1024 * 1024, 2_000_000)


class Refused(Exception):
    """A text or value that is not admitted: one reason of the closed list, and where [DIG-002]."""

    def __init__(self, reason: str, offset: int | None = None) -> None:
        super().__init__(reason if offset is None else f"{reason} at {offset}")
        self.reason = reason
        self.offset = offset
        self.member: str | None = None  # of the outermost object, where the fault lies in its value


@dataclass(frozen=True)
class RawText:
    """The bytes of one value of an envelope, set aside so that they are admitted as a text of their own."""

    data: bytes


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
