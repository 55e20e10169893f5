"""REST for programs: lessons, their runs, indicators and shares."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from sqlalchemy import and_, or_
from sqlmodel import Session, col, select

from api import audit
from api.access import Actor, may_share, may_write, own_lesson, the_lesson
from api.deps import Db, Me, TheSite, Writer
from api.documents import (
    FigureOut,
    LessonChange,
    LessonFigures,
    LessonOut,
    Listing,
    RunIn,
    RunOut,
    ShareIn,
    ShareOut,
    cursor,
    read_cursor,
)
from api.exports import as_seen_by
from api.idempotency import Key, once
from api.intake import new_lesson
from api.jobs import IN_BATCH, INTERACTIVE, Options
from api.lesson_data import LessonData
from api.lesson_filters import Filters, choices, conditions
from api.lesson_report import newest_done, observation_of
from api.masking import class_list
from api.problems import ConflictError, InvalidError, not_found
from api.retention import delete_lesson
from api.tables import ENDS, Figure, Lesson, LessonType, Run, RunState, Share

router = APIRouter(prefix="/api/v1", tags=["lessons"])
LessonId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]
Limit = Annotated[int, Query(ge=1, le=200)]
Cursor = Annotated[str | None, Query(max_length=200)]
Text = Annotated[str, Query(max_length=200)]


@router.get("/lessons")
def list_lessons(
    db: Db,
    me: Me,
    q: Text = "",
    school: Text = "",
    subject: Text = "",
    grade: Text = "",
    teacher: Text = "",
    lesson_type: LessonType | None = None,
    round: Annotated[int | None, Query(ge=1, le=99)] = None,  # noqa: A002
    since: date | None = None,
    until: date | None = None,
    limit: Limit = 50,
    after: Cursor = None,
) -> Listing[LessonOut]:
    """Lessons that you may see, newest first. `after`: the `next` of the part before."""
    said = {
        "q": q, "school": school, "subject": subject, "grade": grade, "teacher": teacher,
        "type": lesson_type.value if lesson_type else "", "round": str(round or ""),
        "since": since.isoformat() if since else "", "until": until.isoformat() if until else "",
    }  # fmt: skip
    wanted = (
        select(Lesson)
        .where(*conditions(me, Filters.of(said), choices(db, me).teachers if q else ()))
        .order_by(col(Lesson.created).desc(), col(Lesson.id).desc())
        .limit(limit + 1)
    )
    if after is not None:
        moment, identity = read_cursor(after)
        same = and_(col(Lesson.created) == moment, col(Lesson.id) < identity)
        wanted = wanted.where(or_(col(Lesson.created) < moment, same))
    found = db.exec(wanted).all()
    items = [_lesson_out(db, me, row) for row in found[:limit]]
    last = found[limit - 1] if len(found) > limit else None
    return Listing(items=items, next=cursor(last.created, last.id) if last else None)


@router.post("/lessons", status_code=201, response_model=LessonOut)
def create_lesson(
    db: Db, me: Writer, request: Request, data: LessonData, key: Key = None
) -> Response:
    """A lesson without a file as yet; send its recording to /uploads with the lesson's id."""

    def create() -> LessonOut:
        lesson = new_lesson(db, me, data)
        audit.record(db, "lesson.create", lesson=lesson)
        return _lesson_out(db, me, lesson)

    return once(db, me, request, key, data, create)


@router.get("/lessons/{lesson_id}")
def get_lesson(db: Db, me: Me, lesson_id: LessonId) -> LessonOut:
    """One lesson."""
    return _lesson_out(db, me, the_lesson(db, lesson_id))


