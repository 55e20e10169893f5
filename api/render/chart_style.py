"""How every chart looks, and the way from a spec to a drawing.

A spec's colours are CSS variables of the page (`ink`), so that one drawing serves the light and
the dark page and print.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
from altair.utils.schemapi import disable_debug_mode

# Altair checks each part of a chart against Vega-Lite's schema as it is made, which takes half of
# the time of drawing; whether whole charts fit the schema is a test's question.
disable_debug_mode()

Spec = dict[str, Any]


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


def svg(spec: Spec) -> str:
    """The static drawing. Text stays text: the reader's fonts show it.

    Vega's roles and labels on every mark are left out: hundreds of them say less to a screen
    reader than the chart's text alternative does, which stands beside it.
    """
    import vl_convert

    drawn: str = vl_convert.vegalite_to_svg(spec, allowed_base_urls=[])
    return re.sub(r' (?:role|aria-[a-z]+)="[^"]*"', "", drawn)
