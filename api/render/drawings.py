"""The charts of the page: each a spec, its static drawing, and the same in words with numbers."""

from collections.abc import Callable
from dataclasses import dataclass

from markupsafe import Markup

from api.render import charts, figures
from api.render.chart_style import Spec, svg
from api.render.charts import ShareRow
from api.render.texts import Texts
from observer.indicators.st import curve
from observer.observation import Observation
from observer.taxonomies import QUESTION_DEMAND, SIHE, Taxonomy
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


def all_drawings(observation: Observation, duration: Seconds, text: Texts) -> tuple[Drawing, ...]:
    """Every chart that the observation has figures for."""
    makers: tuple[Callable[[], Drawing | None], ...] = (
        lambda: _shares(observation, text),
        lambda: _curve(observation, duration, text),
        lambda: _triangle(observation, text),
        lambda: _waits(observation, text),
        lambda: _kinds(observation, QUESTION_DEMAND, text),
        lambda: _kinds(observation, SIHE, text),
    )
    return tuple(d for make in makers if (d := make()) is not None)


def _drawing(name: str, title: str, words: str, spec: Spec, *, stretches: bool) -> Drawing:
    return Drawing(name, title, words, spec, Markup(svg(spec)), stretches)


def _shares(observation: Observation, text: Texts) -> Drawing | None:
    by_name = {i.name: i for i in observation.indicators}
    rows, words = [], []
    for name, colour in SHARES:
        figure = by_name.get(name)
        if figure is None or figure.value is None:
            continue
        title = text(f"figure.{name}")
        rows.append(ShareRow(title, figure.value, figure.low, figure.high, colour))
        words.append(
            text(
                "chart.shares.row",
                name=title,
                value=figures.formatted(name, figure.value, text),
                interval=figures.interval(figure, text) or "–",
            )
        )
    if not rows:
        return None
    return _drawing(
        "shares",
        text("chart.shares"),
        text("list.semicolon").join(words) + text("list.stop"),
        charts.shares(rows, text),
        stretches=True,
    )


def _curve(observation: Observation, duration: Seconds, text: Texts) -> Drawing | None:
    interval = st_interval(observation)
    points = curve(observation.timeline, duration, interval) if observation.timeline else ()
    if len(points) < 2:
        return None
    last = points[-1]
    taught = round(last.teacher_minutes * 60 / interval)
    words = text(
        "chart.curve.words",
        interval=f"{interval:g}",
        n=len(points) - 1,
        t=taught,
        s=len(points) - 1 - taught,
        t_minutes=f"{last.teacher_minutes:.1f}",
        s_minutes=f"{last.student_minutes:.1f}",
    )
    spec = charts.st_curve(points, interval, text)
    return _drawing("st-curve", text("chart.curve"), words, spec, stretches=False)


def st_interval(observation: Observation) -> Seconds:
    """The sampling interval of the S-T analysis, seconds."""
    value = observation.provenance.settings.get("st_interval_seconds", 15.0)
    return float(value) if isinstance(value, int | float) and value > 0 else 15.0


def _triangle(observation: Observation, text: Texts) -> Drawing | None:
    by_name = {i.name: i for i in observation.indicators}
    rt, ch = by_name.get("st_rt"), by_name.get("st_ch")
    if rt is None or ch is None or rt.value is None or ch.value is None:
        return None
    words = text(
        "chart.triangle.words",
        rt=f"{rt.value:.2f}",
        rt_interval=figures.interval(rt, text) or "–",
        ch=f"{ch.value:.2f}",
        ch_interval=figures.interval(ch, text) or "–",
    )
    return _drawing(
        "rt-ch", text("chart.triangle"), words, charts.rt_ch(rt, ch, text), stretches=False
    )


def _waits(observation: Observation, text: Texts) -> Drawing | None:
    counted = [w for w in observation.waits if w.excluded is None]
    if not counted:
        return None
    longest = max(counted, key=lambda w: w.duration)
    words = text(
        "chart.waits.words",
        n=len(counted),
        first=sum(w.kind == 1 for w in counted),
        second=sum(w.kind == 2 for w in counted),
        long=sum(w.duration >= 3 for w in counted),
        longest=f"{longest.duration:.1f}",
    )
    spec = charts.waits_over_time(counted, (text("waits.1.short"), text("waits.2.short")), text)
    return _drawing("waits", text("chart.waits"), words, spec, stretches=True)


def _kinds(observation: Observation, taxonomy: Taxonomy, text: Texts) -> Drawing | None:
    form = observation.discourse.codes("question_form")
    codes = observation.discourse.codes(taxonomy.name)
    roles = {u.id: u.role for u in observation.transcript}
    real = [
        c
        for u, c in codes.items()
        if form.get(u, "real") == "real" and roles.get(u) in (Role.TEACHER, None)
    ]
    if not real:
        return None
    counts = [(c.code, real.count(c.code)) for c in taxonomy.codes]
    words = [
        text("chart.kinds.row", name=text.pick(zh=c.zh, en=c.en), n=real.count(c.code))
        for c in taxonomy.codes
    ]
    return _drawing(
        taxonomy.name.replace("_", "-"),
        text(f"chart.kinds.{taxonomy.name}", n=len(real)),
        text.list(words) + text("list.stop"),
        charts.kinds(taxonomy, counts, text),
        stretches=True,
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
