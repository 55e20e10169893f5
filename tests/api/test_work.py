"""A run survives the death of its worker at every stage, and is written once.

The worker processes are real and killed with SIGKILL; engines are scripted (tests/scripted_worker)
so that a run takes a second.
"""

import hashlib
import json
import multiprocessing
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlmodel import select

from api import compose
from api.jobs import Options
from api.settings import Environment
from api.tables import AuditEntry, Figure, Lesson, Recording, Run, RunState, Step
from api.work import LessonWork
from models import whisper_weights
from models.scripted import scripted_checkpoint
from observer.job import Engines
from observer.observation import Observation
from tests import postgres
from tests.scripted_worker import LEFT, POINTS, House, Script, end, engines, work_until_killed

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(
    ["tests.scripted_worker", "scipy.signal", "av", "observer.indicators.talk", "api.kept_pages"]
)


@pytest.fixture
def script(tmp_path: Path, database_url: str) -> Script:
    """An installation with empty tables."""
    script = Script(tmp_path, database_url)
    house = House.of(script)
    house.jobs.prepare(polling=0.05)
    house.close()
    return script


@pytest.fixture
def house(script: Script) -> Iterator[House]:
    """The same, opened in this process."""
    house = House.of(script)
    yield house
    house.close()


ONE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For tests in which the database is not the matter."""


def start(script: Script) -> BaseProcess:
    # A test that fails must not leave its workers behind.
    process = PROCESSES.Process(target=work_until_killed, args=(script,), daemon=True)
    process.start()
    return process


def wait_for_end(house: House, run_id: str, seconds: float = 60) -> Run:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        run = house.run(run_id)
        if run.ended is not None:
            return run
        time.sleep(0.05)
    pytest.fail(f"not ended: {house.run(run_id)}")


def stop(*processes: BaseProcess) -> None:
    for process in processes:
        process.terminate()
        process.join(20)
        assert process.exitcode is not None, "a worker did not stop"


def test_killed_at_every_stage_the_run_goes_on_and_ends_once(script: Script, house: House) -> None:
    run_id = house.order(house.lesson())
    deaths = 0
    # Nine kills in one run: that three are the limit is another test's.
    deadly = Script(script.data, script.database_url, die_at=POINTS, patience=99)
    while not (script.data / f"killed-{POINTS[-1]}").exists():
        process = start(deadly)
        process.join(40)
        assert process.exitcode == -9, f"after {script.calls()}"
        deaths += 1
    last = start(deadly)
    run = wait_for_end(house, run_id)
    # The last worker takes the ended run over, clears up, and leaves the run as it is.
    wait_for(lambda: not kept_stages(house, run_id) and house.jobs.held_by() == {})
    stop(last)

    assert deaths == len(POINTS) == 9
    assert run.state == RunState.DONE, run.error
    # eight attempts died before the result was written; the ninth wrote it and died after
    assert run.attempts == 9
    # A stage was entered twice: when the worker died in front of it, and when it was done.
    # Those after `role_cues` have no checkpoint and are done again: labels in the attempts that
    # died there, at `put`, and in that which wrote the result.
    calls = Counter(script.calls())
    stages = {p: calls[p] for p in ("speech", "speakers", "roles", "words", "role_cues")}
    assert stages == dict.fromkeys(stages, 2)
    assert calls["labels"] == 3
    assert_whole(house, run)


def kept_stages(house: House, run_id: str) -> dict[str, str]:
    """Stage → address of its checkpoint."""
    with house.database.system("a look of the test") as session:
        steps = session.exec(select(Step).where(Step.run_id == run_id)).all()
        return {step.stage: step.sha256 for step in steps if step.sha256}


def assert_whole(house: House, run: Run) -> None:
    """One result, whole; nothing left beside it."""
    with house.database.system("a look of the test") as session:
        figures = session.exec(select(Figure).where(Figure.run_id == run.id)).all()
        steps = session.exec(select(Step).where(Step.run_id == run.id)).all()
        audit = session.exec(select(AuditEntry).where(AuditEntry.object_id == run.id)).all()
        media = session.exec(select(Recording)).all()
    with house.storage.open(run.artefacts["observation.json"]) as file:
        observation = Observation.from_json(file.read())
    assert [u.text for u in observation.transcript][1] == "一百八十度。"
    assert len(figures) == len(observation.indicators) > 100
    assert observation.recording is not None
    assert observation.recording.name == "公开课 1.mkv"
    assert media[0].duration == pytest.approx(20.0, abs=0.1)
    assert [entry.action for entry in audit] == ["run.finish"]
    assert {"decode", "speech", "speakers", "roles", "words", "labels"} <= {s.stage for s in steps}
    assert all(step.sha256 is None and step.ended is not None for step in steps)
    # Only the recording and the artefacts are left in storage, and no working folder.
    stored = {p.name for p in (house.script.data / "files").rglob("*") if p.is_file()}
    assert stored == {media[0].sha256, *run.artefacts.values()}
    assert not list((house.script.data / "work").glob("*"))


@ONE
def test_the_result_is_the_same_as_without_a_death(script: Script, house: House) -> None:
    lesson = house.lesson()
    first, second = house.order(lesson), house.order(lesson)
    deadly = Script(script.data, script.database_url, die_at=("words",))
    killed = start(deadly)
    killed.join(40)
    assert killed.exitcode == -9
    other = start(deadly)  # takes the first over and does the second after it
    runs = [wait_for_end(house, first), wait_for_end(house, second)]
    stop(other)
    assert [run.attempts for run in runs] == [2, 1]
    assert runs[0].artefacts == runs[1].artefacts


def test_a_lesson_that_kills_three_workers_is_set_aside_and_the_next_is_done(
    script: Script, house: House
) -> None:
    poison = house.order(house.lesson())
    deadly = Script(script.data, script.database_url, die_at=("speakers",), always=True)
    for _ in range(3):
        process = start(deadly)
        process.join(40)
        assert process.exitcode == -9
    healthy = start(script)
    run = wait_for_end(house, poison)
    assert (run.state, run.attempts) == (RunState.SET_ASIDE, 3)
    assert "3 crashes" in run.error["en"]
    assert "3 次崩溃" in run.error["zh"]
    after = wait_for_end(house, house.order(house.lesson("next")))
    assert after.state == RunState.DONE
    # A person who looked into it may try again: it goes on from what was finished.
    with house.database.system("a retry of the test") as session:
        again = house.jobs.retry(session, session.get_one(Run, poison))
    assert wait_for_end(house, again.id).state == RunState.DONE
    assert script.calls().count("speech") == 2  # once for each lesson
    stop(healthy)


@ONE
def test_a_defect_is_tried_again_and_then_told(script: Script, house: House) -> None:
    run_id = house.order(house.lesson())
    broken = Script(script.data, script.database_url, die_at=("roles",), always=True, raises=True)
    worker = start(broken)
    run = wait_for_end(house, run_id)
    stop(worker)
    assert run.state == RunState.SET_ASIDE
    assert run.error["class"] == "ValueError"


@ONE
def test_what_cannot_be_observed_fails_at_once_with_the_reason(house: House) -> None:
    with house.database.system("a lesson without files") as session:
        lesson = session.get_one(Lesson, house.lesson())
        for media in session.exec(select(Recording)):
            session.delete(media)
        run_id = house.jobs.order(session, lesson, options=Options()).id
    worker = start(house.script)
    run = wait_for_end(house, run_id)
    stop(worker)
    assert (run.state, run.attempts) == (RunState.FAILED, 1)
    assert run.error["class"] == "MissingRecording"
    assert run.error["zh"].startswith("这节课")


@ONE
def test_stopped_politely_the_run_goes_back_and_costs_no_attempt(
    script: Script, house: House
) -> None:
    run_id = house.order(house.lesson())
    slow = Script(script.data, script.database_url, hold_at="roles")
    worker = start(slow)
    while "roles" not in script.calls():
        time.sleep(0.02)
    worker.terminate()
    time.sleep(0.2)
    (script.data / "go").touch()
    worker.join(20)
    assert worker.exitcode == 0
    waiting = house.run(run_id)
    assert (waiting.state, waiting.attempts) == (RunState.QUEUED, 0)
    other = start(slow)
    run = wait_for_end(house, run_id)
    stop(other)
    assert (run.state, run.attempts) == (RunState.DONE, 1)
    assert script.calls().count("speakers") == 1  # kept


@ONE
def test_cancelled_while_worked_on_the_run_stops_and_leaves_nothing(
    script: Script, house: House
) -> None:
    run_id = house.order(house.lesson())
    worker = start(Script(script.data, script.database_url, hold_at="roles"))
    while "roles" not in script.calls():
        time.sleep(0.02)
    with house.database.system("a cancel of the test") as session:
        house.jobs.cancel(session, session.get_one(Run, run_id))
    (script.data / "go").touch()
    until = time.monotonic() + 20
    while list((script.data / "work").glob("*")) and time.monotonic() < until:
        time.sleep(0.05)
    assert not list((script.data / "work").glob("*"))
    after = wait_for_end(house, house.order(house.lesson("next")))
    stop(worker)
    assert after.state == RunState.DONE  # the worker goes on with the next lesson
    run = house.run(run_id)
    assert run.state == RunState.CANCELLED
    assert run.artefacts == {}
    assert script.calls().count("words") == 1  # the next lesson's alone


def test_a_stage_that_tells_nothing_is_left_within_five_seconds_of_a_cancel(
    script: Script, house: House, worker: "subprocess.Popen[bytes]"
) -> None:
    """An engine may compute for minutes without a word; here it waits for a file that is never
    there. The worker goes on under the same process id, with the next run of the queue."""
    cancelled, following = house.order(house.lesson()), house.order(house.lesson("next"))
    wait_for(lambda: "words" in script.calls())
    with house.database.system("a cancel of the test") as session:
        house.jobs.cancel(session, session.get_one(Run, cancelled))
    asked = time.monotonic()
    wait_for(lambda: not list((script.data / "work").glob("*")))
    assert time.monotonic() - asked < 5
    (script.data / "go").touch()
    after = wait_for_end(house, following)
    assert worker.poll() is None
    worker.terminate()
    assert worker.wait(20) == 0
    run = house.run(cancelled)
    assert (run.state, run.attempts, run.artefacts) == (RunState.CANCELLED, 1, {})
    assert (after.state, after.attempts) == (RunState.DONE, 1)
    assert run.worker != after.worker  # the same process, begun anew
    # What it had finished is whole: a second try goes on from there.
    kept = kept_stages(house, cancelled)
    with house.database.system("a retry of the test") as session:
        again = house.jobs.retry(session, session.get_one(Run, cancelled)).id
    assert {"decode", "speech", "speakers", "roles"} == kept.keys() - {"quality"}
    for sha in kept.values():
        with house.storage.open(sha) as file:
            assert hashlib.sha256(file.read()).hexdigest() == sha
    other = start(script)
    assert wait_for_end(house, again).state == RunState.DONE
    stop(other)
    assert script.calls().count("speakers") == 2  # once for each lesson


def wait_for(there: Callable[[], bool], seconds: float = 40) -> None:
    until = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.fixture
def worker(script: Script) -> Iterator["subprocess.Popen[bytes]"]:
    """A worker with a command of its own, which waits in front of the words."""
    command = [sys.executable, "-m", "tests.scripted_worker"]
    process = subprocess.Popen([*command, str(script.data), script.database_url, "words"])
    yield process
    process.kill()
    process.wait()


@ONE
def test_told_to_stop_in_a_stage_that_tells_nothing_the_run_goes_back(
    script: Script, house: House
) -> None:
    run_id = house.order(house.lesson())
    deaf = start(Script(script.data, script.database_url, hold_at="roles"))
    wait_for(lambda: "roles" in script.calls())
    deaf.terminate()
    deaf.join(10)
    assert deaf.exitcode == 0
    waiting = house.run(run_id)
    assert (waiting.state, waiting.attempts) == (RunState.QUEUED, 0)
    assert not list((script.data / "work").glob("*"))
    other = start(script)
    run = wait_for_end(house, run_id)
    stop(other)
    assert (run.state, run.attempts) == (RunState.DONE, 1)


@ONE
def test_a_deaf_worker_that_lost_its_run_leaves_it(script: Script, house: House) -> None:
    run_id = house.order(house.lesson())
    deaf = start(Script(script.data, script.database_url, hold_at="words"))
    wait_for(lambda: "words" in script.calls())
    house.jobs.take_over(run_id)
    other = start(script)
    run = wait_for_end(house, run_id)
    deaf.join(10)
    assert deaf.exitcode == LEFT
    stop(other)
    assert (run.state, run.attempts) == (RunState.DONE, 2)
    assert_whole(house, house.run(run_id))


def test_two_workers_share_the_queue_and_interactive_runs_go_first(
    script: Script, house: House
) -> None:
    lesson = house.lesson()
    batch = [house.order(lesson, priority=100) for _ in range(3)]
    urgent = house.order(lesson, priority=10)
    with house.database.system("a look of the test") as session:
        places = [house.jobs.queue_place(session, house.run(r)) for r in [urgent, *batch]]
    assert places == [1, 2, 3, 4]
    workers = [start(script), start(script)]
    runs = [wait_for_end(house, run_id) for run_id in [urgent, *batch]]
    stop(*workers)
    assert {run.state for run in runs} == {RunState.DONE}
    assert {run.attempts for run in runs} == {1}
    began = [run.started for run in runs if run.started is not None]
    assert began[0] <= max(began[1:])
    assert json.dumps(runs[0].artefacts) == json.dumps(runs[1].artefacts)


@ONE
def test_of_two_workers_with_the_same_run_the_later_counts(script: Script, house: House) -> None:
    # The first lost its lock without dying (its connection broke): it goes on all the while.
    run_id = house.order(house.lesson())
    first = start(Script(script.data, script.database_url, hold_at="words"))
    while "words" not in script.calls():
        time.sleep(0.02)
    house.jobs.take_over(run_id)
    second = start(Script(script.data, script.database_url))
    run = wait_for_end(house, run_id)
    (script.data / "go").touch()
    while len(list((script.data / "work").glob("*"))) > 0:
        time.sleep(0.05)
    stop(first, second)
    after = house.run(run_id)
    assert (after.state, after.attempts) == (RunState.DONE, 2)
    assert (after.worker, after.ended) == (run.worker, run.ended)
    assert_whole(house, after)


@ONE
def test_a_worker_loads_its_recogniser_once_for_lessons_with_different_titles(
    script: Script, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Titles become hot words, which are said to the engine; its weights stay."""
    model = scripted_checkpoint(script.data / "scripted.pt", "同学们好。", "zh")
    load, loads = whisper_weights.load, []
    monkeypatch.setattr(whisper_weights, "load", lambda *a: loads.append(a) or load(*a))

    def build(*names: Any, **how: Any) -> Engines:
        """Quick ears; the recogniser is that of the service."""
        there = engines(script)
        return replace(compose.build(*names, **how), vad=there.vad, diarizer=there.diarizer)

    storage: Any = house.storage
    environment = Environment(weights=None, threads=1, language=None)
    work = LessonWork(
        house.database, storage, script.data / "work", environment, build=build, leave=end
    )
    heard = []
    for title in ("分子和分母", "声音的特性"):
        lesson_id = house.lesson(title)
        with house.database.system("an order of the test") as session:
            options = Options(language="zh", asr="whisper", model=str(model))
            lesson = session.get_one(Lesson, lesson_id)
            run_id = house.jobs.order(session, lesson, options=options).id
        assert work(run_id, "worker", threading.Event())
        with house.storage.open(house.run(run_id).artefacts["observation.json"]) as file:
            used = Observation.from_json(file.read()).provenance.engines
        heard += [e.version for e in used if e.kind == "transcriber"]
    assert len(loads) == 1
    assert all(w in v for w, v in zip(("分子", "声音"), heard, strict=True))


