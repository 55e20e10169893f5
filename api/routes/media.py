"""The recording and its captions, for whoever may see the lesson; seeking works by byte ranges."""

import re
from typing import Annotated

from fastapi import APIRouter, Header, Response
from fastapi.responses import FileResponse, StreamingResponse

from api.access import the_lesson
from api.deps import Db, Me, TheSite
from api.exports import as_seen_by
from api.lesson_report import newest_done, observation_of, recording_of
from api.problems import not_found
from api.storage import Storage
from observer.formats import dumps

router = APIRouter(prefix="/api/v1/lessons/{lesson_id}", tags=["lessons"])

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_HEADERS = {
    "Cache-Control": "private, max-age=3600",
    # Never a document: whatever an uploader called a video is not run as a page.
    "Content-Disposition": "inline",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
}
Ranged = Annotated[str | None, Header(alias="range")]


@router.get("/media", response_class=Response)
def media(lesson_id: str, db: Db, site: TheSite, ranged: Ranged = None) -> Response:
    """The recording as it was uploaded; byte ranges are answered with 206."""
    lesson = the_lesson(db, lesson_id)
    recording = recording_of(db, lesson)
    if recording is None:
        raise not_found()
    return _file(site.storage, recording.sha256, recording.media_type, ranged)


@router.get("/sound.opus", response_class=Response)
def sound(lesson_id: str, db: Db, site: TheSite, ranged: Ranged = None) -> Response:
    """The sound of a recording that browsers cannot play, as Ogg Opus."""
    lesson = the_lesson(db, lesson_id)
    run = newest_done(db, lesson)
    if run is None or "sound.opus" not in run.artefacts:
        raise not_found()
    return _file(site.storage, run.artefacts["sound.opus"], "audio/ogg", ranged)


@router.get("/captions.vtt", response_class=Response)
def captions(lesson_id: str, db: Db, me: Me, site: TheSite) -> Response:
    """The newest transcript as WebVTT; beyond the school without names of students."""
    lesson = the_lesson(db, lesson_id)
    run = newest_done(db, lesson)
    if run is None:
        raise not_found()
    transcript = as_seen_by(me, lesson, observation_of(site.storage, run)).transcript
    text = dumps(transcript, "vtt") if transcript.timed else "WEBVTT\n"
    headers = {"Cache-Control": "private, no-cache", "X-Content-Type-Options": "nosniff"}
    return Response(text, media_type="text/vtt; charset=utf-8", headers=headers)


def _file(storage: Storage, sha: str, media_type: str, ranged: str | None) -> Response:
    """A stored file: from disk where it lies on this machine, else block by block."""
    if not storage.exists(sha):
        raise not_found()
    headers = {**_HEADERS, "ETag": f'"{sha[:32]}"'}
    path = storage.path(sha)
    if path is not None:
        return FileResponse(path, media_type=media_type, headers=headers)
    size = storage.size(sha)
    start, end = 0, size
    if ranged is not None and (found := byte_range(ranged, size)) is not None:
        start, end = found
        if start >= end:
            headers["Content-Range"] = f"bytes */{size}"
            return Response(status_code=416, headers=headers)
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    headers |= {"Accept-Ranges": "bytes", "Content-Length": str(end - start)}
    return StreamingResponse(
        storage.stream(sha, start, end),
        status_code=206 if "Content-Range" in headers else 200,
        media_type=media_type,
        headers=headers,
    )


def byte_range(header: str, size: int) -> tuple[int, int] | None:
    """[start, end) of a Range header (RFC 9110 §14.1.2) over `size` bytes.

    None for a header that is to be ignored: several ranges, or not understood. An empty range
    (start == end) is one that lies outside.
    """
    found = _RANGE.fullmatch(header.strip())
    if not found or found[1] == found[2] == "":
        return None
    if found[1] == "":
        return max(0, size - int(found[2])), size
    start = int(found[1])
    if found[2] and int(found[2]) < start:
        return None
    end = min(int(found[2]) + 1, size) if found[2] else size
    return (start, end) if start < size else (size, size)
