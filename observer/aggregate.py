"""Figures of many lessons as one: what a group of teachers does, and never what one of them does.

Lessons of one teacher are alike, so a teacher counts once, with the mean of their lessons: nobody
weighs more for being recorded more often, and nobody dominates a group. The group's figure is the
Harrell-Davis median of the teachers, its interval comes from resampling teachers. A plain median
(or quartile) of a few teachers *is* one teacher's figure; Harrell and Davis' is a mean of all of
them with weights, so no single figure is ever shown, and neither are the smallest and the largest.
A mean would be as anonymous, but it can be subtracted exactly from a larger group's mean, and it
follows one odd lesson.

What must not be shown is settled for all groups at once (`Grouping`), not for the one asked for.
"""

from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import floor, sqrt

import numpy as np
from numpy.typing import NDArray

from observer.indicators import CATALOGUE, Missing

Floats = NDArray[np.float64]
Cell = tuple[str | None, ...]
"""A group of lessons: one value for each dimension, None where any value will do."""

FEWEST = 5
"""Teachers in a group that is shown. The threshold rule with n = 5: no figure stands for fewer than
five people. Schools that publish figures use 5 to 30 (NCES 2011-603, Statistical Methods for
Protecting Personally Identifiable Information in Aggregate Reporting; FCSM, Statistical Policy
Working Paper 22, ch. 2). Five because a subject group of a school is seldom larger, and because
nothing is shown here that comes from fewer than all of them."""
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
FEW = Missing(
    en=f"Fewer than {FEWEST} teachers: no figure, so that nobody can be recognised.",
    zh=f"不足{FEWEST}位教师：为避免识别出个人，不显示数据。",
)
TIED = Missing(
    en="Not shown, because a group with too few teachers could be worked out from it by"
    " subtraction.",
    zh="不显示：否则可以通过相减推算出人数不足的组的数据。",
)
FEW_FOR_QUARTILES = Missing(
    en=f"Shown from {FEWEST_FOR_QUARTILES} teachers on.",
    zh=f"满{FEWEST_FOR_QUARTILES}位教师时显示。",
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
    """Lessons in groups of several dimensions, and which groups must not be shown.

    A group is hidden when it has fewer than `FEWEST` teachers. It is hidden, too, when such a one
    could be had by subtraction: of the parts of a group that is shown, those that are hidden must
    be at least two and have `FEWEST` teachers between them; of one that is hidden, not all parts
    may be shown. Otherwise the smallest part that is still shown is hidden as well, and where
    none is left, the group itself (complementary suppression: FCSM Working Paper 22, ch. 4).
    This is done for every group that can be asked for, until nothing changes, so that two
    questions do not tell what one would not; and for each indicator on its own, as each can be
    missing from other lessons. What it leaves open is in docs/decisions/0014-group-figures.md.
    """

    def __init__(
        self, lessons: Iterable[Observed], indicators: Sequence[str], *, joint: bool
    ) -> None:
        """`joint`: all values of the first dimension together are a group, too.

        Each value of it is looked at alone first: who sees but one of them is not kept from
        anything for the sake of its neighbours.
        """
        self.indicators = tuple(indicators)
        self.joint = joint
        self.lessons = tuple(lessons)
        numbers = {t: n for n, t in enumerate(sorted({x.teacher for x in self.lessons}))}
        self._there = _crossed(self.lessons, numbers, self.indicators, joint)
        self._hidden: dict[str, Mapping[Cell, Missing]] = {}
        known: list[tuple[dict[Cell, int], Mapping[Cell, Missing]]] = []
        for name in self.indicators:
            taught = _crossed(self.lessons, numbers, (name,), joint)
            same = next((hidden for there, hidden in known if there == taught), None)
            if same is None:
                same = withheld(taught, joint=joint)
                known.append((taught, same))
            self._hidden[name] = same

    def known(self, dimension: int, within: Cell) -> list[str]:
        """Values of a dimension that may be named: those of at least `FEWEST` teachers `within`."""
        return [
            str(cell[dimension])
            for cell, teachers in self._there.items()
            if cell[dimension]
            and _part(cell, dimension, None) == within
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
                self._summary(name, _part(cell, dimension, part), lessons)
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


def withheld(taught: Mapping[Cell, int], *, joint: bool) -> Mapping[Cell, Missing]:
    """The cells that must not be shown, each with the reason; see `Grouping`.

    `taught` has every cell that holds a lesson, with its teachers as bits of a number.
    """
    hidden = {cell: FEW for cell, teachers in taught.items() if teachers.bit_count() < FEWEST}
    width = len(next(iter(taught), ()))
    _protect(taught, hidden, range(1, width))
    if joint:
        _protect(taught, hidden, range(width))
    return hidden


def _protect(
    taught: Mapping[Cell, int], hidden: dict[Cell, Missing], dimensions: Iterable[int]
) -> None:
    """Hide more cells, until nothing that is hidden can be had by subtraction."""
    tables: dict[tuple[Cell, int], list[Cell]] = {}
    touched: dict[Cell, list[tuple[Cell, int]]] = {}
    for cell in sorted(taught, key=_order):
        for d in dimensions:
            whole = _part(cell, d, None)
            if cell[d] is not None and whole in taught:
                table = (whole, d)
                if table not in tables:
                    touched.setdefault(whole, []).append(table)
                tables.setdefault(table, []).append(cell)
                touched.setdefault(cell, []).append(table)
    waiting = deque(t for cell in sorted(hidden, key=_order) for t in touched.get(cell, ()))
    while waiting:
        table = waiting.popleft()
        while (victim := _next_hidden(taught, hidden, table[0], tables[table])) is not None:
            hidden[victim] = TIED
            waiting.extend(touched.get(victim, ()))


def _next_hidden(
    taught: Mapping[Cell, int], hidden: Mapping[Cell, Missing], whole: Cell, parts: list[Cell]
) -> Cell | None:
    """What has to be hidden next, so that `whole` and its parts do not tell one another."""
    gone = [part for part in parts if part in hidden]
    left = [part for part in parts if part not in hidden]
    together = 0
    for part in gone:
        together |= taught[part]
    if whole in hidden:
        safe = bool(gone)  # the parts must not add up to what is hidden
    else:
        safe = not gone or (len(gone) > 1 and together.bit_count() >= FEWEST)
    if safe:
        return None
    return min(left, key=lambda p: (taught[p].bit_count(), _order(p))) if left else whole


def _crossed(
    lessons: Iterable[Observed], numbers: Mapping[str, int], indicators: Sequence[str], joint: bool
) -> dict[Cell, int]:
    """Each cell with its teachers: of lessons in which one of `indicators` was measured."""
    found: dict[Cell, int] = {}
    for lesson in lessons:
        if any(name in lesson.values for name in indicators):
            bit = 1 << numbers[lesson.teacher]
            found[lesson.groups] = found.get(lesson.groups, 0) | bit
    for d in range(0 if joint else 1, len(next(iter(found), ()))):
        wider: dict[Cell, int] = {}
        for cell, teachers in found.items():
            whole = _part(cell, d, None)
            wider[whole] = wider.get(whole, 0) | teachers
        found |= wider
    return found


def _part(cell: Cell, dimension: int | None, value: str | None) -> Cell:
    if dimension is None:
        return cell
    return (*cell[:dimension], value, *cell[dimension + 1 :])


def _order(cell: Cell) -> tuple[tuple[bool, str], ...]:
    return tuple((value is not None, value or "") for value in cell)


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