@router.patch("/lessons/{lesson_id}")
def change_lesson(db: Db, me: Writer, lesson_id: LessonId, data: LessonChange) -> LessonOut:
    """Change what is said of a lesson."""
    lesson = own_lesson(db, me, lesson_id)
    said = data.model_dump(exclude_unset=True)
    if not said.get("title", "-"):
        raise InvalidError(en="A lesson needs a title.", zh="课例需要标题。")
    if "students" in said:
        said["students"] = "\n".join(class_list(said["students"]))
    for name, value in said.items():
        setattr(lesson, name, value)
    db.add(lesson)
    audit.record(db, "lesson.change", lesson=lesson, detail={"fields": sorted(said)})
    db.flush()
    return _lesson_out(db, me, lesson)


@router.delete("/lessons/{lesson_id}", status_code=204)
def remove_lesson(request: Request, me: Writer, site: TheSite, lesson_id: LessonId) -> None:
    """Remove a lesson for good: files, transcript, report, rows. Only the audit line stays."""
    delete_lesson(site, lesson_id, me, getattr(request.state, "request_id", ""))


@router.get("/lessons/{lesson_id}/indicators")
def lesson_indicators(db: Db, me: Me, lesson_id: LessonId) -> LessonFigures:  # noqa: ARG001
    """The indicators of the newest finished run: value or null, unit, interval, n."""
    lesson = the_lesson(db, lesson_id)
    rows = db.exec(select(Figure).where(Figure.lesson_id == lesson.id).order_by(Figure.name)).all()
    return LessonFigures(
        lesson_id=lesson.id,
        run_id=rows[0].run_id if rows else None,
        indicators=[FigureOut.model_validate(row) for row in rows],
    )


@router.get(
    "/lessons/{lesson_id}/observation",
    responses={200: {"content": {"application/json": {"schema": {"type": "object"}}}}},
    response_class=Response,
)
def lesson_observation(db: Db, me: Me, site: TheSite, lesson_id: LessonId) -> Response:
    """observation.json of the newest finished run; `observer schema` prints its JSON Schema.

    Names of students are masked for people outside the lesson's school.
    """
    lesson = the_lesson(db, lesson_id)
    run = newest_done(db, lesson)
    if run is None:
        raise not_found()
    audit.record(db, "observation.read", lesson=lesson, object_id=run.id)
    found = as_seen_by(me, lesson, observation_of(site.storage, run))
    return Response(found.to_json(), media_type="application/json")


@router.get("/lessons/{lesson_id}/runs")
def lesson_runs(db: Db, site: TheSite, lesson_id: LessonId) -> Listing[RunOut]:
    """The lesson's runs, newest first."""
    lesson = the_lesson(db, lesson_id)
    rows = db.exec(
        select(Run).where(Run.lesson_id == lesson.id).order_by(col(Run.created).desc(), col(Run.id))
    )
    return Listing(items=[_run_out(db, site, row) for row in rows])


@router.post("/lessons/{lesson_id}/runs", status_code=201, response_model=RunOut)
def order_run(
    db: Db, me: Writer, site: TheSite, request: Request, lesson_id: LessonId, data: RunIn,
    key: Key = None,
) -> Response:  # fmt: skip
    """Observe the lesson (again)."""
    lesson = own_lesson(db, me, lesson_id)

    def create() -> RunOut:
        options = Options(
            language=data.language or lesson.language,
            asr=data.asr,
            report_language=data.report_language,
            seed=data.seed,
        )
        urgency = IN_BATCH if data.batch else INTERACTIVE
        run = site.jobs.order(db, lesson, options=options, priority=urgency, by=me)
        audit.record(db, "run.order", lesson=lesson, object_id=run.id)
        return _run_out(db, site, run)

    return once(db, me, request, key, data, create)


@router.get("/runs/{run_id}")
def get_run(db: Db, site: TheSite, run_id: LessonId) -> RunOut:
    """One run; /runs/{id}/events streams its progress."""
    return _run_out(db, site, _run(db, run_id))


