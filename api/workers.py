"""A worker process: takes runs from the queue one at a time, and minds its fellows.

The job engine by itself leaves the runs of a dead worker pending for ever. Here each worker holds
a lock of its own name; whoever can take that lock knows that its holder is dead and queues its
runs again. No clock is trusted: a worker that is slow or was stopped keeps its lock, and one that
lost it is fenced off by `Run.worker` and `Run.attempts` (see `api.work`).
"""

import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NoReturn
from uuid import uuid4

import psycopg
import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import select

from api.columns import now
from api.jobs import Jobs
from api.locks import locks_of
from api.tables import Worker
from api.webhooks import Messenger

Work = Callable[[str, str, threading.Event], bool]
"""Do a run: its id, the worker's name, and what is set when the worker must stop. False: the run
was given back and must be queued again."""
_log = structlog.get_logger("observer.workers")


class Workplace:
    """One worker process."""

    TICK = 2.0
    """Seconds between two looks for dead workers."""

    def __init__(self, jobs: Jobs, work: Work, *, device: str = "auto", tick: float = TICK) -> None:
        self.jobs = jobs
        self.work = work
        self.device = device
        self.tick = tick
        self.host = socket.gethostname()
        self.name = f"{self.host}-{os.getpid()}-{uuid4().hex[:8]}"
        self.stop = threading.Event()
        self.locks = locks_of(jobs.url, jobs.settings.data / "locks")
        self._given_back = False

    def run(self) -> None:
        """Work until `stop` is set; a run that is under way then goes back to the queue."""
        self.jobs.prepare(polling=self.tick / 4)
        self.locks.take(self.name)
        try:
            self._report()
            messenger = Messenger(self.jobs, every=5 * self.tick)
            with messenger, self.jobs.working(self.name, self._observe):
                self._mind()
            if self._given_back:
                self._mend()  # queues them again, at their own priority
            self._strike_off(self.name)
        finally:
            self.locks.close()

    def _observe(self, run_id: str) -> bool:
        done = self.work(run_id, self.name, self.stop)
        if not done:
            self._given_back = True
        return done

    def _mind(self) -> None:
        """Look around at every tick; a database that is away is looked at again at the next."""
        ticks = 0
        while not self.stop.wait(self.tick):
            try:
                self.locks.take(self.name)  # anew, when its connection was lost
                self._report()
                for dead in self._dead():
                    self._take_over(dead)
                if ticks % 5 == 0:
                    self._mend()
            except (SQLAlchemyError, psycopg.Error) as error:
                _log.warning("sweep_failed", worker=self.name, error=type(error).__name__)
            ticks += 1

    def _report(self) -> None:
        with self.jobs.database.system("a worker reports") as session:
            row = session.get(Worker, self.name)
            if row is None:
                row = Worker(id=self.name, host=self.host, device=self.device)
            row.seen = now()
            session.add(row)

    def _dead(self) -> Iterator[str]:
        """Names whose locks are free; each is held by us while it is looked after."""
        with self.jobs.database.system("workers that may be dead") as session:
            names = set(session.exec(select(Worker.id)).all())
        for name in sorted((names | set(self.jobs.held_by())) - {self.name}):
            if self.locks.take(name):
                try:
                    yield name
                finally:
                    self.locks.release(name)

    def _take_over(self, dead: str) -> None:
        """Queue a dead worker's runs again; asked for under its lock, so nobody else does."""
        for run_id in self.jobs.held_by().get(dead, []):
            self.jobs.take_over(run_id)
            _log.warning("taken_over", run=run_id, dead=dead, worker=self.name)
        self._strike_off(dead)

    def _strike_off(self, name: str) -> None:
        with self.jobs.database.system("a worker is struck off") as session:
            if (row := session.get(Worker, name)) is not None:
                session.delete(row)

    def _mend(self) -> None:
        if self.locks.take("mending"):
            try:
                if number := self.jobs.mend():
                    _log.warning("mended", runs=number, worker=self.name)
            finally:
                self.locks.release("mending")


def leave(stopping: bool) -> NoReturn:
    """End this process although one of its threads is deep in an engine; unless it is `stopping`,
    a fresh one takes its place.

    The fresh one has the same process id and command, so that neither `observer serve` nor
    systemd counts a crash or makes a pause. Locks, connections and the GPU's memory go with the
    old one's open files; the engines are loaded anew for the next lesson, which is the price.
    """
    with suppress(OSError):  # nobody may be reading any more
        sys.stdout.flush()
    if stopping:
        os._exit(0)
    for handle in Path("/dev/fd").iterdir():
        if int(handle.name) > 2:
            with suppress(OSError):  # the listing's own handle is closed by now
                os.set_inheritable(int(handle.name), False)
    try:
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
    finally:
        os._exit(1)  # Python itself is gone: whoever minds the workers starts another
