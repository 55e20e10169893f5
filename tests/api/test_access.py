"""Who sees and who may change what: every rule, for every role, past every way of asking.

The people and where they belong are drawn in `tests.service_factory`. Each test runs on SQLite,
where the scope of the session is the only fence, and on PostgreSQL, which has a second one.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import (
    and_,
    delete,
    exists,
    insert,
    literal,
    literal_column,
    text,
    union_all,
    update,
)
from sqlalchemy.orm import Session as PlainSession
from sqlalchemy.orm import aliased
from sqlmodel import Session, SQLModel, col, func, select

from api import tables
from api.access import FEW, Actor, Belonging, actor_of, may_share, may_write
from api.audit import record
from api.db import Database
from api.problems import NotAllowedError, NotFoundError
from api.rules import RULES
from api.scope import ScopeError
from api.tables import (
    ApiToken,
    Consent,
    Figure,
    Lesson,
    Membership,
    Position,
    Recording,
    Run,
    School,
    Share,
    SignIn,
    Step,
    Upload,
    User,
    Webhook,
)
from tests.service_factory import EXPIRES, People, actor, lesson_with_run, user

CONTENT: tuple[type[Any], ...] = (Lesson, Recording, Run, Step, Figure)
OWNERS = {"teacher", "researcher"}


def seen_by(
    database: Database, person: User, kind: type[Any], options: Mapping[str, Any] | None = None
) -> int:
    """How many rows of `kind` the person sees."""
    with database.session(actor(database, person)) as session:
        wanted = select(func.count()).select_from(kind)
        return session.exec(wanted, execution_options=options or {}).one()


def readers(database: Database, people: People) -> set[str]:
    """Who sees the lesson; the lesson's parts must be seen by exactly the same people."""
    who: set[str] = set()
    for name, person in people.users().items():
        counts = {seen_by(database, person, kind) for kind in CONTENT}
        counts.add(seen_by(database, person, Lesson, FEW))
        assert len(counts) == 1, f"{name} sees parts of a lesson: {counts}"
        if counts == {1}:
            who.add(name)
    return who


def share(database: Database, people: People, **receiver: str) -> None:
    """The teacher shares the lesson."""
    with database.session(actor(database, people.teacher)) as session:
        session.add(Share(lesson_id=people.lesson.id, shared_by=people.teacher.id, **receiver))


def test_a_lesson_is_private_until_it_is_shared(database: Database, people: People) -> None:
    """Neither the leader of the school, nor the district, nor the administrator."""
    assert readers(database, people) == OWNERS


def test_a_share_with_a_person(database: Database, people: People) -> None:
    share(database, people, user_id=people.stranger.id)
    assert readers(database, people) == OWNERS | {"stranger"}


def test_a_share_with_a_school(database: Database, people: People) -> None:
    """Everyone of that school; the district's staff are not of the school."""
    share(database, people, school_id=people.other_school.id)
    assert readers(database, people) == OWNERS | {"outsider", "neighbour"}


def test_a_share_with_a_district(database: Database, people: People) -> None:
    """Its staff, and leaders and researchers of its schools; not the teachers, nor others'."""
    share(database, people, district_id=people.district.id)
    assert readers(database, people) == OWNERS | {"staff", "leader", "neighbour"}


def test_a_share_that_is_withdrawn(database: Database, people: People) -> None:
    share(database, people, user_id=people.stranger.id)
    with database.session(actor(database, people.teacher)) as session:
        session.delete(session.exec(select(Share)).one())
    assert readers(database, people) == OWNERS


