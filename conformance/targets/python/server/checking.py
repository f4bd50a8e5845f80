"""Checks of the server's own tests: each that held is a line, and the first that doesn't ends its part."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

PASSED: dict[str, int] = {}  # the checks of the present part, and how often each held
FAILED: list[str] = []  # the check that ended it


def check(what: str, holds: bool, seen: Any = "") -> None:
    if not holds:
        FAILED.append(what)
        raise AssertionError(what, seen)
    PASSED[what] = PASSED.get(what, 0) + 1


def run(part: str, what: Callable[[], None]) -> bool:
    """Runs a part, and says in a line of its own how each of its checks went."""
    PASSED.clear()
    FAILED.clear()
    ended = "it runs to its end"
    try:
        what()
        check(ended, True)
    except Exception:
        traceback.print_exc()
        if not FAILED:
            FAILED.append(ended)
    for name in PASSED:
        if name not in FAILED:
            print(f"ok {part}: {name}", flush=True)
    for name in FAILED:
        print(f"not ok {part}: {name}", flush=True)
    return not FAILED
