"""Turns in time: how often each side takes the floor, and for how long.

A turn is a run of speech of one side – the teacher, or the students together, since single
students are not told apart – that the other side does not interrupt; a pause of more than
`PAUSE` or a playback ends it too. Its length is the speech in it, pauses left out.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from observer.indicators import Indicator, Missing
from observer.indicators.basis import (
    NO_TIMES,
    STUDENTS,
    Basis,
    absent,
    figure,
    simulated,
)
from observer.reliability import Floats
from observer.role_errors import ROLES, RoleDraws
from observer.timeline import Role, Seconds
from observer.transcript import Utterance

RULES = "turns/1"
PAUSE: Seconds = 10.0
BANDS: tuple[tuple[str, float, float], ...] = (
    ("student_turns_under_2_s", 0, 2),
    ("student_turns_2_to_4_s", 2, 4),
    ("student_turns_4_to_10_s", 4, 10),
    ("student_turns_10_to_30_s", 10, 30),
    ("student_turns_over_30_s", 30, np.inf),
)
"""Student turns by length, seconds, ``[low, high)`` (FIELD.md §1)."""
_NO_TURNS = Missing("This side has no turn.", "这一方没有发言。")
_SIDE = np.array([0 if r is Role.TEACHER else 1 if r in STUDENTS else 2 for r in ROLES])
_SIDES = (("teacher", 0), ("student", 1))
_COUNTS = {"teacher": "n_T", "student": "n_S"}


def indicators(basis: Basis) -> list[Indicator]:
    """Counts, lengths and bands of turns; without times only the counts."""
    if not basis.timed:
        return _untimed(basis)
    turns = _Turns(basis.draws)
    found = [
        simulated(
            f"{who}_turns",
            "count",
            turns.count(side),
            turns.n(side),
            _how(_COUNTS[who], basis),
            _ids(basis, turns, side),
        )
        for who, side in _SIDES
    ]
    for who, side in _SIDES:
        for name, values in (("median", turns.median(side)), ("mean", turns.mean(side))):
            found.append(
                simulated(
                    f"{who}_turn_{name}",
                    "s",
                    values,
                    turns.n(side),
                    _how(f"{name}(d_{who[0].upper()})", basis),
                    _ids(basis, turns, side, longest=True),
                    _NO_TURNS,
                )
            )
    return found + [_band(basis, turns, *band) for band in BANDS]


def _band(basis: Basis, turns: "_Turns", name: str, low: float, high: float) -> Indicator:
    how = _how(_band_formula(low, high), basis)
    evidence = _ids(basis, turns, 1, low, high)
    return simulated(name, "count", turns.count(1, low, high), turns.n(1), how, evidence)


def _how(formula: str, basis: Basis) -> str:
    return f"{formula}; pause≤{PAUSE:g}s; {basis.by}; ci95=simulated; {RULES}"


def _band_formula(low: float, high: float) -> str:
    return f"#{{d_S ≥ {low:g} s}}" if high == np.inf else f"#{{{low:g} s ≤ d_S < {high:g} s}}"


def _ids(
    basis: Basis,
    turns: "_Turns",
    side: int,
    low: float = 0,
    high: float = np.inf,
    *,
    longest: bool = False,
) -> list[str]:
    """Ids of the first spans of the turns as found; only the five longest if asked."""
    chosen = turns.found(side, low, high)
    if longest:
        chosen = sorted(sorted(chosen, key=lambda t: (-t[1], t[0]))[:5])
    return [basis.span_ids[basis.draws.positions[first]] for first, _ in chosen]


@dataclass(frozen=True, slots=True)
class _Runs:
    """Every turn of every draw, flattened."""

    draw: NDArray[np.intp]
    side: NDArray[np.intp]
    first: NDArray[np.intp]
    seconds: Floats


class _Turns:
    """The turns of a timeline and of its simulated alternatives (row 0: as found)."""

    def __init__(self, draws: RoleDraws) -> None:
        self.rows = len(draws.roles)
        self.runs = _runs(draws)

    def _mask(self, side: int, low: float, high: float) -> NDArray[np.bool_]:
        runs = self.runs
        return np.asarray((runs.side == side) & (runs.seconds >= low) & (runs.seconds < high))

    def count(self, side: int, low: float = 0, high: float = np.inf) -> Floats:
        """(d+1,) number of turns of a side with ``low ≤ seconds < high``."""
        chosen = self.runs.draw[self._mask(side, low, high)]
        return np.bincount(chosen, minlength=self.rows).astype(float)

    def n(self, side: int) -> int:
        """Turns of a side as found."""
        return int(self.count(side)[0])

    def mean(self, side: int) -> Floats:
        """(d+1,) mean length in seconds, nan without turns."""
        mask, counts = self._mask(side, 0, np.inf), self.count(side)
        sums = np.bincount(
            self.runs.draw[mask], weights=self.runs.seconds[mask], minlength=self.rows
        )
        return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)

    def median(self, side: int) -> Floats:
        """(d+1,) median length in seconds, nan without turns."""
        mask, counts = self._mask(side, 0, np.inf), self.count(side).astype(int)
        draw, seconds = self.runs.draw[mask], self.runs.seconds[mask]
        if not len(seconds):
            return np.full(self.rows, np.nan)
        seconds = seconds[np.lexsort((seconds, draw))]
        begin = np.cumsum(counts) - counts
        low = np.minimum(begin + np.maximum(counts - 1, 0) // 2, len(seconds) - 1)
        high = np.minimum(begin + counts // 2, len(seconds) - 1)
        return np.where(counts > 0, (seconds[low] + seconds[high]) / 2, np.nan)

    def found(self, side: int, low: float, high: float) -> list[tuple[int, float]]:
        """(first span, seconds) of the turns as found."""
        mask = self._mask(side, low, high) & (self.runs.draw == 0)
        pairs = zip(self.runs.first[mask], self.runs.seconds[mask], strict=True)
        return [(int(first), float(seconds)) for first, seconds in pairs]


def _runs(draws: RoleDraws) -> _Runs:
    sides = _SIDE[draws.roles]
    rows, n = sides.shape
    if n == 0:
        empty = np.zeros(0, dtype=np.intp)
        return _Runs(empty, empty, empty, np.zeros(0))
    pause = draws.starts[1:] - np.maximum.accumulate(draws.ends)[:-1] > PAUSE
    new = np.ones((rows, n), dtype=bool)
    new[:, 1:] = (sides[:, 1:] != sides[:, :-1]) | pause
    begin = np.flatnonzero(new.ravel())
    heard, found = _fresh(draws, sides[0]), draws.durations()
    scale = np.divide(found, found[:1], out=np.ones_like(found), where=found[:1] > 0)
    seconds = np.add.reduceat((heard * scale).ravel(), begin)
    return _Runs(begin // n, sides.ravel()[begin], begin % n, seconds)


def _fresh(draws: RoleDraws, side: NDArray[np.intp]) -> Floats:
    """(n,) seconds of each span that no earlier span of its side (as found) covers."""
    seconds = np.zeros(len(side))
    for one in np.unique(side):
        own = np.flatnonzero(side == one)
        reach = np.maximum.accumulate(draws.ends[own])
        before = np.concatenate([[-np.inf], reach[:-1]])
        seconds[own] = np.maximum(0.0, draws.ends[own] - np.maximum(draws.starts[own], before))
    return seconds


def _untimed(basis: Basis) -> list[Indicator]:
    """Counts from the order of the utterances; lengths need times."""
    why = basis.no_talk()
    opening = _openings(basis)
    found = []
    for who, _ in _SIDES:
        name, ids = f"{who}_turns", [u.id for u, side in opening if side == who]
        how = f"{_COUNTS[who]}; times=none; {RULES}"
        if why is not None:
            found.append(absent(name, "count", how, why))
        else:
            found.append(figure(name, "count", len(ids), len(ids), how, evidence=ids))
    for who, _ in _SIDES:
        for kind in ("median", "mean"):
            how = _how(f"{kind}(d_{who[0].upper()})", basis)
            found.append(absent(f"{who}_turn_{kind}", "s", how, NO_TIMES))
    bands = [(name, _how(_band_formula(low, high), basis)) for name, low, high in BANDS]
    return found + [absent(name, "count", how, NO_TIMES) for name, how in bands]


def _openings(basis: Basis) -> list[tuple[Utterance, str]]:
    """The first utterance of each turn with its side."""
    openings: list[tuple[Utterance, str]] = []
    before = ""
    for utterance in basis.spoken:
        side = "teacher" if utterance.role is Role.TEACHER else ""
        if utterance.role in STUDENTS:
            side = "student"
        if side and side != before:
            openings.append((utterance, side))
        before = side or before
    return openings
