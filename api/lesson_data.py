"""What a sender says of a lesson: `LessonData`, with Chinese names of values understood."""

import re
from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from api.tables import LessonType
from observer.errors import ObserverError

Line = Annotated[str, Field(max_length=200)]
Word = Annotated[str, Field(max_length=60)]
ClassList = Annotated[str, Field(max_length=4000)]

LESSON_TYPES = {
    "常态课": LessonType.ORDINARY, "家常课": LessonType.ORDINARY, "随堂课": LessonType.ORDINARY,
    "公开课": LessonType.PUBLIC, "研究课": LessonType.RESEARCH, "研讨课": LessonType.RESEARCH,
}  # fmt: skip
LANGUAGES = {"中文": "zh", "汉语": "zh", "普通话": "zh", "英语": "en", "英文": "en", "自动": "auto"}
_NUMERALS = {numeral: number for number, numeral in enumerate("一二三四五六七八九十", 1)}
_DATE = re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?|(\d{4})(\d\d)(\d\d)")


class LessonData(BaseModel):
    """What is said of a new lesson; texts are stripped, Chinese names of values are understood."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    title: Annotated[str, Field(min_length=1, max_length=200)]
    subject: Word = ""
    grade: Word = ""
    topic: Line = ""
    lesson_type: LessonType = LessonType.ORDINARY
    """Also 常态课, 公开课, 研究课."""
    held_on: date | None = None
    """Also 2026/9/1, 2026年9月1日, 20260901."""
    round: Annotated[int, Field(ge=1, le=99)] | None = None
    """Round of a lesson study; also 第一轮, 二磨."""
    teacher: Line = ""
    """Login of the teacher; empty: the uploader, where that is a teacher of the school."""
    school: Line = ""
    """Id or name; empty: the uploader's only school."""
    consent: Annotated[str, Field(max_length=500)] = ""
    """Whose consent covers the recording, in words; nothing is accepted without it."""
    consent_reference: Line = ""
    """Where the signed forms are kept."""
    consent_until: date | None = None
    """Last day of the consent; the recording is removed then at the latest."""
    language: Literal["zh", "en", "auto"] = "zh"
    """Spoken in the lesson; also 中文, 英语, 自动."""
    students: ClassList = ""
    """Names of the class, with lines, commas or 、 between; only to mask them, never shown."""

    @field_validator("held_on", "consent_until", mode="before")
    @classmethod
    def _date(cls, value: object) -> object:
        return read_date(value) if isinstance(value, str) else value

    @field_validator("round", mode="before")
    @classmethod
    def _round(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        found = re.fullmatch(
            r"第?\s*([一二三四五六七八九十]|\d{1,2})\s*[轮次磨稿]?课?", value.strip()
        )
        return (_NUMERALS.get(found[1]) or found[1]) if found else (value or None)

    @field_validator("lesson_type", mode="before")
    @classmethod
    def _type(cls, value: object) -> object:
        return LESSON_TYPES.get(value, value or "ordinary") if isinstance(value, str) else value

    @field_validator("language", mode="before")
    @classmethod
    def _language(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return LANGUAGES.get(value, {"zh-cn": "zh"}.get(value.lower(), value.lower())) or "zh"


def read_date(text: str) -> date | None:
    """A date as people write it; None for no text. Raises ValueError."""
    if not text.strip():
        return None
    found = _DATE.fullmatch(text.strip())
    if not found:
        raise ValueError("not a date")
    year, month, day = (int(part) for part in found.groups() if part)
    return date(year, month, day)


_EXPECTED: dict[str, tuple[str, str]] = {
    "held_on": ("a date such as 2026-09-01", "日期，如 2026-09-01"),
    "consent_until": ("a date such as 2026-09-01", "日期，如 2026-09-01"),
    "round": ("a number from 1 to 99", "1 到 99 的数字"),
    "lesson_type": ("ordinary, public or research", "常态课、公开课或研究课"),
    "language": ("zh, en or auto", "zh（中文）、en（英语）或 auto（自动）"),
}


def told_wrong(field: str, value: object) -> ObserverError:
    """What is the matter with a value of LessonData, for one who is not a programmer."""
    en, zh = _EXPECTED.get(field, ("a shorter text", "较短的文字"))
    if field == "title" and not str(value or "").strip():
        en, zh = "a title", "标题"
    shown = str(value or "")[:40]
    return ObserverError(en=f"{shown!r} is not {en}", zh=f"“{shown}”不是有效内容，应为{zh}")