def test_postgresql_killed_in_the_middle_costs_a_pause_and_nothing_else(tmp_path: Path) -> None:
    with postgres.server() as superuser:
        url = postgres.new_database(postgres.plain_role(superuser))
        script = Script(tmp_path, url, hold_at="roles")
        house = House.of(script)
        house.database.migrate()
        house.jobs.prepare(polling=0.05)
        run_id = house.order(house.lesson())
        worker = start(script)
        while "roles" not in script.calls():
            time.sleep(0.02)
        kill_and_restart(superuser)
        (tmp_path / "go").touch()
        run = wait_for_end(house, run_id, 90)
        after = wait_for_end(house, house.order(house.lesson("next")))
        stop(worker)
        assert (run.state, run.attempts) == (RunState.DONE, 1)
        assert script.calls().count("speakers") == 2  # once for each lesson
        assert after.state == RunState.DONE
        house.close()


def kill_and_restart(superuser: str) -> None:
    """kill -9 of the whole server; a second later it is started as it was."""
    with psycopg.connect(superuser) as connection:
        row = connection.execute("SHOW data_directory").fetchone()
        data = Path(str(row[0] if row else ""))
    server = int((data / "postmaster.pid").read_text().split()[0])
    command = shlex.split((data / "postmaster.opts").read_text())
    os.kill(server, signal.SIGKILL)
    owner = data.stat()
    user, group = (None, None) if os.geteuid() else (owner.st_uid, owner.st_gid)
    until = time.monotonic() + 30
    while time.monotonic() < until:
        time.sleep(1.0)  # its children notice, and let go of the shared memory
        again = subprocess.Popen(
            command, cwd=data, stderr=subprocess.DEVNULL, user=user, group=group
        )
        time.sleep(1.0)
        if again.poll() is None:
            return
    pytest.fail("PostgreSQL did not start again")
