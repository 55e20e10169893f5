"""What every request passes and every answer carries."""

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
import structlog
from starlette.testclient import TestClient

from api.answers import preferred
from api.app import Service, create_app
from api.db import Database
from api.deps import Site
from api.invitations import invite
from api.problems import LimitError
from api.routes.account import browser
from api.routes.signing import local
from api.security import BODY_LIMIT, HEADERS, POLICY
from tests.service_site import PASSWORD, client_of, person, site_in


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = site_in(tmp_path)
    yield made
    made.database.close()


def app_of(client: TestClient) -> Service:
    assert isinstance(client.app, Service)
    return client.app


# --- headers


@pytest.mark.parametrize("path", ["/sign-in", "/", "/nothing", "/api/v1/nothing", "/defect"])
def test_every_answer_carries_the_headers(site: Site, path: str) -> None:
    """Pages, redirections, errors, and the page about a defect of ours."""
    app = create_app(site.settings, site=site)

    @app.get("/defect")
    def defect() -> None:
        raise ZeroDivisionError("秘密")

    client = TestClient(app, follow_redirects=False, raise_server_exceptions=False)
    answer = client.get(path, headers={"accept": "text/html"})
    assert answer.headers.items() >= HEADERS.items()
    assert len(answer.headers["x-request-id"]) == 32
    assert "strict-transport-security" not in answer.headers
    assert "秘密" not in answer.text


def test_scripts_and_styles_come_from_us_alone() -> None:
    assert "unsafe" not in POLICY
    assert "*" not in POLICY
    assert "script-src 'self';" in POLICY


def test_https_is_remembered_and_makes_cookies_secure(tmp_path: Path) -> None:
    site = site_in(tmp_path, public_url="https://observer.example.edu/")
    person(site, "chen")
    answer = client_of(site).post("/sign-in", data={"login": "chen", "password": PASSWORD})
    assert answer.headers["strict-transport-security"] == "max-age=31536000"
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("observer_session=")
    assert {"HttpOnly", "Path=/", "SameSite=lax", "Secure"} <= set(cookie.split("; "))
    site.database.close()


def test_a_static_file_may_be_kept_when_its_address_names_its_version(site: Site) -> None:
    client = client_of(site)
    assert "immutable" in client.get("/static/service.css?v=0123").headers["cache-control"]
    assert client.get("/static/service.css").headers["cache-control"] == "public, no-cache"
    for outside in ("/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py"):
        assert client.get(outside).status_code == 404


# --- the same origin


@pytest.mark.parametrize(
    ("headers", "fine"),
    [
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "none"}, True),  # typed by the person
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "same-site"}, False),  # another host of the school
        ({"sec-fetch-site": "cross-site", "origin": "http://127.0.0.1:8000"}, False),
        ({"origin": "http://127.0.0.1:8000"}, True),
        ({"origin": "http://127.0.0.1:8001"}, False),
        ({"origin": "https://evil.example"}, False),
        ({"origin": "null"}, False),
        ({}, False),  # a cookie, and no word of where it comes from
    ],
)
def test_changes_come_from_our_own_pages(site: Site, headers: dict[str, str], fine: bool) -> None:
    person(site, "chen")
    client = client_of(site, "chen")
    del client.headers["sec-fetch-site"]
    answer = client.post("/account/tokens", data={"name": "x"}, headers=headers)
    assert answer.status_code == (200 if fine else 403)


def test_scripts_without_a_cookie_need_no_origin_and_tokens_neither(site: Site) -> None:
    client = client_of(site)
    del client.headers["sec-fetch-site"]
    wrong = client.post("/sign-in", data={"login": "a", "password": "b"})
    assert wrong.status_code == 401
    bearer = {"authorization": "Bearer obs_x", "sec-fetch-site": "cross-site"}
    bearer["tus-resumable"] = "1.0.0"
    assert client.post("/api/v1/uploads", headers=bearer).status_code == 401


def test_a_token_beside_a_cookie_is_the_one_that_counts(site: Site) -> None:
    """Else a forged Authorization header would carry the cookie past the check of the origin."""
    person(site, "chen")
    client = client_of(site, "chen")
    answer = client.get("/account", headers={"authorization": "Bearer obs_forged"})
    assert answer.status_code == 303


def test_no_other_site_may_read_answers(site: Site) -> None:
    answer = client_of(site).get("/sign-in", headers={"origin": "https://evil.example"})
    assert not [h for h in answer.headers if h.startswith("access-control-")]


# --- size


def test_a_long_body_is_refused_before_it_is_read(site: Site) -> None:
    client = client_of(site)
    for content in (b"x" * (BODY_LIMIT + 1), iter([b"x" * 65536] * 17)):  # stated, and in pieces
        answer = client.post("/sign-in", content=content, headers={"accept": "application/json"})
        assert answer.status_code == 413
        assert answer.json()["type"] == "urn:observer:problem:limit"
        assert answer.headers["content-security-policy"] == POLICY


def test_a_body_in_pieces_arrives_whole(site: Site) -> None:
    person(site, "chen", password="river running slow")
    form = {"content-type": "application/x-www-form-urlencoded"}
    pieces = iter([b"login=chen&pass", b"word=river+running+slow"])
    assert client_of(site).post("/sign-in", content=pieces, headers=form).status_code == 303


# --- the log


