"""Ordering, cancelling, retrying and mending, without a worker; on SQLite and on PostgreSQL."""

import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from sqlmodel import select

from api.db import Database
from api.jobs import IN_BATCH, INTERACTIVE, Jobs, Options
from api.locks import Locks, locks_of
from api.settings import ServiceSettings
from api.storage import storage_of
from api.tables import Batch, Lesson, Run, RunState, Step
from tests.service_factory import People, actor, people


@pytest.fixture
def there(database: Database) -> People:
    """A district with a lesson that was observed once."""
    return people(database)


@pytest.fixture
def jobs(database: Database, tmp_path: Path) -> Iterator[Jobs]:
    """A queue that is ready."""
    settings = ServiceSettings(data=tmp_path, database_url=database.url)
    jobs = Jobs(settings, database, storage_of((tmp_path / "files").as_uri()))
    jobs.prepare()
    yield jobs
    jobs.close()


def states(jobs: Jobs) -> dict[str, tuple[str, int | None]]:
    """What the engine holds: run → state and priority."""
    return {w.workflow_id: (w.status, w.priority) for w in jobs.client.list_workflows()}


def order(jobs: Jobs, there: People, priority: int = INTERACTIVE) -> Run:
    """A run in the teacher's name."""
    me = actor(jobs.database, there.teacher)
    with jobs.database.session(me) as session:
        lesson = session.get_one(Lesson, there.lesson.id)
        return jobs.order(session, lesson, priority=priority, by=me)


def test_an_order_is_queued_when_it_is_committed(jobs: Jobs, there: People) -> None:
    run = order(jobs, there, IN_BATCH)
    assert states(jobs) == {run.id: ("ENQUEUED", 100)}
    assert run.ordered_by == there.teacher.id
    assert Options.of(run.options).language == there.lesson.language


def test_an_order_that_is_rolled_back_never_reaches_the_queue(jobs: Jobs, there: People) -> None:
    with jobs.database.session(actor(jobs.database, there.teacher)) as session:
        jobs.order(session, session.get_one(Lesson, there.lesson.id))
        session.rollback()
    assert states(jobs) == {}
    assert jobs.mend() == 0


def test_an_order_given_while_the_engine_is_away_is_queued_by_the_sweep(
    database: Database, there: People, tmp_path: Path
) -> None:
    settings = ServiceSettings(data=tmp_path, database_url=database.url)
    jobs = Jobs(settings, database, storage_of((tmp_path / "files").as_uri()))
    run = order(jobs, there)  # the engine's tables are not there: nobody prepared them
    jobs.prepare()
    assert states(jobs) == {}
    assert jobs.mend() == 1
    assert states(jobs) == {run.id: ("ENQUEUED", 10)}
    assert jobs.mend() == 0
    jobs.close()


def test_the_sweep_queues_again_what_the_engine_gave_up(jobs: Jobs, there: People) -> None:
    run = order(jobs, there)
    jobs.client.cancel_workflow(run.id)  # behind our back
    assert jobs.mend() == 1
    assert states(jobs)[run.id][0] == "ENQUEUED"


def test_cancelling_a_waiting_run_ends_it_at_once(jobs: Jobs, there: People) -> None:
    run = order(jobs, there)
    with jobs.database.session(actor(jobs.database, there.teacher)) as session:
        jobs.cancel(session, session.get_one(Run, run.id))
    with jobs.database.system("test") as session:
        after = session.get_one(Run, run.id)
        assert jobs.queue_place(session, after) == 0
    assert after.state == RunState.CANCELLED
    assert after.ended is not None
    assert states(jobs)[run.id][0] == "CANCELLED"
    assert jobs.mend() == 0  # cancelled stays cancelled


def test_cancelling_what_has_ended_changes_nothing(jobs: Jobs, there: People) -> None:
    with jobs.database.system("test") as session:
        run = session.get_one(Run, there.run.id)
        jobs.cancel(session, run)
        assert run.state == RunState.DONE


def test_places_in_the_queue_count_runs_that_the_asker_may_not_see(
    jobs: Jobs, there: People
) -> None:
    # priority, then time:   second (10)   third (10)   first of the batch (100)
    late = order(jobs, there, IN_BATCH)
    soon = [order(jobs, there) for _ in range(2)]
    with jobs.database.session(actor(jobs.database, there.stranger)) as session:
        assert session.exec(select(Run)).all() == []
        assert [jobs.queue_place(session, run) for run in [*soon, late]] == [1, 2, 3]


def test_a_retry_is_a_new_run_that_keeps_the_finished_stages(jobs: Jobs, there: People) -> None:
    with jobs.database.system("test") as session:
        batch = Batch(name="autumn")
        session.add(batch)
        run = session.get_one(Run, there.run.id)
        run.state, run.batch_id, run.options = RunState.FAILED.value, batch.id, {"asr": "none"}
        session.add(Step(run_id=run.id, stage="speech", sha256="a" * 64))
    with jobs.database.session(actor(jobs.database, there.teacher)) as session:
        failed = session.get_one(Run, there.run.id)
        again = jobs.retry(session, failed)
        assert jobs.retry(session, again) is again  # it has not ended
    with jobs.database.system("test") as session:
        steps = session.exec(select(Step).where(Step.run_id == again.id)).all()
    # the step of the factory has no checkpoint: there is nothing to keep of it
    assert [(s.stage, s.sha256) for s in steps] == [("speech", "a" * 64)]
    assert (again.batch_id, again.options, again.attempts) == (batch.id, {"asr": "none"}, 0)
    assert states(jobs) == {again.id: ("ENQUEUED", 10)}


def test_options_of_another_version_are_understood() -> None:
    options = Options(language="en", asr="whisper", seed=7)
    assert Options.of({**asdict(options), "colour": "red"}) == options
    assert Options.of({}) == Options()


@pytest.fixture
def two_holders(database_url: str, tmp_path: Path) -> Iterator[tuple[Locks, Locks]]:
    """Two processes' locks, in one process."""
    pair = locks_of(database_url, tmp_path / "locks"), locks_of(database_url, tmp_path / "locks")
    yield pair
    for one in pair:
        one.close()


def test_a_lock_has_one_holder_until_it_lets_go(two_holders: tuple[Locks, Locks]) -> None:
    mine, theirs = two_holders
    assert mine.take("worker")
    assert mine.take("worker")  # still mine
    assert not theirs.take("worker")
    assert theirs.take("other")
    mine.release("worker")
    assert theirs.take("worker")
    theirs.close()
    until = time.monotonic() + 10  # PostgreSQL notices the end of a connection in its own time
    while not mine.take("worker"):
        assert time.monotonic() < until, "the lock outlived its holder"
        time.sleep(0.02)
