"""What a writer begins with, the export, and checkpoints (audit.md, sections 3 to 5)."""

from __future__ import annotations

from . import clock, records, strictjson
from .seals import SealBroken
from .signing import KeySet, Signer
from .store import Transaction
from .verifier import Verifier


def start_writer(tx: Transaction, enforcement: dict[str, str], forgotten: list[str], lacking: str | None) -> None:
    """The first event: enforcement, and the heads of others that nobody has named [AUDIT-004] [AUDIT-007] [ANCHOR-009]."""
    named: set[tuple[str, int, str]] = set()
    last: dict[str, tuple[int, str]] = {}
    for document in tx.first_and_last_events():
        event = document.value
        for head in event["event"].get("heads", []):
            named.add((head["writer"], head["sequence"], head["digest"]))
        last[event["writer"]] = (event["sequence"], document.digest)
    heads = [{"writer": writer, "sequence": sequence, "digest": digest}
             for writer, (sequence, digest) in sorted(last.items(), key=lambda item: clock.unb64(item[0]))
             if (writer, sequence, digest) not in named]
    tx.event(kind="audit.started", enforcement=enforcement, heads=heads or None, forgotten=forgotten or None,
             forgottenCheckpoint=lacking)


def export(tx: Transaction) -> list[bytes]:
    """One line for each event, and one for each checkpoint, after the event that tells of it [AUDIT-012]."""
    lines: list[bytes] = []
    number = 0
    for document in tx.events():
        lines.append(document.canonical + b"\n")
        if document.value["event"]["kind"] == "audit.checkpoint":
            number += 1
            signed = tx.open("checkpoint", str(number), None)
            if signed is not None:  # a verifier names one that is missing
                lines.append(signed[0].value["envelope"].encode("utf-8") + b"\n")
    return lines


def checkpoint(tx: Transaction, audience: str, signer: Signer) -> tuple[int, str] | None:
    """Signs what was committed until now, if it holds, as of the event that tells of it [CKPT-003]: number and digest; None
    where no key may sign. Raises Fault or SealBroken."""
    verifier = Verifier(KeySet.read(signer.key_set()))
    for line in export(tx):
        verifier.read(line.removesuffix(b"\n"))
    tx.event(kind="audit.checkpoint")
    verifier.read(tx.events(newest=1)[0].canonical)
    moment = clock.stamp(tx.now)
    states = records.make("checkpoint", audience=audience, at=moment, **verifier.statement())
    payload, number = strictjson.canonical(states), states["number"]
    envelope = signer.sign("checkpoint", payload, moment)
    if envelope is None:
        return None
    signed = records.make("signed-checkpoint", checkpoint=states, envelope=envelope.decode("utf-8"))
    tx.insert("checkpoint", str(number), None, 0, signed)
    if number == 1:
        tx.insert("checkpoint", "latest", None, number, signed)
    else:
        tx.replace("checkpoint", "latest", None, number - 1, number, signed)
    return number, strictjson.digest_bytes(payload)


def lacks_checkpoint(tx: Transaction, remembered: tuple[int, str] | None) -> str | None:
    """The digest of the checkpoint that the anchor remembers, where the store has it not [CKPT-004]."""
    if remembered is None:
        return None
    try:
        found = tx.open("checkpoint", str(remembered[0]), None)
    except SealBroken:
        return remembered[1]
    same = found is not None and strictjson.digest(found[0].value["checkpoint"]) == remembered[1]
    return None if same else remembered[1]
