"""What a run tells while it is worked on: its stage, each finished stage, and what it died of.

Every write asks whether the run still is this worker's, in this attempt: of two workers that
believe to have the same run (one was stopped, or lost its database) only the later one counts.
"""

import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

import structlog
from sqlalchemy import update
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlmodel import Session, col, select

from api.columns import now
from api.jobs import Options
from api.stored_files import remove_all_unused
from api.tables import Run, RunState, Step
from observer.errors import ObserverError
from observer.job import Step as Place

if TYPE_CHECKING:
    from api.db import Database
    from api.storage import Storage

T = TypeVar("T")
PATIENCE = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0)
"""Seconds between attempts to reach a database that is away: a minute in all."""
_KEPT = (RunState.WORKING.value, RunState.DONE.value, RunState.FAILED.value)
_log = structlog.get_logger("observer.work")


class NotOurs(Exception):
    """The run was cancelled, deleted or taken over: stop, and touch nothing."""


class Stopping(Exception):
    """The worker must stop; the run goes back to the queue."""


@dataclass(frozen=True, slots=True)
class Task:
    """A run as its worker needs it, without the database."""

    run_id: str
    worker: str
    attempt: int
    title: str
    options: Options
    files: dict[str, tuple[str, str]]
    """Kind of recording → its address in storage and its name."""
    stages: dict[str, str]
    """Finished stage → address of its checkpoint."""
    progress: float
    students: tuple[str, ...] = ()
    """The class list."""


def own(session: Session, task: Task) -> Run:
    """The run, locked, if it still is this worker's in this attempt. Raises NotOurs."""
    run = session.get(Run, task.run_id, with_for_update=True, populate_existing=True)
    held = (RunState.WORKING.value, task.worker, task.attempt)
    if run is None or (run.state, run.worker, run.attempts) != held:
        raise NotOurs
    return run


def patiently(work: Callable[[], T]) -> T:
    """`work`, again and again while the database is away; at last its OperationalError."""
    for seconds in PATIENCE:
        try:
            return work()
        except OperationalError:
            time.sleep(seconds)
    return work()


class Diary:
    """What a run tells while it is worked on: progress, finished stages, and whether to go on."""

    EVERY = 1.0
    """Seconds between two writes inside a stage."""

    def __init__(
        self,
        database: "Database",
        storage: "Storage",
        task: Task,
        stages: Path,
        watched: "Watched",
    ) -> None:
        self.database = database
        self.storage = storage
        self.task = task
        self.stages = stages
        self.watched = watched
        self.stage = ""
        self.progress = task.progress
        self._last = 0.0

    def restore(self) -> None:
        """Fetch the checkpoints of earlier attempts; one that is gone is simply done again."""
        for stage, sha in self.task.stages.items():
            if self.storage.exists(sha):
                with self.storage.local(sha) as stored:
                    shutil.copyfile(stored, self.stages / f"{stage}.json")

    def on_step(self, place: Place) -> None:
        """Hears where the pipeline is. Raises NotOurs and Stopping, which end it."""
        if self.watched.stop.is_set():
            raise Stopping
        if self.watched.lost.is_set():
            raise NotOurs
        self.progress = max(self.progress, place.overall)
        if place.stage != self.stage:
            patiently(lambda: self._turn_to(place.stage))
        elif time.monotonic() - self._last >= self.EVERY:
            self._tell(place.stage)
        else:
            return
        self._last = time.monotonic()

    def close(self) -> None:
        """The pipeline has ended, and with it its last stage."""
        patiently(lambda: self._turn_to(""))

    def keep(self, stage: str) -> None:
        """A finished stage's checkpoint goes into storage, then into the run's steps."""
        sha = self.storage.put(self.stages / f"{stage}.json")
        try:
            patiently(lambda: self._write_step(stage, sha))
        except NotOurs:  # the lesson may just have been deleted: nothing of it may stay
            remove_all_unused(self.database, self.storage, {sha})
            raise

    def _turn_to(self, stage: str) -> None:
        """Write that the stage so far has ended and `stage` begins."""
        with self.database.system("a run turns to its next stage") as session:
            run = own(session, self.task)
            run.stage, run.progress = stage, self.progress
            steps = self._steps(session)
            if self.stage in steps and steps[self.stage].ended is None:
                steps[self.stage].ended = now()
            if stage and stage not in steps:
                session.add(Step(run_id=run.id, stage=stage, worker=self.task.worker))
        self.stage = stage

    def _tell(self, stage: str) -> None:
        try:
            with self.database.system("progress of a run") as session:
                run = own(session, self.task)
                run.stage, run.progress = stage, self.progress
        except OperationalError:
            _log.info("progress_untold", run=self.task.run_id)  # told at the next step

    def _write_step(self, stage: str, sha: str) -> None:
        with self.database.system("a finished stage of a run") as session:
            run = own(session, self.task)
            step = self._steps(session).get(stage) or Step(run_id=run.id, stage=stage)
            step.sha256, step.worker, step.ended = sha, self.task.worker, now()
            session.add(step)

    def _steps(self, session: Session) -> dict[str, Step]:
        found = session.exec(select(Step).where(Step.run_id == self.task.run_id))
        return {step.stage: step for step in found}


