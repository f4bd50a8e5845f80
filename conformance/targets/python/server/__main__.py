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
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from . import seals
from .accounts import Accounts
from .anchor import Anchor
from .directory import Directory
from .gate import Gate
from .notes import Notes
from .policy import DEFAULT_LIMITS, Clause, Configuration, Identity, Person, Requester
from .sdk import Tokens, serve_http, serve_stdio, serve_tools
from .settings import Settings
from .store import Store
from .surface import surface_handler
from .target import Target
from .tools import Tools
from .web import listen, say


def parser(program: str) -> argparse.ArgumentParser:
    """What the server and the operator's commands have in common."""
    found = argparse.ArgumentParser(prog=program)
    found.add_argument("--config", type=Path, help="the operator's file; it says all of what follows")
    found.add_argument("--dir", type=Path, help="the target")
    found.add_argument("--state", type=Path, help="keys, anchor and store")
    found.add_argument("--isolation", choices=("same-user", "separate"),
                       help="the operator's word about the agent's user; there is no default [ENF-002] [ENF-003]")
    found.add_argument("--dangerously-renew-anchor", action="store_true", help="the operator's word of ANCHOR-006")
    return found


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


@dataclass
class Installation:
    """Where an installation keeps what, and what it mutates."""

    state: Path
    target: Target
    configuration: Configuration
    anchor: bool
    accounts: Accounts

    def gate(self, renew_anchor: bool) -> Gate:
        """Keys and anchor in one directory, the store in another."""
        private, stored = self.state / "keys", self.state / "store"
        for path in (self.state, private, stored):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        seals.check_private(private)  # [SEC-001]
        keys = seals.load_or_make(private / "master.json")
        store = Store(stored / "store.sqlite", keys)
        anchor = Anchor(private / "anchor", keys.audience) if self.anchor else None
        gate = Gate(store, keys, self.configuration, self.target, anchor)
        if anchor is not None:
            self.configuration.rollback = "local"  # [ENF-004]
            if not anchor.path.exists():
                if store.commit(lambda tx: tx.claims()) and not renew_anchor:  # [ANCHOR-006]
                    raise SystemExit("the store holds claims and the anchor is missing: --dangerously-renew-anchor says to go on")
                anchor.begin()
                if renew_anchor:
                    store.commit(lambda tx: tx.event(kind="anchor.renewed"))
        return gate


def from_file(path: Path) -> tuple[Installation, Settings]:
    try:
        settings = Settings(path)
    except (OSError, ValueError) as error:
        raise SystemExit(f"the configuration can't be used: {error}") from None
    start = settings.start
    try:
        state, notes = path.parent / start["state"], start["notes"]
    except KeyError as error:
        raise SystemExit(f"{path}: {error} is missing") from None
    target = Notes(notes, lambda: settings.descriptions)
    return Installation(state, target, settings, start.get("anchor", True), settings.accounts), settings


def from_command_line(arguments: argparse.Namespace, found: argparse.ArgumentParser) -> Installation:
    for name in ("dir", "state", "isolation"):
        if getattr(arguments, name) is None:  # [ENF-002]
            found.error(f"--{name} is required, where there is no --config")
    if not arguments.dir.is_dir():
        raise SystemExit("--dir is no directory")
    configuration = Configuration({}, [], isolation=arguments.isolation)
    return Installation(arguments.state, Directory(arguments.dir), configuration, not getattr(arguments, "no_anchor", False),
                        Accounts())


def main() -> None:
    found = server_parser()
    arguments = found.parse_args()
    if arguments.config is not None:
        installation, settings = from_file(arguments.config)
        start = settings.start
        serve(installation, start.get("page", "127.0.0.1:8377"), start.get("http", "127.0.0.1:8000"), start.get("origins", []),
              Tokens(settings.tokens), None, arguments.dangerously_renew_anchor)
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
    installation.accounts.make(person, person, password)
    token = secrets.token_urlsafe(32)
    known = {hashlib.sha256(token.encode()).hexdigest(): Requester(Identity(person, "urn:mutation-approval:local-token", person),
                                                                   "verified-token")}
    alone = Requester(Identity(person, "urn:mutation-approval:environment", person), "environment") if arguments.stdio else None
    serve(installation, arguments.page, arguments.http or "", [], Tokens(lambda: known), alone, arguments.dangerously_renew_anchor,
          f"the agent's bearer token: {token}")


def serve(installation: Installation, page: str, http: str, origins: list[str], tokens: Tokens, alone: Requester | None,
          renew_anchor: bool, more: str | None = None) -> None:
    """Over stdio for one requester, `alone`, and otherwise over HTTP for whoever has a token."""
    gate = installation.gate(renew_anchor)
    gate.start("environment" if alone is not None else "verified-token")
    who = getpass.getuser()
    installation.accounts.on_change = lambda person: gate.account_changed(who, person)
    origin = [""]
    surface = listen(page, surface_handler(gate, installation.accounts, origin))
    origin[0] = f"http://{surface.server_address[0]!s}:{surface.server_address[1]}"
    threading.Thread(target=surface.serve_forever, daemon=True).start()
    server = serve_tools(Tools(gate, origin[0]))

    def started(url: str) -> None:
        say(f"MCP: {url}")
        if more is not None:
            say(more)
    try:
        if alone is not None:
            serve_stdio(server, alone, sys.stdin.buffer, sys.stdout.buffer)
        else:
            serve_http(server, tokens, http, origins, started)
    except KeyboardInterrupt:
        pass
    finally:
        gate.wait_idle()
        sys.stderr.flush()
        os._exit(0)  # a thread that waits for standard input, or for what an agent waits for, is nothing to wait for


if __name__ == "__main__":
    main()
