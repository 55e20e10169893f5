"""Fills a new installation of the service: people, lessons, runs, figures; one report for all.

    ./x bench installation DATA --lessons 10000
    OBSERVER_DATA=DATA ./x serve

A district with --schools schools of twenty teachers, a researcher and a leader each. Every lesson
has a recording, a finished run and twenty figures; half are shared with their school, a fifth with
the district. All runs show one observation, that of the Mandarin fixture repeated to --minutes.
`benchmarks/service_load.py` measures the service on it; to look around by hand, create the
administrator with the link that `serve` prints and from there a link for any of the people.
"""

import argparse
import math
import os
import random
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from sqlalchemy import text
from sqlmodel import Session, SQLModel, insert, select

from api.app import opened_site
from api.auth import start_session
from api.columns import now
from api.deps import Site
from api.jobs import Options
from api.kept_pages import keep_pages
from api.settings import ServiceSettings
from api.tables import (
    Consent,
    District,
    Figure,
    Lesson,
    Membership,
    Position,
    Recording,
    Run,
    RunState,
    School,
    Share,
    User,
)
from observer.media import Audio, decode, encode_opus
from observer.observation import Observation

FIXTURE = Path(__file__).parents[1] / "fixtures" / "lessons" / "zh_triangle"
FIGURES = 20
"""Rows of a lesson; 10,000 lessons have 200,000."""
TEACHERS = 20
"""Of a school."""
BLOCK = 500
"""Lessons written in one transaction."""
SUBJECTS = ("数学", "语文", "英语", "科学", "道德与法治")
GRADES = ("一年级", "二年级", "三年级", "四年级", "五年级", "六年级")


@dataclass(frozen=True, slots=True)
class Visitor:
    """A person who is signed in."""

    user_id: str
    cookie: str
    school: str
    lessons: tuple[str, ...]
    """Those that the person may see."""


def long_lesson(folder: Path, minutes: float) -> tuple[Path, Path]:
    """The fixture's sound and its transcript, repeated until they are long enough."""
    import pysubs2

    _, once = decode(FIXTURE.with_suffix(".opus"), folder / "once.s16")
    times = max(1, math.ceil(60 * minutes / once.duration))
    sound, transcript = folder / "三角形.opus", folder / "三角形.srt"
    encode_opus(Audio(np.tile(once.samples, times)), sound)
    said, whole = pysubs2.load(str(FIXTURE.with_suffix(".srt"))), pysubs2.SSAFile()
    for number in range(times):
        for line in said:
            again = line.copy()
            again.shift(s=number * once.duration)
            whole.append(again)
    whole.save(str(transcript))
    return sound, transcript


def observed(sound: Path, transcript: Path, folder: Path) -> Path:
    """observation.json, as the command writes it."""
    command = [sys.executable, "-m", "api.cli", "observe", str(sound), "--transcript"]
    command += [str(transcript), "--language", "zh", "--report-language", "zh", "--asr", "none"]
    subprocess.run([*command, "--out", str(folder)], check=True, stdout=subprocess.DEVNULL)
    return folder / sound.stem / "observation.json"


def keep(session: Session, rows: list[SQLModel], without: frozenset[str] = frozenset()) -> None:
    """Write rows of one table in one statement."""
    if rows:
        session.execute(insert(type(rows[0])), [r.model_dump(exclude=without) for r in rows])


