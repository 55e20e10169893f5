"""Named locks that end with the process that holds them, for knowing who is alive.

A worker holds the lock of its own name; whoever can take that lock knows that the worker is dead.
On one machine with SQLite these are file locks, with PostgreSQL session-level advisory locks.
"""

import fcntl
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from sqlalchemy import make_url

if TYPE_CHECKING:
    from psycopg import Connection


class Locks(Protocol):
    """Locks of one process. A lock that is lost with its connection is taken anew by `take`."""

    def take(self, name: str) -> bool:
        """Hold `name` until `release`, `close` or death; False when another process holds it."""

    def release(self, name: str) -> None:
        """Let go of `name`; nothing happens when it is not held."""

    def close(self) -> None:
        """Let go of all."""


def locks_of(database_url: str, folder: Path) -> Locks:
    """Advisory locks where the jobs are in PostgreSQL, else locks on files in `folder`."""
    if database_url.startswith("sqlite"):
        return FileLocks(folder)
    return PostgresLocks(database_url)


class FileLocks:
    """flock(2) on a file a name; the kernel lets go when the process ends, however it ends."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._held: dict[str, int] = {}

    def take(self, name: str) -> bool:
        """As `Locks.take`."""
        if name in self._held:
            return True
        self.folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(self._file(name), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        self._held[name] = handle
        return True

    def release(self, name: str) -> None:
        """As `Locks.release`."""
        handle = self._held.pop(name, None)
        if handle is not None:
            self._file(name).unlink(missing_ok=True)
            os.close(handle)

    def close(self) -> None:
        """As `Locks.close`."""
        for name in list(self._held):
            self.release(name)

    def _file(self, name: str) -> Path:
        return self.folder / f"{re.sub(r'[^A-Za-z0-9.-]', '_', name)}.lock"


class PostgresLocks:
    """Advisory locks of one connection, which has keepalives: a host that lost power is noticed.

    They belong to the session, so a pooler in transaction mode must not stand in between.
    """

    def __init__(self, url: str) -> None:
        self.url = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        self._connection: Connection | None = None
        self._held: set[str] = set()

    def take(self, name: str) -> bool:
        """As `Locks.take`. Raises psycopg.OperationalError while the database is away."""
        if name in self._held and self._alive():
            return True
        row = (
            self._open()
            .execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", (name,))
            .fetchone()
        )
        if row is not None and row[0]:
            self._held.add(name)
            return True
        return False

    def release(self, name: str) -> None:
        """As `Locks.release`."""
        if name in self._held and self._alive():
            self._open().execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", (name,))
        self._held.discard(name)

    def close(self) -> None:
        """As `Locks.close`."""
        self._held.clear()
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _alive(self) -> bool:
        import psycopg

        if self._connection is None or self._connection.closed:
            return False
        try:
            self._connection.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def _open(self) -> "Connection":
        import psycopg

        if self._connection is None or not self._alive():
            self.close()
            self._connection = psycopg.connect(
                self.url,
                autocommit=True,
                connect_timeout=5,
                keepalives=1,
                keepalives_idle=5,
                keepalives_interval=2,
                keepalives_count=3,
                tcp_user_timeout=15000,
                application_name="observer-locks",
            )
        return self._connection
