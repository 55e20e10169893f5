"""The pages that people work with: home, lessons, one lesson, its report, uploading, people."""

import base64
import gzip

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from sqlmodel import Session, col, select

from api.access import Actor, may_share, may_write, the_lesson
from api.audit import record
from api.columns import now
from api.deps import Db, Language, Me, TheSite
from api.exports import may_have_names
from api.lesson_filters import Filters, choices, names_of, school_names
from api.lesson_lists import SHEET, desk, matching, row_of
from api.lesson_report import KEY_FIGURES, findings, key_figures, report_page, reported_in, runs_of
from api.pages import Sheet, render
from api.problems import not_found
from api.render.bundle import bundle, program_address
from api.tables import (
    ENDS,
    Consent,
    District,
    Lesson,
    LessonType,
    Membership,
    Position,
    Recording,
    School,
    Share,
    User,
)
from observer.job import STAGES

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/")
def home(request: Request, db: Db, me: Me, language: Language) -> HTMLResponse:
    """What is being worked on, what needs the reader, what is new."""
    return render(request, "home", actor=me, language=language, desk=desk(db, me))


@router.get("/lessons")
def lessons(request: Request, db: Db, me: Me, language: Language) -> HTMLResponse:
    """Search and filters over every lesson that the reader may see."""
    wanted = Filters.of(request.query_params)
    asked = request.query_params.get("page", "1")
    number = int(asked) if asked.isdigit() and len(asked) < 7 else 1
    offered = choices(db, me)
    rows, total = matching(db, me, wanted, number, offered)
    return render(
        request,
        "lessons",
        actor=me,
        language=language,
        wanted=wanted,
        sheet=Sheet(rows, max(1, number), SHEET, total),
        choices=offered,
        rounds=range(1, 6),
        types=list(LessonType),
    )


@router.get("/lessons/{lesson_id}")
def lesson(
    request: Request, lesson_id: str, db: Db, me: Me, site: TheSite, language: Language
) -> HTMLResponse:
    """One lesson: its report, its figures, who may see it, what was done."""
    found = the_lesson(db, lesson_id)
    runs = runs_of(db, found)
    newest = runs[0] if runs else None
    reported = reported_in(runs)
    people = names_of(db, (found.teacher_id, found.uploader_id))
    row = row_of(me, found, people, school_names(db, [found.school_id]))
    page = render(
        request,
        "lesson",
        actor=me,
        language=language,
        row=row,
        lesson=found,
        runs=runs,
        newest=newest,
        reported=reported,
        findings=findings(site.storage, reported, language) if reported else (),
        place=site.jobs.queue_place(db, newest) if newest else 0,
        files=db.exec(select(Recording).where(Recording.lesson_id == found.id)).all(),
        consent=db.get(Consent, found.consent_id) if found.consent_id else None,
        figures=key_figures(db, found, KEY_FIGURES, language),
        uploader=people.get(found.uploader_id or "", ""),
        may_have_names=may_have_names(me, found),
        may_write=may_write(db, me, found),
        may_share=may_share(db, me, found),
        shares=_shares(db, found) if row.mine else [],
        receivers=receivers(db, me) if may_share(db, me, found) else {},
        teachers=members(db, found.school_id) if may_write(db, me, found) else [],
        stages=list(STAGES),
        types=list(LessonType),
        ends=ENDS,
    )
    record(db, "lesson.read", object_id=found.id, lesson=found)
    return page


def _shares(db: Session, lesson: Lesson) -> list[tuple[Share, str]]:
    shares = db.exec(select(Share).where(Share.lesson_id == lesson.id)).all()
    names = names_of(db, [s.user_id for s in shares])
    names |= school_names(db, [s.school_id for s in shares if s.school_id])
    wanted = [s.district_id for s in shares if s.district_id]
    if wanted:
        found = db.exec(select(District.id, District.name).where(col(District.id).in_(wanted)))
        names |= dict(found.all())
    return [(s, names.get(s.user_id or s.school_id or s.district_id or "", "—")) for s in shares]


