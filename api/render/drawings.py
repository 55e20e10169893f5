"""The charts of the page: each a spec, its static drawing, and the same in words with numbers."""

import gzip
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Final

from markupsafe import Markup

from api.render import charts, figures
from api.render.chart_style import Spec, svg
from api.render.charts import MeasureRow
from api.render.texts import Texts
from observer.discourse import Wait
from observer.indicators import Indicator
from observer.indicators.catalogue import CATALOGUE
from observer.indicators.st import CurvePoint, curve
from observer.observation import Observation
from observer.taxonomies import (
    INSTRUCTION,
    QUESTION_DEMAND,
    SIHE,
    STUDENT_MOVE,
    TEACHER_MOVE,
    Taxonomy,
)
from observer.timeline import Role, Seconds, of_role, total


@dataclass(frozen=True, slots=True)
class Drawing:
    """One chart. `stretches` when its interactive form takes the width of the column."""

    id: str
    title: str
    words: str
    spec: Spec
    static: Markup
    stretches: bool


SHARES = (
    ("teacher_share_of_speech", "teacher"),
    ("teacher_share_of_lesson", "teacher"),
    ("student_share_of_lesson", "student"),
    ("silence_share", "silence"),
)
"""Indicator and colour of each row of the talk chart."""
FEEDBACK_KINDS: Final = ("praise_only", "repeat", "follow_up", "correct", "none")


def all_drawings(observation: Observation, duration: Seconds, text: Texts) -> tuple[Drawing, ...]:
    """Every chart that the observation has figures for."""
    makers: tuple[Callable[[], Drawing | None], ...] = (
        *(partial(_measured, observation, chart, text) for chart in MEASURES[:1]),
        lambda: _curve(observation, duration, text),
        lambda: _triangle(observation, text),
        lambda: _waits(observation, text),
        *(partial(_measured, observation, chart, text) for chart in MEASURES[1:]),
    )
    return tuple(d for make in makers if (d := make()) is not None)


def packed(drawings: tuple[Drawing, ...]) -> bytes:
    """The charts as they are kept beside an observation: drawing them takes a second."""
    text = json.dumps([asdict(d) for d in drawings], ensure_ascii=False, sort_keys=True)
    return gzip.compress(text.encode(), 6, mtime=0)


def unpacked(kept: bytes) -> tuple[Drawing, ...]:
    """What `packed` was given."""
    rows = json.loads(gzip.decompress(kept))
    return tuple(Drawing(**{**row, "static": Markup(row["static"])}) for row in rows)


def _drawing(name: str, title: str, words: str, spec: Spec, *, stretches: bool) -> Drawing:
    return Drawing(name, title, words, spec, Markup(svg(spec)), stretches)


@dataclass(frozen=True, slots=True)
class Measures:
    """One chart of figures: which indicators, and how their rows are called."""

    id: str
    names: tuple[str, ...]
    colours: tuple[str, ...] = ("teacher",)
    """One for every row, or one for all."""
    taxonomy: Taxonomy | None = None
    """Whose codes' names stand at the rows (the indicator's name ends in the code)."""


def _kinds(stem: str, taxonomy: Taxonomy, *, end: str = "") -> tuple[str, ...]:
    return tuple(f"{stem}_{c}{end}" for c in taxonomy.names if c != "none" or stem == "uptake")


MEASURES: Final = (
    Measures("shares", tuple(n for n, _ in SHARES), tuple(c for _, c in SHARES)),
    Measures("question-demand", _kinds("questions_demand", QUESTION_DEMAND), (), QUESTION_DEMAND),
    Measures("sihe", _kinds("questions_sihe", SIHE), (), SIHE),
    Measures(
        "answered-by",
        tuple(f"answered_by_{by}" for by in ("student", "choral", "nobody", "teacher")),
        ("student", "choral", "silence", "teacher"),
    ),
    Measures("teacher-moves", _kinds("teacher_move", TEACHER_MOVE), (), TEACHER_MOVE),
    Measures("student-moves", _kinds("student_move", STUDENT_MOVE), ("student",) * 4, STUDENT_MOVE),
    Measures("instruction", _kinds("instruction", INSTRUCTION), (), INSTRUCTION),
    Measures(
        "feedback",
        tuple(f"feedback_{k}_share" for k in FEEDBACK_KINDS),
    ),
)


