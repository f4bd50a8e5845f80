"""A hand in the store's file: by SQL, without a key."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from world import Fault, Unsupported

_COLUMNS: Final = {"header": "created_at", "plan-state": "state"}  # columns of the kinds that have one


def tamper(store: Path, case: str, record: str, plan_id: str, other: str | None) -> None:
    """Changes a plan's last record of a kind."""
    with closing(sqlite3.connect(store, isolation_level=None, timeout=20)) as database:
        match case:
            case "edited-row":
                sealed = _stored(database, record, plan_id)
                _put(database, record, plan_id, sealed[:-3] + bytes([sealed[-3] ^ 1]) + sealed[-2:])
            case "transplanted-row" if other is not None:
                _put(database, record, plan_id, _stored(database, record, other))
            case "missing-row":
                _stored(database, record, plan_id)
                database.execute(f"DELETE FROM {_table(record)} WHERE {_row(record)}", _at(record, plan_id))
            case "edited-column":
                _edit_column(database, record, plan_id)
            case _:
                raise Unsupported(f"there is no case {case}")


def put_back_state(store: Path, kept: Path, plan_id: str) -> None:
    """The plan's state, record and column, as a copy of the store has it."""
    with closing(sqlite3.connect(kept)) as copy:
        record = copy.execute("SELECT revision, sealed FROM records WHERE kind = 'plan-state' AND id = ?", (plan_id,)).fetchone()
        row = copy.execute("SELECT state FROM plans WHERE plan_id = ?", (plan_id,)).fetchone()
    if record is None or row is None:
        raise Fault("no such plan was kept")
    with closing(sqlite3.connect(store, isolation_level=None, timeout=20)) as database:
        database.execute("UPDATE records SET revision = ?, sealed = ? WHERE kind = 'plan-state' AND id = ?", (*record, plan_id))
        database.execute("UPDATE plans SET state = ? WHERE plan_id = ?", (*row, plan_id))


def _edit_column(database: sqlite3.Connection, record: str, plan_id: str) -> None:
    if record == "intent":
        database.execute("UPDATE effects SET tag = 'k1.' || tag WHERE plan_id = ?", (plan_id,))
        return
    column = _COLUMNS.get(record)
    if column is None:
        raise Unsupported(f"no column says what {record} says")
    before = database.execute(f"SELECT {column} FROM plans WHERE plan_id = ?", (plan_id,)).fetchone()
    if before is None:
        raise Fault("there is no such plan")
    other = {"state": "approved" if before[0] != "approved" else "planned", "created_at": "2020-01-01T00:00:00.000Z"}[column]
    database.execute(f"UPDATE plans SET {column} = ? WHERE plan_id = ?", (other, plan_id))


def _table(record: str) -> str:
    return "events" if record == "event" else "records"


def _row(record: str) -> str:
    """Of several of a kind, the last."""
    if record == "event":
        return "position = (SELECT MAX(position) FROM events WHERE plan_id = ?)"
    return "rowid = (SELECT MAX(rowid) FROM records WHERE kind = ? AND plan_id = ?)"


def _at(record: str, plan_id: str) -> tuple[str, ...]:
    return (plan_id,) if record == "event" else (record, plan_id)


def _stored(database: sqlite3.Connection, record: str, plan_id: str) -> bytes:
    found = database.execute(f"SELECT sealed FROM {_table(record)} WHERE {_row(record)}", _at(record, plan_id)).fetchone()
    if found is None:
        raise Fault(f"the plan has no {record}")
    return bytes(found[0])


def _put(database: sqlite3.Connection, record: str, plan_id: str, sealed: bytes) -> None:
    _stored(database, record, plan_id)
    database.execute(f"UPDATE {_table(record)} SET sealed = ? WHERE {_row(record)}", (sealed, *_at(record, plan_id)))
