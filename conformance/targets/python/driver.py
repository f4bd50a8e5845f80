#!/usr/bin/env python3
"""Drives this server for the conformance harness: conformance/driver/PROTOCOL.md, line by line.

It hosts the notes service that the server mutates, and is the world around the server: the operator's file and commands, the
hand in the store's file, the process table. The server is started by conformance_seams.py, for a clock that can be moved and a
store that takes nothing. The person before the pages is the harness itself (`pages = "forms"`).
"""

from __future__ import annotations

import http.client
import json
import multiprocessing
import os
import secrets
import shutil
import socket
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import closing
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Final

import conformance_seams
from notes_service import Service, path_of
from server import vectors
from server.policy import DEFAULT_LIMITS

START_SECONDS: Final = 30
END_SECONDS: Final = 15
MUTE_SECONDS: Final = 3600
FIRST_PORT, LAST_PORT = 21_000, 29_000  # outside of those that a system gives away by itself
PROCESSES: Final = multiprocessing.get_context("forkserver")
PLACES: Final = {"header": "created_at", "plan-state": "state"}  # columns that a record fixes

# The world that target.toml describes: who there is, and which folder's clause says what.
LIMITS: Final = {"openPlans": 200, "leaseSeconds": 5}
PERSONS: Final[dict[str, dict[str, Any]]] = {
    "alice": {"groups": ["staff"], "requests": ["write_note", "ask_clerk"]},
    "bob": {"groups": ["staff"]},
    "carol": {"groups": ["reviewers"]},
    "dave": {"groups": ["reviewers"]},
    "mallory": {"requests": False, "approves": False},
}
FOLDERS: Final[dict[str, dict[str, Any]]] = {
    "plain": {},
    "named": {},
    "public": {},
    "locked": {},
    "away": {},
    "reviewed": {"rule": "other-subject", "groups": ["reviewers"]},
    "board": {"rule": "quorum", "required": 2, "groups": ["reviewers"]},
    "hidden": {"requesterReadsTarget": False},
    "short-plan": {"limits": {"planSeconds": 3}},
    "short-challenge": {"limits": {"challengeSeconds": 3}},
    "short-approval": {"limits": {"approvalSeconds": 3}},
    "short-execution": {"limits": {"executionSeconds": 3}},
    "few-attempts": {"limits": {"gateAttempts": 3}},
    "few-plans": {"limits": {"openPlans": 20}},
    "short-cool-down": {"limits": {"coolDownSeconds": 3}},
}


class Unsupported(Exception):
    """What this driver can't do."""


class Fault(Exception):
    """What should have worked."""


def clauses() -> list[dict[str, Any]]:
    """The clauses of the policy; what stands in no folder of these is denied."""
    found = [{"tool": tool, "arguments": {"folder": folder}, "rule": "same-subject", **says}
             for tool in ("write_note", "delete_note") for folder, says in FOLDERS.items()]
    return [*found, {"tool": "ask_clerk", "rule": "same-subject"}]