def ways_around() -> dict[str, Any]:
    """Statements that would read a lesson past a scope that looks at the top alone."""
    other = aliased(Lesson)
    run = aliased(Run)
    within = select(col(Lesson.title)).subquery()
    return {
        "column": select(Lesson.title),
        "function": select(func.coalesce(Lesson.title, "")),
        "label": select((col(Lesson.title) + "!").label("title")),
        "alias": select(other.title),
        "subquery": select(within.c.title),
        "alias of a subquery": select(aliased(Lesson, select(Lesson).subquery()).title),
        "cte": select(select(Lesson.title).cte()),
        "union": union_all(select(Lesson.title), select(Lesson.title)),
        "from another": select(Lesson.title).select_from(Run).join(Lesson),
        "joined by hand": select(run.id)
        .select_from(User)
        .join(other, literal(value=True))
        .join(run, and_(run.lesson_id == other.id)),
        "exists": select(User.id).where(exists().where(col(Lesson.teacher_id) == User.id)),
        "in": select(User.id).where(col(User.id).in_(select(Lesson.teacher_id))),
        "condition alone": select(literal(1)).where(col(Lesson.id) != ""),
        "scalar": select(User.id).where(
            select(func.count(col(Lesson.id))).correlate(None).scalar_subquery() > 0
        ),
        "locked": select(Lesson.title).with_for_update(),
    }


def test_no_way_around(database: Database, people: People) -> None:
    """What the teacher finds in each of these ways, a colleague does not, whichever of the two
    conditions is put on lessons."""
    teacher, colleague = actor(database, people.teacher), actor(database, people.colleague)
    for way, statement in ways_around().items():
        for options in ({}, FEW):
            with database.session(teacher) as session:
                assert session.execute(statement, execution_options=options).all(), way
            with database.session(colleague) as session:
                assert session.execute(statement, execution_options=options).all() == [], way


def test_an_alias_beside_its_table(database: Database, people: People) -> None:
    """Both are narrowed: in a join by hand SQLAlchemy alone would narrow `Lesson` twice."""
    with database.system("test") as session:
        mine, *rest = lesson_with_run(people.school, teacher=people.colleague, uploader=None)
        session.add_all([mine, *rest])
    other = aliased(Lesson)
    with database.session(actor(database, people.colleague)) as session:
        pairs = session.exec(
            select(Lesson.id, other.id).outerjoin(other, col(other.id) != Lesson.id)
        ).all()
    assert pairs == [(mine.id, None)]


def test_get_refresh_and_delete(database: Database, people: People) -> None:
    with database.session(actor(database, people.colleague)) as session:
        assert session.get(Lesson, people.lesson.id) is None
        assert session.exec(delete(Lesson)).rowcount == 0
        assert session.exec(update(Run).values(state="failed")).rowcount == 0
    assert readers(database, people) == OWNERS


