"""Sixty-four dense features of a sentence in its dialogue: overlap, roles, length, distance.

They know no language: a token is a word, or for Mandarin a character. Restating and revoicing
are overlap with what a student has just said, which an encoder of this size reads badly from
text alone: features raised macro-F1 from .68 to .71 at 20,000 rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log1p

import numpy as np
from numpy.typing import NDArray

Dense = NDArray[np.float32]
WIDTH = 64
REACH = 6
"""How many sentences back the other role's last one is looked for."""
_LENGTHS = (1, 2, 3, 5, 8, 14)
"""Upper bounds of the length buckets, in tokens; a seventh holds the longer ones."""


@dataclass(frozen=True, slots=True)
class Said:
    """One sentence as the features see it."""

    role: str
    """"t" teacher, "s" student or students, "u" unknown or anything else."""
    tokens: tuple[str, ...]
    """Lower-cased, without punctuation."""


class _Bag:
    """What the overlap measures need of a sentence, computed once."""

    __slots__ = ("joined", "pairs", "role", "size", "tokens")

    def __init__(self, said: Said) -> None:
        self.role = said.role
        self.size = len(said.tokens)
        self.tokens = frozenset(said.tokens)
        self.pairs = frozenset(zip(said.tokens, said.tokens[1:], strict=False))
        self.joined = f" {' '.join(said.tokens)} "


def shares(this: frozenset[object], other: frozenset[object]) -> tuple[float, float]:
    """Share of `this` found in `other`, and of `other` found in `this`; 0 when empty."""
    if not this or not other:
        return 0.0, 0.0
    both = len(this & other)
    return both / len(this), both / len(other)


def _overlap(bag: _Bag, other: _Bag | None) -> tuple[float, ...]:
    """Containment both ways, equality, part of, contains, present."""
    if other is None:
        return (0.0,) * 6
    here, there = shares(bag.tokens, other.tokens)
    if not bag.size or not other.size:
        return here, there, 0.0, 0.0, 0.0, 1.0
    part, whole = bag.joined in other.joined, other.joined in bag.joined
    return here, there, float(part and whole), float(part), float(whole), 1.0


def last_other(roles: Sequence[str], i: int) -> int | None:
    """Index of the other role's last sentence within REACH before `i`, or None."""
    return next(
        (
            j
            for j in range(i - 1, max(-1, i - 1 - REACH), -1)
            if roles[j] != roles[i] and roles[j] != "u"
        ),
        None,
    )


def _last_student(roles: Sequence[str], i: int) -> int | None:
    return next((j for j in range(i - 1, max(-1, i - 1 - REACH), -1) if roles[j] == "s"), None)


def _union(bags: Sequence[_Bag], roles: Sequence[str], i: int, same: bool) -> frozenset[object]:
    found: set[object] = set()
    for j in range(max(0, i - REACH), i):
        if (roles[j] == roles[i]) is same:
            found |= bags[j].tokens
    return frozenset(found)


def _roles(roles: Sequence[str], i: int, known: bool) -> list[float]:
    """Teacher and student flags of the three sentences before and the two after."""
    out = []
    for j in (i - 1, i - 2, i - 3, i + 1, i + 2):
        seen = 0 <= j < len(roles) and (j < i or known)
        out += [float(seen and roles[j] == "t"), float(seen and roles[j] == "s")]
    return out


def _length(size: int) -> list[float]:
    """One of seven buckets."""
    bucket = sum(size > bound for bound in _LENGTHS)
    return [float(bucket == k) for k in range(len(_LENGTHS) + 1)]


def _digit(bag: _Bag | None) -> float:
    return float(bag is not None and any(c.isdigit() for c in bag.joined))


def dense(said: Sequence[Said], known: NDArray[np.bool_]) -> Dense:
    """Features of n sentences in order, shape (n, 64), values 0 to about 2.

    `known[i]` says whether what follows sentence i may be used; at the end it never can.
    """
    bags, roles = [_Bag(s) for s in said], [s.role for s in said]
    out = np.zeros((len(said), WIDTH), np.float32)
    for i in range(len(said)):
        out[i] = _row(bags, roles, i, bool(known[i]) and i + 1 < len(said))
    return out


def _row(bags: Sequence[_Bag], roles: Sequence[str], i: int, known: bool) -> list[float]:
    bag = bags[i]
    student, other = _last_student(roles, i), last_other(roles, i)
    before = bags[i - 1] if i else None
    earlier = bags[i - 2] if i > 1 else None
    follows = bags[i + 1] if known else None
    said = None if other is None else bags[other]
    row: list[float] = []
    for reference in (before, None if student is None else bags[student], said, earlier, follows):
        row += _overlap(bag, reference)
    row += _length(bag.size)
    row += [float(i > 0 and roles[i - 1] == roles[i]), float(known and roles[i + 1] == roles[i])]
    row += [_digit(bag), _digit(said)]
    row += _roles(roles, i, known)
    row += [0.0 if j is None else 1 / (i - j) for j in (student, other)]
    row += [
        0.0 if b is None else log1p(b.size) / 2 for b in (bag, before, said, follows)
    ]  # halved: about 0 to 2
    row += (0.0, 0.0) if said is None else shares(bag.pairs, said.pairs)
    row += shares(bag.tokens, _union(bags, roles, i, same=False))
    row += shares(bag.tokens, _union(bags, roles, i, same=True))
    row += [float(known)]
    return row
