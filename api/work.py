"""What a worker does with a run: fetch the files, observe, keep each stage, write the result once.

Finished stages go to storage as they finish, so that any worker goes on from there. The folder
in which a run is worked on holds the decoded sound of children: it is removed at every end, and
`sweep` removes what a killed worker left.
"""

import shutil
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from sqlmodel import Session, col, delete, select

from api.audit import record
from api.batch import RECORDINGS, TRANSCRIPTS
from api.columns import now
from api.compose import EngineNames, Loaded, build
from api.diary import (
    Diary,
    NotOurs,
    Stopping,
    Task,
    Watched,
    crashes,
    forget_stages,
    own,
    patiently,
)
from api.jobs import Options
from api.masking import class_list
from api.outputs import PLAYABLE
from api.settings import Environment
from api.storage import StorageAway
from api.stored_files import remove_all_unused
from api.tables import Figure, Lesson, Recording, Run, RunState, Step
from api.workers import leave
from models.hot_words import title_words
from observer.checkpoints import Checkpoints
from observer.errors import MissingRecording, ObserverError
from observer.job import Engines, Settings, Source
from observer.observation import Observation
from observer.pipeline import observe

if TYPE_CHECKING:
    from api.db import Database
    from api.storage import Storage

MAX_ATTEMPTS = 3
"""A run that took so many workers down with it is set aside."""
Build = Callable[..., Engines]
_log = structlog.get_logger("observer.work")


