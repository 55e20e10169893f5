"""The database: one history for both kinds, what a session commits, what SQLite is told."""

import pytest
from alembic import command
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, SQLModel, func, select

from api.access import Actor
from api.db import Database
from api.problems import UnavailableError
from api.tables import District, Lesson, Membership, School, Share, User
from tests.service_factory import People, actor, people

ME = Actor(user_id="x", name="x", language="zh")


def test_the_history_ends_in_the_tables(database: Database) -> None:
    """No difference between `api.tables` and what the migrations make; down and up again."""
    database.ready()
    database.migrate()  # a second time changes nothing
    command.check(database.alembic())
    command.downgrade(database.alembic(), "base")
    assert inspect(database.engine).get_table_names() == ["alembic_version"]
    with pytest.raises(UnavailableError, match="observer serve"):
        database.ready()
    database.migrate()
    database.ready()
    assert set(inspect(database.engine).get_table_names()) > set(SQLModel.metadata.tables)


def test_a_failed_migration_leaves_nothing(tmp_path_factory: pytest.TempPathFactory) -> None:
    """SQLite too: without a transaction of its own each CREATE TABLE would stay."""
    file = tmp_path_factory.mktemp("half") / "observer.db"
    database = Database(f"sqlite:///{file}")
    with database.engine.begin() as connection:
        connection.execute(text("CREATE TABLE lesson (id INTEGER)"))  # in the way of ours
    with pytest.raises(Exception, match="already exists"):
        database.migrate()
    assert inspect(database.engine).get_table_names() == ["lesson"]
    database.close()


def test_an_older_version_leaves_newer_tables_alone(database: Database) -> None:
    """Somebody put the program back without the backup."""
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(UnavailableError, match="newer version of observer \\(9999\\)"):
        database.migrate()


def test_ready_wants_tables(postgres_url: str) -> None:
    database = Database(postgres_url)
    with pytest.raises(UnavailableError, match="version —"):
        database.ready()
    database.close()


def test_every_table_has_a_policy(postgres_database: Database) -> None:
    """A table that is added later brings its policies in the migration that makes it."""
    with postgres_database.engine.connect() as connection:
        forced = connection.scalars(
            text("SELECT relname FROM pg_class WHERE relrowsecurity AND relforcerowsecurity")
        ).all()
        policies = connection.execute(text("SELECT tablename, policyname FROM pg_policies")).all()
    assert set(forced) == set(SQLModel.metadata.tables)
    assert {tuple(p) for p in policies} == {
        (table, name)
        for table in SQLModel.metadata.tables
        for name in "sees adds changes removes".split()
    }


def test_a_role_past_the_policies_is_refused(postgres_superuser: str) -> None:
    """A superuser would see everything whatever the policies say."""
    database = Database(postgres_superuser)
    with pytest.raises(UnavailableError, match="CREATE ROLE"):
        database.ready()
    database.close()


def _as(database: Database, user: str, system: str = "") -> Connection:
    """A connection that the policies take for this person's, or for the service's own."""
    connection = database.engine.connect()
    told = (
        "SELECT set_config('observer.user', :user, true),"
        " set_config('observer.system', :system, true)"
    )
    connection.execute(text(told), {"user": user, "system": system})
    return connection


def test_postgres_alone_keeps_the_rules(postgres_database: Database) -> None:
    """Raw SQL, which `api.scope` refuses, sees no more than the person does."""
    made = people(postgres_database)
    tables = ("lesson", "recording", "run", "step", "figure", "share")

    def counts(user: str, system: str = "") -> list[int]:
        with _as(postgres_database, user, system) as connection:
            found = [connection.scalar(text(f"SELECT count(*) FROM {t}")) for t in tables]
            # The functions of the policies hand back what they were lent.
            assert connection.scalar(text("SELECT current_setting('observer.system')")) == system
            return [int(n or 0) for n in found]

    assert counts("", "on") == [1, 1, 1, 1, 1, 0]
    assert counts(made.teacher.id) == counts(made.researcher.id) == [1, 1, 1, 1, 1, 0]
    for person in (made.leader, made.staff, made.administrator, made.stranger):
        assert counts(person.id) == [0, 0, 0, 0, 0, 0]
    assert counts("") == [0, 0, 0, 0, 0, 0]
    with postgres_database.session(actor(postgres_database, made.teacher)) as session:
        session.add(Share(lesson_id=made.lesson.id, district_id=made.district.id))
    assert counts(made.staff.id) == counts(made.neighbour.id) == [1, 1, 1, 1, 1, 1]
    assert counts(made.outsider.id) == [0, 0, 0, 0, 0, 0]


