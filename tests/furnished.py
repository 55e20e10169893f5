"""A service with something in it: people with passwords, a lesson with its report and recording,
and lessons in every state, so that each page has what it shows.
"""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from api.columns import now
from api.deps import Site
from api.passwords import passwords
from api.tables import (
    Consent,
    Figure,
    Lesson,
    Recording,
    Run,
    RunState,
    Share,
)
from observer.observation import Observation
from observer.report import claims
from tests.observation_factory import mandarin_lesson
from tests.service_factory import People, people
from tests.service_site import PASSWORD

REPORTED = "三角形的内角和"
NAMES = {
    "teacher": "陈雨晴", "colleague": "李文博", "researcher": "周明", "leader": "王校长",
    "staff": "赵敏", "administrator": "系统管理员", "outsider": "孙老师", "neighbour": "吴校长",
    "stranger": "郑老师",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Furnished:
    """A site and what was put into it."""

    site: Site
    people: People
    lesson: Lesson
    """Of the teacher, with a recording and a report, shared with the colleague."""
    observation: Observation


def furnish(site: Site, recording: Path, media_type: str = "audio/wav") -> Furnished:
    """Fill an empty, migrated site; `recording` becomes the recording of the reported lesson."""
    there = people(site.database)
    hashed = passwords(site.settings).hash(PASSWORD)
    with site.database.system("test: names and passwords") as session:
        for key, person in there.users().items():
            person.name, person.password_hash, person.language = NAMES[key], hashed, "zh"
            session.add(session.merge(person))
    observation = mandarin_lesson(minutes=6)
    assert observation.recording is not None
    observation = replace(observation, recording=replace(observation.recording, video=False))
    observation = observation.with_claims(claims(observation, "zh"))
    lesson = _reported(site, there, observation, recording, media_type)
    _others(site, there)
    return Furnished(site, there, lesson, observation)


def _reported(
    site: Site, there: People, observation: Observation, recording: Path, media_type: str
) -> Lesson:
    found = recording.parent / "observation.json"
    found.write_text(observation.to_json(), encoding="utf-8")
    consent = Consent(
        school_id=there.school.id, covers="三（2）班全体监护人与授课教师", until=date(2028, 7, 1)
    )
    lesson = Lesson(
        school_id=there.school.id, teacher_id=there.teacher.id, uploader_id=there.researcher.id,
        consent_id=consent.id, title=REPORTED, subject="数学", grade="四年级", topic="图形与几何",
        lesson_type="research", held_on=date(2026, 11, 18), round=2,
    )  # fmt: skip
    run = Run(
        lesson_id=lesson.id, state="done", progress=1.0, started=now() - timedelta(minutes=14),
        ended=now(), artefacts={"observation.json": site.storage.put(found)},
    )  # fmt: skip
    kept = Recording(
        lesson_id=lesson.id, sha256=site.storage.put(recording), size=recording.stat().st_size,
        name="三角形的内角和 第二轮.mp4", media_type=media_type, duration=360.0,
        expires=datetime(2036, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    figures = [
        Figure(run_id=run.id, lesson_id=lesson.id, name=i.name, value=i.value, unit=i.unit,
               low=i.low, high=i.high, n=i.n)
        for i in observation.indicators
    ]  # fmt: skip
    share = Share(lesson_id=lesson.id, user_id=there.colleague.id, shared_by=there.teacher.id)
    with site.database.system("test: a lesson with its report") as session:
        session.add_all([consent, lesson, run, kept, *figures, share])
    return lesson


def _others(site: Site, there: People) -> None:
    """Lessons of the teacher: one waiting, one at work, one failed, one that nobody observed."""
    told = {"en": "The recording is silent.", "zh": "录音中没有声音，请检查麦克风后重新录制。"}
    made = [
        ("草船借箭", "语文", RunState.WORKING, {"stage": "words", "progress": 0.42}),
        ("Fractions on a number line", "英语", RunState.QUEUED, {}),
        ("光合作用与呼吸作用的比较", "科学", RunState.FAILED, {"error": told}),
        ("鸡兔同笼", "数学", None, {}),
    ]
    with site.database.system("test: lessons in every state") as session:
        for number, (title, subject, state, more) in enumerate(made):
            lesson = Lesson(
                school_id=there.school.id, teacher_id=there.teacher.id, title=title,
                uploader_id=there.teacher.id, subject=subject, grade="五年级",
                held_on=date(2026, 11, 10 + number),
            )  # fmt: skip
            session.add(lesson)
            session.flush()
            if state is not None:
                begun = now() - timedelta(minutes=3) if state is RunState.WORKING else None
                session.add(
                    Run(lesson_id=lesson.id, state=state.value, started=begun, **more)  # type: ignore[arg-type]
                )
