"""The store: SQLite, one serialisable transaction for each transition (gate.md, 3.5). It decides nothing."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from . import clock, records, strictjson
from .seals import Keyring, SealBroken

T = TypeVar("T")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS records (
    kind TEXT NOT NULL, id TEXT NOT NULL, plan_id TEXT, revision INTEGER NOT NULL, sealed BLOB NOT NULL,
    PRIMARY KEY (kind, id));
CREATE TABLE IF NOT EXISTS events (
    position INTEGER PRIMARY KEY AUTOINCREMENT, writer TEXT NOT NULL, sequence INTEGER NOT NULL, plan_id TEXT,
    sealed BLOB NOT NULL, UNIQUE (writer, sequence));
CREATE INDEX IF NOT EXISTS records_of_plan ON records (plan_id, kind);
CREATE INDEX IF NOT EXISTS events_of_plan ON events (plan_id, position);
CREATE TABLE IF NOT EXISTS plans (
    plan_id TEXT PRIMARY KEY, requester TEXT NOT NULL, state TEXT NOT NULL, created_at TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS plans_of_requester ON plans (requester, plan_id);
CREATE TABLE IF NOT EXISTS effects (tag TEXT NOT NULL, plan_id TEXT NOT NULL, PRIMARY KEY (tag, plan_id));
"""


class StoreUnavailable(Exception):
    """The store can't be reached or written."""


class Conflict(Exception):
    """A row is there already, or is at another revision [STORE-003] [STORE-004]."""


@dataclass(frozen=True)
class PlanRow:
    """The columns of a plan; each has to agree with what is sealed [STORE-008]."""

    plan_id: str
    requester: str
    state: str
    created_at: str