class Filling:
    """Makes the rows, the same for the same seed but for their identifiers."""

    def __init__(self, site: Site, files: dict[str, Path], observation: Path) -> None:
        self.site = site
        self.chance = random.Random(0)
        self.artefacts = {"observation.json": site.storage.put(observation)}
        whole = Observation.from_json(observation.read_text("utf-8"))
        self.artefacts |= keep_pages(whole, "media", (), observation.parent, site.storage)
        self.shas = {kind: site.storage.put(file) for kind, file in files.items()}
        self.files = files
        self.indicators = [i for i in whole.indicators if i.value is not None][:FIGURES]
        self.people: dict[str, list[User]] = defaultdict(list)
        """Position → people; a teacher's school is that of the same number."""
        self.schools: list[School] = []
        self.seen: dict[str, list[str]] = defaultdict(list)
        """Person → lessons that the person may see."""

    def organisation(self, session: Session, schools: int) -> None:
        """A district with its staff, schools with teachers, a researcher and a leader each."""
        self.district = District(name="东城区")
        keep(session, [self.district])
        made = [School(district_id=self.district.id, name=f"第{n + 1}小学") for n in range(schools)]
        self.schools = made
        keep(session, [*made])
        everyone: list[User] = []
        places: list[Membership] = []

        def person(position: Position, school: School | None) -> None:
            user = User(login=f"{position.value}{len(everyone)}", name=f"老师{len(everyone)}")
            place = {"school_id": school.id} if school else {"district_id": self.district.id}
            everyone.append(user)
            places.append(Membership(user_id=user.id, position=position.value, **place))
            self.people[position if school else "staff"].append(user)

        for school in made:
            for position in (Position.RESEARCHER, Position.LEADER, *[Position.TEACHER] * TEACHERS):
                person(position, school)
        for _ in range(5):
            person(Position.LEADER, None)
        keep(session, [*everyone])
        keep(session, [*places])
        self.consents = [Consent(school_id=s.id, covers="家长与授课教师") for s in made]
        keep(session, [*self.consents])

    def lessons(self, session: Session, first: int, number: int) -> None:
        """So many lessons with all that belongs to them."""
        rows: dict[str, list[SQLModel]] = defaultdict(list)
        for place in range(first, first + number):
            self._lesson(place, rows)
        for kind in ("lesson", "recording", "run", "share"):
            keep(session, rows[kind])
        keep(session, rows["figure"], frozenset({"id"}))

    def _lesson(self, number: int, rows: dict[str, list[SQLModel]]) -> None:
        draw, at = self.chance, number % len(self.schools)
        school = self.schools[at]
        teacher = draw.choice(self._teachers(at))
        by = self.people[Position.RESEARCHER][at]
        made = now() - timedelta(days=draw.uniform(0, 360))
        lesson = Lesson(
            school_id=school.id, teacher_id=teacher.id, uploader_id=by.id,
            consent_id=self.consents[at].id, title=f"三角形的内角和（{number}）",
            subject=draw.choice(SUBJECTS), grade=draw.choice(GRADES), topic="图形与几何",
            held_on=date.today() - timedelta(days=draw.randrange(1500)), created=made,
        )  # fmt: skip
        run = Run(
            lesson_id=lesson.id, state=RunState.DONE.value, progress=1.0, attempts=1,
            artefacts=self.artefacts, created=made, started=made, ended=made + timedelta(minutes=4),
        )  # fmt: skip
        rows["lesson"].append(lesson)
        rows["run"].append(run)
        rows["recording"].append(self.recording(lesson, "recording"))
        if number % 50 == 0:  # observed again, in vain
            later = {"created": made + timedelta(hours=1), "ended": made + timedelta(hours=2)}
            rows["run"].append(
                Run(lesson_id=lesson.id, state=RunState.FAILED.value, artefacts={}, **later)
            )
        for i in self.indicators:
            rows["figure"].append(
                Figure(run_id=run.id, lesson_id=lesson.id, name=i.name, unit=i.unit,
                       value=i.value, low=i.low, high=i.high, n=i.n)
            )  # fmt: skip
        readers = [teacher, by]
        if draw.random() < 0.5:
            rows["share"].append(Share(lesson_id=lesson.id, school_id=school.id))
            readers += [self.people[Position.LEADER][at], *self._teachers(at)]
        if draw.random() < 0.2:
            rows["share"].append(Share(lesson_id=lesson.id, district_id=self.district.id))
            readers += self.people["staff"] + self.people[Position.LEADER]
            readers += self.people[Position.RESEARCHER]
        for reader in {reader.id for reader in readers}:
            self.seen[reader].append(lesson.id)

    def _teachers(self, school: int) -> list[User]:
        return self.people[Position.TEACHER][school * TEACHERS : (school + 1) * TEACHERS]

    def recording(self, lesson: Lesson, kind: str) -> Recording:
        file = self.files[kind]
        types = {".opus": "audio/ogg", ".srt": "application/x-subrip"}
        return Recording(
            lesson_id=lesson.id, kind=kind, sha256=self.shas[kind], size=file.stat().st_size,
            name=file.name, media_type=types[file.suffix], expires=now() + timedelta(days=365),
        )  # fmt: skip

    def visitors(self, session: Session, number: int) -> list[Visitor]:
        """Six in ten are teachers; the others researchers, leaders and staff of the district."""
        teachers = list(self.people[Position.TEACHER])
        self.chance.shuffle(teachers)
        others = [
            u for p in (Position.RESEARCHER, Position.LEADER, "staff") for u in self.people[p]
        ]
        self.chance.shuffle(others)
        chosen = teachers[: round(0.6 * number)]
        chosen += others[: number - len(chosen)]
        return [
            Visitor(
                user.id,
                start_session(session, user.id, self.site.settings, agent="benchmark"),
                self.chance.choice(self.schools).id,
                tuple(self.seen[user.id]),
            )
            for user in chosen
        ]

    def queue(self, number: int) -> None:
        """Lessons to be worked on: the recording with its transcript, so many times."""
        by = self.people[Position.RESEARCHER][0]
        for _ in range(number):
            with self.site.database.system("benchmark: work") as session:
                lesson = Lesson(school_id=self.schools[0].id, uploader_id=by.id, title="处理中的课")
                session.add(lesson)
                session.flush()
                session.add_all(self.recording(lesson, kind) for kind in self.files)
                self.site.jobs.order(session, lesson, options=Options(language="zh", asr="none"))


