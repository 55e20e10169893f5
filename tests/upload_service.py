"""A small installation for the tests of uploads: two schools, three people, each with a token."""

import base64
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from fastapi import FastAPI
from fastapi.testclient import TestClient

from api.access import BOTH_SCOPES, Actor, actor_of
from api.app import create_app
from api.auth import create_token
from api.db import Database
from api.deps import Site
from api.tables import District, Membership, School, User
from tests.media_files import beeps, write_media
from tests.service_site import running, site_in

TUS = {"Tus-Resumable": "1.0.0"}
TYPE = {"Content-Type": "application/offset+octet-stream"}
UPLOADS = "/api/v1/uploads"
CONSENT = {"consent": "三（2）班家长、授课教师"}


@dataclass
class Installation:
    """Li is a researcher and Wang a teacher of the first school, Zhao a teacher of the second."""

    site: Site
    tokens: dict[str, str]
    people: dict[str, Actor]
    schools: dict[str, str]

    def app(self) -> FastAPI:
        return create_app(self.site.settings, site=self.site)

    def parts(self) -> list[Path]:
        """Files of uploads under way."""
        return sorted((self.site.settings.data / "uploads").glob("*"))

    def stored(self) -> list[Path]:
        """Files in storage."""
        return sorted(p for p in (self.site.settings.data / "files").rglob("*") if p.is_file())


def install(folder: Path, database: Database | None = None, **settings: Any) -> Installation:
    """A fresh database, SQLite unless one is given, and local storage in `folder`."""
    site = site_in(folder, database, **{"min_free_bytes": 1, **settings})
    with site.database.system("tests: people") as session:
        district = District(name="东城区")
        session.add(district)
        session.flush()
        schools = {n: School(district_id=district.id, name=n) for n in ("一中", "二中")}
        session.add_all(schools.values())
        session.flush()
        tokens, people = {}, {}
        for login, school, position in (
            ("li", "一中", "researcher"),
            ("wang", "一中", "teacher"),
            ("zhao", "二中", "teacher"),
        ):
            user = User(login=login, name=login, language="en")
            session.add(user)
            session.flush()
            session.add(
                Membership(user_id=user.id, school_id=schools[school].id, position=position)
            )
            session.flush()
            _, tokens[login] = create_token(session, user.id, "t", scopes=BOTH_SCOPES, days=None)
            people[login] = actor_of(session, user)
    return Installation(site, tokens, people, {n: s.id for n, s in schools.items()})


class Sender:
    """A tus client for tests: one request each, nothing hidden."""

    def __init__(self, client: httpx2.Client, token: str) -> None:
        self.client = client
        self.headers = {"Authorization": f"Bearer {token}", "Accept-Language": "en", **TUS}

    def create(self, size: int, said: Mapping[str, str] = CONSENT) -> httpx2.Response:
        pairs = ",".join(f"{k} {base64.b64encode(v.encode()).decode()}" for k, v in said.items())
        headers = {"Upload-Length": str(size), "Upload-Metadata": pairs}
        return self.client.post(UPLOADS, headers=self.headers | headers)

    def head(self, url: str) -> httpx2.Response:
        return self.client.head(url, headers=self.headers)

    def patch(self, url: str, offset: int, body: Any, **more: str) -> httpx2.Response:
        headers = {"Upload-Offset": str(offset), **TYPE, **more}
        return self.client.patch(url, headers=self.headers | headers, content=body)

    def send(self, content: bytes, said: Mapping[str, str] = CONSENT) -> httpx2.Response:
        """Create and send in one piece; the last answer."""
        made = self.create(len(content), said)
        return self.patch(made.headers["location"], 0, content) if made.is_success else made


def lesson_bytes(folder: Path, seconds: float = 2.0, suffix: str = "mp4") -> bytes:
    """A recording with a beep: H.264-free, a few kilobytes."""
    path = folder / f"lesson.{suffix}"
    rate = {"mp4": 48_000, "wav": 44_100, "opus": 48_000}[suffix]
    write_media(path, [beeps(seconds, [0.5], rate)])
    return path.read_bytes()


def client_of(installation: Installation) -> TestClient:
    return TestClient(installation.app())


@contextmanager
def served(installation: Installation) -> Iterator[str]:
    """The address of a real server in a thread."""
    with running(installation.app()) as address:
        yield address
