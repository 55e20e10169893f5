"""Who sees and who may write a row of each table, as SQL conditions on its columns.

`RULES` has one entry a table. The conditions name other tables by aliases of the bare table, so
that no condition is put on a condition.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Select,
    false,
    or_,
    select,
    true,
    union_all,
)
from sqlmodel import SQLModel

from api import tables
from api.access import Actor
from api.tables import Lesson, Membership, Run, School, Share

Condition = ColumnElement[bool]
Rule = Callable[[Actor, Any], Condition]
"""A condition on the columns of a table class or of an alias of its table."""


@cache
def _alias(kind: type[SQLModel], name: str) -> Any:
    """The columns of the bare table under a name that no statement uses; made once, it is slow.

    Bare, so that the condition on `kind` is not put on the condition itself again.
    """
    return SQLModel.metadata.tables[str(kind.__tablename__)].alias(f"scope_{name}").c


def _all(column: Any, condition: Condition) -> Select[Any]:
    """A list of its own, whatever statement it stands in: never correlated with that."""
    return select(column).where(condition).correlate(None)


def _reaches(actor: Actor, share: Any) -> Condition:
    """A share names the actor, a school of theirs, or a district whose shares reach them."""
    return or_(
        share.user_id == actor.user_id,
        share.school_id.in_(sorted(actor.schools())),
        share.district_id.in_(sorted(actor.reached_districts())),
    )


def _shared(actor: Actor) -> Select[Any]:
    share = _alias(Share, "share")
    return _all(share.lesson_id, _reaches(actor, share))


def _owned(actor: Actor, lesson: Any) -> Condition:
    return or_(lesson.teacher_id == actor.user_id, lesson.uploader_id == actor.user_id)


def _seen_lessons(actor: Actor) -> CompoundSelect[Any]:
    """A union, not an OR over the lessons: each half has an index, the OR has none."""
    return union_all(_owned_lessons(actor), _shared(actor))


def _seen(actor: Actor, lesson: Any) -> Condition:
    return lesson.id.in_(_seen_lessons(actor))  # type: ignore[no-any-return]


def _owned_lessons(actor: Actor) -> Select[Any]:
    lesson = _alias(Lesson, "lesson")
    return _all(lesson.id, _owned(actor, lesson))


def shareable(actor: Actor, lesson: Any) -> Condition:
    """The actor may share and correct the lesson, see `may_share`."""
    return or_(
        lesson.teacher_id == actor.user_id,
        lesson.teacher_id.is_(None) & (lesson.uploader_id == actor.user_id),
    )


def _reached(actor: Actor, lesson: Any) -> Condition:
    """As `_seen`, asked of one lesson at a time: what hangs on a lesson is read for a few lessons,
    for which the list of all that the actor sees would have to be made first."""
    share = _alias(Share, "share")
    named = _one(share.id, (share.lesson_id == lesson.id) & _reaches(actor, share))
    return or_(_owned(actor, lesson), named)


def _one(column: Any, condition: Condition) -> Condition:
    """There is such a row; correlated with the statement that it stands in."""
    return select(column).where(condition).correlate_except(column.table).exists()


def _of_lesson(rule: Rule) -> Rule:
    def narrowed(actor: Actor, row: Any) -> Condition:
        lesson = _alias(Lesson, "lesson")
        return _one(lesson.id, (lesson.id == row.lesson_id) & rule(actor, lesson))

    return narrowed


def _of_run(rule: Rule) -> Rule:
    def narrowed(actor: Actor, row: Any) -> Condition:
        run = _alias(Run, "run")
        return _one(run.id, (run.id == row.run_id) & _of_lesson(rule)(actor, run))

    return narrowed


def _mine(actor: Actor, row: Any) -> Condition:
    return row.user_id == actor.user_id  # type: ignore[no-any-return]


def _administrators(actor: Actor, row: Any) -> Condition:  # noqa: ARG001
    return true() if actor.administrator else false()


def nobody(actor: Actor, row: Any) -> Condition:  # noqa: ARG001
    """Closed to everybody but the service itself."""
    return false()


def _everybody(actor: Actor, row: Any) -> Condition:  # noqa: ARG001
    return true()


def _mine_or_administrators(actor: Actor, row: Any) -> Condition:
    return true() if actor.administrator else _mine(actor, row)


def at_home(actor: Actor, row: Any) -> Condition:
    """`row.school_id` is a school of the actor, or one of a district whose staff they are."""
    school = _alias(School, "school")
    return or_(
        row.school_id.in_(sorted(actor.schools())),
        row.school_id.in_(_all(school.id, school.district_id.in_(sorted(actor.districts())))),
    )


def _colleagues(actor: Actor, row: Any) -> Condition:
    """Memberships one may know of: one's own schools', and the staff of one's district."""
    if actor.administrator:
        return true()
    return or_(
        row.user_id == actor.user_id,
        at_home(actor, row),
        row.district_id.in_(sorted(actor.home_districts())),
    )


