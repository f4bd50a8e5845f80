"""Master keys, subkeys, seals and tags (gate.md, sections 3.1 to 3.4), byte by byte."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import stat
import struct
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from . import records, strictjson
from .clock import b64, unb64

ENCRYPTED: Final = frozenset({"intent", "review", "secrets", "result"})  # [SEAL-001] [SEAL-016]
RECORD_TYPE: Final = {"header": "plan", "checkpoint": "signed-checkpoint"}  # of kinds that aren't named as their type is


class SealBroken(Exception):
    """A seal that does not hold, or whose key may not open [SEAL-005]."""

    code = "broken"  # as the vectors call it; to everybody else all of them are the same


class SealMalformed(SealBroken):
    """Bytes that aren't a seal of the form that is expected."""

    code = "malformed"


class KeyUnknown(SealBroken):
    """A seal under a key that this server never had."""

    code = "unknown_key"


class KeyRevoked(SealBroken):
    """A seal under a key that the operator has revoked: it proves nothing any more [KEYS-032]."""

    code = "revoked_key"


def hchacha20(key: bytes, nonce: bytes) -> bytes:
    """HChaCha20 (draft-irtf-cfrg-xchacha), the subkey of XChaCha20: a block of ChaCha20 without the addition at its end."""
    block = struct.unpack("<16I", Cipher(algorithms.ChaCha20(key, nonce), mode=None).encryptor().update(bytes(64)))
    begun = struct.unpack("<16I", b"expand 32-byte k" + key + nonce)
    return struct.pack("<8I", *((block[i] - begun[i]) & 0xFFFFFFFF for i in (0, 1, 2, 3, 12, 13, 14, 15)))


def xchacha_seal(key: bytes, nonce: bytes, text: bytes, associated: bytes) -> bytes:
    """XChaCha20-Poly1305 [SEAL-014]."""
    inner = ChaCha20Poly1305(hchacha20(key, nonce[:16]))
    return inner.encrypt(b"\0\0\0\0" + nonce[16:], text, associated)


def xchacha_open(key: bytes, nonce: bytes, sealed: bytes, associated: bytes) -> bytes:
    inner = ChaCha20Poly1305(hchacha20(key, nonce[:16]))
    try:
        return inner.decrypt(b"\0\0\0\0" + nonce[16:], sealed, associated)
    except InvalidTag:
        raise SealBroken from None


@dataclass(frozen=True, repr=False)
class MasterKey:
    """A master key; never printed [SEAL-009]."""

    key_id: str
    state: str  # active, verify-only or revoked
    secret: bytes

    def subkey(self, label: str) -> bytes:
        """[SEAL-002] [SEAL-010]"""
        info = b"mutation-approval/v0/" + label.encode("ascii")
        return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=info).derive(self.secret)