def toml(value: Any) -> str:
    """A value as TOML has it; what JSON calls a string, TOML does too."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name)} = {toml(member)}" for name, member in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value)


class World:
    """Server, target and operator of one installation."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="python-target-"))
        self.seams = self.directory / "seams"
        self.seams.mkdir()
        self.file = self.directory / "server.toml"
        self.log = self.directory / "server.log"
        self.store = self.directory / "state/store/store.sqlite"
        self.kept = self.directory / "kept.sqlite"
        self.service = Service()
        self.service.put_there(path_of("delete_note", {"folder": "plain", "name": "kept"}), {"text": "it is there from the start"})
        self.ports = free_port(), free_port()
        self.ahead = 0
        self.isolation = "separate"
        self.descriptions: dict[str, str] = {}
        self.clauses = clauses()
        self.persons = {name: {"enabled": True, "groups": [], **says, "tokens": [secrets.token_urlsafe(24)],
                               "accounts": {name: secrets.token_urlsafe(12)}} for name, says in PERSONS.items()}
        self.process: BaseProcess | None = None
        self.write()
        self.start()

    def write(self) -> None:
        """The operator writes their file anew; the server takes it with the next request."""
        lines = [f"isolation = {toml(self.isolation)}", 'state = "state"', "dangerouslyCheapPasswords = true", f"notes = {toml(self.service.url)}",
                 f'http = "127.0.0.1:{self.ports[0]}"', f'page = "127.0.0.1:{self.ports[1]}"', "[limits]",
                 *(f"{name} = {number}" for name, number in LIMITS.items()), "[descriptions]",
                 *(f"{name} = {toml(text)}" for name, text in self.descriptions.items())]
        for name, says in self.persons.items():
            lines += [f"[persons.{name}]", *(f"{member} = {toml(value)}" for member, value in says.items())]
        for clause in self.clauses:
            lines += ["[[clause]]", *(f"{member} = {toml(value)}" for member, value in clause.items())]
        beside = self.file.with_suffix(".new")
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
            out.write("\n".join(lines) + "\n")
        beside.rename(self.file)

    def ask(self) -> None:
        """A request, whatever it is about: with it the server takes what the operator has changed, and tells of it."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[1], timeout=START_SECONDS)
        connection.request("GET", "/login")
        connection.getresponse().read()
        connection.close()

    # ---- the process

    def begin(self, program: str, *words: str, output: str = "output") -> BaseProcess:
        """A process of its own, forked from one that has loaded what the server imports: that takes longest."""
        arguments = ["--config", str(self.file), *words]
        process = PROCESSES.Process(target=conformance_seams.run, daemon=True, args=(
            self.seams, program, arguments, self.directory / output, self.log))
        process.start()
        return process

    def start(self) -> None:
        self.process = process = self.begin("server")
        ends = time.monotonic() + START_SECONDS
        while time.monotonic() < ends and process.is_alive():
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.ports[0])) == 0:
                    return
            time.sleep(0.01)
        self.end()
        raise Fault(f"the server did not start: {self.log.read_text()[-2000:]}")

    def end(self, kill: bool = False) -> None:
        if self.process is None:
            return
        if not kill:
            self.process.terminate()
            self.process.join(END_SECONDS)
        self.process.kill()
        self.process.join()
        self.process = None

    def restart(self) -> None:
        self.end()
        self.start()

    def close(self) -> None:
        self.end(kill=True)
        self.service.close()
        sys.stderr.write(self.log.read_text(errors="replace"))
        shutil.rmtree(self.directory, ignore_errors=True)

    def die(self) -> None:
        """From the notes service: the server dies where it is, and is gone before it could be answered."""
        if self.process is not None:
            self.process.kill()
            self.process.join()

    def operator(self, *words: str) -> str:
        output = self.directory / "said"
        output.unlink(missing_ok=True)
        process = self.begin("server.operator", *words, output="said")
        process.join()
        if process.exitcode != 0:
            raise Fault(f"the operator's command {words} failed: {self.log.read_text()[-500:]}")
        return output.read_text(encoding="utf-8")

    def database(self) -> sqlite3.Connection:
        return sqlite3.connect(self.store, isolation_level=None, timeout=20)

    def told(self) -> dict[str, Any]:
        accounts = {name: [{"account": account, "password": password} for account, password in says["accounts"].items()][0]
                    for name, says in self.persons.items()}
        return {"url": f"http://127.0.0.1:{self.ports[0]}/mcp", "accounts": accounts,
                "tokens": {name: says["tokens"][0] for name, says in self.persons.items()}}


def free_port() -> int:
    """A port that nobody has; it stays the server's over its restarts."""
    while True:
        port = FIRST_PORT + secrets.randbelow(LAST_PORT - FIRST_PORT)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


