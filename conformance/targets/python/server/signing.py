"""Signing keys, key sets and signed envelopes (receipt.md, section 2)."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from . import clock, ed25519, records, strictjson
from .clock import b64, unb64
from .seals import check_private, write_private

PAYLOAD_TYPES: Final = {"checkpoint": "application/vnd.mutation-approval.checkpoint+json",
                        "receipt": "application/vnd.in-toto+json"}  # [KEYS-011]
_KEY_ID: Final = re.compile(r"[0-9a-f]{32}\Z")
_KEY: Final = records.object_of(
    {"id": records.name, "algorithm": records.name, "publicKey": records.name, "notBefore": records.timestamp,
     "purposes": records.list_of(records.one_of(*PAYLOAD_TYPES), 1, unique=True)},
    {"notAfter": records.timestamp, "revokedAt": records.timestamp, "reason": records.one_of("compromised", "retired")})
_KEY_SET: Final = records.object_of({"type": records.one_of(records.type_of("key-set")), "audience": records.name,
                                     "keys": records.list_of(_KEY)})
_ENVELOPE: Final = records.object_of(
    {"payload": records.name, "payloadType": records.name,
     "signatures": records.list_of(records.object_of({"keyid": records.name, "sig": records.name}))})


class NotAKeySet(Exception):
    """Bytes that are no key set [KEYS-002]."""


class NotTaken(Exception):
    """What was signed isn't taken, for a reason of receipt.md, 2.4 or 4.2."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


# ---- public keys


@dataclass(frozen=True)
class PublicKey:
    """A key of a key set, by its members."""

    members: dict[str, Any]
    public: bytes

    def may_have_signed(self, moment: str) -> None:
        """The last three checks of KEYS-020 [KEYS-022] [KEYS-023]. Timestamps are in the order of their texts."""
        if moment < self.members["notBefore"]:
            raise NotTaken("key_not_yet_good")
        if moment > self.members.get("notAfter", moment):
            raise NotTaken("key_expired")
        if "revokedAt" in self.members and moment >= self.members["revokedAt"]:
            raise NotTaken("key_revoked")


@dataclass(frozen=True)
class KeySet:
    """The public halves of an installation's signing keys, by their ids."""

    audience: str
    keys: dict[str, PublicKey]

    @staticmethod
    def read(data: bytes) -> "KeySet":
        """[KEYS-002]"""
        try:
            value = strictjson.admit(data, strictjson.ARGUMENTS).value
            _KEY_SET(value, "")
            keys = [PublicKey(members, unb64(members["publicKey"])) for members in value["keys"]]
        except (strictjson.Refused, records.NotARecord, ValueError):
            raise NotAKeySet from None
        for key in keys:
            members = key.members
            if members["algorithm"] == "Ed25519" and not ed25519.is_public_key(key.public):  # [KEYS-004]
                raise NotAKeySet
            if (members["id"] != _id_of(key.public) or ("revokedAt" in members) != ("reason" in members)  # [KEYS-003]
                    or members.get("notAfter", members["notBefore"]) < members["notBefore"]):
                raise NotAKeySet
        found = {key.members["id"]: key for key in keys}
        if len(found) != len(keys):
            raise NotAKeySet
        return KeySet(value["audience"], found)


def _id_of(public: bytes) -> str:
    return hashlib.sha256(public).hexdigest()[:32]


# ---- envelopes


def encoding(payload_type: str, payload: bytes) -> bytes:
    """The pre-authentication encoding of DSSE."""
    name = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(name), name, len(payload), payload)


def envelope(seed: bytes, purpose: str, payload: bytes) -> bytes:
    """Signs a payload for a purpose [KEYS-011]."""
    kind = PAYLOAD_TYPES[purpose]
    signature = {"keyid": _id_of(ed25519.public_key(seed)), "sig": _base64(ed25519.sign(seed, encoding(kind, payload)))}
    return strictjson.canonical({"payload": _base64(payload), "payloadType": kind, "signatures": [signature]})


