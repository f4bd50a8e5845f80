"""What an operator may do, at the machine and never over MCP [OPER-003]:

    python -m server.operator (--config FILE | --dir DIR --state STATEDIR --isolation WORD)
        (pause | resume | reconcile PLAN applied|not-applied | prune PLAN | mute PERSON SECONDS | unmute PERSON
         | rotate receipt|checkpoint | checkpoint | keys | receipt PLAN | export | verify)
"""

from __future__ import annotations

import argparse
import getpass
import sys

from .doubt import Fault
from .gate import Gate
from .installation import from_command_line, from_file, parser
from .refusals import Refusal
from .seals import SealBroken
from .signing import PAYLOAD_TYPES, KeySet
from .verifier import verify

WORDS = ("pause", "resume", "reconcile", "prune", "mute", "unmute", "rotate", "checkpoint", "keys", "receipt", "export", "verify")


def main() -> None:
    found = parser("server.operator")
    found.add_argument("what", choices=WORDS)
    found.add_argument("more", nargs="*")
    arguments = found.parse_args()
    installation = from_file(arguments.config)[0] if arguments.config is not None else from_command_line(arguments, found)
    gate = installation.gate(False)
    try:
        if installation.done:
            gate.start("environment", *installation.done)
        if read(gate, arguments.what, arguments.more):  # for which no writer is needed
            return
        if not installation.done:
            gate.start("environment")
        act(gate, getpass.getuser(), arguments.what, arguments.more, found)
    except (Refusal, Fault, SealBroken) as why:
        raise SystemExit(f"that can't be done: {type(why).__name__} {why}") from None


def read(gate: Gate, what: str, more: list[str]) -> bool:
    """What changes nothing; whether it was asked for."""
    match what, more:
        case "keys", []:
            sys.stdout.buffer.write(gate.signer.key_set() + b"\n")
        case "receipt", [plan_id]:
            sys.stdout.buffer.write(gate.receipt(plan_id) + b"\n")
        case "export", []:
            sys.stdout.buffer.writelines(gate.export())
        case "verify", []:
            holds = verify(gate.export(), KeySet.read(gate.signer.key_set()))
            print(f"the audit holds: {holds.events} events, {holds.proven} of them proven by {holds.checkpoints} checkpoints")
        case _:
            return False
    return True


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
        case "rotate", [purpose] if purpose in PAYLOAD_TYPES:
            gate.rotate(who, purpose)
        case "checkpoint", []:
            if not gate.checkpoint():
                raise SystemExit("no key may sign checkpoints now")
        case _:
            found.error("arguments")


if __name__ == "__main__":
    main()