class Driver:
    """Answers requests, each in a thread of its own; what changes the installation is done one by one."""

    def __init__(self) -> None:
        self._world: World | None = None
        self._one = threading.RLock()
        self._writing = threading.Lock()

    @property
    def world(self) -> World:
        if self._world is None:
            raise Fault("`start` comes first")
        return self._world

    def run(self) -> None:
        running: list[threading.Thread] = []
        for line in sys.stdin.buffer:
            request = json.loads(line)
            thread = threading.Thread(target=self._answer, args=(request,), daemon=True)
            thread.start()
            if request.get("op") in ("start", "reset"):
                thread.join()
            running = [one for one in running if one.is_alive()] + [thread]
        if self._world is not None:
            self._world.close()

    def _answer(self, request: dict[str, Any]) -> None:
        answer: dict[str, Any] = {"id": request.get("id")}
        try:
            operation = OPERATIONS.get(str(request.get("op")))
            if operation is None:
                raise Unsupported(f"there is no `{request.get('op')}` here")
            if request["op"] in AT_THE_TARGET:
                answer["ok"] = operation(self, request) or {}
            else:
                with self._one:
                    answer["ok"] = operation(self, request) or {}
        except Unsupported as why:
            answer["unsupported"] = str(why)
        except Exception as error:
            answer["error"] = f"{type(error).__name__}: {error}"
        with self._writing:
            sys.stdout.write(json.dumps(answer, ensure_ascii=False) + "\n")
            sys.stdout.flush()

    # ---- the server's life

    def start(self, request: dict[str, Any]) -> dict[str, Any]:
        if self._world is not None:
            self._world.close()
        self._world = World()
        return self._world.told()

    def restart(self, request: dict[str, Any]) -> None:
        self.world.service.kill = None
        self.world.restart()

    def kill(self, request: dict[str, Any]) -> None:
        match request["when"]:
            case "now":
                self.world.end(kill=True)
            case ("before-effect" | "after-effect") as when:
                self.world.service.kill = (when, self.world.die)
            case other:
                raise Unsupported(f"it can't die at {other}")

    # ---- at the target

    def observe(self, request: dict[str, Any]) -> dict[str, Any]:
        use = named(request)
        return {"effects": self.world.service.effects(use, request["arguments"])}

    def drift(self, request: dict[str, Any]) -> None:
        service = self.world.service
        if request["how"] == "restored" and "tool" not in request:
            return service.restore(None)
        path = place(request)
        match request["how"], path.startswith("/clerk/"):
            case "moved", False:
                service.move(path)
            case "previewed", False:
                service.preview_otherwise(path)
            case "refused", False:
                service.trouble(path, "refused")
            case ("unreachable" | "replaced") as how, _:
                service.trouble(path, how)
            case "restored", _:
                service.restore(path)
            case other, _:
                raise Unsupported(f"`{other}` can't be done to {request['tool']}")

    def hold(self, request: dict[str, Any]) -> None:
        self.world.service.hold(place(request))

    def release(self, request: dict[str, Any]) -> None:
        self.world.service.release(place(request) if "tool" in request else None)

    def held(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"held": self.world.service.held(place(request), float(request.get("seconds", 0)))}

    def answer(self, request: dict[str, Any]) -> None:
        if named(request) != "ask_clerk":
            raise Unsupported("what a typed tool answers is the server's own")
        self.world.service.answer_next(place(request), request["how"])

    # ---- instruments

    def change(self, request: dict[str, Any]) -> None:
        world, what, person = self.world, request["what"], str(request.get("person", ""))
        match what:
            case "policy":
                for clause in world.clauses:
                    if concerns(clause, request):
                        limits = clause.get("limits", {})
                        clause["limits"] = {**limits, "planSeconds": limits.get("planSeconds", DEFAULT_LIMITS["planSeconds"]) + 1}
            case "definition":
                tool = named(request)
                world.descriptions[tool] = f"{world.descriptions.get(tool, 'Another description.')} And more."
            case "enforcement":
                world.isolation = "same-user"
            case "disable" | "enable":
                world.persons[person]["enabled"] = what == "enable"
            case "regroup":
                world.persons[person]["groups"] = []
            case "account":
                world.persons[person]["accounts"] = {name: secrets.token_urlsafe(12) for name in world.persons[person]["accounts"]}
            case other:
                raise Unsupported(f"`{other}` can't be changed")
        world.write()
        if what == "enforcement":
            world.restart()
        world.ask()

    def pause(self, request: dict[str, Any]) -> None:
        self.world.operator("pause" if request["on"] else "resume")

    def mute(self, request: dict[str, Any]) -> None:
        self.world.operator(*(["mute", request["person"], str(MUTE_SECONDS)] if request["on"] else ["unmute", request["person"]]))

    def advance_clock(self, request: dict[str, Any]) -> None:
        self.world.ahead += int(request["seconds"])
        beside = self.world.seams / "clock.new"
        beside.write_text(str(self.world.ahead))
        beside.rename(self.world.seams / "clock")

    def fail(self, request: dict[str, Any]) -> None:
        flag = self.world.seams / request["op"]
        if request["on"]:
            flag.touch()
        else:
            flag.unlink(missing_ok=True)

    def keep(self, request: dict[str, Any]) -> None:
        self.world.kept.unlink(missing_ok=True)
        with closing(sqlite3.connect(self.world.store)) as source, closing(sqlite3.connect(self.world.kept)) as copy:
            source.backup(copy)

    def put_back(self, request: dict[str, Any]) -> None:
        world = self.world
        if request["what"] == "plan-state":
            return self._put_back_state(request["planId"])
        world.end()
        for tail in ("-wal", "-shm"):
            Path(f"{world.store}{tail}").unlink(missing_ok=True)
        shutil.copyfile(world.kept, world.store)
        world.start()

    def _put_back_state(self, plan_id: str) -> None:
        with closing(sqlite3.connect(self.world.kept)) as kept:
            record = kept.execute("SELECT revision, sealed FROM records WHERE kind = 'plan-state' AND id = ?", (plan_id,)).fetchone()
            row = kept.execute("SELECT state FROM plans WHERE plan_id = ?", (plan_id,)).fetchone()
        if record is None or row is None:
            raise Fault("no such plan was kept")
        database = self.world.database()
        database.execute("UPDATE records SET revision = ?, sealed = ? WHERE kind = 'plan-state' AND id = ?", (*record, plan_id))
        database.execute("UPDATE plans SET state = ? WHERE plan_id = ?", (*row, plan_id))
        database.close()

    def tamper(self, request: dict[str, Any]) -> None:
        """By SQL, without a key."""
        plan_id, record, database = request["planId"], request.get("record", "plan-state"), self.world.database()
        try:
            match request["case"]:
                case "edited-row":
                    sealed = stored(database, record, plan_id)
                    put(database, record, plan_id, sealed[:-3] + bytes([sealed[-3] ^ 1]) + sealed[-2:])
                case "transplanted-row":
                    put(database, record, plan_id, stored(database, record, request["other"]))
                case "missing-row":
                    stored(database, record, plan_id)
                    database.execute(f"DELETE FROM {table(record)} WHERE {row(record)}", at(record, plan_id))
                case "edited-column":
                    self._edit_column(database, record, plan_id)
                case other:
                    raise Unsupported(f"there is no case {other}")
        finally:
            database.close()

    @staticmethod
    def _edit_column(database: sqlite3.Connection, record: str, plan_id: str) -> None:
        if record == "intent":
            database.execute("UPDATE effects SET tag = 'k1.' || tag WHERE plan_id = ?", (plan_id,))
            return
        column = PLACES.get(record)
        if column is None:
            raise Unsupported(f"no column says what {record} says")
        before = database.execute(f"SELECT {column} FROM plans WHERE plan_id = ?", (plan_id,)).fetchone()
        if before is None:
            raise Fault("there is no such plan")
        other = {"state": "approved" if before[0] != "approved" else "planned",
                 "created_at": "2020-01-01T00:00:00.000Z"}[column]
        database.execute(f"UPDATE plans SET {column} = ? WHERE plan_id = ?", (other, plan_id))

    def reconcile(self, request: dict[str, Any]) -> None:
        self.world.operator("reconcile", request["planId"], request["finding"])

    def prune(self, request: dict[str, Any]) -> None:
        self.world.operator("prune", request["planId"])

    def audit(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"lines": self.world.operator("export").splitlines()}

    def receipt(self, request: dict[str, Any]) -> dict[str, Any]:
        receipt = self.world.operator("receipt", request["planId"])
        return {"receipt": receipt.removesuffix("\n"), "keys": self.world.operator("keys").removesuffix("\n")}

    def vectors(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"answers": vectors.answers(request["file"].removesuffix(".json"), request["content"])}


