"""Puts the vectors of the specification (spec/v0/vectors) to this server's own code.

    python3 -m server.vectors      (in the directory that holds the package)
"""

from __future__ import annotations

import base64
import copy
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final
from unittest import mock

from . import gate_vectors, leaves, receipts, records, seals, signing, strictjson, verifier
from .clock import read_stamp
from .doubt import Fault
from .gate import Gate
from .planning import cool_down_text
from .seals import ENCRYPTED, Keyring, MasterKey, SealBroken
from .signing import KeySet, NotAKeySet, NotTaken

VECTORS: Final = Path(__file__).parents[4] / "spec/v0/vectors"
Given = dict[str, Any]
Answer = dict[str, Any] | None  # None: this server has no part for it


# ---- what vectors are written in (the README there, "Form")


def read_bytes(form: Given) -> bytes:
    if "text" in form:
        return form["text"].encode("utf-8")
    if "base64" in form:
        return base64.b64decode(form["base64"], validate=True)
    return b"".join(piece["repeat"].encode("utf-8") * piece["times"] if "repeat" in piece else read_bytes(piece)
                    for piece in form["pieces"])


def written(data: bytes) -> Given:
    try:
        return {"text": data.decode("utf-8")}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode("ascii")}


def patched(whole: Any, change: list[Given]) -> Any:
    """A JSON Patch (RFC 6902) of `add`, `remove` and `replace`."""
    whole = copy.deepcopy(whole)
    for operation in change:
        container, (*way, last) = whole, [s.replace("~1", "/").replace("~0", "~") for s in operation["path"].split("/")[1:]]
        for step in way:
            container = container[int(step) if isinstance(container, list) else step]
        if not isinstance(container, list):
            if operation["op"] == "remove":
                del container[last]
            else:
                container[last] = operation["value"]
        elif operation["op"] == "add":
            container.insert(len(container) if last == "-" else int(last), operation["value"])
        elif operation["op"] == "replace":
            container[int(last)] = operation["value"]
        else:
            del container[int(last)]
    return whole


def keyring(keys: list[Given], audience: str) -> Keyring:
    return Keyring(audience, [MasterKey(key["id"], key["state"], read_bytes(key["master"])) for key in keys])


# ---- one category after the other: an input, and the file that it stands in


def document(given: Given, file: Given) -> Answer:
    limits = strictjson.ARGUMENTS
    if "limits" in given:
        limits = strictjson.Limits(given["limits"]["bytes"], given["limits"]["nodes"])
    try:
        admitted = strictjson.admit(read_bytes(given["bytes"]), limits)
    except strictjson.Refused as refused:
        return {"verdict": "refused", "reason": refused.reason, "offset": refused.offset}
    answer = {"verdict": "accepted", "digest": admitted.digest}
    if "pieces" not in given["bytes"]:  # of long ones the digest is enough
        answer["canonical"] = admitted.canonical.decode("utf-8")
    return answer


def seal(given: Given, file: Given) -> Answer:
    """What is sealed and opened; None where the purpose is one of which this server has its own form, and where the
    record is of another version than the one that it has."""
    binding = given["binding"]
    own = "encrypt" if binding["record"] in ENCRYPTED else "authenticate"
    if given["purpose"] != own or binding["version"] != 0:
        return None
    where = (binding["record"], binding["id"], binding.get("planId"), binding["revision"])
    ring = keyring(given["keys"], binding.get("audience", ""))
    if given["operation"] == "seal":
        nonce = read_bytes(given["nonce"]) if "nonce" in given else b""
        with mock.patch("secrets.token_bytes", lambda size: nonce):
            sealed = ring.seal(*where, read_bytes(given["body"]))
        return {"verdict": "sealed", "sealed": {"base64": base64.b64encode(sealed).decode("ascii")}}
    try:
        with mock.patch.object(seals.records, "check"):  # what is sealed there is no record
            opened = ring.open(*where, read_bytes(given["sealed"]))
    except SealBroken as broken:
        return {"verdict": "refused", "reason": broken.code}
    return {"verdict": "opened", "body": written(opened.canonical)}


def tag(given: Given, file: Given) -> Answer:
    ring = keyring(given["keys"], "")
    if "request" in given:
        request = given["request"]
        ring.audience = request["audience"]
        asked = Gate(None, ring, None, None, None, None)  # type: ignore[arg-type]
        return {"tag": asked.request_tag(request["tool"], request["arguments"])}
    if "coolDown" in given:
        over = cool_down_text(given["coolDown"]["person"], given["coolDown"]["effectKey"])
    else:
        over = read_bytes(given["bytes"]) if "bytes" in given else given["person"].encode("utf-8")
    return {"tag": ring.tag(given["purpose"], over)}


def form(given: Given, file: Given) -> Answer:
    good = {"digest": strictjson.is_digest, "timestamp": records.is_timestamp, "plan-id": records.is_plan_id,
            "challenge-id": records.is_id, "salt": records.is_salt}[given["form"]](given["text"])
    return {"verdict": "accepted" if good else "refused"}


