"""The service's tables: who, which lesson, what was made of it, who may see it, who did what.

Identity and life live here; what is computed (transcript, labels, indicators, report) is an
artefact in storage, named by its content, and only its figures are copied into `Figure` for lists
and aggregates. Identifiers are random; times are UTC. One module although it is long: a schema is
read as a whole, and its tables refer to each other.
"""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import uuid4

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import class_mapper, relationship
from sqlmodel import Field, SQLModel

from api.columns import UTCDateTime, now

SQLModel.metadata.naming_convention = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Position(StrEnum):
    """What a person may be in a school; an administrator runs the whole installation."""

    RESEARCHER = "researcher"
    TEACHER = "teacher"
    LEADER = "leader"
    ADMINISTRATOR = "administrator"


class LessonType(StrEnum):
    """课型: 常态课, 公开课, 研究课."""

    ORDINARY = "ordinary"
    PUBLIC = "public"
    RESEARCH = "research"


class RunState(StrEnum):
    """Life of a run; the last four are ends."""

    QUEUED = "queued"
    WORKING = "working"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SET_ASIDE = "set_aside"


ENDS = frozenset({RunState.DONE, RunState.FAILED, RunState.CANCELLED, RunState.SET_ASIDE})


def new_id() -> str:
    """32 random hexadecimal digits."""
    return uuid4().hex


def _one_of(column: str, kind: type[StrEnum]) -> CheckConstraint:
    values = ", ".join(f"'{v.value}'" for v in kind)
    return CheckConstraint(f"{column} IN ({values})", name=column)


def _moment(*, nullable: bool = False, index: bool = False) -> Any:
    return Column(UTCDateTime, nullable=nullable, index=index)


def _bytes() -> Any:
    return Column(BigInteger, nullable=False)  # PostgreSQL's INTEGER ends at 2 GiB


def _to(
    target: str, *, nullable: bool = False, ondelete: str = "CASCADE", index: bool = True
) -> Any:
    return Column(String(32), ForeignKey(target, ondelete=ondelete), nullable=nullable, index=index)


class District(SQLModel, table=True):
    """区县."""

    id: str = Field(default_factory=new_id, primary_key=True, max_length=32)
    name: str = Field(max_length=200, unique=True)
    created: datetime = Field(default_factory=now, sa_column=_moment())


class School(SQLModel, table=True):
    """A school; every lesson belongs to one."""

    __table_args__ = (UniqueConstraint("district_id", "name"),)

    id: str = Field(default_factory=new_id, primary_key=True, max_length=32)
    district_id: str = Field(sa_column=_to("district.id", ondelete="RESTRICT"))
    name: str = Field(max_length=200)
    retention_days: int = Field(default=365, ge=1, le=36500)
    """Recordings, transcripts and reports are removed this many days after upload."""
    created: datetime = Field(default_factory=now, sa_column=_moment())


class User(SQLModel, table=True):
    """A person who may sign in."""

    __tablename__ = "person"  # `user` is a reserved word of PostgreSQL

    id: str = Field(default_factory=new_id, primary_key=True, max_length=32)
    login: str = Field(max_length=200, unique=True)
    """Lower case; an e-mail address or a staff number."""
    name: str = Field(max_length=200)
    password_hash: str | None = Field(default=None, max_length=300)
    """argon2id; None: signs in by OIDC alone, or has not accepted the invitation."""
    oidc_subject: str | None = Field(default=None, max_length=300, unique=True)
    language: str = Field(default="zh", max_length=5)
    active: bool = True
    created: datetime = Field(default_factory=now, sa_column=_moment())


class Membership(SQLModel, table=True):
    """A role of a person in a school; district staff have the district and no school."""

    # NULLs are never equal, so each way of belonging has an index of its own.
    __table_args__ = (
        Index("uq_membership_school", "user_id", "school_id", "position", unique=True),
        Index("uq_membership_district", "user_id", "district_id", "position", unique=True),
        CheckConstraint("school_id IS NULL OR district_id IS NULL", name="one_place"),
        _one_of("position", Position),
    )

    id: str = Field(default_factory=new_id, primary_key=True, max_length=32)
    user_id: str = Field(sa_column=_to("person.id"))
    school_id: str | None = Field(default=None, sa_column=_to("school.id", nullable=True))
    district_id: str | None = Field(default=None, sa_column=_to("district.id", nullable=True))
    position: str = Field(max_length=20)


class SignIn(SQLModel, table=True):
    """A server-side session of the browser; only a hash of its cookie is stored."""

    token_hash: str = Field(primary_key=True, max_length=64)
    user_id: str = Field(sa_column=_to("person.id"))
    created: datetime = Field(default_factory=now, sa_column=_moment())
    seen: datetime = Field(default_factory=now, sa_column=_moment())
    expires: datetime = Field(sa_column=_moment(index=True))
    agent: str = Field(default="", max_length=200)
    """The browser as it names itself, for the list of one's sign-ins."""


