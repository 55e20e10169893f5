"""Taking lessons away: one file of a lesson, or a ZIP of many, streamed."""

from collections.abc import Callable
from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse
from sqlmodel import Session, col, select

from api.access import Actor
from api.audit import record
from api.deps import Db, Language, Me, Site, TheSite
from api.exports import KINDS, export, file_name, heading_of, kind_of, may_have_names, zipped
from api.lesson_report import newest_done, observation_of
from api.masking import class_list
from api.problems import InvalidError, NotAllowedError, not_found
from api.tables import Lesson, Run
from observer import errors

router = APIRouter(prefix="/api/v1", tags=["exports"])

MOST = 500
"""Lessons in one ZIP."""
_HEADERS = {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"}
Wanted = Annotated[
    Literal["zh", "en"] | None,
    Query(alias="language", description="Language of the report; else the reader's."),
]
KindName = Annotated[str, Query(alias="kind", description=f"One of {', '.join(KINDS)}.")]
Names = Annotated[
    bool, Query(description="Leave names of students in; only for people of the lesson's school.")
]
Ids = Annotated[list[str], Query(alias="lesson", description="Lessons, repeated.", max_length=MOST)]


@router.get("/lessons/{lesson_id}/export", response_class=Response)
def export_lesson(
    lesson_id: str,
    db: Db,
    me: Me,
    site: TheSite,
    language: Language,
    kind: KindName = "pdf",
    names: Names = False,
    wanted: Wanted = None,
) -> Response:
    """The newest report, its figures or its transcript as a file; names of students are masked."""
    form = kind_of(kind)
    lesson = db.get(Lesson, lesson_id)
    run = newest_done(db, lesson) if lesson else None
    if lesson is None or run is None:
        raise not_found()
    masked = _masked(me, lesson, names=names)
    content = _content(site, lesson, run, kind, wanted or language, masked=masked)()
    _note(db, lesson, kind, masked=masked)
    name = quote(file_name(lesson.title, kind))
    disposition = f"attachment; filename=\"lesson.{form.suffix}\"; filename*=UTF-8''{name}"
    headers = {**_HEADERS, "Content-Disposition": disposition}
    return Response(content, media_type=form.media_type, headers=headers)


@router.get("/exports.zip", response_class=StreamingResponse)
def export_selection(
    db: Db,
    me: Me,
    site: TheSite,
    language: Language,
    ids: Ids,
    kinds: Annotated[list[str] | None, Query(alias="kind", max_length=len(KINDS))] = None,
    names: Names = False,
    wanted: Wanted = None,
) -> StreamingResponse:
    """Files of many lessons in one ZIP, made while it is sent. Lessons without a report are left
    out; one that the person may not see makes the whole request fail."""
    forms = list(dict.fromkeys(kinds or ["pdf"]))
    for kind in forms:
        kind_of(kind)
    found = _lessons(db, ids)
    files: list[tuple[str, Callable[[], bytes]]] = []
    for lesson in found:
        run = newest_done(db, lesson)
        if run is None:
            continue
        masked = _masked(me, lesson, names=names)
        for kind in forms:
            make = _content(site, lesson, run, kind, wanted or language, masked=masked)
            files.append((file_name(lesson.title, kind), make))
            _note(db, lesson, kind, masked=masked)
    if not files:
        raise InvalidError(
            en="None of these lessons has a report yet: wait until one is done.",
            zh="所选课例都还没有报告：请等处理完成后再导出。",
        )
    headers = {**_HEADERS, "Content-Disposition": 'attachment; filename="lessons.zip"'}
    return StreamingResponse(zipped(files), media_type="application/zip", headers=headers)


# -- how it is done ----------------------------------------------------------------------


def _masked(me: Actor, lesson: Lesson, *, names: bool) -> bool:
    """Whether names are to be masked. Raises NotAllowedError when they were asked for in vain."""
    if names and not may_have_names(me, lesson):
        raise NotAllowedError(
            en="Names of students do not leave the school: export without names=true.",
            zh="学生姓名不能带出学校：请去掉 names=true 后再导出。",
        )
    return not names


def _content(
    site: Site, lesson: Lesson, run: Run, kind: str, language: errors.Language, *, masked: bool
) -> Callable[[], bytes]:
    """What makes the file, when its turn comes; it no longer needs the database."""
    address = f"{site.settings.public_url}/lessons/{lesson.id}/report"
    heading = heading_of(lesson, language, address)
    names = class_list(lesson.students)

    def make() -> bytes:
        observation = observation_of(site.storage, run)
        return export(observation, kind, language, masked=masked, names=names, heading=heading)

    return make


def _lessons(db: Session, ids: list[str]) -> list[Lesson]:
    """The lessons in the order asked for. Raises NotFoundError unless every one can be seen."""
    found = {x.id: x for x in db.exec(select(Lesson).where(col(Lesson.id).in_(ids)))}
    if set(ids) - found.keys():
        raise not_found()
    return [found[i] for i in dict.fromkeys(ids)]


def _note(db: Session, lesson: Lesson, kind: str, *, masked: bool) -> None:
    record(db, "lesson.export", lesson=lesson, detail={"kind": kind, "masked": masked})
