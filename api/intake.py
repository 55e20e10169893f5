"""A file that has arrived becomes a lesson's recording, transcript or clip of the teacher's voice.

The file is looked into (`api.examination`), put in storage and entered in the tables, in the
caller's transaction; what a sender may not do is refused with words for people. A run is ordered
by the caller (`api.jobs`), once all files of the lesson are there.
"""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

from sqlmodel import Session, col, select

from api import audit
from api.access import Actor, own_lesson
from api.arrivals import Arrival, DuplicateError, invalid, kind_of
from api.columns import now
from api.examination import Examined, examine
from api.lesson_data import LessonData
from api.masking import class_list
from api.problems import ConflictError, InvalidError, NotAllowedError
from api.storage import Storage
from api.tables import Consent, Lesson, Membership, Position, Recording, School, User

_MAY_UPLOAD = (Position.RESEARCHER, Position.TEACHER, Position.LEADER)
_MAY_UPLOAD_FOR_OTHERS = (Position.RESEARCHER, Position.LEADER)


def check(session: Session, actor: Actor, arrival: Arrival) -> None:
    """Whether `actor` may send this file, asked before its bytes are.

    Raises InvalidError, NotAllowedError, NotFoundError, ConflictError, DuplicateError.
    """
    if isinstance(arrival.lesson, str):
        lesson = own_lesson(session, actor, arrival.lesson)
        if arrival.kind is not None:
            _refuse_second(session, lesson, arrival.kind, arrival.sha256)
    else:
        school = _school(session, actor, arrival.lesson.school)
        _teacher(session, actor, school, arrival.lesson.teacher)
        _refuse_no_consent(arrival.lesson)
        if arrival.sha256 and not arrival.again and arrival.kind != "voice":
            _refuse_duplicate(session, actor, arrival.sha256)


def receive(
    session: Session,
    storage: Storage,
    actor: Actor,
    arrival: Arrival,
    file: Path,
    examined: Examined | None = None,
) -> tuple[Lesson, Recording]:
    """Enter a file that is whole on this machine; the file itself stays the caller's.

    The same file sent to the same lesson twice is entered once. Raises what `check` raises,
    InvalidError (checksum), RecordingError or TranscriptError (not what it should be), and
    OutputError (no room). Nothing is stored then.
    """
    found = examined or examine(file, arrival.name, arrival.kind)
    if arrival.sha256 and arrival.sha256 != found.sha256:
        raise InvalidError(
            en=f"{arrival.name} was damaged on its way: its sha256 is {found.sha256[:12]}…, the "
            f"sender's {arrival.sha256[:12]}…. Send it again.",
            zh=f"“{arrival.name}”在传输中损坏：收到的 sha256 为 {found.sha256[:12]}…，"
            f"发送方为 {arrival.sha256[:12]}…。请重新上传。",
        )
    arrival = replace(arrival, sha256=found.sha256, kind=kind_of(found.kind))
    check(session, actor, arrival)
    if isinstance(arrival.lesson, str):
        known = _recording(session, own_lesson(session, actor, arrival.lesson), found.kind)
        if known is not None:
            return own_lesson(session, actor, arrival.lesson), known
    # Before the first row: the store may be far away, and SQLite has but one writer.
    storage.put(file, link=True, sha=found.sha256)
    lesson, made = _lesson_for(session, actor, arrival.lesson)
    recording = _entered(session, lesson, arrival, found)
    if made:
        audit.record(session, "lesson.create", object_id=lesson.id, lesson=lesson)
    audit.record(
        session,
        "recording.create",
        object_id=recording.id,
        lesson=lesson,
        detail={"kind": recording.kind, "sha256": recording.sha256, "size": recording.size},
    )
    session.flush()
    return lesson, recording


def _lesson_for(session: Session, actor: Actor, said: LessonData | str) -> tuple[Lesson, bool]:
    """The lesson that the file belongs to, and whether it was made just now."""
    if isinstance(said, str):
        return own_lesson(session, actor, said), False
    return new_lesson(session, actor, said), True


def new_lesson(session: Session, actor: Actor, said: LessonData) -> Lesson:
    """A lesson without a file as yet.

    Raises InvalidError, NotAllowedError, NotFoundError as `check` does.
    """
    school = _school(session, actor, said.school)
    teacher_id = _teacher(session, actor, school, said.teacher)
    _refuse_no_consent(said)
    lesson = Lesson(
        school_id=school.id,
        teacher_id=teacher_id,
        uploader_id=actor.user_id,
        consent_id=_consent(session, actor, school, said).id,
        title=said.title,
        subject=said.subject,
        grade=said.grade,
        topic=said.topic,
        lesson_type=said.lesson_type.value,
        held_on=said.held_on,
        round=said.round,
        language=said.language,
        students="\n".join(class_list(said.students)),
    )
    session.add(lesson)
    session.flush()
    return lesson


def _entered(session: Session, lesson: Lesson, arrival: Arrival, found: Examined) -> Recording:
    recording = Recording(
        lesson_id=lesson.id,
        kind=found.kind,
        sha256=found.sha256,
        size=found.size,
        name=arrival.name,
        media_type=found.media_type,
        duration=found.duration,
        expires=_expiry(session, lesson),
    )
    session.add(recording)
    session.flush()
    return recording


