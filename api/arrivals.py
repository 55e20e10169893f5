"""What a sender says of a file: from a form, a program or an upload's metadata."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from api.lesson_data import LessonData, told_wrong
from api.problems import ConflictError, InvalidError

Kind = Literal["recording", "transcript", "voice"]
KINDS: tuple[Kind, ...] = ("recording", "transcript", "voice")


class DuplicateError(ConflictError):
    """The same file belongs to a lesson already; `lesson_id` says to which."""

    slug = "duplicate"

    def __init__(self, *, en: str, zh: str, lesson_id: str = "") -> None:
        super().__init__(en=en, zh=zh)
        self.lesson_id = lesson_id

    def __reduce__(self) -> tuple[object, ...]:
        return (_duplicate_again, (self.en, self.zh, self.lesson_id))


def _duplicate_again(en: str, zh: str, lesson_id: str) -> DuplicateError:
    return DuplicateError(en=en, zh=zh, lesson_id=lesson_id)


@dataclass(frozen=True, slots=True)
class Arrival:
    """What a sender says of a file."""

    name: str
    """The file's own name, made safe; it is shown and never becomes a path."""
    lesson: LessonData | str
    """Of a new lesson; or the id of the lesson that the file belongs to."""
    kind: Kind | None = None
    """None: a recording or a transcript, whichever it is inside."""
    sha256: str = ""
    """As the sender computed it; empty: not told."""
    again: bool = False
    """Wanted although the same file belongs to a lesson already."""
    more: bool = False
    """Further files of the lesson follow: it is not to be observed yet."""


def arrival_of(details: Mapping[str, str]) -> Arrival:
    """From an upload's metadata: filename, sha256, kind, again, more, and lesson or LessonData's
    fields. Raises InvalidError that names the field.
    """
    said = {key: str(value) for key, value in details.items()}
    name = safe_name(said.pop("filename", "") or said.pop("name", ""))
    said.pop("name", None)
    said.pop("filetype", None)  # what a browser guesses of the name: the content decides
    sha, kind = said.pop("sha256", "").lower(), said.pop("kind", "")
    again, more = _yes(said.pop("again", "")), _yes(said.pop("more", ""))
    if sha and (len(sha) != 64 or set(sha) - set("0123456789abcdef")):
        raise invalid("sha256", "give 64 hexadecimal digits", "应为 64 位十六进制数字")
    if kind and kind not in KINDS:
        raise invalid(
            "kind", "give recording, transcript or voice", f"应为 {'、'.join(KINDS)} 之一"
        )
    known_kind = kind_of(kind)
    lesson: LessonData | str = said.pop("lesson", "")
    if lesson and said:
        raise invalid(
            next(iter(said)),
            "the lesson is there already and is changed on its page",
            "课例已存在，请在课例页面修改",
        )
    if not lesson:
        lesson = lesson_data({"title": Path(name).stem[:200], **said})
    return Arrival(name, lesson, known_kind, sha, again, more)


def lesson_data(said: Mapping[str, object]) -> LessonData:
    """LessonData of what a form or a program gives. Raises InvalidError that names the field."""
    try:
        return LessonData.model_validate(dict(said))
    except ValidationError as error:
        first = error.errors()[0]
        field = str(first["loc"][0]) if first["loc"] else ""
        if first["type"] == "extra_forbidden":
            known = ", ".join(LessonData.model_fields)
            raise invalid(
                field[:40], f"no such field; known: {known}", f"没有此字段；可用：{known}"
            ) from error
        told = told_wrong(field, said.get(field, ""))
        raise invalid(field, told.en, told.zh) from error


def safe_name(name: str) -> str:
    """A file name to show: its last part, without control and direction characters, ≤ 200 long."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    clean = "".join(c for c in last if c.isprintable() and c not in '<>:"|?*').strip(" .")
    stem, dot, suffix = clean.rpartition(".")
    if len(clean) > 200:
        clean = f"{stem[: 199 - len(suffix)]}{dot}{suffix}" if len(suffix) < 20 else clean[:200]
    return clean or "file"


def kind_of(text: str) -> Kind | None:
    """The kind of that name."""
    return next((kind for kind in KINDS if kind == text), None)


def _yes(text: str) -> bool:
    return text.strip().lower() in {"1", "yes", "true", "on"}


def invalid(field: str, en: str, zh: str) -> InvalidError:
    """A value that cannot be taken, by the name of its field."""
    return InvalidError(en=f"{field}: {en}.", zh=f"{field}：{zh}。")
