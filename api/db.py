"""The database: one engine, sessions that know who is asking, and the migrations.

`session` is for what a person asks: each statement in it is narrowed to what that person may see
(`api.scope`). `system` is the only other door: for workers, signing in and retention; it wants a
reason, and `grep 'system('` lists every place that goes through it.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, ExceptionContext, create_engine, event
from sqlalchemy.engine import make_url
from sqlmodel import Session

from api.access import Actor
from api.problems import UnavailableError, not_found
from api.scope import ACTOR, REASON, REQUEST, ScopedSession, take_the_pen

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_SECONDS = 15
"""How long SQLite waits for another writer."""
INSUFFICIENT_PRIVILEGE = "42501"
"""What PostgreSQL says of a row that its policies refuse."""


class Database:
    """An SQLite file or a PostgreSQL database; safe to use from several threads."""

    def __init__(self, url: str) -> None:
        """`url` as SQLAlchemy writes it: sqlite:////var/lib/observer/observer.db, postgresql://…"""
        self.url = _with_driver(url)
        self.engine = _engine(self.url)

    @contextmanager
    def session(self, actor: Actor, request_id: str = "") -> Iterator[Session]:
        """What `actor` may see and change; committed at the end, rolled back on an error."""
        with self._session({ACTOR: actor, REQUEST: request_id}) as session:
            yield session

    @contextmanager
    def system(self, reason: str, request_id: str = "") -> Iterator[Session]:
        """Everything, for the service itself; `reason` says in a few words why it must be so."""
        if not reason.strip():
            raise ValueError("a system session needs a reason")
        with self._session({REASON: reason, REQUEST: request_id}) as session:
            yield session

    @contextmanager
    def _session(self, info: dict[str, Any]) -> Iterator[Session]:
        # Objects stay readable after the commit: a page is rendered when the session has ended.
        session = ScopedSession(self.engine, expire_on_commit=False, info=info)
        with session:
            try:
                yield session
                session.commit()
            except BaseException:
                session.rollback()
                raise

    def migrate(self) -> None:
        """Bring the tables up to this version of the service; nothing happens if they are.

        Raises UnavailableError where a newer version has used them.
        """
        if self.engine.dialect.name == "sqlite" and self.engine.url.database:
            Path(self.engine.url.database).parent.mkdir(parents=True, exist_ok=True)
        with self.engine.connect() as connection:
            configuration = self.alembic()
            script = ScriptDirectory.from_config(configuration)
            known = {step.revision for step in script.walk_revisions()}
            there = set(MigrationContext.configure(connection).get_current_heads())
            connection.rollback()  # the look began a transaction
            if not there <= known:
                raise UnavailableError(
                    en=f"The database was last used by a newer version of observer"
                    f" ({_names(there)}). Install that one, or restore the backup that was made"
                    " before the upgrade; nothing was changed.",
                    zh=f"数据库最近由更新版本的 observer（{_names(there)}）使用。请安装该版本，"
                    "或恢复升级前的备份；未作任何更改。",
                )
            configuration.attributes["connection"] = connection
            command.upgrade(configuration, "head")

    def ready(self) -> None:
        """Raises `UnavailableError` unless the tables are those of this version and are guarded."""
        with self.engine.connect() as connection:
            there = set(MigrationContext.configure(connection).get_current_heads())
            bound = _bound_by_policies(connection)
        wanted = set(ScriptDirectory.from_config(self.alembic()).get_heads())
        if not bound:
            raise UnavailableError(
                en="The database role of OBSERVER_DATABASE_URL goes past row-level security. Make a"
                " plain one: CREATE ROLE observer LOGIN PASSWORD '…'; and a database that it owns:"
                " CREATE DATABASE observer OWNER observer.",
                zh="OBSERVER_DATABASE_URL 使用的数据库角色不受行级安全策略约束。请创建普通角色："
                "CREATE ROLE observer LOGIN PASSWORD '…'；并创建归其所有的数据库："
                "CREATE DATABASE observer OWNER observer。",
            )
        if there != wanted:
            raise UnavailableError(
                en=f"The database is at version {_names(there)}, this program needs"
                f" {_names(wanted)}. Start `observer serve` once, which brings it up to date, or"
                " install the version of observer that the database was last used with.",
                zh=f"数据库版本为 {_names(there)}，本程序需要 {_names(wanted)}。请运行一次"
                " `observer serve` 以升级数据库，或安装该数据库最近使用的 observer 版本。",
            )

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()

    def alembic(self) -> Config:
        """Alembic's settings for this database, without an ini file."""
        configuration = Config()
        configuration.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        configuration.set_main_option("path_separator", "os")
        configuration.attributes["url"] = self.url
        return configuration


def _names(versions: set[str]) -> str:
    return ", ".join(sorted(versions)) or "—"


def _bound_by_policies(connection: Connection) -> bool:
    """Whether row-level security holds for this role; SQLite has none, and needs none."""
    if connection.dialect.name != "postgresql":
        return True
    statement = "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"
    return not connection.exec_driver_sql(statement).scalar()


def _with_driver(url: str) -> str:
    """PostgreSQL goes through psycopg 3, whichever way the address is written."""
    parsed = make_url(url)
    if parsed.drivername in {"postgresql", "postgres"}:
        parsed = parsed.set(drivername="postgresql+psycopg")
    return parsed.render_as_string(hide_password=False)


def _engine(url: str) -> Engine:
    if make_url(url).get_backend_name() != "sqlite":
        # Keepalives notice a server that was switched off, without which a worker waits for hours.
        alive = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
        engine = create_engine(
            url, pool_size=4, max_overflow=8, pool_pre_ping=True, connect_args=alive
        )
        event.listen(engine, "handle_error", _as_not_found, retval=True)
        return engine
    # The connection given back last knows the pages that were read; it is taken first.
    engine = create_engine(
        url,
        connect_args={"timeout": BUSY_SECONDS},
        pool_size=8,
        max_overflow=8,
        pool_use_lifo=True,
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "savepoint", _before_savepoint)
    return engine


def _as_not_found(context: ExceptionContext) -> Exception | None:
    """A row that row-level security refuses is answered like one that `api.scope` refuses."""
    refused = getattr(context.original_exception, "sqlstate", None) == INSUFFICIENT_PRIVILEGE
    return not_found() if refused else None


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    """Readers beside a writer, foreign keys that hold, commits that outlive a power cut, deleted
    rows that are overwritten (`api.retention`), and 8 MB of pages kept: a district's lessons."""
    pragmas = ("journal_mode=WAL", "foreign_keys=ON", "synchronous=FULL", "secure_delete=ON")
    for pragma in (*pragmas, "cache_size=-8000"):
        connection.execute(f"PRAGMA {pragma}").close()


def _before_savepoint(connection: Connection, _name: str | None) -> None:
    """Python's sqlite3 opens no transaction for a savepoint, whose release would then commit."""
    take_the_pen(connection)
