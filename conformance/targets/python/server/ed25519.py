"""Ed25519 as receipt.md asks for it: what the library's verification leaves open is decided here [KEYS-004] [KEYS-021]."""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_P: Final = 2**255 - 19
_ORDER: Final = 2**252 + 27742317777372353535851937790883648493
_D: Final = -121665 * pow(121666, -1, _P) % _P
_ROOT: Final = pow(2, (_P - 1) // 4, _P)  # of -1


def public_key(seed: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def sign(seed: bytes, message: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(seed).sign(message)


def is_public_key(encoded: bytes) -> bool:
    """The canonical encoding of a point of the curve that is not of small order."""
    point = _point(encoded) if len(encoded) == 32 else None
    return point is not None and not _is_small(point)


def verifies(public: bytes, message: bytes, signature: bytes) -> bool:
    """S is reduced, R is no point of small order, and the equation holds without cofactor, byte by byte."""
    point = _point(signature[:32])
    if int.from_bytes(signature[32:], "little") >= _ORDER or point is None or _is_small(point):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _point(encoded: bytes) -> tuple[int, int] | None:
    """The point that 32 bytes encode, in the one spelling (RFC 8032, 5.1.3)."""
    number = int.from_bytes(encoded, "little")
    sign, y = number >> 255, number & (2**255 - 1)
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if x * x % _P != square:
        x = x * _ROOT % _P
    if x * x % _P != square or (x == 0 and sign):
        return None
    return (x if x & 1 == sign else _P - x), y


def _is_small(point: tuple[int, int]) -> bool:
    """Whether eight times the point is the neutral element."""
    x, y = point
    for _ in range(3):
        xx, yy = x * x, y * y
        both = _D * xx * yy
        x, y = 2 * x * y * pow(1 + both, -1, _P) % _P, (xx + yy) * pow(1 - both, -1, _P) % _P
    return (x, y) == (0, 1)
