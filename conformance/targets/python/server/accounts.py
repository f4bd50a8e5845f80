"""Local accounts, sessions and the limits on guessing (approval-surface.md, sections 2 and 3)."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from . import clock
from .clock import b64
from .policy import Identity

COST: Final = 2**14  # of scrypt
CHEAP: Final = 2**4
IDLE_SECONDS: Final = 1800
TOTAL_SECONDS: Final = 8 * 3600


@dataclass
class Account:
    """An account, for a person. `generation` changes with the credential."""

    name: str
    person: str
    salt: bytes
    verifier: bytes
    enabled: bool = True
    generation: int = 0


@dataclass
class Session:
    """A session: it shows pages and never decides."""

    account: str
    person: str
    generation: int
    begun: float
    used: float
    forms: set[str] = field(default_factory=set)  # those that are used up


class Bucket:
    """So many attempts, and one more every so many seconds."""

    def __init__(self, size: int, seconds: float) -> None:
        self._size, self._seconds = size, seconds
        self._left, self._at = float(size), _now()

    def take(self) -> bool:
        now = max(_now(), self._at)
        self._left = min(self._size, self._left + (now - self._at) / self._seconds)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def give_back(self) -> None:
        """An attempt that was right uses nothing up."""
        self._left = min(self._size, self._left + 1)


class Accounts:
    """Accounts and sessions, in memory: sessions end with the process, and nothing of them is stored."""

    def __init__(self, cost: int = COST) -> None:
        self._cost = cost
        self._accounts: dict[str, Account] = {}
        self._sessions: dict[bytes, Session] = {}
        self._lock = threading.Lock()
        self._login_all = Bucket(60, 1)
        self._login: dict[str, Bucket] = {}
        self._decide: dict[str, Bucket] = {}
        self._dummy = (secrets.token_bytes(16), secrets.token_bytes(32))
        self._generation = 0
        self.on_change: Callable[[str], None] | None = None  # is told of whom an account was changed [OPER-002]

    def make(self, name: str, person: str, password: str, enabled: bool = True) -> None:
        """Makes an account, or gives it another credential: what was begun with the one before is over [AUTH-003]."""
        salt = secrets.token_bytes(16)
        self._generation += 1
        self._accounts[name] = Account(name, person, salt, self._verifier(password, salt), enabled, self._generation)

    def replace(self, wanted: dict[str, tuple[str, str, bool]]) -> None:
        """Takes these accounts in place of those that there are: person, password, and whether they are enabled."""
        changed: list[str] = []
        for name in [name for name in self._accounts if name not in wanted]:
            changed.append(self._accounts.pop(name).person)
        for name, (person, password, enabled) in wanted.items():
            known = self._accounts.get(name)
            if known is None or known.person != person or not hmac.compare_digest(self._verifier(password, known.salt), known.verifier):
                self.make(name, person, password, enabled)
            elif known.enabled == enabled:
                continue
            else:
                known.enabled = enabled
            changed.append(person)
        for person in changed if self.on_change is not None else ():
            self.on_change(person)  # type: ignore[misc]

    def identity(self, session: Session) -> Identity:
        return Identity(session.person, "urn:mutation-approval:local-accounts", session.account)

    def log_in(self, name: str, password: str, old: str | None) -> str | None:
        """The name of a new session, or None: wrong, unknown, disabled and too many alike [AUTH-001] [AUTH-005]."""
        with self._lock:
            known = name in self._accounts
            bucket = self._login.setdefault(name if known else "", Bucket(10, 6))
            allowed = self._login_all.take() and bucket.take()
        account = self._accounts.get(name)
        if not allowed or not self._right(account, password) or account is None:
            return None
        new = b64(secrets.token_bytes(32))
        with self._lock:
            bucket.give_back()
            self._login_all.give_back()
            if old is not None:
                self._sessions.pop(_key(old), None)
            now = _now()
            self._sessions[_key(new)] = Session(name, account.person, account.generation, now, now)
        return new

    def confirm(self, session: Session, password: str) -> bool:
        """The credential with a decision [AUTH-010]. Its limit is apart from the login's [AUTH-006]."""
        with self._lock:
            bucket = self._decide.setdefault(session.account, Bucket(10, 6))
            allowed = bucket.take()
        right = allowed and self._right(self._accounts.get(session.account), password)
        if right:
            with self._lock:
                bucket.give_back()
        return right

    def session(self, name: str | None) -> Session | None:
        """A session that is good, asked at each request [AUTH-002] [AUTH-003]."""
        if name is None:
            return None
        with self._lock:
            found = self._sessions.get(_key(name))
            if found is None:
                return None
            now = _now()
            account = self._accounts.get(found.account)
            if (account is None or not account.enabled or account.person != found.person
                    or account.generation != found.generation or now - found.used > IDLE_SECONDS
                    or now - found.begun > TOTAL_SECONDS):
                del self._sessions[_key(name)]
                return None
            found.used = now
            return found

    def use_up(self, session: Session, form: str) -> bool:
        """Whether this is the first time that a form is used [FORM-002]."""
        with self._lock:
            if form in session.forms:
                return False
            session.forms.add(form)
            return True

    def log_out(self, name: str) -> None:
        with self._lock:
            self._sessions.pop(_key(name), None)

    def _right(self, account: Account | None, password: str) -> bool:
        salt, verifier = (account.salt, account.verifier) if account is not None else self._dummy
        right = hmac.compare_digest(self._verifier(password, salt), verifier)
        return right and account is not None and account.enabled

    def _verifier(self, password: str, salt: bytes) -> bytes:
        return hashlib.scrypt(password.encode("utf-8"), salt=salt, n=self._cost, r=8, p=1, dklen=32)


def _key(name: str) -> bytes:
    return hashlib.sha256(name.encode("utf-8", "replace")).digest()


def _now() -> float:
    """Seconds, by the clock by which all else runs out."""
    return clock.now() / 1000
