"""Progress of runs as server-sent events: stage, share, time left, place in the queue.

The stream asks the database, in the name of the reader, once a second: whoever loses the right to
see the lesson loses the stream. It ends with the runs or after ten minutes; browsers then ask
again by themselves, which renews the check of the sign-in.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field
from sqlmodel import Session, col, select
from starlette.concurrency import run_in_threadpool

from api.access import Actor
from api.batch import STAGE_NAMES
from api.columns import now
from api.deps import Db, Me, Site, TheSite
from api.problems import not_found
from api.tables import ENDS, Run, RunState
from observer.errors import Language

router = APIRouter(prefix="/api/v1/runs", tags=["runs"])
EVERY = 1.0
"""Seconds between two looks."""
BEAT = 15.0
"""Seconds after which a quiet stream says that it lives, so that no proxy closes it."""
LONGEST = 600.0
"""Seconds that one stream lasts."""
MOST = 50
"""Runs that one stream follows: browsers keep no more than six streams open to a host."""


class RunProgress(BaseModel):
    """Where a run is."""

    run: str
    state: RunState
    stage: str
    """Name of the stage, for programs; empty when it waits or has ended."""
    stage_name: str
    """The same in the reader's language."""
    share: Annotated[float, Field(ge=0, le=1)]
    """Of the whole."""
    seconds_left: int | None
    """None: not known yet."""
    place: int
    """In the queue, from 1; 0 when it does not wait."""
    error: str | None
    """What went wrong, in the reader's language."""


def progress_of(site: Site, session: Session, run: Run, language: Language) -> RunProgress:
    """Where a run is, for a reader of `language`."""
    names = STAGE_NAMES[language]
    return RunProgress(
        run=run.id,
        state=RunState(run.state),
        stage=run.stage,
        stage_name=names.get(run.stage, ""),
        share=round(min(1.0, max(0.0, run.progress)), 3),
        seconds_left=seconds_left(run),
        place=site.jobs.queue_place(session, run),
        error=run.error.get(language),
    )


def seconds_left(run: Run) -> int | None:
    """As long again for each part still to do as a done part took; None before 3 % and 3 s."""
    if run.state != RunState.WORKING or run.started is None:
        return None
    elapsed = (now() - run.started).total_seconds()
    if run.progress < 0.03 or elapsed < 3:
        return None
    return round(elapsed * (1 - run.progress) / run.progress)


class EventStream(StreamingResponse):
    """Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

    media_type = "text/event-stream"


Followed = Annotated[list[str], Query(min_length=1, max_length=MOST, description="Ids of runs")]
_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events `progress`, each with a RunProgress, then `end`",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}


@router.get("/events", response_class=EventStream, responses=_ANSWER, summary="Follow runs")
def follow_many(site: TheSite, me: Me, db: Db, run: Followed) -> EventStream:
    """Progress of several runs in one stream. Raises NotFoundError when one is not visible."""
    wanted = list(dict.fromkeys(run))
    if len(_visible(db, wanted)) != len(wanted):
        raise not_found()
    return _stream(site, me, wanted)


@router.get("/{run_id}/events", response_class=EventStream, responses=_ANSWER, summary="Follow run")
def follow(site: TheSite, me: Me, db: Db, run_id: str) -> EventStream:
    """Progress of one run. Raises NotFoundError."""
    if not _visible(db, [run_id]):
        raise not_found()
    return _stream(site, me, [run_id])


def _visible(session: Session, ids: list[str]) -> list[Run]:
    return list(session.exec(select(Run).where(col(Run.id).in_(ids)).order_by(col(Run.id))))


def _stream(site: Site, me: Actor, ids: list[str]) -> EventStream:
    headers = {"cache-control": "private, no-store", "x-accel-buffering": "no"}
    return EventStream(_events(site, me, ids), headers=headers)


async def _events(site: Site, me: Actor, ids: list[str]) -> AsyncIterator[str]:
    """An event for each change, until all runs have ended or cannot be seen any more."""
    told: dict[str, str] = {}
    begun = spoken = time.monotonic()
    yield "retry: 2000\n\n"
    while time.monotonic() - begun < LONGEST:
        seen = await run_in_threadpool(_look, site, me, ids)
        for item in seen:
            text = item.model_dump_json()
            if told.get(item.run) != text:
                told[item.run] = text
                spoken = time.monotonic()
                yield f"event: progress\ndata: {text}\n\n"
        if all(item.state in ENDS for item in seen):
            yield "event: end\ndata: {}\n\n"
            return
        if time.monotonic() - spoken >= BEAT:
            spoken = time.monotonic()
            yield ": still here\n\n"
        await asyncio.sleep(EVERY)


def _look(site: Site, me: Actor, ids: list[str]) -> list[RunProgress]:
    language: Language = "en" if me.language == "en" else "zh"
    with site.database.session(me) as session:
        return [progress_of(site, session, run, language) for run in _visible(session, ids)]
