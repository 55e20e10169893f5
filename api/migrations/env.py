"""How Alembic runs: on the connection that `api.db.Database` hands over, in one transaction."""

from alembic import context
from sqlalchemy import Connection, create_engine, text
from sqlmodel import SQLModel

import api.tables  # noqa: F401  fills SQLModel.metadata


def ours(_object: object, name: str | None, kind: str, _reflected: bool, _other: object) -> bool:
    """Leave the job engine's tables alone."""
    return not (kind == "table" and (name or "").startswith("dbos"))


def run(connection: Connection) -> None:
    """Upgrade, downgrade or compare on `connection`; all of it or nothing."""
    context.configure(
        connection=connection,
        target_metadata=SQLModel.metadata,
        render_as_batch=True,
        include_object=ours,
        compare_server_default=True,
        transaction_per_migration=False,
    )
    if connection.dialect.name == "sqlite":
        # sqlite3 would commit each CREATE TABLE by itself; and a table that is rebuilt by batch
        # mode must not take the rows that point to it along.
        connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        # One migration at a time; and rows are changed for everybody.
        connection.execute(text("SELECT pg_advisory_xact_lock(862017145)"))
        connection.execute(text("SELECT set_config('observer.system', 'on', true)"))
    context.run_migrations()
    connection.commit()
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA foreign_keys=ON")


shared = context.config.attributes.get("connection")
if shared is not None:
    run(shared)
else:
    engine = create_engine(context.config.attributes["url"])
    with engine.connect() as opened:
        run(opened)
    engine.dispose()
