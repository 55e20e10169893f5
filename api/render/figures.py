"""Indicators as they are read: name, value with unit, interval, n."""

from collections.abc import Mapping
from dataclasses import dataclass

from api.render.evidence import Evidence, Proof
from api.render.texts import Texts
from observer.indicators import Indicator
from observer.observation import Observation

SHOWN = 5
"""Pieces of evidence beside an indicator; the rest are counted."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table of indicators."""

    key: str
    name: str
    meaning: str
    value: str | None
    interval: str | None
    n: int
    method: str
    missing: str | None
    proofs: tuple[Proof, ...]
    more: int


def formatted(value: float, unit: str, text: Texts) -> str:
    """A value with its unit as the language writes it."""
    if unit == "share":
        return f"{100 * value:.1f}%"
    if unit in ("s", "seconds"):
        if value >= 120:
            return text("minutes", value=f"{value / 60:.1f}")
        return text("seconds", value=f"{value:.1f}")
    if unit == "count":
        return f"{value:.0f}" if value == int(value) else f"{value:.1f}"
    if unit in ("ratio", "1", ""):
        return f"{value:.2f}"
    digits = 0 if abs(value) >= 20 else 1
    return f"{value:.{digits}f} {text.known(f'unit.{unit}', unit)}"


def interval(figure: Indicator, text: Texts) -> str | None:
    """The 95 % interval as "57%–66%", or None where there is none."""
    if figure.low is None or figure.high is None:
        return None
    return (
        f"{formatted(figure.low, figure.unit, text)} – {formatted(figure.high, figure.unit, text)}"
    )


def rows(observation: Observation, evidence: Evidence, text: Texts) -> list[Row]:
    """Every indicator of the observation, in its order."""
    return [_row(figure, evidence, text) for figure in observation.indicators]


def _row(figure: Indicator, evidence: Evidence, text: Texts) -> Row:
    name, meaning = named(figure.name, text)
    known = [e for e in figure.evidence if e in evidence]
    return Row(
        figure.name,
        name,
        meaning,
        None if figure.value is None else formatted(figure.value, figure.unit, text),
        interval(figure, text),
        figure.n,
        figure.method,
        None if figure.missing is None else text.pick(zh=figure.missing.zh, en=figure.missing.en),
        tuple(evidence(e) for e in known[:SHOWN]),
        max(0, len(known) - SHOWN),
    )


def named(name: str, text: Texts) -> tuple[str, str]:
    """(name, meaning) of an indicator; its key and "" where the catalogue lacks it."""
    from observer import indicators

    catalogue: Mapping[str, object] = getattr(indicators, "CATALOGUE", {})
    entry = catalogue.get(name)
    title = getattr(entry, text.language, name.replace("_", " "))
    return str(title), str(getattr(entry, f"definition_{text.language}", ""))


def headline(value: float, unit: str, text: Texts) -> str:
    """A value for large type: whole per cents, no more digits than can be trusted."""
    return text.percent(value) if unit == "share" else formatted(value, unit, text)