class Invitation(SQLModel, table=True):
    """A link that lets a person set a password, once: an invitation or a reset."""

    token_hash: str = Field(primary_key=True, max_length=64)
    user_id: str | None = Field(default=None, sa_column=_to("person.id", nullable=True))
    """None: the first administrator, who does not exist yet."""
    expires: datetime = Field(sa_column=_moment())
    used: datetime | None = Field(default=None, sa_column=_moment(nullable=True))


class FailedSignIn(SQLModel, table=True):
    """One failed sign-in, for throttling that survives restarts."""

    id: int | None = Field(default=None, primary_key=True)
    key: str = Field(max_length=64, index=True)
    """Hash of the login or of the address."""
    at: datetime = Field(default_factory=now, sa_column=_moment(index=True))


class ApiToken(SQLModel, table=True):
    """A token for scripts, with scopes; only its hash is stored."""

    id: str = Field(default_factory=new_id, primary_key=True, max_length=32)
    user_id: str = Field(sa_column=_to("person.id"))
    name: str = Field(max_length=100)
    token_hash: str = Field(max_length=64, unique=True)
    scopes: str = Field(default="read", max_length=100)
    """Words with blanks between: read, write."""
    created: datetime = Field(default_factory=now, sa_column=_moment())
    used: datetime | None = Field(default=None, sa_column=_moment(nullable=True))
    expires: datetime | None = Field(default=None, sa_column=_moment(nullable=True))


class Consent(SQLModel, table=True):
    """Whose consent covers a recording, who recorded it and until when it holds."""

    id: str = Field(default_factory=new_id, primary_key=True, max_length=32)
    school_id: str = Field(sa_column=_to("school.id"))
    covers: str = Field(max_length=500)
    """In words: guardians of class 3(2), the teacher."""
    reference: str = Field(default="", max_length=200)
    """Where the signed forms are kept."""
    until: date | None = None
    created_by: str | None = Field(
        default=None, sa_column=_to("person.id", nullable=True, ondelete="SET NULL")
    )
    created: datetime = Field(default_factory=now, sa_column=_moment())


class Lesson(SQLModel, table=True):
    """A lesson: private to its teacher and its uploader until shared."""

    __table_args__ = (_one_of("lesson_type", LessonType), Index("ix_lesson_order", "held_on", "id"))

    id: str = Field(default_factory=new_id, primary_key=True, max_length=32)
    school_id: str = Field(sa_column=_to("school.id", ondelete="RESTRICT"))
    teacher_id: str | None = Field(
        default=None, sa_column=_to("person.id", nullable=True, ondelete="SET NULL")
    )
    uploader_id: str | None = Field(
        default=None, sa_column=_to("person.id", nullable=True, ondelete="SET NULL")
    )
    consent_id: str | None = Field(
        default=None, sa_column=_to("consent.id", nullable=True, ondelete="SET NULL")
    )
    title: str = Field(max_length=200)
    subject: str = Field(default="", max_length=60, index=True)
    grade: str = Field(default="", max_length=60, index=True)
    topic: str = Field(default="", max_length=200)
    lesson_type: str = Field(default=LessonType.ORDINARY.value, max_length=20)
    held_on: date | None = None
    round: int | None = Field(default=None, ge=1, le=99)
    """Round of a lesson study (一课三磨 …)."""
    language: str = Field(default="zh", max_length=5)
    """Language spoken: zh, en or auto."""
    students: str = Field(
        default="", sa_column=Column(Text, nullable=False, server_default=text("''"))
    )
    """The class list, a name a line: only to mask names (`api.masking.class_list`). It is shown to
    nobody but those who may change the lesson."""
    created: datetime = Field(default_factory=now, sa_column=_moment())


class Recording(SQLModel, table=True):
    """A file of a lesson: its recording, a transcript, or a clip of the teacher's voice."""

    __table_args__ = (UniqueConstraint("lesson_id", "kind"),)

    id: str = Field(default_factory=new_id, primary_key=True, max_length=32)
    lesson_id: str = Field(sa_column=_to("lesson.id"))
    kind: str = Field(default="recording", max_length=20)
    """recording, transcript or voice."""
    sha256: str = Field(max_length=64, index=True)
    """The file in storage, under its content address."""
    size: int = Field(sa_column=_bytes())
    """Bytes."""
    name: str = Field(max_length=255)
    """As uploaded, made safe; never used as a path."""
    media_type: str = Field(max_length=100)
    duration: float | None = None
    """Seconds."""
    created: datetime = Field(default_factory=now, sa_column=_moment())
    expires: datetime = Field(sa_column=_moment(index=True))


