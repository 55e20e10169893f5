"""A worker process with scripted engines that kills itself (kill -9) where a test says.

    a lesson of 20 s:   |..TTTTT.SSS.TTTTTTT..|      T teacher, S student

Each engine writes a line to `calls.txt` when it is called, so that a test can tell what was done
twice; at a point that the plan names it kills its process, once (`killed-POINT` marks that).
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from api import work, workers
from api.columns import now
from api.db import Database
from api.jobs import Jobs, Options
from api.settings import Environment, ServiceSettings
from api.storage import LocalStorage, Storage
from api.tables import District, Lesson, Recording, Run, School
from models import LABELLERS, ROLE_CUES, load
from models.scripted import ReplayTranscriber
from observer.engines import NO_SWAP, Note, SpeakerSpan
from observer.job import Engines
from observer.timeline import Role, RoleSpan, Span
from observer.transcript import Transcript, Utterance
from tests.drawn_once import draw_once
from tests.media_files import beeps, write_media

POINTS = ("claimed", "speech", "speakers", "roles", "words", "role_cues", "labels", "put", "forget")
"""In the order in which a run passes them: before each stage, before the result is written, and
after it was written but before the job engine knows."""
SPEECH = [Span(2, 7), Span(8, 11), Span(12, 19)]
TURNS = [(2, 7, Role.TEACHER), (8, 11, Role.STUDENT), (12, 19, Role.TEACHER)]
SAID = Transcript(
    "zh",
    (
        Utterance("u1", "三角形的内角和是多少度？", 2.0, 7.0),
        Utterance("u2", "一百八十度。", 8.0, 11.0),
        Utterance("u3", "很好，请坐。你是怎么知道的？", 12.0, 19.0),
    ),
    "replay",
)
TICK = 0.2


@dataclass(frozen=True)
class Script:
    """Where a worker process finds its installation, and where it dies."""

    data: Path
    database_url: str
    die_at: tuple[str, ...] = ()
    always: bool = False
    """Die there every time, not once."""
    raises: bool = False
    """Raise ValueError there instead."""
    hold_at: str = ""
    """Wait there until `data/go` exists."""
    patience: int = work.MAX_ATTEMPTS
    """Crashes after which a run is set aside."""

    def settings(self) -> ServiceSettings:
        """The installation's settings."""
        return ServiceSettings(data=self.data, database_url=self.database_url)

    def passes(self, point: str) -> None:
        """A point of the run is reached."""
        with (self.data / "calls.txt").open("a") as calls:
            calls.write(point + "\n")
        while point == self.hold_at and not (self.data / "go").exists():
            time.sleep(0.02)
        if point in self.die_at:
            mark = self.data / f"killed-{point}"
            if self.always or not mark.exists():
                mark.touch()
                if self.raises:
                    raise ValueError("a defect")
                os.kill(os.getpid(), signal.SIGKILL)

    def calls(self) -> list[str]:
        """The points that were passed, in order, by all processes."""
        file = self.data / "calls.txt"
        return file.read_text().split() if file.exists() else []


class ScriptedVad:
    name, version = "scripted", "1"

    def __init__(self, script: Script) -> None:
        self.script = script

    def speech(self, audio: object, on_progress: Callable[[float], None] | None = None) -> Any:
        if on_progress is not None:  # else the decoder asks whether the track has speech
            self.script.passes("speech")
            on_progress(1.0)
        return SPEECH


class ScriptedDiarizer:
    name, version = "scripted", "1"
    notes: tuple[Note, ...] = ()
    swap = NO_SWAP

    def __init__(self, script: Script) -> None:
        self.script = script

    def diarize(
        self, audio: object, speech: object, teacher_voice: object = None, on_progress: Any = None
    ) -> Any:
        self.script.passes("speakers")
        for tenth in range(11):
            on_progress(tenth / 10)
        return [
            SpeakerSpan(start, end, "main" if role is Role.TEACHER else "1", 0.95)
            for start, end, role in TURNS
        ]


class ScriptedRoles:
    name, version = "scripted", "1"

    def __init__(self, script: Script) -> None:
        self.script = script

    def assign(
        self, audio: object, speech: object, speakers: object, on_progress: Any = None
    ) -> Any:
        self.script.passes("roles")
        on_progress(1.0)
        return list(_covering(20.0))


def _covering(end: float) -> Iterator[RoleSpan]:
    at = 0.0
    for start, stop, role in TURNS:
        yield RoleSpan(at, start, Role.SILENCE, 0.99)
        yield RoleSpan(start, stop, role, 0.95)
        at = stop
    yield RoleSpan(at, end, Role.SILENCE, 0.99)


