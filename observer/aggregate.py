"""Figures of many lessons as one: what a group of teachers does, and never what one of them does.

Lessons of one teacher are alike, so a teacher counts once, with the mean of their lessons: nobody
weighs more for being recorded more often, and nobody dominates a group. The group's figure is the
Harrell-Davis median of the teachers, its interval comes from resampling teachers. A plain median
(or quartile) of a few teachers *is* one teacher's figure; Harrell and Davis' is a mean of all of
them with weights, so no single figure is ever shown, and neither are the smallest and the largest.
A mean would be as anonymous, but it can be subtracted exactly from a larger group's mean, and it
follows one odd lesson.

What must not be shown is settled for all groups at once (`observer.disclosure`).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import floor, sqrt

import numpy as np
from numpy.typing import NDArray

from observer.disclosure import FEW, FEWEST, TIED, Cell, crossed, part_of, withheld
from observer.indicators import CATALOGUE, Missing

Floats = NDArray[np.float64]
FEWEST_FOR_QUARTILES = 4 * FEWEST
"""So that each quarter holds five teachers, too."""
ROUNDED_TO = 5
"""Numbers of lessons are rounded to this, as HESA and Ofqual do with counts: the day on which one
lesson joined cannot be read off."""
DRAWS = 1000
"""Bootstrap samples of teachers."""
_KEPT = 200
"""Teachers up to which the bootstrap is kept in memory: 0.3 MB each at most."""
METHOD = (
    "Harrell-Davis q=0.5 of teachers' means ± t(n−1)·SE, SE by bootstrap of teachers"
    f" draws={DRAWS} seed=0; fewest={FEWEST}; aggregate/1"
)


@dataclass(frozen=True, slots=True)
class Observed:
    """What was measured in one lesson."""

    teacher: str
    groups: tuple[str, ...]
    """Its value in each dimension; empty where it is not stated."""
    values: Mapping[str, float]
    """Indicator → value, of those that could be measured."""


@dataclass(frozen=True, slots=True)
class GroupSummary:
    """One indicator over a group of lessons: a figure of all its teachers, or why there is none."""

    indicator: str
    method: str = METHOD
    value: float | None = None
    """In the indicator's unit, like all that follow; rounded as the catalogue shows it."""
    low: float | None = None
    """95 % interval, `low`..`high`: how far it might lie off had other such teachers been seen."""
    high: float | None = None
    quartiles: tuple[float, float] | None = None
    """Between them lies the middle half of the teachers; None below `FEWEST_FOR_QUARTILES`."""
    teachers: int | None = None
    lessons: int | None = None
    """Rounded to `ROUNDED_TO`."""
    missing: Missing | None = None

    def __post_init__(self) -> None:
        if (self.value is None) == (self.missing is None):
            raise ValueError(f"{self.indicator}: needs a value or a reason for none, not both")
        if self.missing is not None and (self.teachers, self.lessons) != (None, None):
            raise ValueError(f"{self.indicator}: what is not shown is not counted either")


def harrell_davis(ordered: Floats, share: float) -> float:
    """The quantile `share` of values in ascending order, as a weighted mean of all of them.

    ``Σ wᵢ·x₍ᵢ₎`` with ``wᵢ = I(i/n) − I((i−1)/n)``, I the Beta distribution function with
    parameters ``q(n+1), (1−q)(n+1)``. Source: Harrell and Davis, Biometrika 1982, 69:635.
    """
    return float(ordered @ np.diff(_beta(len(ordered), share)))


def standard_error(ordered: Floats) -> float:
    """Standard error of the Harrell-Davis median, by bootstrap: the values are drawn anew.

    With one value a teacher this is the bootstrap of clusters (Davison and Hinkley, Bootstrap
    Methods, 1997, §3.8). Deterministic: the draws depend on the number of values alone.
    """
    n = len(ordered)
    centred = ordered - ordered.mean()
    if n > _KEPT:
        return float(np.std(_drawn_weights(n) @ centred, ddof=1))
    return sqrt(max(0.0, float(centred @ _covariance(n) @ centred)))


def summarise(indicator: str, means: Mapping[str, float], lessons: int) -> GroupSummary:
    """The figure of a group whose teachers have these means, over so many lessons.

    The interval is ``median ± t(n−1; .975)·SE``, cut to what the indicator can be. In simulations
    (benchmarks/aggregate_coverage.py) it holds the truth in 93 to 96 of 100 groups of 5 to 50
    teachers; percentiles of the same bootstrap do in 89 of 100 groups of five.
    """
    if len(means) < FEWEST:
        return GroupSummary(indicator, missing=FEW)
    from scipy.special import stdtrit

    entry = CATALOGUE[indicator]
    ordered = np.sort(np.fromiter(means.values(), dtype=float, count=len(means)))
    value = harrell_davis(ordered, 0.5)
    reach = float(stdtrit(len(ordered) - 1, 0.975)) * standard_error(ordered)
    most = 1.0 if entry.percent else float("inf")
    digits = entry.decimals + (2 if entry.percent else 0)
    quartiles = None
    if len(ordered) >= FEWEST_FOR_QUARTILES:
        quartiles = tuple(round(harrell_davis(ordered, q), digits) for q in (0.25, 0.75))
    return GroupSummary(
        indicator,
        value=round(value, digits),
        low=round(min(max(0.0, value - reach), value), digits),
        high=round(max(min(most, value + reach), value), digits),
        quartiles=quartiles,  # type: ignore[arg-type]
        teachers=len(ordered),
        lessons=ROUNDED_TO * floor(lessons / ROUNDED_TO + 0.5),
    )


