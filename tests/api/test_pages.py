"""The pages: whole in both languages, for every role, closed to those they are not for."""

import re
import wave
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlmodel import select
from starlette.testclient import TestClient

from api.access import actor_of
from api.columns import now
from api.deps import Site
from api.lesson_filters import Filters, choices
from api.lesson_lists import desk, matching
from api.object_storage import ObjectStorage
from api.pages import day, filled, moment, page_texts, query, size_text
from api.routes.media import byte_range
from api.tables import AuditEntry, Lesson, Recording, Run, Share, User
from tests.furnished import REPORTED, Furnished, furnish
from tests.service_site import client_of, site_in

TEMPLATES = Path(__file__).parents[2] / "api" / "templates" / "service"
EVERYBODY = ("/", "/lessons", "/lessons?q=x&type=public&round=2&page=7", "/upload", "/people")
ADMINISTRATION = tuple(
    "/administration" + page for page in ("", "/people", "/schools", "/work", "/storage", "/audit")
)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Furnished]:
    """One furnished service, for tests that change nothing that another looks at."""
    folder = tmp_path_factory.mktemp("service")
    site = site_in(folder)
    site.jobs.prepare()
    recording = folder / "lesson.wav"
    with wave.open(str(recording), "wb") as out:
        out.setparams((1, 1, 8000, 0, "NONE", ""))
        out.writeframes(bytes(8000 * 8))
    yield furnish(site, recording)
    site.jobs.close()
    site.database.close()


def client(full: Furnished, who: str) -> TestClient:
    return client_of(full.site, user_id=full.people.users()[who].id)


# --- moments


@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        (UTC, "2026-11-21 20:30 UTC"),
        (timezone(timedelta(hours=8)), "2026-11-22 04:30 UTC+8"),
        (timezone(timedelta(hours=5, minutes=45)), "2026-11-22 02:15 UTC+5:45"),
        (timezone(-timedelta(hours=3, minutes=30)), "2026-11-21 17:00 UTC-3:30"),
    ],
)
def test_a_moment_names_its_zone_and_tells_the_exact_time(zone: timezone, shown: str) -> None:
    """20:30 in Greenwich is half past four of the next day in Beijing."""
    at = datetime(2026, 11, 21, 20, 30, 59, tzinfo=UTC)
    assert moment(at, zone) == f'<time datetime="2026-11-21T20:30:59+00:00">{shown}</time>'
    assert moment(at.astimezone(timezone(timedelta(hours=9))), zone) == moment(at, zone)
    assert moment(None) == "—"


def test_a_date_is_everybodys_and_the_day_of_a_moment_is_not() -> None:
    assert day(date(2026, 11, 22)) == "2026-11-22"
    assert day(None) == "—"
    noon = datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert re.fullmatch(
        r'<time datetime="2026-11-22T12:00:00\+00:00" data-day>2026-11-2[23]</time>', day(noon)
    )


def test_what_stands_beside_a_moment_is_escaped() -> None:
    shown = filled("{name} & until {until}", name="<b>", until=moment(now(), UTC))
    assert shown.startswith('&lt;b&gt; &amp; until <time datetime="')


