"""The dynamic programme of the alignment: which utterance meets which run of speech atoms.

Gale & Church 1993, with seconds of speech in place of characters; see observer.alignment for
what it is used for. Rows are utterances, columns atoms; a row is one step of numpy.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from observer.timeline import Seconds

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class AlignmentCosts:
    """The settings of the dynamic programme; costs in units of -2 log likelihood."""

    sigma: float = 0.4
    """Standard deviation of the log of (seconds heard / seconds expected)."""
    short: Seconds = 0.25
    """Added to both lengths: below it the ratio says little."""
    gap: float = 0.6
    """Cost of a second of silence inside an utterance."""
    gap_once: float = 0.3
    """Cost of any silence inside an utterance, besides its seconds."""
    gap_limit: float = 8.0
    """Largest cost of one silence."""
    inside: float = 6.0
    """Cost of a beginning inside running speech of one role."""
    role_change: float = 0.5
    """Cost of a beginning where the role changes without a silence."""
    skip_segment: float = 2.0
    skip_second: float = 1.0
    """Cost of leaving a stretch of speech out, and of each of its seconds …"""
    skip_limit: float = 8.0
    """… at most this much a stretch."""
    skip_utterance: float = 12.0
    anchor: Seconds = 1.0
    """Standard deviation of a start that the file gives."""
    anchor_limit: float = 25.0
    """Largest cost of a wrong anchor: a wrong clock must not tear the alignment."""


ATOM: Seconds = 0.5
"""Longest atom, unless there would be more than MAX_ATOMS of them."""
MAX_ATOMS = 6000
MAX_RUN = 90
"""Most atoms of one item."""
MAX_CELLS = 32_000_000
"""Bound on the table of back pointers (one byte each): beyond it, a band is searched."""

_SKIP_ATOM, _SKIP_UTTERANCE = 0, -1


@dataclass(frozen=True, slots=True)
class Items:
    """Utterances, long ones in parts, as arrays of shape (n,)."""

    owner: npt.NDArray[np.int64]
    """Position of the utterance."""

    length: Array
    """Expected seconds."""
    side: npt.NDArray[np.int64]
    """0 teacher, 1 students, 2 unknown."""
    anchor: Array
    """Start that the file gives, NaN where it gives none."""


@dataclass(frozen=True, slots=True)
class Atoms:
    """Pieces of speech as arrays of shape (m,)."""

    start: Array
    end: Array
    teacher: Array
    """Probability that the teacher speaks; .5 without a timeline."""
    opening: Array
    """Cost of an utterance that begins here."""
    skip: Array
    """Cost of leaving the atom out."""

    @property
    def length(self) -> Array:
        """Seconds."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Run:
    """Utterance `item` laid over the atoms `begin..stop` (exclusive)."""

    item: int
    begin: int
    stop: int


@dataclass(frozen=True, slots=True)
class _RunCosts:
    """What does not depend on the utterance; element r-1 has shape (m + 1 - r,) and stands for
    the runs of r atoms, by their first atom."""

    log_length: list[Array]
    """Logarithm of the seconds of speech plus AlignmentCosts.short."""
    side: list[list[Array]]
    """Silences inside, the opening, and the role: for teacher, students, unknown."""


def _run_costs(atoms: Atoms, costs: AlignmentCosts) -> _RunCosts:
    m = len(atoms.start)
    spoken = np.concatenate([[0.0], np.cumsum(atoms.length)])
    gaps = np.maximum(0.0, atoms.start[1:] - atoms.end[:-1])
    gap_cost = np.where(
        gaps > 1e-6, np.minimum(costs.gap_once + costs.gap * gaps, costs.gap_limit), 0
    )
    silent = np.concatenate([[0.0], np.cumsum(gap_cost)])
    tables = []
    for probability in (atoms.teacher, 1 - atoms.teacher):
        weighted = -2 * np.log(probability) * atoms.length
        tables.append(np.concatenate([[0.0], np.cumsum(weighted)]))
    found = _RunCosts([], [])
    for run in range(1, min(MAX_RUN, m) + 1):
        length = spoken[run:] - spoken[:-run]
        inside = silent[run - 1 :] - silent[: m - run + 1] + atoms.opening[: m - run + 1]
        by_side = [inside + (t[run:] - t[:-run]) / np.maximum(length, 1e-9) for t in tables]
        found.log_length.append(np.log(length + costs.short))
        found.side.append([*by_side, inside - 2 * np.log(0.5)])
    return found


