"""What of an observation can be taken away, and in which kind of file; ZIPs are made while sent.

Names of students are masked (:mod:`api.masking`) unless the caller says that they may stay; who
may have them is `may_have_names`: the people of the lesson and of its school. Beyond the school
nobody gets them.
"""

import io
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from api.masking import class_list
from api.masking import masked as without_names
from api.outputs import indicators_csv
from api.problems import InvalidError
from api.render.texts import texts
from observer.errors import Language, ObserverError
from observer.formats import encode
from observer.observation import Observation

if TYPE_CHECKING:
    from api.access import Actor
    from api.render.printed import Heading
    from api.tables import Lesson


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file that a lesson can be exported as."""

    suffix: str
    media_type: str
    zh: str
    en: str


KINDS: Final[dict[str, Kind]] = {
    "pdf": Kind("pdf", "application/pdf", "报告 PDF", "Report as PDF"),
    "docx": Kind(
        "docx",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "报告 Word",
        "Report as Word file",
    ),
    "csv": Kind("csv", "text/csv; charset=utf-8", "指标 CSV", "Figures as CSV"),
    "json": Kind("json", "application/json", "全部数据 JSON", "All data as JSON"),
    "vtt": Kind("vtt", "text/vtt; charset=utf-8", "字幕 VTT", "Captions as VTT"),
    "transcript": Kind(
        "transcript.csv", "text/csv; charset=utf-8", "课堂实录 CSV", "Transcript as CSV"
    ),
}
"""Kind → its file; the order is that of the page."""


def kind_of(name: str) -> Kind:
    """The kind of that name. Raises InvalidError that lists the known ones."""
    if name not in KINDS:
        known = ", ".join(KINDS)
        raise InvalidError(
            en=f"kind: {name[:20]!r} is not known; choose one of {known}.",
            zh=f"kind：没有“{name[:20]}”这种格式；可选 {known}。",
        )
    return KINDS[name]


def export(
    observation: Observation,
    kind: str,
    language: Language,
    *,
    masked: bool = True,
    names: tuple[str, ...] = (),
    heading: "Heading | None" = None,
) -> bytes:
    """The bytes of one file of KINDS, with the report's words in `language`.

    `names` are masked besides those that the rules find. Raises InvalidError (no such kind) and
    OutputError (captions of a transcript without times).
    """
    kind_of(kind)
    shown = without_names(observation, names) if masked else observation
    return _writers(language, heading, masked=masked)[kind](shown)


def _writers(
    language: Language, heading: "Heading | None", *, masked: bool
) -> dict[str, Callable[[Observation], bytes]]:
    def pdf(shown: Observation) -> bytes:
        from api.render.pdf import render_pdf

        return render_pdf(shown, language=language, heading=heading, masked=masked)

    def docx(shown: Observation) -> bytes:
        from api.render.word import render_docx

        return render_docx(shown, language=language, heading=heading, masked=masked)

    return {
        "pdf": pdf,
        "docx": docx,
        "csv": lambda shown: indicators_csv(shown.indicators).encode(),
        "json": lambda shown: shown.to_json().encode(),
        "vtt": lambda shown: encode(shown.transcript, "vtt"),
        "transcript": lambda shown: encode(shown.transcript, "csv"),
    }


def may_have_names(actor: "Actor", lesson: "Lesson") -> bool:
    """Whether names of students may reach this person: the lesson's teacher, its uploader, and
    members of its school. The district, and a person of another school, gets them masked."""
    own = actor.user_id in (lesson.teacher_id, lesson.uploader_id)
    return own or lesson.school_id in actor.schools()


def as_seen_by(actor: "Actor", lesson: "Lesson", observation: Observation) -> Observation:
    """What this person may read of it: beyond the school, without names of students."""
    if may_have_names(actor, lesson):
        return observation
    return without_names(observation, class_list(lesson.students))


def heading_of(lesson: "Lesson", language: Language, address: str = "") -> "Heading":
    """What is printed over a lesson's report; no names of people."""
    from api.render.printed import headed

    return headed(
        texts(language),
        lesson.title,
        about=(lesson.subject, lesson.grade, lesson.topic),
        lesson_type=lesson.lesson_type,
        cycle=lesson.round,
        held_on=lesson.held_on,
        address=address,
    )


def file_name(title: str, kind: str, number: int | None = None) -> str:
    """A name for the reader's disk: nothing in it is a path, a device or a control."""
    stem = re.sub(r'[\x00-\x1f\x7f<>:"/\\|?*\u200e\u200f\u202a-\u202e]+', " ", title)
    stem = " ".join(stem.split()).strip(" .")
    stem = stem[:80] or "lesson"
    if re.fullmatch(r"(?i:con|prn|aux|nul|com\d|lpt\d)", stem.partition(".")[0]):
        stem = f"_{stem}"
    return f"{stem}{'' if number is None else f' ({number})'}.{kind_of(kind).suffix}"


# -- many at once ------------------------------------------------------------------------


@dataclass
class _Outbox(io.RawIOBase):
    """A file that can only be written; what was written is taken out in pieces."""

    pieces: list[bytes] = field(default_factory=list)
    sent: int = 0

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        piece = bytes(data)  # type: ignore[call-overload]
        self.pieces.append(piece)
        self.sent += len(piece)
        return len(piece)

    def tell(self) -> int:
        return self.sent

    def take(self) -> bytes:
        taken, self.pieces = b"".join(self.pieces), []
        return taken


def zipped(files: Iterable[tuple[str, Callable[[], bytes]]]) -> Iterator[bytes]:
    """A ZIP, piece by piece: only one of its files is in memory at a time.

    `files` gives names and what makes the contents; a name that comes twice gets a number. Where
    making fails, a text file says why in its place, for the rest is on its way already. No times
    are written: equal contents give equal bytes.
    """
    outbox = _Outbox()
    known: set[str] = set()
    with zipfile.ZipFile(outbox, "w", zipfile.ZIP_DEFLATED) as archive:
        for wanted, make in files:
            name = wanted
            try:
                content = make()
            except ObserverError as error:
                name, content = f"{wanted}.error.txt", f"{error.zh}\n{error.en}\n".encode()
            entry = zipfile.ZipInfo(_unused(name, known), (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3
            archive.writestr(entry, content)
            yield outbox.take()
    yield outbox.take()


def _unused(name: str, known: set[str]) -> str:
    stem, dot, suffix = name.partition(".") if name.count(".") else (name, "", "")
    number, chosen = 1, name
    while chosen.casefold() in known:
        number += 1
        chosen = f"{stem} ({number}){dot}{suffix}"
    known.add(chosen.casefold())
    return chosen