def test_no_template_writes_a_moment_by_itself(full: Furnished) -> None:
    """Whatever a page shows of a clock is in a <time> that time.js finds."""
    for who, paths in (
        ("teacher", (*EVERYBODY, f"/lessons/{full.lesson.id}", "/account")),
        ("administrator", ADMINISTRATION),
    ):
        with client(full, who) as window:
            for path in paths:
                page = re.sub(r"<time datetime=\"[^>]*>[^<]*</time>", "", window.get(path).text)
                assert not re.search(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d", page), path


# --- texts


def test_both_languages_have_the_same_texts_with_the_same_gaps() -> None:
    zh, en = page_texts("zh").entries, page_texts("en").entries
    assert zh.keys() == en.keys()
    for key, text in zh.items():
        assert set(re.findall(r"{\w+}", text)) == set(re.findall(r"{\w+}", en[key])), key
        assert text.strip(), key


def test_every_text_that_a_template_names_is_there() -> None:
    named: set[str] = set()
    for template in TEMPLATES.rglob("*.j2"):
        named |= set(re.findall(r"\bt\(\"([\w.-]+)\"[,)]", template.read_text(encoding="utf-8")))
    assert len(named) > 150
    assert named <= page_texts("zh").entries.keys()


def test_every_action_in_the_audit_log_has_its_words() -> None:
    """`record(session, "lesson.read", …)`; two are put together from the form's address."""
    api = Path(__file__).parents[2] / "api"
    source = "".join(f.read_text(encoding="utf-8") for f in api.rglob("*.py"))
    written = set(re.findall(r"\brecord\(\s*\w+,\s*\"([a-z_]+\.[a-z_]+)\"", source))
    written |= {"run.cancel", "run.retry", "person.activate", "person.deactivate"}
    assert {"lesson.read", "session.create", "recording.create"} <= written
    assert {f"action.{a}" for a in written} <= page_texts("zh").entries.keys()


def test_templates_hold_no_inline_script_style_or_handler() -> None:
    """`script-src 'self'` would refuse them."""
    for template in TEMPLATES.rglob("*.j2"):
        text = template.read_text(encoding="utf-8")
        assert not re.search(
            r"<script(?![^>]*(src=|application/json))|<style|\sstyle=|\son\w+=", text
        )


# --- every page, every role


@pytest.mark.parametrize("who", ["teacher", "leader", "staff", "stranger", "administrator"])
def test_pages_open_in_both_languages(full: Furnished, who: str) -> None:
    browser = client(full, who)
    pages = EVERYBODY + (ADMINISTRATION if who == "administrator" else ())
    for language, tag in (("zh", "zh-CN"), ("en", "en")):
        browser.post("/language", data={"language": language})
        for page in pages:
            answer = browser.get(page)
            assert answer.status_code == 200, (page, answer.text[:500])
            assert f'<html lang="{tag}">' in answer.text


def test_administration_is_for_administrators(full: Furnished) -> None:
    for page in ADMINISTRATION:
        assert client(full, "teacher").get(page).status_code == 403


def test_an_unshared_lesson_is_not_there_for_others(full: Furnished) -> None:
    """Shared with the colleague alone; the administrator runs the place and sees no lesson."""
    place = f"/lessons/{full.lesson.id}"
    media = f"/api/v1{place}/media"
    for who in ("stranger", "leader", "staff", "administrator", "outsider"):
        browser = client(full, who)
        for page in (place, f"{place}/report"):
            assert browser.get(page).status_code == 404, (who, page)
        assert browser.get(media).status_code == 404
        assert browser.post(f"{place}/delete").status_code == 404
        assert REPORTED not in browser.get("/lessons").text
    browser = client(full, "colleague")
    shown = browser.get(place)
    assert shown.status_code == 200
    # reading is not writing: no form that changes, and no answer to one
    assert f'action="{place}/delete"' not in shown.text
    assert browser.post(place, data={"title": "x"}).status_code == 403
    assert browser.post(f"{place}/shares", data={"to": "school:x"}).status_code == 403


def test_administration_names_no_lesson(full: Furnished) -> None:
    browser = client(full, "administrator")
    for page in ADMINISTRATION:
        text = browser.get(page).text
        assert REPORTED not in text
        assert "草船借箭" not in text


# --- lists


def test_what_the_filters_offer_goes_with_a_share(full: Furnished) -> None:
    """The colleague sees one lesson of the teacher's; without the share not even its subject,
    though choices are kept for a minute."""
    place = f"/lessons/{full.lesson.id}"
    colleague, teacher = client(full, "colleague"), client(full, "teacher")
    assert f'<option value="{full.lesson.subject}"' in colleague.get("/lessons").text
    with full.site.database.system("test: the share") as session:
        shares = session.exec(select(Share).where(Share.lesson_id == full.lesson.id)).all()
        ids, to = [s.id for s in shares], [s.user_id for s in shares]
    for share in ids:
        assert teacher.post(f"{place}/shares/{share}/end").status_code == 303
    try:
        assert f'<option value="{full.lesson.subject}"' not in colleague.get("/lessons").text
    finally:
        for person in to:
            teacher.post(f"{place}/shares", data={"to": f"person:{person}"})
    assert f'<option value="{full.lesson.subject}"' in colleague.get("/lessons").text


def test_filters_find_what_they_say(full: Furnished) -> None:
    """Six lessons: two done, one waiting, one at work, one failed, one never observed."""
    with full.site.database.system("test: an actor") as session:
        teacher = session.exec(select(User).where(User.id == full.people.teacher.id)).one()
        me = actor_of(session, teacher)
    with full.site.database.session(me) as session:

        def titles(**wanted: str) -> set[str]:
            rows, total = matching(session, me, Filters.of(wanted), 1, choices(session, me))
            assert total == len(rows)
            return {row.lesson.title for row in rows}

        assert len(titles()) == 6
        assert titles(q="三角形") == {REPORTED}
        assert titles(q="100%_") == set()
        assert titles(state="open") == {"草船借箭", "Fractions on a number line"}
        assert titles(state="failed") == {"光合作用与呼吸作用的比较"}
        assert titles(state="none") == {"鸡兔同笼"}
        assert titles(state="done") == {REPORTED, full.people.lesson.title}
        assert titles(subject="数学", grade="四年级") == {REPORTED}
        assert titles(type="research", round="2") == {REPORTED}
        assert titles(since="2026-11-12", until="2026-11-13") == {
            "光合作用与呼吸作用的比较",
            "鸡兔同笼",
        }
        assert len(titles(since="not a date", round="many")) == 6
        found = desk(session, me)
        assert {r.lesson.title for r in found.working} == titles(state="open")
        assert [r.lesson.title for r in found.broken] == ["光合作用与呼吸作用的比较"]


def test_small_words() -> None:
    assert [size_text(n) for n in (0, 1023, 734003200, 8 * 1024**3)] == [
        "0 B", "1023 B", "700 MB", "8.0 GB",
    ]  # fmt: skip
    assert query({"q": "a b", "page": 3}, page="") == "?q=a+b"


# --- report and media


def test_the_reports_policy_stands_in_the_header_too(full: Furnished) -> None:
    browser = client(full, "teacher")
    answer = browser.get(f"/lessons/{full.lesson.id}/report")
    policy = answer.headers["content-security-policy"]
    assert policy.endswith("; frame-ancestors 'none'")
    assert "script-src 'sha256-" in policy
    assert "unsafe" not in policy
    assert f'href="/lessons/{full.lesson.id}"' in answer.text
    assert f'src="/api/v1/lessons/{full.lesson.id}/media"' in answer.text
    again = browser.get(
        f"/lessons/{full.lesson.id}/report", headers={"if-none-match": answer.headers["etag"]}
    )
    assert again.status_code == 304


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("bytes=0-99", (0, 100)),
        ("bytes=900-", (900, 1000)),
        ("bytes=-100", (900, 1000)),  # the last hundred
        ("bytes=-5000", (0, 1000)),
        ("bytes=990-2000", (990, 1000)),
        ("bytes=1000-", (1000, 1000)),  # outside: 416
        ("bytes=5-2", None),  # not a range: the whole file
        ("bytes=0-1,5-6", None),
        ("lines=1-2", None),
    ],
)
def test_byte_ranges_of_a_file_of_1000_bytes(header: str, found: tuple[int, int] | None) -> None:
    assert byte_range(header, 1000) == found


