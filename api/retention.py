"""Lessons go for good: on request, and when their time is over. Only the audit line stays.

Deletion has two steps. One transaction deletes the rows and writes a `Removal` for every file they
named; after its commit the files go, each unless another row refers to it (equal content is stored
once). A crash in between loses nothing: the removals are still there, and the daily sweep works
them off. The sweep also deletes files that no row refers to at all, such as what a worker stored
in the moment its lesson was deleted.

A backup keeps what it holds until it is itself deleted: docs/deploy.md.
"""

import logging
import shutil
import threading
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, col, delete, select

from api.access import Actor, may_write
from api.audit import record
from api.columns import now
from api.problems import not_found
from api.scope import take_the_pen
from api.stored_files import files_in_use, remove_unused
from api.tables import (
    Consent,
    IdempotencyKey,
    Lesson,
    Recording,
    Removal,
    Run,
    School,
    Step,
    Upload,
)
from api.uploads import Uploads
from observer.errors import ObserverError

if TYPE_CHECKING:
    from api.deps import Site

ORPHAN_AGE = timedelta(days=1)
"""Files that no row refers to are left alone for so long: their rows may be on their way."""
KEYS_KEPT = timedelta(days=2)
"""Answers kept for idempotency keys; they hold titles of lessons."""
DAY = 24 * 3600.0
_log = logging.getLogger("observer.retention")


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep removed: lessons whose time was over, their files, files without a row."""

    lessons: int = 0
    files: int = 0
    orphans: int = 0


def delete_lesson(site: "Site", lesson_id: str, actor: Actor, request_id: str = "") -> None:
    """Delete a lesson for good, asked by its teacher or uploader.

    It uses sessions of its own: call it before anything is written in the request's. Raises
    NotFoundError when the person does not see the lesson or may not change it.
    """
    with site.database.session(actor, request_id) as session:
        lesson = session.get(Lesson, lesson_id)
        if lesson is None or not may_write(session, actor, lesson):
            raise not_found()
    with site.database.system("a lesson is deleted on request", request_id) as session:
        _remove_rows(site, session, lesson_id, actor_id=actor.user_id)
    collect(site)


def sweep(site: "Site", moment: datetime | None = None) -> Swept:
    """Everything that is due at `moment` (now, if None); `observer serve` does it once a day."""
    moment = moment or now()
    due = _due(site, moment)
    for lesson_id in due:
        with site.database.system("the retention of a lesson is over") as session:
            _remove_rows(site, session, lesson_id, actor_id=None)
    files = collect(site)
    Uploads(site).sweep()
    with site.database.system("remains of deleted lessons in other rows") as session:
        old = col(IdempotencyKey.created) < moment - KEYS_KEPT
        session.exec(delete(IdempotencyKey).where(old))
    orphans = _remove_orphans(site, moment)
    if due or files or orphans:
        with site.database.system("retention") as session:
            detail = {"lessons": len(due), "files": files, "orphans": orphans}
            record(session, "retention.sweep", detail=detail)
    return Swept(len(due), files, orphans)


# -- rows --------------------------------------------------------------------------------


def _due(site: "Site", moment: datetime) -> list[str]:
    """Lessons whose time is over. Brings the day of every file up to date first: a school may
    have changed its retention, a consent may have been limited."""
    found: set[str] = set()
    with site.database.system("whose retention is over") as session:
        days = {s.id: s.retention_days for s in session.exec(select(School))}
        consents = {c.id: c for c in session.exec(select(Consent))}
        files: dict[str, list[Recording]] = defaultdict(list)
        for file in session.exec(select(Recording)):
            files[file.lesson_id].append(file)
        for lesson in session.exec(select(Lesson)):
            kept, consent = days[lesson.school_id], consents.get(lesson.consent_id or "")
            for file in files[lesson.id]:
                expires = _last_day(file.created, kept, consent)
                if file.expires != expires:
                    file.expires = expires
                    session.add(file)
            ends = [file.expires for file in files[lesson.id]]
            if min(ends, default=_last_day(lesson.created, kept, consent)) <= moment:
                found.add(lesson.id)
    return sorted(found)


def _last_day(since: datetime, days: int, consent: Consent | None) -> datetime:
    kept = since + timedelta(days=days)
    if consent is None or consent.until is None:
        return kept
    return min(kept, datetime.combine(consent.until + timedelta(days=1), time(), UTC))


def _remove_rows(site: "Site", session: Session, lesson_id: str, *, actor_id: str | None) -> None:
    """Delete the lesson and all that hangs on it, and note the files that must go."""
    take_the_pen(session.connection())
    lesson = session.get(Lesson, lesson_id)
    if lesson is None:
        return
    runs = session.exec(select(Run).where(Run.lesson_id == lesson_id)).all()
    for run in runs:
        site.jobs.cancel(session, run)
        session.add(Removal(run_id=run.id))
    for sha in sorted(_files_of(session, lesson_id)):
        session.add(Removal(sha256=sha))
    entry = record(session, "lesson.delete", lesson=lesson, detail={"runs": len(runs)})
    entry.actor_id = actor_id
    for upload in session.exec(select(Upload)):
        if lesson_id in (upload.outcome.get("lesson"), upload.details.get("lesson")):
            session.delete(upload)
    session.exec(
        delete(IdempotencyKey).where(col(IdempotencyKey.body).contains(lesson_id, autoescape=True))
    )
    consent_id = lesson.consent_id
    session.delete(lesson)  # recordings, runs, steps, figures, shares: the database cascades
    session.flush()
    if (
        consent_id
        and not session.exec(select(Lesson).where(Lesson.consent_id == consent_id)).first()
    ):
        session.exec(delete(Consent).where(col(Consent.id) == consent_id))


def _files_of(session: Session, lesson_id: str) -> set[str]:
    """Addresses of everything that the lesson's rows name."""
    recordings = session.exec(select(Recording.sha256).where(Recording.lesson_id == lesson_id))
    runs = session.exec(select(Run.artefacts).where(Run.lesson_id == lesson_id))
    steps = session.exec(
        select(Step.sha256).join(Run, col(Run.id) == Step.run_id).where(Run.lesson_id == lesson_id)
    )
    found = {*recordings, *(sha for sha in steps if sha)}
    return found | {str(sha) for artefacts in runs for sha in artefacts.values()}


