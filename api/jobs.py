"""Work that outlives processes: runs are queued, taken over from dead workers, done once.

The only module that knows the job engine (DBOS). `Run` is the truth about a run, the engine is the
queue that hands it to one worker; whatever falls between the two (a process killed between two
commits, an engine that was away) is mended by the sweep of `api.workers`.
"""

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import structlog
from dbos import DBOS, DBOSClient, DBOSConfig, DBOSPortableJSONSerializer, EnqueueOptions
from sqlalchemy import event, func, make_url, or_, update
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, col, select

from api.columns import now
from api.tables import ENDS, Batch, Lesson, Run, RunState, Step, Worker

if TYPE_CHECKING:
    from api.access import Actor
    from api.db import Database
    from api.settings import ServiceSettings
    from api.storage import Storage

APPLICATION = "observer"
VERSION = "1"
"""Of the workflow; pinned, because the engine ignores runs queued under another version."""
QUEUE = "lessons"
WORKFLOW = "observe_lesson"
INTERACTIVE = 10
IN_BATCH = 100
OPEN = (RunState.QUEUED.value, RunState.WORKING.value)
_ALIVE = frozenset({"ENQUEUED", "PENDING", "DELAYED"})
_log = structlog.get_logger("observer.jobs")
logging.getLogger("dbos").setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True)
class Options:
    """How a lesson is to be observed; the defaults are those of `observer observe`."""

    language: str | None = None
    """Language spoken; None: the lesson's, or found by the recogniser."""
    asr: str = "auto"
    model: str | None = None
    diarizer: str = "ge2e"
    device: str = "auto"
    """auto: the device of the worker that takes the run."""
    report_language: Literal["zh", "en"] = "zh"
    seed: int = 0

    @classmethod
    def of(cls, stored: dict[str, Any]) -> "Options":
        """From `Run.options`; what an older or newer version wrote and this one lacks is left."""
        known = {f.name for f in fields(cls)}
        return cls(**{name: value for name, value in stored.items() if name in known})


@dataclass(frozen=True, slots=True)
class WorkerState:
    """A worker as the administrator sees it."""

    id: str
    host: str
    device: str
    started: datetime
    seen: datetime
    run_id: str | None
    """What it works on; None: it waits."""


