"""The people of `service_load`: what they click, how long each page takes, and the table of it."""

import asyncio
import random
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field

import httpx2
import numpy as np
from installation import SUBJECTS, Visitor
from sqlmodel import col, func, select

from api.auth import SESSION_COOKIE
from api.deps import Site
from api.tables import Run, RunState

WARM = 12
"""Looks at every page before the clock starts."""
PAGES = {"list": 30, "filtered list": 20, "home": 15, "lesson": 15, "report": 20}
"""What is clicked, and how often in a hundred; reports as --reports says."""
FIRST, AGAIN = "  first view", "  seen before"
"""Rows of the table: the reports that nobody had opened before, and the others."""
BARS = {"list": 300.0, "filtered list": 300.0, "report": 300.0}
"""p95 in ms that must be held (issue 5 §7)."""


@dataclass
class Tally:
    """What the visitors met."""

    times: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Page → milliseconds."""
    bytes: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    lag: list[float] = field(default_factory=list)
    """ms that the simulation itself came late, ten times a second."""
    opened: set[str] = field(default_factory=set)
    """Addresses of reports that somebody has seen."""
    working: int = 0
    """Looks at the queue, once a second, at which a run was being worked on."""
    looks: int = 0


def address_of(page: str, who: Visitor, chance: random.Random) -> str:
    """Where a click on such a page goes."""
    lesson = chance.choice(who.lessons)
    filters = (
        f"subject={chance.choice(SUBJECTS)}",
        f"school={who.school}&state=done",
        "q=三角形",
        "q=老师1 内角",
        "whose=mine&page=2",
        "state=failed",
    )
    return {
        "home": "/",
        "list": "/lessons",
        "filtered list": f"/lessons?{chance.choice(filters)}",
        "lesson": f"/lessons/{lesson}",
        "report": f"/lessons/{lesson}/report",
    }[page]


async def visit(
    client: httpx2.AsyncClient,
    who: Visitor,
    number: int,
    until: float,
    pages: dict[str, int],
    tally: Tally,
) -> None:
    """One person's clicks."""
    chance = random.Random(number)
    headers = {"Cookie": f"{SESSION_COOKIE}={who.cookie}", "Accept-Encoding": "gzip"}
    await asyncio.sleep(chance.uniform(0, 2))
    while time.monotonic() < until:
        page = chance.choices(list(pages), list(pages.values()))[0]
        address = address_of(page, who, chance)
        start = time.perf_counter()
        try:
            async with client.stream("GET", address, headers=headers) as answer:
                async for block in answer.aiter_raw():
                    tally.bytes[page] += len(block)
            if answer.status_code != 200:
                tally.errors[f"{page}: HTTP {answer.status_code}"] += 1
        except httpx2.HTTPError as error:
            tally.errors[f"{page}: {type(error).__name__}"] += 1
        took = 1000 * (time.perf_counter() - start)
        tally.times[page].append(took)
        if page == "report":
            tally.times[AGAIN if address in tally.opened else FIRST].append(took)
            tally.opened.add(address)
        await asyncio.sleep(chance.uniform(1, 3))


async def warm(client: httpx2.AsyncClient, visitors: list[Visitor]) -> None:
    """Every page some times at once, so that every web process meets it: a service has been
    running for longer than its imports and the first compilation of its templates take."""
    chance = random.Random(0)

    async def look(page: str) -> None:
        who = chance.choice(visitors)
        headers = {"Cookie": f"{SESSION_COOKIE}={who.cookie}"}
        (await client.get(address_of(page, who, chance), headers=headers)).raise_for_status()

    for page in PAGES:
        await asyncio.gather(*(look(page) for _ in range(WARM)))


async def watch_lag(tally: Tally) -> None:
    """How late this process is itself: what it adds to every page's time."""
    while True:
        start = time.perf_counter()
        await asyncio.sleep(0.1)
        tally.lag.append(1000 * (time.perf_counter() - start - 0.1))


async def watch_work(site: Site, tally: Tally) -> None:
    """Whether something is being worked on."""
    while True:
        tally.working += await asyncio.to_thread(count_runs, site, RunState.WORKING.value) > 0
        tally.looks += 1
        await asyncio.sleep(1)


def count_runs(site: Site, *states: str) -> int:
    with site.database.system("benchmark: runs") as session:
        wanted = select(func.count()).select_from(Run).where(col(Run.state).in_(states))
        return session.exec(wanted).one()


async def crowd(
    site: Site, base: str, visitors: list[Visitor], seconds: float, reports: int
) -> Tally:
    """Everybody at once."""
    tally = Tally()
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=len(visitors))
    async with httpx2.AsyncClient(base_url=base, timeout=60, limits=limits) as client:
        await warm(client, visitors)
        watches = [asyncio.create_task(w) for w in (watch_lag(tally), watch_work(site, tally))]
        until = time.monotonic() + seconds
        await asyncio.gather(
            *(
                visit(client, who, n, until, PAGES | {"report": reports}, tally)
                for n, who in enumerate(visitors)
            )
        )
        for task in watches:
            task.cancel()
        await asyncio.gather(*watches, return_exceptions=True)
    return tally


def told(tally: Tally, seconds: float) -> bool:
    """The table; whether every bar is held."""
    held = not tally.errors
    print(f"{'page':17s}{'clicks':>7s}{'p50 ms':>9s}{'p95 ms':>9s}{'most':>9s}{'kB':>7s}")
    for page in (*PAGES, FIRST, AGAIN):
        times = tally.times[page]
        if not times:
            continue
        p50, p95 = np.percentile(times, (50, 95))
        bar = BARS.get(page)
        over = bar is not None and not p95 <= bar
        held = held and not over
        kind = "report" if page in {FIRST, AGAIN} else page
        kilobytes = tally.bytes[kind] / len(tally.times[kind]) / 1000
        mark = "" if bar is None else f"  {'OVER' if over else 'within'} {bar:.0f}"
        print(
            f"{page:17s}{len(times):7d}{p50:9.0f}{p95:9.0f}{max(times):9.0f}{kilobytes:7.0f}{mark}"
        )
    clicks = sum(len(tally.times[page]) for page in PAGES)
    print(
        f"{clicks} clicks, {clicks / seconds:.1f} a second; errors: {dict(tally.errors) or 'none'}"
    )
    print(f"the simulation came late by {np.percentile(tally.lag, 95):.0f} ms (p95)")
    return held