def named(request: dict[str, Any]) -> str:
    """The MCP tool behind a `use` of target.toml."""
    use = request["tool"]
    if use in ("write_note", "delete_note", "ask_clerk"):
        return use
    return {"opaque": "ask_clerk", "not-hers": "delete_note"}.get(use, "write_note")


def place(request: dict[str, Any]) -> str:
    return path_of(named(request), request["arguments"])


def concerns(clause: dict[str, Any], request: dict[str, Any]) -> bool:
    """Whether a clause decides the call of a use: its folder is named as the use is."""
    return clause["tool"] == named(request) and ("arguments" not in clause or clause["arguments"]["folder"] == request["tool"])


def table(record: str) -> str:
    return "events" if record == "event" else "records"


def row(record: str) -> str:
    """Of several of a kind, the last."""
    if record == "event":
        return "position = (SELECT MAX(position) FROM events WHERE plan_id = ?)"
    return "rowid = (SELECT MAX(rowid) FROM records WHERE kind = ? AND plan_id = ?)"


def at(record: str, plan_id: str) -> tuple[str, ...]:
    return (plan_id,) if record == "event" else (record, plan_id)


def stored(database: sqlite3.Connection, record: str, plan_id: str) -> bytes:
    found = database.execute(f"SELECT sealed FROM {table(record)} WHERE {row(record)}", at(record, plan_id)).fetchone()
    if found is None:
        raise Fault(f"the plan has no {record}")
    return found[0]


