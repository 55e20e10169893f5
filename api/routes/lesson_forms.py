"""What the forms of a lesson's page do: details, consent, shares, runs, deletion."""

from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel, BeforeValidator, StringConstraints
from sqlmodel import Session, select

from api.access import Actor, may_share, may_write, the_lesson
from api.audit import record
from api.deps import Db, TheSite, Writer
from api.masking import class_list
from api.pages import done
from api.problems import InvalidError, NotAllowedError, not_found
from api.retention import delete_lesson
from api.routes.pages import members, receivers
from api.tables import Consent, Lesson, LessonType, Run, Share

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
    if teacher_id not in {i for i, _ in members(db, lesson.school_id)}:
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


@router.post("/lessons/{lesson_id}/students")
def keep_students(
    lesson_id: str, db: Db, me: Writer, students: Annotated[str, Form(max_length=4000)] = ""
) -> RedirectResponse:
    """Keep the class list, by which names are masked; an empty one removes it."""
    found = _own(db, me, lesson_id)
    found.students = "\n".join(class_list(students))
    db.add(found)
    record(db, "lesson.change", object_id=found.id, lesson=found, detail={"fields": ["students"]})
    return done(f"/lessons/{found.id}", "lesson.change")


@router.post("/lessons/{lesson_id}/shares")
def share(
    lesson_id: str, db: Db, me: Writer, to: Annotated[str, Form(max_length=60)]
) -> RedirectResponse:
    """Let a person, a school or a district see the lesson."""
    found = _own(db, me, lesson_id, share=True)
    kind, _, target = to.partition(":")
    if to not in {value for group in receivers(db, me).values() for value, _ in group}:
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
