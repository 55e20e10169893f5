"""`observer serve`, `work` and `batch`: real processes, killed and stopped."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest
from rich.console import Console
from sqlmodel import select

from api.batch_cli import batch_of, look, person, take_in, try_again, watch
from api.batch_table import Seen, pace, summary
from api.columns import now
from api.db import Database
from api.manifest import read_manifest
from api.tables import Worker
from api.workhouse import Workhouse
from observer.errors import EngineError, UsageError
from tests.media_files import beeps, write_media
from tests.scripted_worker import Script
from tests.upload_service import Installation, install


def until(what: Callable[[], object], seconds: float = 60) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.1)


# -- who starts workers again ------------------------------------------------------------------


def test_a_worker_that_dies_at_once_is_started_again_after_pauses_that_grow() -> None:
    clock = [0.0]
    house = Workhouse([[sys.executable, "-c", "raise SystemExit(1)"]], clock=lambda: clock[0])
    post = house.posts[0]
    pauses = []
    for _ in range(8):
        house._look_after(post)
        assert post.process is not None
        post.process.wait()
        house._look_after(post)  # notices the end, and waits
        pauses.append(post.not_before - clock[0])
        clock[0] = post.not_before
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]


def test_a_worker_that_worked_for_a_minute_is_started_again_at_once() -> None:
    clock = [0.0]
    house = Workhouse([[sys.executable, "-c", ""]], clock=lambda: clock[0])
    post = house.posts[0]
    house._look_after(post)
    first = post.process
    assert first is not None
    first.wait()
    clock[0] = 61.0
    house._look_after(post)
    assert post.process not in (None, first)
    assert post.process is not None
    post.process.wait()


def test_leaving_the_house_ends_the_workers() -> None:
    with Workhouse([[sys.executable, "-c", "import time; time.sleep(600)"]] * 2) as house:
        until(lambda: all(post.process is not None for post in house.posts))
    assert [p.process.returncode for p in house.posts if p.process] == [-signal.SIGTERM] * 2


# -- the whole service -------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def service(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], str, Path]]:
    """`observer serve` with one worker in an empty folder; its process, address and log."""
    port, log = free_port(), tmp_path / "log.txt"
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("OBSERVER_")},
        "OBSERVER_DATA": str(tmp_path / "data"),
        "LANG": "en_US.UTF-8",
    }
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "api.cli", "serve", "--port", str(port)],
            env=environment,
            stdout=out,
            stderr=out,
        )
    yield process, f"http://127.0.0.1:{port}", log
    if process.poll() is None:
        process.terminate()
        process.wait(90)


def workers(data: Path) -> dict[str, int]:
    """Workers that report: name → process."""
    database = Database(f"sqlite:///{data / 'observer.sqlite'}")
    with database.system("test") as session:
        names = session.exec(select(Worker.id)).all()
    database.close()
    return {name: int(name.rsplit("-", 2)[1]) for name in names}


def alive(process: int) -> bool:
    return (
        Path(f"/proc/{process}/cmdline").exists()
        and b"work" in Path(f"/proc/{process}/cmdline").read_bytes()
    )


def answers(address: str) -> bool:
    try:
        return httpx2.get(address + "/sign-in").status_code == 200
    except httpx2.TransportError:
        return False


def test_the_service_starts_replaces_a_killed_worker_and_is_outlived_by_none(
    service: tuple[subprocess.Popen[bytes], str, Path], tmp_path: Path
) -> None:
    process, address, log = service
    until(lambda: answers(address), 120)
    told = log.read_text()
    link = re.search(r"http://127\.0\.0\.1:\d+/\S+", told)
    assert link is not None
    assert link[0].startswith(address), "the link leads to where the service listens"
    assert httpx2.get(link[0]).status_code == 200

    until(lambda: workers(tmp_path / "data"), 120)
    ((first, its_process),) = workers(tmp_path / "data").items()
    os.kill(its_process, signal.SIGKILL)
    until(lambda: set(workers(tmp_path / "data")) - {first}, 120)
    until(lambda: first not in workers(tmp_path / "data"))  # struck off by its successor

    ((_, successor),) = workers(tmp_path / "data").items()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    until(lambda: not alive(successor))


def test_stopped_by_its_supervisor_the_service_ends_well_and_takes_its_workers_along(
    service: tuple[subprocess.Popen[bytes], str, Path], tmp_path: Path
) -> None:
    process, address, _ = service
    until(lambda: answers(address) and workers(tmp_path / "data"), 120)
    (worker,) = workers(tmp_path / "data").values()
    process.terminate()
    assert process.wait(90) == 0  # what systemd takes for a proper end
    assert not alive(worker)
    assert workers(tmp_path / "data") == {}


def children(process: int) -> list[int]:
    """Processes that answer requests for `process`."""
    threads = Path(f"/proc/{process}/task").glob("*/children")
    listed = [p for thread in threads for p in thread.read_text().split()]
    return [int(p) for p in listed if b"answer" in Path(f"/proc/{p}/cmdline").read_bytes()]


def test_two_web_processes_share_a_door_count_together_and_replace_each_other(
    service: tuple[subprocess.Popen[bytes], str, Path],
) -> None:
    process, address, _ = service
    until(lambda: answers(address), 120)
    until(lambda: len(children(process.pid)) == 2, 120)
    for _ in range(12):  # a connection each: either may take it
        assert httpx2.get(f"{address}/health/live").status_code == 200
    counted = re.findall(
        r'observer_requests_total\{method="GET",route="/health/live",status="200"\} (\S+)',
        httpx2.get(f"{address}/metrics").text,
    )
    assert counted == ["12.0"], "both processes are told as one"

    first, second = children(process.pid)
    os.kill(first, signal.SIGKILL)
    for _ in range(10):
        assert answers(address), "the other one answers meanwhile"
    until(lambda: len(set(children(process.pid)) - {first, second}) == 1, 120)

    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    until(lambda: not Path(f"/proc/{second}").exists(), 20)
    until(lambda: not answers(address), 20)


def test_a_port_that_is_taken_is_told_with_what_to_do(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-m", "api.cli", "serve", "--no-worker", "--port", port],
            env={**os.environ, "OBSERVER_DATA": str(tmp_path), "LANG": "en_US.UTF-8"},
            capture_output=True,
            check=False,
            text=True,
            timeout=120,
        )
    assert done.returncode != 0
    assert f"port {port}" in done.stderr
    assert "--port" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["serve", "work"])
def test_a_database_that_is_away_is_told_with_what_to_do(tmp_path: Path, command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "api.cli", command],
        env={
            **os.environ,
            "OBSERVER_DATA": str(tmp_path),
            "OBSERVER_DATABASE_URL": f"postgresql://somebody:secret@127.0.0.1:{free_port()}/none",
            "LANG": "en_US.UTF-8",
        },
        capture_output=True,
        check=False,
        text=True,
        timeout=120,
    )
    assert done.returncode == EngineError.exit_code
    assert "OBSERVER_DATABASE_URL" in done.stderr
    assert "secret" not in done.stderr
    assert "Traceback" not in done.stderr


# -- a batch -----------------------------------------------------------------------------------


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Installation]:
    """People, and a manifest of two lessons and a file that is none."""
    installation = install(tmp_path)
    installation.site.jobs.prepare(polling=0.05)
    for name in ("one", "two"):
        tone = beeps(20.0, range(2, 19), 44_100, level=0.5 if name == "one" else 0.4)
        write_media(tmp_path / f"{name}.wav", [tone])
    (tmp_path / "broken.mp4").write_bytes(b"\x00\x01 this is no film" * 99)
    (tmp_path / "autumn.csv").write_text(
        "文件,标题,知情同意,学校\n"
        "one.wav,第一课,家长,一中\n"
        "broken.mp4,坏文件,家长,一中\n"
        "two.wav,第二课,家长,一中\n",
        encoding="utf-8",
    )
    yield installation
    installation.site.jobs.close()
    installation.site.database.close()


def test_a_batch_goes_on_where_it_was_closed_and_ends_with_what_failed(
    house: Installation, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site, me, manifest = house.site, house.people["li"], tmp_path / "autumn.csv"
    rows, screen = read_manifest(manifest), Console(width=200)
    batch = batch_of(site, me, manifest, None)
    assert take_in(site, me, batch, rows[:1], screen, "zh") == []  # … and it was closed

    again = batch_of(site, me, manifest, None)
    assert again.id == batch.id
    refused = take_in(site, me, again, rows, screen, "zh")
    assert [title for title, _ in refused] == ["坏文件"]
    waiting = look(site, me, again, "zh")
    assert [(x.title, x.state) for x in waiting] == [("第一课", "queued"), ("第二课", "queued")]
    assert take_in(site, me, again, rows, screen, "zh")[0][0] == "坏文件"
    assert len(look(site, me, again, "zh")) == 2  # nothing was taken in twice

    worker = _worker(site.settings.data, site.settings.database_url)
    try:
        lessons = watch(site, me, again, screen, "zh")
    finally:
        worker.terminate()
        worker.wait(30)
    assert [x.state for x in lessons] == ["done", "done"]
    assert summary(lessons, refused, screen, "zh") == 1
    told = capsys.readouterr().out
    assert "完成 2 节，未完成 1 节。" in told
    assert "第一课: 完成" in told
    assert try_again(site, me, again) == 0  # nothing failed


def _worker(data: Path, url: str) -> "subprocess.Popen[bytes]":
    """A worker with scripted engines, in a process of its own."""
    script = Script(data, url)
    code = "import sys; from pathlib import Path; from tests import scripted_worker as s; "
    code += "s.work_until_killed(s.Script(Path(sys.argv[1]), sys.argv[2]))"
    return subprocess.Popen([sys.executable, "-c", code, str(script.data), script.database_url])


def test_nobody_has_that_login(house: Installation) -> None:
    with pytest.raises(UsageError, match="nobody@example"):
        person(house.site, "nobody@example")


def test_pace_and_time_left() -> None:
    # two lessons of 30 min in 40 min: 3 an hour, 1.5 h of recording an hour;
    # a half and a whole lesson are left: 1.5 × 20 min = 30 min
    begun = now() - timedelta(minutes=41)
    ends = [begun + timedelta(minutes=20), begun + timedelta(minutes=40)]
    done = [Seen("x", "r", "done", "", 1.0, "", 1800.0, begun, end) for end in ends]
    half = Seen("x", "r", "working", "words", 0.5, "", 1800.0, ends[1], None)
    whole = Seen("x", "r", "queued", "", 0.0, "", 1800.0, None, None)
    told = pace([*done, half, whole], "en")
    assert told == "3.0 lessons an hour (1.5 h of recording) · 0:30 left"
    assert pace([half, whole], "en") == ""