class Upload(SQLModel, table=True):
    """A tus upload under way."""

    id: str = Field(default_factory=new_id, primary_key=True, max_length=32)
    user_id: str = Field(sa_column=_to("person.id"))
    size: int = Field(sa_column=_bytes())
    offset: int = Field(default=0, sa_column=_bytes())
    """Bytes that are safely on disk."""
    details: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    """The client's metadata: filename, sha256, lesson or the data of a new one."""
    outcome: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    """When complete: the lesson and recording, or the error told to the client."""
    created: datetime = Field(default_factory=now, sa_column=_moment())
    expires: datetime = Field(sa_column=_moment(index=True))


class Batch(SQLModel, table=True):
    """Runs that were ordered together."""

    id: str = Field(default_factory=new_id, primary_key=True, max_length=32)
    user_id: str | None = Field(
        default=None, sa_column=_to("person.id", nullable=True, ondelete="SET NULL")
    )
    name: str = Field(max_length=200)
    created: datetime = Field(default_factory=now, sa_column=_moment())


class Run(SQLModel, table=True):
    """One observation of a lesson, from queue to report."""

    __table_args__ = (
        _one_of("state", RunState),
        Index("ix_run_state_lesson", "state", "lesson_id"),
        Index("ix_run_newest", "lesson_id", "created", "state"),
    )

    id: str = Field(default_factory=new_id, primary_key=True, max_length=32)
    lesson_id: str = Field(sa_column=_to("lesson.id", index=False))
    batch_id: str | None = Field(
        default=None, sa_column=_to("batch.id", nullable=True, ondelete="SET NULL")
    )
    ordered_by: str | None = Field(
        default=None, sa_column=_to("person.id", nullable=True, ondelete="SET NULL")
    )
    options: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    """Engines and settings asked for; see `api.jobs.Options`."""
    priority: int = 10
    """The smaller the sooner: interactive 10, batch 100."""
    state: str = Field(default=RunState.QUEUED.value, max_length=20)
    stage: str = Field(default="", max_length=40)
    progress: float = 0.0
    """Share of the whole that is done, 0 to 1."""
    attempts: int = 0
    worker: str = Field(default="", max_length=100)
    error: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    """{"en", "zh"} texts and the class of what went wrong."""
    artefacts: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    """File name → sha256 in storage: observation.json, sound.opus, waveform …"""
    created: datetime = Field(default_factory=now, sa_column=_moment(index=True))
    started: datetime | None = Field(default=None, sa_column=_moment(nullable=True))
    ended: datetime | None = Field(default=None, sa_column=_moment(nullable=True))


class Step(SQLModel, table=True):
    """A finished stage of a run: its checkpoint in storage and how long it took."""

    __table_args__ = (UniqueConstraint("run_id", "stage"),)

    id: str = Field(default_factory=new_id, primary_key=True, max_length=32)
    run_id: str = Field(sa_column=_to("run.id"))
    stage: str = Field(max_length=40)
    worker: str = Field(default="", max_length=100)
    sha256: str | None = Field(default=None, max_length=64)
    started: datetime = Field(default_factory=now, sa_column=_moment())
    ended: datetime | None = Field(default=None, sa_column=_moment(nullable=True))


class Worker(SQLModel, table=True):
    """A worker process that is, or was lately, at work; what it holds is told by its lock."""

    id: str = Field(primary_key=True, max_length=100)
    """Host, process and a random part: never used twice."""
    host: str = Field(max_length=100)
    device: str = Field(default="auto", max_length=20)
    started: datetime = Field(default_factory=now, sa_column=_moment())
    seen: datetime = Field(default_factory=now, sa_column=_moment(index=True))


class Figure(SQLModel, table=True):
    """An indicator of a lesson's newest finished run, copied for lists and aggregates."""

    __table_args__ = (
        UniqueConstraint("run_id", "name"),
        # Both at once: without statistics SQLite would take the name's index, a row a lesson.
        Index("ix_figure_lesson_name", "lesson_id", "name"),
    )

    id: int | None = Field(default=None, primary_key=True)
    run_id: str = Field(sa_column=_to("run.id"))
    lesson_id: str = Field(sa_column=_to("lesson.id", index=False))
    name: str = Field(max_length=100, index=True)
    value: float | None = None
    unit: str = Field(default="", max_length=40)
    low: float | None = None
    high: float | None = None
    n: int | None = None