def fill(site: Site, folder: Path, *, schools: int, lessons: int, minutes: float) -> Filling:
    """Write everything into an installation that has no schools yet. `folder` is for files."""
    site.database.migrate()
    site.jobs.prepare()
    with site.database.system("benchmark: is it empty") as session:
        if session.exec(select(School.id)).first() is not None:
            raise SystemExit("this installation holds something: give a new folder or database")
    sound, transcript = long_lesson(folder, minutes)
    observation = observed(sound, transcript, folder / "out")
    made = Filling(site, {"recording": sound, "transcript": transcript}, observation)
    with site.database.system("benchmark: organisation") as session:
        made.organisation(session, schools)
    for first in range(0, lessons, BLOCK):
        with site.database.system("benchmark: lessons") as session:
            made.lessons(session, first, min(BLOCK, lessons - first))
    if site.database.engine.dialect.name == "postgresql":  # as its autovacuum does in a minute
        with site.database.engine.begin() as connection:
            connection.execute(text("ANALYZE"))
    return made


def arguments(description: str) -> argparse.ArgumentParser:
    """The options of how much there is to be."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lessons", type=int, default=10_000)
    parser.add_argument("--schools", type=int, default=10)
    parser.add_argument("--minutes", type=float, default=40.0, help="length of the lesson shown")
    parser.add_argument("--database", default="", help="an empty PostgreSQL database; or SQLite")
    return parser


def main() -> int:
    """Fill the folder."""
    parser = arguments(__doc__ or "")
    parser.add_argument("data", type=Path)
    given = parser.parse_args()
    settings = ServiceSettings(data=given.data, database_url=given.database)
    with opened_site(settings) as site, TemporaryDirectory() as folder:
        fill(site, Path(folder), schools=given.schools, lessons=given.lessons,
             minutes=given.minutes)  # fmt: skip
    print(f"{given.lessons} lessons in {given.data}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