BARE = tables.SQLModel.metadata.tables["lesson"]
REFUSED: dict[str, Callable[[], Any]] = {
    "raw": lambda: text("SELECT title FROM lesson"),
    "raw condition": lambda: select(Lesson).where(text("1 = 1")),
    "raw statement": lambda: select(Lesson).from_statement(text("SELECT * FROM lesson")),
    "raw column": lambda: select(User.id, literal_column("(SELECT title FROM lesson)")),
    "bare table": lambda: select(BARE),
    "bare column": lambda: select(User.id, BARE.c.title),
    "bare alias": lambda: select(User.id, BARE.alias().c.title),
    "bare join": lambda: select(User).join(BARE, BARE.c.teacher_id == User.id),
    "bare subquery": lambda: select(User.id).where(col(User.id).in_(select(BARE.c.teacher_id))),
    "insert": lambda: insert(Lesson).values(title="x", school_id="y"),
    "owners in bulk": lambda: update(Lesson).values(teacher_id="x"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_narrowed_is_refused(sqlite_database: Database, name: str) -> None:
    me = Actor(user_id="x", name="x", language="zh")
    with pytest.raises(ScopeError), sqlite_database.session(me) as session:
        session.execute(REFUSED[name]())


def test_a_session_without_an_actor_is_refused(sqlite_database: Database) -> None:
    for kind in (PlainSession, Session):
        with kind(sqlite_database.engine) as session, pytest.raises(ScopeError):
            session.execute(select(Lesson))
        with kind(sqlite_database.engine) as session:
            session.add(tables.District(name="x"))
            with pytest.raises(ScopeError):
                session.flush()
    with sqlite_database.session(Actor("x", "x", "zh")) as session, pytest.raises(ScopeError):
        session.bulk_save_objects([])
    with pytest.raises(ValueError, match="reason"), sqlite_database.system(" "):
        pass


def test_every_table_has_a_rule() -> None:
    """A table that is added without one is closed, and this test tells its author."""
    known = {kind.__tablename__ for kind in RULES}
    assert known == set(SQLModel.metadata.tables)


# Writing


def attempt(database: Database, who: Actor, change: Callable[[Session], Any]) -> bool:
    """Whether `change` went through and was committed."""
    try:
        with database.session(who) as session:
            change(session)
    except NotFoundError:
        return False
    return True


def able(database: Database, people: People, change: Callable[[Session, User], Any]) -> set[str]:
    """Who may make `change`."""
    return {
        name
        for name, person in people.users().items()
        if attempt(database, actor(database, person), lambda s, p=person: change(s, p))
    }


def test_who_may_add_to_a_lesson(database: Database, people: People) -> None:
    """The teacher and the uploader; not whom it is shared with."""
    share(database, people, district_id=people.district.id)
    for make in (
        lambda: Run(lesson_id=people.lesson.id),
        lambda: Figure(run_id=people.run.id, lesson_id=people.lesson.id, name=tables.new_id()),
        lambda: Step(run_id=people.run.id, stage=tables.new_id()),
    ):
        assert able(database, people, lambda s, _, make=make: s.add(make())) == OWNERS


def test_who_may_share(database: Database, people: People) -> None:
    """The teacher alone; the uploader where there is no teacher."""

    def to(lesson: Lesson) -> Callable[[Session, User], None]:
        return lambda s, p: s.add(Share(lesson_id=lesson.id, user_id=p.id))

    with database.system("test") as session:
        orphan, *rest = lesson_with_run(people.school, teacher=None, uploader=people.researcher)
        session.add_all([orphan, *rest])
    assert able(database, people, to(people.lesson)) == {"teacher"}
    assert able(database, people, to(orphan)) == {"researcher"}


def test_who_may_hand_a_lesson_over(database: Database, people: People) -> None:
    """The uploader cannot make the lesson theirs, and nobody can push it out of their own sight."""

    def change(**columns: Any) -> Callable[[Session], None]:
        def work(session: Session) -> None:
            lesson = session.get(Lesson, people.lesson.id)
            assert lesson is not None
            for name, value in columns.items():
                setattr(lesson, name, value)

        return work

    researcher, teacher = actor(database, people.researcher), actor(database, people.teacher)
    assert attempt(database, researcher, change(topic="分数"))
    assert not attempt(database, researcher, change(teacher_id=None))
    assert not attempt(database, researcher, change(teacher_id=people.researcher.id))
    assert not attempt(database, teacher, change(teacher_id=people.outsider.id))
    assert not attempt(database, teacher, change(school_id=people.other_school.id))
    assert attempt(database, teacher, change(uploader_id=None))
    assert readers(database, people) == {"teacher"}


def test_where_one_may_put_a_lesson(database: Database, people: People) -> None:
    """In a school where one is a member, or of a district whose staff one is."""

    def put(session: Session, person: User) -> None:
        session.add(Lesson(school_id=people.school.id, uploader_id=person.id, title="x"))

    members = {"teacher", "colleague", "researcher", "leader", "staff"}
    assert able(database, people, put) == members


def test_nobody_writes_in_another_s_name(database: Database, people: People) -> None:
    """A row for oneself goes through, the same row for somebody else does not."""
    teacher = people.teacher.id
    rows: list[Callable[[str], Any]] = [
        lambda who: Lesson(school_id=people.school.id, uploader_id=who, title="x"),
        lambda who: Upload(user_id=who, size=1, expires=EXPIRES),
        lambda who: Webhook(user_id=who, url="https://example.org", secret="x"),
        lambda who: ApiToken(user_id=who, name="x", token_hash=tables.new_id()),
        lambda who: Consent(school_id=people.school.id, covers="x", created_by=who),
    ]
    me = actor(database, people.colleague)
    for make in rows:
        assert attempt(database, me, lambda s, make=make: s.add(make(me.user_id)))
        assert not attempt(database, me, lambda s, make=make: s.add(make(teacher)))


def test_people_and_schools_belong_to_the_administrator(database: Database, people: People) -> None:
    new: list[Callable[[], Any]] = [
        lambda: School(district_id=people.district.id, name=tables.new_id()),
        lambda: user(tables.new_id()),
    ]
    for make in new:
        assert able(database, people, lambda s, _, make=make: s.add(make())) == {"administrator"}

    def rise(session: Session, person: User) -> None:
        session.add(Membership(user_id=person.id, position=Position.ADMINISTRATOR.value))

    assert able(database, people, rise) == {"administrator"}

    def rename(session: Session, _: User) -> None:
        found = session.get(User, people.teacher.id)
        if found is None:
            raise NotFoundError(en="", zh="")
        found.name = tables.new_id()

    assert able(database, people, rename) == {"administrator", "teacher"}


def test_a_token_that_may_only_read(database: Database, people: People) -> None:
    me = replace(actor(database, people.teacher), scopes=frozenset({"read"}))
    with database.session(me) as session:
        lesson = session.exec(select(Lesson)).one()
        assert not may_write(session, me, lesson)
        record(session, "lesson.read", lesson=lesson)  # reading leaves its trace all the same
    with pytest.raises(NotAllowedError), database.session(me) as session:
        session.add(Run(lesson_id=people.lesson.id))
    with pytest.raises(NotAllowedError), database.session(me) as session:
        session.exec(update(Run).values(state="failed"))


def test_an_administrator_signs_others_out(database: Database, people: People) -> None:
    with database.system("test") as session:
        session.add(SignIn(token_hash="x", user_id=people.teacher.id, expires=EXPIRES))
    gone = delete(SignIn).where(col(SignIn.user_id) == people.teacher.id)
    with database.session(actor(database, people.colleague)) as session:
        assert session.exec(gone).rowcount == 0
    with database.session(actor(database, people.administrator)) as session:
        assert session.exec(gone).rowcount == 1


# People


def known(database: Database, person: User) -> set[str]:
    with database.session(actor(database, person)) as session:
        return set(session.exec(select(User.name)).all())


def test_whom_one_knows(database: Database, people: People) -> None:
    """Colleagues, the district's staff, and those whom a lesson brings along."""
    staff_room = {"teacher", "colleague", "researcher", "leader", "staff"}
    assert known(database, people.teacher) == staff_room
    assert known(database, people.outsider) == {"outsider", "neighbour", "staff"}
    assert known(database, people.staff) == staff_room | {"outsider", "neighbour"}
    assert known(database, people.administrator) == set(people.users())
    assert known(database, people.stranger) == {"stranger"}
    share(database, people, user_id=people.stranger.id)
    assert known(database, people.stranger) == {"stranger", "teacher", "researcher"}
    assert known(database, people.teacher) == staff_room | {"stranger"}


def test_which_schools_one_knows(database: Database, people: People) -> None:
    assert seen_by(database, people.teacher, School) == 2  # those of the district
    assert seen_by(database, people.stranger, School) == 1
    share(database, people, user_id=people.stranger.id)
    assert seen_by(database, people.stranger, School) == 2  # and the lesson's
    assert seen_by(database, people.administrator, School) == 3


def test_actor(database: Database, people: People) -> None:
    with database.system("test") as session:
        leader = actor_of(session, people.leader)
        staff = actor_of(session, people.staff)
        administrator = actor_of(session, people.administrator)
        people.teacher.active = False
        gone = actor_of(session, people.teacher)
    home = Belonging(Position.LEADER, people.school.id, people.district.id)
    assert leader.memberships == (home,)
    assert leader.schools() == leader.schools(Position.LEADER) == {people.school.id}
    assert leader.schools(Position.TEACHER) == leader.districts() == frozenset()
    assert staff.districts() == {people.district.id}
    assert staff.schools() == frozenset()
    assert administrator.administrator
    assert not leader.administrator
    assert gone.memberships == ()


def test_may(sqlite_database: Database) -> None:
    """teacher t, uploader u: both write, t shares; without t, u shares."""
    t, u = Actor("t", "t", "zh"), Actor("u", "u", "zh")
    both = Lesson(school_id="s", title="x", teacher_id="t", uploader_id="u")
    alone = Lesson(school_id="s", title="x", uploader_id="u")
    with sqlite_database.session(t) as s:
        assert [may_write(s, a, both) for a in (t, u)] == [True, True]
        assert [may_share(s, a, both) for a in (t, u)] == [True, False]
        assert [may_share(s, a, alone) for a in (t, u)] == [False, True]
