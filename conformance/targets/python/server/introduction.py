"""How a client calls itself [WIRE-T-004]. In 2025-11-25 it says so once, and nothing is kept here from one request to the next
[WIRE-020]: so the id of its session is what it said, sealed for the person whose token it had.
"""

from __future__ import annotations

import json
from typing import Any, Final

from .seals import Keyring, SealBroken

MAX_NAME: Final = 200
_PURPOSE: Final = "mcp-session"


def called(info: Any) -> str | None:
    """What is quoted of a `clientInfo`."""
    if not isinstance(info, dict) or not isinstance(info.get("name"), str):
        return None
    return f"{info['name']} {info.get('version', '')}".strip()


class Introductions:
    """Makes and reads the ids of sessions."""

    def __init__(self, keys: Keyring) -> None:
        self._keys = keys

    def session(self, person: str, initialize: bytes) -> bytes | None:
        """The id of the session that begins with a message; None where there is nothing to remember."""
        client = called(json.loads(initialize).get("params", {}).get("clientInfo"))
        if client is None or len(client) > MAX_NAME:
            return None
        return self._keys.seal_form("session", _PURPOSE, {"client": client, "person": person}).encode("ascii")

    def client(self, person: str, session: str) -> str | None:
        """An id that isn't ours, or is another person's, says nothing."""
        try:
            said = self._keys.open_form("session", _PURPOSE, session)
        except (SealBroken, ValueError):
            return None
        client: str | None = said["client"] if said["person"] == person else None
        return client
