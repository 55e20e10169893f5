"""A lesson's report inside the service: the same page as the file of `observer observe`, with the
recording, its captions and the way back.

The page holds its own content security policy (scripts and styles by hash); it is repeated in the
header, where it can also forbid frames. Rendering takes a tenth of a second and more, so pages
stay in memory, compressed, under the address of the observation that they show.
"""

import gzip
import hashlib
import html
import re
import threading
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from fastapi import Request, Response
from sqlmodel import Session, col, select

from api.masking import masked as without_names
from api.pages import page_texts
from api.problems import not_found
from api.render.drawings import all_drawings, packed, unpacked
from api.render.figures import formatted
from api.render.html import Frame, render_html
from api.render.texts import texts
from api.render.view import lesson_length, split_question
from api.tables import Figure, Lesson, Recording, Run, RunState
from observer.errors import Language
from observer.indicators import CATALOGUE
from observer.observation import Observation
from observer.report import claims

if TYPE_CHECKING:
    from api.storage import Storage

KEY_FIGURES = (
    "teacher_share_of_speech",
    "student_share_of_lesson",
    "questions_total",
    "questions_open_share",
    "wait_time_1_median",
    "answered_by_student",
    "student_turn_median",
    "silence_share",
)
"""Shown on the lesson's page, where measured."""
PLAYABLE = frozenset(
    {"audio/aac", "audio/flac", "audio/mp4", "audio/mpeg", "audio/ogg", "audio/wav"}
    | {"audio/webm", "audio/x-wav", "audio/x-m4a", "video/mp4", "video/webm"}
)
"""Media types that browsers play; for any other the report plays the run's Opus copy."""
_ONE_AT_A_TIME = threading.Lock()
"""Pages rendered side by side gain nothing on shared cores, and each takes tens of megabytes."""
_POLICY = re.compile(r'http-equiv="Content-Security-Policy" content="([^"]*)"')


DRAWINGS: dict[Language, str] = {"zh": "drawings.zh.json.gz", "en": "drawings.en.json.gz"}
"""Artefacts of a run: its charts, which hold figures and no words of the lesson."""


def draw(observation: Observation, language: Language) -> bytes:
    """The charts of the report, to be kept as an artefact of the run."""
    duration = lesson_length(observation)
    return packed(all_drawings(observation, duration, texts(language)))


def newest_done(db: Session, lesson: Lesson) -> Run | None:
    """The lesson's newest finished run that left an observation."""
    runs = db.exec(
        select(Run)
        .where(Run.lesson_id == lesson.id, Run.state == RunState.DONE.value)
        .order_by(col(Run.ended).desc(), col(Run.created).desc())
    )
    return next((r for r in runs if "observation.json" in r.artefacts), None)


def observation_of(storage: "Storage", run: Run, *, masked: bool = False) -> Observation:
    """What the run found; `masked`: without names of students (`api.masking`)."""
    return _observation(_Stored(run.artefacts["observation.json"], masked, storage))


def _observation(stored: "_Stored") -> Observation:
    with stored.storage.open(stored.sha) as file:
        observation = Observation.from_json(file.read().decode())
    return without_names(observation) if stored.masked else observation


def recording_of(db: Session, lesson: Lesson) -> Recording | None:
    """The lesson's recording; None where there is only a transcript."""
    return db.exec(
        select(Recording).where(Recording.lesson_id == lesson.id, Recording.kind == "recording")
    ).first()


def media_address(lesson: Lesson, recording: Recording | None, run: Run) -> str | None:
    """What the report plays: the recording, or its sound where browsers cannot play that."""
    base = f"/api/v1/lessons/{lesson.id}"
    if recording is not None and recording.media_type.split(";")[0] in PLAYABLE:
        return f"{base}/media"
    return f"{base}/sound.opus" if "sound.opus" in run.artefacts else None


