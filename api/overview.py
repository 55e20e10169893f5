"""What leaders, researchers and district staff see of lessons that are closed to them: groups.

`group_figures` is the one door. It reads lessons past the scope of `api.rules`, and gives back
nothing but summaries of `observer.aggregate`, with names of schools, subjects, grades and terms
that at least five teachers stand behind. What is read stays in memory for some minutes: making it
takes a second for a district of 10,000 lessons.
"""

import re
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from weakref import WeakKeyDictionary

from sqlmodel import Session, col, func, select

from api.access import Actor
from api.audit import record
from api.columns import now
from api.db import Database
from api.problems import InvalidError, NotAllowedError, not_found
from api.tables import District, Figure, Lesson, Position, School
from observer.aggregate import Grouping, GroupSummary, Observed
from observer.disclosure import Cell

SHOWN = (
    "teacher_share_of_speech",
    "student_share_of_lesson",
    "student_turn_median",
    "questions_per_minute",
    "questions_open_share",
    "wait_time_1_median",
    "exchange_follow_up_share",
)
"""Indicators of the overview: shares, rates and medians, which a longer lesson does not raise."""
DIMENSIONS = ("school", "term", "subject", "grade")
KEPT_FOR = 300.0
"""Seconds for which what was read is used again."""
MOST_TABLES = 300
"""Kept at the same time for one school or district."""
NUMERALS = "零一二三四五六七八九"


