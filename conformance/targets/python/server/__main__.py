"""The command line: a configuration file, or one person and one directory.

    server --config FILE
    server --dir DIR --state STATEDIR --person PERSON --page ADDRESS --isolation separate|same-user (--stdio | --http ADDRESS)
"""

from __future__ import annotations

import argparse
import getpass
import hashlib
import os
import secrets
import signal
import sys
import threading
import time
from typing import Final

from .accounts import Accounts
from .doubt import Fault
from .gate import Gate
from .installation import Installation, from_command_line, from_file, parser
from .introduction import Introductions
from .policy import DEFAULT_LIMITS, Clause, Identity, Person, Requester
from .sdk import Tokens, serve_http, serve_stdio, serve_tools
from .seals import SealBroken
from .store import StoreUnavailable
from .surface import surface_handler
from .tools import Tools
from .web import listen, say

CHECKPOINT_SECONDS: Final = 3600


def server_parser() -> argparse.ArgumentParser:
    found = parser("server")
    found.add_argument("--person", help="requester, account and approver")
    found.add_argument("--page", help="the approval surface's address")
    how = found.add_mutually_exclusive_group()
    how.add_argument("--stdio", action="store_true")
    how.add_argument("--http", metavar="ADDRESS")
    found.add_argument("--limit", action="append", default=[], metavar="NAME=NUMBER")
    found.add_argument("--no-anchor", action="store_true", help="plans then say `rollback: none`")
    return found


def main() -> None:
    found = server_parser()
    arguments = found.parse_args()
    if arguments.config is not None:
        installation, settings = from_file(arguments.config)
        start = settings.start
        serve(installation, settings.serve_accounts(), start.get("page", "127.0.0.1:8377"), start.get("http", "127.0.0.1:8000"),
              start.get("origins", []), Tokens(settings.tokens), None, arguments.dangerously_renew_anchor)
        return
    installation = from_command_line(arguments, found)
    if arguments.person is None or arguments.page is None or not (arguments.stdio or arguments.http):
        found.error("--person, --page and one of --stdio and --http are required, where there is no --config")
    person, configuration = arguments.person, installation.configuration
    password = os.environ.pop("QUICKSTART_PASSWORD", "")
    if not password:
        raise SystemExit("QUICKSTART_PASSWORD is not set")
    limits = dict(DEFAULT_LIMITS)
    for item in arguments.limit:
        name, _, number = item.partition("=")
        if name not in limits:
            raise SystemExit(f"no such limit: {name}")
        limits[name] = int(number)
    configuration.persons, configuration.limits = {person: Person(person)}, limits
    configuration.clauses = [Clause(tool="write_file", rule={"kind": "same-subject", "required": 1})]
    accounts = Accounts()
    accounts.make(person, person, password)
    token = secrets.token_urlsafe(32)
    known = {hashlib.sha256(token.encode()).hexdigest(): Requester(Identity(person, "urn:mutation-approval:local-token", person),
                                                                   "verified-token")}
    alone = Requester(Identity(person, "urn:mutation-approval:environment", person), "environment") if arguments.stdio else None
    serve(installation, accounts, arguments.page, arguments.http or "", [], Tokens(lambda: known), alone,
          arguments.dangerously_renew_anchor, f"the agent's bearer token: {token}")


def serve(installation: Installation, accounts: Accounts, page: str, http: str, origins: list[str], tokens: Tokens,
          alone: Requester | None, renew_anchor: bool, more: str | None = None) -> None:
    """Over stdio for one requester, `alone`, and otherwise over HTTP for whoever has a token."""
    sys.setswitchinterval(0.0005)  # a request goes through several threads, and waits at each for those that compute
    gate = installation.gate(renew_anchor)
    gate.start("environment" if alone is not None else "verified-token", *installation.done)
    who = getpass.getuser()
    accounts.on_change = lambda person: gate.account_changed(who, person)
    origin = [""]
    surface = listen(page, surface_handler(gate, accounts, origin))
    origin[0] = f"http://{surface.server_address[0]!s}:{surface.server_address[1]}"
    threading.Thread(target=surface.serve_forever, daemon=True).start()
    threading.Thread(target=at_intervals, args=(gate,), daemon=True).start()
    server = serve_tools(Tools(gate, origin[0]))

    def started(url: str) -> None:
        say(f"MCP: {url}")
        if more is not None:
            say(more)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))  # in good order: what follows `finally` is done
    try:
        if alone is not None:
            serve_stdio(server, alone, sys.stdin.buffer, sys.stdout.buffer)
        else:
            serve_http(server, tokens, Introductions(gate.keys), http, origins, started)
    except KeyboardInterrupt:
        pass
    finally:
        gate.wait_idle()
        checkpoint(gate)
        sys.stderr.flush()
        os._exit(0)  # a thread that waits for standard input, or for what an agent waits for, is nothing to wait for


def at_intervals(gate: Gate) -> None:
    """Signs the audit now and then [CKPT-003]."""
    while True:
        time.sleep(CHECKPOINT_SECONDS)
        checkpoint(gate)


def checkpoint(gate: Gate) -> None:
    """And when the process ends in good order; an audit that doesn't hold is for an operator to verify."""
    try:
        gate.checkpoint()
    except (Fault, SealBroken, StoreUnavailable) as error:
        say(f"no checkpoint was made: {type(error).__name__}")


if __name__ == "__main__":
    main()
