"""The server with seams, for the conformance harness alone: a clock that can be moved, a store and an anchor that take nothing.

The seams are files of one directory: `clock` says by how many seconds the clock is ahead; while there is a file `fail-store`
or `fail-anchor`, nothing is written there. The server itself has no such switch.

Whoever imports this has the server's modules loaded, and is good to fork processes from: each `run` is one.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from server import __main__ as serving
from server import clock
from server import operator as operating
from server.anchor import Anchor
from server.store import Store

PROGRAMS: Final = {"server": serving.main, "server.operator": operating.main}


def put(seams: Path) -> None:
    """Takes the place of the clock, and stands before store and anchor."""
    now, commit, append = clock.now, Store.commit, Anchor._append

    def moved() -> int:
        try:
            return now() + int((seams / "clock").read_text()) * 1000
        except FileNotFoundError:
            return now()

    def committed(store: Store, transition: Callable[[Any], Any]) -> Any:
        """SQLite itself refuses the writing: what only reads goes on."""
        store._db.execute(f"PRAGMA query_only = {'ON' if (seams / 'fail-store').exists() else 'OFF'}")
        return commit(store, transition)

    def appended(anchor: Anchor, line: dict[str, Any]) -> None:
        if (seams / "fail-anchor").exists():
            raise OSError("the anchor takes nothing")
        append(anchor, line)
    clock.now, Store.commit, Anchor._append = moved, committed, appended  # type: ignore[assignment, method-assign]


def run(seams: Path, program: str, arguments: list[str], output: Path, errors: Path) -> None:
    """The whole of a process."""
    for number, path in ((1, output), (2, errors)):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.argv = [program, *arguments]
    put(seams)
    PROGRAMS[program]()
