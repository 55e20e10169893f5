"""Lists of lessons on both databases: their pages, their order, what each row says."""

from datetime import date, timedelta

import pytest
from sqlmodel import Session

from api.access import Actor
from api.columns import now
from api.db import Database
from api.lesson_filters import Filters, choices
from api.lesson_lists import SHEET, desk, matching
from api.tables import Figure, Lesson, Run, RunState, Share
from tests.service_factory import People, actor


def taught(people: People, number: int, subject: str = "") -> list[Lesson]:
    """Lessons of the teacher, the first held last; each was put in a minute after the one before,
    so that the first was also created first."""
    day, moment = date(2026, 9, 30), now() - timedelta(days=1)
    return [
        Lesson(
            school_id=people.school.id, teacher_id=people.teacher.id, title=f"{subject}{n}",
            subject=subject, held_on=day - timedelta(days=n), created=moment + timedelta(minutes=n),
        )
        for n in range(number)
    ]  # fmt: skip


def page(session: Session, me: Actor, number: int, **wanted: str) -> tuple[list[str], int]:
    rows, total = matching(session, me, Filters.of(wanted), number, choices(session, me))
    return [row.lesson.title for row in rows], total


@pytest.mark.parametrize("over", [0, 1])
def test_pages_of_a_list(database: Database, people: People, over: int) -> None:
    """Every page tells how many there are in all, those behind the end too; a full last page is
    not taken for one that more follow."""
    lessons = taught(people, SHEET + over, "科学")
    with database.system("test") as session:
        session.add_all(lessons)
    titles = [lesson.title for lesson in lessons]
    me = actor(database, people.teacher)
    with database.session(me) as session:
        assert page(session, me, 1, subject="科学") == (titles[:SHEET], SHEET + over)
        assert page(session, me, 2, subject="科学") == (titles[SHEET:], SHEET + over)
        assert page(session, me, 7, subject="科学") == ([], SHEET + over)
        assert page(session, me, 1, subject="音乐") == ([], 0)
        # The teacher's own lesson of November comes before those of September.
        assert page(session, me, 1) == (
            [people.lesson.title, *titles[: SHEET - 1]],
            SHEET + over + 1,
        )


def test_search_by_name_asks_only_those_whom_the_reader_knows(
    database: Database, people: People
) -> None:
    """The teacher's name leads to the lesson, with a word of its title too; it does not tell a
    stranger that it is there."""
    searches = [people.teacher.name.upper(), f"{people.teacher.name} 分数", "分数 each"]
    for who, found in ((people.researcher, [people.lesson.title]), (people.stranger, [])):
        me = actor(database, who)
        with database.session(me) as session:
            for q in searches:
                assert page(session, me, 1, q=q)[0] == found, q
            assert page(session, me, 1, q=f"{people.teacher.name} 语文")[0] == []


def test_a_search_of_many_words_looks_for_eight(database: Database, people: People) -> None:
    """Each is looked for in every lesson, so that anybody could stop the service with a hundred."""
    me = actor(database, people.teacher)
    with database.session(me) as session:
        assert page(session, me, 1, q="分 分 分数 数 的 初步 认识 数的 " * 20)[1] == 1
        assert page(session, me, 1, q="分 分数 数 的 初 步 认 识 nobody")[1] == 1
        assert page(session, me, 1, q="分 分数 数 的 初 步 认 nobody 识")[1] == 0


def test_a_row_says_the_newest_run_and_who_talked(database: Database, people: People) -> None:
    """A later run in vain does not take the figures of the earlier one away; a share that was not
    measured leaves none to be drawn."""
    whole, half = taught(people, 2, "科学")
    runs = [Run(lesson_id=x.id, state=RunState.DONE.value, progress=1.0) for x in (whole, half)]
    later = now() + timedelta(hours=1)
    again = Run(lesson_id=whole.id, state=RunState.WORKING.value, progress=0.25, created=later)
    figures = [
        Figure(run_id=runs[0].id, lesson_id=whole.id, name="teacher_share_of_lesson", value=0.6),
        Figure(run_id=runs[0].id, lesson_id=whole.id, name="student_share_of_lesson", value=0.3),
        Figure(run_id=runs[1].id, lesson_id=half.id, name="teacher_share_of_lesson", value=0.6),
        Figure(run_id=runs[1].id, lesson_id=half.id, name="student_share_of_lesson", value=None),
    ]
    with database.system("test") as session:
        session.add_all([whole, half, *runs, again])
        session.flush()
        session.add_all(figures)
    me = actor(database, people.teacher)
    with database.session(me) as session:
        wanted = Filters.of({"subject": "科学"})
        first, second = matching(session, me, wanted, 1, choices(session, me))[0]
    assert first.run is not None
    assert (first.run.id, first.run.progress) == (again.id, 0.25)
    assert second.run is not None
    assert second.run.id == runs[1].id
    assert (first.talk, second.talk) == ((0.6, 0.3), None)
    assert (first.teacher, first.school, first.mine) == ("teacher", "第一小学", True)


def test_the_home_page_shows_the_newest_reports_first(database: Database, people: People) -> None:
    """By when they were ordered, whenever the lessons were held; lessons that were never observed,
    or in vain of late, are no reports. What others taught stands apart."""
    lessons = taught(people, 9, "科学")
    observed = [
        Run(lesson_id=x.id, state=RunState.DONE.value, created=now() + timedelta(hours=1 + n))
        for n, x in enumerate(lessons[1:])
    ]
    failed = Run(
        lesson_id=lessons[-1].id, state=RunState.FAILED.value, created=now() + timedelta(days=1)
    )
    theirs = Lesson(school_id=people.school.id, teacher_id=people.colleague.id, title="别人的课")
    with database.system("test") as session:
        session.add_all([*lessons, theirs, *observed, failed])
        session.flush()
        session.add(Share(lesson_id=theirs.id, user_id=people.teacher.id))
    me = actor(database, people.teacher)
    with database.session(me) as session:
        found = desk(session, me)
    newest = [lesson.title for lesson in reversed(lessons[1:-1])]
    assert [row.lesson.title for row in found.recent] == newest[:6]
    assert [row.lesson.title for row in found.broken] == [lessons[-1].title]
    assert [row.lesson.title for row in found.shared] == ["别人的课"]
    assert found.total == 11