def _known(actor: Actor, row: Any) -> Condition:
    """People one may know of: colleagues, and those whom a lesson or its shares bring along."""
    if actor.administrator:
        return true()
    membership, lesson, share = (
        _alias(Membership, "membership"),
        _alias(Lesson, "lesson"),
        _alias(Share, "share"),
    )
    return or_(
        row.id == actor.user_id,
        row.id.in_(_all(membership.user_id, _colleagues(actor, membership))),
        _one(lesson.id, (lesson.teacher_id == row.id) & _reached(actor, lesson)),
        _one(lesson.id, (lesson.uploader_id == row.id) & _reached(actor, lesson)),
        row.id.in_(_all(share.user_id, share.lesson_id.in_(_owned_lessons(actor)))),
    )


def _schools(actor: Actor, row: Any) -> Condition:
    if actor.administrator:
        return true()
    lesson = _alias(Lesson, "lesson")
    return or_(
        row.district_id.in_(sorted(actor.home_districts())),
        row.id.in_(_all(lesson.school_id, _seen(actor, lesson))),
    )


def _myself(actor: Actor, row: Any) -> Condition:
    return true() if actor.administrator else row.id == actor.user_id


def _shares(actor: Actor, row: Any) -> Condition:
    return or_(row.lesson_id.in_(_owned_lessons(actor)), _reaches(actor, row))


def _consents(actor: Actor, row: Any) -> Condition:
    return or_(row.created_by == actor.user_id, at_home(actor, row))


def _my_consents(actor: Actor, row: Any) -> Condition:
    return (row.created_by == actor.user_id) & at_home(actor, row)  # type: ignore[no-any-return]


def _my_deliveries(actor: Actor, row: Any) -> Condition:
    webhook = _alias(tables.Webhook, "webhook")
    return row.webhook_id.in_(_all(webhook.id, _mine(actor, webhook)))  # type: ignore[no-any-return]


def _entries(actor: Actor, row: Any) -> Condition:
    """The audit: all of it for administrators, else what one did and what befell one's lessons."""
    if actor.administrator:
        return true()
    return or_(row.actor_id == actor.user_id, row.lesson_id.in_(_owned_lessons(actor)))


def _my_entries(actor: Actor, row: Any) -> Condition:
    return row.actor_id == actor.user_id  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Rules:
    """Who sees a row and who may write it."""

    sees: Rule
    writes: Rule
    sees_of_few: Rule | None = None
    """The same as `sees`, quicker where few rows are asked about (`api.access.FEW`)."""


_SEEN_BY_LESSON = Rules(_of_lesson(_reached), _of_lesson(_owned))
_SEEN_BY_RUN = Rules(_of_run(_reached), _of_run(_owned))
_OWN = Rules(_mine, _mine)
RULES: dict[type[SQLModel], Rules] = {
    tables.District: Rules(_everybody, _administrators),
    tables.School: Rules(_schools, _administrators),
    tables.User: Rules(_known, _myself),
    tables.Membership: Rules(_colleagues, _administrators),
    tables.SignIn: Rules(_mine, _mine_or_administrators),
    tables.Invitation: Rules(_administrators, _administrators),
    tables.FailedSignIn: Rules(nobody, nobody),
    tables.ApiToken: Rules(_mine, _mine_or_administrators),
    tables.Consent: Rules(_consents, _my_consents),
    tables.Lesson: Rules(_seen, _owned, _reached),
    tables.Recording: _SEEN_BY_LESSON,
    tables.Upload: _OWN,
    tables.Batch: _OWN,
    tables.Run: _SEEN_BY_LESSON,
    tables.Step: _SEEN_BY_RUN,
    tables.Worker: Rules(_administrators, nobody),
    tables.Figure: _SEEN_BY_LESSON,
    tables.Share: Rules(_shares, _of_lesson(shareable)),
    tables.Webhook: _OWN,
    tables.Delivery: Rules(_my_deliveries, nobody),
    tables.IdempotencyKey: _OWN,
    tables.Removal: Rules(nobody, _everybody),
    tables.AuditEntry: Rules(_entries, _my_entries),
}
"""One row a table; a table without one is closed to everybody but the service itself."""
OWNERSHIP = ("teacher_id", "uploader_id", "school_id")
"""Columns of a lesson that only who may share it may change."""
IN_BULK = frozenset(
    {tables.Upload, tables.Run, tables.SignIn, tables.ApiToken, tables.Webhook}
    | {tables.IdempotencyKey}
)
"""Tables that a person's session may UPDATE without loading the rows: what they are changed to
is not looked at there, so tables that say who owns what are left out."""
