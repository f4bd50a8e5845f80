"""Holds this server's readers, seals and tags against the vectors of the specification (spec/v0/vectors).

    python3 -m server.vectors      (in the directory that holds the package)
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final
from unittest import mock

from . import records, seals, strictjson
from .gate import Gate, cool_down_text
from .seals import ENCRYPTED, Keyring, MasterKey, SealBroken

VECTORS: Final = Path(__file__).parents[4] / "spec/v0/vectors"


def read_bytes(form: dict[str, Any]) -> bytes:
    """Bytes as vectors write them (the README there, "Form")."""
    if "text" in form:
        return form["text"].encode("utf-8")
    if "base64" in form:
        return base64.b64decode(form["base64"], validate=True)
    return b"".join(piece["repeat"].encode("utf-8") * piece["times"] if "repeat" in piece else read_bytes(piece)
                    for piece in form["pieces"])


def document(given: dict[str, Any]) -> dict[str, Any]:
    limits = strictjson.ARGUMENTS
    if "limits" in given:
        limits = strictjson.Limits(given["limits"]["bytes"], given["limits"]["nodes"])
    try:
        admitted = strictjson.admit(read_bytes(given["bytes"]), limits)
    except strictjson.Refused as refused:
        return {"verdict": "refused", "reason": refused.reason, "offset": refused.offset}
    return {"verdict": "accepted", "digest": admitted.digest, "canonical": admitted.canonical.decode("utf-8")}


def keyring(given: dict[str, Any]) -> Keyring:
    keys = [MasterKey(key["id"], key["state"], read_bytes(key["master"])) for key in given["keys"]]
    return Keyring(given.get("binding", {}).get("audience", ""), keys)


def seal(given: dict[str, Any]) -> dict[str, Any] | None:
    """What is sealed and opened; None where the purpose is one of which this server has its own form, and where the
    record is of another version than the one that it has."""
    binding = given["binding"]
    own = "encrypt" if binding["record"] in ENCRYPTED else "authenticate"
    if given["purpose"] != own or binding["version"] != 0:
        return None
    where = (binding["record"], binding["id"], binding.get("planId"), binding["revision"])
    ring = keyring(given)
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
    return {"verdict": "opened", "body": {"text": opened.canonical.decode("utf-8")}}


def tag(given: dict[str, Any]) -> dict[str, Any]:
    ring = keyring(given)
    if "request" in given:
        request = given["request"]
        ring.audience = request["audience"]
        gate = Gate(None, ring, None, None, None)  # type: ignore[arg-type]
        return {"tag": gate.request_tag(request["tool"], request["arguments"])}
    if "coolDown" in given:
        over = cool_down_text(given["coolDown"]["person"], given["coolDown"]["effectKey"])
    else:
        over = read_bytes(given["bytes"]) if "bytes" in given else given["person"].encode("utf-8")
    return {"tag": ring.tag(given["purpose"], over)}


def form(given: dict[str, Any]) -> dict[str, Any]:
    """A text against the form of a member."""
    good = {"digest": strictjson.is_digest, "timestamp": records.is_timestamp, "plan-id": records.is_plan_id,
            "challenge-id": records.is_id, "salt": records.is_salt}[given["form"]](given["text"])
    return {"verdict": "accepted" if good else "refused"}


def digests(given: dict[str, Any]) -> dict[str, Any]:
    """Header, intent and review: their digests, and whether they belong together [GATE-041]."""
    found = {f"{name}Digest": strictjson.digest(given[document])
             for name, document in (("plan", "header"), ("intent", "intent"), ("review", "review"))}
    if all(given["header"][f"{name}Digest"] == found[f"{name}Digest"] for name in ("intent", "review")):
        return {"verdict": "accepted", **found}
    return {"verdict": "refused", "reason": "approval_hash_mismatch", **found}


def answers(category: str, content: dict[str, Any]) -> list[dict[str, Any] | None]:
    """What this server makes of each vector of a file, in its form; None where it has no part for it."""
    found: list[dict[str, Any] | None] = []
    for vector in content["vectors"]:
        answer = CATEGORIES[category](vector["input"]) if category in CATEGORIES else None
        if answer is not None and category == "accepted-documents" and "canonical" not in vector["expect"]:
            del answer["canonical"]  # which is told of short ones only
        found.append(answer)
    return found


CATEGORIES: Final[dict[str, Callable[[dict[str, Any]], dict[str, Any] | None]]] = {
    "accepted-documents": document, "refused-documents": document, "forms": form, "digests": digests,
    "seals": seal, "tags": tag}


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
            if answer == expected:
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