def test_the_log_tells_no_person_and_no_secret(site: Site) -> None:
    user_id = person(site, "chen", name="陈老师")
    client = client_of(site, "chen")
    with site.database.system("test") as session:
        link = invite(session, user_id)
    with structlog.testing.capture_logs() as lines:
        client.get(link)
        client.get("/sign-in?next=/lessons/陈老师")
        client.post("/sign-in", data={"login": "chen", "password": "wrong wrong wrong"})
    text = json.dumps(lines, ensure_ascii=False)
    assert [line["route"] for line in lines] == ["/invitation/{token}", "/sign-in", "/sign-in"]
    assert [line["status"] for line in lines] == [200, 200, 401]
    for personal in ("chen", "陈", link.rsplit("/", 1)[1], "wrong", "testclient", user_id):
        assert personal not in text
    assert all(len(line["request_id"]) == 32 for line in lines)


def test_the_log_names_routes_with_their_prefix(site: Site) -> None:
    with structlog.testing.capture_logs() as lines:
        client_of(site).get("/api/v1/lessons/0123/media")
    assert lines[0]["route"] == "/api/v1/lessons/{lesson_id}/media"


def test_a_proxys_request_id_is_kept_when_harmless(site: Site) -> None:
    client = client_of(site)
    for given, kept in (("abcd-1234", True), ('x" onload="', False), ("a" * 65, False)):
        answer = client.get("/sign-in", headers={"x-request-id": given})
        assert (answer.headers["x-request-id"] == given) is kept


def test_log_lines_are_json_with_chinese_as_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from api.app import log_as_json

    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    monkeypatch.setattr(logging.getLogger("uvicorn.access"), "disabled", False)
    try:
        log_as_json()
        structlog.get_logger("observer.test").info("完成", runs=2)
        logging.getLogger("other").warning("%s ways", 2)
    finally:
        structlog.reset_defaults()
    mine, other = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert mine.items() >= {"event": "完成", "runs": 2, "level": "info"}.items()
    assert other.items() >= {"event": "2 ways", "logger": "other", "level": "warning"}.items()


# --- errors


def test_errors_are_told_to_programs_and_people_in_their_language(site: Site) -> None:
    client = client_of(site)
    program = {"accept": "application/json", "accept-language": "zh-CN,zh;q=0.9,en;q=0.5"}
    told = client.get("/api/v1/lessons/0/media", headers=program)
    assert told.status_code == 401
    assert told.headers["content-type"] == "application/problem+json"
    assert told.headers["content-language"] == "zh"
    assert told.json()["title"] == "请先登录"
    assert told.json()["request_id"] == told.headers["x-request-id"]
    page = client.get("/nothing")
    assert page.status_code == 404
    assert "Nothing here" in page.text


def test_a_person_is_led_to_signing_in_and_back(site: Site) -> None:
    person(site, "chen")
    client = client_of(site)
    there = client.get("/account?done=x").headers["location"]
    assert there == "/sign-in?next=%2Faccount%3Fdone%3Dx"
    form = client.get(there).text
    assert 'name="next" value="/account?done=x"' in form
    sent = {"login": "chen", "password": PASSWORD, "next": "/account?done=x"}
    assert client.post("/sign-in", data=sent).headers["location"] == "/account?done=x"


@pytest.mark.parametrize(
    "address",
    ["https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil", "/\t/evil", "x", ""],
)
def test_after_signing_in_nobody_is_sent_elsewhere(address: str) -> None:
    assert local(address) == "/"


@pytest.mark.parametrize("login", ["chen\0", "\0", "\ud800", "x" * 300, "𠮷" * 300])
def test_texts_that_cannot_be_stored_are_no_defect_of_ours(
    tmp_path: Path, database: Database, login: str
) -> None:
    """PostgreSQL refuses U+0000, UTF-8 half a surrogate pair."""
    site = site_in(tmp_path, database)
    form = "login=" + quote(login, errors="surrogatepass") + "&password=a%00b"
    kind = {"content-type": "application/x-www-form-urlencoded"}
    assert client_of(site).post("/sign-in", content=form, headers=kind).status_code in {401, 422}
    assert client_of(site).get("/invitation/%00%ed%a0%80").status_code == 404
    bearer = {"authorization": b"Bearer obs_\xff\xfe"}
    assert client_of(site).get("/account", headers=bearer).status_code == 303


def test_a_database_that_is_away_is_told(tmp_path: Path) -> None:
    site = site_in(tmp_path)
    away = replace(site, database=Database("postgresql://observer@127.0.0.1:9/observer"))
    answer = client_of(away).post("/sign-in", data={"login": "chen", "password": PASSWORD})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "does not answer" in answer.text
    site.database.close()


def test_a_limit_says_when_to_come_back(site: Site) -> None:
    app = create_app(site.settings, site=site)

    @app.get("/api/v1/busy")
    def busy() -> None:
        raise LimitError(en="busy", zh="忙", status=429, retry_after=7)

    answer = TestClient(app).get("/api/v1/busy")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "zh"),
        ("en-US,en;q=0.9", "en"),
        ("fr, en;q=0.2, zh-TW;q=0.8", "zh"),
        ("zh;q=0.1,en;q=0.2", "en"),
        ("en;q=nonsense", "zh"),
        ("en;q=0", "zh"),
    ],
)
def test_the_preferred_language(accepted: str, language: str) -> None:
    assert preferred(accepted) == language


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
            " Chrome/140.0 Safari/537.36 Edg/140.0",
            "Edge · Windows",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15"
            " (KHTML, like Gecko) Mobile/15E148 MicroMessenger/8.0.60",
            "WeChat · iPhone",
        ),
        (
            "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            "Firefox · Linux",
        ),
        ("curl/8.5.0", "curl/8.5.0"),
        ("", ""),
    ],
)
def test_a_browser_is_told_by_the_name_people_know(agent: str, name: str) -> None:
    assert browser(agent) == name
