"""The interface for programs: what a script does in a day, and that its description is true."""

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance
from starlette.testclient import TestClient

from api.app import create_app
from api.auth import create_token
from api.deps import Site
from tests.service_factory import People
from tests.service_site import client_of

LESSON = {
    "title": "三角形的面积",
    "subject": "数学",
    "consent": "家长同意书",
    "lesson_type": "公开课",
}


@pytest.fixture
def teacher(site: Site, there: People) -> Iterator[TestClient]:
    with client_of(site, user_id=there.teacher.id) as client:
        yield client


def test_a_lesson_is_made_once_however_often_it_is_asked_for(teacher: TestClient) -> None:
    key = {"Idempotency-Key": "lesson-1"}
    first = teacher.post("/api/v1/lessons", json=LESSON, headers=key)
    assert first.status_code == 201, first.text
    again = teacher.post("/api/v1/lessons", json=LESSON, headers=key)
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
    found = teacher.get("/api/v1/lessons", params={"q": "三角形的面积"}).json()["items"]
    assert [row["id"] for row in found] == [first.json()["id"]]
    other = teacher.post("/api/v1/lessons", json={**LESSON, "title": "圆"}, headers=key)
    assert other.status_code == 422  # the same key with another request is a mistake
    assert other.headers["content-type"] == "application/problem+json"


def test_problems_are_told_in_the_callers_language(site: Site, there: People) -> None:
    with client_of(site, user_id=there.stranger.id) as client:
        refused = client.get(f"/api/v1/lessons/{there.lesson.id}")
    assert refused.status_code == 404  # as if it were not there
    assert refused.json()["title"] in ("没有找到内容", "Nothing here")


def test_a_list_comes_in_parts_that_miss_and_repeat_nothing(teacher: TestClient) -> None:
    made = [
        teacher.post("/api/v1/lessons", json={**LESSON, "title": f"第{n}课"}).json()["id"]
        for n in range(5)
    ]
    seen: list[str] = []
    after: str | None = None
    while True:
        query = {"limit": 2} | ({"after": after} if after else {})
        part = teacher.get("/api/v1/lessons", params=query).json()
        seen += [row["id"] for row in part["items"]]
        after = part["next"]
        if after is None:
            break
    assert len(seen) == len(set(seen)) == 6  # five, and the one of the factory
    assert [i for i in seen if i in made] == made[::-1]  # newest first


def test_a_run_is_ordered_cancelled_and_tried_again(teacher: TestClient, there: People) -> None:
    lesson = teacher.post("/api/v1/lessons", json=LESSON).json()["id"]
    run = teacher.post(f"/api/v1/lessons/{lesson}/runs", json={}).json()
    assert (run["state"], run["queue_place"]) == ("queued", 1)
    cancelled = teacher.post(f"/api/v1/runs/{run['id']}/cancel").json()
    assert cancelled["state"] == "cancelled"
    again = teacher.post(f"/api/v1/runs/{run['id']}/retry")
    assert again.status_code == 201
    assert again.json()["id"] != run["id"]
    refused = teacher.post(f"/api/v1/runs/{again.json()['id']}/retry")
    assert refused.status_code == 409  # it waits, there is nothing to try again


def test_a_teacher_shares_and_takes_back(site: Site, there: People, teacher: TestClient) -> None:
    shares = f"/api/v1/lessons/{there.lesson.id}/shares"
    assert teacher.post(shares, json={}).status_code == 422  # nobody named
    made = teacher.post(shares, json={"user_id": there.outsider.id})
    assert made.status_code == 201, made.text
    with client_of(site, user_id=there.outsider.id) as reader:
        seen = reader.get(f"/api/v1/lessons/{there.lesson.id}")
        assert seen.status_code == 200
        assert seen.json()["writable"] is False
        assert reader.delete(f"/api/v1/lessons/{there.lesson.id}").status_code == 404
        assert teacher.delete(f"{shares}/{made.json()['id']}").status_code == 204
        assert reader.get(f"/api/v1/lessons/{there.lesson.id}").status_code == 404


def test_what_was_measured_comes_with_its_interval(teacher: TestClient, there: People) -> None:
    found = teacher.get(f"/api/v1/lessons/{there.lesson.id}/indicators").json()
    assert found["lesson_id"] == there.lesson.id
    for row in found["indicators"]:
        assert set(row) == {"name", "value", "unit", "low", "high", "n"}


def test_a_token_with_read_alone_changes_nothing(site: Site, there: People) -> None:
    with site.database.system("test") as session:
        _, text = create_token(
            session, there.teacher.id, "script", scopes=frozenset({"read"}), days=1
        )
    bearer = {"Authorization": f"Bearer {text}"}
    with TestClient(create_app(site.settings, site=site)) as client:
        assert client.get("/api/v1/me", headers=bearer).json()["scopes"] == ["read"]
        assert client.post("/api/v1/lessons", json=LESSON, headers=bearer).status_code == 403
        own = client.get(f"/api/v1/lessons/{there.lesson.id}", headers=bearer)
        assert own.json()["writable"] is False


def test_the_description_is_true(site: Site, there: People) -> None:
    """schemathesis makes up requests for every operation and holds the answers to OpenAPI."""
    with site.database.system("test") as session:
        _, text = create_token(
            session, there.teacher.id, "fuzz", scopes=frozenset({"read", "write"}), days=1
        )
    app = create_app(site.settings, site=site)
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", app)
    parts = ("lessons", "runs/{run_id}", "me", "tokens", "webhooks", "schools", "people", "audit")
    parts += ("aggregates",)  # refused to a teacher here; as a leader: test_overview
    operations = [
        found.ok()
        for found in schema.get_all_operations()
        if found.ok().path.removeprefix("/api/v1/").startswith(parts)
        and not found.ok().path.endswith(("/events", "/media", "/sound.opus", "/export"))
    ]
    assert len(operations) >= 20
    for operation in operations:

        @settings(
            max_examples=8,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @_given(operation)
        def check(case: schemathesis.Case) -> None:
            case.call_and_validate(
                headers={"Authorization": f"Bearer {text}"},
                # Some rules are more than a schema can say: whose consent, exactly one receiver.
                excluded_checks=[positive_data_acceptance],
            )

        check()


def _given(operation: object) -> object:
    from hypothesis import given

    return given(operation.as_strategy())  # type: ignore[attr-defined]
