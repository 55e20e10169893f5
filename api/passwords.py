"""Passwords: kept as argon2id, refused when easy to guess, and slow to guess.

Failures are counted in the database, so that a restart forgives nothing. An attempt counts as
failed until it succeeds, so that guesses sent all at once are counted too.
"""

import secrets
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from hashlib import sha256
from threading import BoundedSemaphore

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlmodel import Session, col, delete, func, select

from api.columns import now
from api.problems import InvalidError, LimitError
from api.settings import ServiceSettings
from api.tables import FailedSignIn

SHORTEST = 10
LONGEST = 200
"""Characters of a password."""


def digest(secret: str) -> str:
    """What is stored of a random secret or looked up by: SHA-256, hexadecimal."""
    return sha256(secret.encode()).hexdigest()


class Passwords:
    """argon2id, two at a time: each takes `argon2_memory_kib` of memory while it works."""

    def __init__(self, memory_kib: int, passes: int) -> None:
        hasher = Argon2Hasher(memory_cost=memory_kib, time_cost=passes, parallelism=1)
        self._argon2 = PasswordHash((hasher,))
        self._places = BoundedSemaphore(2)
        # Who waits holds one of the web process's threads: a flood must leave some for others.
        self._queue = BoundedSemaphore(12)
        self._nobody = self._argon2.hash(secrets.token_hex())

    def hash(self, password: str) -> str:
        """The hash of a new password."""
        with self._place():
            return self._argon2.hash(_normal(password))

    def check(self, password: str, stored: str | None) -> tuple[bool, str | None]:
        """Whether it fits, and a new hash where the stored one has weaker settings.

        Takes as long without a stored one, so that time tells nobody which logins exist.
        """
        if len(password) > LONGEST:
            return False, None
        with self._place():
            fits, renewed = self._argon2.verify_and_update(
                _normal(password), stored or self._nobody
            )
        return fits and stored is not None, renewed

    @contextmanager
    def _place(self) -> Iterator[None]:
        if not self._queue.acquire(blocking=False):
            raise LimitError(
                status=429,
                retry_after=5,
                en="Too many people are signing in just now. Try again in a few seconds.",
                zh="当前登录人数过多，请几秒后重试。",
            )
        try:
            with self._places:
                yield
        finally:
            self._queue.release()


def _normal(password: str) -> str:
    """NFKC: the same characters typed on another keyboard are the same password."""
    return unicodedata.normalize("NFKC", password)


@cache
def _passwords(memory_kib: int, passes: int) -> Passwords:
    return Passwords(memory_kib, passes)


def passwords(settings: ServiceSettings) -> Passwords:
    """The one that all requests share."""
    return _passwords(settings.argon2_memory_kib, settings.argon2_passes)


def check_new_password(password: str, login: str = "") -> None:
    """Raises InvalidError for one that is too short or easy to guess (NIST SP 800-63B §3.1.1)."""
    plain = _normal(password)
    if not SHORTEST <= len(plain) <= LONGEST:
        raise InvalidError(
            en=f"A password needs {SHORTEST} to {LONGEST} characters."
            " A short sentence is easy to remember.",
            zh=f"密码需要 {SHORTEST} 至 {LONGEST} 个字符，可以使用一句好记的话。",
        )
    name = login.split("@", maxsplit=1)[0]
    if len(set(plain)) < 5 or (len(name) > 3 and name in plain.lower()):
        raise InvalidError(
            en="This password is easy to guess: it repeats few characters or holds the login."
            " Choose another.",
            zh="这个密码容易被猜到（字符重复过多或包含登录名），请换一个。",
        )


@dataclass(frozen=True, slots=True)
class _Limit:
    free: int
    """Failures without a pause."""
    window: timedelta
    """How long a failure counts."""


_LIMITS = {
    "login and address": _Limit(5, timedelta(hours=24)),
    # A stranger elsewhere must not be able to lock somebody out with five wrong guesses.
    "login": _Limit(20, timedelta(hours=24)),
    # A school is often one address: only a flood counts.
    "address": _Limit(100, timedelta(minutes=15)),
}
LONGEST_PAUSE = 900
"""Seconds."""


def pause_after(failures: int, free: int) -> int:
    """Seconds to wait since the last failure: none, then 2, 4, 8 … 900."""
    return 0 if failures < free else min(LONGEST_PAUSE, 2 ** min(20, failures - free + 1))


def attempt_keys(login: str, address: str) -> dict[str, str]:
    """Under which an attempt is counted; hashes, because both are about a person."""
    return {
        "login and address": digest(f"both {login} {address}"),
        "login": digest(f"login {login}"),
        "address": digest(f"address {address}"),
    }


def count_attempt(session: Session, keys: dict[str, str]) -> None:
    """Count it as failed until it succeeds, so that guesses made at once are all counted.

    Raises LimitError when it comes too early; an attempt that is refused so is not counted.
    """
    if session.get_bind().dialect.name == "postgresql":
        # SQLite has one writer anyway; here attempts on one login wait for one another.
        session.exec(select(func.pg_advisory_xact_lock(int(keys["login"][:15], 16))))
    moment = now()
    own = [FailedSignIn(key=key, at=moment) for key in keys.values()]
    session.add_all(own)
    session.flush()
    for name, limit in _LIMITS.items():
        found = session.exec(
            select(func.count(), func.max(FailedSignIn.at))
            .where(FailedSignIn.key == keys[name])
            .where(col(FailedSignIn.at) > moment - limit.window)
            .where(col(FailedSignIn.id).not_in([attempt.id for attempt in own]))
        ).one()
        failures, last = found
        pause = pause_after(failures, limit.free)
        left = 0.0 if last is None else pause - (moment - last).total_seconds()
        if left > 0:
            raise _too_often(int(left) + 1)


def _too_often(seconds: int) -> LimitError:
    return LimitError(
        status=429,
        retry_after=seconds,
        en=f"Too many failed sign-ins. Try again in {seconds} seconds, or ask an administrator"
        " for a new password link.",
        zh=f"登录失败次数过多，请在 {seconds} 秒后重试，或请管理员发送重设密码的链接。",
    )


def forgive(session: Session, keys: dict[str, str]) -> None:
    """The attempt succeeded: forget the failures of this login, not those of the address."""
    mine = [keys["login and address"], keys["login"]]
    session.exec(delete(FailedSignIn).where(col(FailedSignIn.key).in_(mine)))