def _measured(observation: Observation, chart: Measures, text: Texts) -> Drawing | None:
    """Values with intervals as dots; None where no figure of the chart has a value."""
    by_name = {i.name: i for i in observation.indicators}
    rows, words = [], []
    for place, name in enumerate(chart.names):
        figure = by_name.get(name)
        if figure is None or figure.value is None:
            continue
        title = row_name(chart, name, text)
        colour = chart.colours[place] if len(chart.colours) > 1 else "teacher"
        shown = figures.formatted(name, figure.value, text)
        rows.append(MeasureRow(title, figure.value, figure.low, figure.high, colour, shown))
        span = figures.interval(figure, text)
        words.append(
            text("chart.shares.row", name=title, value=shown, interval=span)
            if span
            else text("chart.kinds.row", name=title, n=shown)
        )
    if not rows or (chart.taxonomy is not None and not any(r.high for r in rows)):
        return None
    percent = CATALOGUE[chart.names[0]].percent
    return _drawing(
        chart.id,
        text(f"chart.{chart.id}"),
        text("list.semicolon").join(words) + text("list.stop"),
        charts.measures(rows, text, percent=percent),
        stretches=True,
    )


def row_name(chart: Measures, name: str, text: Texts) -> str:
    """How the figure `name` is called in its chart."""
    if chart.taxonomy is not None:
        code = next(c for c in chart.taxonomy.codes if name.endswith(f"_{c.code}"))
        return text.pick(zh=code.zh, en=code.en)
    return text(f"figure.{name}")


def _curve(observation: Observation, duration: Seconds, text: Texts) -> Drawing | None:
    interval = st_interval(observation)
    points = curve(observation.timeline, duration, interval) if observation.timeline else ()
    if len(points) < 2:
        return None
    words = curve_words(points, interval, text)
    spec = charts.st_curve(points, interval, text)
    return _drawing("st-curve", text("chart.curve"), words, spec, stretches=False)


def curve_words(points: Sequence[CurvePoint], interval: Seconds, text: Texts) -> str:
    """The S-T curve in words: how many samples, how many of each."""
    last = points[-1]
    taught = round(last.teacher_minutes * 60 / interval)
    return text(
        "chart.curve.words",
        interval=f"{interval:g}",
        n=len(points) - 1,
        t=taught,
        s=len(points) - 1 - taught,
        t_minutes=f"{last.teacher_minutes:.1f}",
        s_minutes=f"{last.student_minutes:.1f}",
    )


def st_interval(observation: Observation) -> Seconds:
    """The sampling interval of the S-T analysis, seconds."""
    value = observation.provenance.settings.get("st_interval_seconds", 15.0)
    return float(value) if isinstance(value, int | float) and value > 0 else 15.0


def _triangle(observation: Observation, text: Texts) -> Drawing | None:
    by_name = {i.name: i for i in observation.indicators}
    rt, ch = by_name.get("st_rt"), by_name.get("st_ch")
    if rt is None or ch is None or rt.value is None or ch.value is None:
        return None
    words = triangle_words(rt, ch, text)
    return _drawing(
        "rt-ch", text("chart.triangle"), words, charts.rt_ch(rt, ch, text), stretches=False
    )


def triangle_words(rt: Indicator, ch: Indicator, text: Texts) -> str:
    """The Rt–Ch point in words, with both intervals."""
    return text(
        "chart.triangle.words",
        rt=f"{rt.value:.2f}",
        rt_interval=figures.interval(rt, text) or "–",
        ch=f"{ch.value:.2f}",
        ch_interval=figures.interval(ch, text) or "–",
    )


def _waits(observation: Observation, text: Texts) -> Drawing | None:
    counted = [w for w in observation.waits if w.excluded is None]
    if not counted:
        return None
    words = waits_words(counted, text)
    spec = charts.waits_over_time(counted, (text("waits.1.short"), text("waits.2.short")), text)
    return _drawing("waits", text("chart.waits"), words, spec, stretches=True)


def waits_words(counted: Sequence[Wait], text: Texts) -> str:
    """Counted waits in words; at least one."""
    return text(
        "chart.waits.words",
        n=len(counted),
        first=sum(w.kind == 1 for w in counted),
        second=sum(w.kind == 2 for w in counted),
        long=sum(w.duration >= 3 for w in counted),
        longest=f"{max(w.duration for w in counted):.1f}",
    )


def score_words(observation: Observation, duration: Seconds, text: Texts) -> str:
    """The timeline in words: how long each role is heard."""
    if not observation.timeline or duration <= 0:
        return text("timeline.nothing")
    parts = []
    for role in Role:
        seconds = total(of_role(observation.timeline, role))
        if seconds > 0:
            parts.append(
                text(
                    "timeline.role",
                    role=text(f"role.{role.value}"),
                    length=text.length(seconds),
                    share=text.percent(seconds / duration),
                )
            )
    return text.list(parts) + text("list.stop")
