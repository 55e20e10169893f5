"""A lesson's report inside the service: the same page as the file of `observer observe`, with the
recording, its captions and the way back.

The page holds its own content security policy (scripts and styles by hash); it is repeated in the
header, where it can also forbid frames. The worker has rendered it (`api.kept_pages`); what it
could not foresee is rendered here, which takes a tenth of a second and more.
"""

import gzip
import hashlib
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from fastapi import Request, Response
from sqlmodel import Session, col, select

from api.kept_pages import (
    drawings_name,
    findings_name,
    found,
    kept_drawings,
    kept_findings,
    kept_page,
    medium_of,
    page_name,
    policy_of,
    rendered,
    rendering,
)
from api.masking import class_list
from api.masking import masked as without_names
from api.pages import page_texts
from api.problems import not_found
from api.render.figures import formatted
from api.render.texts import texts
from api.tables import Figure, Lesson, Recording, Run, RunState
from observer.errors import Language
from observer.indicators import CATALOGUE
from observer.observation import Observation

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
_ONE_AT_A_TIME = threading.Lock()
"""Pages rendered side by side gain nothing on shared cores, and each takes tens of megabytes."""


def newest_done(db: Session, lesson: Lesson) -> Run | None:
    """The lesson's newest finished run that left an observation."""
    return reported_in(runs_of(db, lesson))


def runs_of(db: Session, lesson: Lesson) -> Sequence[Run]:
    """The lesson's runs, the newest first."""
    newest = (col(Run.created).desc(), col(Run.id))
    return db.exec(select(Run).where(Run.lesson_id == lesson.id).order_by(*newest)).all()


def reported_in(runs: Iterable[Run]) -> Run | None:
    """The run among them that ended last and left an observation."""
    done = [r for r in runs if r.state == RunState.DONE and "observation.json" in r.artefacts]
    return max(done, key=lambda run: (run.ended or run.created, run.created), default=None)


def observation_of(storage: "Storage", run: Run) -> Observation:
    """What the run found, with the names that were said."""
    with storage.open(run.artefacts["observation.json"]) as file:
        return Observation.from_json(file.read().decode())


def recording_of(db: Session, lesson: Lesson) -> Recording | None:
    """The lesson's recording; None where there is only a transcript."""
    return db.exec(
        select(Recording).where(Recording.lesson_id == lesson.id, Recording.kind == "recording")
    ).first()


@dataclass(frozen=True, slots=True)
class _Asked:
    """A report as somebody wants to read it; equal ones have equal pages."""

    sha: str
    """Of the observation."""
    students: tuple[str, ...] | None
    """The class list, by which names are masked; None: with names."""
    medium: str | None
    title: str
    lesson_id: str
    language: Language
    run: Run = field(compare=False)
    storage: "Storage" = field(compare=False)

    @property
    def tag(self) -> str:
        """The page's ETag."""
        told = (self.sha, self.students, self.medium, self.title, self.lesson_id, self.language)
        return f'"{hashlib.sha256(repr((*told, rendering())).encode()).hexdigest()[:32]}"'


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
    asked = _Asked(
        sha=run.artefacts["observation.json"],
        students=class_list(lesson.students) if masked else None,
        medium=medium_of(recording_of(db, lesson), run),
        title=lesson.title,
        lesson_id=lesson.id,
        language=language,
        run=run,
        storage=storage,
    )
    headers = {
        "Cache-Control": "private, no-cache",
        "ETag": asked.tag,
        "Vary": "Accept-Encoding, Cookie",
    }
    if request.headers.get("if-none-match") == asked.tag:
        return Response(status_code=304, headers=headers)
    page, policy = _kept(asked) or _page(asked)
    headers["Content-Security-Policy"] = f"{policy}; frame-ancestors 'none'"
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
    else:
        page = gzip.decompress(page)
    return Response(page, media_type="text/html; charset=utf-8", headers=headers)


def _kept(asked: _Asked) -> tuple[bytes, str] | None:
    """(the page as the worker has kept it, compressed; its policy)."""
    kept = asked.run.artefacts.get(page_name(asked.language, asked.students is not None))
    if kept is None:
        return None
    return kept_page(
        asked.storage, kept, asked.medium, asked.students, asked.title, asked.lesson_id
    )


@lru_cache(maxsize=48)
def _page(asked: _Asked) -> tuple[bytes, str]:
    """(the page where none is kept, made now and compressed; its policy)."""
    with _ONE_AT_A_TIME:
        page = _rendered(asked)
    return gzip.compress(page.encode(), 1, mtime=0), policy_of(page)


def _rendered(asked: _Asked) -> str:
    """The page, made now."""
    observation = observation_of(asked.storage, asked.run)
    if asked.students is not None:
        observation = without_names(observation, asked.students)
    drawings = asked.run.artefacts.get(drawings_name(asked.language))
    drawn = kept_drawings(asked.storage, drawings) if drawings else None
    return rendered(observation, asked.medium, asked.title, asked.lesson_id, asked.language, drawn)


def forget_pages() -> None:
    """Nothing of any lesson stays in memory; called when one was deleted."""
    _page.cache_clear()


def findings(
    storage: "Storage", run: Run, language: Language, most: int = 4
) -> list[tuple[str, str]]:
    """(id, sentence) of the report's first claims, without the questions that they ask."""
    kept = run.artefacts.get(findings_name())
    told = (
        kept_findings(storage, kept, language)
        if kept
        else found(observation_of(storage, run), language)
    )
    return told[:most]


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