class LessonWork:
    """The work of one worker process; `build` is the composition root."""

    def __init__(
        self,
        database: "Database",
        storage: "Storage",
        folder: Path,
        environment: Environment,
        *,
        device: str = "auto",
        build: Build = build,
        max_attempts: int = MAX_ATTEMPTS,
        leave: Callable[[bool], None] = leave,
    ) -> None:
        self.database = database
        self.storage = storage
        self.folder = folder
        self.environment = environment
        self.device = device
        self.build = build
        self.max_attempts = max_attempts
        self.leave = leave
        self._loaded = Loaded()
        self._one = threading.Lock()

    def __call__(self, run_id: str, worker: str, stop: threading.Event) -> bool:
        """Do a run to its end; False when it went back to the queue because of `stop`."""
        # The job engine hands out the next run as soon as it knows that one was cancelled, while
        # that one's stage may still be at work with the same engines.
        with self._one:
            return False if stop.is_set() else self._do(run_id, worker, stop)

    def _do(self, run_id: str, worker: str, stop: threading.Event) -> bool:
        task = patiently(lambda: self._claim(run_id, worker))
        patiently(self.sweep)
        if task is None:
            # Perhaps its worker died between writing the result and clearing up.
            patiently(lambda: self._clear_up(run_id))
            return True
        place = self.folder / f"{task.run_id}.{task.attempt}"
        try:
            with Watched(
                self.database, task, stop, lambda: self._abandon(task, place, stop)
            ) as watched:
                self._observe(task, place, watched)
        except NotOurs:
            _log.info("run_left", run=run_id)
        except (Stopping, StorageAway) as reason:
            if isinstance(reason, StorageAway):  # nothing is wrong with the lesson: it waits
                _log.error("storage_away", run=run_id, said=reason.en)
            patiently(lambda: self._give_back(task))
            return False
        except ObserverError as error:
            told = {"class": type(error).__name__, "en": error.en, "zh": error.zh}
            patiently(lambda: self._fail(task, told))
        finally:
            shutil.rmtree(place, ignore_errors=True)
        return True

    def sweep(self) -> None:
        """Remove the folders of runs that nobody works on: what killed workers left."""
        with self.database.system("folders of dead workers") as session:
            working = select(Run.id, Run.attempts).where(Run.state == RunState.WORKING)
            kept = {f"{run_id}.{attempt}" for run_id, attempt in session.exec(working)}
        for place in self.folder.glob("*.*"):
            if place.name not in kept:
                shutil.rmtree(place, ignore_errors=True)

    # -- the run's life ------------------------------------------------------------------

    def _claim(self, run_id: str, worker: str) -> Task | None:
        """Take the run; None when it has ended, is gone, or has crashed too often."""
        with self.database.system("a worker takes a run") as session:
            run = session.get(Run, run_id, with_for_update=True)
            if run is None or run.state not in (RunState.QUEUED, RunState.WORKING):
                return None
            lesson = session.get_one(Lesson, run.lesson_id)
            if run.attempts >= self.max_attempts:
                run.state, run.ended = RunState.SET_ASIDE.value, now()
                run.error = crashes(run.error, self.max_attempts)
                record(session, "run.set_aside", object_id=run.id, lesson=lesson)
                return None
            run.state, run.worker, run.started = RunState.WORKING.value, worker, now()
            run.attempts += 1
            files = session.exec(select(Recording).where(Recording.lesson_id == lesson.id))
            steps = session.exec(select(Step).where(Step.run_id == run.id))
            return Task(
                run.id,
                worker,
                run.attempts,
                lesson.title,
                Options.of(run.options),
                {f.kind: (f.sha256, f.name) for f in files},
                {s.stage: s.sha256 for s in steps if s.sha256 is not None},
                run.progress,
                class_list(lesson.students),
            )

    def _give_back(self, task: Task) -> None:
        with self.database.system("a stopping worker gives a run back") as session:
            try:
                run = own(session, task)
            except NotOurs:
                return
            run.state, run.worker = RunState.QUEUED.value, ""
            run.attempts -= 1  # nothing crashed

    def _abandon(self, task: Task, place: Path, stop: threading.Event) -> None:
        """End the process in mid-stage: the run is not wanted, and the stage does not hear."""
        _log.warning("stage_abandoned", run=task.run_id, worker=task.worker)
        try:
            if stop.is_set():
                patiently(lambda: self._give_back(task))
        finally:
            shutil.rmtree(place, ignore_errors=True)  # what is written after this is swept
            self.leave(stop.is_set())

    def _fail(self, task: Task, told: dict[str, str]) -> None:
        with self.database.system("a run has failed") as session:
            try:
                run = own(session, task)
            except NotOurs:
                return
            run.state, run.ended, run.error = RunState.FAILED.value, now(), told
            lesson = session.get_one(Lesson, run.lesson_id)
            record(session, "run.fail", object_id=run.id, lesson=lesson)

    def _finish(self, task: Task, observation: Observation, artefacts: dict[str, str]) -> None:
        """State, figures, artefacts and length in one transaction: all of it once, or nothing."""
        with self.database.system("a run is done") as session:
            run = own(session, task)
            run.state, run.ended, run.progress = RunState.DONE.value, now(), 1.0
            run.stage, run.error, run.artefacts = "", {}, artefacts
            lesson = session.get_one(Lesson, run.lesson_id)
            _write_figures(session, run, observation)
            if observation.recording is not None:
                media = session.exec(
                    select(Recording).where(
                        Recording.lesson_id == lesson.id, Recording.kind == "recording"
                    )
                ).one()
                media.duration = observation.recording.duration
            record(session, "run.finish", object_id=run.id, lesson=lesson)

    def _clear_up(self, run_id: str) -> None:
        """A run that is done needs its checkpoints no more; others keep them for a retry."""
        with self.database.system("whether a run is done") as session:
            run = session.get(Run, run_id)
            done = run is not None and run.state == RunState.DONE
        if done:
            forget_stages(self.database, self.storage, run_id)

    # -- observing -----------------------------------------------------------------------

    def _observe(self, task: Task, place: Path, watched: Watched) -> None:
        stages = place / "stages"
        stages.mkdir(parents=True, exist_ok=True, mode=0o700)
        diary = Diary(self.database, self.storage, task, stages, watched)
        diary.restore()
        with ExitStack() as stack:
            source = self._source(task, place, stack)
            sound = place / "sound.opus" if _needs_sound(source) else None
            settings = Settings(
                language=_spoken(task.options),
                report_language=task.options.report_language,
                seed=task.options.seed,
            )
            engines = self._engines_for(task, source)
            kept = Checkpoints(stages, diary.keep)
            observation = observe(source, engines, settings, kept, diary.on_step, sound)
        if observation.recording is not None:
            named = replace(observation.recording, name=task.files["recording"][1])
            observation = replace(observation, recording=named)
        document = place / "observation.json"
        document.write_text(observation.to_json(), encoding="utf-8")
        artefacts = {"observation.json": self.storage.put(document)}
        if sound is not None:
            artefacts["sound.opus"] = self.storage.put(sound)
        from api.kept_pages import keep_pages  # loads the charts' library

        medium = "media" if "recording" in task.files else None
        played = medium if sound is None else sound.name
        artefacts |= keep_pages(observation, played, task.students, place, self.storage)
        diary.close()
        try:
            patiently(lambda: self._finish(task, observation, artefacts))
        except NotOurs:  # the lesson may just have been deleted: nothing of it may stay
            remove_all_unused(self.database, self.storage, set(artefacts.values()))
            raise
        patiently(lambda: self._clear_up(task.run_id))

    def _source(self, task: Task, place: Path, stack: ExitStack) -> Source:
        """The lesson's files under names of ours that keep the kind told by their suffix."""
        found: dict[str, Path] = {}
        for kind, (sha, name) in task.files.items():
            suffix = Path(name).suffix.lower()
            known = suffix if suffix in RECORDINGS | TRANSCRIPTS else ""
            link = place / f"{kind}{known}"
            link.symlink_to(stack.enter_context(self.storage.local(sha)).absolute())
            found[kind] = link
        if not {"recording", "transcript"} & found.keys():
            raise MissingRecording(
                en="The lesson has neither a recording nor a transcript: upload one.",
                zh="这节课既没有录音（录像）也没有转写文本，请先上传。",
            )
        recording = found.get("recording")
        return Source(recording, found.get("transcript"), found.get("voice") if recording else None)

    def _engines_for(self, task: Task, source: Source) -> Engines:
        """The engines; those of the runs before where they are the same: weights stay loaded."""
        options = task.options
        names = EngineNames(
            asr=options.asr,
            model=options.model,
            device=self.device if options.device == "auto" else options.device,
            diarizer=options.diarizer,
            threads=self.environment.threads,
            hot_words=title_words(task.title),
        )
        return self.build(
            names,
            language=_spoken(options),
            report_language=options.report_language,
            weights=self.environment.weights,
            has_transcript=source.transcript is not None,
            loaded=self._loaded,
        )


def _write_figures(session: Session, run: Run, observation: Observation) -> None:
    """The lesson's figures become those of this run, unless a newer run has finished before."""
    newer = select(Run.id).where(
        Run.lesson_id == run.lesson_id, Run.state == RunState.DONE, Run.created > run.created
    )
    if session.exec(newer).first() is not None:
        return
    session.exec(delete(Figure).where(col(Figure.lesson_id) == run.lesson_id))
    for item in observation.indicators:
        figure = Figure(run_id=run.id, lesson_id=run.lesson_id, name=item.name, unit=item.unit)
        figure.value, figure.low, figure.high, figure.n = item.value, item.low, item.high, item.n
        session.add(figure)


def _spoken(options: Options) -> str | None:
    return None if options.language in (None, "auto") else options.language


def _needs_sound(source: Source) -> bool:
    recording = source.recording
    return recording is not None and recording.suffix.lower() not in PLAYABLE