def report_page(
    request: Request,
    db: Session,
    storage: "Storage",
    lesson: Lesson,
    language: Language,
    *,
    masked: bool = False,
) -> Response:
    """The report as a response, without names of students if `masked`. Raises NotFoundError
    while there is none."""
    run = newest_done(db, lesson)
    if run is None:
        raise not_found()
    address = media_address(lesson, recording_of(db, lesson), run)
    frame = Frame(
        title=lesson.title,
        back=f"/lessons/{lesson.id}",
        back_text=page_texts(language)("report.back"),
        captions=f"/api/v1/lessons/{lesson.id}/captions.vtt",
    )
    sha = run.artefacts["observation.json"]
    stored = _Stored(sha, masked, storage, run.artefacts.get(DRAWINGS[language], ""))
    with _ONE_AT_A_TIME:
        page, policy, tag = _page(stored, address, frame, language)
    headers = {
        "Content-Security-Policy": policy,
        "Cache-Control": "private, no-cache",
        "ETag": tag,
        "Vary": "Accept-Encoding, Cookie",
    }
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return Response(page, media_type="text/html; charset=utf-8", headers=headers)
    plain = gzip.decompress(page)
    return Response(plain, media_type="text/html; charset=utf-8", headers=headers)


@dataclass(frozen=True, slots=True)
class _Stored:
    """An observation in storage; the same content is the same, wherever it lies."""

    sha: str
    masked: bool
    storage: "Storage" = field(compare=False)
    drawings: str = field(default="", compare=False)
    """The address of its charts; empty: they have to be drawn."""


@lru_cache(maxsize=48)
def _page(
    stored: _Stored, media: str | None, frame: Frame, language: Language
) -> tuple[bytes, str, str]:
    """(the page, compressed; its policy; its ETag). 0.5 MB each, most of it the chart program."""
    drawn = None
    if stored.drawings:
        with stored.storage.open(stored.drawings) as file:
            drawn = unpacked(file.read())
    page = render_html(
        _observation(stored),
        media=media,
        embedded_audio=None,
        language=language,
        frame=frame,
        drawn=drawn,
    )
    found = _POLICY.search(page)
    policy = html.unescape(found.group(1)) if found else "default-src 'none'"
    tag = f'"{hashlib.sha256(page.encode()).hexdigest()[:32]}"'
    return gzip.compress(page.encode(), 6, mtime=0), f"{policy}; frame-ancestors 'none'", tag


def forget_pages() -> None:
    """Nothing of any lesson stays in memory; called when one was deleted."""
    _page.cache_clear()
    _findings.cache_clear()


def findings(
    storage: "Storage", run: Run, language: Language, most: int = 4
) -> tuple[tuple[str, str], ...]:
    """(id, sentence) of the report's first claims, without the questions that they ask."""
    sha = run.artefacts.get("observation.json")
    return () if sha is None else _findings(_Stored(sha, False, storage), language)[:most]


@lru_cache(maxsize=256)
def _findings(stored: _Stored, language: Language) -> tuple[tuple[str, str], ...]:
    observation = _observation(stored)
    own = observation.language == language
    told = observation.claims if own else claims(observation, language)
    return tuple((c.id, split_question(c.text)[0]) for c in told)


def key_figures(
    db: Session, lesson: Lesson, names: tuple[str, ...], language: Language
) -> list[tuple[str, str, str]]:
    """(name, value, interval) of the figures that were measured, in the order of `names`."""
    text = texts(language)
    found = {
        f.name: f
        for f in db.exec(
            select(Figure)
            .where(Figure.lesson_id == lesson.id, col(Figure.name).in_(names))
            .order_by(col(Figure.id))
        )
    }
    shown = []
    for name in names:
        figure = found.get(name)
        if figure is None or figure.value is None:
            continue
        entry = CATALOGUE[name]
        ends = ""
        if figure.low is not None and figure.high is not None and figure.low < figure.high:
            low, high = (formatted(name, v, text, unit=False) for v in (figure.low, figure.high))
            ends = page_texts(language)("figure.interval", low=low, high=high)
        value = formatted(name, figure.value, text)
        shown.append((text.pick(zh=entry.zh, en=entry.en), value, ends))
    return shown
