"""The operator's configuration file: persons, policy, addresses. It is read again when it has changed.

    isolation = "separate"                 # the operator's word: "separate" or "same-user" [ENF-002]
    anchor = true                          # a file beside the keys; `false`: plans say `rollback: none`
    state = "state"                        # keys, anchor and store, relative to this file
    http = "127.0.0.1:8000"                # MCP over streamable HTTP
    page = "127.0.0.1:8377"                # the approval surface
    notes = "http://127.0.0.1:9000"        # the target: a notes service
    origins = []                           # from which browsers may reach MCP
    dangerouslyCheapPasswords = false      # `true`: guessing one costs next to nothing; for tests

    [limits]                               # where a clause says nothing else
    planSeconds = 3600

    [descriptions]                         # in place of a tool's own
    write_note = "…"

    [persons.alice]
    enabled = true
    groups = ["staff"]
    requests = true                        # or the names of the tools that they may request
    approves = true
    tokens = ["…"]                         # bearer tokens
    accounts = { alice = "a password" }    # on the approval surface

    [[clause]]                             # the first that matches decides, and none denies
    tool = "write_note"
    arguments = { folder = "plain" }
    rule = "same-subject"                  # absent: denied
    required = 1
    groups = ["staff"]
    limits = { planSeconds = 3 }
    requesterReadsTarget = true

What is above the first table is read at the start alone.
"""

from __future__ import annotations

import hashlib
import os
import threading
import tomllib
from pathlib import Path
from typing import Any, Final

from .accounts import CHEAP, COST, Accounts
from .policy import DEFAULT_LIMITS, Clause, Configuration, Identity, Person, Requester
from .seals import check_private

_RULES: Final = ("same-subject", "other-subject", "quorum")
_TOP: Final = frozenset({"isolation", "anchor", "state", "http", "page", "notes", "origins", "dangerouslyCheapPasswords", "limits",
                         "descriptions", "persons", "clause"})
_PERSON: Final = frozenset({"enabled", "groups", "requests", "approves", "tokens", "accounts"})
_CLAUSE: Final = frozenset({"tool", "target", "arguments", "rule", "required", "groups", "limits", "requesterReadsTarget"})


class Wrong(ValueError):
    """The file isn't what it must be."""


class Settings(Configuration):
    """A configuration that follows its file. What can't be read is not used: then no call is answered."""

    def __init__(self, path: Path) -> None:
        super().__init__({}, [])
        self.path = path
        self.accounts: Accounts | None = None  # `serve_accounts` makes them
        self.descriptions: dict[str, str] = {}
        self._tokens: dict[str, Requester] = {}
        self._wanted: dict[str, tuple[str, str, bool]] = {}
        self._seen: tuple[int, ...] | None = None
        self._reading = threading.Lock()
        self.start: dict[str, Any] = {}
        self.refresh()
        if self.start.get("isolation") not in ("separate", "same-user"):  # [ENF-002]
            raise Wrong(f'{path}: `isolation` has to say "separate" or "same-user"')
        self.isolation = self.start["isolation"]  # [ENF-003]

    def refresh(self) -> None:
        with self._reading:
            found = os.stat(self.path)
            seen = (found.st_ino, found.st_mtime_ns, found.st_size)
            if seen == self._seen:
                return
            check_private(self.path)  # it holds tokens and passwords [SEC-001]
            self._take(tomllib.loads(self.path.read_text(encoding="utf-8")))
            self._seen = seen

    def serve_accounts(self) -> Accounts:
        """The accounts of the approval surface, which follow the file from now on; whoever serves no page needs none."""
        cheap = self.start.get("dangerouslyCheapPasswords", False)
        self.accounts = Accounts(CHEAP if cheap else COST)
        self.accounts.replace(self._wanted)
        return self.accounts

    def tokens(self) -> dict[str, Requester]:
        """By the token's SHA-256. A person who is disabled keeps theirs: what they ask is refused by the gate [GATE-091]."""
        self.refresh()
        return self._tokens

    def _take(self, file: dict[str, Any]) -> None:
        _known("the file", file, _TOP)
        persons: dict[str, Person] = {}
        tokens: dict[str, Requester] = {}
        accounts: dict[str, tuple[str, str, bool]] = {}
        for name, entry in file.get("persons", {}).items():
            _known(name, entry, _PERSON)
            requests = entry.get("requests", True)
            persons[name] = Person(name, entry.get("enabled", True), frozenset(entry.get("groups", [])),
                                   requests if isinstance(requests, bool) else frozenset(requests), entry.get("approves", True))
            for token in entry.get("tokens", []):
                tokens[hashlib.sha256(token.encode()).hexdigest()] = Requester(
                    Identity(name, "urn:mutation-approval:local-token", name), "verified-token")
            for account, password in entry.get("accounts", {}).items():
                if account in accounts:
                    raise Wrong(f"{self.path}: two persons have the account {account}")
                accounts[account] = (name, password, persons[name].enabled)
        limits = _limits(DEFAULT_LIMITS, file.get("limits", {}))
        clauses = [_clause(entry, limits) for entry in file.get("clause", [])]
        self.persons, self.clauses, self.limits, self._tokens = persons, clauses, limits, tokens
        self.descriptions = dict(file.get("descriptions", {}))
        self._wanted = accounts
        if self.accounts is not None:
            self.accounts.replace(accounts)
        self.start = {name: value for name, value in file.items() if not isinstance(value, dict) and name != "clause"}


def _known(where: str, entry: dict[str, Any], names: frozenset[str]) -> None:
    if unknown := sorted(set(entry) - names):
        raise Wrong(f"{where} has what is not known: {', '.join(unknown)}")


def _limits(base: dict[str, int], changed: dict[str, int]) -> dict[str, int]:
    _known("limits", changed, frozenset(base))
    return {**base, **changed}


def _clause(entry: dict[str, Any], limits: dict[str, int]) -> Clause:
    _known("a clause", entry, _CLAUSE)
    rule: dict[str, Any] | None = None
    if "rule" in entry:
        required = entry.get("required", 1)
        if entry["rule"] not in _RULES or required < 1 or (required > 1 and entry["rule"] != "quorum"):  # [RULE-005]
            raise Wrong("a clause has no rule that could be satisfied")
        rule = {"kind": entry["rule"], "required": required}
        if entry.get("groups") and entry["rule"] != "same-subject":
            rule["groups"] = sorted(set(entry["groups"]), key=lambda group: group.encode("utf-8"))
    return Clause(entry.get("tool"), rule, entry.get("target"), tuple(entry.get("arguments", {}).items()),
                  _limits(limits, entry.get("limits", {})), entry.get("requesterReadsTarget"))
