"""Processes that a command keeps going: workers, and the web processes beside them."""

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

_log = logging.getLogger("observer.serve")
HEALTHY = 60.0
"""Seconds after which a process that then dies is started again at once."""
LONGEST_PAUSE = 60.0
GRACE = 75.0
"""Seconds that a worker has to give its run back before it is killed."""


def worker_commands(number: int, device: str) -> list[list[str]]:
    """Commands of so many workers that end with this process."""
    me = [sys.executable, "-m", "api.cli", "work", "--device", device]
    return [[*me, "--parent", str(os.getpid())]] * number


@dataclass(slots=True)
class _Post:
    """One worker's place: its process, and when it may be filled again."""

    command: Sequence[str]
    process: "subprocess.Popen[bytes] | None" = None
    started: float = 0.0
    failures: int = 0
    not_before: float = field(default=0.0)


class Workhouse:
    """Keeps processes going: a dead one is started again, after a pause that grows.

    `doors` are sockets that they inherit.
    """

    TICK = 0.5

    def __init__(
        self,
        commands: Sequence[Sequence[str]],
        clock: Callable[[], float] = time.monotonic,
        doors: Sequence[int] = (),
    ) -> None:
        self.doors = doors
        self.posts = [_Post(command) for command in commands]
        self.clock = clock
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._mind, name="workhouse", daemon=True)

    def __enter__(self) -> "Workhouse":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._end.set()
        self._thread.join()
        for post in self.posts:
            if post.process is not None:
                post.process.terminate()
        until = self.clock() + GRACE
        for post in self.posts:
            if post.process is not None:
                _see_out(post.process, until - self.clock())

    def wait(self) -> None:
        """Until Ctrl-C or SIGTERM."""
        while not self._end.wait(1.0):
            pass

    def _mind(self) -> None:
        while not self._end.is_set():
            for post in self.posts:
                self._look_after(post)
            self._end.wait(self.TICK)

    def _look_after(self, post: _Post) -> None:
        moment = self.clock()
        if post.process is not None and (code := post.process.poll()) is not None:
            post.failures = 0 if moment - post.started > HEALTHY else post.failures + 1
            pause = min(LONGEST_PAUSE, 2.0 ** (post.failures - 1)) if post.failures else 0.0
            post.not_before, post.process = moment + pause, None
            _log.warning("A process ended with code %s; started again in %.0f s", code, pause)
        if post.process is None and moment >= post.not_before:
            post.process = subprocess.Popen(post.command, pass_fds=self.doors)
            post.started = moment


def _see_out(process: "subprocess.Popen[bytes]", seconds: float) -> None:
    try:
        process.wait(max(0.1, seconds))
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