def cheapest_path(items: Items, atoms: Atoms, pace: float, costs: AlignmentCosts) -> list[Run]:
    """The cheapest path; rows are utterances, columns atoms, both counted as consumed."""
    n, m = len(items.length), len(atoms.start)
    table = _run_costs(atoms, costs)
    skipped = np.concatenate([[0.0], np.cumsum(atoms.skip)])
    width = min(m + 1, max(400, MAX_CELLS // (n + 1)))
    lows = _band(items, atoms, width)
    moves = np.zeros((n + 1, width), dtype=np.int8)
    reached = skipped.copy()
    for i in range(1, n + 1):
        best, move = _row(i - 1, reached, items, atoms, table, pace, costs)
        low = lows[i]
        best[:low] = np.inf
        best[low + width :] = np.inf
        reached = np.minimum.accumulate(best - skipped) + skipped
        move[reached < best - 1e-9] = _SKIP_ATOM
        moves[i] = move[low : low + width]
    return _traced(moves, lows, n, m)


def _band(items: Items, atoms: Atoms, width: int) -> list[int]:
    """First column of the band in every row: around equal shares of text and of speech."""
    m = len(atoms.start)
    said = np.concatenate([[0.0], np.cumsum(items.length)]) / items.length.sum()
    heard = np.cumsum(atoms.length) / atoms.length.sum()
    centre = np.searchsorted(heard, said)
    lows = np.clip(centre - width // 2, 0, m + 1 - width)
    lows[-1] = m + 1 - width
    return [int(x) for x in lows]


def _row(
    item: int,
    previous: Array,
    items: Items,
    atoms: Atoms,
    table: _RunCosts,
    pace: float,
    costs: AlignmentCosts,
) -> tuple[Array, npt.NDArray[np.int8]]:
    """Costs of having consumed one utterance more, by atoms consumed, and the last move."""
    best = previous + costs.skip_utterance
    move = np.full(len(best), _SKIP_UTTERANCE, dtype=np.int8)
    expected = pace * float(items.length[item])
    wanted = float(np.log(expected + costs.short))
    side = int(items.side[item])
    before = previous[:-1] + _anchor_cost(items.anchor[item], atoms.start, costs)
    if item and items.owner[item - 1] == items.owner[item]:
        before = before - atoms.opening  # a later part may begin anywhere
    longest = min(len(table.log_length), 8 + int(6 * expected / ATOM))
    for run in range(1, longest + 1):
        ratio = (table.log_length[run - 1] - wanted) / costs.sigma
        cost = before[: len(ratio)] + ratio * ratio + table.side[run - 1][side]
        better = cost < best[run:]
        np.copyto(best[run:], cost, where=better)
        move[run:][better] = run
    return best, move


def _anchor_cost(anchor: float, start: Array, costs: AlignmentCosts) -> Array | float:
    if np.isnan(anchor):
        return 0.0
    distance: Array = np.minimum(((start - anchor) / costs.anchor) ** 2, costs.anchor_limit)
    return distance


def _traced(moves: npt.NDArray[np.int8], lows: Sequence[int], n: int, m: int) -> list[Run]:
    runs: list[Run] = []
    i, j = n, m
    while i > 0:
        move = int(moves[i, j - lows[i]])
        if move == _SKIP_ATOM:
            j -= 1
        elif move == _SKIP_UTTERANCE:
            i -= 1
        else:
            runs.append(Run(i - 1, j - move, j))
            i, j = i - 1, j - move
    return runs[::-1]
