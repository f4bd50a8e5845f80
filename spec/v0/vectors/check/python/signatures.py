"""Key sets and signed envelopes, as spec/v0/receipt.md, section 2, lays them down. CC0 1.0."""

import base64
import binascii
import hashlib
import re

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import records
import strict_json

TYPES = {
    "checkpoint": "application/vnd.mutation-approval.checkpoint+json",
    "receipt": "application/vnd.in-toto+json",
}
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P


class Refused(ValueError):
    """An envelope or a key set that isn't taken; of an envelope, the reason."""

    @property
    def reason(self):
        return self.args[0]


def purposes(value):
    return isinstance(value, list) and value and len(set(map(str, value))) == len(value) and all(one in TYPES for one in value)


KEY = {
    "id": records.text_of("[0-9a-f]{32}"),
    "algorithm": records.name,
    "publicKey": records.name,
    "purposes": purposes,
    "notBefore": records.timestamp,
    "notAfter?": records.timestamp,
    "revokedAt?": records.timestamp,
    "reason?": ("compromised", "retired"),
}
KEY_SET = {"type": "mutation-approval/key-set/v0", "audience": records.name, "keys": [KEY]}


def key_set(text):
    """Reads a key set: its keys by their ids."""
    try:
        received = strict_json.admit(text).value
        records.fits(received, KEY_SET, "")
    except (strict_json.Refused, records.Misfit) as error:
        raise Refused(str(error)) from None
    keys = {}
    for key in received["keys"]:
        public = decoded(key["publicKey"].translate(str.maketrans("-_", "+/")) + "=" * (-len(key["publicKey"]) % 4))
        if public is None or set(key["publicKey"]) & set("+/="):
            raise Refused("no base64url")
        if key["algorithm"] == "Ed25519" and (len(public) != 32 or not is_point(public) or is_of_small_order(public)):
            raise Refused("no public key")
        if hashlib.sha256(public).hexdigest()[:32] != key["id"] or key["id"] in keys:
            raise Refused("no id")
        if key.get("notAfter", key["notBefore"]) < key["notBefore"] or ("revokedAt" in key) != ("reason" in key):
            raise Refused("no dates")
        keys[key["id"]] = {**key, "bytes": public}
    return keys


def sign(seed, purpose, payload):
    key = Ed25519PrivateKey.from_private_bytes(seed)
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    signature = {
        "keyid": hashlib.sha256(public).hexdigest()[:32],
        "sig": base64.b64encode(key.sign(encoding(TYPES[purpose], payload))).decode(),
    }
    payload = base64.b64encode(payload).decode()
    return rfc8785.dumps({"payload": payload, "payloadType": TYPES[purpose], "signatures": [signature]})


def encoding(payload_type, payload):
    """The pre-authentication encoding of DSSE."""
    return b"DSSEv1 %d %b %d %b" % (len(payload_type), payload_type.encode(), len(payload), payload)


def open_envelope(envelope, purpose, keys):
    """The payload of an envelope and the key that signed it."""
    try:
        document = strict_json.admit(envelope, strict_json.PLAN)
        form = {
            "payload": records.name,
            "payloadType": records.name,
            "signatures": [{"keyid": records.name, "sig": records.name}],
        }
        records.fits(document.value, form, "")
    except (strict_json.Refused, records.Misfit):
        raise Refused("envelope_malformed") from None
    if document.canonical != envelope:
        raise Refused("envelope_malformed")
    received = document.value
    if len(received["signatures"]) != 1:
        raise Refused("signature_count")
    if received["payloadType"] != TYPES[purpose]:
        raise Refused("payload_type")
    [signature] = received["signatures"]
    payload, made = decoded(received["payload"]), decoded(signature["sig"])
    if payload is None or made is None or len(made) != 64 or not re.fullmatch("[0-9a-f]{32}", signature["keyid"]):
        raise Refused("envelope_malformed")
    key = keys.get(signature["keyid"])
    if key is None:
        raise Refused("key_unknown")
    if purpose not in key["purposes"]:
        raise Refused("key_purpose")
    if key["algorithm"] != "Ed25519":
        raise Refused("key_algorithm")
    if key.get("reason") == "compromised":
        raise Refused("key_compromised")
    if not verifies(key["bytes"], encoding(TYPES[purpose], payload), made):
        raise Refused("signature_invalid")
    return payload, key


def good_at(key, moment):
    if moment < key["notBefore"]:
        raise Refused("key_not_yet_good")
    if moment > key.get("notAfter", moment):
        raise Refused("key_expired")
    if "revokedAt" in key and moment >= key["revokedAt"]:
        raise Refused("key_revoked")


def decoded(text):
    """Bytes in base64 with padding, in the one spelling."""
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return content if base64.b64encode(content).decode() == text else None


def verifies(public, message, signature):
    """RFC 8032, strictly: S reduced, R and the key not of small order, no cofactor."""
    if int.from_bytes(signature[32:], "little") >= L or is_of_small_order(signature[:32]):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def is_point(encoded):
    """Whether bytes are the canonical encoding of a point of the curve."""
    y = int.from_bytes(encoded, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= P:
        return False
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    if square == 0:
        return sign == 0
    return pow(square, (P - 1) // 2, P) == 1


def is_of_small_order(encoded):
    """Whether eight times the point is the neutral element: y is one of five, whatever its sign and spelling."""
    y = (int.from_bytes(encoded, "little") & (2**255 - 1)) % P
    return y in SMALL


def _small():
    # Of order 1, 2 and 4: y is 1, -1 and 0. A point of order 8 doubles to one with y = 0, where y² = -x²; the curve's
    # equation is then D·y⁴ + 2·y² - 1 = 0.
    root, _ = square_roots(1 + D)
    found = {1, P - 1, 0}
    for square in ((-1 + root) * pow(D, -1, P) % P, (-1 - root) * pow(D, -1, P) % P):
        found.update(square_roots(square))
    return found


def square_roots(square):
    square %= P
    root = pow(square, (P + 3) // 8, P)
    for candidate in (root, root * pow(2, (P - 1) // 4, P) % P):
        if candidate * candidate % P == square:
            return candidate, P - candidate
    return ()


SMALL = _small()
