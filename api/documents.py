"""What the interface for programs says and takes: the bodies of /api/v1, apart from the tables.

A field here is a promise; a column of `api.tables` is not.
"""

import base64
import binascii
from datetime import date, datetime
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api.problems import InvalidError
from api.tables import LessonType
from observer.aggregate import FEWEST_FOR_QUARTILES, ROUNDED_TO

Id = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
Line = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]
Word = Annotated[str, StringConstraints(strip_whitespace=True, max_length=60)]
T = TypeVar("T")


class Document(BaseModel):
    """A body: made from a row of a table; unknown fields are refused."""

    model_config = ConfigDict(from_attributes=True, extra="forbid")


class Listing(BaseModel, Generic[T]):
    """A part of a list, newest first."""

    items: list[T]
    next: str | None = Field(
        default=None, description="The cursor of the next part; null: the end."
    )


class LessonOut(Document):
    """A lesson without what was found in it."""

    id: Id
    school_id: Id
    teacher_id: Id | None
    uploader_id: Id | None
    title: str
    subject: str
    grade: str
    topic: str
    lesson_type: LessonType
    held_on: date | None
    round: int | None
    language: str
    created: datetime
    writable: bool = Field(default=False, description="Whether you may change it.")


class LessonChange(Document):
    """Fields that are not given stay as they are."""

    title: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)
    ] = ""
    subject: Word = ""
    grade: Word = ""
    topic: Line = ""
    lesson_type: LessonType = LessonType.ORDINARY
    held_on: date | None = None
    round: Annotated[int, Field(ge=1, le=99)] | None = None
    language: Literal["zh", "en", "auto"] = "zh"
    students: Annotated[str, StringConstraints(max_length=4000)] = Field(
        default="",
        description="Names of the class, with lines or commas between. They are masked in what"
        " leaves the school, also where no rule would find them; no answer holds them.",
    )


class RunIn(Document):
    """How to observe; the defaults are those of the page."""

    language: Literal["zh", "en", "auto"] | None = None
    asr: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,30}$")] = "auto"
    report_language: Literal["zh", "en"] = "zh"
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    batch: bool = Field(default=False, description="Let interactive runs go first.")


class RunOut(Document):
    """One observation of a lesson, from queue to report."""

    id: Id
    lesson_id: Id
    state: Literal["queued", "working", "done", "failed", "cancelled", "set_aside"]
    stage: str
    progress: float = Field(description="Share of the whole that is done, 0 to 1.")
    queue_place: int = Field(default=0, description="1: next; 0: does not wait.")
    attempts: int
    error: dict[str, str] = Field(description="class, en, zh of what went wrong; empty: nothing.")
    created: datetime
    started: datetime | None
    ended: datetime | None


class FigureOut(Document):
    """An indicator; `value` null where it could not be measured, see the observation for why."""

    name: str
    value: float | None
    unit: str
    low: float | None
    high: float | None
    n: int | None


class LessonFigures(Document):
    """The indicators of a lesson's newest finished run."""

    lesson_id: Id
    run_id: Id | None
    indicators: list[FigureOut]


class SummaryOut(Document):
    """One indicator over a group; `value` null where it is not shown, `missing` says why."""

    name: str
    unit: str
    value: float | None
    low: float | None = Field(description="95 % interval, from resampling teachers.")
    high: float | None
    quartiles: list[float] | None = Field(
        description=f"Between them lies the middle half of the teachers; null below"
        f" {FEWEST_FOR_QUARTILES} teachers."
    )
    teachers: int | None
    lessons: int | None = Field(description=f"To the nearest {ROUNDED_TO}.")
    missing: dict[str, str] | None = Field(description="en, zh.")


class GroupOut(Document):
    """A group: `key` null is the whole."""

    key: str | None
    name: str
    indicators: list[SummaryOut]


class AggregatesOut(Document):
    """Figures of groups of lessons, in the order of their names; never of a lesson or a teacher."""

    school_id: Id | None
    district_id: Id | None
    place: str
    by: str | None
    term: str
    subject: str
    grade: str
    fewest_teachers: int = Field(description="Smaller groups are not shown.")
    method: str
    read: datetime = Field(description="When the lessons were read.")
    groups: list[GroupOut]


class ShareIn(Document):
    """Exactly one receiver."""

    user_id: Id | None = None
    school_id: Id | None = None
    district_id: Id | None = None


class ShareOut(ShareIn):
    """A lesson that somebody may see."""

    id: Id
    lesson_id: Id
    shared_by: Id | None
    created: datetime


class MembershipOut(Document):
    """A role somewhere."""

    position: str
    school_id: Id | None
    district_id: Id | None


class MeOut(Document):
    """Who asks."""

    user_id: Id
    name: str
    language: str
    administrator: bool
    scopes: list[str]
    memberships: list[MembershipOut]


class TokenIn(Document):
    """A token for scripts."""

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
    scopes: list[Literal["read", "write"]] = ["read"]
    days: Annotated[int, Field(ge=1, le=3650)] | None = 365


class TokenOut(Document):
    """A token without its text."""

    id: Id
    name: str
    scopes: str
    created: datetime
    used: datetime | None
    expires: datetime | None


class NewToken(TokenOut):
    """A token just made."""

    token: str = Field(description="Told this once.")


class WebhookIn(Document):
    """Where to tell that a run ended."""

    url: Annotated[str, StringConstraints(pattern=r"^https?://[!-~]+$", max_length=500)]


class WebhookOut(WebhookIn):
    """A webhook without its secret."""

    id: Id
    active: bool
    created: datetime


class NewWebhook(WebhookOut):
    """A webhook just made."""

    secret: str = Field(description="Signs what is sent; told this once.")


class SchoolOut(Document):
    """A school."""

    id: Id
    district_id: Id
    name: str
    retention_days: int


class PersonOut(Document):
    """A colleague, for naming teachers and sharing."""

    id: Id
    name: str


class AuditOut(Document):
    """Who did what to which lesson."""

    id: int
    at: datetime
    actor_id: str | None
    action: str
    object_id: str
    lesson_id: str | None
    request_id: str


def cursor(created: datetime, identity: str) -> str:
    """Where the next part of a list begins."""
    return base64.urlsafe_b64encode(f"{created.isoformat()} {identity}".encode()).decode()


def read_cursor(text: str) -> tuple[datetime, str]:
    """(created, id) of the last item that was sent. Raises InvalidError."""
    try:
        moment, identity = base64.urlsafe_b64decode(text.encode()).decode().split(" ")
        found = datetime.fromisoformat(moment)
    except (ValueError, binascii.Error) as error:
        raise bad_cursor() from error
    if found.tzinfo is None:
        raise bad_cursor()
    return found, identity


def bad_cursor() -> InvalidError:
    """The error of a cursor that was never given."""
    return InvalidError(
        en="The cursor is not one that was given. Begin again without it.",
        zh="cursor 无效，请去掉该参数重新开始。",
    )
