"""Every route, as every role, against another's lesson: pages and /api/v1 alike.

The routes are walked from the application itself, so that a new one is walked from its first day:
its requests are made up from its OpenAPI description, its identifiers are the teacher's.

teacher, researcher: own and uploaded the lesson      reader: the lesson is shared with
everybody else, with the teacher's key that may only read, or without any: must learn nothing and
change nothing.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi.routing import iter_route_contexts
from sqlmodel import SQLModel, select
from starlette.testclient import TestClient

from api import tables
from api.app import Service, create_app
from api.auth import SESSION_COOKIE, create_token
from api.columns import now
from api.db import Database
from api.deps import Site
from api.routes import MODULES
from tests.observation_factory import english_lesson
from tests.service_factory import People
from tests.service_site import cookie_of, site_in
from tests.upload_service import CONSENT, Sender

SECRET = "秘密的课"
"""Stands in everything that belongs to the lesson."""
HOOK = "hidden-hook"
"""The same for addresses."""
MEASURED = 0.8642
"""The same for what was measured in it, which pages would show as 86% and programs as 0.86."""
STRANGERS = ("colleague", "staff", "outsider", "neighbour", "stranger", "administrator")
KEPT = (
    tables.Lesson,
    tables.Recording,
    tables.Run,
    tables.Step,
    tables.Figure,
    tables.Share,
    tables.Upload,
    tables.Consent,
    tables.Webhook,
    tables.ApiToken,
    tables.Batch,
)
"""What must stay as it is."""
UPLOADING = {
    "tus-resumable": "1.0.0",
    "upload-length": "5",
    "upload-offset": "0",
    "upload-metadata": "consent eHh4",  # "xxx"
}
UNSEEN = (400, 401, 403, 404, 405, 409, 412, 415, 422)


@dataclass(frozen=True, slots=True)
class Call:
    """One request that a route answers."""

    method: str
    route: str
    path: str
    query: dict[str, Any]
    form: dict[str, Any] | None
    document: Any
    secret: bool
    """Whether its path names something of the lesson."""

    def send(self, client: TestClient) -> httpx2.Response:
        headers = {"accept": "application/json" if "/api/" in self.route else "text/html"}
        if "/uploads" in self.route:
            headers |= UPLOADING
        if self.method == "PATCH" and "/uploads" in self.route:
            headers["content-type"] = "application/offset+octet-stream"
        return client.request(
            self.method,
            self.path,
            params=self.query,
            data=self.form,
            json=self.document,
            headers=headers,
        )

    def __str__(self) -> str:
        return f"{self.method} {self.route}"


class House:
    """The installation, its one lesson, and the requests that its routes take."""

    def __init__(self, site: Site, people: People) -> None:
        self.site = site
        self.people = people
        self.ids: dict[str, str] = {}
        self.app = create_app(site.settings, site=site)
        assert isinstance(self.app, Service)
        self._furnish()
        self.calls = sorted(self._calls(), key=_order)

    def _furnish(self) -> None:
        """Give the lesson everything a lesson can have, all of it marked."""
        p, storage, folder = self.people, self.site.storage, self.site.settings.data
        (media := folder / "media").write_bytes(b"RIFF" + SECRET.encode())
        (document := folder / "observation").write_text(english_lesson().to_json(), "utf-8")
        sound, observation = storage.put(media), storage.put(document)
        with self.site.database.system("test: furnish") as session:
            lesson = session.exec(select(tables.Lesson)).one()
            recording = session.exec(select(tables.Recording)).one()
            run = session.exec(select(tables.Run)).one()
            consent = tables.Consent(
                school_id=p.far_school.id, covers=SECRET, created_by=p.teacher.id
            )
            session.add(consent)
            session.flush()
            lesson.title, lesson.topic, lesson.consent_id = SECRET, SECRET, consent.id
            lesson.subject, lesson.grade = SECRET, SECRET
            figure = session.exec(select(tables.Figure)).one()
            figure.name, figure.value = "teacher_share_of_speech", MEASURED
            recording.name, recording.sha256 = f"{SECRET}.wav", sound
            run.artefacts = {"observation.json": observation, "sound.opus": sound}
            run.ended, run.error = now(), {"en": SECRET, "zh": SECRET}
            share = tables.Share(lesson_id=lesson.id, user_id=p.leader.id, shared_by=p.teacher.id)
            hook = tables.Webhook(
                user_id=p.teacher.id, url=f"https://example.org/{HOOK}", secret="0" * 64
            )
            batch = tables.Batch(user_id=p.teacher.id, name=SECRET)
            token, _ = create_token(
                session, p.teacher.id, SECRET, scopes=frozenset({"read"}), days=None
            )
            _, writing = create_token(
                session, p.teacher.id, "uploads", scopes=frozenset({"write"}), days=None
            )
            session.add_all([lesson, figure, recording, run, share, hook, batch, token])
            membership = session.exec(
                select(tables.Membership).where(tables.Membership.user_id == p.teacher.id)
            ).one()
            self.ids = {
                "lesson": lesson.id,
                "run": run.id,
                "share": share.id,
                "token": token.id,
                "webhook": hook.id,
                "batch": batch.id,
                "consent": consent.id,
                "recording": recording.id,
                "user": p.teacher.id,
                "person": p.teacher.id,
                "membership": membership.id,
                "school": p.school.id,
                "district": p.district.id,
            }
            self.removable = [
                (type(row), row.model_dump())
                for row in (lesson, recording, run, share, hook, token)
            ]
        made = Sender(self.client(), writing).create(5, CONSENT | {"title": SECRET})
        self.ids["upload"] = made.headers["location"].rsplit("/", 1)[1]

    # -- requests out of descriptions

    def _calls(self) -> Iterator[Call]:
        schema = self.app.openapi()
        for route, item in schema["paths"].items():
            for method, operation in item.items():
                yield self._call(schema, method.upper(), route, operation)

    def _call(self, schema: Any, method: str, route: str, operation: Any) -> Call:
        query: dict[str, Any] = {}
        path = route
        for parameter in operation.get("parameters", []):
            name, wanted = parameter["name"], parameter["schema"]
            if parameter["in"] == "path":
                path = path.replace(f"{{{name}}}", str(self._value(schema, name, wanted)))
            elif parameter["in"] == "query" and parameter.get("required"):
                query[name] = self._value(schema, name, wanted)
        form = document = None
        for kind, content in operation.get("requestBody", {}).get("content", {}).items():
            value = self._sample(schema, content["schema"])
            if kind == "application/json":
                document = value
            elif "form" in kind:
                form = value
        filled = self._filled(f"{method} {route}")
        form = form | filled if form is not None else None
        document = document | filled if isinstance(document, dict) else document
        named = re.findall(r"{(\w+?)(?:_id)?}", route)
        secret = bool({"lesson", "run", "share", "upload"} & set(named))
        return Call(method, route, path, query, form, document, secret)

    def _filled(self, call: str) -> dict[str, str]:
        """Fields whose meaning the description does not tell."""
        school = f"school:{self.ids['school']}"
        return {
            "POST /api/v1/lessons": {"consent": "三（2）班家长"},
            "POST /api/v1/webhooks": {"url": "https://example.org/another"},
            "POST /administration/people": {"where": school},
            "POST /administration/people/{user_id}/memberships/add": {"where": school},
            "POST /administration/schools/{school_id}": {"name": "renamed"},
            "POST /lessons/{lesson_id}": {"teacher_id": self.ids["user"]},
            "POST /lessons/{lesson_id}/shares": {"to": f"person:{self.people.colleague.id}"},
        }.get(call, {})

    def _value(self, schema: Any, name: str, wanted: Any) -> Any:
        """An identifier of the teacher's where the name is one, else a sample."""
        known = name.removesuffix("_ids").removesuffix("_id")
        if known in self.ids and self._plain(schema, wanted) in {"string", "array"}:
            value = self.ids[known]
            return [value] if self._plain(schema, wanted) == "array" else value
        return self._sample(schema, wanted)

    def _plain(self, schema: Any, wanted: Any) -> str:
        wanted = self._resolved(schema, wanted)
        return "enum" if "enum" in wanted or "const" in wanted else str(wanted.get("type"))

    def _resolved(self, schema: Any, wanted: Any) -> Any:
        if "$ref" in wanted:
            return schema["components"]["schemas"][wanted["$ref"].rsplit("/", 1)[1]]
        for several in ("anyOf", "oneOf", "allOf"):
            if several in wanted:
                return self._resolved(schema, wanted[several][0])
        return wanted

    def _sample(self, schema: Any, wanted: Any) -> Any:
        """A value that satisfies a JSON schema, of the kinds that the routes use."""
        wanted = self._resolved(schema, wanted)
        if "const" in wanted or "enum" in wanted:
            return wanted.get("const", wanted.get("enum", [None])[0])
        match wanted.get("type"):
            case "object":
                needed = wanted.get("required") or list(wanted.get("properties", {}))[:1]
                return {n: self._value(schema, n, wanted["properties"][n]) for n in needed}
            case "array":
                return [self._sample(schema, wanted["items"])]
            case "integer" | "number":
                return max(1, wanted.get("minimum", 1))
            case "boolean":
                return True
        return _text(wanted)

    # -- what is there

    def client(self, user_id: str = "", token: str = "") -> TestClient:
        client = TestClient(
            self.app,
            base_url=self.site.settings.public_url,
            follow_redirects=False,
            raise_server_exceptions=False,
        )
        client.headers["sec-fetch-site"] = "same-origin"
        if user_id:
            client.cookies.set(SESSION_COOKIE, cookie_of(self.site, user_id))
        if token:
            client.headers["authorization"] = f"Bearer {token}"
        return client

    def mend(self) -> None:
        """Put back what was removed: several routes remove the same thing."""
        with self.site.database.system("test: mend") as session:
            for kind, data in self.removable:
                if session.get(kind, data["id"]) is None:
                    session.add(kind(**data))
                    session.flush()

    def rows(self) -> dict[str, Any]:
        """Everything that is kept, but what an administrator's change of retention moves."""
        found: dict[str, Any] = {}
        with self.site.database.system("test: what is there") as session:
            for kind in KEPT:
                for row in session.exec(select(kind)).all():
                    left = {"used", "expires"} & set(kind.model_fields)
                    mine = _belongs(row, self.ids)
                    if mine:
                        found[f"{kind.__name__} {row.id}"] = row.model_dump(exclude=left)
        return found


