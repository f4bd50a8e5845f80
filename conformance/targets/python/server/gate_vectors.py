"""Puts the vectors of the gate to this server's own: what one describes is written into a store and an anchor, as somebody with
the key could have, and the real gate is asked. The world beside them is here alone.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final
from unittest import mock

from . import clock, strictjson
from .anchor import Anchor
from .gate import Gate
from .policy import Configuration, Identity, Person, Requester
from .refusals import RETRY, Refusal
from .seals import Keyring
from .store import Store
from .target import PlannerRefuses, Report

Given = dict[str, Any]
_BEFORE_STEP_5: Final = ("plan_not_found", "payload_invalid", "integrity_failure", "approval_hash_mismatch")
_KINDS: Final = {"header": "header", "intent": "intent", "review": "review", "secrets": "secrets", "planState": "plan-state",
                 "execution": "execution", "result": "result", "reconciliation": "reconciliation"}


class Directory(Configuration):
    """Persons, policy and enforcement as a scene says that they are."""

    def __init__(self, scene: Given) -> None:
        super().__init__({name: Person(name, said["enabled"], frozenset(said["groups"]), said["mayRequest"], said["mayApprove"])
                          for name, said in scene["directory"].items()}, [])
        self._scene = scene

    def evaluate(self, tool: str, target: str, arguments: Given) -> Given | None:
        found: Given | None = self._scene.get("policy")
        return found

    def enforcement(self, assurance: str) -> dict[str, str]:
        found: dict[str, str] = self._scene["enforcement"]
        return found


class World:
    """The target, as a scene says that a look at it finds it. A preview is its digest here."""

    def __init__(self, scene: Given) -> None:
        self._scene, self._freshness = scene, scene["freshness"]
        self.ran = False

    def identity(self, intent: Given) -> Given:
        self._refuse("unreachable", "target_unavailable")
        found: Given = self._scene["target"]["identity"]
        return found

    def hold_preconditions(self, step: Given) -> None:
        self._refuse("precondition-fails", "precondition_failed")

    def preview(self, step: Given) -> Any:
        self._refuse("preview-refused", "dry_run_failed")
        return "another" if self._freshness == "preview-differs" else step["previewDigest"]

    def definition(self, target: object, tool: str) -> Any:
        found = self._scene["tool"]
        return found["definitionDigest"] if found["name"] == tool else None

    def execute(self, intent: Given, may_start: Callable[[], bool]) -> Report:
        self.ran = True
        return Report("applied", [], None)

    def _refuse(self, when: str, reason: str) -> None:
        if self._freshness == when:
            raise PlannerRefuses(reason)


def answer(scene: Given, keys: Keyring) -> Given | None:
    """What the gate answers to the request of a scene; None where it is about what this server doesn't have: a request that
    is repeated (binding M), and columns for a plan's expiry and target."""
    request, stored = scene["request"], scene["stored"]
    if "repeated" in request or _says_otherwise(stored):
        return None
    world = World(scene)
    with ExitStack() as over:
        directory = Path(over.enter_context(tempfile.TemporaryDirectory()))
        over.enter_context(mock.patch("server.clock.now", lambda: clock.read_stamp(scene["now"])))
        over.enter_context(mock.patch("server.execution.definition_digest", world.definition))
        over.enter_context(mock.patch("server.execution.preview_digest", lambda preview: preview))
        store = Store(directory / "store.sqlite", keys)
        over.callback(store.close)
        for plan in (stored, *scene["attempts"]):
            _write_plan(store, keys, plan)
        if "pause" in scene:
            _write(store, keys, ("pause", "pause", None, scene["pause"]["revision"]), scene["pause"])
        anchor = _anchor(directory / "anchor", scene, keys)
        gate = Gate(store, keys, None, Directory(scene), world, anchor)  # type: ignore[arg-type]
        who = Requester(Identity(**request["requester"]), scene["enforcement"]["requesterAssurance"])
        try:
            plan, replayed = gate.execute(who, request["planId"], request.get("planDigest"))
        except Refusal as refusal:
            refused = {"verdict": "refused", "reason": refusal.reason, "retry": RETRY[refusal.reason]}
            if refusal.reason in _BEFORE_STEP_5:
                return refused
            return {**refused, "state": gate.status(who, request["planId"], 0, lambda: False).state["state"]}
        if world.ran:
            return {"verdict": "permitted"}
        assert plan.execution is not None
        return {"verdict": "replayed" if replayed else "settled", "outcome": plan.execution["outcome"]}


