"""Drawings as plain numbers, shares of their axes, for paper that draws them itself (`report.typ`).

The page's own drawings are Vega and SVG; these hold the same figures.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from api.render import drawings, figures, timeline, view
from api.render.texts import Texts, clock
from observer.indicators.catalogue import CATALOGUE
from observer.indicators.st import curve as st_curve
from observer.observation import Observation
from observer.timeline import Role, Seconds, intersection, of_role
from observer.timeline import Span as TimeSpan

TICKS = (10, 30, 60, 120, 300, 600, 900, 1800, 3600)
"""Seconds between the clock times under a row of the timeline."""


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """One row of the timeline; all positions are shares of the row, 0 to 1."""

    label: str
    heard: float
    lanes: tuple[tuple[tuple[float, float], ...], ...]
    """One lane a role of `Printed.roles`: (begin, width) of each stretch."""
    questions: tuple[tuple[float, bool], ...]
    """(position, whether it asks for thinking)."""
    waits: tuple[tuple[float, float, int, bool], ...]
    """(begin, width, kind, whether it counts)."""
    ticks: tuple[tuple[float, str], ...]


@dataclass(frozen=True, slots=True)
class Bar:
    """One figure of a chart with its interval, as shares of the axis."""

    name: str
    value: float
    low: float
    high: float
    shown: str
    colour: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Figures under one another; `words` say the same for those who do not see them."""

    id: str
    title: str
    words: str
    bars: tuple[Bar, ...]
    axis: tuple[tuple[float, str], ...]


@dataclass(frozen=True, slots=True)
class Plane:
    """The S-T curve (points) or the Rt-Ch point with its interval, in axis shares."""

    title: str
    words: str
    points: tuple[tuple[float, float], ...]
    end: str = ""
    """What the end of both axes stands for, minutes."""


def score(observation: Observation, length: Seconds, roles: Sequence[Role]) -> tuple[ScoreRow, ...]:
    """The rows of the timeline; none without one."""
    if not observation.timeline:
        return ()
    wide = timeline.row_length(length)
    merged = {role: of_role(observation.timeline, role) for role in roles}
    marks = view.question_marks(observation)
    found = []
    for start in range(0, max(1, math.ceil(length)), wide):
        heard = TimeSpan(start, max(start, min(length, start + wide)))

        def share(at: Seconds, start: int = start) -> float:
            return round((at - start) / wide, 5)

        found.append(
            ScoreRow(
                f"{clock(heard.start)}–{clock(heard.end)}",
                share(heard.end),
                tuple(
                    tuple(
                        (share(s.start), max(0.0008, round(s.duration / wide, 5)))
                        for s in intersection(merged[role], [heard])
                    )
                    for role in roles
                ),
                tuple((share(m.at), m.open) for m in marks if start <= m.at < start + wide),
                tuple(
                    (share(w.start), round(w.duration / wide, 5), w.kind, w.excluded is None)
                    for w in observation.waits
                    if start <= w.start < start + wide
                ),
                tuple((share(at), clock(at)) for at in _ticks(heard, wide)),
            )
        )
    return tuple(found)


def _ticks(heard: TimeSpan, wide: Seconds) -> Iterable[Seconds]:
    step = next((t for t in TICKS if wide / t <= 6), 7200)
    every = range(math.ceil(heard.start / step), math.floor(heard.end / step) + 1)
    return (i * step for i in every if i * step < heard.start + wide * 0.975)


def chart(measure: drawings.Measures, observation: Observation, text: Texts) -> Chart | None:
    """Values with intervals on one axis; None where no figure of the chart has a value."""
    valued = {i.name: i for i in observation.indicators if i.value is not None}
    shown = [valued[n] for n in measure.names if n in valued]
    if not shown or (measure.taxonomy is not None and not any(i.high for i in shown)):
        return None
    percent = CATALOGUE[measure.names[0]].percent
    most = 1.0 if percent else _round_up(max(i.high or i.value or 0.0 for i in shown))
    bars, words = [], []
    for item in shown:
        value = item.value or 0.0
        name = drawings.row_name(measure, item.name, text)
        place = measure.names.index(item.name)
        colour = measure.colours[place] if len(measure.colours) > 1 else "teacher"
        said = figures.formatted(item.name, value, text)
        span = figures.interval(item, text)
        low = value if item.low is None else item.low
        high = value if item.high is None else item.high
        bars.append(Bar(name, value / most, low / most, high / most, said, colour))
        words.append(
            text("chart.shares.row", name=name, value=said, interval=span)
            if span
            else text("chart.kinds.row", name=name, n=said)
        )
    steps = [0, 0.25, 0.5, 0.75, 1] if percent else [0, 0.5, 1]
    axis = tuple((s, f"{100 * s:.0f}%" if percent else f"{s * most:g}") for s in steps)
    said_all = text("list.semicolon").join(words) + text("list.stop")
    return Chart(measure.id, text(f"chart.{measure.id}"), said_all, tuple(bars), axis)


def _round_up(most: float) -> float:
    """The next even number of one digit times a power of ten: 2, 4, 6, 8, 10, 20, 40 …"""
    if most <= 2:
        return 2.0
    power = 10 ** math.floor(math.log10(most))
    return float(next(n * power for n in (1, 2, 4, 6, 8, 10) if n * power >= most))


def curve(observation: Observation, length: Seconds, text: Texts) -> Plane | None:
    """The S-T curve; None below two samples."""
    interval = drawings.st_interval(observation)
    points = st_curve(observation.timeline, length, interval) if observation.timeline else ()
    if len(points) < 2:
        return None
    last = points[-1]
    end = max(last.teacher_minutes, last.student_minutes, interval / 60)
    return Plane(
        text("chart.curve"),
        drawings.curve_words(points, interval, text),
        tuple(
            (round(p.teacher_minutes / end, 5), round(p.student_minutes / end, 5)) for p in points
        ),
        f"{end:.0f}",
    )


def triangle(observation: Observation, text: Texts) -> Plane | None:
    """The Rt-Ch point: (value, low end, high end) of both; None where one was not measured."""
    by_name = {i.name: i for i in observation.indicators}
    rt, ch = by_name.get("st_rt"), by_name.get("st_ch")
    if rt is None or ch is None or rt.value is None or ch.value is None:
        return None
    low = (rt.value if rt.low is None else rt.low, ch.value if ch.low is None else ch.low)
    high = (rt.value if rt.high is None else rt.high, ch.value if ch.high is None else ch.high)
    return Plane(
        text("chart.triangle"),
        drawings.triangle_words(rt, ch, text),
        ((rt.value, ch.value), low, high),
    )
