"""The audit: in the transaction of what it tells of, never changed, seen by whom it concerns."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, select

from api.access import Actor
from api.audit import record
from api.db import Database
from api.scope import ScopeError
from api.tables import AuditEntry, User
from tests.service_factory import People, actor


def entries(database: Database) -> list[AuditEntry]:
    with database.system("test") as session:
        return list(session.exec(select(AuditEntry).order_by("id")).all())


def test_who_what_and_for_which_request(database: Database, people: People) -> None:
    with database.session(actor(database, people.teacher), request_id="r1") as session:
        record(session, "lesson.read", lesson=people.lesson)
    with database.system("retention", request_id="r2") as session:
        record(session, "recording.delete", object_id="abc", detail={"files": 2})
    read, deleted = entries(database)
    assert (read.actor_id, read.action) == (people.teacher.id, "lesson.read")
    assert read.object_id == read.lesson_id == people.lesson.id
    assert (read.school_id, read.request_id) == (people.school.id, "r1")
    assert (deleted.actor_id, deleted.object_id, deleted.request_id) == (None, "abc", "r2")
    assert deleted.detail == {"files": 2, "for": "retention"}


def test_no_entry_of_what_did_not_happen(database: Database, people: People) -> None:
    me = actor(database, people.teacher)
    with pytest.raises(KeyError), database.session(me) as session:  # noqa: PT012
        record(session, "lesson.read", lesson=people.lesson)
        session.flush()
        raise KeyError
    assert entries(database) == []


@pytest.mark.parametrize(
    "statement",
    ["UPDATE auditentry SET action = 'x'", "DELETE FROM auditentry"],
)
def test_append_only(database: Database, people: People, statement: str) -> None:
    """Not even the service itself changes an entry."""
    with database.session(actor(database, people.teacher)) as session:
        record(session, "lesson.read", lesson=people.lesson)
    with (
        pytest.raises(DBAPIError, match="append-only"),
        database.system("test") as session,
    ):
        session.connection().execute(text(statement))
    assert [e.action for e in entries(database)] == ["lesson.read"]


def test_no_replacement_on_sqlite(sqlite_database: Database) -> None:
    """INSERT OR REPLACE deletes without a DELETE."""
    with sqlite_database.system("test") as session:
        first = record(session, "school.create")
        session.flush()
        columns = "id, at, action, object_id, request_id, detail"
        with pytest.raises(DBAPIError, match="append-only"):
            session.connection().execute(
                text(f"REPLACE INTO auditentry ({columns}) VALUES (:id, '', 'x', '', '', '{{}}')"),
                {"id": first.id},
            )


def test_who_reads_the_audit(database: Database, people: People) -> None:
    """Administrators all, others what they did and what was done to their lessons."""
    with database.session(actor(database, people.teacher)) as session:
        record(session, "lesson.read", lesson=people.lesson)
    with database.session(actor(database, people.colleague)) as session:
        record(session, "sign-in")

    def seen(person: User) -> list[str]:
        with database.session(actor(database, person)) as session:
            return sorted(session.exec(select(AuditEntry.action)).all())

    assert seen(people.administrator) == ["lesson.read", "sign-in"]
    assert seen(people.teacher) == seen(people.researcher) == ["lesson.read"]
    assert seen(people.colleague) == ["sign-in"]
    assert seen(people.leader) == []


def test_nobody_signs_for_another(database: Database, people: People) -> None:
    from api.problems import NotFoundError

    with pytest.raises(NotFoundError), database.session(actor(database, people.leader)) as session:
        session.add(AuditEntry(actor_id=people.teacher.id, action="lesson.read"))


def test_a_session_of_nobody(sqlite_database: Database) -> None:
    with pytest.raises(ScopeError), Session(sqlite_database.engine) as session:
        record(session, "lesson.read")
    with sqlite_database.session(Actor("x", "x", "zh")) as session:
        assert record(session, "sign-out").actor_id == "x"
