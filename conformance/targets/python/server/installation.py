"""Where an installation keeps what, by the operator's file or by the command line."""

from __future__ import annotations

import argparse
import getpass
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import seals
from .anchor import Anchor
from .directory import Directory
from .gate import Gate
from .notes import Notes
from .policy import Configuration
from .settings import Settings
from .signing import Signer
from .store import Store
from .target import Target


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


@dataclass
class Installation:
    """Where an installation keeps what, and what it mutates."""

    state: Path
    target: Target
    configuration: Configuration
    anchor: bool
    done: list[dict[str, Any]] = field(default_factory=list)  # before the writer began, which has to tell of it

    def gate(self, renew_anchor: bool) -> Gate:
        """Keys and anchor in one directory, the store in another."""
        private, stored = self.state / "keys", self.state / "store"
        for path in (self.state, private, stored):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        seals.check_private(private)  # [SEC-001]
        master = private / "master.json"
        if not master.exists():
            self.done.append({"kind": "key.rotated"})
        keys = seals.load_or_make(master)
        store = Store(stored / "store.sqlite", keys)
        anchor = Anchor(private / "anchor", keys.audience) if self.anchor else None
        signer = Signer(private / "signing.json", keys.audience)
        gate = Gate(store, keys, signer, self.configuration, self.target, anchor)
        if signer.is_new:
            self.done.append(gate.rotated())
        who = keys.tag("pseudonym", getpass.getuser().encode())
        self.done = [{**told, "actor": who} for told in self.done]  # [KEYS-014]
        if anchor is not None:
            self.configuration.rollback = "local"  # [ENF-004]
            if not anchor.path.exists():
                if store.commit(lambda tx: tx.claims()) and not renew_anchor:  # [ANCHOR-006]
                    raise SystemExit("the store holds claims and the anchor is missing: --dangerously-renew-anchor says to go on")
                anchor.begin()
                if renew_anchor:
                    self.done.append({"kind": "anchor.renewed"})
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
    return Installation(state, target, settings, start.get("anchor", True)), settings


def from_command_line(arguments: argparse.Namespace, found: argparse.ArgumentParser) -> Installation:
    for name in ("dir", "state", "isolation"):
        if getattr(arguments, name) is None:  # [ENF-002]
            found.error(f"--{name} is required, where there is no --config")
    if not arguments.dir.is_dir():
        raise SystemExit("--dir is no directory")
    configuration = Configuration({}, [], isolation=arguments.isolation)
    return Installation(arguments.state, Directory(arguments.dir), configuration, not getattr(arguments, "no_anchor", False))
