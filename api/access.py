"""Who is asking, and what a person may see and change: the one place where the rules stand.

A lesson is private to its teacher and its uploader until a `Share` names somebody: a person, a
school (everyone with a membership in it), or a district (its staff, and the leaders and
researchers of its schools). Administrators manage people, schools and retention; a lesson is as
closed to them as to anybody else. `api.rules` says this as SQL conditions, `api.scope` puts them
on every statement of a person's session, and PostgreSQL has them once more as row-level security.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, col, select

from api.problems import not_found
from api.tables import Lesson, Membership, Position, School, User

BOTH_SCOPES = frozenset({"read", "write"})
"""What a browser has; an API token may have less."""
FEW = {"few": True}
"""Execution options of a statement that an index narrows to few lessons without their scope: each
is then asked whether the person sees it, where else all that they see are listed first."""
REACHED_BY_DISTRICT_SHARES = frozenset({Position.LEADER, Position.RESEARCHER})


@dataclass(frozen=True, slots=True)
class Belonging:
    """A membership: `school_id` None means staff of the district itself.

    `district_id` is the school's district for members of a school; both are None for an
    administrator.
    """

    position: Position
    school_id: str | None
    district_id: str | None


@dataclass(frozen=True, slots=True)
class Actor:
    """The person who is asking, as known at the start of the request."""

    user_id: str
    name: str
    language: str
    """zh or en."""
    memberships: tuple[Belonging, ...] = ()
    administrator: bool = False
    scopes: frozenset[str] = BOTH_SCOPES
    """read, write."""

    def schools(self, position: Position | None = None) -> frozenset[str]:
        """Schools of which the person is a member, in `position` if that is given."""
        return frozenset(
            m.school_id
            for m in self.memberships
            if m.school_id is not None and position in (None, m.position)
        )

    def districts(self) -> frozenset[str]:
        """Districts of which the person is staff."""
        return frozenset(
            m.district_id
            for m in self.memberships
            if m.school_id is None and m.district_id is not None
        )

    def reached_districts(self) -> frozenset[str]:
        """Districts whose shares reach the person: as staff, or as leader or researcher there."""
        return self.districts() | frozenset(
            m.district_id
            for m in self.memberships
            if m.district_id is not None and m.position in REACHED_BY_DISTRICT_SHARES
        )

    def home_districts(self) -> frozenset[str]:
        """Districts of every membership, whatever the position."""
        return frozenset(m.district_id for m in self.memberships if m.district_id is not None)


PLACES: tuple[Any, ...] = (
    Membership.position, Membership.school_id, Membership.district_id, School.district_id
)  # fmt: skip
"""Columns of a membership and its school, which `actor_in` reads."""


def actor_of(session: Session, user: User, scopes: frozenset[str] = BOTH_SCOPES) -> Actor:
    """The actor that `user` is, read in a system session; an inactive user has no memberships."""
    places = session.execute(
        select(Membership)
        .with_only_columns(*PLACES)
        .join(School, col(School.id) == Membership.school_id, isouter=True)
        .where(col(Membership.user_id) == user.id)
        .order_by(col(Membership.id))
    )
    return actor_in(places if user.active else (), user.id, user.name, user.language, scopes)


def actor_in(
    places: Iterable[Sequence[Any]],
    user_id: str,
    name: str,
    language: str,
    scopes: frozenset[str] = BOTH_SCOPES,
) -> Actor:
    """The person with these memberships, each as `PLACES` has them."""
    belongings = tuple(
        Belonging(Position(position), school, of_school or district)
        for position, school, district, of_school in places
    )
    administrator = any(b.position is Position.ADMINISTRATOR for b in belongings)
    return Actor(user_id, name, language, belongings, administrator, scopes)


def may_write(session: Session, actor: Actor, lesson: Lesson) -> bool:  # noqa: ARG001
    """Whether `actor` may change a lesson, its files and its runs: its teacher or its uploader."""
    return "write" in actor.scopes and actor.user_id in (lesson.teacher_id, lesson.uploader_id)


def may_share(session: Session, actor: Actor, lesson: Lesson) -> bool:  # noqa: ARG001
    """Whether `actor` may share and correct: the teacher, or the uploader where there is none."""
    return "write" in actor.scopes and actor.user_id == (lesson.teacher_id or lesson.uploader_id)


def the_lesson(session: Session, lesson_id: str) -> Lesson:
    """A lesson that the session's person may see. Raises NotFoundError."""
    lesson = session.get(Lesson, lesson_id, execution_options=FEW)
    if lesson is None:
        raise not_found()
    return lesson


def own_lesson(session: Session, actor: Actor, lesson_id: str) -> Lesson:
    """A lesson that `actor` may change. Raises NotFoundError."""
    lesson = the_lesson(session, lesson_id)
    if not may_write(session, actor, lesson):
        raise not_found()
    return lesson