def receivers(db: Session, me: Actor) -> dict[str, list[tuple[str, str]]]:
    """With whom the person can share from a list: schools, districts, colleagues."""
    schools = db.exec(select(School.id, School.name).where(col(School.id).in_(me.schools())))
    home = me.home_districts()
    districts = db.exec(select(District.id, District.name).where(col(District.id).in_(home)))
    people = db.exec(
        select(User.id, User.name)
        .where(User.id != me.user_id, col(User.active))
        .order_by(User.name)
        .limit(300)
    )
    return {
        "school": [(f"school:{i}", n) for i, n in schools],
        "district": [(f"district:{i}", n) for i, n in districts],
        "person": [(f"person:{i}", n) for i, n in people],
    }


def members(db: Session, school_id: str) -> list[tuple[str, str]]:
    found = db.exec(
        select(User.id, User.name)
        .join(Membership, col(Membership.user_id) == User.id)
        .where(Membership.school_id == school_id)
        .distinct()
        .order_by(User.name)
    )
    return list(found.all())


def _teachers(db: Session, school_id: str) -> list[User]:
    """Whose lessons one may upload: teachers of the school."""
    found = db.exec(
        select(User)
        .join(Membership, col(Membership.user_id) == User.id)
        .where(Membership.school_id == school_id, Membership.position == Position.TEACHER)
        .order_by(User.name)
    )
    return list(found)


@router.get("/lessons/{lesson_id}/report")
def report(
    request: Request, lesson_id: str, db: Db, me: Me, site: TheSite, language: Language
) -> Response:
    """The interactive report with the recording; its own, stricter content security policy.

    Beyond the lesson's school names of students are masked in its words.
    """
    found = the_lesson(db, lesson_id)
    masked = not may_have_names(me, found)
    page = report_page(request, db, site.storage, found, language, masked=masked)
    # Last, as in every page: SQLite has one writer, and it must not wait for a page to be made.
    record(db, "report.read", object_id=found.id, lesson=found)
    return page


@router.get("/program/{name}")
def program(request: Request, name: str, me: Me) -> Response:  # noqa: ARG001
    """The charts' program, which reports load; its address changes with its version."""
    if f"/program/{name}" != program_address():
        raise not_found()
    packed = base64.b64decode(bundle().packed)
    headers = {"Cache-Control": "private, max-age=31536000, immutable", "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
    else:
        packed = gzip.decompress(packed)
    return Response(packed, media_type="text/javascript; charset=utf-8", headers=headers)


@router.get("/upload")
def upload(request: Request, db: Db, me: Me, site: TheSite, language: Language) -> HTMLResponse:
    """Recordings in, many at once."""
    schools = db.exec(
        select(School).where(col(School.id).in_(me.schools())).order_by(School.name)
    ).all()
    return render(
        request,
        "upload",
        actor=me,
        language=language,
        schools=schools,
        teachers={s.id: _teachers(db, s.id) for s in schools},
        for_others=any(me.schools(p) for p in (Position.RESEARCHER, Position.LEADER)),
        types=list(LessonType),
        largest=site.settings.max_upload_bytes,
        today=now().date(),
    )


@router.get("/people")
def people(request: Request, db: Db, me: Me, language: Language) -> HTMLResponse:
    """The schools that the reader belongs to, and who else does."""
    wanted = select(School, District).join(District, col(District.id) == School.district_id)
    mine = col(School.id).in_(me.schools()) | col(School.district_id).in_(me.districts())
    schools = db.exec(wanted.where(mine).order_by(District.name, School.name)).all()
    members = db.exec(
        select(Membership, User)
        .join(User, col(User.id) == Membership.user_id)
        .where(col(User.active), col(Membership.school_id).in_([s.id for s, _ in schools]))
        .order_by(User.name)
    ).all()
    by_school: dict[str, dict[str, tuple[User, list[str]]]] = {}
    for membership, person in members:
        there = by_school.setdefault(membership.school_id or "", {})
        there.setdefault(person.id, (person, []))[1].append(membership.position)
    return render(
        request, "people", actor=me, language=language, schools=schools, members=by_school
    )