@router.post("/runs/{run_id}/cancel")
def cancel_run(db: Db, me: Writer, site: TheSite, run_id: LessonId) -> RunOut:
    """Stop a run; one that has ended stays as it ended."""
    run = _run(db, run_id)
    lesson = own_lesson(db, me, run.lesson_id)
    site.jobs.cancel(db, run)
    audit.record(db, "run.cancel", lesson=lesson, object_id=run.id)
    return _run_out(db, site, run)


@router.post("/runs/{run_id}/retry", status_code=201)
def retry_run(db: Db, me: Writer, site: TheSite, run_id: LessonId) -> RunOut:
    """A new run like an ended one, from its last finished stage on."""
    run = _run(db, run_id)
    lesson = own_lesson(db, me, run.lesson_id)
    if run.state not in ENDS or run.state == RunState.DONE:
        raise ConflictError(
            en="Only a run that failed, was cancelled or was set aside can be tried again.",
            zh="只有失败、已取消或被搁置的任务可以重试。",
        )
    again = site.jobs.retry(db, run)
    audit.record(db, "run.order", lesson=lesson, object_id=again.id, detail={"after": run.id})
    return _run_out(db, site, again)


@router.get("/lessons/{lesson_id}/shares")
def lesson_shares(db: Db, me: Writer, lesson_id: LessonId) -> Listing[ShareOut]:
    """With whom the lesson is shared; for its teacher and its uploader."""
    lesson = own_lesson(db, me, lesson_id)
    rows = db.exec(select(Share).where(Share.lesson_id == lesson.id).order_by(col(Share.created)))
    return Listing(items=[ShareOut.model_validate(row) for row in rows])


@router.post("/lessons/{lesson_id}/shares", status_code=201, response_model=ShareOut)
def share_lesson(
    db: Db, me: Writer, request: Request, lesson_id: LessonId, data: ShareIn, key: Key = None
) -> Response:
    """Let a person, a school or a district see the lesson; the teacher decides."""
    lesson = _sharing(db, me, lesson_id)
    if len([v for v in data.model_dump().values() if v is not None]) != 1:
        raise InvalidError(
            en="Give exactly one of user_id, school_id and district_id.",
            zh="请只填写 user_id、school_id、district_id 中的一项。",
        )

    def create() -> ShareOut:
        same = [getattr(Share, name) == value for name, value in data.model_dump().items()]
        known = db.exec(select(Share).where(Share.lesson_id == lesson.id, *same)).first()
        if known is not None:
            return ShareOut.model_validate(known)
        share = Share(lesson_id=lesson.id, shared_by=me.user_id, **data.model_dump())
        db.add(share)
        audit.record(db, "share.create", lesson=lesson, object_id=share.id)
        db.flush()
        return ShareOut.model_validate(share)

    return once(db, me, request, key, data, create)


@router.delete("/lessons/{lesson_id}/shares/{share_id}", status_code=204)
def unshare_lesson(db: Db, me: Writer, lesson_id: LessonId, share_id: LessonId) -> None:
    """Take a share back."""
    lesson = _sharing(db, me, lesson_id)
    share = db.get(Share, share_id)
    if share is None or share.lesson_id != lesson.id:
        raise not_found()
    audit.record(db, "share.delete", lesson=lesson, object_id=share.id)
    db.delete(share)


def _sharing(db: Session, me: Actor, lesson_id: str) -> Lesson:
    lesson = the_lesson(db, lesson_id)
    if not may_share(db, me, lesson):
        raise not_found()
    return lesson


def _run(db: Session, run_id: str) -> Run:
    run = db.get(Run, run_id)
    if run is None:
        raise not_found()
    return run


def _lesson_out(db: Session, me: Actor, lesson: Lesson) -> LessonOut:
    return LessonOut.model_validate(lesson).model_copy(
        update={"writable": may_write(db, me, lesson)}
    )


def _run_out(db: Session, site: TheSite, run: Run) -> RunOut:
    place = site.jobs.queue_place(db, run)
    return RunOut.model_validate(run).model_copy(update={"queue_place": place})