class Jobs:
    """The queue of runs as web pages and commands use it; it does no work itself."""

    def __init__(
        self, settings: "ServiceSettings", database: "Database", storage: "Storage"
    ) -> None:
        self.settings = settings
        self.database = database
        self.storage = storage
        self.url = settings.job_database_url
        self._lock = threading.Lock()
        self._known: DBOSClient | None = None

    def prepare(self, *, polling: float = 0.5) -> None:
        """Make or upgrade the engine's tables and its queue; once at start, harmless again.

        `polling`: seconds between a worker's looks at the queue.
        """
        if self.url.startswith("sqlite"):
            _use_wal(self.url)
        DBOS.migrate(self.url)
        self.client.register_queue(
            QUEUE, worker_concurrency=1, polling_interval_sec=polling, application_name=APPLICATION
        )

    @property
    def client(self) -> DBOSClient:
        """The engine's client; it connects when first used."""
        with self._lock:
            if self._known is None:
                self._known = DBOSClient(
                    system_database_url=self.url,
                    serializer=DBOSPortableJSONSerializer(),
                    application_name=APPLICATION,
                    system_database_pool_size=2,
                    retry_connection_errors=False,
                    lazy=True,
                )
            return self._known

    def close(self) -> None:
        """Let go of the engine's connections."""
        with self._lock:
            known, self._known = self._known, None
        if known is not None:
            known.destroy()

    # -- ordering ------------------------------------------------------------------------

    def order(
        self,
        session: Session,
        lesson: Lesson,
        *,
        options: Options | None = None,
        priority: int = INTERACTIVE,
        batch: Batch | None = None,
        by: "Actor | None" = None,
    ) -> Run:
        """A new run of the lesson; it is queued when the session commits, and only then."""
        options = options or Options(language=lesson.language)
        run = Run(
            lesson_id=lesson.id,
            batch_id=batch.id if batch else None,
            ordered_by=by.user_id if by else None,
            options=asdict(options),
            priority=priority,
        )
        session.add(run)
        session.flush()
        self._after_commit(session, ("enqueue", run.id, run.priority))
        return run

    def cancel(self, session: Session, run: Run) -> None:
        """Stop a run: at once when it waits, within seconds when a worker has it.

        A run that has ended stays as it ended, even when it ends while this is asked.
        """
        ended = {"state": RunState.CANCELLED.value, "ended": now()}
        session.execute(
            update(Run).where(col(Run.id) == run.id, col(Run.state).in_(OPEN)).values(**ended)
        )
        session.refresh(run)
        if run.state == RunState.CANCELLED:
            self._after_commit(session, ("cancel", run.id, 0))

    def forget(self, run_id: str) -> None:
        """Remove what the engine keeps of a run whose lesson was deleted. Raises SQLAlchemyError
        while the engine's database is away."""
        self.client.delete_workflow(run_id)

    def retry(self, session: Session, run: Run) -> Run:
        """A new run like an ended one, which goes on from the stages that were finished.

        A run that has not ended comes back as it is.
        """
        if run.state not in ENDS:
            return run
        again = Run(
            lesson_id=run.lesson_id,
            batch_id=run.batch_id,
            ordered_by=run.ordered_by,
            options=run.options,
            priority=run.priority,
        )
        session.add(again)
        session.flush()
        for step in session.exec(select(Step).where(Step.run_id == run.id)):
            if step.sha256 is not None:
                kept = step.model_dump(exclude={"id", "run_id"})
                session.add(Step(run_id=again.id, **kept))
        self._after_commit(session, ("enqueue", again.id, again.priority))
        return again

    def queue_place(self, session: Session, run: Run) -> int:  # noqa: ARG002
        """How many waiting runs come before this one, plus one; 0 when it does not wait.

        Counts runs that the asker may not see, so it counts in a session of its own.
        """
        if run.state != RunState.QUEUED:
            return 0
        sooner = or_(
            col(Run.priority) < run.priority,
            (col(Run.priority) == run.priority) & (col(Run.created) < run.created),
        )
        with self.database.system("place in the queue") as system:
            waiting = select(func.count()).select_from(Run).where(Run.state == RunState.QUEUED)
            return system.exec(waiting.where(sooner)).one() + 1

    def workers(self) -> list[WorkerState]:
        """The workers that were seen of late, and what each works on."""
        with self.database.system("list of workers") as session:
            busy = select(Run).where(Run.state == RunState.WORKING)
            runs = {run.worker: run.id for run in session.exec(busy)}
            rows = session.exec(select(Worker).order_by(col(Worker.started)))
            return [
                WorkerState(w.id, w.host, w.device, w.started, w.seen, runs.get(w.id)) for w in rows
            ]

    # -- the engine ----------------------------------------------------------------------

    def enqueue(self, run_id: str, priority: int) -> None:
        """Hand a run to the engine; one that it has already stays as it is."""
        options: EnqueueOptions = {
            "workflow_name": WORKFLOW,
            "queue_name": QUEUE,
            "workflow_id": run_id,
            "app_version": VERSION,
            "priority": priority,
        }
        self.client.enqueue(options, run_id)

    def requeue(self, run_id: str, priority: int) -> None:
        """Hand a run to the engine anew, whatever became of it there."""
        self.client.delete_workflow(run_id)
        self.enqueue(run_id, priority)

    def mend(self) -> int:
        """Queue every open run that the engine does not have, or has given up; how many."""
        with self.database.system("runs that never reached the queue") as session:
            rows = session.exec(select(Run.id, Run.priority).where(col(Run.state).in_(OPEN))).all()
        found = self._states([run_id for run_id, _ in rows])
        lost = [row for row in rows if found.get(row[0]) not in _ALIVE]
        for run_id, priority in lost:
            self.requeue(run_id, priority) if run_id in found else self.enqueue(run_id, priority)
        return len(lost)

    def held_by(self) -> dict[str, list[str]]:
        """Worker → the runs that the engine believes to be with it."""
        held: dict[str, list[str]] = {}
        for found in self.client.list_workflows(
            status="PENDING", name=WORKFLOW, load_input=False, load_output=False
        ):
            if found.executor_id is not None:
                held.setdefault(found.executor_id, []).append(found.workflow_id)
        return held

    def take_over(self, run_id: str) -> None:
        """Queue a dead worker's run again; the caller holds the dead worker's lock."""
        # Not the engine's own recovery: that goes round the queue and its one at a time.
        self.client.resume_workflow(run_id, queue_name=QUEUE)

    @contextmanager
    def working(self, name: str, observe: Callable[[str], bool]) -> Iterator[None]:
        """Runs of the queue come to `observe`, one at a time, while the block lasts.

        Leaving it waits for the one under way. `name` must never have been used before: the
        engine would hand its namesake's runs out beside the queue, two on one GPU.
        """
        config: DBOSConfig = {
            "name": APPLICATION,
            "system_database_url": self.url,
            "application_version": VERSION,
            "executor_id": name,
            "serializer": DBOSPortableJSONSerializer(),
            "sys_db_pool_size": 4,
            "log_level": "WARNING",
            "run_migrations": False,
        }
        DBOS(config=config)

        # Attempts are counted in `Run`, where they survive the change of worker.
        @DBOS.workflow(name=WORKFLOW, max_recovery_attempts=None)
        def handed_out(run_id: str) -> bool:
            return observe(run_id)

        DBOS.listen_queues([QUEUE])
        DBOS.launch()
        try:
            yield
        finally:
            DBOS.destroy(workflow_completion_timeout_sec=60, destroy_registry=True)

    def _states(self, run_ids: list[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for first in range(0, len(run_ids), 500):
            for state in self.client.list_workflows(
                workflow_ids=run_ids[first : first + 500], load_input=False, load_output=False
            ):
                found[state.workflow_id] = state.status
        return found

    def _after_commit(self, session: Session, told: tuple[str, str, int]) -> None:
        """Tell the engine when, and only when, the session commits."""
        if "jobs.told" not in session.info:
            session.info["jobs.told"] = []
            event.listen(session, "after_commit", self._tell)
            event.listen(session, "after_rollback", lambda s: s.info["jobs.told"].clear())
        session.info["jobs.told"].append(told)

    def _tell(self, session: Session) -> None:
        told, session.info["jobs.told"] = session.info["jobs.told"], []
        for what, run_id, priority in told:
            try:
                if what == "enqueue":
                    self.enqueue(run_id, priority)
                else:
                    self.client.cancel_workflow(run_id)
            except SQLAlchemyError as error:
                # The run is in the database: a worker's sweep queues it when the engine is back.
                _log.warning("engine_away", run=run_id, what=what, error=type(error).__name__)


def _use_wal(url: str) -> None:
    """DBOS leaves SQLite's journal as it is; with WAL readers and the writer do not wait."""
    file = make_url(url).database
    if file:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        with sqlite3.connect(file, timeout=30) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
        connection.close()
