"""What several tests of the service stand on: a site, its people, an installation with tokens."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from api import examination
from api.db import Database
from api.deps import Site
from tests.drawn_once import draw_once
from tests.service_factory import People, people
from tests.service_site import site_in
from tests.upload_service import Installation, install, lesson_bytes


@pytest.fixture
def site(tmp_path: Path, sqlite_database: Database) -> Iterator[Site]:
    """A site that can queue runs, with SQLite and nobody in it."""
    site = site_in(tmp_path, sqlite_database)
    site.jobs.prepare()
    yield site
    site.jobs.close()


@pytest.fixture
def there(site: Site) -> People:
    """The district of `tests.service_factory` in `site`."""
    return people(site.database)


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Installation]:
    """Two schools and three people, each with a token, for sending files."""
    installation = install(tmp_path)
    yield installation
    installation.site.jobs.close()
    installation.site.database.close()


@pytest.fixture(scope="session")
def video(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A recording of two seconds."""
    return lesson_bytes(tmp_path_factory.mktemp("media"))


@pytest.fixture(scope="session", autouse=True)
def _examiner() -> Iterator[None]:
    """The process that looks into files, started by the first test that sends one."""
    yield
    examination.close()


@pytest.fixture(scope="session", autouse=True)
def _drawn(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Charts that were drawn before are taken from there."""
    draw_once(tmp_path_factory.getbasetemp() / "drawn")