def _expiry(session: Session, lesson: Lesson) -> datetime:
    """When the school's retention ends, or the consent if that is sooner."""
    school = session.get(School, lesson.school_id)
    consent = session.get(Consent, lesson.consent_id) if lesson.consent_id else None
    days = school.retention_days if school else School.model_fields["retention_days"].default
    kept = now() + timedelta(days=days)
    if consent is None or consent.until is None:
        return kept
    return min(kept, datetime.combine(consent.until + timedelta(days=1), time(), UTC))


def _recording(session: Session, lesson: Lesson, kind: str) -> Recording | None:
    return session.exec(
        select(Recording).where(Recording.lesson_id == lesson.id, Recording.kind == kind)
    ).first()


def _refuse_second(session: Session, lesson: Lesson, kind: str, sha: str) -> None:
    known = _recording(session, lesson, kind)
    if known is not None and known.sha256 != sha:
        raise _second(kind)


_KIND_NAMES = {"recording": "录音录像", "transcript": "转写文本", "voice": "教师声音样本"}


def _second(kind: str) -> ConflictError:
    return ConflictError(
        en=f"The lesson has another {kind} already. Remove that, or upload this as a new lesson.",
        zh=f"该课例已有另一个{_KIND_NAMES.get(kind, kind)}。请先删除，或作为新课例上传。",
    )


def _refuse_duplicate(session: Session, actor: Actor, sha: str) -> None:
    """Told only of the sender's own lessons: others' stay unknown, shared ones are not theirs."""
    lesson = session.exec(
        select(Lesson)
        .join(Recording, col(Recording.lesson_id) == Lesson.id)
        .where(Recording.sha256 == sha, Recording.kind != "voice")
        .where((Lesson.uploader_id == actor.user_id) | (Lesson.teacher_id == actor.user_id))
        .order_by(col(Lesson.created))
    ).first()
    if lesson is not None:
        raise DuplicateError(
            en=f"This file is there already: lesson “{lesson.title}” ({lesson.created:%Y-%m-%d}). "
            "Nothing was added.",
            zh=f"该文件已上传过：课例“{lesson.title}”（{lesson.created:%Y-%m-%d}）。没有重复添加。",
            lesson_id=lesson.id,
        )


def _school(session: Session, actor: Actor, said: str) -> School:
    """The school that is meant: by id or name, else the only one. Raises InvalidError."""
    mine = {m.school_id for m in actor.memberships if m.position in _MAY_UPLOAD} - {None}
    schools = session.exec(select(School).where(col(School.id).in_(mine))).all() if mine else ()
    if not schools:
        raise NotAllowedError(
            en="You belong to no school, so there is none to upload for. Ask the administrator.",
            zh="您不属于任何学校，无法上传。请联系管理员。",
        )
    found = [s for s in schools if said in (s.id, s.name)] if said else list(schools)
    if len(found) == 1:
        return found[0]
    names = [s.name for s in schools]
    raise invalid(
        "school",
        f"{said[:60]!r} is not among your schools: {', '.join(names)}"
        if said
        else f"say which of your schools is meant: {', '.join(names)}",
        f"“{said[:60]}”不在您所属的学校之列：{'、'.join(names)}"
        if said
        else f"请指明学校：{'、'.join(names)}",
    )


def _teacher(session: Session, actor: Actor, school: School, said: str) -> str | None:
    """Whose lesson it is: the login given, else the sender if a teacher there, else nobody's."""
    if not said:
        return actor.user_id if school.id in actor.schools(Position.TEACHER) else None
    teacher = session.exec(
        select(User)
        .join(Membership, col(Membership.user_id) == User.id)
        .where(User.login == said.lower(), Membership.school_id == school.id)
        .where(Membership.position == Position.TEACHER.value)
    ).first()
    if teacher is None:
        raise invalid(
            "teacher",
            f"{said!r} is the login of no teacher of {school.name}",
            f"“{said}”不是{school.name}任何教师的登录名",
        )
    others = any(school.id in actor.schools(p) for p in _MAY_UPLOAD_FOR_OTHERS)
    if teacher.id != actor.user_id and not others:
        raise NotAllowedError(
            en="Teachers upload their own lessons. Ask a researcher to upload for a colleague.",
            zh="教师只能上传自己的课。如需为同事上传，请联系教研人员。",
        )
    return teacher.id


def _refuse_no_consent(said: LessonData) -> None:
    if not said.consent:
        raise invalid(
            "consent",
            "say whose consent covers the recording (guardians of class 3(2), the teacher …)",
            "请写明录制已获得谁的同意（如：三（2）班家长、授课教师）",
        )
    if said.consent_until is not None and said.consent_until < now().date():
        raise invalid(
            "consent_until",
            f"the consent ended on {said.consent_until}: the recording may not be kept",
            f"知情同意已于 {said.consent_until} 到期，录制内容不可再保存",
        )


def _consent(session: Session, actor: Actor, school: School, said: LessonData) -> Consent:
    """The consent as said; lessons of the same class share one record."""
    known = session.exec(
        select(Consent).where(
            Consent.school_id == school.id,
            Consent.created_by == actor.user_id,
            Consent.covers == said.consent,
            Consent.reference == said.consent_reference,
            col(Consent.until).is_(None)
            if said.consent_until is None
            else Consent.until == said.consent_until,
        )
    ).first()
    if known is not None:
        return known
    consent = Consent(
        school_id=school.id,
        covers=said.consent,
        reference=said.consent_reference,
        until=said.consent_until,
        created_by=actor.user_id,
    )
    session.add(consent)
    session.flush()
    return consent
