"""The server with seams, for the conformance harness alone: a clock that can be moved, a store and an anchor that take nothing.

    python3 -m conformance_seams SEAMS server --config FILE
    python3 -m conformance_seams SEAMS server.operator --config FILE pause

SEAMS is a directory. The file `clock` in it says by how many seconds the clock is ahead; while there is a file `fail-store` or
`fail-anchor`, nothing is written there. The server itself has no such switch.
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from server import clock
from server.anchor import Anchor
from server.store import Store


def put(seams: Path) -> None:
    """Takes the place of the clock, and stands before store and anchor."""
    now, commit, enter = clock.now, Store.commit, Anchor.enter

    def moved() -> int:
        try:
            return now() + int((seams / "clock").read_text()) * 1000
        except FileNotFoundError:
            return now()

    def committed(store: Store, transition: Callable[[Any], Any]) -> Any:
        """SQLite itself refuses the writing: what only reads goes on."""
        store._db.execute(f"PRAGMA query_only = {'ON' if (seams / 'fail-store').exists() else 'OFF'}")
        return commit(store, transition)

    def entered(anchor: Anchor, *arguments: Any, **more: Any) -> Any:
        if (seams / "fail-anchor").exists():
            raise OSError("the anchor takes nothing")
        return enter(anchor, *arguments, **more)
    clock.now, Store.commit, Anchor.enter = moved, committed, entered  # type: ignore[assignment]


def main() -> None:
    seams, module = Path(sys.argv[1]), sys.argv[2]
    del sys.argv[1:3]
    put(seams)
    runpy.run_module("server.__main__" if module == "server" else module, run_name="__main__")


if __name__ == "__main__":
    main()
