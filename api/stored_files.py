"""Which stored files rows refer to: a file without a row goes, and one with a row never."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sqlalchemy import String, cast, text
from sqlmodel import Session, col, select

from api.scope import take_the_pen
from api.tables import Recording, Run, Step

if TYPE_CHECKING:
    from api.db import Database
    from api.storage import Storage


def remove_unused(session: Session, storage: "Storage", sha: str, *, besides: str = "") -> bool:
    """Delete the file unless a recording, a finished run, or a step of runs other than `besides`
    refers to it; whether it was there."""
    hold(session, sha)
    uses: tuple[Any, ...] = (
        select(Recording.id).where(Recording.sha256 == sha),
        select(Step.id).where(Step.sha256 == sha, Step.run_id != besides),
        select(Run.id).where(cast(col(Run.artefacts), String).contains(sha)),
    )
    if any(session.exec(use).first() is not None for use in uses):
        return False
    there = storage.exists(sha)
    storage.delete(sha)
    return there


def remove_all_unused(
    database: "Database", storage: "Storage", addresses: set[str], *, besides: str = ""
) -> None:
    """As `remove_unused`, each of the files in a transaction of its own."""
    for sha in sorted(addresses):
        with database.system("whether a stored file is still used") as session:
            remove_unused(session, storage, sha, besides=besides)


def hold(session: Session, sha: str) -> None:
    """Until the transaction ends, the file `sha` is not removed by others.

    On SQLite by being its one writer, on PostgreSQL by an advisory lock.
    """
    connection = session.connection()
    take_the_pen(connection)
    if connection.dialect.name == "postgresql":
        lock = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
        connection.execute(lock, {"name": f"file {sha}"})


def files_in_use(session: Session) -> Iterator[str]:
    """Addresses of every stored file that a row refers to."""
    yield from session.exec(select(Recording.sha256))
    yield from (sha for sha in session.exec(select(Step.sha256)) if sha is not None)
    for artefacts in session.exec(select(Run.artefacts)):
        yield from artefacts.values()