class Passing:
    """An engine in front of which a point is passed."""

    def __init__(self, engine: Any, script: Script, point: str, method: str) -> None:
        self._engine, self._script = engine, script
        self._point, self._method = point, method

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._engine, name)
        if name != self._method:
            return found

        def passing(*arguments: Any, **named: Any) -> Any:
            self._script.passes(self._point)
            return found(*arguments, **named)

        return passing


class PassingStorage(LocalStorage):
    """Local storage in which the last writes of a run are points too."""

    script: Script

    def put(self, file: Path, **how: Any) -> str:
        if file.name == "observation.json":
            self.script.passes("put")
        return super().put(file, **how)

    def delete(self, sha: str) -> None:
        self.script.passes("forget")
        super().delete(sha)


def engines(script: Script) -> Engines:
    """The scripted engines; words, cues and labels come from real, quick ones."""
    return Engines(
        vad=ScriptedVad(script),
        diarizer=ScriptedDiarizer(script),
        roles=ScriptedRoles(script),
        labeller=Passing(load(LABELLERS, "rules"), script, "labels", "label"),
        transcriber=Passing(ReplayTranscriber(transcript=SAID), script, "words", "transcribe"),
        cues=Passing(load(ROLE_CUES, "words"), script, "role_cues", "evidence"),
        reason="scripted",
    )


@dataclass(frozen=True)
class House:
    """The parts of an installation, in this process."""

    script: Script
    database: Database
    storage: LocalStorage
    jobs: Jobs

    @classmethod
    def of(cls, script: Script) -> "House":
        """Opened as the settings say."""
        settings = script.settings()
        database = Database(settings.database_url)
        storage = PassingStorage(settings.data / "files")
        storage.script = script
        return cls(script, database, storage, Jobs(settings, database, cast("Storage", storage)))

    def close(self) -> None:
        """Connections are given back."""
        self.jobs.close()
        self.database.close()

    def lesson(self, title: str = "三角形的内角和") -> str:
        """A lesson with a recording of 20 s; its id."""
        file = self.script.data / "lesson.mkv"
        if not file.exists():
            write_media(file, [beeps(20.0, range(2, 19), 48_000)])
        with self.database.system("a lesson for the test") as session:
            district = District(name=f"district of {title}")
            session.add(district)
            session.flush()
            school = School(name="school", district_id=district.id)
            session.add(school)
            session.flush()
            lesson = Lesson(title=title, school_id=school.id)
            session.add(lesson)
            session.flush()
            session.add(
                Recording(
                    lesson_id=lesson.id,
                    sha256=self.storage.put(file),
                    size=file.stat().st_size,
                    name="公开课 1.mkv",
                    media_type="video/x-matroska",
                    expires=now() + timedelta(days=1),
                )
            )
            return lesson.id

    def order(self, lesson_id: str, priority: int = 10) -> str:
        """A run of the lesson; its id."""
        with self.database.system("an order of the test") as session:
            lesson = session.get_one(Lesson, lesson_id)
            options = Options(language="zh")
            return self.jobs.order(session, lesson, options=options, priority=priority).id

    def run(self, run_id: str) -> Run:
        """The run as it is now."""
        with self.database.system("a look of the test") as session:
            return session.get_one(Run, run_id)

    def workplace(
        self, tick: float = TICK, leave: Callable[[bool], None] = workers.leave
    ) -> workers.Workplace:
        """A worker on this installation."""
        environment = Environment(weights=None, threads=1, language=None)

        def build(*_: object, **__: object) -> Engines:
            self.script.passes("claimed")
            return engines(self.script)

        lessons = work.LessonWork(
            self.database,
            cast("Storage", self.storage),
            self.script.data / "work",
            environment,
            build=build,
            max_attempts=self.script.patience,
            leave=leave,
        )
        lessons.sweep()
        return workers.Workplace(self.jobs, lessons, tick=tick)


LEFT = 75
"""Exit code of a forked worker that left a stage; one that has a command begins anew."""


def end(stopping: bool) -> None:
    """As `workers.leave`, for a process without a command of its own."""
    os._exit(0 if stopping else LEFT)


def work_until_killed(script: Script, leave: Callable[[bool], None] = end) -> None:
    """The body of a worker process: it works until SIGTERM, or until it kills itself."""
    draw_once(script.data.parent / "drawn")
    house = House.of(script)
    place = house.workplace(leave=leave)
    signal.signal(signal.SIGTERM, lambda *_: place.stop.set())
    place.run()
    house.close()


if __name__ == "__main__":  # data folder, database, point to hold at
    folder, address, point = sys.argv[1:]
    work_until_killed(Script(Path(folder), address, hold_at=point), workers.leave)
