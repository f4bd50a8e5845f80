#!/usr/bin/env python3
"""Drives this server for the conformance harness: conformance/driver/PROTOCOL.md, line by line.

The person before the pages is the harness itself (`pages = "forms"`); the rest of the world is in world.py and tampering.py.
"""

from __future__ import annotations

import json
import secrets
import shutil
import sqlite3
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import tampering
from notes_service import path_of
from server import vectors
from server.policy import DEFAULT_LIMITS
from world import PROCESSES, Fault, Unsupported, World

MUTE_SECONDS: Final = 3600


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
            if request["op"] in AT_ONCE:
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
            return tampering.put_back_state(world.store, world.kept, request["planId"])
        world.end()
        for tail in ("-wal", "-shm"):
            Path(f"{world.store}{tail}").unlink(missing_ok=True)
        shutil.copyfile(world.kept, world.store)
        world.start()

    def tamper(self, request: dict[str, Any]) -> None:
        tampering.tamper(self.world.store, request["case"], request.get("record", "plan-state"), request["planId"],
                         request.get("other"))

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
        """In a process of its own: it takes a while, and moves the clock of its modules."""
        with ProcessPoolExecutor(1, PROCESSES) as pool:
            return {"answers": pool.submit(vectors.answers, request["file"].removesuffix(".json"), request["content"]).result()}


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


OPERATIONS: Final[dict[str, Callable[[Driver, dict[str, Any]], dict[str, Any] | None]]] = {
    "start": Driver.start, "reset": Driver.start, "restart": Driver.restart, "kill": Driver.kill, "observe": Driver.observe,
    "drift": Driver.drift, "hold": Driver.hold, "release": Driver.release, "held": Driver.held, "answer": Driver.answer,
    "change": Driver.change, "pause": Driver.pause, "mute": Driver.mute, "advance-clock": Driver.advance_clock,
    "fail-store": Driver.fail, "fail-anchor": Driver.fail, "keep": Driver.keep, "put-back": Driver.put_back,
    "tamper": Driver.tamper, "reconcile": Driver.reconcile, "prune": Driver.prune, "audit": Driver.audit,
    "receipt": Driver.receipt, "vectors": Driver.vectors,
}
AT_ONCE: Final = frozenset({"observe", "drift", "hold", "release", "held", "answer", "vectors"})  # the installation stays as it is


if __name__ == "__main__":
    sys.setswitchinterval(0.0005)
    PROCESSES.set_forkserver_preload([Path(__file__).stem])  # this file, with all that it imports
    Driver().run()