def test_postgres_alone_knows_the_same_people(postgres_database: Database) -> None:
    """No name and no school more than `api.rules` lets a person see, with and without a share."""
    made = people(postgres_database)
    for shared in (False, True):
        if shared:
            with postgres_database.session(actor(postgres_database, made.teacher)) as session:
                session.add(Share(lesson_id=made.lesson.id, user_id=made.stranger.id))
        for person in made.users().values():
            with postgres_database.session(actor(postgres_database, person)) as session:
                ruled = [set(session.exec(select(kind.name))) for kind in (User, School)]
            with _as(postgres_database, person.id) as connection:
                alone = [set(connection.scalars(select(kind.name))) for kind in (User, School)]
            assert alone == ruled, (person.name, shared)
        stranger = {"teacher", "researcher", "stranger"} if shared else {"stranger"}
        with _as(postgres_database, made.stranger.id) as connection:
            assert set(connection.scalars(select(User.name))) == stranger


@pytest.mark.parametrize("table", ["recording", "run", "step", "figure"])
def test_postgres_alone_lets_only_owners_write(postgres_database: Database, table: str) -> None:
    """With whom a lesson is shared sees its parts, and changes and removes none of them."""
    made = people(postgres_database)
    with postgres_database.session(actor(postgres_database, made.teacher)) as session:
        session.add(Share(lesson_id=made.lesson.id, user_id=made.stranger.id))
    for person, written in ((made.stranger, 0), (made.researcher, 1), (made.teacher, 1)):
        with _as(postgres_database, person.id) as connection:
            assert connection.scalar(text(f"SELECT count(*) FROM {table}")) == 1
            assert connection.execute(text(f"UPDATE {table} SET id = id")).rowcount == written
            assert connection.execute(text(f"DELETE FROM {table}")).rowcount == written
            connection.rollback()


def test_a_session_commits_at_the_end_and_rolls_back_on_an_error(database: Database) -> None:
    with database.system("test") as session:
        session.add(District(name="东区"))
    with pytest.raises(KeyError), database.system("test") as session:  # noqa: PT012
        session.add(District(name="西区"))
        session.flush()
        raise KeyError
    with database.session(ME) as session:
        assert session.exec(select(District.name)).all() == ["东区"]


def test_rows_stay_readable_after_the_commit(database: Database) -> None:
    with database.system("test") as session:
        district = District(name="东区")
        session.add(district)
    assert district.name == "东区"
    assert district.created.tzinfo is not None


def test_a_flush_writes_in_the_order_of_the_foreign_keys(database: Database) -> None:
    """Given backwards on purpose; without relationships SQLAlchemy would not know better."""
    district = District(name="东区")
    school = School(district_id=district.id, name="第一小学")
    teacher = User(login="t", name="t")
    membership = Membership(user_id=teacher.id, school_id=school.id, position="teacher")
    lesson = Lesson(school_id=school.id, teacher_id=teacher.id, title="x")
    with database.system("test") as session:
        session.add_all([lesson, membership, teacher, school, district])


def test_foreign_keys_hold(database: Database, people: People) -> None:
    """A school with lessons stays; a lesson takes its parts along."""
    with pytest.raises(IntegrityError), database.system("test") as session:
        session.delete(session.get_one(School, people.school.id))
    with database.system("test") as session:
        session.delete(session.get_one(Lesson, people.lesson.id))
    with database.system("test") as session:
        for table in ("recording", "run", "step", "figure"):
            assert session.connection().scalar(text(f"SELECT count(*) FROM {table}")) == 0


def test_one_share_for_each_receiver(database: Database, people: People) -> None:
    """NULLs are never equal: one index over all columns would let the same share in twice."""
    for receiver in (
        {"user_id": people.leader.id},
        {"school_id": people.school.id},
        {"district_id": people.district.id},
    ):
        with pytest.raises(IntegrityError), database.system("test") as session:
            session.add_all([Share(lesson_id=people.lesson.id, **receiver) for _ in range(2)])
    with pytest.raises(IntegrityError), database.system("test") as session:
        session.add(Share(lesson_id=people.lesson.id))


def test_a_savepoint_is_not_a_commit(database: Database) -> None:
    """Python's sqlite3 would commit what a first savepoint holds."""
    with pytest.raises(KeyError), database.system("test") as session:  # noqa: PT012
        with session.begin_nested():
            session.add(District(name="东区"))
        raise KeyError
    with database.system("test") as session:
        assert count(session) == 0
        session.add(District(name="东区"))
        session.flush()
        with pytest.raises(IntegrityError), session.begin_nested():  # noqa: PT012
            session.add(District(name="东区"))
            session.flush()
        assert count(session) == 1


def count(session: Session) -> int:
    return session.exec(select(func.count()).select_from(District)).one()


def test_sqlite_is_set_up(sqlite_database: Database) -> None:
    with sqlite_database.engine.connect() as connection:
        assert connection.scalar(text("PRAGMA journal_mode")) == "wal"
        assert connection.scalar(text("PRAGMA foreign_keys")) == 1
        assert connection.scalar(text("PRAGMA busy_timeout")) == 15_000


def test_a_reader_that_writes_later_waits_its_turn(sqlite_database: Database) -> None:
    """A transaction begun by the SELECT would be told "database is locked" at once."""
    with sqlite_database.system("test") as one:
        assert count(one) == 0
        with sqlite_database.system("test") as two:
            two.add(District(name="东区"))
        one.add(District(name="西区"))
    with sqlite_database.system("test") as session:
        assert count(session) == 2
