"""An installation in a folder, quick enough for every test: real parts, cheap password hashes."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from starlette.testclient import TestClient
from starlette.types import ASGIApp

from api.app import create_app
from api.auth import SESSION_COOKIE, start_session
from api.db import Database
from api.deps import Site
from api.invitations import accept, invite
from api.jobs import Jobs
from api.settings import ServiceSettings
from api.storage import storage_of
from api.tables import User

PASSWORD = "蓝色的河 runs slowly"


def settings_in(folder: Path, **changes: object) -> ServiceSettings:
    """Settings of an installation in `folder`; argon2 takes milliseconds."""
    cheap = {"argon2_memory_kib": 64, "argon2_passes": 1}
    return ServiceSettings(data=folder / "data", **{**cheap, **changes})  # type: ignore[arg-type]


def site_in(folder: Path, database: Database | None = None, **changes: object) -> Site:
    """An installation in `folder`; without a `database`, one of its own that is migrated."""
    settings = settings_in(folder, **changes)
    settings.data.mkdir(parents=True, exist_ok=True)
    if database is None:
        file = settings.data / "observer.sqlite"
        if not file.exists():
            file.write_bytes(_migrated())
        database = Database(settings.database_url)
    storage = storage_of(settings.storage_url)
    return Site(settings, database, storage, Jobs(settings, database, storage))


@cache
def _migrated() -> bytes:
    """An SQLite file with the tables of this version; migrating takes half a second."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "observer.sqlite"
        database = Database(f"sqlite:///{file}")
        database.migrate()
        with database.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()
        return file.read_bytes()


def person(site: Site, login: str, *, name: str = "", password: str | None = PASSWORD) -> str:
    """A person who has accepted the invitation (none without a password); gives the id."""
    with site.database.system("test: a person") as session:
        user = User(login=login, name=name or login.title())
        session.add(user)
        session.flush()
        link = invite(session, user.id)
        user_id = user.id
    if password is not None:
        accept(site, link.rsplit("/", 1)[1], password, language="zh")
    return user_id


def client_of(
    site: Site, login: str = "", password: str = PASSWORD, *, user_id: str = ""
) -> TestClient:
    """A browser-like client, signed in with `login` or put in the place of `user_id`."""
    client = TestClient(
        create_app(site.settings, site=site),
        base_url=site.settings.public_url,
        follow_redirects=False,
        headers={"accept": "text/html", "accept-language": "en", "sec-fetch-site": "same-origin"},
    )
    if login:
        answer = client.post("/sign-in", data={"login": login, "password": password})
        assert answer.status_code == 303, answer.text
    if user_id:
        client.cookies.set(SESSION_COOKIE, cookie_of(site, user_id))
    return client


def cookie_of(site: Site, user_id: str) -> str:
    """The cookie of a new session of somebody, without the way there."""
    with site.database.system("test: a session") as session:
        return start_session(session, user_id, site.settings, agent="test")


@contextmanager
def running(app: ASGIApp) -> Iterator[str]:
    """The address of a real uvicorn in a thread that serves `app`."""
    import uvicorn

    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started:
            if not thread.is_alive():
                raise RuntimeError("the server did not start")
            thread.join(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)
