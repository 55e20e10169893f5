"""The charts as Vega-Lite specs, built with Altair.

Every chart comes with a text alternative made by its caller from the same figures.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt

from api.render.chart_style import Spec, data, finished, ink
from api.render.texts import Texts, clock
from observer.discourse import Wait
from observer.indicators import Indicator
from observer.indicators.st import CurvePoint
from observer.timeline import Seconds


@dataclass(frozen=True, slots=True)
class MeasureRow:
    """One row of a chart of figures: a value with its 95 % interval."""

    name: str
    value: float
    low: float | None
    high: float | None
    colour: str
    words: str
    """The value as it is read."""


def measures(rows: Sequence[MeasureRow], text: Texts, *, percent: bool) -> Spec:
    """Dots with 95 % intervals, one row a figure; shares on a 0–100 % axis, numbers from 0."""
    values = [
        {
            "name": r.name,
            "value": r.value,
            "low": r.value if r.low is None else r.low,
            "high": r.value if r.high is None else r.high,
            "colour": ink(r.colour),
            "words": r.words,
        }
        for r in rows
    ]
    y = alt.Y(
        "name:N",
        sort=None,
        title=None,
        axis=alt.Axis(domain=False, ticks=False, grid=False, labelPadding=14),
    )
    most = max((r.value if r.high is None else r.high for r in rows), default=1.0)
    x = alt.X(
        "low:Q",
        title=None,
        scale=alt.Scale(domain=[0, 1] if percent else [0, max(1.0, most)], nice=not percent),
        axis=alt.Axis(format="%", values=[0, 0.25, 0.5, 0.75, 1])
        if percent
        else alt.Axis(tickCount=5, tickMinStep=1),
    )
    form = ".1%" if percent else ".1f"
    tip = [
        alt.Tooltip("name:N", title=text("chart.figure")),
        alt.Tooltip("value:Q", format=form, title=text("chart.value")),
        alt.Tooltip("low:Q", format=form, title=text("chart.low")),
        alt.Tooltip("high:Q", format=form, title=text("chart.high")),
    ]
    base = alt.Chart(data(values)).encode(y=y, tooltip=tip)
    colour = alt.Color("colour:N", scale=None)
    bar = base.mark_bar(height=9, opacity=0.32, cornerRadius=2).encode(
        x=x, x2=alt.X2("high:Q"), color=colour
    )
    dot = base.mark_point(filled=True, size=95, opacity=1).encode(x=alt.X("value:Q"), color=colour)
    word = base.mark_text(dy=-13, fontWeight="bold", fontSize=12).encode(
        x=alt.X("value:Q"), text=alt.Text("words:N")
    )
    return finished(alt.layer(bar, dot, word), width=420 if percent else 320, height=44 * len(rows))


def waits_over_time(waits: Sequence[Wait], names: Sequence[str], text: Texts) -> Spec:
    """One stem a wait: when in the lesson, how long; the 3 s line; a click plays it.

    `names` are the labels of kinds 1 and 2. Waits longer than 12 s are drawn at 12 s and
    keep their true length in the tooltip.
    """
    values = [
        {
            "minute": w.start / 60.0,
            "seconds": min(w.duration, 12.0),
            "length": round(w.duration, 1),
            "kind": names[w.kind - 1],
            "at": clock(w.start),
            "play": w.id,
        }
        for w in waits
    ]
    base = alt.Chart(data(values)).encode(
        x=alt.X(
            "minute:Q",
            title=text("chart.minute"),
            axis=alt.Axis(grid=False, tickCount=8),
            scale=alt.Scale(nice=False),
        ),
        y=alt.Y("seconds:Q", title=text("chart.seconds"), axis=alt.Axis(tickCount=5)),
        tooltip=[
            alt.Tooltip("at:N", title=text("chart.at")),
            alt.Tooltip("length:Q", title=text("chart.seconds")),
            alt.Tooltip("kind:N", title=text("chart.kind")),
        ],
    )
    kinds = alt.Color(
        "kind:N",
        scale=alt.Scale(domain=list(names), range=[ink("teacher"), ink("student")]),
        legend=alt.Legend(title=None, orient="top", offset=4),
    )
    shape = alt.Shape(
        "kind:N",
        scale=alt.Scale(domain=list(names), range=["circle", "diamond"]),
        legend=alt.Legend(title=None, orient="top", offset=4),
    )
    stem = base.mark_rule(opacity=0.45).encode(y2=alt.datum(0), color=kinds)
    head = base.mark_point(filled=True, size=52, opacity=0.95, cursor="pointer").encode(
        color=kinds, shape=shape
    )
    aim = alt.Chart(data([{"s": 3, "t": text("chart.three_seconds")}]))
    line = aim.mark_rule(strokeDash=[5, 4], color=ink("ink"), opacity=0.7).encode(y=alt.Y("s:Q"))
    word = aim.mark_text(align="left", dy=-7, dx=4, color=ink("muted"), fontSize=11).encode(
        y=alt.Y("s:Q"), x=alt.value(0), text=alt.Text("t:N")
    )
    return finished(alt.layer(stem, line, word, head), width=620, height=210)


def st_curve(curve: Sequence[CurvePoint], interval: Seconds, text: Texts) -> Spec:
    """Minutes of T to the right, minutes of S upwards, one step a sample; click to play."""
    points = [
        {
            "i": i,
            "t": p.teacher_minutes,
            "s": p.student_minutes,
            "at": clock(max(0.0, p.time - interval)),
            "seconds": max(0.0, p.time - interval),
        }
        for i, p in enumerate(curve)
    ]
    end = max(curve[-1].teacher_minutes, curve[-1].student_minutes, interval / 60)
    axis = alt.Scale(domain=[0, end], nice=False)
    base = alt.Chart(data(points)).encode(
        x=alt.X("t:Q", title=text("chart.t_minutes"), scale=axis, axis=alt.Axis(tickCount=5)),
        y=alt.Y("s:Q", title=text("chart.s_minutes"), scale=axis, axis=alt.Axis(tickCount=5)),
        order=alt.Order("i:Q"),
    )
    equal = (
        alt.Chart(data([{"a": 0, "b": end}]))
        .mark_rule(strokeDash=[3, 4], color=ink("muted"))
        .encode(x=alt.X("a:Q"), y=alt.Y("a:Q"), x2=alt.X2("b:Q"), y2=alt.Y2("b:Q"))
    )
    line = base.mark_line(color=ink("teacher"), strokeWidth=2.2)
    dots = base.mark_point(filled=True, size=42, opacity=0, cursor="pointer").encode(
        tooltip=[
            alt.Tooltip("at:N", title=text("chart.at")),
            alt.Tooltip("t:Q", format=".1f", title=text("chart.t_minutes")),
            alt.Tooltip("s:Q", format=".1f", title=text("chart.s_minutes")),
        ]
    )
    return finished(alt.layer(equal, line, dots), width=250, height=250)


def rt_ch(rt: Indicator, ch: Indicator, text: Texts) -> Spec:
    """The Rt–Ch triangle with its four fields, the lesson's point and its 95 % intervals."""
    edge: list[dict[str, object]] = [
        {"i": 0, "x": 0, "y": 0},
        {"i": 1, "x": 0.5, "y": 1},
        {"i": 2, "x": 1, "y": 0},
    ]
    cuts = [
        {"x": 0.3, "y": 0.0, "x2": 0.3, "y2": 0.6},
        {"x": 0.7, "y": 0.0, "x2": 0.7, "y2": 0.6},
        {"x": 0.3, "y": 0.4, "x2": 0.7, "y2": 0.4},
    ]
    fields: list[dict[str, object]] = [
        {"x": 0.15, "y": 0.07, "t": text("st.type.practice")},
        {"x": 0.85, "y": 0.07, "t": text("st.type.lecture")},
        {"x": 0.5, "y": 0.07, "t": text("st.type.mixed")},
        {"x": 0.5, "y": 0.62, "t": text("st.type.dialogue")},
    ]
    unit = alt.Scale(domain=[0, 1])
    x = alt.X("x:Q", title="Rt", scale=unit, axis=alt.Axis(grid=False, tickCount=5))
    y = alt.Y("y:Q", title="Ch", scale=unit, axis=alt.Axis(grid=False, tickCount=5))
    triangle = alt.Chart(data(edge)).mark_area(color=ink("wash"), opacity=1).encode(x=x, y=y)
    border = (
        alt.Chart(data(edge))
        .mark_line(color=ink("muted"), strokeWidth=1.2)
        .encode(x=alt.X("x:Q"), y=alt.Y("y:Q"), order=alt.Order("i:Q"))
    )
    cut = (
        alt.Chart(data(cuts))
        .mark_rule(color=ink("muted"), strokeDash=[2, 3], opacity=0.7)
        .encode(x=alt.X("x:Q"), y=alt.Y("y:Q"), x2=alt.X2("x2:Q"), y2=alt.Y2("y2:Q"))
    )
    name = (
        alt.Chart(data(fields))
        .mark_text(color=ink("muted"), fontSize=11)
        .encode(x=alt.X("x:Q"), y=alt.Y("y:Q"), text=alt.Text("t:N"))
    )
    return finished(alt.layer(triangle, border, cut, name, *_point(rt, ch)), width=290, height=250)


def _point(rt: Indicator, ch: Indicator) -> list[alt.Chart]:
    value = {
        "x": rt.value,
        "y": ch.value,
        "xl": rt.value if rt.low is None else rt.low,
        "xh": rt.value if rt.high is None else rt.high,
        "yl": ch.value if ch.low is None else ch.low,
        "yh": ch.value if ch.high is None else ch.high,
    }
    base = alt.Chart(data([value]))
    wide = base.mark_rule(color=ink("student"), strokeWidth=3, opacity=0.6)
    tall = base.mark_rule(color=ink("student"), strokeWidth=3, opacity=0.6)
    dot = base.mark_point(filled=True, size=110, color=ink("student"), opacity=1)
    tip = [
        alt.Tooltip("x:Q", format=".2f", title="Rt"),
        alt.Tooltip("y:Q", format=".2f", title="Ch"),
    ]
    return [
        wide.encode(x=alt.X("xl:Q"), x2=alt.X2("xh:Q"), y=alt.Y("y:Q")),
        tall.encode(x=alt.X("x:Q"), y=alt.Y("yl:Q"), y2=alt.Y2("yh:Q")),
        dot.encode(x=alt.X("x:Q"), y=alt.Y("y:Q"), tooltip=tip),
    ]
