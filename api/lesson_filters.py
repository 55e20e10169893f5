"""What lists of lessons are narrowed by: search, filters, and what the filters offer.

Every statement here runs in a person's own session, which sees what that person may see.
"""

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, or_
from sqlmodel import Session, col, func, select

from api.access import Actor
from api.tables import Lesson, Run, RunState, School, User

OPEN = (RunState.QUEUED.value, RunState.WORKING.value)
BROKEN = (RunState.FAILED.value, RunState.SET_ASIDE.value)
KEPT = 60.0
"""Seconds for which the choices of the filters are kept."""
MOST_KEPT = 256
MOST_WORDS = 8
"""Of a search; each is looked for in every lesson that the reader sees."""
_kept: dict[Any, "Choices"] = {}
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Filters:
    """What is looked for; an empty field does not narrow."""

    q: str = ""
    """Words of the title, topic, subject or teacher's name; the first eight count."""
    school: str = ""
    subject: str = ""
    grade: str = ""
    teacher: str = ""
    type: str = ""
    round: str = ""
    since: str = ""
    """ISO date, inclusive, like `until`."""
    until: str = ""
    state: str = ""
    """none, open, done or failed: of the newest run."""
    whose: str = ""
    """mine or shared."""

    @classmethod
    def of(cls, source: Mapping[str, str]) -> "Filters":
        """From a query string; what cannot be understood counts as empty."""
        known = {k: source.get(k, "").strip()[:200] for k in cls.__dataclass_fields__}
        for name in ("since", "until"):
            known[name] = known[name] if _date(known[name]) else ""
        if not known["round"].isdigit():
            known["round"] = ""
        return cls(**known)

    @property
    def values(self) -> dict[str, str]:
        """The fields that narrow."""
        return {k: v for k in self.__dataclass_fields__ if (v := getattr(self, k))}

    @property
    def words(self) -> list[str]:
        """What is searched for."""
        return list(dict.fromkeys(self.q.split()))[:MOST_WORDS]

    @property
    def few(self) -> bool:
        """Whether an index leads to few lessons: one's own, or those whose runs wait or failed."""
        return self.whose == "mine" or self.state in {"open", "failed"}

    @property
    def seldom(self) -> bool:
        """Whether a field of the folded part narrows."""
        return any((self.type, self.round, self.since, self.until, self.school, self.whose))


@dataclass(frozen=True, slots=True)
class Choices:
    """What the filters offer: what is there among the lessons that the reader may see."""

    subjects: Sequence[str]
    grades: Sequence[str]
    teachers: Sequence[tuple[str, str]]
    schools: Sequence[tuple[str, str]]
    total: int
    """Lessons."""


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def newest_state() -> Any:
    """The state of a lesson's newest run, as a subquery."""
    return (
        select(Run.state)
        .where(Run.lesson_id == Lesson.id)
        .order_by(col(Run.created).desc(), col(Run.id))
        .limit(1)
        .correlate(Lesson)
        .scalar_subquery()
    )


def newest_is(states: tuple[str, ...]) -> ColumnElement[bool]:
    """The newest run is in one of `states`.

    Where such runs are few, lessons without one are left out first, by an index, so that few are
    looked at closely; nearly every lesson has one that is done.
    """
    newest: ColumnElement[bool] = newest_state().in_(states)
    if RunState.DONE.value in states:
        return newest
    ever = col(Lesson.id).in_(select(Run.lesson_id).where(col(Run.state).in_(states)))
    return and_(ever, newest)


