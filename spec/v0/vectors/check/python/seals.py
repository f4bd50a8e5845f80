"""Seals and tags, as spec/v0/gate.md, section 3, lays them down. CC0 1.0."""

import base64
import hashlib
import hmac
import struct

import rfc8785
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MAC, NONCE = 32, 24
AUTHENTICATED, ENCRYPTED = 1, 2


class Refused(ValueError):
    """A seal that doesn't open: `malformed`, `unknown_key`, `revoked_key` or `broken`."""

    @property
    def reason(self):
        return self.args[0]


class Key:
    """One key of a ring."""

    def __init__(self, name, master, state):
        self.name, self.master, self.state = name, master, state

    def subkey(self, purpose):
        info = b"mutation-approval/v0/" + purpose.encode()
        return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(self.master)


def seal(key, purpose, binding, body, nonce=None):
    head = bytes([AUTHENTICATED if purpose == "authenticate" else ENCRYPTED, len(key.name)]) + key.name.encode()
    associated = associated_data(binding, key.name)
    if purpose == "authenticate":
        return head + mac(key, associated, body) + body
    cipher, short = xchacha(key.subkey(purpose), nonce)
    return head + nonce + cipher.encrypt(short, body, associated)


def open_sealed(ring, purpose, binding, sealed):
    """Opens with the key that the seal names; the form follows from the purpose."""
    if len(sealed) < 2 or sealed[0] not in (AUTHENTICATED, ENCRYPTED):
        raise Refused("malformed")
    form, end = sealed[0], 2 + sealed[1]
    size = MAC if form == AUTHENTICATED else NONCE
    if len(sealed) < end + size:
        raise Refused("malformed")
    try:
        name = sealed[2:end].decode()
    except UnicodeDecodeError:
        raise Refused("malformed") from None
    first, rest = sealed[end : end + size], sealed[end + size :]
    key = next((key for key in ring if key.name == name), None)
    if key is None:
        raise Refused("unknown_key")
    if key.state == "revoked":
        raise Refused("revoked_key")
    if form != (AUTHENTICATED if purpose == "authenticate" else ENCRYPTED):
        raise Refused("broken")
    associated = associated_data(binding, name)
    if form == AUTHENTICATED:
        if not hmac.compare_digest(mac(key, associated, rest), first):
            raise Refused("broken")
        return rest
    cipher, short = xchacha(key.subkey(purpose), first)
    try:
        return cipher.decrypt(short, rest, associated)
    except (InvalidTag, ValueError):
        raise Refused("broken") from None


def tag(key, purpose, content):
    made = hmac.digest(key.subkey(purpose), content, "sha256")
    return f"{key.name}.{base64.urlsafe_b64encode(made).rstrip(b'=').decode()}"


def mac(key, associated, body):
    made = hmac.new(key.subkey("authenticate"), digestmod=hashlib.sha256)
    for part in (associated, body):
        made.update(len(part).to_bytes(8, "big"))
        made.update(part)
    return made.digest()


def associated_data(binding, key):
    return rfc8785.dumps({**binding, "keyId": key})


def xchacha(key, nonce):
    """XChaCha20-Poly1305: the first 16 bytes of the nonce make a key of their own, the last 8 its nonce."""
    return ChaCha20Poly1305(hchacha20(key, nonce[:16])), bytes(4) + nonce[16:]


def hchacha20(key, nonce):
    state = [*struct.unpack("<4I", b"expand 32-byte k"), *struct.unpack("<8I", key), *struct.unpack("<4I", nonce)]

    def quarter(a, b, c, d):
        for one, other, third, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            state[one] = (state[one] + state[other]) & 0xFFFFFFFF
            mixed = state[third] ^ state[one]
            state[third] = (mixed << turn | mixed >> (32 - turn)) & 0xFFFFFFFF

    for _ in range(10):
        for column in range(4):
            quarter(column, column + 4, column + 8, column + 12)
        for column in range(4):
            quarter(column, 4 + (column + 1) % 4, 8 + (column + 2) % 4, 12 + (column + 3) % 4)
    return struct.pack("<8I", *state[:4], *state[12:])