@pytest.mark.parametrize("remote", [False, True])
def test_media_seeks_from_disk_and_from_an_object_store(
    full: Furnished, tmp_path: Path, remote: bool
) -> None:
    site: Site = full.site
    if remote:
        store = ObjectStorage("memory:///")
        for sha in _addresses(full):
            copy = tmp_path / sha
            with site.storage.open(sha) as file:
                copy.write_bytes(file.read())
            store.put(copy)
        site = replace(site, storage=store)
    browser = client_of(site, user_id=full.people.teacher.id)
    place = f"/api/v1/lessons/{full.lesson.id}/media"
    whole = browser.get(place)
    assert whole.status_code == 200
    assert len(whole.content) == 8000 * 8 + 44
    part = browser.get(place, headers={"range": "bytes=40-47"})
    assert part.status_code == 206
    assert part.content == whole.content[40:48]
    assert part.headers["content-range"] == f"bytes 40-47/{8000 * 8 + 44}"
    assert browser.get(place, headers={"range": "bytes=99999999-"}).status_code == 416
    captions = browser.get(f"/api/v1/lessons/{full.lesson.id}/captions.vtt")
    assert captions.text.startswith("WEBVTT")
    assert captions.text.count("-->") == len(full.observation.transcript)


def _addresses(full: Furnished) -> list[str]:
    """Of the lesson's recording and its observation."""
    with full.site.database.system("test: the addresses of files") as session:
        wanted = select(Recording).where(Recording.lesson_id == full.lesson.id)
        run = session.exec(select(Run).where(Run.lesson_id == full.lesson.id)).one()
        return [session.exec(wanted).one().sha256, run.artefacts["observation.json"]]


# --- changing things


