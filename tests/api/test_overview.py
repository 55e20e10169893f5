"""Groups of lessons in the service: who sees them, what they tell, what they keep to themselves.

東区: school (leader, researcher) has eight teachers who gave twenty lessons, none of them shared;
other_school (neighbour leads it) has three teachers; staff sees both. All values are far from one
another, so that a single one would be recognised wherever it stood.
"""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance
from sqlmodel import Session, col, delete, select
from starlette.testclient import TestClient

from api.app import create_app
from api.auth import SESSION_COOKIE, create_token
from api.db import Database
from api.deps import Site
from api.overview import SHOWN, natural, term_of
from api.routes.overview import _cell
from api.tables import (
    AuditEntry,
    Figure,
    Lesson,
    Membership,
    Position,
    Run,
    School,
    User,
)
from observer.disclosure import FEW, TIED
from tests.service_factory import People, people
from tests.service_site import cookie_of, running, site_in

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SHARE = "teacher_share_of_speech"
LED = ("leader", "researcher", "staff", "neighbour")
"""Those who see groups; neighbour and staff do not see those of `school` alone."""
CLOSED = ("teacher", "colleague", "outsider", "stranger", "administrator")


def taught(
    session: Session, school: School, teacher: User, subject: str, value: float, *, day: date
) -> Lesson:
    """A lesson with its newest run and one figure."""
    lesson = Lesson(
        school_id=school.id, teacher_id=teacher.id, title=f"课 {value}", subject=subject,
        grade="三年级", held_on=day,
    )  # fmt: skip
    run = Run(lesson_id=lesson.id, state="done", progress=1.0, artefacts={})
    session.add_all([lesson, run])
    session.flush()
    session.add(Figure(run_id=run.id, lesson_id=lesson.id, name=SHARE, value=value))
    return lesson


def furnished(site: Site, there: People) -> list[float]:
    """The lessons above; gives the teachers' means in `school`."""
    means = []
    with site.database.system("test: lessons of two schools") as session:
        session.exec(delete(Figure))
        for number in range(8):
            user = User(login=f"t{number}", name=f"教师{number}")
            session.add(user)
            session.flush()
            session.add(Membership(user_id=user.id, school_id=there.school.id, position="teacher"))
            subject = "数学" if number < 5 else "李老师合唱团"
            means.append(0.2031 + 0.0713 * number)
            for step in (-0.0107, 0.0107) if number < 6 else (-0.0107, 0, 0, 0.0107):
                value = round(means[-1] + step, 4)
                day = date(2026, 10 if step < 0 else 3, 5)
                taught(session, there.school, user, subject, value, day=day)
        for number in range(3):
            user = User(login=f"o{number}", name=f"外校教师{number}")
            session.add(user)
            session.flush()
            value = 0.9117 + 0.0213 * number
            taught(session, there.other_school, user, "数学", value, day=date(2026, 10, 5))
    return means


@dataclass(frozen=True)
class House:
    """A furnished installation, and the browsers of its people."""

    site: Site
    people: People
    app: FastAPI

    def client(self, who: str) -> TestClient:
        """Somebody's browser."""
        found = TestClient(
            self.app,
            base_url=self.site.settings.public_url,
            follow_redirects=False,
            headers={
                "accept": "text/html",
                "accept-language": "en",
                "sec-fetch-site": "same-origin",
            },
        )
        found.cookies.set(SESSION_COOKIE, cookie_of(self.site, self.people.users()[who].id))
        return found

    def asked(self, who: str, **query: str) -> dict[str, dict[str, object]]:
        """Group → the summary of the teacher's share of speech."""
        answer = self.client(who).get("/api/v1/aggregates", params=query)
        assert answer.status_code == 200, answer.text
        return {
            str(g["key"]): next(s for s in g["indicators"] if s["name"] == SHARE)
            for g in answer.json()["groups"]
        }


