"""Running the installation: people and links, schools and retention, work, storage, audit.

An administrator sees counts of lessons and the numbers of runs, never a title: those belong to
the people who taught them.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import StringConstraints
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, func, select

from api.audit import record
from api.columns import now
from api.deps import Administrator, Db, Language, Site, TheSite
from api.pages import Sheet, done, render
from api.problems import ConflictError, not_found
from api.settings import environment
from api.tables import (
    AuditEntry,
    District,
    Lesson,
    Membership,
    Recording,
    Run,
    RunState,
    School,
    User,
)
from models.weights_store import catalogue, held

router = APIRouter(
    prefix="/administration", include_in_schema=False, default_response_class=HTMLResponse
)

SHEET = 50
TABS = ("overview", "people", "schools", "work", "storage", "audit")
Name = Annotated[
    str, Form(), StringConstraints(strip_whitespace=True, min_length=1, max_length=200)
]
Days = Annotated[int, Form(ge=1, le=36500)]


@dataclass(frozen=True, slots=True)
class Load:
    """Counts over the whole installation, without a word of any lesson."""

    states: dict[str, int]
    """State → runs."""
    lessons: int
    files: int
    size: int
    """Bytes."""
    expiring: int
    """Files that will be removed within 30 days."""
    by_school: list[tuple[str, int, int, int]]
    """(school, lessons, files, bytes)."""


@dataclass(frozen=True, slots=True)
class WaitingRun:
    """A run as the administrator sees it: which, where, why; not of what."""

    run_id: str
    lesson_id: str
    state: str
    stage: str
    progress: float
    attempts: int
    created: datetime
    error: dict[str, str]


def load(site: Site) -> Load:
    """Counts that an administrator sees although the lessons are closed to them."""
    with site.database.system("administration: counts of lessons, files and runs") as session:
        states = dict(session.exec(select(Run.state, func.count()).group_by(Run.state)).all())
        lessons = session.exec(select(func.count()).select_from(Lesson)).one()
        files = select(func.count(), func.coalesce(func.sum(Recording.size), 0))
        number, size = session.exec(files).one()
        soon = now() + timedelta(days=30)
        expiring = session.exec(
            select(func.count()).select_from(Recording).where(col(Recording.expires) < soon)
        ).one()
        by_school = session.exec(
            select(
                School.name,
                func.count(func.distinct(Lesson.id)),
                func.count(col(Recording.id)),
                func.coalesce(func.sum(Recording.size), 0),
            )
            .join(Lesson, col(Lesson.school_id) == School.id, isouter=True)
            .join(Recording, col(Recording.lesson_id) == Lesson.id, isouter=True)
            .group_by(col(School.id), School.name)
            .order_by(School.name)
        ).all()
    rows = [(str(a), int(b), int(c), int(d)) for a, b, c, d in by_school]
    return Load(states, lessons, number, int(size), expiring, rows)


def runs_in(site: Site, states: tuple[RunState, ...], limit: int) -> list[WaitingRun]:
    """Runs in one of `states`, the ones at work first, without a word of their lessons."""
    with site.database.system("administration: runs and why they failed") as session:
        rows = session.exec(
            select(Run)
            .where(col(Run.state).in_([s.value for s in states]))
            .order_by(col(Run.state).desc(), col(Run.priority), col(Run.created))
            .limit(limit)
        ).all()
        return [
            WaitingRun(
                r.id, r.lesson_id, r.state, r.stage, r.progress, r.attempts, r.created, r.error
            )
            for r in rows
        ]


@router.get("")
def overview(
    request: Request, db: Db, me: Administrator, site: TheSite, language: Language
) -> HTMLResponse:
    """How it stands."""
    people = db.exec(select(func.count()).select_from(User).where(col(User.active))).one()
    return render(
        request,
        "administration/overview",
        actor=me,
        language=language,
        tabs=TABS,
        load=load(site),
        people=people,
        schools=db.exec(select(func.count()).select_from(School)).one(),
        workers=site.jobs.workers(),
        free=site.storage.free_bytes(),
        least=site.settings.min_free_bytes,
    )


# --- schools


@router.get("/schools")
def schools(request: Request, db: Db, me: Administrator, language: Language) -> HTMLResponse:
    """Districts, their schools, and how long each keeps recordings."""
    counts = db.exec(
        select(Membership.school_id, func.count(func.distinct(Membership.user_id)))
        .where(col(Membership.school_id).is_not(None))
        .group_by(Membership.school_id)
    ).all()
    return render(
        request,
        "administration/schools",
        actor=me,
        language=language,
        tabs=TABS,
        districts=db.exec(select(District).order_by(District.name)).all(),
        schools=db.exec(select(School).order_by(School.name)).all(),
        members=dict(counts),
    )


@router.post("/districts")
def add_district(db: Db, me: Administrator, name: Name) -> RedirectResponse:  # noqa: ARG001
    """A new district."""
    made = District(name=name)
    _add(db, made)
    record(db, "district.create", object_id=made.id)
    return done("/administration/schools", "district.create")


@router.post("/schools")
def add_school(
    db: Db,
    me: Administrator,  # noqa: ARG001
    name: Name,
    district: Annotated[str, Form(max_length=32)],
    retention_days: Days = 365,
) -> RedirectResponse:
    """A new school of a district."""
    if db.get(District, district) is None:
        raise not_found()
    made = School(name=name, district_id=district, retention_days=retention_days)
    _add(db, made)
    record(db, "school.create", object_id=made.id, school_id=made.id)
    return done("/administration/schools", "school.create")


def _add(db: Session, row: District | School) -> None:
    try:
        with db.begin_nested():
            db.add(row)
            db.flush()
    except IntegrityError as error:
        raise ConflictError(
            en=f"“{row.name}” is there already.", zh=f"“{row.name}”已存在。"
        ) from error


@router.post("/schools/{school_id}")
def change_school(
    school_id: str,
    db: Db,
    me: Administrator,  # noqa: ARG001
    name: Name,
    retention_days: Days,
) -> RedirectResponse:
    """Another name, another retention; files that are there get their new day with the sweep."""
    school = db.exec(select(School).where(School.id == school_id)).first()
    if school is None:
        raise not_found()
    before = school.retention_days
    school.name, school.retention_days = name, retention_days
    db.add(school)
    detail = {"retention_days": [before, retention_days]} if before != retention_days else {}
    record(db, "school.change", object_id=school.id, school_id=school.id, detail=detail)
    return done("/administration/schools", "school.change")


# --- work, storage, audit


@router.get("/work")
def work(request: Request, me: Administrator, site: TheSite, language: Language) -> HTMLResponse:
    """Workers, the queue, and what failed."""
    return render(
        request,
        "administration/work",
        actor=me,
        language=language,
        tabs=TABS,
        workers=site.jobs.workers(),
        queue=runs_in(site, (RunState.WORKING, RunState.QUEUED), 100),
        broken=runs_in(site, (RunState.FAILED, RunState.SET_ASIDE), 30),
        load=load(site),
    )


@router.get("/storage")
def storage(request: Request, me: Administrator, site: TheSite, language: Language) -> HTMLResponse:
    """Room, who uses it, and the models on this machine."""
    folder: Path | None = environment().weights
    there = held(folder) if folder is not None and folder.is_dir() else []
    return render(
        request,
        "administration/storage",
        actor=me,
        language=language,
        tabs=TABS,
        load=load(site),
        free=site.storage.free_bytes(),
        least=site.settings.min_free_bytes,
        installed=there,
        absent=[w for w in catalogue() if w not in there],
    )


@router.get("/audit")
def audit(request: Request, db: Db, me: Administrator, language: Language) -> HTMLResponse:
    """Who did what, newest first."""
    action = request.query_params.get("action", "").strip()[:60]
    asked = request.query_params.get("page", "1")
    number = max(1, int(asked)) if asked.isdigit() and len(asked) < 7 else 1
    fits = [AuditEntry.action == action] if action else []
    total = db.exec(select(func.count()).select_from(AuditEntry).where(*fits)).one()
    entries = db.exec(
        select(AuditEntry)
        .where(*fits)
        .order_by(col(AuditEntry.id).desc())
        .offset((number - 1) * SHEET)
        .limit(SHEET)
    ).all()
    names = db.exec(
        select(User.id, User.name).where(col(User.id).in_({e.actor_id for e in entries}))
    )
    actions = db.exec(select(AuditEntry.action).distinct().order_by(AuditEntry.action)).all()
    return render(
        request,
        "administration/audit",
        actor=me,
        language=language,
        tabs=TABS,
        action=action,
        actions=actions,
        names=dict(names.all()),
        sheet=Sheet(entries, number, SHEET, total),
    )
