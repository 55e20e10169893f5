"""Indicators as they are read: name, value with unit, interval, n."""

import re
from dataclasses import dataclass

from api.render.evidence import Evidence, Proof
from api.render.texts import Texts
from observer.indicators import Indicator
from observer.indicators.catalogue import CATALOGUE
from observer.observation import Observation

SHOWN = 3
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
    """In the words of the page's language."""
    formula: str
    missing: str | None
    proofs: tuple[Proof, ...]
    more: int
    family: str
    """Which of observer.indicators' modules measured it."""
    uncorrected: str | None
    """What was counted before correction, where the value is corrected."""

    @property
    def is_rate(self) -> bool:
        """Whether it is reckoned per ten minutes."""
        return self.key.endswith("_per_10_min")


def formatted(name: str, value: float, text: Texts, *, unit: bool = True) -> str:
    """A value of the indicator `name` as the catalogue says it is shown."""
    entry = CATALOGUE[name]
    if entry.unit_en == "s" and unit and value >= 120:
        return text("minutes", value=f"{value / 60:.1f}")
    shown = f"{value * (100 if entry.percent else 1):.{entry.decimals}f}"
    sign = text.pick(zh=entry.unit_zh, en=entry.unit_en) if unit else ""
    return f"{shown}%" if entry.percent else f"{shown} {sign}".strip()


def interval(figure: Indicator, text: Texts) -> str | None:
    """The 95 % interval as "57%–66%", or None where there is none."""
    if figure.low is None or figure.high is None:
        return None
    # The unit stands once, at the end, unless seconds turn into minutes or the sign is short.
    plain = not CATALOGUE[figure.name].percent and figure.high < 120
    low = formatted(figure.name, figure.low, text, unit=not plain)
    high = formatted(figure.name, figure.high, text)
    return low if low == high else f"{low}–{high}"


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
        None if figure.value is None else formatted(figure.name, figure.value, text),
        interval(figure, text),
        figure.n,
        text.pick(zh=CATALOGUE[figure.name].method_zh, en=CATALOGUE[figure.name].method_en),
        figure.method,
        None if figure.missing is None else text.pick(zh=figure.missing.zh, en=figure.missing.en),
        tuple(evidence(e) for e in known[:SHOWN]),
        max(0, len(known) - SHOWN),
        _family(figure),
        None
        if figure.uncorrected is None
        else formatted(figure.name, figure.uncorrected, text, unit=False),
    )


def _family(figure: Indicator) -> str:
    """The rules named in its method ("waits/1")."""
    found = re.findall(r"\b([a-z]+)/\d", figure.method)
    return next((f for f in reversed(found) if f != "taxonomies"), "talk")


def named(name: str, text: Texts) -> tuple[str, str]:
    """(name, meaning) of an indicator."""
    entry = CATALOGUE[name]
    return (
        text.pick(zh=entry.zh, en=entry.en),
        text.pick(zh=entry.about_zh, en=entry.about_en),
    )
