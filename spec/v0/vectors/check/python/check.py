#!/usr/bin/env python3
"""Holds the vectors of the mutation-approval profile against a reading of the specification that shares no code with it.

    check.py DIRECTORY

Prints a line for each category and one, `not ok CATEGORY/NAME: …`, for each vector that isn't as the specification says;
fails if there is one. It needs the packages `rfc8785` and `cryptography`. CC0 1.0.
"""

import base64
import copy
import json
import pathlib
import sys

import rfc8785

import audit
import gate
import leaves
import receipts
import records
import seals
import signatures
import strict_json

FORMS = {
    "digest": records.digest,
    "timestamp": records.timestamp,
    "plan-id": records.plan_id,
    "challenge-id": records.identifier,
    "salt": records.salt,
}


def bytes_of(written):
    if "pieces" in written:
        return b"".join(map(bytes_of, written["pieces"]))
    if "repeat" in written:
        return written["repeat"].encode() * written["times"]
    return written["text"].encode() if "text" in written else base64.b64decode(written["base64"], validate=True)


def written_as(content):
    try:
        return {"text": content.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(content).decode()}


def ring(keys):
    return [seals.Key(key["id"], bytes_of(key["master"]), key["state"]) for key in keys]


def active(keys):
    return next(key for key in ring(keys) if key.state == "active")


def patched(document, change):
    """A JSON Patch (RFC 6902) of `add`, `remove` and `replace`."""
    document = copy.deepcopy(document)
    for operation in change:
        container, step = leaves.place(document, operation["path"])
        if operation["op"] == "remove":
            del container[step]
        elif operation["op"] == "add" and isinstance(container, list):
            container.insert(step, operation["value"])
        elif operation["op"] in ("add", "replace"):
            container[step] = operation["value"]
        else:
            raise ValueError(f"unknown operation {operation['op']!r}")
    return document


def document(vector, _):
    limits = vector.get("limits")
    limits = strict_json.Limits(**limits) if limits else strict_json.ARGUMENTS
    try:
        admitted = strict_json.admit(bytes_of(vector["bytes"]), limits)
    except strict_json.Refused as refused:
        return {"verdict": "refused", "reason": refused.reason, "offset": refused.offset}
    again = strict_json.admit(admitted.canonical, strict_json.PLAN)
    assert again.canonical == admitted.canonical, "canonical bytes admit to others"
    found = {"verdict": "accepted", "digest": admitted.digest}
    if "pieces" not in vector["bytes"]:
        found["canonical"] = admitted.canonical.decode()
    return found


def form(vector, _):
    return {"verdict": "accepted" if FORMS[vector["form"]](vector["text"]) else "refused"}


def seal(vector, _):
    if vector["operation"] == "seal":
        nonce = bytes_of(vector["nonce"]) if "nonce" in vector else None
        body = bytes_of(vector["body"])
        sealed = seals.seal(active(vector["keys"]), vector["purpose"], vector["binding"], body, nonce)
        return {"verdict": "sealed", "sealed": {"base64": base64.b64encode(sealed).decode()}}
    sealed = bytes_of(vector["sealed"])
    try:
        body = seals.open_sealed(ring(vector["keys"]), vector["purpose"], vector["binding"], sealed)
    except seals.Refused as refused:
        return {"verdict": "refused", "reason": refused.reason}
    return {"verdict": "opened", "body": written_as(body)}


def tag(vector, _):
    if "request" in vector:
        content = rfc8785.dumps({"type": "mutation-approval/request/v0", **vector["request"]})
    elif "coolDown" in vector:
        person, key = (vector["coolDown"][member].encode() for member in ("person", "effectKey"))
        content = b"%d:%b%b" % (len(person), person, key)
    elif "person" in vector:
        content = vector["person"].encode()
    else:
        content = bytes_of(vector["bytes"])
    return {"tag": seals.tag(active(vector["keys"]), vector["purpose"], content)}


def digests(vector, _):
    plan, intent, review = (
        strict_json.digest(rfc8785.dumps(vector[member])) for member in ("header", "intent", "review")
    )
    found = {"planDigest": plan, "intentDigest": intent, "reviewDigest": review}
    if (intent, review) == (vector["header"]["intentDigest"], vector["header"]["reviewDigest"]):
        return {**found, "verdict": "accepted"}
    return {**found, "verdict": "refused", "reason": "approval_hash_mismatch"}


