"""Timestamps and identifiers in their one form (digest.md, 6.4)."""

from __future__ import annotations

import base64
import re
import secrets
import time
from datetime import datetime, timedelta, timezone
from typing import Final

TIMESTAMP: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z\Z")
PLAN_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\Z")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)


def now() -> int:
    """The declared clock of the store: this machine's, in milliseconds [STORE-005]."""
    return time.time_ns() // 1_000_000


def stamp(milliseconds: int) -> str:
    """`YYYY-MM-DDThh:mm:ss.sssZ` [DIG-130]."""
    moment = _EPOCH + timedelta(milliseconds=milliseconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{milliseconds % 1000:03d}Z"


def read_stamp(text: str) -> int:
    """Reads a timestamp in that form only [REC-002]. Raises ValueError."""
    if TIMESTAMP.match(text) is None:
        raise ValueError("timestamp")
    moment = datetime.fromisoformat(text)
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def b64(data: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def unb64(text: str) -> bytes:
    """The inverse, in the one spelling only [REC-003]. Raises ValueError."""
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if b64(data) != text:
        raise ValueError("base64url")
    return data


def new_plan_id(milliseconds: int) -> str:
    """A version 7 UUID from the clock and the random source [DIG-131]."""
    number = (milliseconds & (2**48 - 1)) << 80 | 7 << 76 | secrets.randbits(12) << 64 | 2 << 62 | secrets.randbits(62)
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def new_id() -> str:
    """128 random bits [DIG-132]."""
    return b64(secrets.token_bytes(16))


def new_salt() -> str:
    """32 random bytes [DIG-110]."""
    return b64(secrets.token_bytes(32))
