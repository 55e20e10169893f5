"""What the seconds of talk could be if voices were heard early or late, or not at all.

Two of the rules by which `observer.role_errors` draws other timelines:

4. *Edges.* Voice activity misses true onsets and offsets by a shared amount per lesson
   (offsets more: 80 ms median measured) plus a little per edge.
5. *Speech not counted as speech.* Far voices are lost and pauses inside talk are counted
   differently for different voices, so the seconds of each side are off by a factor
   ``exp(N(0, FOUND_SD · widening ** FOUND_POWER))`` per lesson and side, those of choirs and
   groups by ``exp(N(0, CROWD_SD))``; silence takes what is left.
"""

import numpy as np
from numpy.typing import NDArray

from observer.timeline import Seconds

ONSET_SD: Seconds = 0.03
OFFSET_SD: Seconds = 0.06
EDGE_SD: Seconds = 0.05
CHANGE_SD: Seconds = 0.15
FOUND_SD, FOUND_POWER = np.array([0.088, 0.062]), np.array([1.75, 0.5])
"""Of the teacher's seconds, of the students'."""
CROWD_SD = 0.10
MOST_WIDENING = 2.0
"""Beyond this the sound is so poor that roles, not seconds, are the trouble."""

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def draw_lengths(
    cuts: Floats, covered: Bools, rng: np.random.Generator, draws: int, scale: float
) -> Floats:
    """(draws+1, m) seconds between the (m+1,) `cuts`, their bounds moved; row 0 as found.

    `covered` (m,) says between which of them any voice is heard; `scale` multiplies every move.
    """
    inner = cuts[1:-1]
    onset, offset = ~covered[:-1] & covered[1:], covered[:-1] & ~covered[1:]
    moved = rng.normal(0.0, 1.0, size=(draws, len(inner)))
    moved *= np.where(onset | offset, EDGE_SD, CHANGE_SD)
    moved += rng.normal(0.0, ONSET_SD, size=(draws, 1)) * onset
    moved += rng.normal(0.0, OFFSET_SD, size=(draws, 1)) * offset
    bounds = np.tile(cuts, (draws + 1, 1))
    bounds[1:, 1:-1] = np.clip(inner + scale * moved, 0.0, cuts[-1])
    return np.maximum(0.0, np.diff(bounds, axis=1))


def draw_found(
    lengths: Floats,
    covered: Bools,
    teacher: Bools,
    student: Bools,
    crowded: Bools,
    *,
    rng: np.random.Generator,
    widening: float,
) -> Floats:
    """(d+1, m) `lengths` with each side's speech stretched or shrunk; every row keeps its sum.

    `covered` (m,) says where any voice is heard, the others (d, m) whose it is in each draw.
    """
    lesson = lengths[0].sum()
    sides = FOUND_SD * min(widening, MOST_WIDENING) ** FOUND_POWER
    spread = np.array([*sides, CROWD_SD])[:, None]
    side, other, crowd = np.exp(rng.normal(0.0, spread, size=(3, len(lengths) - 1)))[..., None]
    scale = np.where(crowded, crowd, np.where(teacher, side, np.where(student, other, 1.0)))
    drawn = lengths[1:] * scale
    voiced = drawn @ covered
    silent = drawn @ ~covered
    left = np.maximum(0.0, lesson - voiced)
    quiet = np.divide(left, silent, out=np.zeros_like(left), where=silent > 0)
    drawn *= np.where(covered, 1.0, quiet[:, None])
    sums = drawn.sum(axis=1, keepdims=True)
    drawn *= np.divide(lesson, sums, out=np.ones_like(sums), where=sums > 0)
    return np.vstack([lengths[:1], drawn])