def unverified(data: bytes, purpose: str) -> bytes | None:
    """The payload of an envelope that nobody has keys for."""
    try:
        value = _read(data)
        return _unbase64(value["payload"]) if value["payloadType"] == PAYLOAD_TYPES[purpose] else None
    except NotTaken:
        return None


def open_envelope(data: bytes, purpose: str, keys: KeySet) -> tuple[bytes, PublicKey]:
    """The payload and who signed it, by the first eight checks of KEYS-020."""
    value = _read(data)
    if len(value["signatures"]) != 1:
        raise NotTaken("signature_count")
    kind = PAYLOAD_TYPES[purpose]
    if value["payloadType"] != kind:
        raise NotTaken("payload_type")
    signature = value["signatures"][0]
    payload, made = _unbase64(value["payload"]), _unbase64(signature["sig"])
    if len(made) != 64 or _KEY_ID.match(signature["keyid"]) is None:
        raise NotTaken("envelope_malformed")
    key = keys.keys.get(signature["keyid"])
    if key is None:
        raise NotTaken("key_unknown")
    if purpose not in key.members["purposes"]:  # [KEYS-010]
        raise NotTaken("key_purpose")
    if key.members["algorithm"] != "Ed25519":
        raise NotTaken("key_algorithm")
    if key.members.get("reason") == "compromised":  # [KEYS-023]
        raise NotTaken("key_compromised")
    if not ed25519.verifies(key.public, encoding(kind, payload), made):
        raise NotTaken("signature_invalid")
    return payload, key


def _read(data: bytes) -> dict[str, Any]:
    """The one spelling of an envelope."""
    try:
        document = strictjson.read_stored(data)
        _ENVELOPE(document.value, "")
    except (strictjson.Refused, records.NotARecord):
        raise NotTaken("envelope_malformed") from None
    return document.value


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _unbase64(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise NotTaken("envelope_malformed") from None
    if _base64(data) != text:
        raise NotTaken("envelope_malformed")
    return data


# ---- secret keys


class Signer:
    """The installation's signing keys: a file beside the master keys, one object for each key, with its `seed`. It is read each
    time, for an operator may have rotated them."""

    def __init__(self, path: Path, audience: str) -> None:
        self._path, self._audience = path, audience
        self.is_new = not path.exists()
        if self.is_new:
            write_private(path, [_new_key(purpose) for purpose in PAYLOAD_TYPES], new=True)

    def key_set(self) -> bytes:
        """What anybody may have [KEYS-001]."""
        public = [{name: member for name, member in key.items() if name != "seed"} for key in self._keys()]
        return strictjson.canonical({"type": records.type_of("key-set"), "audience": self._audience, "keys": public})

    def sign(self, purpose: str, payload: bytes, moment: str) -> bytes | None:
        """By the newest key that is good, or not at all [KEYS-012]."""
        good = [key for key in self._keys() if purpose in key["purposes"] and "revokedAt" not in key
                and key["notBefore"] <= moment <= key.get("notAfter", moment)]
        if not good:
            return None
        newest = max(good, key=lambda key: key["notBefore"])
        return envelope(unb64(newest["seed"]), purpose, payload)

    def rotate(self, purpose: str, moment: str) -> None:
        """A new key for a purpose; the ones before it end and stay in the key set [KEYS-013]."""
        keys = self._keys()
        for key in keys:
            if purpose in key["purposes"]:
                key.setdefault("notAfter", moment)
        write_private(self._path, [*keys, _new_key(purpose, moment)])

    def _keys(self) -> list[dict[str, Any]]:
        check_private(self._path)  # [SEC-001]
        found: list[dict[str, Any]] = json.loads(self._path.read_text())
        return found


def _new_key(purpose: str, moment: str | None = None) -> dict[str, Any]:
    seed = secrets.token_bytes(32)
    public = ed25519.public_key(seed)
    return {"id": _id_of(public), "algorithm": "Ed25519", "publicKey": b64(public), "purposes": [purpose],
            "notBefore": moment or clock.stamp(clock.now()), "seed": b64(seed)}