class Grouping:
    """Lessons in groups of several dimensions; those that must not be shown are settled once.

    That is done for each indicator on its own, as each can be missing from other lessons.
    """

    def __init__(
        self, lessons: Iterable[Observed], indicators: Sequence[str], *, joint: bool
    ) -> None:
        """`joint`: all values of the first dimension together are a group, too."""
        self.indicators = tuple(indicators)
        self.joint = joint
        self.lessons = tuple(lessons)
        numbers = {t: n for n, t in enumerate(sorted({x.teacher for x in self.lessons}))}
        taught = {
            name: crossed(
                ((x.groups, 1 << numbers[x.teacher]) for x in self.lessons if name in x.values),
                joint=joint,
            )
            for name in self.indicators
        }
        everyone = ((x.groups, 1 << numbers[x.teacher]) for x in self.lessons if x.values)
        self._there = crossed(everyone, joint=joint)
        self._hidden: dict[str, Mapping[Cell, Missing]] = {}
        for name, there in taught.items():  # most indicators are there in the same lessons
            same = next((n for n in self._hidden if taught[n] == there), None)
            self._hidden[name] = self._hidden[same] if same else withheld(there, joint=joint)

    def known(self, dimension: int, within: Cell) -> list[str]:
        """Values of a dimension that may be named: those of at least `FEWEST` teachers `within`."""
        return [
            str(cell[dimension])
            for cell, teachers in self._there.items()
            if cell[dimension]
            and part_of(cell, dimension, None) == within
            and teachers.bit_count() >= FEWEST
        ]

    def table(
        self, cell: Cell, dimension: int | None = None, values: Collection[str] = ()
    ) -> dict[str | None, tuple[GroupSummary, ...]]:
        """The group `cell` under None, and its parts by `dimension` under each of `values`.

        One summary for each indicator, in their order. Parts without a lesson look like those
        with too few.
        """
        found: dict[str | None, list[Observed]] = {None: [], **{v: [] for v in values}}
        for lesson in self.lessons:
            if all(c is None or c == g for c, g in zip(cell, lesson.groups, strict=True)):
                found[None].append(lesson)
                if dimension is not None and lesson.groups[dimension] in found:
                    found[lesson.groups[dimension]].append(lesson)
        return {
            part: tuple(
                self._summary(name, part_of(cell, dimension, part), lessons)
                for name in self.indicators
            )
            for part, lessons in found.items()
        }

    def _summary(self, name: str, cell: Cell, lessons: Sequence[Observed]) -> GroupSummary:
        if cell[0] is None and not self.joint:
            return GroupSummary(name, missing=TIED)
        if (missing := self._hidden[name].get(cell)) is not None:
            return GroupSummary(name, missing=missing)
        values: dict[str, list[float]] = {}
        for lesson in lessons:
            if (value := lesson.values.get(name)) is not None:
                values.setdefault(lesson.teacher, []).append(value)
        means = {teacher: sum(v) / len(v) for teacher, v in values.items()}
        return summarise(name, means, sum(len(v) for v in values.values()))


@lru_cache(maxsize=512)
def _beta(n: int, share: float) -> Floats:
    """The Beta distribution function of `harrell_davis` at 0, 1/n … 1: ``(n + 1,)``."""
    from scipy.special import betainc

    return np.asarray(betainc(share * (n + 1), (1 - share) * (n + 1), np.arange(n + 1) / n))


def _drawn_weights(n: int) -> Floats:
    """What each of n ordered values weighs in the median of each bootstrap sample: (DRAWS, n)."""
    drawn = np.random.default_rng([0, n]).multinomial(n, np.full(n, 1 / n), size=DRAWS)
    reached = np.concatenate([np.zeros((DRAWS, 1), dtype=int), np.cumsum(drawn, axis=1)], axis=1)
    return np.diff(_beta(n, 0.5)[reached], axis=1)


@lru_cache(maxsize=64)
def _covariance(n: int) -> Floats:
    """Covariance of `_drawn_weights`: the bootstrap's variance is ``x · C · x``."""
    return np.asarray(np.cov(_drawn_weights(n), rowvar=False))