@dataclass(frozen=True, slots=True)
class Place:
    """A school or a district whose groups a person may see."""

    kind: str
    """school or district."""
    id: str
    name: str
    district: str | None = None
    """The district whose staff the person is; None: a school of their own, seen by itself."""

    @property
    def key(self) -> str:
        """As a form sends it."""
        return f"{self.kind}:{self.id}"

    @property
    def scope(self) -> tuple[str, str]:
        """What has to be read: whoever sees the district sees its schools beside one another."""
        return ("district", self.district) if self.district else ("school", self.id)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which group is asked for, and into what it is divided; an empty field does not narrow."""

    place: str = ""
    """`Place.key`; empty: the first."""
    by: str = ""
    """A dimension that is not narrowed; empty: undivided."""
    term: str = ""
    subject: str = ""
    grade: str = ""

    @property
    def narrowed(self) -> tuple[str, ...]:
        """Dimensions that narrow."""
        return tuple(d for d in DIMENSIONS[1:] if getattr(self, d))


@dataclass(frozen=True, slots=True)
class Group:
    """A group with a summary for each of `SHOWN`."""

    key: str | None
    """Its value in the dimension that divides; None: the whole."""
    summaries: tuple[GroupSummary, ...]


@dataclass(frozen=True, slots=True)
class Overview:
    """What one page, one answer or one file shows."""

    place: Place
    places: tuple[Place, ...]
    wanted: Wanted
    groups: tuple[Group, ...]
    """The whole, then its parts in the order of their names."""
    choices: Mapping[str, Sequence[str]]
    """Dimension → values that may be named."""
    read: datetime
    """When the lessons were read."""

    @property
    def empty(self) -> bool:
        """Whether there is no figure at all."""
        return all(s.missing for group in self.groups for s in group.summaries)


def may_see(actor: Actor) -> bool:
    """Leaders and researchers of a school, and staff of a district."""
    return bool(_own_schools(actor) or actor.districts())


def group_figures(database: Database, db: Session, actor: Actor, wanted: Wanted) -> Overview:
    """The figures of a group of lessons that `actor` may see as a group, and of its parts.

    `db` is the person's own session: names come from there, and the entry in the audit goes there.
    Raises NotAllowedError for people without such a position, NotFoundError for a place that is
    not theirs, InvalidError for a division that is none.
    """
    if not may_see(actor):
        raise NotAllowedError(
            en="Figures of groups are for the leaders and researchers of a school and the staff of"
            " its district. Your own lessons are under “Lessons”.",
            zh="群体数据仅供学校管理者、研究人员和区县工作人员查看。您自己的课例请见“课例”。",
        )
    places = _places(db, actor)
    place = next((p for p in places if wanted.place in ("", p.key)), None)
    if place is None:
        raise not_found()
    free = [d for d in DIMENSIONS if d not in wanted.narrowed]
    if place.kind == "school":
        free.remove("school")
    if wanted.by and wanted.by not in free:
        raise InvalidError(
            en=f"The group cannot be divided by {wanted.by} here. Use one of: {', '.join(free)}.",
            zh=f"此处不能按 {wanted.by} 分组。可选：{'、'.join(free)}。",
        )
    kept = _KEPT.of(database, place.scope)
    root: Cell = (place.id if place.scope[0] == "school" else None, None, None, None)
    choices: dict[str, list[str]] = {
        d: sorted(kept.grouping.known(number, root), key=natural)
        for number, d in enumerate(DIMENSIONS[1:], 1)
    }
    schools = sorted((p for p in places if p.kind == "school"), key=lambda p: natural(p.name))
    choices["school"] = [p.id for p in schools if p.scope == place.scope]
    cell: Cell = (
        place.id if place.kind == "school" else None,
        *(getattr(wanted, d) or None for d in DIMENSIONS[1:]),
    )
    by = DIMENSIONS.index(wanted.by) if wanted.by else None
    found = kept.table(cell, by, tuple(choices[wanted.by]) if wanted.by else ())
    record(
        db,
        "aggregate.read",
        object_id=place.id,
        school_id=place.id if place.kind == "school" else None,
        detail={"by": wanted.by, "narrowed": list(wanted.narrowed)},
    )
    groups = tuple(Group(key, summaries) for key, summaries in found.items())
    return Overview(place, places, wanted, groups, choices, kept.read)


def term_of(day: date | None) -> str:
    """The half-year in which a lesson was held: "2026-1" is August 2026 to January 2027, "2026-2"
    the February to July after. Terms are fixed: any range of days would let single lessons be
    had by subtraction."""
    if day is None:
        return ""
    if day.month >= 8:
        return f"{day.year}-1"
    return f"{day.year - 1}-{1 if day.month == 1 else 2}"


def natural(text: str) -> tuple[str, ...]:
    """A key that puts 二年级 before 三年级 and 第2小学 before 第10小学."""

    def number(found: re.Match[str]) -> str:
        tens, ten, ones = found.group(0).rpartition("十")
        value = 10 * (NUMERALS.index(tens) if tens else 1) if ten else 0
        return str(value + (NUMERALS.index(ones) if ones else 0))

    plain = re.sub(rf"[{NUMERALS}]?十[{NUMERALS}]?|[{NUMERALS}]", number, text)
    parts = (p.zfill(12) if p.isdigit() else p for p in re.split(r"(\d+)", plain))
    return (*parts, text)


def _own_schools(actor: Actor) -> frozenset[str]:
    return actor.schools(Position.LEADER) | actor.schools(Position.RESEARCHER)


def _places(db: Session, actor: Actor) -> tuple[Place, ...]:
    """Districts first, then schools, by name. Staff of a district see its schools as such, also
    where they belong to one: two views of it would tell more than each of them."""
    staff, own = actor.districts(), _own_schools(actor)
    districts = db.exec(select(District).where(col(District.id).in_(staff)).order_by(District.name))
    found = [Place("district", d.id, d.name, d.id) for d in districts]
    mine = col(School.id).in_(own) | col(School.district_id).in_(staff)
    schools = [
        Place("school", s.id, s.name, s.district_id if s.district_id in staff else None)
        for s in db.exec(select(School).where(mine))
    ]
    return (*found, *sorted(schools, key=lambda p: natural(p.name)))


@dataclass(frozen=True, slots=True)
class _Kept:
    grouping: Grouping
    until: float
    """Of `time.monotonic`."""
    lessons: int
    read: datetime
    tables: dict[tuple[object, ...], dict[str | None, tuple[GroupSummary, ...]]]
    """Those that were asked for; a table of a large district takes a tenth of a second."""

    def table(
        self, cell: Cell, by: int | None, values: tuple[str, ...]
    ) -> dict[str | None, tuple[GroupSummary, ...]]:
        """As `Grouping.table`."""
        key = (cell, by, values)
        if key not in self.tables:
            if len(self.tables) >= MOST_TABLES:
                self.tables.clear()
            self.tables[key] = self.grouping.table(cell, by, values)
        return self.tables[key]


class _Memory:
    """Groupings that were made lately, for each database and scope; one is made at a time."""

    def __init__(self) -> None:
        self._kept: WeakKeyDictionary[Database, dict[tuple[str, str], _Kept]] = WeakKeyDictionary()
        self._lock = threading.Lock()

    def of(self, database: Database, scope: tuple[str, str]) -> _Kept:
        """What is kept, or made now. When lessons have gone it is made anew: what was deleted
        must not be shown any longer."""
        with self._lock, database.system("figures of groups of lessons, never of one") as session:
            there = self._kept.setdefault(database, {})
            schools = _schools(session, scope)
            lessons = session.exec(
                select(func.count(col(Lesson.id))).where(col(Lesson.school_id).in_(schools))
            ).one()
            known = there.get(scope)
            if known and time.monotonic() < known.until and lessons >= known.lessons:
                return known
            for old in [s for s, k in there.items() if time.monotonic() >= k.until]:
                del there[old]
            grouping = Grouping(_observed(session, schools), SHOWN, joint=scope[0] == "district")
            read = now().replace(microsecond=0)
            there[scope] = _Kept(grouping, time.monotonic() + KEPT_FOR, lessons, read, {})
            return there[scope]


_KEPT = _Memory()


def _schools(session: Session, scope: tuple[str, str]) -> list[str]:
    kind, identity = scope
    if kind == "school":
        return [identity]
    return list(session.exec(select(School.id).where(School.district_id == identity)))


def _observed(session: Session, schools: Sequence[str]) -> list[Observed]:
    """Lessons of the schools whose teacher is named, with what was measured in each.

    `Figure` holds the newest finished run of a lesson, and that alone.
    """
    values: dict[str, dict[str, float]] = {}
    figures = (
        select(Figure.lesson_id, Figure.name, Figure.value)
        .join(Lesson, col(Lesson.id) == Figure.lesson_id)
        .where(col(Lesson.school_id).in_(schools), col(Figure.name).in_(SHOWN))
    )
    for lesson, name, value in session.exec(figures):
        if value is not None:
            values.setdefault(lesson, {})[name] = value
    lessons = select(  # type: ignore[call-overload]
        Lesson.id, Lesson.school_id, Lesson.teacher_id, Lesson.held_on, Lesson.subject, Lesson.grade
    ).where(col(Lesson.school_id).in_(schools), col(Lesson.teacher_id).is_not(None))
    return [
        Observed(teacher, (school, term_of(held), subject.strip(), grade.strip()), values[i])
        for i, school, teacher, held, subject, grade in session.exec(lessons)
        if i in values
    ]