def digests(given: Given, file: Given) -> Answer:
    """Header, intent and review: their digests, and whether they belong together [GATE-041]."""
    found = {f"{name}Digest": strictjson.digest(given[document])
             for name, document in (("plan", "header"), ("intent", "intent"), ("review", "review"))}
    if all(given["header"][f"{name}Digest"] == found[f"{name}Digest"] for name in ("intent", "review")):
        return {"verdict": "accepted", **found}
    return {"verdict": "refused", "reason": "approval_hash_mismatch", **found}


def record(given: Given, file: Given) -> Answer:
    whole = file["records"][given["record"]]
    changed = patched(whole, given["change"])
    try:
        records.check(whole["type"].split("/")[1], changed)
    except records.NotARecord as why:
        return {"verdict": "refused", "reason": why.reason, "at": why.at}
    return {"verdict": "accepted", "digest": strictjson.digest(changed)}


def secret(given: Given, file: Given) -> Answer:
    match given["operation"]:
        case "commit":
            return {"commitment": leaves.commitment(given["nonce"], given["value"])}
        case "replace":
            return {"document": leaves.replace(given["document"], given["leaves"])}
    try:
        return {"verdict": "restored", "document": leaves.restore(given["intent"], given["leaves"])}
    except leaves.Broken:
        return {"verdict": "refused", "reason": "integrity_failure"}


def key_set(given: Given, file: Given) -> Answer:
    try:
        KeySet.read(read_bytes(given["bytes"]))
    except NotAKeySet:
        return {"verdict": "refused"}
    return {"verdict": "accepted"}


def envelope(given: Given, file: Given) -> Answer:
    if given["operation"] == "sign":
        return {"envelope": written(signing.envelope(read_bytes(given["seed"]), given["purpose"], read_bytes(given["payload"])))}
    keys = KeySet.read(strictjson.canonical(given["keySet"]))
    try:
        payload, key = signing.open_envelope(read_bytes(given["envelope"]), given["purpose"], keys)
        key.may_have_signed(given["signedAt"])
    except NotTaken as why:
        return {"verdict": "refused", "reason": why.reason}
    return {"verdict": "accepted", "payload": written(payload)}


def receipt(given: Given, file: Given) -> Answer:
    if "envelope" in given:
        signed = read_bytes(given["envelope"])
    else:
        statement = patched(file["statements"][given["receipt"]], given["change"])
        signed = signing.envelope(read_bytes(file["seed"]), "receipt", strictjson.canonical(statement))
    try:
        taken = receipts.verify(signed, KeySet.read(strictjson.canonical(file["keySet"])),
                                read_stamp(given["at"]) if "at" in given else None)
    except NotTaken as why:
        return {"verdict": "refused", "reason": why.reason}
    return {"verdict": "accepted", "planDigest": taken.plan_digest, "key": taken.key, "claims": taken.claims, "limits": taken.limits}


def audit(given: Given, file: Given) -> Answer:
    told = patched(file["audits"][given["audit"]], given["change"])
    kept = told["checkpoint"].encode("utf-8") if "checkpoint" in told else None
    keys = KeySet.read(strictjson.canonical(told["keySet"])) if "keySet" in told else None
    try:
        holds = verifier.verify([line.encode("utf-8") for line in told["lines"]], keys, kept,
                                [line.encode("utf-8") for line in told.get("anchor", [])])
    except Fault as fault:
        place = {"writer": fault.writer, "sequence": fault.sequence}
        return {"verdict": "refused", "reason": fault.code, "line": fault.line,
                **{name: member for name, member in place.items() if member is not None}}
    answer = {"verdict": "accepted", "events": holds.events, "checkpoints": holds.checkpoints, "forgotten": holds.forgotten}
    return answer if holds.proven is None else {**answer, "proven": holds.proven}


def gate(given: Given, file: Given) -> Answer:
    scene = patched(file["scenes"][given["scene"]], given["change"])
    return gate_vectors.answer(scene, keyring(file["keys"], scene["audience"]))


CATEGORIES: Final[dict[str, Callable[[Given, Given], Answer]]] = {
    "accepted-documents": document, "audit": audit, "digests": digests, "envelopes": envelope, "forms": form,
    "gate": gate, "key-sets": key_set, "receipts": receipt, "records": record, "refused-documents": document, "seals": seal,
    "secret-leaves": secret, "tags": tag}


def answers(category: str, content: Given) -> list[Answer]:
    """What this server makes of each vector of a file, in its form; None where it has no part for it."""
    answer = CATEGORIES.get(category, lambda given, file: None)
    return [answer(vector["input"], content) for vector in content["vectors"]]


def held(category: str) -> Iterator[tuple[str, Any, Any]]:
    """The vectors of a category that this server has an answer to: name, answer, and what is expected of it."""
    content = json.loads((VECTORS / f"{category}.json").read_text(encoding="utf-8"))
    for vector, answer in zip(content["vectors"], answers(category, content), strict=True):
        if answer is not None:
            yield vector["name"], answer, vector["expect"]


def main() -> int:
    failed = 0
    for category in CATEGORIES:
        count = 0
        for name, answer, expected in held(category):
            count += 1
            if strictjson.canonical(answer) == strictjson.canonical(expected):
                print(f"ok {category}/{name}")
            else:
                failed += 1
                print(f"not ok {category}/{name}: {answer!r} and not {expected!r}"[:400])
        if not count:
            failed += 1
            print(f"not ok {category}: there is no vector")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
