"""Consistent copies of a database while others write to it, and databases made from such copies.

SQLite through its backup interface, which copies one moment however many write. PostgreSQL through
pg_dump, in the snapshot in which the backup also reads what the rows refer to. Its policies bind
pg_dump as they bind everybody, and the copy would silently be empty if the service's own setting
were not handed over; so rows are counted in the snapshot and again after loading.
"""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, func, inspect, make_url, select
from sqlmodel import Session, SQLModel

from api.db import Database
from api.stored_files import files_in_use
from observer.errors import ObserverError, UsageError

_SYSTEM = "-c observer.system=on"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A database as it was at one moment, in a file."""

    file: Path
    rows: dict[str, int]
    """Rows of each table of the service; empty for the job engine's database."""
    uses: frozenset[str]
    """Addresses of the stored files that its rows refer to."""


def kind(url: str) -> str:
    """`sqlite` or `postgresql`."""
    return make_url(url).get_backend_name()


def snapshot(database: Database, target: Path) -> Snapshot:
    """Copy the service's database into `target`. Raises ObserverError."""
    if kind(database.url) == "sqlite":
        copy_engine(database.url, target)
        copy = Database(f"sqlite:///{target}")
        try:
            with copy.system("what a backup holds") as session:
                found = _described(session, target)
        finally:
            copy.close()
        _one_file(target)
        return found
    with _one_moment(database) as (session, name):
        _pg("pg_dump", database.url, [*_DUMP, "--snapshot", name, "--file", str(target)])
        return _described(session, target)


def copy_engine(url: str, target: Path) -> None:
    """Copy the job engine's database, of which nothing needs to be known, into `target`."""
    if kind(url) != "sqlite":
        _pg("pg_dump", url, [*_DUMP, "--file", str(target)])
        return
    source = Path(make_url(url).database or "")
    if not source.is_file():
        raise UsageError(
            en=f"There is no database {source}: nothing to back up. Is OBSERVER_DATA that of the"
            " service?",
            zh=f"找不到数据库 {source}，没有可备份的内容。请检查 OBSERVER_DATA 是否正确。",
        )
    target.touch(mode=0o600)
    with (
        closing(sqlite3.connect(source, timeout=30)) as there,
        closing(sqlite3.connect(target)) as here,
    ):
        there.backup(here)
    _one_file(target)


def load(url: str, file: Path) -> None:
    """Make the empty database `url` what the copy in `file` was. Raises ObserverError."""
    if kind(url) != "sqlite":
        _pg("pg_restore", url, [*_LOAD, str(file)])
        return
    place = Path(make_url(url).database or "")
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    file.chmod(0o600)
    shutil.move(file, place)


def is_empty(url: str) -> bool:
    """Whether there is nothing in the database yet that loading could destroy."""
    if kind(url) == "sqlite":
        place = Path(make_url(url).database or "")
        return not any(Path(f"{place}{end}").exists() for end in ("", "-wal", "-journal"))
    database = Database(url)
    try:
        seen = inspect(database.engine)
        ours = [s for s in seen.get_schema_names() if s != "information_schema"]
        return not any(seen.get_table_names(schema=schema) for schema in ours)
    finally:
        database.close()


def count_rows(database: Database) -> dict[str, int]:
    """Rows of each table of the service."""
    with database.system("rows of a restored backup") as session:
        return _rows(session)


_DUMP = ["--format=custom", "--enable-row-security", "--no-owner", "--no-privileges"]
_LOAD = ["--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges"]


def _described(session: Session, file: Path) -> Snapshot:
    return Snapshot(file, _rows(session), frozenset(files_in_use(session)))


def _rows(session: Session) -> dict[str, int]:
    connection = session.connection()
    there = set(inspect(connection).get_table_names())
    return {
        name: connection.execute(select(func.count()).select_from(table)).scalar_one()
        for name, table in sorted(SQLModel.metadata.tables.items())
        if name in there
    }


@contextmanager
def _one_moment(database: Database) -> Iterator[tuple[Session, str]]:
    """A session that sees one moment, and the name under which pg_dump sees the same."""
    with database.system("a backup") as session:
        connection = session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        name = connection.exec_driver_sql("SELECT pg_export_snapshot()").scalar_one()
        yield session, str(name)


def _one_file(copy: Path) -> None:
    """A copy keeps the journal mode of its source; a file that travels needs its journal in it."""
    with closing(sqlite3.connect(copy)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")


def _pg(program: str, url: str, arguments: list[str]) -> None:
    """Run one of PostgreSQL's programs on `url`; the password stays out of the process list."""
    found = shutil.which(program)
    if found is None:
        raise ObserverError(
            en=f"{program} is not on this machine. Install PostgreSQL's client programs (Debian:"
            " apt install postgresql-client), of the server's version or newer.",
            zh=f"本机没有 {program}。请安装 PostgreSQL 客户端程序（Debian：apt install"
            " postgresql-client），版本不低于服务器。",
        )
    address = make_url(url)
    surroundings = {**os.environ, "PGOPTIONS": _SYSTEM, "PGPASSWORD": address.password or ""}
    if not address.password:
        del surroundings["PGPASSWORD"]  # ~/.pgpass, or a server that asks for none
    where = f"--dbname={_without_secret(address)}"
    done = subprocess.run(
        [found, "--no-password", where, *arguments],
        env=surroundings,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        said = done.stderr.strip()[-800:]
        raise ObserverError(
            en=f"{program} failed; the database is as it was. It said: {said}",
            zh=f"{program} 执行失败，数据库未被改动。错误信息：{said}",
        )


def _without_secret(address: URL) -> str:
    """As libpq reads it. Its own `options` would take the place of ours, and rows would be
    missing."""
    plain = address.set(drivername="postgresql").difference_update_query(["options"])
    return URL.create(
        plain.drivername, plain.username, None, plain.host, plain.port, plain.database, plain.query
    ).render_as_string(hide_password=False)
