"""What an operator may do, at the machine and never over MCP [OPER-003]:

    python -m server.operator --dir DIR --state STATEDIR (pause | resume | reconcile PLAN applied|not-applied |
                                                          unmute PERSON | export | verify)
"""

from __future__ import annotations

import argparse
import getpass
import sys
from pathlib import Path

from .__main__ import open_gate
from .audit import verify
from .gate import Gate
from .policy import Configuration


def export(gate: Gate) -> list[bytes]:
    """The audit as JSON lines, in the order in which it was committed (audit.md, section 1)."""
    return [document.canonical + b"\n" for document in gate.store.commit(lambda tx: tx.events())]


def main() -> None:
    parser = argparse.ArgumentParser(prog="server.operator")
    parser.add_argument("--dir", type=Path, required=True)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("what", choices=("pause", "resume", "reconcile", "unmute", "export", "verify"))
    parser.add_argument("more", nargs="*")
    arguments = parser.parse_args()
    gate = open_gate(arguments.state, arguments.dir, Configuration({}, []), False, True)
    who, more = getpass.getuser(), arguments.more
    if arguments.what in ("export", "verify"):  # reading starts no writer
        lines = export(gate)
        if arguments.what == "export":
            sys.stdout.buffer.writelines(lines)
            return
        fault = verify(lines)
        print("the chain holds" if fault is None else f"line {fault[0]}: {fault[1]}")
        raise SystemExit(0 if fault is None else 1)
    gate.start("environment")
    if arguments.what in ("pause", "resume"):
        gate.pause(who, arguments.what == "pause")
    elif arguments.what == "reconcile" and len(more) == 2 and more[1] in ("applied", "not-applied"):
        gate.reconcile(who, more[0], more[1])
    elif arguments.what == "unmute" and len(more) == 1:
        gate.unmute(who, more[0])
    else:
        parser.error("arguments")


if __name__ == "__main__":
    main()