class Share(SQLModel, table=True):
    """A teacher lets a person, a school or a district see a lesson; exactly one of the three."""

    __table_args__ = (
        CheckConstraint(
            "(CASE WHEN user_id IS NULL THEN 0 ELSE 1 END)"
            " + (CASE WHEN school_id IS NULL THEN 0 ELSE 1 END)"
            " + (CASE WHEN district_id IS NULL THEN 0 ELSE 1 END) = 1",
            name="one_receiver",
        ),
        # NULLs are never equal, so each kind of receiver has an index of its own.
        Index("uq_share_person", "lesson_id", "user_id", unique=True),
        Index("uq_share_school", "lesson_id", "school_id", unique=True),
        Index("uq_share_district", "lesson_id", "district_id", unique=True),
        Index("ix_share_user_lesson", "user_id", "lesson_id"),
        Index("ix_share_school_lesson", "school_id", "lesson_id"),
        Index("ix_share_district_lesson", "district_id", "lesson_id"),
    )

    id: str = Field(default_factory=new_id, primary_key=True, max_length=32)
    lesson_id: str = Field(sa_column=_to("lesson.id"))
    user_id: str | None = Field(
        default=None, sa_column=_to("person.id", nullable=True, index=False)
    )
    school_id: str | None = Field(
        default=None, sa_column=_to("school.id", nullable=True, index=False)
    )
    district_id: str | None = Field(
        default=None, sa_column=_to("district.id", nullable=True, index=False)
    )
    shared_by: str | None = Field(
        default=None, sa_column=_to("person.id", nullable=True, ondelete="SET NULL")
    )
    created: datetime = Field(default_factory=now, sa_column=_moment())


class Webhook(SQLModel, table=True):
    """Where to tell that a run ended; the body is signed with the secret."""

    id: str = Field(default_factory=new_id, primary_key=True, max_length=32)
    user_id: str = Field(sa_column=_to("person.id"))
    url: str = Field(max_length=500)
    secret: str = Field(max_length=64)
    active: bool = True
    created: datetime = Field(default_factory=now, sa_column=_moment())


class Delivery(SQLModel, table=True):
    """An event on its way to a webhook: kept until it arrived or was given up."""

    __table_args__ = (UniqueConstraint("webhook_id", "run_id"),)

    id: str = Field(default_factory=new_id, primary_key=True, max_length=32)
    webhook_id: str = Field(sa_column=_to("webhook.id"))
    run_id: str = Field(sa_column=_to("run.id"))
    attempts: int = 0
    status: int = 0
    """HTTP status of the last attempt; 0: none was answered."""
    due: datetime | None = Field(default_factory=now, sa_column=_moment(nullable=True, index=True))
    """When it is sent next; None: it arrived, or was given up."""
    arrived: datetime | None = Field(default=None, sa_column=_moment(nullable=True))


class IdempotencyKey(SQLModel, table=True):
    """The answer to a creation, given again when the same key comes again."""

    __table_args__ = (UniqueConstraint("user_id", "key"),)

    id: int | None = Field(default=None, primary_key=True)
    user_id: str = Field(sa_column=_to("person.id"))
    key: str = Field(max_length=100)
    fingerprint: str = Field(max_length=64)
    """Of the request: the same key with another request is an error."""
    status: int = 0
    body: str = Field(default="")
    created: datetime = Field(default_factory=now, sa_column=_moment(index=True))


class Removal(SQLModel, table=True):
    """A file or a work folder that must go now that its rows are gone.

    Written in the transaction that deletes the rows, so that a crash before the files are gone
    leaves a note of what still has to be done.
    """

    id: int | None = Field(default=None, primary_key=True)
    sha256: str | None = Field(default=None, max_length=64)
    """A file in storage, deleted unless another row refers to it."""
    run_id: str | None = Field(default=None, max_length=32)
    """A run whose work folder is deleted."""
    created: datetime = Field(default_factory=now, sa_column=_moment())


class AuditEntry(SQLModel, table=True):
    """Who did what to which lesson; append-only, and it outlives what it tells of."""

    id: int | None = Field(default=None, primary_key=True)
    at: datetime = Field(default_factory=now, sa_column=_moment(index=True))
    actor_id: str | None = Field(default=None, max_length=32, index=True)
    """No foreign key: people may be removed, the entry stays."""
    action: str = Field(max_length=60)
    """Verb and object: lesson.create, lesson.read, share.create, recording.delete …"""
    object_id: str = Field(default="", max_length=64)
    lesson_id: str | None = Field(default=None, max_length=32, index=True)
    school_id: str | None = Field(default=None, max_length=32, index=True)
    request_id: str = Field(default="", max_length=64)
    detail: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    """Field names and sums, never names of people or words of a lesson."""


def _flush_in_order() -> None:
    """Tell the mappers of every foreign key, so that a flush writes in an order that they allow.

    SQLAlchemy orders by relationships, not by foreign keys. These are never read: lazy="raise".
    """
    classes = {mapper.local_table: mapper.class_ for mapper in SQLModel._sa_registry.mappers}
    for table, kind in classes.items():
        for column in table.columns:
            for key in column.foreign_keys:
                target = classes[key.column.table]
                link = relationship(target, foreign_keys=[column], lazy="raise")
                class_mapper(kind).add_property(f"row_of_{column.name}", link)


_flush_in_order()
