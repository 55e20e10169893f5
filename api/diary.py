"""What a run tells while it is worked on: its stage, its progress, and each finished stage.

Every write asks whether the run still is this worker's, in this attempt: of two workers that
believe to have the same run (one was stopped, or lost its database) only the later one counts.
"""

import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import structlog
from sqlalchemy.exc import OperationalError
from sqlmodel import Session, col, select

from api.columns import now
from api.jobs import Options
from api.tables import Run, RunState, Step
from observer.job import Step as Place

if TYPE_CHECKING:
    from api.db import Database
    from api.storage import Storage

T = TypeVar("T")
PATIENCE = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0)
"""Seconds between attempts to reach a database that is away: a minute in all."""
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
        stop: threading.Event,
    ) -> None:
        self.database = database
        self.storage = storage
        self.task = task
        self.stages = stages
        self.stop = stop
        self.stage = ""
        self.progress = task.progress
        self._kept: dict[str, tuple[int, int]] = {}
        self._last = 0.0

    def restore(self) -> None:
        """Fetch the checkpoints of earlier attempts; one that is gone is simply done again."""
        for stage, sha in self.task.stages.items():
            if self.storage.exists(sha):
                file = self.stages / f"{stage}.json"
                with self.storage.local(sha) as stored:
                    shutil.copyfile(stored, file)
                self._kept[stage] = _stamp(file)

    def on_step(self, place: Place) -> None:
        """Hears where the pipeline is. Raises NotOurs and Stopping, which end it."""
        if self.stop.is_set():
            patiently(self._keep_stages)
            raise Stopping
        self.progress = max(self.progress, place.overall)
        if place.stage != self.stage:
            patiently(lambda: self._turn_to(place.stage))
        elif time.monotonic() - self._last >= self.EVERY:
            self._tell(place.stage)
        else:
            return
        self._last = time.monotonic()

    def close(self) -> None:
        """The pipeline has ended: keep what its last stages left."""
        patiently(lambda: self._turn_to(""))

    def forget(self) -> None:
        """The run is done: its checkpoints go, unless another run counts on one."""
        with self.database.system("checkpoints of a run that is done") as session:
            steps = session.exec(select(Step).where(Step.run_id == self.task.run_id)).all()
            held = {s.sha256 for s in steps if s.sha256 is not None}
            for step in steps:
                step.sha256 = None
            session.flush()
            used = set(session.exec(select(Step.sha256).where(col(Step.sha256).in_(held))))
        for sha in held - used:
            self.storage.delete(sha)

    def _turn_to(self, stage: str) -> None:
        """Write that the stage so far has ended and `stage` begins; keep new checkpoints."""
        self._keep_stages()
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

    def _keep_stages(self) -> None:
        """Put new checkpoints into storage, then into the run's steps."""
        new = {f.stem: f for f in sorted(self.stages.glob("*.json")) if self._is_new(f)}
        if not new:
            return
        put = {stage: self.storage.put(file) for stage, file in new.items()}
        self._write_steps(put)
        self._kept |= {stage: _stamp(file) for stage, file in new.items()}

    def _write_steps(self, put: dict[str, str]) -> None:
        with self.database.system("finished stages of a run") as session:
            run = own(session, self.task)
            steps = self._steps(session)
            for stage, sha in put.items():
                step = steps.get(stage) or Step(run_id=run.id, stage=stage)
                step.sha256, step.worker = sha, self.task.worker
                step.ended = now()
                session.add(step)

    def _steps(self, session: Session) -> dict[str, Step]:
        found = session.exec(select(Step).where(Step.run_id == self.task.run_id))
        return {step.stage: step for step in found}

    def _is_new(self, file: Path) -> bool:
        return self._kept.get(file.stem) != _stamp(file)


def _stamp(file: Path) -> tuple[int, int]:
    state = file.stat()
    return state.st_mtime_ns, state.st_size