def conditions(
    actor: Actor, wanted: Filters, teachers: Sequence[tuple[str, str]]
) -> Iterable[ColumnElement[bool]]:
    """What `wanted` narrows to. `teachers` are those of `Choices`, whose names are searched: the
    database would ask of everybody with such a name whether the reader may know them."""
    for word in wanted.words:
        columns = (Lesson.title, Lesson.topic, Lesson.subject)
        yield or_(
            *(col(c).icontains(word, autoescape=True) for c in columns),
            _taught_by([i for i, name in teachers if word.casefold() in name.casefold()]),
        )
    equal: dict[str, Any] = {
        "school": Lesson.school_id,
        "subject": Lesson.subject,
        "grade": Lesson.grade,
    }
    equal |= {"teacher": Lesson.teacher_id, "type": Lesson.lesson_type}
    for name, column in equal.items():
        if value := getattr(wanted, name):
            yield col(column) == value
    if wanted.round:
        yield col(Lesson.round) == int(wanted.round)
    if since := _date(wanted.since):
        yield col(Lesson.held_on) >= since
    if until := _date(wanted.until):
        yield col(Lesson.held_on) <= until
    states = {"open": OPEN, "done": (RunState.DONE.value,), "failed": BROKEN}.get(wanted.state)
    if states:
        yield newest_is(states)
    elif wanted.state == "none":
        yield newest_state().is_(None)
    if wanted.whose == "mine":
        yield is_mine(actor)
    elif wanted.whose == "shared":
        yield is_not_mine(actor)


def _taught_by(teachers: Sequence[str]) -> ColumnElement[bool]:
    """Written into the statement: as parameters, a large district's would be too many."""
    return col(Lesson.teacher_id).in_(
        bindparam(None, teachers, expanding=True, literal_execute=True)
    )


def is_mine(actor: Actor) -> ColumnElement[bool]:
    """Lessons that the person taught or uploaded; an index finds them."""
    return or_(col(Lesson.teacher_id) == actor.user_id, col(Lesson.uploader_id) == actor.user_id)


def is_not_mine(actor: Actor) -> ColumnElement[bool]:
    """The others, those without a teacher among them."""
    return and_(
        col(Lesson.teacher_id).is_distinct_from(actor.user_id),
        col(Lesson.uploader_id).is_distinct_from(actor.user_id),
    )


def names_of(session: Session, ids: Iterable[str | None]) -> dict[str, str]:
    """Person → name, of those whom the reader may know."""
    wanted = {i for i in ids if i}
    if not wanted:
        return {}
    return dict(session.exec(select(User.id, User.name).where(col(User.id).in_(wanted))).all())


def school_names(session: Session, ids: Iterable[str]) -> dict[str, str]:
    """School → name."""
    wanted = set(ids)
    if not wanted:
        return {}
    return dict(
        session.exec(select(School.id, School.name).where(col(School.id).in_(wanted))).all()
    )


def choices(session: Session, actor: Actor) -> Choices:
    """What the filters offer: all that the reader may see, looked through twice, since the columns
    together differ in nearly every lesson.

    It is kept for a minute, unless a lesson comes into the reader's sight or goes from it.
    """
    seen = session.exec(select(func.count(col(Lesson.id)), func.max(col(Lesson.id)))).one()
    key = (actor, *seen, int(time.monotonic() / KEPT))
    with _lock:
        known = _kept.get(key)
    if known is None:
        known = _choices(session, seen[0])
        with _lock:
            _kept[key] = known
            while len(_kept) > MOST_KEPT:
                del _kept[next(iter(_kept))]
    return known


def _choices(session: Session, total: int) -> Choices:
    contents = session.exec(select(Lesson.subject, Lesson.grade).distinct()).all()
    origins = session.exec(select(Lesson.school_id, col(Lesson.teacher_id)).distinct()).all()
    return Choices(
        subjects=sorted({subject for subject, _ in contents if subject}),
        grades=sorted({grade for _, grade in contents if grade}),
        teachers=_by_name(names_of(session, {teacher for _, teacher in origins})),
        schools=_by_name(school_names(session, {school for school, _ in origins})),
        total=total,
    )


def _by_name(names: Mapping[str, str]) -> list[tuple[str, str]]:
    return sorted(names.items(), key=lambda entry: entry[1])