def _says_otherwise(stored: Given) -> bool:
    """Whether a column that this store doesn't have says something else than the record."""
    index, header, intent = (stored.get(name, {}) for name in ("index", "header", "intent"))
    return (index.get("expiresAt") != header.get("expiresAt", index.get("expiresAt"))
            or index.get("target") != intent.get("target", {}).get("name", index.get("target")))


def _write_plan(store: Store, keys: Keyring, stored: Given) -> None:
    index, broken = stored.get("index"), stored.get("broken", [])
    if index is None:
        return
    plan_id = index["planId"]
    for member, kind in _KINDS.items():
        if member in stored:
            revision = index["revision"] if kind == "plan-state" else 0
            _write(store, keys, (kind, plan_id, plan_id, revision), stored[member], member in broken)
    for challenge in stored.get("challenges", []):
        _write(store, keys, ("challenge", challenge["challengeId"], plan_id, 0), challenge, "challenges" in broken)
    for number, decision in enumerate(stored.get("decisions", [])):
        _write(store, keys, ("decision", f"{decision['challengeId']}.{number}", plan_id, 0), decision, "decisions" in broken)
    if "lastEvent" in stored:
        event = stored["lastEvent"]
        sealed = _sealed(keys, ("event", f"{event['writer']}.{event['sequence']}", plan_id, 0), event, "lastEvent" in broken)
        store._db.execute("INSERT INTO events (writer, sequence, plan_id, sealed) VALUES (?, ?, ?, ?)",
                          (event["writer"], event["sequence"], plan_id, sealed))
    requester = keys.tag("pseudonym", index["requester"].encode("utf-8"))
    store._db.execute("INSERT INTO plans VALUES (?, ?, ?, ?)", (plan_id, requester, index["state"], index["createdAt"]))
    for tag in _effects(stored, keys):
        store._db.execute("INSERT INTO effects VALUES (?, ?)", (tag, plan_id))


def _write(store: Store, keys: Keyring, where: tuple[str, str, str | None, int], record: Given, broken: bool = False) -> None:
    kind, record_id, plan_id, revision = where
    store._db.execute("INSERT INTO records VALUES (?, ?, ?, ?, ?)",
                      (kind, record_id, plan_id, revision, _sealed(keys, where, record, broken)))


def _sealed(keys: Keyring, where: tuple[str, str, str | None, int], record: Given, broken: bool) -> bytes:
    sealed = keys.seal(*where, strictjson.canonical(record))
    return sealed[:-1] + bytes([sealed[-1] ^ 1]) if broken else sealed


def _effects(stored: Given, keys: Keyring) -> list[str]:
    return [keys.tag("effect-tag", key.encode("utf-8")) for key in stored.get("intent", {}).get("effectKeys", [])]


def _anchor(path: Path, scene: Given, keys: Keyring) -> Anchor:
    anchor = Anchor(path, keys.audience)
    anchor.begin()
    plans = {plan["index"]["planId"]: plan for plan in (scene["stored"], *scene["attempts"]) if "index" in plan}
    for entry in scene["anchor"]:
        state = plans.get(entry["planId"], {}).get("planState", {}) if entry.get("inStore") else {}
        claim = state.get("claim", {}).get("claimId")
        anchor.enter(entry["planId"], entry["kind"], scene["stored"]["index"]["expiresAt"], _effects(scene["stored"], keys),
                     (claim or clock.new_id()) if entry["kind"] == "claimed" else None)
    return anchor