def test_a_share_opens_the_lesson_and_taking_it_back_closes_it(full: Furnished) -> None:
    teacher, leader = client(full, "teacher"), client(full, "leader")
    place = f"/lessons/{full.lesson.id}"
    answer = teacher.post(f"{place}/shares", data={"to": f"school:{full.people.school.id}"})
    assert answer.headers["location"] == f"{place}?done=share.create"
    assert leader.get(f"{place}/report").status_code == 200
    assert client(full, "outsider").get(place).status_code == 404
    with full.site.database.system("test: the share") as session:
        made = session.exec(select(Share).where(Share.school_id == full.people.school.id)).one()
        told = session.exec(select(AuditEntry).where(AuditEntry.object_id == made.id)).one()
        assert (told.action, told.actor_id) == ("share.create", full.people.teacher.id)
    # the uploader may not take back what the teacher gave
    assert client(full, "researcher").post(f"{place}/shares/{made.id}/end").status_code == 403
    teacher.post(f"{place}/shares/{made.id}/end")
    assert leader.get(place).status_code == 404
    # a school that is not the teacher's is not offered, and not taken
    other = f"school:{full.people.far_school.id}"
    assert teacher.post(f"{place}/shares", data={"to": other}).status_code == 404


def test_details_consent_and_deletion(full: Furnished) -> None:
    teacher = client(full, "teacher")
    with full.site.database.system("test: a lesson") as session:
        lesson = session.exec(select(Lesson).where(Lesson.title == "鸡兔同笼")).one()
    place = f"/lessons/{lesson.id}"
    said = {"title": " 鸡兔同笼（二） ", "held_on": "", "round": "3", "subject": "数学",
            "teacher_id": full.people.teacher.id}  # fmt: skip
    assert teacher.post(place, data=said).status_code == 303
    assert teacher.post(place, data={**said, "title": ""}).status_code == 422
    stranger = {**said, "teacher_id": full.people.stranger.id}
    assert teacher.post(place, data=stranger).status_code == 422
    teacher.post(f"{place}/consent", data={"covers": "全体监护人", "until": "2027-01-31"})
    shown = teacher.get(place).text
    assert "鸡兔同笼（二）" in shown
    assert "全体监护人" in shown
    assert "2027-01-31" in shown
    assert teacher.post(f"{place}/delete").headers["location"] == "/lessons?done=lesson.delete"
    assert teacher.get(place).status_code == 404


def test_hostile_words_stay_words(full: Furnished) -> None:
    teacher = client(full, "teacher")
    with full.site.database.system("test: a lesson") as session:
        lesson = session.exec(select(Lesson).where(Lesson.title == "草船借箭")).one()
    evil = "<img src=x onerror=alert(1)>\"'{{7*7}}"
    said = {"title": evil, "topic": evil, "teacher_id": full.people.teacher.id}
    teacher.post(f"/lessons/{lesson.id}", data=said)
    for page in ("/", "/lessons", f"/lessons/{lesson.id}"):
        text = teacher.get(page).text
        assert "&lt;img src=x" in text
        assert "<img" not in text
    teacher.post(f"/lessons/{lesson.id}", data={**said, "title": "草船借箭", "topic": ""})


# --- administration


def test_an_invited_person_gets_in_and_a_deactivated_one_is_out(full: Furnished) -> None:
    admin = client(full, "administrator")
    school = f"school:{full.people.school.id}"
    answer = admin.post(
        "/administration/people",
        data={"name": "新老师", "login": "New@example.org", "position": "teacher", "where": school},
    )
    link = re.search(r"http://[^<]*/invitation/([\w-]+)", answer.text)
    assert link is not None
    password = {"password": "a quiet green river", "again": "a quiet green river"}
    fresh = client_of(full.site)
    assert fresh.post(f"/invitation/{link[1]}", data=password).status_code == 303
    assert "第一小学" in fresh.get("/people").text
    with full.site.database.system("test: the person") as session:
        person = session.exec(select(User).where(User.login == "new@example.org")).one()
    assert link[1] not in admin.get("/administration/people").text
    admin.post(f"/administration/people/{person.id}/deactivate")
    assert fresh.get("/people").status_code == 303  # to the sign-in page
    own = f"/administration/people/{full.people.administrator.id}"
    assert admin.post(f"{own}/deactivate").status_code == 422


def test_schools_and_retention(full: Furnished) -> None:
    admin = client(full, "administrator")
    district = full.people.district.id
    new = {"name": "第四小学", "district": district, "retention_days": "30"}
    assert admin.post("/administration/schools", data=new).status_code == 303
    assert admin.post("/administration/schools", data=new).status_code == 409
    place = f"/administration/schools/{full.people.other_school.id}"
    admin.post(place, data={"name": "第二小学", "retention_days": "90"})
    assert admin.post(place, data={"name": "第二小学", "retention_days": "0"}).status_code == 422
    with full.site.database.system("test: the entry") as session:
        entry = session.exec(select(AuditEntry).where(AuditEntry.action == "school.change")).one()
        assert entry.detail == {"retention_days": [365, 90]}
