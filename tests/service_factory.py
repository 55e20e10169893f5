"""A small district for the tests of the service.

district ─ staff (staff of the district)
  ├── school ─ teacher (owns `lesson`), colleague (teacher), researcher (uploaded it), leader
  └── other_school ─ outsider (teacher), neighbour (leader)
another district ─ far school ─ stranger (teacher)
administrator: of the installation, in no school
"""

from dataclasses import dataclass, fields
from datetime import UTC, date, datetime

from api.access import Actor, actor_of
from api.db import Database
from api.tables import (
    District,
    Figure,
    Lesson,
    Membership,
    Position,
    Recording,
    Run,
    School,
    Step,
    User,
)

EXPIRES = datetime(2036, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class People:
    """Rows that are in the database; nothing is shared."""

    district: District
    school: School
    other_school: School
    far_school: School
    teacher: User
    colleague: User
    researcher: User
    leader: User
    staff: User
    outsider: User
    neighbour: User
    stranger: User
    administrator: User
    lesson: Lesson
    recording: Recording
    run: Run

    def users(self) -> dict[str, User]:
        """Everybody, by role."""
        return {
            f.name: value for f in fields(self) if isinstance(value := getattr(self, f.name), User)
        }


def user(name: str) -> User:
    """A person who has not signed in yet."""
    return User(login=f"{name}@example.org", name=name, language="en")


def actor(database: Database, person: User) -> Actor:
    """`person` as a request would know them."""
    with database.system("test") as session:
        return actor_of(session, person)


def lesson_with_run(
    school: School, *, teacher: User | None, uploader: User | None, title: str = "分数的初步认识"
) -> tuple[Lesson, Recording, Run, Step, Figure]:
    """A lesson that was observed: rows that are not in a database yet."""
    lesson = Lesson(
        school_id=school.id,
        teacher_id=teacher.id if teacher else None,
        uploader_id=uploader.id if uploader else None,
        title=title,
        subject="数学",
        grade="三年级",
        held_on=date(2026, 11, 2),
    )
    recording = Recording(
        lesson_id=lesson.id,
        sha256="0" * 64,
        size=3,
        name="lesson.wav",
        media_type="audio/wav",
        duration=2400.0,
        expires=EXPIRES,
    )
    run = Run(lesson_id=lesson.id, state="done", progress=1.0, artefacts={})
    step = Step(run_id=run.id, stage="decode")
    figure = Figure(run_id=run.id, lesson_id=lesson.id, name="teacher_talk_share", value=0.7)
    return lesson, recording, run, step, figure


def people(database: Database) -> People:
    """Put the district above into `database`."""
    district, another = District(name="东区"), District(name="西区")
    school = School(district_id=district.id, name="第一小学")
    other = School(district_id=district.id, name="第二小学")
    far = School(district_id=another.id, name="第三小学")
    everybody = {
        name: user(name)
        for name in "teacher colleague researcher leader staff outsider neighbour stranger"
        " administrator".split()
    }
    places = {
        "teacher": (Position.TEACHER, school),
        "colleague": (Position.TEACHER, school),
        "researcher": (Position.RESEARCHER, school),
        "leader": (Position.LEADER, school),
        "outsider": (Position.TEACHER, other),
        "neighbour": (Position.LEADER, other),
        "stranger": (Position.TEACHER, far),
    }
    memberships = [
        Membership(user_id=everybody[name].id, school_id=place.id, position=position.value)
        for name, (position, place) in places.items()
    ]
    memberships += [
        Membership(
            user_id=everybody["staff"].id,
            district_id=district.id,
            position=Position.RESEARCHER.value,
        ),
        Membership(user_id=everybody["administrator"].id, position=Position.ADMINISTRATOR.value),
    ]
    rows = lesson_with_run(school, teacher=everybody["teacher"], uploader=everybody["researcher"])
    with database.system("test") as session:
        session.add_all([district, another, school, other, far, *everybody.values()])
        session.add_all([*memberships, *rows])
    lesson, recording, run, *_ = rows
    return People(
        district, school, other, far, **everybody, lesson=lesson, recording=recording, run=run
    )
