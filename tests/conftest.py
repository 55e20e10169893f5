"""Fixtures that more than one package's tests share."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from api.db import Database
    from tests.service_factory import People


def _chromium() -> str | None:
    """A Chromium: $CHROMIUM, one on the PATH, or the one that playwright downloaded."""
    named = os.environ.get("CHROMIUM")
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    found = named or next((p for n in names if (p := shutil.which(n))), None)
    if found:
        return found
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return own if Path(own).is_file() else None


@pytest.fixture(scope="session")
def browser() -> "Iterator[Browser]":
    """A real Chromium. Without one the test fails, unless OBSERVER_NO_BROWSER=1 asks to skip."""
    from playwright.sync_api import sync_playwright

    if os.environ.get("OBSERVER_NO_BROWSER") == "1":
        pytest.skip("OBSERVER_NO_BROWSER=1")
    executable = _chromium()
    if executable is None:
        pytest.fail(
            "No Chromium was found: install one (apt install chromium, or "
            "`playwright install chromium`), name it in $CHROMIUM, or set OBSERVER_NO_BROWSER=1."
        )
    arguments = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required", "--mute-audio"]
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=executable, args=arguments)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def postgres_superuser() -> Iterator[str]:
    """Address of a superuser on a PostgreSQL of the tests."""
    from tests.postgres import server

    with server() as superuser:
        yield superuser


@pytest.fixture(scope="session")
def postgres_role(postgres_superuser: str) -> Iterator[str]:
    """Address of a role there that may make databases and is bound by policies."""
    from tests.postgres import drop_databases, plain_role

    role = plain_role(postgres_superuser)
    yield role
    if os.environ.get("TEST_DATABASE_URL"):
        drop_databases(role)


@pytest.fixture
def postgres_url(postgres_role: str) -> str:
    """Address of an empty PostgreSQL database, new for each test."""
    from tests.postgres import new_database

    return new_database(postgres_role)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with the tables of this version, to be copied."""
    from api.db import Database

    file = tmp_path_factory.mktemp("migrated") / "observer.db"
    database = Database(f"sqlite:///{file}")
    database.migrate()
    database.close()
    return file


@pytest.fixture(scope="session")
def migrated_postgres(postgres_role: str) -> str:
    """Name of a PostgreSQL database with the tables of this version, to be copied."""
    from sqlalchemy import make_url

    from api.db import Database
    from tests.postgres import new_database

    url = new_database(postgres_role)
    database = Database(url)
    database.migrate()
    database.close()
    return str(make_url(url).database)


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Address of a database with all tables and no rows; once with SQLite, once with PostgreSQL."""
    from tests.postgres import new_database

    if request.param == "sqlite":
        file = tmp_path / "observer.db"
        shutil.copy(request.getfixturevalue("migrated"), file)
        return f"sqlite:///{file}"
    role = request.getfixturevalue("postgres_role")
    return new_database(role, request.getfixturevalue("migrated_postgres"))


@pytest.fixture
def database(database_url: str) -> Iterator["Database"]:
    """A database with all tables and no rows; each test runs with SQLite and with PostgreSQL."""
    from api.db import Database

    opened = Database(database_url)
    yield opened
    opened.close()


@pytest.fixture
def sqlite_database(migrated: Path, tmp_path: Path) -> Iterator["Database"]:
    """The same with SQLite alone, for tests that are not about the database."""
    from api.db import Database

    file = tmp_path / "observer.db"
    shutil.copy(migrated, file)
    opened = Database(f"sqlite:///{file}")
    yield opened
    opened.close()


@pytest.fixture
def postgres_database(postgres_role: str, migrated_postgres: str) -> Iterator["Database"]:
    """The same with PostgreSQL alone."""
    from api.db import Database
    from tests.postgres import new_database

    opened = Database(new_database(postgres_role, migrated_postgres))
    yield opened
    opened.close()


@pytest.fixture
def people(database: "Database") -> "People":
    """A district with two schools, one person of each kind, and a lesson."""
    from tests.service_factory import people

    return people(database)
