"""Lists of lessons as pages show them: filtered, in order, each with its newest run and figures.

Every statement here runs in a person's own session, which sees what that person may see; nothing
is filtered for access a second time.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Select
from sqlmodel import Session, col, func, select

from api.access import Actor
from api.lesson_filters import (
    BROKEN,
    OPEN,
    Choices,
    Filters,
    conditions,
    is_mine,
    is_not_mine,
    names_of,
    newest_is,
    school_names,
)
from api.tables import Figure, Lesson, Run, RunState, User

SHEET = 25
"""Lessons on one page of the list."""
TALK = ("teacher_share_of_lesson", "student_share_of_lesson")
"""The figures that a row of a list draws."""


@dataclass(frozen=True, slots=True)
class LessonRow:
    """A lesson in a list."""

    lesson: Lesson
    school: str
    teacher: str
    mine: bool
    """Whether the reader is its teacher or its uploader."""
    runs: Sequence[Run] = ()
    """The newest first."""
    uploader: str = ""
    figures: Mapping[str, Figure] = field(default_factory=dict)

    @property
    def run(self) -> Run | None:
        """The newest."""
        return self.runs[0] if self.runs else None

    @property
    def talk(self) -> tuple[float, float] | None:
        """Teacher's and students' share of the lesson, where both were measured."""
        shares = [self.figures[n].value for n in TALK if n in self.figures]
        if len(shares) != 2 or shares[0] is None or shares[1] is None:
            return None
        return shares[0], shares[1]


def matching(
    session: Session, actor: Actor, wanted: Filters, number: int, offered: Choices
) -> tuple[list[LessonRow], int]:
    """Page `number` (from 1) of the lessons that fit, newest first, and how many fit in all.

    `offered` knows the names of their teachers and schools.
    """
    narrowed = list(conditions(actor, wanted))
    base, count = select(Lesson), select(func.count(col(Lesson.id)))
    if wanted.q:  # names of people cost a condition of their own, so only where they are asked for
        base = base.join(User, col(User.id) == Lesson.teacher_id, isouter=True)
        count = count.join(User, col(User.id) == Lesson.teacher_id, isouter=True)
    ordered = base.where(*narrowed).order_by(
        col(Lesson.held_on).desc().nulls_last(), col(Lesson.created).desc(), col(Lesson.id)
    )
    total = session.exec(count.where(*narrowed)).one() if narrowed else offered.total
    found = session.exec(ordered.offset((max(1, number) - 1) * SHEET).limit(SHEET)).all()
    return rows_of(session, actor, found, offered), total


def rows_of(
    session: Session, actor: Actor, lessons: Sequence[Lesson], offered: Choices | None = None
) -> list[LessonRow]:
    """The lessons with what a list says of each, in four statements however many there are, and
    in two where `offered` has the names; who uploaded them is told where it has not."""
    if not lessons:
        return []
    ids = [lesson.id for lesson in lessons]
    runs: dict[str, list[Run]] = defaultdict(list)
    newest = (col(Run.created).desc(), col(Run.id))
    for run in session.exec(select(Run).where(col(Run.lesson_id).in_(ids)).order_by(*newest)):
        runs[run.lesson_id].append(run)
    figures: dict[str, dict[str, Figure]] = defaultdict(dict)
    wanted = select(Figure).where(col(Figure.lesson_id).in_(ids), col(Figure.name).in_(TALK))
    for figure in session.exec(wanted.order_by(col(Figure.id))):
        figures[figure.lesson_id][figure.name] = figure
    people, schools = (dict(offered.teachers), dict(offered.schools)) if offered else ({}, {})
    wanted_names = {x.teacher_id for x in lessons} | {x.uploader_id for x in lessons if not offered}
    people |= names_of(session, wanted_names - people.keys())
    schools |= school_names(session, {x.school_id for x in lessons} - schools.keys())
    return [
        LessonRow(
            lesson=x,
            school=schools.get(x.school_id, ""),
            teacher=people.get(x.teacher_id or "", ""),
            uploader=people.get(x.uploader_id or "", ""),
            mine=actor.user_id in (x.teacher_id, x.uploader_id),
            runs=runs.get(x.id, ()),
            figures=figures.get(x.id, {}),
        )
        for x in lessons
    ]


@dataclass(frozen=True, slots=True)
class Desk:
    """The home page: what is being worked on, what needs the reader, what is new."""

    working: Sequence[LessonRow]
    broken: Sequence[LessonRow]
    without_consent: Sequence[LessonRow]
    recent: Sequence[LessonRow]
    shared: Sequence[LessonRow]
    total: int
    """Lessons that the reader may see."""


def desk(session: Session, actor: Actor) -> Desk:
    """What the home page shows to `actor`."""
    mine = is_mine(actor)

    def listed(*conditions: ColumnElement[bool], limit: int = 6) -> Sequence[Lesson]:
        order = (col(Lesson.created).desc(), col(Lesson.id))
        statement: Select[Any] = select(Lesson).where(*conditions).order_by(*order)
        return session.scalars(statement.limit(limit)).all()

    lists = (
        listed(mine, newest_is(OPEN), limit=8),
        listed(mine, newest_is(BROKEN)),
        listed(mine, col(Lesson.consent_id).is_(None)),
        _reported(session, actor),
        listed(is_not_mine(actor)),
    )
    lessons = {lesson.id: lesson for found in lists for lesson in found}
    rows = {row.lesson.id: row for row in rows_of(session, actor, list(lessons.values()))}
    working, broken, without, done, shared = ([rows[x.id] for x in found] for found in lists)
    return Desk(
        working=working,
        broken=broken,
        without_consent=without,
        recent=[row for row in done if row.run and row.run.state == RunState.DONE][:6],
        shared=shared,
        total=session.exec(select(func.count(col(Lesson.id)))).one(),
    )


def _reported(session: Session, actor: Actor) -> list[Lesson]:
    """The person's lessons with the newest finished runs."""
    mine = select(Lesson.id).where(is_mine(actor))
    newest = session.exec(
        select(Run.lesson_id)
        .where(Run.state == RunState.DONE.value, col(Run.lesson_id).in_(mine))
        .order_by(col(Run.created).desc(), col(Run.id))
        .limit(20)
    ).all()
    ids = list(dict.fromkeys(newest))[:10]
    found = {x.id: x for x in session.exec(select(Lesson).where(col(Lesson.id).in_(ids)))}
    return [found[i] for i in ids]
