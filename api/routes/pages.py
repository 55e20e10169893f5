"""The pages that people work with: home, lessons, one lesson, its report, uploading, people."""

from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel, BeforeValidator, StringConstraints
from sqlmodel import Session, col, select

from api.access import Actor, may_share, may_write
from api.audit import record
from api.columns import now
from api.deps import Db, Language, Me, TheSite, Writer
from api.exports import may_have_names
from api.lesson_lists import (
    SHEET,
    Filters,
    choices,
    desk,
    matching,
    names_of,
    rows_of,
    school_names,
)
from api.lesson_report import KEY_FIGURES, findings, key_figures, newest_done, report_page
from api.pages import Sheet, done, render
from api.problems import InvalidError, NotAllowedError, not_found
from api.retention import delete_lesson
from api.tables import (
    ENDS,
    Consent,
    District,
    Lesson,
    LessonType,
    Membership,
    Position,
    Recording,
    Run,
    School,
    Share,
    User,
)
from observer.job import STAGES

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

Line = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]
Word = Annotated[str, StringConstraints(strip_whitespace=True, max_length=60)]


def _empty_is_none(value: object) -> object:
    return None if value == "" else value


class LessonForm(BaseModel):
    """What is known of a lesson, as its form sends it."""

    title: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
    subject: Word = ""
    grade: Word = ""
    topic: Line = ""
    lesson_type: LessonType = LessonType.ORDINARY
    held_on: Annotated[date | None, BeforeValidator(_empty_is_none)] = None
    round: Annotated[int | None, BeforeValidator(_empty_is_none)] = None
    language: Literal["zh", "en", "auto"] = "zh"
    teacher_id: Annotated[str | None, BeforeValidator(_empty_is_none)] = None


class ConsentForm(BaseModel):
    """Whose consent covers a recording."""

    covers: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
    reference: Line = ""
    until: Annotated[date | None, BeforeValidator(_empty_is_none)] = None


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
    rows, total = matching(db, me, wanted, number)
    return render(
        request,
        "lessons",
        actor=me,
        language=language,
        wanted=wanted,
        sheet=Sheet(rows, max(1, number), SHEET, total),
        choices=choices(db),
        rounds=range(1, 6),
        types=list(LessonType),
    )


def the_lesson(db: Session, lesson_id: str) -> Lesson:
    """The lesson, if the person may see it. Raises NotFoundError."""
    found = db.exec(select(Lesson).where(Lesson.id == lesson_id)).first()
    if found is None:
        raise not_found()
    return found


def _own(db: Session, me: Actor, lesson_id: str, *, share: bool = False) -> Lesson:
    """The lesson, if the person may also change (or share) it. Raises NotAllowedError."""
    lesson = the_lesson(db, lesson_id)
    if not (may_share if share else may_write)(db, me, lesson):
        raise NotAllowedError(
            en="Only the lesson's teacher can do this (its uploader, while no teacher is named)."
            if share
            else "Only the lesson's teacher and its uploader can change it.",
            zh="只有授课教师可以执行此操作（尚未指定教师时为上传者）。"
            if share
            else "只有授课教师和上传者可以修改这节课。",
        )
    return lesson


@router.get("/lessons/{lesson_id}")
def lesson(
    request: Request, lesson_id: str, db: Db, me: Me, site: TheSite, language: Language
) -> HTMLResponse:
    """One lesson: its report, its figures, who may see it, what was done."""
    found = the_lesson(db, lesson_id)
    row = rows_of(db, me, [found])[0]
    runs = db.exec(
        select(Run).where(Run.lesson_id == found.id).order_by(col(Run.created).desc(), col(Run.id))
    ).all()
    reported = newest_done(db, found)
    record(db, "lesson.read", object_id=found.id, lesson=found)
    return render(
        request,
        "lesson",
        actor=me,
        language=language,
        row=row,
        lesson=found,
        runs=runs,
        reported=reported,
        findings=findings(site.storage, reported, language) if reported else (),
        place=site.jobs.queue_place(db, row.run) if row.run else 0,
        files=db.exec(select(Recording).where(Recording.lesson_id == found.id)).all(),
        consent=db.get(Consent, found.consent_id) if found.consent_id else None,
        figures=key_figures(db, found, KEY_FIGURES, language),
        uploader=names_of(db, [found.uploader_id]).get(found.uploader_id or "", ""),
        may_write=may_write(db, me, found),
        may_share=may_share(db, me, found),
        shares=_shares(db, found) if row.mine else [],
        receivers=_receivers(db, me) if may_share(db, me, found) else {},
        teachers=_members(db, found.school_id) if may_write(db, me, found) else [],
        stages=list(STAGES),
        types=list(LessonType),
        ends=ENDS,
    )


def _shares(db: Session, lesson: Lesson) -> list[tuple[Share, str]]:
    shares = db.exec(select(Share).where(Share.lesson_id == lesson.id)).all()
    names = names_of(db, [s.user_id for s in shares])
    names |= school_names(db, [s.school_id for s in shares if s.school_id])
    wanted = [s.district_id for s in shares if s.district_id]
    found = db.exec(select(District.id, District.name).where(col(District.id).in_(wanted)))
    names |= dict(found.all())
    return [(s, names.get(s.user_id or s.school_id or s.district_id or "", "—")) for s in shares]


