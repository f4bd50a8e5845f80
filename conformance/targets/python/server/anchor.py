"""The anchor of one machine: a file beside the key (audit.md, section 2)."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from . import clock, records, seals, strictjson


class AnchorBroken(Exception):
    """The file is not what it must be; nothing is entered until it is mended by hand [ANCHOR-012]."""


class Anchor:
    """Entries by plan. Whoever reads or writes holds a lock on `<file>.lock`."""

    def __init__(self, path: Path, audience: str) -> None:
        self.path = path
        self.audience = audience
        self._last_checkpoint: tuple[int, str] | None = None
        self._seen: tuple[int, ...] | None = None  # the file as it was read last, and what was in it
        self._found: dict[str, dict[str, Any]] = {}

    @contextmanager
    def _locked(self) -> Iterator[None]:
        lock = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def begin(self) -> None:
        """Makes a new file with its first line, if there is none."""
        with self._locked():
            if self.path.exists():
                return
            first = records.make("anchor", audience=self.audience, generation=clock.new_id())
            temporary = self.path.with_name(self.path.name + ".new")
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            os.write(descriptor, strictjson.canonical(first) + b"\n")
            os.fsync(descriptor)
            os.close(descriptor)
            os.rename(temporary, self.path)
            _sync_directory(self.path.parent)

    def entries(self) -> dict[str, dict[str, Any]]:
        with self._locked():
            return self._read()

    def checkpoint(self) -> tuple[int, str] | None:
        """The last checkpoint that is remembered: its number and digest."""
        with self._locked():
            return self._last_checkpoint if self._read() is not None else None

    def remember(self, number: int, digest: str) -> None:
        """Remembers a checkpoint, once it has committed [CKPT-004]."""
        with self._locked():
            self._read()
            self._append(records.make("anchor-checkpoint", number=number, digest=digest))

    def enter(self, plan_id: str, kind: str, expires_at: str, effects: list[str],
              claim_id: str | None = None) -> dict[str, Any] | None:
        """Enters a claim or an end, durably; gives the entry that was there before, if any [ANCHOR-001] [ANCHOR-003]."""
        entry = records.make("anchor-entry", planId=plan_id, kind=kind, planExpiresAt=expires_at,
                             effects=effects, claimId=claim_id)
        with self._locked():
            known = self._read().get(plan_id)
            if known is not None:
                return known
            self._append(entry)
        return None

    def _append(self, line: dict[str, Any]) -> None:
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND)
        try:
            os.write(descriptor, strictjson.canonical(line) + b"\n")
            os.fsync(descriptor)  # on the disk before it counts [ANCHOR-011]
        finally:
            os.close(descriptor)

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            seals.check_private(self.path)
            status = os.stat(self.path)
            seen = (status.st_ino, status.st_size, status.st_mtime_ns)
            if seen == self._seen:
                return self._found
            data = self.path.read_bytes()
        except OSError as error:
            raise AnchorBroken(str(error)) from None
        whole, _, rest = data.rpartition(b"\n")
        lines = whole.split(b"\n") if whole else []
        if rest:  # what a crash left [ANCHOR-012]
            kept = True
            try:
                _line(rest)
            except AnchorBroken:
                kept = False
            descriptor = os.open(self.path, os.O_RDWR)
            try:
                if kept:
                    os.pwrite(descriptor, b"\n", len(data))
                    lines.append(rest)
                else:
                    os.ftruncate(descriptor, len(data) - len(rest))
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        if not lines:
            raise AnchorBroken("line 1")
        self._last_checkpoint = None
        found: dict[str, dict[str, Any]] = {}
        for number, line in enumerate(lines, 1):
            try:
                document = _line(line, first=number == 1)
            except AnchorBroken:
                raise AnchorBroken(f"line {number}") from None
            if number == 1:
                if document["audience"] != self.audience:
                    raise AnchorBroken("line 1: another installation's")
            elif document["type"] == records.type_of("anchor-checkpoint"):
                self._last_checkpoint = document["number"], document["digest"]
            elif document["planId"] in found:
                raise AnchorBroken(f"line {number}")
            else:
                found[document["planId"]] = document
        self._seen, self._found = None if rest else seen, found
        return found


def _line(data: bytes, first: bool = False) -> dict[str, Any]:
    try:
        document = strictjson.read_stored(data).value
        mark = document.get("type") == records.type_of("anchor-checkpoint")
        record = "anchor" if first else "anchor-checkpoint" if mark else "anchor-entry"
        records.check(record, document)
    except (strictjson.Refused, records.NotARecord):
        raise AnchorBroken from None
    if record == "anchor-entry" and (document["kind"] == "claimed") != ("claimId" in document):
        raise AnchorBroken
    return document


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
