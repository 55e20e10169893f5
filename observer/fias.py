"""Flanders' interaction analysis (FIAS): the written rules, the matrix and the indices.

Source: N. A. Flanders, Analyzing Teaching Behavior, 1970. An observer codes by ear every three
seconds; here the code follows from who is heard and what the words are read as, by the rules of
``fias.toml``, each with the definition that it rests on (`observer.structure.categories` applies
them). Category 7 needs the tone of the voice and is left out; category 1 is found only where
words say it outright.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

import numpy as np
from numpy.typing import NDArray

from observer.timeline import Seconds

INTERVAL: Final[Seconds] = 3.0
CATEGORIES: Final = tuple(range(1, 11))
DOUBT: Final = (1, 9, 2, 8, 3, 7, 4, 6, 5, 10)
"""Which category is taken where several fill an interval equally: the one farther from 5, and 10
last (Flanders' rule for doubt)."""

Matrix = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Rule:
    """One written rule: which category, of whom, when, and the definition it rests on."""

    name: str
    code: int
    who: str
    zh: str
    en: str
    definition: str
    labels: str = ""
    words_zh: str = ""
    words_en: str = ""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A category that is not coded, and why."""

    code: int
    zh: str
    en: str


def _read() -> tuple[tuple[Rule, ...], tuple[LeftOut, ...]]:
    data = tomllib.loads(files("observer").joinpath("fias.toml").read_text("utf-8"))
    return tuple(Rule(**r) for r in data["rules"]), tuple(LeftOut(**x) for x in data["left_out"])


RULES, LEFT_OUT = _read()
# -- matrix and indices ------------------------------------------------------------------


def transition_matrix(codes: Sequence[int] | NDArray[np.integer]) -> Matrix:
    """(…, 10, 10) how often category i + 1 is followed by j + 1; `codes` are (…, n) of 1..10.

    A code 10 is set before the first and after the last one, so that each category has as many
    tallies in its row as in its column. Raises ValueError for other codes.
    """
    given = np.asarray(codes, dtype=np.intp)
    if given.size and not (given.min() >= 1 and given.max() <= 10):
        raise ValueError("categories are 1 to 10")
    pad = np.full((*given.shape[:-1], 1), 10)
    padded = np.concatenate([pad, given, pad], axis=-1) - 1
    pairs = padded[..., :-1] * 10 + padded[..., 1:]
    flat = pairs.reshape(-1, pairs.shape[-1])
    rows = np.arange(len(flat))[:, None] * 100
    counted = np.bincount((flat + rows).ravel(), minlength=100 * len(flat))
    return counted.reshape(*pairs.shape[:-1], 10, 10)


_AREAS: Final[Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]] = {
    "constructive": ((1, 2, 3), (1, 2, 3)),
    "vicious": ((7, 8), (6, 7)),
}
_SUMS: Final[Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]] = {
    "tt": ((1, 2, 3, 4, 5, 6, 7), CATEGORIES),
    "pt": ((8, 9), CATEGORIES),
    "sc": ((10,), CATEGORIES),
    "indirect_direct": ((1, 2, 3, 4), (5, 6, 7)),
    "revised_indirect_direct": ((1, 2, 3), (6, 7)),
    "trr": ((1, 2, 3), (1, 2, 3, 6, 7)),
    "tqr": ((4,), (4, 5)),
    "pir": ((9,), (8, 9)),
    "ccr_share": ((4, 5), CATEGORIES),
}
"""Index → categories above and below the fraction line, by their tallies n_k."""
_AFTER_STUDENTS: Final[Mapping[str, str]] = {"trr89": "trr", "tqr89": "tqr"}
"""The same over what directly follows a student: rows 8 and 9 of the matrix."""
INDICES: Final = (*_SUMS, *_AFTER_STUDENTS, "ccr_cross", "ssr", "pssr", *_AREAS)


def indices(matrix: Matrix) -> dict[str, Floats]:
    """Every index of a matrix (…, 10, 10), shape (…); nan where the denominator is zero.

    With m the matrix, n_k the sum of its row k (which equals that of column k), N its total:
    tt, pt, sc, I/D, i/d, TRR, TQR, PIR as fractions of n_k; trr89 and tqr89 of the entries in
    rows 8 and 9; ccr_cross the entries in rows or columns 4 and 5 over N, ccr_share (n4 + n5)/N;
    ssr Σ m_ii / N; pssr (m88 + m99)/(n8 + n9); constructive rows 1-3 × columns 1-3 over N and
    vicious rows 7-8 × columns 6-7 over N.
    """
    m = np.asarray(matrix, dtype=float)
    n, total = m.sum(axis=-1), m.sum(axis=(-2, -1))
    found = {name: _fraction(n, *sets) for name, sets in _SUMS.items()}
    after = m[..., 7:9, :].sum(axis=-2)
    found |= {name: _fraction(after, *_SUMS[of]) for name, of in _AFTER_STUDENTS.items()}
    rest = [k for k in range(10) if k not in (3, 4)]
    outside = m[..., rest, :][..., rest].sum(axis=(-2, -1))
    found["ccr_cross"] = _divided(total - outside, total)
    found["ssr"] = _divided(np.trace(m, axis1=-2, axis2=-1), total)
    found["pssr"] = _divided(m[..., 7, 7] + m[..., 8, 8], n[..., 7] + n[..., 8])
    for name, (rows, columns) in _AREAS.items():
        cells = m[..., [r - 1 for r in rows], :][..., [c - 1 for c in columns]]
        found[name] = _divided(cells.sum(axis=(-2, -1)), total)
    return found


def denominator(name: str) -> tuple[int, ...]:
    """The categories below the fraction line of an index."""
    if name in _AFTER_STUDENTS:
        return denominator(_AFTER_STUDENTS[name])
    return (8, 9) if name == "pssr" else _SUMS.get(name, ((), CATEGORIES))[1]


def _fraction(tallies: Floats, above: Sequence[int], below: Sequence[int]) -> Floats:
    top, bottom = (tallies[..., [k - 1 for k in s]].sum(axis=-1) for s in (above, below))
    return _divided(top, bottom)


def _divided(top: Floats, bottom: Floats) -> Floats:
    out = np.full(np.shape(bottom), np.nan)
    np.divide(top, bottom, out=out, where=bottom > 0)
    return out