def _receivers(db: Session, me: Actor) -> dict[str, list[tuple[str, str]]]:
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


def _members(db: Session, school_id: str) -> list[tuple[str, str]]:
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
    record(db, "report.read", object_id=found.id, lesson=found)
    masked = not may_have_names(me, found)
    return report_page(request, db, site.storage, found, language, masked=masked)


@router.post("/lessons/{lesson_id}")
def change_lesson(
    lesson_id: str, db: Db, me: Writer, form: Annotated[LessonForm, Form()]
) -> RedirectResponse:
    """Keep what the form says of the lesson."""
    found = _own(db, me, lesson_id)
    if may_share(db, me, found) and form.teacher_id and form.teacher_id != found.teacher_id:
        _check_teacher(db, found, form.teacher_id)
    said = form.model_dump()
    if not may_share(db, me, found):
        del said["teacher_id"]  # who owns a lesson is for its owner to say
    for name, value in said.items():
        setattr(found, name, value.value if isinstance(value, LessonType) else value)
    db.add(found)
    record(db, "lesson.change", object_id=found.id, lesson=found)
    return done(f"/lessons/{found.id}", "lesson.change")


def _check_teacher(db: Session, lesson: Lesson, teacher_id: str) -> None:
    if teacher_id not in {i for i, _ in _members(db, lesson.school_id)}:
        raise InvalidError(
            en="The teacher must be a member of the lesson's school. Ask an administrator to add"
            " them.",
            zh="授课教师须是该校成员，请联系管理员添加。",
        )


@router.post("/lessons/{lesson_id}/delete")
def remove_lesson(request: Request, lesson_id: str, me: Writer, site: TheSite) -> RedirectResponse:
    """Remove the lesson and everything that was made of it, for good."""
    delete_lesson(site, lesson_id, me, str(getattr(request.state, "request_id", "")))
    return done("/lessons", "lesson.delete")


@router.post("/lessons/{lesson_id}/consent")
def give_consent(
    lesson_id: str, db: Db, me: Writer, form: Annotated[ConsentForm, Form()]
) -> RedirectResponse:
    """Record whose consent covers the recording."""
    found = _own(db, me, lesson_id)
    consent = Consent(school_id=found.school_id, created_by=me.user_id, **form.model_dump())
    db.add(consent)
    db.flush()
    found.consent_id = consent.id
    db.add(found)
    record(db, "consent.create", object_id=consent.id, lesson=found)
    return done(f"/lessons/{found.id}", "consent.create")


@router.post("/lessons/{lesson_id}/shares")
def share(
    lesson_id: str, db: Db, me: Writer, to: Annotated[str, Form(max_length=60)]
) -> RedirectResponse:
    """Let a person, a school or a district see the lesson."""
    found = _own(db, me, lesson_id, share=True)
    kind, _, target = to.partition(":")
    if to not in {value for group in _receivers(db, me).values() for value, _ in group}:
        raise not_found()
    made = Share(
        lesson_id=found.id,
        user_id=target if kind == "person" else None,
        school_id=target if kind == "school" else None,
        district_id=target if kind == "district" else None,
        shared_by=me.user_id,
    )
    same = made.model_dump(include={"lesson_id", "user_id", "school_id", "district_id"})
    if db.exec(select(Share).filter_by(**same)).first() is None:
        db.add(made)
        record(db, "share.create", object_id=made.id, lesson=found, detail={"with": kind})
    return done(f"/lessons/{found.id}", "share.create")


@router.post("/lessons/{lesson_id}/shares/{share_id}/end")
def end_share(lesson_id: str, share_id: str, db: Db, me: Writer) -> RedirectResponse:
    """Take a share back."""
    found = _own(db, me, lesson_id, share=True)
    made = db.exec(select(Share).where(Share.id == share_id, Share.lesson_id == found.id)).first()
    if made is not None:
        db.delete(made)
        record(db, "share.end", object_id=share_id, lesson=found)
    return done(f"/lessons/{found.id}", "share.end")


@router.post("/lessons/{lesson_id}/runs")
def order_run(lesson_id: str, db: Db, me: Writer, site: TheSite) -> RedirectResponse:
    """Observe the lesson anew."""
    found = _own(db, me, lesson_id)
    run = site.jobs.order(db, found, by=me)
    record(db, "run.order", object_id=run.id, lesson=found)
    return done(f"/lessons/{found.id}", "run.order")


@router.post("/runs/{run_id}/{what}")
def change_run(
    run_id: str, what: Literal["cancel", "retry"], db: Db, me: Writer, site: TheSite
) -> RedirectResponse:
    """Stop a run, or go on with one that failed."""
    run = db.exec(select(Run).where(Run.id == run_id)).first()
    if run is None:
        raise not_found()
    found = _own(db, me, run.lesson_id)
    if what == "cancel":
        site.jobs.cancel(db, run)
    else:
        site.jobs.retry(db, run)
    record(db, f"run.{what}", object_id=run.id, lesson=found)
    return done(f"/lessons/{found.id}", f"run.{what}")


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