def house_in(folder: Path, database: Database | None = None) -> House:
    """A house of its own, for tests that change something."""
    site = site_in(folder, database)
    site.jobs.prepare()
    there = people(site.database)
    furnished(site, there)
    return House(site, there, create_app(site.settings, site=site))


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One for all tests that only look."""
    found = house_in(tmp_path_factory.mktemp("overview"))
    yield found
    found.site.jobs.close()
    found.site.database.close()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[House]:
    """One for this test."""
    found = house_in(tmp_path)
    yield found
    found.site.jobs.close()
    found.site.database.close()


# --- who


@pytest.mark.parametrize("who", LED)
def test_who_leads_sees_groups_and_finds_the_way_there(house: House, who: str) -> None:
    browser = house.client(who)
    assert 'href="/overview"' in browser.get("/").text
    assert browser.get("/overview").status_code == 200
    assert browser.get("/api/v1/aggregates").status_code == 200
    assert browser.get("/api/v1/aggregates.csv").status_code == 200


@pytest.mark.parametrize("who", CLOSED)
def test_nobody_else_does(house: House, who: str) -> None:
    """A teacher does not either: who knows most of the lessons of a small group knows the rest."""
    browser = house.client(who)
    assert 'href="/overview"' not in browser.get("/").text
    for path in ("/overview", "/api/v1/aggregates", "/api/v1/aggregates.csv"):
        for query in (
            "",
            f"?school={house.people.school.id}",
            f"?district={house.people.district.id}",
        ):
            assert browser.get(path + query).status_code == 403, path + query


@pytest.mark.parametrize(
    ("who", "place"),
    [
        ("leader", "school:other_school"),
        ("leader", "district:district"),
        ("researcher", "school:other_school"),
        ("neighbour", "school:school"),
        ("staff", "school:far_school"),
        ("leader", "school:nothing"),
    ],
)
def test_a_place_of_others_is_not_there(house: House, who: str, place: str) -> None:
    kind, name = place.split(":")
    identity = "0" * 32 if name == "nothing" else getattr(house.people, name).id
    browser = house.client(who)
    assert browser.get("/overview", params={"place": f"{kind}:{identity}"}).status_code == 404
    assert browser.get("/api/v1/aggregates", params={kind: identity}).status_code == 404


def test_who_has_lost_the_position_sees_no_more(own: House) -> None:
    browser = own.client("leader")
    assert browser.get("/overview").status_code == 200
    with own.site.database.system("test: no leader any more") as session:
        session.exec(delete(Membership).where(col(Membership.user_id) == own.people.leader.id))
    assert browser.get("/overview").status_code == 403


# --- what


def test_the_school_has_a_figure_by_hand(house: House) -> None:
    """Means .2031 + .0713·n, n = 0 … 7, evenly spaced: the smoothed median is their middle,
    .2031 + 3.5 · .0713 = .45265, shown as .45. Twenty lessons: 6·2 + 2·4."""
    found = house.asked("leader")["None"]
    assert (found["value"], found["teachers"], found["lessons"]) == (0.45, 8, 20)
    low, high = found["low"], found["high"]
    assert isinstance(low, float)
    assert isinstance(high, float)
    assert 0.2 < low < 0.45 < high < 0.7
    assert found["quartiles"] is None  # below twenty teachers
    assert house.asked("researcher")["None"] == found


def test_three_choir_teachers_are_neither_shown_nor_named_nor_told(house: House) -> None:
    """数学 has five teachers, the rest three: 8 − 5 would tell of three, so 数学 has no figure."""
    found = house.asked("leader", by="subject")
    assert list(found) == ["None", "数学"]
    assert found["None"]["missing"] is None
    assert found["数学"]["missing"] == {"en": TIED.en, "zh": TIED.zh}
    assert found["数学"]["teachers"] is None
    narrowed = house.asked("leader", subject="李老师合唱团")["None"]
    assert narrowed["missing"] == {"en": FEW.en, "zh": FEW.zh}
    assert house.asked("leader", subject="没有的学科")["None"] == narrowed


def test_terms_of_eight_teachers_are_both_shown(house: House) -> None:
    """October 2026 is the first term of 2026/2027, March 2026 the second of 2025/2026."""
    found = house.asked("leader", by="term")
    assert {k: v["teachers"] for k, v in found.items()} == {"None": 8, "2025-2": 8, "2026-1": 8}
    assert found["2026-1"] == house.asked("leader", term="2026-1")["None"]


def test_the_district_hides_a_school_whose_neighbour_is_too_small(house: House) -> None:
    """11 teachers = 8 + 3: the three are too few, and 11 − 8 would tell them. Who leads the eight
    still sees them; who leads the three sees nothing."""
    found = house.asked("staff", district=house.people.district.id, by="school")
    assert found["None"]["teachers"] == 11
    assert found[house.people.school.id]["missing"] == {"en": TIED.en, "zh": TIED.zh}
    assert found[house.people.other_school.id]["missing"] == {"en": FEW.en, "zh": FEW.zh}
    # the same when staff asks for the school itself, by name or as a part of it
    alone = house.asked("staff", school=house.people.school.id)["None"]
    assert alone["missing"] == {"en": TIED.en, "zh": TIED.zh}
    assert house.asked("leader")["None"]["teachers"] == 8
    assert house.asked("neighbour")["None"]["missing"] == {"en": FEW.en, "zh": FEW.zh}


def test_who_is_both_staff_and_leader_has_one_view_of_the_school(own: House) -> None:
    """Two views of one school could be subtracted from one another."""
    with own.site.database.system("test: a second position") as session:
        session.add(
            Membership(
                user_id=own.people.staff.id,
                school_id=own.people.school.id,
                position=Position.LEADER.value,
            )
        )
    found = own.asked("staff", school=own.people.school.id)["None"]
    assert found["missing"] == {"en": TIED.en, "zh": TIED.zh}


@pytest.mark.parametrize("who", LED)
def test_nothing_of_a_lesson_or_a_teacher_leaves(house: House, who: str) -> None:
    """Every page, answer and file that can be asked for: no title, name, identifier of a lesson or
    a teacher, small subject, value of a lesson or mean of a teacher, also none rounded further."""
    browser = house.client(who)
    with house.site.database.system("test: what must not be told") as session:
        lessons = session.exec(select(Lesson)).all()
        users = session.exec(select(User).where(col(User.login).startswith("t"))).all()
        values = session.exec(select(Figure.value)).all()
    secrets = [x.id for x in lessons] + [x.title for x in lessons] + [u.id for u in users]
    secrets += ["李老师合唱团", *(f"{v:.3f}" for v in values if v is not None)]
    place = {"staff": f"district:{house.people.district.id}"}.get(who, "")
    pages = [
        f"/overview?place={place}&by={by}&term={term}&subject={subject}&grade={grade}"
        for by in ("school", "subject", "grade", "term")
        for term, subject, grade in (("", "", ""), ("2026-1", "数学", ""), ("", "", "三年级"))
    ]
    for path in [*pages, "/api/v1/aggregates?by=subject", "/api/v1/aggregates.csv?by=term"]:
        answer = browser.get(path)
        assert answer.status_code == 200
        told = [s for s in secrets if s in answer.text]
        assert not told, (path, told)
        if path.startswith("/api"):
            assert not re.search(r"0\.\d{3}", answer.text), path


def test_a_lesson_without_a_teacher_counts_for_nobody(own: House) -> None:
    with own.site.database.system("test: nobody's lesson") as session:
        lesson = taught(
            session, own.people.school, own.people.teacher, "数学", 0.99, day=date(2026, 10, 6)
        )
        lesson.teacher_id = None
    assert own.asked("leader")["None"]["teachers"] == 8


def test_what_was_deleted_is_not_shown_any_longer(own: House) -> None:
    """Figures are kept in memory for minutes, but not those of a lesson that has gone."""
    assert own.asked("leader")["None"]["teachers"] == 8
    with own.site.database.system("test: a teacher's lessons are deleted") as session:
        gone = session.exec(select(User.id).where(User.login == "t7")).one()
        session.exec(delete(Lesson).where(col(Lesson.teacher_id) == gone))
    assert own.asked("leader")["None"]["teachers"] == 7


def test_each_look_is_entered_in_the_audit(own: House) -> None:
    own.client("leader").get("/overview?by=grade&subject=数学")
    own.asked("staff", by="school")
    with own.site.database.system("test: the entries") as session:
        entries = session.exec(
            select(AuditEntry)
            .where(AuditEntry.action == "aggregate.read")
            .order_by(col(AuditEntry.id))
        ).all()
    assert [(e.actor_id, e.object_id, e.school_id) for e in entries] == [
        (own.people.leader.id, own.people.school.id, own.people.school.id),
        (own.people.staff.id, own.people.district.id, None),
    ]
    assert entries[0].detail == {"by": "grade", "narrowed": ["subject"]}  # which, never their words


def test_figures_are_the_same_on_postgres(tmp_path: Path, database: Database) -> None:
    """Row-level security lets the one door through, and only it."""
    own = house_in(tmp_path, database)
    found = own.asked("leader", by="term")
    assert [found[k]["value"] for k in ("None", "2025-2", "2026-1")] == [0.45, 0.46, 0.44]
    assert own.client("leader").get("/api/v1/lessons").json()["items"] == []
    own.site.jobs.close()


# --- the page, the interface, the file


def test_the_page_says_what_it_is_not_for_and_how_to_read_it(own: House) -> None:
    browser = own.client("leader")
    for language, words in (
        ("en", ("not for ranking teachers or schools", "smoothed", "All together")),
        ("zh", ("不用于给教师或学校排名", "Harrell-Davis", "合计")),
    ):
        browser.post("/language", data={"language": language})
        text = browser.get("/overview?by=term").text
        for word in words:
            assert word in text
    assert text.count('<th scope="row">合计</th>') == 1  # one indicator measured, six told as not
    assert text.count("此项有数据的教师太少，不显示。") == len(SHOWN) - 1
    assert "<caption" in text
    assert "45%" in text


def test_an_empty_page_says_when_it_fills(house: House) -> None:
    text = house.client("neighbour").get("/overview").text
    assert "at least 5 teachers" in text
    assert "aggregates.csv" not in text
    choice = house.client("leader").get("/overview?subject=没有的学科").text
    assert "Clear the choice" in choice
    assert "没有的学科" in choice


def test_a_page_forgives_and_the_interface_refuses(house: House) -> None:
    browser = house.client("leader")
    assert browser.get("/overview?by=school&term=never&page=x").status_code == 200
    for query in ("by=school", "by=term&term=2026-1", "term=2026", "by=teacher", "school=x"):
        assert browser.get(f"/api/v1/aggregates?{query}").status_code == 422, query
    both = f"school={house.people.school.id}&district={house.people.district.id}"
    assert browser.get(f"/api/v1/aggregates?{both}").status_code == 422


def test_hostile_words_stay_words(own: House) -> None:
    evil = "=<img src=x>"
    with own.site.database.system("test: a hostile subject") as session:
        for lesson in session.exec(select(Lesson).where(Lesson.subject == "数学")).all():
            lesson.subject = evil
    browser = own.client("leader")
    page = browser.get("/overview").text
    assert "&lt;img" in page
    assert "<img" not in page
    table = csv.reader(io.StringIO(browser.get("/api/v1/aggregates.csv?by=subject").text[1:]))
    assert {row[5] for row in table} == {"group", "All together", f"'{evil}"}
    assert [_cell(x) for x in ("+1", "-1", "@a", "a=1")] == ["'+1", "'-1", "'@a", "a=1"]


def test_the_file_holds_what_the_answer_holds(house: House) -> None:
    browser = house.client("staff")
    rows = list(
        csv.DictReader(io.StringIO(browser.get("/api/v1/aggregates.csv?by=school").text[1:]))
    )
    answer = browser.get("/api/v1/aggregates?by=school").json()
    assert len(rows) == len(answer["groups"]) * len(SHOWN)
    told = {(g["name"], s["name"]): s for g in answer["groups"] for s in g["indicators"]}
    for row in rows:
        same = told[row["group"], row["name"]]
        assert row["value"] == ("" if same["value"] is None else str(same["value"]))
        assert row["missing_en"] == (same["missing"]["en"] if same["missing"] else "")


def test_groups_stand_by_name_and_not_by_value(house: House) -> None:
    found = house.asked("staff", by="school")
    names = ["第一小学", "第二小学"]  # as they are counted, whatever was measured
    assert list(found) == ["None", house.people.school.id, house.people.other_school.id]
    assert [house.people.school.name, house.people.other_school.name] == names


def test_names_are_in_the_order_of_their_numbers() -> None:
    grades = ["六年级", "十一年级", "二年级", "十年级", "一年级", "三年级"]
    assert sorted(grades, key=natural) == [
        "一年级",
        "二年级",
        "三年级",
        "六年级",
        "十年级",
        "十一年级",
    ]
    assert sorted(["第10小学", "第2小学", "第九小学"], key=natural) == [
        "第2小学", "第九小学", "第10小学",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("day", "term"),
    [
        (date(2026, 8, 1), "2026-1"),
        (date(2027, 1, 31), "2026-1"),
        (date(2027, 2, 1), "2026-2"),
        (date(2027, 7, 31), "2026-2"),
        (None, ""),
    ],
)
def test_terms_begin_in_august_and_february(day: date | None, term: str) -> None:
    assert term_of(day) == term


def test_the_description_is_true_for_who_may_ask(house: House) -> None:
    with house.site.database.system("test") as session:
        _, text = create_token(
            session, house.people.staff.id, "fuzz", scopes=frozenset({"read"}), days=1
        )
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", house.app)
    found = [operation.ok() for operation in schema.get_all_operations()]
    operations = [o for o in found if o.path.startswith("/api/v1/aggregates")]
    assert len(operations) == 2
    for operation in operations:

        @settings(
            max_examples=6,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(operation.as_strategy())
        def check(case: schemathesis.Case) -> None:
            case.call_and_validate(
                headers={"Authorization": f"Bearer {text}"},
                excluded_checks=[positive_data_acceptance],  # whose school it is, no schema says
            )

        check()


# --- in a browser


@pytest.mark.parametrize(("language", "scheme"), [("zh", "light"), ("en", "dark")])
def test_nobody_is_shut_out_on_a_phone(
    browser: "Browser", house: House, language: str, scheme: str
) -> None:
    """No overflow, no complaint, nothing that axe calls serious; a choice applies by itself."""
    from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]

    with running(house.app) as url:
        context = browser.new_context(
            viewport={"width": 390, "height": 800}, color_scheme=scheme, reduced_motion="reduce"
        )  # fmt: skip
        cookies = {
            "observer_session": cookie_of(house.site, house.people.leader.id),
            "observer_language": language,
        }
        context.add_cookies([{"name": k, "value": v, "url": url} for k, v in cookies.items()])
        page = context.new_page()
        complaints: list[str] = []
        page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
        page.goto(f"{url}/overview?by=term")
        page.evaluate("document.querySelectorAll('main details').forEach(d => { d.open = true; })")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        drawn = page.locator("table.groups .dot").first.bounding_box()
        assert drawn is not None
        assert drawn["width"] > 5
        found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]})
        serious = [
            v for v in found.response["violations"] if v["impact"] in {"serious", "critical"}
        ]
        assert serious == []
        page.select_option("#f-by", "grade")
        page.wait_for_url("**by=grade**")
        assert "三年级" in page.content()
        assert complaints == []
        context.close()
