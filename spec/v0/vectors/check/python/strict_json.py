"""Strict JSON and canonical bytes, as spec/v0/digest.md lays them down, sections 2 to 4.

    document = admit(b'{"b": 1.0, "a": "x"}')
    document.canonical    # b'{"a":"x","b":1}'
    document.digest       # 'sha256:…'
    admit(b'{"a": 1, "a": 2}')    # raises Refused: reason 'duplicate_name', offset 9

It needs nothing but the package `rfc8785`. CC0 1.0: copy it as you like.
"""

import dataclasses
import hashlib
import math
import re
import typing

import rfc8785

MAX_DEPTH = 64
MAX_NUMBER_BYTES = 40
MAX_INTEGER = 2**53 - 1
RESERVED = "$serde_json::private::"


@dataclasses.dataclass(frozen=True)
class Limits:
    """How much a text may hold."""

    bytes: int
    nodes: int


ARGUMENTS = Limits(bytes=2 * 1024 * 1024, nodes=200_000)
PLAN = Limits(bytes=16 * 1024 * 1024, nodes=2_000_000)


class Refused(ValueError):
    """A text that isn't admitted: a reason of the table in section 2.4, and the offset of the fault in bytes."""

    def __init__(self, reason, offset=None):
        super().__init__(reason if offset is None else f"{reason} at {offset}")
        self.reason, self.offset = reason, offset


@dataclasses.dataclass(frozen=True)
class Document:
    """A text that was admitted."""

    value: typing.Any
    canonical: bytes

    @property
    def digest(self):
        return digest(self.canonical)


def admit(text, limits=ARGUMENTS):
    """Admits the bytes of a text, or raises Refused."""
    value = parse(text, limits)
    canonical = rfc8785.dumps(value)
    if len(canonical) > limits.bytes:
        raise Refused("too_large")
    return Document(value, canonical)


def digest(canonical):
    return "sha256:" + hashlib.sha256(canonical).hexdigest()


def parse(text, limits=ARGUMENTS):
    """Reads a text, all but the size of its canonical bytes. Integral numbers become int, however they are written."""
    if len(text) > limits.bytes:
        raise Refused("too_large")
    if text.startswith(b"\xef\xbb\xbf"):
        raise Refused("byte_order_mark", 0)
    try:
        characters, malformed = text.decode("utf-8"), None
    except UnicodeDecodeError as error:
        characters, malformed = text[: error.start].decode("utf-8"), error.start
    try:
        value = _Reader(characters, limits.nodes).document()
    except _Fault as fault:
        offset = len(characters[: fault.position].encode("utf-8"))
        # What only seems to end there goes on, with bytes that are not UTF-8.
        if fault.reason == "syntax" and offset == malformed:
            raise Refused("invalid_utf8", malformed) from None
        raise Refused(fault.reason, offset) from None
    if malformed is not None:
        raise Refused("invalid_utf8", malformed)
    return value


class _Fault(Exception):
    """A reason and a position, in characters."""

    def __init__(self, reason, position):
        super().__init__()
        self.reason, self.position = reason, position


_SPACE = re.compile(r"[ \t\n\r]*")
_UNESCAPED = re.compile(r'[^"\\\x00-\x1f]*')
_HEXADECIMAL = re.compile(r"[0-9A-Fa-f]{0,4}")
_LOW_SURROGATE = re.compile(r"\\u([Dd][C-Fc-f][0-9A-Fa-f]{2})")
_RUN = re.compile(
    r"-?(?:(?:0|[1-9][0-9]*)(?:\.(?:[0-9]+(?:[Ee][+-]?[0-9]*)?)?|[Ee][+-]?[0-9]*)?)?"
)
_TOKEN = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[Ee][+-]?[0-9]+)?")
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_WORDS = {"t": ("true", True), "f": ("false", False), "n": ("null", None)}
_BEGINNINGS = frozenset('{["-0123456789tfn')