class Keyring:
    """All master keys of an installation, and its audience."""

    def __init__(self, audience: str, keys: list[MasterKey]) -> None:
        active = [key for key in keys if key.state == "active"]
        if len(active) != 1:  # [SEAL-005]
            raise ValueError("exactly one key has to be active")
        if len({key.key_id for key in keys}) != len(keys) or not all(records.is_key_id(k.key_id) for k in keys):
            raise ValueError("key ids")
        self.audience = audience
        self.active = active[0]
        self._good = {key.key_id: key for key in keys if key.state in ("active", "verify-only")}
        self._revoked = {key.key_id for key in keys if key.state == "revoked"}
        self._subkeys: dict[tuple[str, str], bytes] = {}

    def _subkey(self, key: MasterKey, label: str) -> bytes:
        if (key.key_id, label) not in self._subkeys:
            self._subkeys[key.key_id, label] = key.subkey(label)
        return self._subkeys[key.key_id, label]

    def _associated(self, key_id: str, kind: str, record_id: str, plan_id: str | None, revision: int) -> bytes:
        """[SEAL-003] [SEAL-011]"""
        members: dict[str, Any] = {"audience": self.audience, "id": record_id, "keyId": key_id, "record": kind,
                                   "revision": revision, "version": 0}
        if plan_id is not None:
            members["planId"] = plan_id
        return strictjson.canonical(members)

    @staticmethod
    def _code(subkey: bytes, associated: bytes, document: bytes) -> bytes:
        """[SEAL-013]"""
        text = struct.pack(">Q", len(associated)) + associated + struct.pack(">Q", len(document)) + document
        return hmac.new(subkey, text, hashlib.sha256).digest()

    def seal(self, kind: str, record_id: str, plan_id: str | None, revision: int, document: bytes) -> bytes:
        """The bytes of a seal under the active key [SEAL-012]."""
        key = self.active
        associated = self._associated(key.key_id, kind, record_id, plan_id, revision)
        name = key.key_id.encode("ascii")
        head = bytes([len(name)]) + name
        if kind in ENCRYPTED:
            nonce = secrets.token_bytes(24)  # [SEAL-004]
            return b"\x02" + head + nonce + xchacha_seal(self._subkey(key, "encrypt"), nonce, document, associated)
        return b"\x01" + head + self._code(self._subkey(key, "authenticate"), associated, document) + document

    def open(self, kind: str, record_id: str, plan_id: str | None, revision: int, sealed: bytes) -> strictjson.Document:
        """Opens a seal against what is expected [SEAL-015], then the record against its type [GATE-030]."""
        form = sealed[:1]
        size, tail = {b"\x01": (32, 0), b"\x02": (24, 16)}.get(form, (0, 0))
        split = 2 + sealed[1] if len(sealed) > 1 else 0
        name = sealed[2:split].decode("latin-1")
        if not size or not records.is_key_id(name) or len(sealed) < split + size + tail:
            raise SealMalformed
        key = self._good.get(name)
        if key is None:
            raise KeyRevoked if name in self._revoked else KeyUnknown
        encrypted = kind in ENCRYPTED
        if encrypted != (form == b"\x02"):  # the form, too, is what is expected
            raise SealBroken
        associated = self._associated(key.key_id, kind, record_id, plan_id, revision)
        head, data = sealed[split:split + size], sealed[split + size:]
        if encrypted:
            data = xchacha_open(self._subkey(key, "encrypt"), head, data, associated)
        else:
            expected = self._code(self._subkey(key, "authenticate"), associated, data)
            if not hmac.compare_digest(head, expected):  # [SEAL-008]
                raise SealBroken
        try:
            document = strictjson.read_stored(data)
            records.check(RECORD_TYPE.get(kind, kind), document.value)
        except (strictjson.Refused, records.NotARecord):
            raise SealBroken from None
        return document

    def tag(self, label: str, text: bytes, key: MasterKey | None = None) -> str:
        """A tag under the active key, or under a given one [SEAL-006] [SEAL-017]."""
        key = key or self.active
        return f"{key.key_id}.{b64(hmac.new(self._subkey(key, label), text, hashlib.sha256).digest())}"

    def tags(self, label: str, text: bytes) -> list[str]:
        """Tags under all keys that are good, the active one's first [SEAL-018]."""
        others = [key for key in self._good.values() if key is not self.active]
        return [self.tag(label, text, key) for key in (self.active, *others)]

    def seal_form(self, label: str, purpose: str, document: dict[str, Any]) -> str:
        """Seals what a browser carries back: encrypted under the subkey of its use [SEAL-001] [SEAL-002]."""
        nonce = secrets.token_bytes(24)
        associated = strictjson.canonical({"audience": self.audience, "keyId": self.active.key_id, "record": purpose,
                                           "version": 0})
        sealed = xchacha_seal(self._subkey(self.active, label), nonce, strictjson.canonical(document), associated)
        return f"{self.active.key_id}.{b64(nonce + sealed)}"

    def open_form(self, label: str, purpose: str, text: str) -> dict[str, Any]:
        key_id, _, data = text.rpartition(".")
        key = self._good.get(key_id)
        if key is None:
            raise SealBroken
        try:
            raw = unb64(data)
        except ValueError:
            raise SealBroken from None
        associated = strictjson.canonical({"audience": self.audience, "keyId": key.key_id, "record": purpose,
                                           "version": 0})
        if len(raw) < 40:
            raise SealBroken
        return json.loads(xchacha_open(self._subkey(key, label), raw[:24], raw[24:], associated))


def load_or_make(path: Path) -> Keyring:
    """Reads the key file, or makes it: owner's alone, and outside the store [SEC-001]."""
    if not path.exists():
        write_private(path, {"audience": f"urn:uuid:{uuid.uuid4()}",
                             "keys": [{"id": "k1", "state": "active", "secret": b64(secrets.token_bytes(32))}]}, new=True)
    check_private(path)
    stored = json.loads(path.read_text())
    keys = [MasterKey(key["id"], key["state"], unb64(key["secret"])) for key in stored["keys"]]
    if any(len(key.secret) != 32 for key in keys):
        raise ValueError("a master key has 32 bytes")
    return Keyring(stored["audience"], keys)


def write_private(path: Path, document: Any, new: bool = False) -> None:
    """Writes a file that is its owner's alone, whole or not at all. Of several processes that make a new one, one does."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as out:
        json.dump(document, out)
        out.flush()
        os.fsync(out.fileno())
    if not new:
        os.rename(temporary, path)
        return
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    os.unlink(temporary)


def check_private(path: Path) -> None:
    """Refuses a file that others can read or write, or that isn't this user's [SEC-001]."""
    found = os.stat(path)
    if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise PermissionError(f"{path}: readable and writable by its owner alone, please")
