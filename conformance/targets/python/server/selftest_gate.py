"""The gate inside one process: what needs a clock, the store's bytes or another configuration."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from typing import Any

from . import clock, receipts
from .anchor import Anchor
from .checking import check
from .decisions import Authentication
from .directory import Directory
from .doubt import Fault
from .gate import Gate
from .policy import Clause, Configuration, Identity, Person, Requester
from .refusals import Refusal
from .seals import load_or_make
from .signing import KeySet, Signer
from .store import Store
from .verifier import verify


class Hands:
    """A clock whose hands only the test moves."""

    def __init__(self) -> None:
        self._at = clock.now()

    def now(self) -> int:
        return self._at

    def advance(self, milliseconds: int) -> None:
        self._at += milliseconds


HANDS = Hands()


def open_gate(directory: Path, state: Path, **limits: int) -> tuple[Gate, Configuration]:
    keys = load_or_make(state / "master.json")
    configuration = Configuration({"alice": Person("alice"), "bob": Person("bob")},
                                  [Clause("write_file", {"kind": "same-subject", "required": 1})], rollback="local")
    configuration.limits.update(limits)
    anchor = Anchor(state / "anchor", keys.audience)
    anchor.begin()
    signer = Signer(state / "signing.json", keys.audience)
    gate = Gate(Store(state / "store.sqlite", keys), keys, signer, configuration, Directory(directory), anchor)
    gate.start("environment")
    return gate, configuration


def fault_of(lines: list[bytes], keys: KeySet | None = None) -> tuple[str, int] | None:
    try:
        verify(lines, keys)
    except Fault as fault:
        return fault.code, fault.line
    return None


ALICE = Requester(Identity("alice", "test", "alice"), "environment")
BOB = Requester(Identity("bob", "test", "bob"), "environment")


def reason(what: Any) -> str | None:
    try:
        what()
    except Refusal as refusal:
        return refusal.reason
    return None


def approved(gate: Gate, name: str, verdict: str = "approve", who: Requester = ALICE, plan_id: str | None = None) -> str:
    plan_id = plan_id or gate.plan(ALICE, "write_file", {"name": name, "content": name}).plan_id
    challenge = gate.challenge(ALICE, plan_id, None)
    assert challenge.challenge is not None
    HANDS.advance(3)
    now = clock.now()
    gate.decide(Authentication(who.identity, now), plan_id, challenge.digest, challenge.challenge["challengeId"], verdict,
                None, now)
    return plan_id


def inside(directory: Path, state: Path) -> None:
    clock.now = HANDS.now
    gate, configuration = open_gate(directory, state, challengeSeconds=1, gateAttempts=5)
    for number in range(4):
        _race(gate, directory, f"race{number}")
    plan_id = approved(gate, "i1")
    check("plan of another", reason(lambda: gate.status(BOB, plan_id, 0, lambda: False)) == "plan_not_found")
    check("stranger", reason(lambda: gate.view(plan_id, "bob")) == "plan_not_found")
    check("runs", gate.execute(ALICE, plan_id, None)[0].state["state"] == "applied")
    plan_id = gate.plan(ALICE, "write_file", {"name": "i2", "content": ""}).plan_id
    gate.challenge(ALICE, plan_id, None)
    HANDS.advance(1100)
    check("ran out", reason(lambda: gate.execute(ALICE, plan_id, None)) == "challenge_expired")
    for _ in range(4):
        reason(lambda: gate.execute(ALICE, plan_id, None))
    check("knocking", reason(lambda: gate.execute(ALICE, plan_id, None)) == "rate_limited")
    approved(gate, "i2", plan_id=plan_id)
    check("the count begins anew", gate.execute(ALICE, plan_id, None)[0].state["state"] == "applied")

    check("withdrawn", reason(lambda: gate.execute(ALICE, _withdrawn(gate), None)) == "approval_withdrawn")
    plan_id = approved(gate, "i3")
    gate.pause("operator", True)
    check("paused", reason(lambda: gate.execute(ALICE, plan_id, None)) == "paused")
    gate.pause("operator", False)
    configuration.isolation, configuration.rollback = "same-user", "none"
    check("weaker boundary", reason(lambda: gate.execute(ALICE, plan_id, None)) == "policy_changed")
    configuration.rollback = "local"
    plan_id = approved(gate, "i4")
    configuration.persons["alice"].may_approve = False
    check("former approver", reason(lambda: gate.execute(ALICE, plan_id, None)) == "approver_not_permitted")
    configuration.persons["alice"].may_approve = True
    plan_id = approved(gate, "i5")
    configuration.limits["planSeconds"] = 77
    check("new policy", reason(lambda: gate.execute(ALICE, plan_id, None)) == "policy_changed")
    configuration.limits["planSeconds"] = 3600
    configuration.clauses = [Clause("write_file", {"kind": "other-subject", "required": 1})]
    plan_id = gate.plan(ALICE, "write_file", {"name": "i6", "content": "i6"}).plan_id
    check("own plan", reason(lambda: approved(gate, "i6", plan_id=plan_id)) == "approver_not_permitted")
    approved(gate, "i6", who=BOB, plan_id=plan_id)
    check("other subject", gate.execute(ALICE, plan_id, None)[0].state["state"] == "applied")
    configuration.clauses = [Clause("write_file", {"kind": "quorum", "required": 2})]
    configuration.persons["carol"] = Person("carol")
    carol = Requester(Identity("carol", "test", "carol"), "environment")
    plan_id = gate.plan(ALICE, "write_file", {"name": "i7", "content": "i7"}).plan_id
    approved(gate, "i7", who=BOB, plan_id=plan_id)
    check("half decided", reason(lambda: gate.execute(ALICE, plan_id, None)) == "approval_pending")
    check("two accounts", reason(lambda: approved(gate, "i7", who=BOB, plan_id=plan_id)) == "approval_pending")
    approved(gate, "i7", who=carol, plan_id=plan_id)
    check("quorum", gate.execute(ALICE, plan_id, None)[0].state["state"] == "applied")
    configuration.clauses = []
    check("forbidden", reason(lambda: gate.plan(ALICE, "write_file", {"name": "x", "content": ""})) == "policy_denied")
    configuration.clauses = [Clause("write_file", {"kind": "same-subject", "required": 1})]
    configuration.limits["openPlans"] = 1
    gate.plan(ALICE, "write_file", {"name": "i8", "content": ""})
    check("flood of plans", reason(lambda: gate.plan(ALICE, "write_file", {"name": "i9", "content": ""})) == "rate_limited")
    configuration.limits["openPlans"] = 1000

    lines = gate.export()
    check("the audit's chain holds", fault_of(lines) is None)
    edited = fault_of([*lines[:5], lines[5].replace(b'"at":"2', b'"at":"1'), *lines[6:]])
    check("an edited audit", edited == ("event_changed", 6), edited)
    removed = fault_of([*lines[:4], *lines[5:]])
    check("a removed line", removed == ("event_missing", 5), removed)
    _signed(gate)
    _after_a_crash(gate, directory, state)
    _tampered(gate, state)
    _put_back(gate, directory, state)


def _race(gate: Gate, directory: Path, name: str) -> None:
    """Many calls at once: one runs, and each of the others gets its outcome or is told that it runs."""
    plan_id = approved(gate, name)
    answers: list[Any] = []
    ran: list[bool] = []

    def run() -> None:
        answers.append(reason(lambda: ran.append(not gate.execute(ALICE, plan_id, None)[1])))
    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check("race", set(answers) <= {None, "execution_in_progress"} and len(answers) == 6 and sum(ran) == 1
          and (directory / name).read_text() == name)


def _withdrawn(gate: Gate) -> str:
    plan_id = approved(gate, "w")
    plan = gate.view(plan_id, "alice")
    now = clock.now()
    assert plan.challenge is not None
    gate.decide(Authentication(ALICE.identity, now), plan_id, plan.digest, plan.challenge["challengeId"], "withdraw", None, now)
    return plan_id


def _after_a_crash(gate: Gate, directory: Path, state: Path) -> None:
    gate.configuration.limits["leaseSeconds"] = 1
    plan_id, other = approved(gate, "crash"), approved(gate, "crash")
    attempt, gate._attempt = gate._attempt, lambda *a: None  # type: ignore[method-assign]
    check("claimed and gone", reason(lambda: gate.execute(ALICE, plan_id, None)) == "store_unavailable")
    gate._attempt = attempt  # type: ignore[method-assign]
    check("collision", reason(lambda: gate.execute(ALICE, other, None)) == "execution_in_progress")
    HANDS.advance(1100)
    plan, replayed = gate.execute(ALICE, plan_id, None)
    check("after a crash", replayed and plan.state["state"] == "unknown")
    check("unmarked retry", reason(lambda: gate.execute(ALICE, other, None)) == "outcome_unknown")
    marked = gate.plan(ALICE, "write_file", {"name": "crash", "content": "crash"})
    assert marked.review is not None
    check("the review lists it", marked.review.value["warnings"][0]["planId"] == plan_id)
    approved(gate, "crash", plan_id=marked.plan_id)
    check("and then it runs", gate.execute(ALICE, marked.plan_id, None)[0].state["state"] == "applied")
    gate.configuration.limits["leaseSeconds"] = 30


def _tampered(gate: Gate, state: Path) -> None:
    database = sqlite3.connect(state / "store.sqlite", isolation_level=None)
    for kind in ("header", "intent", "review", "challenge", "decision", "plan-state"):
        plan_id = approved(gate, f"t-{kind}")
        where = (kind, plan_id)
        sealed = database.execute("SELECT sealed FROM records WHERE kind = ? AND plan_id = ?", where).fetchone()[0]
        edited = sealed[:-3] + bytes([sealed[-3] ^ 1]) + sealed[-2:]
        database.execute("UPDATE records SET sealed = ? WHERE kind = ? AND plan_id = ?", (edited, *where))
        check("edited row", reason(lambda: gate.execute(ALICE, plan_id, None)) == "integrity_failure")
        database.execute("DELETE FROM records WHERE kind = ? AND plan_id = ?", where)
        check("missing row", reason(lambda: gate.execute(ALICE, plan_id, None)) == "integrity_failure")
    plan_id = gate.plan(ALICE, "write_file", {"name": "t-old", "content": ""}).plan_id
    row = database.execute("SELECT revision, sealed FROM records WHERE kind = 'plan-state' AND id = ?", (plan_id,)).fetchone()
    approved(gate, "t-old", "reject", plan_id=plan_id)
    database.execute("UPDATE records SET revision = ?, sealed = ? WHERE kind = 'plan-state' AND id = ?", (*row, plan_id))
    database.execute("UPDATE plans SET state = 'planned' WHERE plan_id = ?", (plan_id,))
    check("older state", reason(lambda: gate.execute(ALICE, plan_id, None)) == "integrity_failure")
    plan_id = approved(gate, "t-col")
    for column in ("state", "created_at"):
        before = database.execute(f"SELECT {column} FROM plans WHERE plan_id = ?", (plan_id,)).fetchone()[0]
        database.execute(f"UPDATE plans SET {column} = 'planned' WHERE plan_id = ?", (plan_id,))
        check("edited column", reason(lambda: gate.execute(ALICE, plan_id, None)) == "integrity_failure")
        database.execute(f"UPDATE plans SET {column} = ? WHERE plan_id = ?", (before, plan_id))
    database.execute("UPDATE plans SET requester = ? WHERE plan_id = ?", (gate.keys.tag("pseudonym", b"bob"), plan_id))
    check("edited requester", reason(lambda: gate.execute(ALICE, plan_id, None)) == "plan_not_found"
          and reason(lambda: gate.execute(BOB, plan_id, None)) == "integrity_failure")
    database.execute("UPDATE plans SET requester = ? WHERE plan_id = ?", (gate.keys.tag("pseudonym", b"alice"), plan_id))
    check("whole again", gate.execute(ALICE, plan_id, None)[0].state["state"] == "applied")
    database.close()


def _signed(gate: Gate) -> None:
    """A checkpoint, a receipt, and another key."""
    check("a checkpoint", gate.checkpoint())
    keys, lines = KeySet.read(gate.signer.key_set()), gate.export()
    holds = verify(lines, keys)
    check("all is proven", holds.proven == holds.events and holds.checkpoints == 1, holds)
    cut = fault_of(lines[:-1], keys)
    check("a checkpoint is missing", cut == ("checkpoint_missing", len(lines)), cut)
    open_plan, ran = gate.plan(ALICE, "write_file", {"name": "s1", "content": ""}).plan_id, approved(gate, "s2")
    check("no receipt before the end", reason(lambda: gate.receipt(open_plan)) == "approval_pending")
    gate.execute(ALICE, ran, None)
    before = len(gate.export())
    taken = receipts.verify(gate.receipt(ran), keys, clock.now())
    check("a receipt", taken.claims == ["approved", "executed", "planned"] and "effect" in taken.limits, taken)
    check("making one changes nothing", len(gate.export()) == before)
    gate.rotate("operator", "receipt")
    later = KeySet.read(gate.signer.key_set())
    signed = receipts.verify(gate.receipt(ran), later, None).key
    check("another key signs, and the one before it stays", signed not in keys.keys and keys.keys.keys() <= later.keys.keys())


def _put_back(gate: Gate, directory: Path, state: Path) -> None:
    """The whole store, put back to before an execution and before a rejection."""
    ran, rejected = approved(gate, "p-ran"), approved(gate, "p-rejected")
    with sqlite3.connect(state / "store.sqlite") as source, sqlite3.connect(state / "older.sqlite") as copy:
        source.backup(copy)
    check("ran", gate.execute(ALICE, ran, None)[0].state["state"] == "applied")
    approved_plan = gate.view(rejected, "alice")
    now = clock.now()
    assert approved_plan.challenge is not None
    gate.decide(Authentication(ALICE.identity, now), rejected, approved_plan.digest,
                approved_plan.challenge["challengeId"], "reject", None, now)
    (directory / "p-ran").unlink()
    older = Gate(Store(state / "older.sqlite", gate.keys), gate.keys, gate.signer, gate.configuration, gate.target, gate.anchor)
    older.start("environment")
    check("forgotten claims are named", b'"forgotten":[' in older.export()[-1])
    check("yesterday's store", older.execute(ALICE, ran, None)[0].state["state"] == "unknown"
          and not (directory / "p-ran").exists())
    check("undone rejection", reason(lambda: older.execute(ALICE, rejected, None)) == "approval_rejected")
