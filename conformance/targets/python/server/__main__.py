"""The command line: `server --dir DIR --state STATEDIR --person PERSON --page ADDRESS (--stdio | --http ADDRESS)`."""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import threading
from pathlib import Path

from . import seals
from .accounts import Accounts
from .anchor import Anchor
from .gate import Gate
from .policy import DEFAULT_LIMITS, Clause, Configuration, Identity, Person, Requester
from .rpc import Methods
from .store import Store
from .surface import surface_handler
from .target import Directory
from .tools import Tools
from .transport import Stdio, listen, mcp_handler, say


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(prog="server")
    found.add_argument("--dir", type=Path, required=True, help="the target")
    found.add_argument("--state", type=Path, required=True, help="keys, anchor and store")
    found.add_argument("--person", required=True, help="requester, account and approver")
    found.add_argument("--page", required=True, help="the approval surface's address")
    how = found.add_mutually_exclusive_group(required=True)
    how.add_argument("--stdio", action="store_true")
    how.add_argument("--http", metavar="ADDRESS")
    found.add_argument("--isolation", choices=("same-user", "separate"), default="same-user",
                       help="what the operator declares about the agent's user [ENF-002] [ENF-003]")
    found.add_argument("--limit", action="append", default=[], metavar="NAME=NUMBER")
    found.add_argument("--no-anchor", action="store_true", help="plans then say `rollback: none`")
    found.add_argument("--dangerously-renew-anchor", action="store_true", help="the operator's word of ANCHOR-006")
    return found


def open_gate(state: Path, directory: Path, configuration: Configuration, renew_anchor: bool, use_anchor: bool) -> Gate:
    """Keys and anchor in one directory, the store in another."""
    private, stored = state / "keys", state / "store"
    for path in (state, private, stored):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    seals.check_private(private)  # [SEC-001]
    keys = seals.load_or_make(private / "master.json")
    store = Store(stored / "store.sqlite", keys)
    anchor = Anchor(private / "anchor", keys.audience) if use_anchor else None
    gate = Gate(store, keys, configuration, Directory(directory), anchor)
    if anchor is not None:
        configuration.rollback = "local"  # [ENF-004]
        if not anchor.path.exists():
            if store.commit(lambda tx: tx.claims()) and not renew_anchor:  # [ANCHOR-006]
                raise SystemExit("the store holds claims and the anchor is missing: --dangerously-renew-anchor says to go on")
            anchor.begin()
            if renew_anchor:
                store.commit(lambda tx: tx.event(kind="anchor.renewed"))
    return gate


def main() -> None:
    arguments = parser().parse_args()
    person = arguments.person
    password = os.environ.pop("QUICKSTART_PASSWORD", "")
    if not password:
        raise SystemExit("QUICKSTART_PASSWORD is not set")
    if not arguments.dir.is_dir():
        raise SystemExit("--dir is no directory")
    limits = dict(DEFAULT_LIMITS)
    for item in arguments.limit:
        name, _, number = item.partition("=")
        if name not in limits:
            raise SystemExit(f"no such limit: {name}")
        limits[name] = int(number)
    configuration = Configuration(
        persons={person: Person(person)}, limits=limits, isolation=arguments.isolation,
        clauses=[Clause(tool="write_file", rule={"kind": "same-subject", "required": 1})])
    gate = open_gate(arguments.state, arguments.dir, configuration, arguments.dangerously_renew_anchor,
                     not arguments.no_anchor)
    assurance = "environment" if arguments.stdio else "verified-token"
    gate.start(assurance)
    accounts = Accounts()
    accounts.make(person, person, password)
    origin = [""]
    surface = listen(arguments.page, surface_handler(gate, accounts, origin))
    origin[0] = f"http://{surface.server_address[0]!s}:{surface.server_address[1]}"
    threading.Thread(target=surface.serve_forever, daemon=True).start()
    methods = Methods(Tools(gate, origin[0]))
    try:
        if arguments.stdio:
            issuer = "urn:mutation-approval:environment"
            Stdio(methods, Requester(Identity(person, issuer, person), assurance), sys.stdin.buffer, sys.stdout.buffer).run()
        else:
            token = secrets.token_urlsafe(32)
            requester = Requester(Identity(person, "urn:mutation-approval:local-token", person), assurance)
            server = listen(arguments.http, mcp_handler(methods, token, requester))
            say(f"MCP: http://{server.server_address[0]!s}:{server.server_address[1]}/mcp")
            say(f"the agent's bearer token: {token}")
            server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        gate.wait_idle()


if __name__ == "__main__":
    main()
