"""What an operator may do, at the machine and never over MCP [OPER-003]:

    python -m server.operator (--config FILE | --dir DIR --state STATEDIR --isolation WORD)
        (pause | resume | reconcile PLAN applied|not-applied | prune PLAN | mute PERSON SECONDS | unmute PERSON | export | verify)
"""

from __future__ import annotations

import argparse
import getpass
import sys

from .__main__ import from_command_line, from_file, parser
from .audit import verify
from .gate import Gate
from .plans import Refusal


def export(gate: Gate) -> list[bytes]:
    """The audit as JSON lines, in the order in which it was committed (audit.md, section 1)."""
    return [document.canonical + b"\n" for document in gate.store.commit(lambda tx: tx.events())]


def main() -> None:
    found = parser("server.operator")
    found.add_argument("what", choices=("pause", "resume", "reconcile", "prune", "mute", "unmute", "export", "verify"))
    found.add_argument("more", nargs="*")
    arguments = found.parse_args()
    installation = from_file(arguments.config)[0] if arguments.config is not None else from_command_line(arguments, found)
    gate = installation.gate(False)
    if arguments.what in ("export", "verify"):  # reading starts no writer
        lines = export(gate)
        if arguments.what == "export":
            sys.stdout.buffer.writelines(lines)
            return
        fault = verify(lines)
        print("the chain holds" if fault is None else f"line {fault[0]}: {fault[1]}")
        raise SystemExit(0 if fault is None else 1)
    gate.start("environment")
    try:
        act(gate, getpass.getuser(), arguments.what, arguments.more, found)
    except Refusal as refusal:
        raise SystemExit(f"that can't be done: {refusal}") from None


def act(gate: Gate, who: str, what: str, more: list[str], found: argparse.ArgumentParser) -> None:
    match what, more:
        case ("pause" | "resume"), []:
            gate.pause(who, what == "pause")
        case "reconcile", [plan_id, ("applied" | "not-applied") as finding]:
            gate.reconcile(who, plan_id, finding)
        case "prune", [plan_id]:
            gate.prune(plan_id)
        case "mute", [person, seconds] if seconds.isdigit():
            gate.mute(person, int(seconds), who)
        case "unmute", [person]:
            gate.unmute(who, person)
        case _:
            found.error("arguments")


if __name__ == "__main__":
    main()