def forget_stages(database: "Database", storage: "Storage", run_id: str) -> None:
    """Remove the checkpoints of a run that is done; harmless again, and after a kill needed."""
    with database.system("checkpoints of a run that is done") as session:
        steps = session.exec(select(Step).where(Step.run_id == run_id)).all()
        held = {s.sha256 for s in steps if s.sha256 is not None}
    remove_all_unused(database, storage, held, besides=run_id)
    if held:
        with database.system("checkpoints that are gone") as session:
            session.execute(update(Step).where(col(Step.run_id) == run_id).values(sha256=None))


class Watched:
    """Looks every second whether an attempt is still wanted, whatever its stage tells.

    Once the run was cancelled, deleted or taken over, or the worker must stop, the stage has
    `GRACE` seconds to end by itself, which it does at its next progress report. Then `abandon` is
    called in the watching thread: it must end the process, for nothing else ends an engine that is
    deep in its arithmetic. It is never called once the block was left.

    What an attempt died of, when that is no known failure, is noted; the error goes on its way.
    """

    EVERY = 1.0
    GRACE = 2.0

    def __init__(
        self,
        database: "Database",
        task: Task,
        stop: threading.Event,
        abandon: Callable[[], None],
    ) -> None:
        self.database = database
        self.task = task
        self.stop = stop
        self.lost = threading.Event()
        self.abandon = abandon
        self._over = threading.Event()
        self._leaving = threading.Lock()
        self._thread = threading.Thread(target=self._watch, name="watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._leaving:
            self._over.set()
        if kind is None or issubclass(kind, ObserverError | NotOurs | Stopping):
            return
        _log.error("run_crashed", run=self.task.run_id, exc_info=(kind, error, trace))
        try:
            with self.database.system("why an attempt crashed") as session:
                own(session, self.task).error = {"class": kind.__name__}
        except (OperationalError, NotOurs):
            return

    def _watch(self) -> None:
        while not self._over.wait(self.EVERY):
            if self.stop.is_set() or self._is_lost():
                break
        if self._over.wait(self.GRACE):
            return
        with self._leaving:  # held until the process is gone, so that it takes no other run
            if not self._over.is_set():
                self.abandon()

    def _is_lost(self) -> bool:
        """Whether the run is no longer this attempt's; not known while the database is away."""
        try:
            with self.database.system("whether a run is still wanted") as session:
                found = session.exec(
                    select(Run.state, Run.worker, Run.attempts).where(Run.id == self.task.run_id)
                ).first()
        except SQLAlchemyError:
            return False
        # What this attempt itself has ended is not lost: clearing up takes a while.
        ours = (self.task.worker, self.task.attempt)
        if found is None or found[0] not in _KEPT or found[1:] != ours:
            self.lost.set()
        return self.lost.is_set()


def crashes(error: dict[str, str], attempts: int) -> dict[str, str]:
    """Why a run is set aside, in words."""
    kind = error.get("class", "")
    en = f" The last failure was {kind}." if kind else " The worker process died each time."
    zh = f"最后一次故障为 {kind}。" if kind else "每次均为处理进程异常终止。"
    return {
        "class": kind or "Crash",
        "en": f"The lesson was set aside after {attempts} crashes.{en} Look at the worker's"
        " log (memory, damaged recording), then start the run again.",
        "zh": f"处理该课时连续 {attempts} 次崩溃，已搁置。{zh}"
        "请查看处理进程的日志（内存、录音是否损坏），然后重新运行。",
    }