class Transaction:
    """What a transition may read and write."""

    def __init__(self, connection: sqlite3.Connection, keyring: Keyring, writer: "Writer") -> None:
        self._db = connection
        self._keys = keyring
        self._writer = writer
        self.now = clock.now()  # [STORE-005]
        self._sequence, self._head = writer.sequence, writer.head

    # records

    def open(self, kind: str, record_id: str, plan_id: str | None) -> tuple[strictjson.Document, int] | None:
        """The record and its revision, or None. Raises SealBroken."""
        row = self._db.execute("SELECT plan_id, revision, sealed FROM records WHERE kind = ? AND id = ?",
                               (kind, record_id)).fetchone()
        if row is None:
            return None
        if row[0] != plan_id:
            raise SealBroken
        return self._keys.open(kind, record_id, plan_id, row[1], row[2]), row[1]

    def records_of(self, kind: str, plan_id: str) -> Iterator[strictjson.Document | None]:
        """A plan's records of a kind, the newest first; None for one whose seal doesn't hold."""
        rows = self._db.execute("SELECT id, revision, sealed FROM records WHERE kind = ? AND plan_id = ? ORDER BY rowid DESC",
                                (kind, plan_id)).fetchall()
        for record_id, revision, sealed in rows:
            try:
                yield self._keys.open(kind, record_id, plan_id, revision, sealed)
            except SealBroken:
                yield None

    def insert(self, kind: str, record_id: str, plan_id: str | None, revision: int, document: dict[str, Any]) -> str:
        """Seals and inserts a record; gives its digest [STORE-003]."""
        data = strictjson.admit_value(document, strictjson.PLAN)
        try:
            self._db.execute("INSERT INTO records VALUES (?, ?, ?, ?, ?)",
                             (kind, record_id, plan_id, revision,
                              self._keys.seal(kind, record_id, plan_id, revision, data)))
        except sqlite3.IntegrityError:
            raise Conflict from None
        return strictjson.digest_bytes(data)

    def replace(self, kind: str, record_id: str, plan_id: str | None, before: int, after: int,
                document: dict[str, Any]) -> str:
        """Replaces a record only from the revision at which it is [STORE-004]."""
        data = strictjson.admit_value(document, strictjson.PLAN)
        done = self._db.execute("UPDATE records SET revision = ?, sealed = ? WHERE kind = ? AND id = ? AND revision = ?",
                                (after, self._keys.seal(kind, record_id, plan_id, after, data), kind, record_id, before))
        if done.rowcount != 1:
            raise Conflict
        return strictjson.digest_bytes(data)

    def delete(self, kind: str, record_id: str) -> None:
        self._db.execute("DELETE FROM records WHERE kind = ? AND id = ?", (kind, record_id))

    def has(self, kind: str, plan_id: str) -> bool:
        """Whether a plan has any record of a kind."""
        row = self._db.execute("SELECT 1 FROM records WHERE kind = ? AND plan_id = ? LIMIT 1", (kind, plan_id)).fetchone()
        return row is not None

    def prune(self, plan_id: str) -> None:
        """Removes all records of a plan but header and plan state, and what finds it by its effects [STATE-033]."""
        self._db.execute("DELETE FROM records WHERE plan_id = ? AND kind NOT IN ('header', 'plan-state')", (plan_id,))
        self._db.execute("DELETE FROM effects WHERE plan_id = ?", (plan_id,))

    # the index of plans

    def plan_row(self, plan_id: str) -> PlanRow | None:
        row = self._db.execute("SELECT * FROM plans WHERE plan_id = ?", (plan_id,)).fetchone()
        return None if row is None else PlanRow(*row)

    def insert_plan_row(self, row: PlanRow, effects: list[str]) -> None:
        try:
            self._db.execute("INSERT INTO plans VALUES (?, ?, ?, ?)", (row.plan_id, row.requester, row.state, row.created_at))
            self._db.executemany("INSERT INTO effects VALUES (?, ?)", [(tag, row.plan_id) for tag in effects])
        except sqlite3.IntegrityError:
            raise Conflict from None

    def update_plan_row(self, plan_id: str, state: str) -> None:
        self._db.execute("UPDATE plans SET state = ? WHERE plan_id = ?", (state, plan_id))

    def effects_of(self, plan_id: str) -> set[str]:
        return {row[0] for row in self._db.execute("SELECT tag FROM effects WHERE plan_id = ?", (plan_id,))}

    def plans_with_effects(self, tags: list[str]) -> list[str]:
        """All plans that touch one of the tags [STORE-006]."""
        marks = ",".join("?" * len(tags))
        rows = self._db.execute(f"SELECT DISTINCT plan_id FROM effects WHERE tag IN ({marks}) ORDER BY plan_id", tags)
        return [row[0] for row in rows]

    def plans_of(self, tags: list[str], limit: int, before: str | None = None) -> list[PlanRow]:
        """A requester's plans, newest first: plan ids are in the order of time [STORE-007]."""
        marks = ",".join("?" * len(tags))
        rows = self._db.execute(f"SELECT * FROM plans WHERE requester IN ({marks}) AND plan_id < ?"
                                " ORDER BY plan_id DESC LIMIT ?", (*tags, before or "g", limit))
        return [PlanRow(*row) for row in rows]

    def plans_in(self, states: tuple[str, ...]) -> list[PlanRow]:
        marks = ",".join("?" * len(states))
        rows = self._db.execute(f"SELECT * FROM plans WHERE state IN ({marks}) ORDER BY plan_id DESC", states)
        return [PlanRow(*row) for row in rows]

    def claims(self) -> bool:
        """Whether any plan was ever claimed."""
        marks = ("executing", "applied", "failed", "partial", "unknown")
        return self._db.execute("SELECT 1 FROM plans WHERE state IN (?, ?, ?, ?, ?) LIMIT 1", marks).fetchone() is not None

    # the audit

    def event(self, plan_previous: str | None = None, **draft: Any) -> str:
        """Appends an event of this writer; gives its digest [AUDIT-002] [AUDIT-008] [AUDIT-009]."""
        draft = {name: member for name, member in draft.items() if member is not None}
        plan_id = draft.get("planId")
        sequence = self._sequence + 1
        document = records.make("event", writer=self._writer.name, sequence=sequence, at=clock.stamp(self.now),
                                event=draft, previous=self._head, planPrevious=plan_previous)
        data = strictjson.canonical(document)
        sealed = self._keys.seal("event", f"{self._writer.name}.{sequence}", plan_id, 0, data)
        try:
            self._db.execute("INSERT INTO events (writer, sequence, plan_id, sealed) VALUES (?, ?, ?, ?)",
                             (self._writer.name, sequence, plan_id, sealed))
        except sqlite3.IntegrityError:
            raise Conflict from None
        self._sequence, self._head = sequence, strictjson.digest_bytes(data)
        return self._head

    def events(self, newest: int = 2**62) -> list[strictjson.Document]:
        """All events, or the newest so many, in the order of their commits. Raises SealBroken."""
        rows = self._db.execute("SELECT writer, sequence, plan_id, sealed FROM events ORDER BY position DESC LIMIT ?", (newest,))
        found = [self._keys.open("event", f"{writer}.{sequence}", plan, 0, sealed) for writer, sequence, plan, sealed in rows]
        return found[::-1]

    def last_event(self, plan_id: str) -> strictjson.Document | None:
        """The plan's event that was committed last. Raises SealBroken."""
        row = self._db.execute("SELECT writer, sequence, sealed FROM events WHERE plan_id = ? ORDER BY position DESC LIMIT 1",
                               (plan_id,)).fetchone()
        return None if row is None else self._keys.open("event", f"{row[0]}.{row[1]}", plan_id, 0, row[2])

    def first_and_last_events(self) -> list[strictjson.Document]:
        """Of each writer the first event and the last, for the start of another."""
        rows = self._db.execute("SELECT e.writer, e.sequence, e.plan_id, e.sealed FROM events e JOIN (SELECT writer,"
                                " MAX(sequence) AS top FROM events GROUP BY writer) m ON e.writer = m.writer"
                                " WHERE e.sequence IN (1, m.top) ORDER BY e.position")
        found = []
        for writer, sequence, plan, sealed in rows:
            try:
                found.append(self._keys.open("event", f"{writer}.{sequence}", plan, 0, sealed))
            except SealBroken:
                continue  # an event that was edited is for the verification of an export to name
        return found

    def committed(self) -> None:
        self._writer.sequence, self._writer.head = self._sequence, self._head