def put(database: sqlite3.Connection, record: str, plan_id: str, sealed: bytes) -> None:
    stored(database, record, plan_id)
    database.execute(f"UPDATE {table(record)} SET sealed = ? WHERE {row(record)}", (sealed, *at(record, plan_id)))


OPERATIONS: Final[dict[str, Callable[[Driver, dict[str, Any]], dict[str, Any] | None]]] = {
    "start": Driver.start, "reset": Driver.start, "restart": Driver.restart, "kill": Driver.kill, "observe": Driver.observe,
    "drift": Driver.drift, "hold": Driver.hold, "release": Driver.release, "held": Driver.held, "answer": Driver.answer,
    "change": Driver.change, "pause": Driver.pause, "mute": Driver.mute, "advance-clock": Driver.advance_clock,
    "fail-store": Driver.fail, "fail-anchor": Driver.fail, "keep": Driver.keep, "put-back": Driver.put_back,
    "tamper": Driver.tamper, "reconcile": Driver.reconcile, "prune": Driver.prune, "audit": Driver.audit,
    "receipt": Driver.receipt, "vectors": Driver.vectors,
}
AT_THE_TARGET: Final = frozenset({"observe", "drift", "hold", "release", "held", "answer"})


if __name__ == "__main__":
    PROCESSES.set_forkserver_preload(["__main__"])
    Driver().run()