class _Reader:
    """Reads once, from front to back. Each fault is met in the order of the offsets, so the first is the one to report."""

    def __init__(self, characters, max_nodes):
        self.characters, self.end, self.position = characters, len(characters), 0
        self.max_nodes, self.nodes, self.depth = max_nodes, 0, 0

    def document(self):
        if (first := self.peek()) in _BEGINNINGS and first != "{":
            raise _Fault("not_an_object", self.position)
        value = self.value()
        if self.peek():
            raise _Fault("trailing_data", self.position)
        return value

    def peek(self):
        """The next character that isn't white space; at the end the empty string."""
        self.position = _SPACE.match(self.characters, self.position).end()
        return self.characters[self.position : self.position + 1]

    def value(self):
        first = self.peek()
        if first not in _BEGINNINGS:
            raise _Fault("syntax", self.position)
        self.nodes += 1
        if self.nodes > self.max_nodes:
            raise _Fault("too_many_nodes", self.position)
        if first == "{":
            return self.container(self.members)
        if first == "[":
            return self.container(self.elements)
        if first == '"':
            return self.string()
        if first in _WORDS:
            return self.word(*_WORDS[first])
        return self.number()

    def container(self, contents):
        if self.depth == MAX_DEPTH:
            raise _Fault("too_deep", self.position)
        self.depth += 1
        self.position += 1
        value = contents()
        self.depth -= 1
        return value

    def members(self):
        members = {}
        if self.peek() == "}":
            self.position += 1
            return members
        while True:
            if self.peek() != '"':
                raise _Fault("syntax", self.position)
            quote = self.position
            name = self.string()
            if name in members:
                raise _Fault("duplicate_name", quote)
            if name.startswith(RESERVED):
                raise _Fault("reserved_name", quote)
            if self.peek() != ":":
                raise _Fault("syntax", self.position)
            self.position += 1
            members[name] = self.value()
            if self.ends("}"):
                return members

    def elements(self):
        elements = []
        if self.peek() == "]":
            self.position += 1
            return elements
        while True:
            elements.append(self.value())
            if self.ends("]"):
                return elements

    def ends(self, bracket):
        """Passes a comma or the closing bracket."""
        if (found := self.peek()) not in (",", bracket):
            raise _Fault("syntax", self.position)
        self.position += 1
        return found == bracket

    def word(self, word, value):
        for expected in word:
            if self.characters[self.position : self.position + 1] != expected:
                raise _Fault("syntax", self.position)
            self.position += 1
        return value

    def string(self):
        self.position += 1
        parts = []
        while True:
            plain = _UNESCAPED.match(self.characters, self.position)
            parts.append(plain[0])
            self.position = plain.end()
            found = self.characters[self.position : self.position + 1]
            if found == '"':
                self.position += 1
                return "".join(parts)
            if found != "\\":
                raise _Fault("syntax", self.position)
            parts.append(self.escape())

    def escape(self):
        backslash = self.position
        letter = self.characters[backslash + 1 : backslash + 2]
        if letter in _ESCAPES:
            self.position += 2
            return _ESCAPES[letter]
        if letter != "u":
            raise _Fault("syntax", backslash + 1)
        digits = _HEXADECIMAL.match(self.characters, backslash + 2)
        if len(digits[0]) < 4:
            raise _Fault("syntax", digits.end())
        self.position = digits.end()
        unit = int(digits[0], 16)
        if not 0xD800 <= unit <= 0xDFFF:
            return chr(unit)
        low = _LOW_SURROGATE.match(self.characters, self.position) if unit < 0xDC00 else None
        if low is None:
            raise _Fault("lone_surrogate", backslash)
        self.position = low.end()
        return chr(0x10000 + ((unit - 0xD800) << 10) + int(low[1], 16) - 0xDC00)

    def number(self):
        first = self.position
        run = _RUN.match(self.characters, first)
        if run.end() - first > MAX_NUMBER_BYTES:
            raise _Fault("number_too_long", first)
        if _TOKEN.fullmatch(run[0]) is None:
            raise _Fault("syntax", run.end())
        self.position = run.end()
        negative, digits, exponent = exact = _exact(run[0])
        nearest = float(run[0])
        if math.isinf(nearest):
            raise _Fault("not_finite", first)
        if exponent >= 0:
            # So many digits are beyond the limit; a power of ten is taken of a small exponent only.
            if len(digits) + exponent > 16 or (magnitude := int(digits or "0") * 10**exponent) > MAX_INTEGER:
                raise _Fault("integer_out_of_range", first)
            return -magnitude if negative else magnitude
        # The canonical form has the digits of the shortest text that reads back as the same double, as `repr` has.
        if _exact(repr(nearest)) != exact:
            raise _Fault("number_not_canonical", first)
        return nearest


def _exact(token):
    """The value of a token, in the one way to write it: sign, digits without outer zeros, exponent of the last digit."""
    mantissa, _, exponent = token.lower().partition("e")
    whole, _, fraction = mantissa.removeprefix("-").partition(".")
    digits = (whole + fraction).lstrip("0")
    significant = digits.rstrip("0")
    if not significant:
        return False, "", 0
    shift = len(digits) - len(significant) - len(fraction)
    return mantissa.startswith("-"), significant, int(exponent or "0") + shift