class Writer:
    """This process in the audit: a name of its own, its numbers, its head."""

    def __init__(self) -> None:
        self.name = clock.new_id()
        self.sequence = 0
        self.head: str | None = None


class Store:
    """One connection, used by one thread at a time."""

    def __init__(self, path: Path, keyring: Keyring) -> None:
        self._keys = keyring
        self._lock = threading.Lock()
        self.writer = Writer()
        self.changed = threading.Condition()
        if not path.exists():
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
        try:
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=20)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")  # durable before it is answered [STORE-001]
            self._db.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise StoreUnavailable from error

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def commit(self, transition: Callable[[Transaction], T]) -> T:
        """Runs a transition in one serialisable transaction; whatever it raises undoes it [STORE-001] [STORE-002]."""
        with self._lock:
            try:
                before = self._db.total_changes
                self._db.execute("BEGIN IMMEDIATE")
                transaction = Transaction(self._db, self._keys, self.writer)
                try:
                    answer = transition(transaction)
                    self._db.execute("COMMIT")
                except BaseException:
                    if self._db.in_transaction:
                        self._db.execute("ROLLBACK")
                    raise
                transaction.committed()
            except sqlite3.Error as error:
                raise StoreUnavailable from error
        if self._db.total_changes != before:
            with self.changed:
                self.changed.notify_all()
        return answer
