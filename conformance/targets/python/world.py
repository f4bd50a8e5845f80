"""The world around the server: the operator's file and commands, the process table, the service that is mutated. The server is
started by conformance_seams.py, for a clock that can be moved and a store that takes nothing.
"""

from __future__ import annotations

import http.client
import json
import multiprocessing
import os
import secrets
import shutil
import socket
import sys
import tempfile
import time
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Final

import conformance_seams
from notes_service import Service, path_of

START_SECONDS: Final = 30
END_SECONDS: Final = 15
FIRST_PORT, LAST_PORT = 21_000, 29_000  # outside of those that a system gives away by itself
MEMORY: Final = Path("/dev/shm")  # what is durable there outlives every process that is killed here, and costs no disk
PROCESSES: Final = multiprocessing.get_context("forkserver")

# The world that target.toml describes: who there is, and which folder's clause says what.
LIMITS: Final = {"openPlans": 200, "leaseSeconds": 5}
PERSONS: Final[dict[str, dict[str, Any]]] = {
    "alice": {"groups": ["staff"], "requests": ["write_note", "ask_clerk"]},
    "bob": {"groups": ["staff"]},
    "carol": {"groups": ["reviewers"]},
    "dave": {"groups": ["reviewers"]},
    "mallory": {"requests": False, "approves": False},
}
TWINS: Final = {"carol": ["carol-too"]}  # further accounts of a person
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
        self.directory = Path(tempfile.mkdtemp(prefix="python-target-", dir=MEMORY if MEMORY.is_dir() else None))
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
                               "accounts": {account: secrets.token_urlsafe(12) for account in (name, *TWINS.get(name, ()))}}
                        for name, says in PERSONS.items()}
        self.process: BaseProcess | None = None
        self.write()
        self.start()

    def write(self) -> None:
        """The operator writes their file anew; the server takes it with the next request."""
        lines = [f"isolation = {toml(self.isolation)}", 'state = "state"', "dangerouslyCheapPasswords = true",
                 f"notes = {toml(self.service.url)}", f'http = "127.0.0.1:{self.ports[0]}"', f'page = "127.0.0.1:{self.ports[1]}"', "[limits]",
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

    def told(self) -> dict[str, Any]:
        accounts = {account: {"account": account, "password": password}
                    for says in self.persons.values() for account, password in says["accounts"].items()}
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