# -- files -------------------------------------------------------------------------------


def collect(site: "Site") -> int:
    """Work off every `Removal`; the number of files that went. Safe to repeat, and in parallel."""
    with site.database.system("files of deleted lessons") as session:
        waiting = [(r.id, r.sha256, r.run_id) for r in session.exec(select(Removal))]
    gone = 0
    for removal_id, sha, run_id in waiting:
        if run_id is not None:
            _forget_run(site, run_id)
        with site.database.system("a file of a deleted lesson") as session:
            if sha is not None:
                gone += remove_unused(session, site.storage, sha)
            session.exec(delete(Removal).where(col(Removal.id) == removal_id))
    if waiting:
        _tidy(site)
    return gone


def _forget_run(site: "Site", run_id: str) -> None:
    """The run's work folders on this machine, and what the job engine knows of it.

    A worker that has the run notices within a step that it is gone and removes its own folder.
    """
    for folder in (site.settings.data / "work").glob(f"{run_id}.*"):
        shutil.rmtree(folder, ignore_errors=True)
    try:
        site.jobs.forget(run_id)
    except SQLAlchemyError as error:
        _log.warning("engine away: run %s stays in its tables (%s)", run_id, type(error).__name__)


def _remove_orphans(site: "Site", moment: datetime) -> int:
    """Delete stored files that are a day old and that no row refers to."""
    old = [sha for sha, at in site.storage.stored() if at < moment - ORPHAN_AGE]
    if not old:
        return 0
    with site.database.system("which stored files are in use") as session:
        used = set(files_in_use(session))
    gone = 0
    for sha in old:
        if sha not in used:
            with site.database.system("a stored file without a row") as session:
                gone += remove_unused(session, site.storage, sha)
    return gone


def _tidy(site: "Site") -> None:
    """What was rendered goes from memory. SQLite keeps deleted rows in its journal until that is
    emptied; PostgreSQL's autovacuum does the same in its own time."""
    from api.lesson_report import forget_pages

    forget_pages()
    if site.database.engine.dialect.name == "sqlite":
        with site.database.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


# -- once a day --------------------------------------------------------------------------


class Caretaker:
    """Sweeps some time after the start and then once a day, in a thread of the web process."""

    FIRST = 60.0
    """Seconds after the start."""

    def __init__(self, site: "Site") -> None:
        self.site = site
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._mind, name="retention", daemon=True)

    def __enter__(self) -> "Caretaker":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._end.set()
        self._thread.join(5.0)

    def _mind(self) -> None:
        pause = self.FIRST
        while not self._end.wait(pause):
            pause = DAY
            try:
                swept = sweep(self.site)
                _log.info("retention: %s", swept)
            except (ObserverError, SQLAlchemyError, OSError) as error:
                # The next day tries again; what was not done is still written down.
                _log.error("retention failed: %s", type(error).__name__)
