"""Who did what to which lesson: written in the same transaction as what it tells of.

Entries are never changed or deleted; triggers of both databases see to that. They outlive the
people and the lessons they name, so they carry identifiers, field names and sums, and neither
names nor words.
"""

from typing import Any

from sqlmodel import Session

from api.access import Actor
from api.scope import ACTOR, REASON, REQUEST, ScopeError
from api.tables import AuditEntry, Lesson


def record(
    session: Session,
    action: str,
    *,
    object_id: str = "",
    lesson: Lesson | None = None,
    school_id: str | None = None,
    detail: dict[str, Any] | None = None,
) -> AuditEntry:
    """Add an entry; it is stored if and only if the rest of the session's work is.

    `action` is object and verb, as in ``lesson.read`` or ``share.create``; `object_id` what was
    acted on where that is not the lesson. Actor and request come from the session; what a system
    session does is entered without an actor and with its reason.
    """
    actor = session.info.get(ACTOR)
    reason = session.info.get(REASON)
    if not isinstance(actor, Actor) and not reason:
        raise ScopeError("an audit entry needs a session of Database")
    entry = AuditEntry(
        actor_id=actor.user_id if isinstance(actor, Actor) else None,
        action=action,
        object_id=object_id or (lesson.id if lesson else ""),
        lesson_id=lesson.id if lesson else None,
        school_id=lesson.school_id if lesson else school_id,
        request_id=str(session.info.get(REQUEST, "")),
        detail={**(detail or {}), **({"for": reason} if reason else {})},
    )
    session.add(entry)
    return entry