def _order(call: Call) -> tuple[bool, bool, str, str]:
    """People and schools are changed last, and before them nothing is deleted but at the end."""
    end = call.method == "DELETE" or call.route.endswith("/delete")
    return ("/administration" in call.route, end, call.route, call.method)


def _belongs(row: SQLModel, ids: dict[str, str]) -> bool:
    """Whether a row is the lesson's or the teacher's."""
    values = set(row.model_dump(include={"id", "lesson_id", "run_id", "user_id"}).values())
    return bool(values & {ids["lesson"], ids["run"], ids["user"], ids["consent"]})


def _text(wanted: Any) -> str:
    if wanted.get("format") == "date":
        return "2026-11-22"
    if wanted.get("format") == "uri":
        return "https://example.org/hook"
    choice = re.fullmatch(r"\^\((.*)\)\$", wanted.get("pattern", ""))
    return choice[1].split("|")[0] if choice else "x" * max(1, wanted.get("minLength", 1))


def said(answer: httpx2.Response) -> str:
    """Status and message, without the page around it."""
    main = re.search(r"<main.*?</main>", answer.text, re.DOTALL)
    text = re.sub(r"<[^>]*>", " ", main[0]) if main else answer.text
    return f"{answer.status_code} {' '.join(text.split())[:200]}"