def leaf(vector, _):
    if vector["operation"] == "commit":
        return {"commitment": leaves.commitment(vector["nonce"], vector["value"])}
    if vector["operation"] == "replace":
        return {"document": leaves.replace(vector["document"], vector["leaves"])}
    try:
        restored = leaves.restore(vector["intent"], vector["leaves"])
    except leaves.Broken:
        return {"verdict": "refused", "reason": "integrity_failure"}
    return {"verdict": "restored", "document": restored}


def audited(vector, file):
    given = patched(file["audits"][vector["audit"]], vector["change"])
    key_set = given.get("keySet")
    kept = given.get("checkpoint")
    try:
        holds = audit.verify(
            "".join(f"{line}\n" for line in given["lines"]).encode(),
            key_set=key_set and signatures.key_set(rfc8785.dumps(key_set)),
            audience=key_set and key_set["audience"],
            kept=kept and kept.encode(),
            anchor=given.get("anchor", []),
        )
    except audit.Fault as fault:
        place = {"line": fault.line, "writer": fault.writer, "sequence": fault.sequence}
        place = {member: value for member, value in place.items() if value is not None}
        return {"verdict": "refused", "reason": fault.code, **place}
    return {"verdict": "accepted", **holds}


def record(vector, file):
    whole = file["records"][vector["record"]]
    changed = patched(whole, vector["change"])
    try:
        records.read(changed, whole["type"])
    except records.Misfit as misfit:
        return {"verdict": "refused", "reason": misfit.reason, "at": misfit.at}
    return {"verdict": "accepted", "digest": strict_json.digest(rfc8785.dumps(changed))}


def gate_answer(vector, file):
    scene = patched(file["scenes"][vector["scene"]], vector["change"])
    return gate.decide(scene, ring(file["keys"]))


def key_set(vector, _):
    try:
        signatures.key_set(bytes_of(vector["bytes"]))
    except signatures.Refused:
        return {"verdict": "refused"}
    return {"verdict": "accepted"}


def envelope(vector, _):
    if vector["operation"] == "sign":
        signed = signatures.sign(bytes_of(vector["seed"]), vector["purpose"], bytes_of(vector["payload"]))
        return {"envelope": written_as(signed)}
    keys = signatures.key_set(rfc8785.dumps(vector["keySet"]))
    try:
        payload, key = signatures.open_envelope(bytes_of(vector["envelope"]), vector["purpose"], keys)
        signatures.good_at(key, vector["signedAt"])
    except signatures.Refused as refused:
        return {"verdict": "refused", "reason": refused.reason}
    return {"verdict": "accepted", "payload": written_as(payload)}


def receipt(vector, file):
    if "envelope" in vector:
        signed = bytes_of(vector["envelope"])
    else:
        statement = patched(file["statements"][vector["receipt"]], vector["change"])
        signed = signatures.sign(bytes_of(file["seed"]), "receipt", rfc8785.dumps(statement))
    keys = signatures.key_set(rfc8785.dumps(file["keySet"]))
    try:
        verified = receipts.verify(signed, keys, file["keySet"]["audience"], vector.get("at"))
    except receipts.Refused as refused:
        return {"verdict": "refused", "reason": refused.reason}
    return {"verdict": "accepted", **verified}


CATEGORIES = {
    "accepted-documents": document,
    "audit": audited,
    "digests": digests,
    "envelopes": envelope,
    "forms": form,
    "gate": gate_answer,
    "key-sets": key_set,
    "receipts": receipt,
    "records": record,
    "refused-documents": document,
    "seals": seal,
    "secret-leaves": leaf,
    "tags": tag,
}


def main(directory):
    failed = 0
    for path in sorted(pathlib.Path(directory).glob("*.json")):
        file = json.loads(path.read_text("utf-8"))
        assert file["format"] == "mutation-approval/vectors/v0" and file["vectors"], path
        check, wrong = CATEGORIES[file["category"]], 0
        for vector in file["vectors"]:
            try:
                found = check(vector["input"], file)
            except Exception as error:  # A checker that breaks on a vector has not found it to be right.
                found = f"{type(error).__name__}: {error}"
            # Compared as text, for to Python `True == 1 == 1.0`.
            if json.dumps(found, sort_keys=True) != json.dumps(vector["expect"], sort_keys=True):
                wrong += 1
                print(f"not ok {file['category']}/{vector['name']}: {json.dumps(found, sort_keys=True)[:400]} found")
        failed += wrong
        if not wrong:
            print(f"ok {file['category']}: {len(file['vectors'])} vectors")
    missing = sorted(set(CATEGORIES) - {path.stem for path in pathlib.Path(directory).glob("*.json")})
    for category in missing:
        print(f"not ok {category}: there is no such file")
    return 1 if failed or missing else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
