"""Progress of runs: what it says, to whom, and how the stream ends."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from anyio.from_thread import start_blocking_portal
from sqlmodel import Session

from api.columns import now
from api.deps import Site
from api.routes import progress
from api.routes.progress import progress_of, seconds_left
from api.tables import Run, RunState, Share, User
from tests.service_factory import People, actor
from tests.service_site import client_of


def test_time_left_goes_by_the_share_that_is_done() -> None:
    # a fifth took 60 s: the other four fifths take 240 s
    begun = now() - timedelta(seconds=60)
    run = Run(lesson_id="x", state="working", progress=0.2, started=begun)
    assert seconds_left(run) == pytest.approx(240, abs=1)
    run.progress = 0.01  # nobody can tell yet
    assert seconds_left(run) is None
    assert seconds_left(Run(lesson_id="x", state="queued")) is None


def test_a_failure_is_told_in_the_readers_language(site: Site, there: People) -> None:
    run = Run(lesson_id=there.lesson.id, state="failed")
    run.error = {"class": "NoAudioTrack", "en": "No sound.", "zh": "没有声音。"}
    with site.database.system("test") as session:
        assert progress_of(site, session, run, "zh").error == "没有声音。"
        assert progress_of(site, session, run, "en").error == "No sound."


def events(text: str) -> list[tuple[str, dict[str, object]]]:
    """Name and data of each event of a stream."""
    found = []
    for block in text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        if "event" in lines:
            found.append((lines["event"], json.loads(lines["data"])))
    return found


def stream(
    site: Site, reader: User, run: Run, changes: list[Callable[[Session], object]]
) -> list[tuple[str, dict[str, object]]]:
    """The events of a run's stream; after each event the next change is made."""

    async def read() -> str:
        text, left = "", list(changes)
        async for block in progress._events(site, actor(site.database, reader), [run.id]):
            text += block
            if block.startswith("event: progress") and left:
                with site.database.system("test") as session:
                    left.pop(0)(session)
        return text

    with start_blocking_portal() as portal:  # a browser of other tests may hold this thread's loop
        return events(portal.call(read))


def test_the_stream_follows_a_run_to_its_end(
    site: Site, there: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "EVERY", 0.02)
    with site.database.system("test") as session:
        run = Run(lesson_id=there.lesson.id)
        session.add(run)
    half = {"state": "working", "stage": "words", "progress": 0.5, "started": now()}
    whole = {"state": "done", "stage": "", "progress": 1.0, "ended": now()}
    told = stream(
        site,
        there.teacher,
        run,
        [
            lambda session: session.get_one(Run, run.id).sqlmodel_update(half),
            lambda session: session.get_one(Run, run.id).sqlmodel_update(whole),
        ],
    )
    assert [name for name, _ in told] == ["progress"] * 3 + ["end"]
    assert [(e["state"], e["share"], e["place"]) for _, e in told[:3]] == [
        ("queued", 0.0, 1),
        ("working", 0.5, 0),
        ("done", 1.0, 0),
    ]
    assert told[1][1]["stage_name"] == "recognising words"


def test_several_runs_come_in_one_stream(site: Site, there: People) -> None:
    with site.database.system("test") as session:
        other = Run(lesson_id=there.lesson.id, state=RunState.CANCELLED.value)
        session.add(other)
    client = client_of(site, user_id=there.teacher.id)
    answer = client.get("/api/v1/runs/events", params={"run": [there.run.id, other.id]})
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "private, no-store"
    told = {e["run"]: e["state"] for name, e in events(answer.text) if name == "progress"}
    assert told == {there.run.id: "done", other.id: "cancelled"}


@pytest.mark.parametrize("who", ["colleague", "leader", "staff", "administrator", "stranger"])
def test_others_learn_nothing(site: Site, there: People, who: str) -> None:
    client = client_of(site, user_id=there.users()[who].id)
    assert client.get(f"/api/v1/runs/{there.run.id}/events").status_code == 404
    assert client.get("/api/v1/runs/events", params={"run": there.run.id}).status_code == 404


def test_nobody_learns_nothing(site: Site, there: People) -> None:
    answer = client_of(site).get(
        f"/api/v1/runs/{there.run.id}/events", headers={"accept": "application/json"}
    )
    assert answer.status_code == 401


def test_who_loses_the_right_loses_the_stream(
    site: Site, there: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "EVERY", 0.02)
    with site.database.system("test") as session:
        run = Run(lesson_id=there.lesson.id)
        share = Share(lesson_id=there.lesson.id, user_id=there.colleague.id)
        session.add_all([run, share])

    told = stream(
        site,
        there.colleague,
        run,
        [lambda session: session.delete(session.get_one(Share, share.id))],
    )
    assert [name for name, _ in told] == ["progress", "end"]