@pytest.fixture
def house(
    tmp_path: Path, database: Database, people: People, monkeypatch: pytest.MonkeyPatch
) -> House:
    """With every route in the description, pages too."""
    for name in MODULES:
        if find_spec(f"api.routes.{name}"):
            router = import_module(f"api.routes.{name}").router
            monkeypatch.setattr(router, "include_in_schema", True)
            for route in router.routes:
                monkeypatch.setattr(route, "include_in_schema", True)
    site = site_in(tmp_path, database)
    site.jobs.prepare()
    return House(site, people)


def learnt(house: House, call: Call, answer: httpx2.Response) -> list[str]:
    """What an answer gives away of the lesson."""
    body = answer.text
    told = [what for what in ("lesson", "run", "upload", "token") if house.ids[what] in body]
    echoed = call.path + str(call.query) + str(call.form) + str(call.document)
    told = [what for what in told if house.ids[what] not in echoed]
    if call.route.endswith("/audit"):
        told = []  # identifiers are what the audit is made of; what they name is not in it
    marks = [SECRET, HOOK]
    if call.route == "/overview":  # elsewhere it may be the share of a disk
        marks.append(f"{100 * MEASURED:.0f}%")
    # no part of a moment's seconds, and not 0f86 of a request's name
    measured = re.findall(r"(?<!\d)" + re.escape(f"{MEASURED:.2f}"), body)
    return told + measured + [mark for mark in marks if mark in body]


