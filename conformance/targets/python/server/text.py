"""Text of others, made safe to look at (approval-surface.md, section 5)."""

from __future__ import annotations

import html
import unicodedata
from functools import lru_cache
from typing import Final

OPEN, CLOSE = "\u27e6", "\u27e7"  # the signs with which marks are written; in a text they become marks themselves
_IGNORABLE: Final = (  # default-ignorable characters that no category above tells
    (0x034F, 0x034F), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x3164, 0x3164), (0xFE00, 0xFE0F),
    (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF), (0x2800, 0x2800))
_HIDDEN_CATEGORIES: Final = frozenset({"Cc", "Cf", "Zl", "Zp", "Zs", "Co", "Cs", "Cn", "Me"})
_SPACES_SHOWN: Final = 4


def _mark(what: str) -> str:
    return f'<span class="mark">{OPEN}{what}{CLOSE}</span>'


@lru_cache(maxsize=4096)
def _hidden(character: str) -> bool:
    code = ord(character)
    return (character in (OPEN, CLOSE)
            or (character != " " and unicodedata.category(character) in _HIDDEN_CATEGORIES)
            or any(first <= code <= last for first, last in _IGNORABLE))


def show(text: str, lines: bool = False) -> str:
    """HTML that shows a text and can be read back; nothing of it is markup [TEXT-001] [TEXT-002] [TEXT-003] [TEXT-004]."""
    if text.isascii() and text.isprintable() and "  " not in text and not text.endswith(" "):  # nothing there to mark
        return html.escape(text)
    parts: list[str] = []
    at, combining, based = 0, 0, False
    while at < len(text):
        character = text[at]
        if character == "\n" and lines:
            parts.append("\n")
            based, combining, at = False, 0, at + 1
            continue
        if character == " ":
            end = at
            while end < len(text) and text[end] == " ":
                end += 1
            last = end == len(text) or text[end] == "\n"
            if last or end - at > _SPACES_SHOWN:
                parts.append(_mark(f"{end - at} spaces"))
            else:
                parts.append(" " * (end - at))
            based, combining, at = False, 0, end
            continue
        if _hidden(character):
            parts.append(_mark(f"U+{ord(character):04X}"))
            based, combining = False, 0
        elif unicodedata.category(character) == "Mn" or unicodedata.category(character) == "Mc":
            combining += 1
            if not based or combining > 2:
                parts.append(_mark(f"U+{ord(character):04X}"))
            else:
                parts.append(html.escape(character))
        else:
            parts.append(html.escape(character))
            based, combining = True, 0
        at += 1
    return "".join(parts)


def name(text: str) -> str:
    """A name: with code points beside it where it goes beyond ASCII, and told where scripts are mixed [TEXT-005]."""
    shown = f'<code class="name">{show(text)}</code>'
    if text.isascii():
        return shown
    points = " ".join(f"U+{ord(c):04X}" for c in text)
    scripts = {script for c in text if (script := _script(c)) is not None}
    mixed = f' <strong class="warn">mixed scripts: {html.escape(", ".join(sorted(scripts)))}</strong>' if len(scripts) > 1 else ""
    return f'{shown} <span class="points">({points})</span>{mixed}'


def _script(character: str) -> str | None:
    """The script, as far as the character's name tells."""
    if not character.isalpha():
        return None
    return unicodedata.name(character, "UNKNOWN").split(" ")[0]


def block(text: str) -> str:
    """A longer text, line by line. A reader of HTML drops the line break that a `pre` begins with: so there is one of ours."""
    return f"<pre>\n{show(text, lines=True)}</pre>"
