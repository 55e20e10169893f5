"""The end of an upload: its file becomes a recording, in one transaction with what came of it.

Whatever interrupts it leaves the upload whole and without an outcome, so that it is done again.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import func
from sqlmodel import Session, col, select

from api import audit
from api.access import Actor
from api.arrivals import DuplicateError, arrival_of
from api.examination import examine
from api.intake import receive
from api.problems import ConflictError, LimitError, ServiceError, UnavailableError
from api.tables import Lesson, Recording, Run, Upload
from api.transfers import no_room
from observer.errors import ObserverError, OutputError, RecordingError, TranscriptError

if TYPE_CHECKING:
    from api.deps import Site


class RefusedError(ServiceError):
    """The file arrived and could not be taken; said again to whoever asks about the upload."""

    status = 422
    slug = "refused"


def take_in(site: "Site", actor: Actor, upload: Upload, part: Path, request_id: str = "") -> Upload:
    """Take the whole file `part` in; the caller has its turn at the upload.

    An upload that is not whole, or was taken in before, is given back. Raises RefusedError or
    DuplicateError when the file cannot be taken, and LimitError (507), after which it is tried
    again, when there is no room.
    """
    if upload.outcome or upload.offset < upload.size:
        return upload
    arrival = arrival_of(upload.details)
    outcome: dict[str, Any]
    try:
        examined = examine(part, arrival.name, arrival.kind)
        with site.database.session(actor, request_id) as session:
            lesson, recording = receive(session, site.storage, actor, arrival, part, examined)
            run = None if arrival.more else _order(site, session, actor, lesson)
            outcome = {
                "lesson": lesson.id,
                "recording": recording.id,
                "kind": recording.kind,
                "run": run.id if run else "",
            }
            upload = _ends(session, upload.id, outcome)
    except (LimitError, UnavailableError):
        raise  # these pass, and the file is tried again
    except (ServiceError, RecordingError, TranscriptError) as error:
        with site.database.session(actor, request_id) as session:
            upload = _ends(session, upload.id, _refusal(error))
            slug = getattr(error, "slug", type(error).__name__)
            audit.record(session, "upload.refuse", object_id=upload.id, detail={"problem": slug})
    except OutputError as error:
        raise no_room() from error
    else:
        if not site.storage.exists(examined.sha256):
            # The last other lesson with this content was removed at this very moment.
            site.storage.put(part, sha=examined.sha256)
    part.unlink(missing_ok=True)
    return told(upload)


def _order(site: "Site", session: Session, actor: Actor, lesson: Lesson) -> Run | None:
    """A run of the lesson, unless one was ordered since its newest file came."""
    newest = session.exec(
        select(func.max(Recording.created)).where(
            Recording.lesson_id == lesson.id, Recording.kind != "voice"
        )
    ).one()
    if newest is None:
        return None
    known = session.exec(
        select(Run).where(Run.lesson_id == lesson.id, col(Run.created) >= newest)
    ).first()
    return known or site.jobs.order(session, lesson, by=actor)


def _ends(session: Session, upload_id: str, outcome: dict[str, Any]) -> Upload:
    upload = session.get_one(Upload, upload_id)
    upload.outcome = outcome
    session.add(upload)
    return upload


def _refusal(error: ObserverError) -> dict[str, Any]:
    return {
        "error": {
            "slug": getattr(error, "slug", RefusedError.slug),
            "status": getattr(error, "status", RefusedError.status),
            "en": error.en,
            "zh": error.zh,
            "lesson": getattr(error, "lesson_id", ""),
        }
    }


def told(upload: Upload) -> Upload:
    """The upload; raises its error when it could not be taken in."""
    said = upload.outcome.get("error")
    if not said:
        return upload
    if said["slug"] == DuplicateError.slug:
        raise DuplicateError(en=said["en"], zh=said["zh"], lesson_id=said["lesson"])
    refused = ConflictError if said["status"] == 409 else RefusedError
    raise refused(en=said["en"], zh=said["zh"])