def test_every_route_is_walked(house: House) -> None:
    """The description has all routes but itself; a route that hid would go unwalked."""
    walked = {(c.method, c.route) for c in house.calls}
    there = {
        (method, context.path)
        for context in iter_route_contexts(house.app.routes)
        if context.methods and context.path != house.app.openapi_url
        for method in context.methods
    }
    assert walked == there
    assert len(there) > 50


def test_nobody_else_learns_or_changes_anything(house: House) -> None:
    with house.site.database.system("test") as session:
        _, reading = create_token(
            session, house.people.stranger.id, "t", scopes=frozenset({"read"}), days=None
        )
    askers = {name: house.client(house.people.users()[name].id) for name in STRANGERS}
    askers |= {
        "nobody": house.client(),
        "forged token": house.client(token="obs_forged"),
        "stranger's token": house.client(token=reading),
    }
    before = house.rows()
    wrong = []
    for name, client in askers.items():
        cookie = client.cookies.get(SESSION_COOKIE)
        for call in house.calls:
            answer = call.send(client)
            if answer.status_code >= 500:
                wrong.append(f"{name}: {call} → {said(answer)}")
            if told := learnt(house, call, answer):
                wrong.append(f"{name}: {call} → {answer.status_code} tells {told}")
            led_away = answer.headers.get("location", "").startswith("/sign-in")
            if call.secret and answer.status_code not in UNSEEN and not led_away:
                wrong.append(f"{name}: {call} → {answer.status_code}")
            if cookie and client.cookies.get(SESSION_COOKIE) != cookie:  # it signed itself out
                client.cookies.clear()
                cookie = cookie_of(house.site, house.people.users()[name].id)
                client.cookies.set(SESSION_COOKIE, cookie)
    assert not wrong, "\n".join(wrong)
    assert house.rows() == before


def test_whom_it_is_shared_with_reads_and_changes_nothing(house: House) -> None:
    """So does the teacher's own token that may only read."""
    with house.site.database.system("test") as session:
        _, reading = create_token(
            session, house.people.teacher.id, "t", scopes=frozenset({"read"}), days=None
        )
    before = house.rows()
    reader = house.client(house.people.leader.id)
    for client in (reader, house.client(token=reading)):
        for call in house.calls:
            if call.route not in {"/sign-out", "/account/tokens"}:
                answer = call.send(client)
                assert answer.status_code < 500, f"{call} → {said(answer)}"
    assert house.rows() == before
    assert SECRET in reader.get(f"/lessons/{house.ids['lesson']}").text
    media = reader.get(f"/api/v1/lessons/{house.ids['lesson']}/media")
    assert SECRET.encode() in media.content


OF_GROUPS = ("/overview", "/aggregates", "/aggregates.csv")
"""For those who lead a school, not for those who teach there."""
VAIN = {
    "POST /sign-in": "the password is made up",
    "POST /invitation/{token}": "the link is made up",
    "GET /invitation/{token}": "the link is made up",
    "GET /sign-in/oidc": "no provider is set up",
    "GET /sign-in/oidc/return": "no provider is set up",
    "POST /account/password": "the old password is made up",
    "GET /metrics": "asked from an address that may not",
    "GET /program/{name}": "the name, which changes with the content, is made up",
    "POST /api/v1/runs/{run_id}/retry": "the run has not failed",
}
"""What nobody can do here, and why."""


def test_the_walk_is_not_in_vain(house: House) -> None:
    """The same requests are carried out for whom they are meant: what is refused above is refused
    for who asks, not for how. Without this a misspelt request would pass every test."""
    p = house.people
    owner, boss, head = (house.client(u.id) for u in (p.teacher, p.administrator, p.leader))
    in_vain = []
    for call in house.calls:
        if "/administration" not in call.route:
            house.mend()
        client = boss if call.route.startswith("/administration") else owner
        client = head if call.route.endswith(OF_GROUPS) else client
        answer = call.send(client)
        if answer.status_code >= 400 and str(call) not in VAIN:
            in_vain.append(f"{call} → {said(answer)}")
        if call.route == "/sign-out":
            owner.cookies.set(SESSION_COOKIE, cookie_of(house.site, house.people.teacher.id))
    assert not in_vain, "\n".join(in_vain)
