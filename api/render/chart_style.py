"""How every chart looks, and the ways from a spec to a drawing.

A spec's colours are CSS variables of the page (`INK`), so that one drawing serves the light and
the dark page and print; `resolved` puts real colours in where no style sheet reaches (PDF).
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import altair as alt
from altair.utils.schemapi import disable_debug_mode

# Altair checks each part of a chart against Vega-Lite's schema as it is made, which takes half of
# the time of drawing; whether whole charts fit the schema is a test's question.
disable_debug_mode()

Spec = dict[str, Any]

INK: Final[dict[str, str]] = {
    "teacher": "#1f5a94",
    "student": "#c8651b",
    "choral": "#2c7f6e",
    "group": "#7a5c99",
    "media": "#7d7468",
    "silence": "#b9b2a6",
    "ink": "#1d1b18",
    "muted": "#6a645b",
    "rule": "#d9d3c7",
    "wash": "#efeae0",
}
"""CSS variable → its colour on white paper; blue and orange stay apart for every eye."""


def ink(name: str) -> str:
    """The colour `name` as the page's CSS variable."""
    return f"var(--{name})"


def data(rows: Sequence[Mapping[str, object]]) -> alt.Data:
    """Rows written into the spec itself."""
    return alt.Data(values=list(rows))  # type: ignore[no-untyped-call]


def finished(chart: alt.LayerChart | alt.FacetChart, *, width: int, height: int) -> Spec:
    """The finished spec with the page's typography; keys sorted, no schema address."""
    drawn = chart.properties(width=width, height=height).configure(
        background="transparent",
        font="sans-serif",
        view=alt.ViewConfig(stroke=None),
        axis=alt.AxisConfig(
            labelColor=ink("ink"),
            titleColor=ink("muted"),
            gridColor=ink("rule"),
            domainColor=ink("muted"),
            tickColor=ink("muted"),
            labelFontSize=12,
            titleFontSize=12,
            titleFontWeight="normal",
            labelLimit=190,
        ),
        legend=alt.LegendConfig(labelColor=ink("ink"), labelFontSize=12, labelLimit=300),
        text=alt.MarkConfig(color=ink("ink")),
    )
    spec: Spec = drawn.to_dict(validate=False, context={"pre_transform": False})
    spec.pop("$schema", None)
    return spec


def resolved(spec: Spec, colours: dict[str, str] | None = None) -> Spec:
    """The spec with real colours instead of CSS variables, for drawings outside the page."""
    text = json.dumps(spec, ensure_ascii=False)
    for name, colour in (colours or INK).items():
        text = text.replace(f"var(--{name})", colour)
    result: Spec = json.loads(text)
    return result


def svg(spec: Spec) -> str:
    """The static drawing. Text stays text: the reader's fonts show it.

    Vega's roles and labels on every mark are left out: hundreds of them say less to a screen
    reader than the chart's text alternative does, which stands beside it.
    """
    import vl_convert

    drawn: str = vl_convert.vegalite_to_svg(spec, allowed_base_urls=[])
    return re.sub(r' (?:role|aria-[a-z]+)="[^"]*"', "", drawn)
