"""Lists of lessons as pages show them: filtered, in order, each with its newest run and figures.

Every statement here runs in a person's own session, which sees what that person may see; nothing
is filtered for access a second time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, func, select

from api.access import FEW, Actor
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
from api.tables import Figure, Lesson, Run, RunState

SHEET = 25
"""Lessons on one page of the list."""
TALK = ("teacher_share_of_lesson", "student_share_of_lesson")
"""The figures that a row of a list draws."""


@dataclass(frozen=True, slots=True)
class NewestRun:
    """What a list says of a lesson's newest run."""

    id: str
    state: str
    stage: str
    progress: float
    created: datetime


@dataclass(frozen=True, slots=True)
class LessonRow:
    """A lesson in a list."""

    lesson: Lesson
    school: str
    teacher: str
    mine: bool
    """Whether the reader is its teacher or its uploader."""
    run: NewestRun | None = None
    talk: tuple[float, float] | None = None
    """Teacher's and students' share of the lesson, where both were measured."""


def matching(
    session: Session, actor: Actor, wanted: Filters, number: int, offered: Choices
) -> tuple[list[LessonRow], int]:
    """Page `number` (from 1) of the lessons that fit, newest first, and how many fit in all.

    `offered` knows the names of their teachers and schools.
    """
    narrowed = list(conditions(actor, wanted, offered.teachers))
    options = FEW if wanted.few else {}
    before = (max(1, number) - 1) * SHEET
    ordered = select(Lesson).order_by(
        col(Lesson.held_on).desc().nulls_last(), col(Lesson.created).desc(), col(Lesson.id)
    )
    page = ordered.where(*narrowed).offset(before).limit(SHEET)
    found = session.exec(page, execution_options=options).all()
    if not narrowed:
        total = offered.total
    elif 0 < len(found) < SHEET or (number <= 1 and not found):  # they end here
        total = before + len(found)
    else:
        count = select(func.count(col(Lesson.id))).where(*narrowed)
        total = session.exec(count, execution_options=options).one()
    return rows_of(session, actor, found, offered), total


def rows_of(
    session: Session, actor: Actor, lessons: Sequence[Lesson], offered: Choices | None = None
) -> list[LessonRow]:
    """The lessons with what a list says of each, in four statements however many there are, and
    in two where `offered` has the names."""
    if not lessons:
        return []
    ids = [lesson.id for lesson in lessons]
    runs, shares = _newest_runs(session, ids), _talk(session, ids)
    people, schools = (dict(offered.teachers), dict(offered.schools)) if offered else ({}, {})
    people |= names_of(session, {x.teacher_id for x in lessons} - people.keys())
    schools |= school_names(session, {x.school_id for x in lessons} - schools.keys())
    return [row_of(actor, x, people, schools, runs.get(x.id), shares.get(x.id)) for x in lessons]


def row_of(
    actor: Actor,
    lesson: Lesson,
    people: Mapping[str, str],
    schools: Mapping[str, str],
    run: NewestRun | None = None,
    talk: tuple[float, float] | None = None,
) -> LessonRow:
    """The lesson with the names that `people` and `schools` have for its identifiers."""
    return LessonRow(
        lesson=lesson,
        school=schools.get(lesson.school_id, ""),
        teacher=people.get(lesson.teacher_id or "", ""),
        mine=actor.user_id in (lesson.teacher_id, lesson.uploader_id),
        run=run,
        talk=talk,
    )


# Columns, not rows of the tables' classes: those cost ten times as much to make, and a run's hold
# its artefacts as JSON.


def _newest_runs(session: Session, lessons: Sequence[str]) -> dict[str, NewestRun]:
    columns: tuple[Any, ...] = (Run.id, Run.state, Run.stage, Run.progress, Run.created)
    wanted = (
        select(Run)
        .where(col(Run.lesson_id).in_(lessons))
        .with_only_columns(col(Run.lesson_id), *columns)
    )
    found = session.execute(wanted.order_by(col(Run.created), col(Run.id).desc()))
    return {lesson: NewestRun(*run) for lesson, *run in found}


def _talk(session: Session, lessons: Sequence[str]) -> dict[str, tuple[float, float]]:
    wanted = (
        select(Figure.lesson_id, Figure.name, Figure.value)
        .where(col(Figure.lesson_id).in_(lessons), col(Figure.name).in_(TALK))
        .order_by(col(Figure.id))
    )
    values = {(lesson, name): value for lesson, name, value in session.exec(wanted)}
    pairs = {x: (values.get((x, TALK[0])), values.get((x, TALK[1]))) for x in lessons}
    return {x: (a, b) for x, (a, b) in pairs.items() if a is not None and b is not None}


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
    lists = (
        _listed(session, mine, newest_is(OPEN), limit=8, options=FEW),
        _listed(session, mine, newest_is(BROKEN), options=FEW),
        _listed(session, mine, col(Lesson.consent_id).is_(None), options=FEW),
        _reported(session, actor),
        _listed(session, is_not_mine(actor)),
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


def _listed(
    session: Session,
    *conditions: ColumnElement[bool],
    limit: int = 6,
    options: Mapping[str, Any] | None = None,
) -> Sequence[Lesson]:
    """The newest that fit."""
    order = (col(Lesson.created).desc(), col(Lesson.id))
    statement = select(Lesson).where(*conditions).order_by(*order).limit(limit)
    return session.exec(statement, execution_options=options or {}).all()


def _reported(session: Session, actor: Actor) -> Sequence[Lesson]:
    """The person's lessons with the newest finished runs."""
    ended = (
        select(func.max(Run.created))
        .where(Run.lesson_id == Lesson.id, Run.state == RunState.DONE.value)
        .correlate(Lesson)
        .scalar_subquery()
    )
    newest = (
        select(Lesson).where(is_mine(actor)).order_by(ended.desc().nulls_last(), col(Lesson.id))
    )
    return session.exec(newest.limit(10), execution_options=FEW).all()
