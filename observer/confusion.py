"""What a labeller mistakes for what, and counts corrected for it.

A count of what a classifier found is biased even where its F1 looks fine: of the rarer classes it
finds too few, and how many of what it found is right depends on how common the class is in the
lesson. So the true numbers are inferred: the shares of the codes differ from lesson to lesson as
they did where the labeller was measured, and so do the rates at which a code is read as another.
In symbols, for a lesson with n_j utterances read as j::

    π ~ Dirichlet(evenness · shares)                    the lesson's true shares
    C_i ~ Dirichlet(DOUBT · steadiness_i · rates_i)     how code i is read in this lesson
    z_·j ~ Multinomial(n_j, ∝ π_i C_ij)                 truth among what was read as j

drawn by Gibbs sampling; Σ_j z_ij are draws of the true count of code i. Abstentions are a column
of their own, so the truth that hides among the unclear is counted, too.

Chosen by measurement (docs/decisions/0007-counts.md): held-out lessons of TalkMoves, read by a weak
linear model with macro-F1 .64, give corrected over true counts of .97 to 1.01 for all twelve codes
where the raw counts are .34 to 1.14, and 90 % intervals cover 91 and 93 % of the true counts.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import lgamma
from typing import Final

import numpy as np
from numpy.typing import NDArray

from observer.discourse import Label

UNCLEAR: Final = "unclear"
"""What was read where the labeller abstained; the last column of a confusion that has it."""
NONE: Final = "none"
"""In taxonomies that hold for real questions alone: the utterance is no real question."""
DOUBT: Final = 0.6
"""Steadiness is estimated from some fifty lessons and is itself unsure: it is believed by so
much. Without it 90 % intervals cover two points less."""
BLUR: Final = 1.5
MOST_BLUR: Final = 0.6
"""Each per cent of wrong words makes so many per cent of the readings worthless, up to a bound."""
ENOUGH: Final = 50
"""Codes with fewer true cases where the labeller was measured are not corrected."""
CHAINS: Final = 400
SWEEPS: Final = 40
UNGROUPED: Final = (20.0, 10.0)
"""Steadiness and evenness where sentences were measured without their lessons: about what the
moves of TalkMoves have (9 to 60, and 10 to 39)."""

Floats = NDArray[np.float64]
_GRID: Final = np.exp(np.linspace(0.0, np.log(3000.0), 60))


@dataclass(frozen=True, slots=True)
class Confusion:
    """How a labeller's reading of one taxonomy compares with the truth."""

    source: str
    """`Label.source` of the labels it was measured on; others are not corrected by it."""
    codes: tuple[str, ...]
    """The k true codes; may hold `NONE` besides those of the taxonomy."""
    predicted: tuple[str, ...]
    """The K codes as read: those of `codes`, and `UNCLEAR` where the labeller abstains."""
    counts: tuple[tuple[int, ...], ...]
    """(k, K) utterances of each true code that were read as each code."""
    steadiness: tuple[float, ...]
    """(k,) how alike the lessons are in how a code is read: precision of a Dirichlet-multinomial
    over lessons; infinite would be equal rates in all of them."""
    evenness: float
    """How alike the lessons are in the shares of the true codes; the same kind of precision."""
    lessons: int
    """Lessons it was measured on; 0 where sentences were drawn without their lessons."""
    measured: str
    """On which data and how, in a few words."""

    def column(self, code: str, unclear: bool = False) -> int | None:
        """The column of what was read; None for a code that was never measured."""
        name = UNCLEAR if unclear and UNCLEAR in self.predicted else code
        return self.predicted.index(name) if name in self.predicted else None

    def sure_of(self, code: str) -> bool:
        """Whether enough true cases of a code were seen to correct its count."""
        if code not in self.codes:
            return False
        return sum(self.counts[self.codes.index(code)]) >= ENOUGH

    def given(self, column: int) -> Floats:
        """(k,) P(true code | read as that column), with half a case spread over the codes."""
        read = np.array(self.counts, dtype=float)[:, column] + 0.5 / len(self.codes)
        return np.asarray(read / read.sum())


def dumps(confusions: Mapping[str, Confusion]) -> str:
    """The document that `loads` reads: "taxonomy.language" → its confusion."""
    rows = {name: asdict(confusions[name]) for name in sorted(confusions)}
    return json.dumps(rows, ensure_ascii=False, indent=1) + "\n"


def loads(text: str) -> dict[str, Confusion]:
    """Confusions as `dumps` wrote them. Raises ValueError, KeyError or TypeError for others."""
    found = {}
    for name, row in json.loads(text).items():
        for key in ("codes", "predicted", "steadiness"):
            row[key] = tuple(row[key])
        row["counts"] = tuple(tuple(line) for line in row["counts"])
        found[name] = Confusion(**row)
    return found


def measure_confusion(
    source: str,
    codes: Sequence[str],
    lessons: Sequence[tuple[Sequence[str], Sequence[str]]],
    measured: str,
    *,
    grouped: bool = True,
) -> Confusion:
    """Compare truth and reading, (true codes, read codes) of each lesson, into a Confusion.

    Where the data have no lessons hand in one of them with `grouped=False`. The readings must
    come from a labeller that was not trained on these lessons. Raises ValueError for a code
    that is not in `codes` (read codes may be `UNCLEAR`, too) or for sequences of other length.
    """
    names = tuple(codes)
    unsure = any(UNCLEAR in read for _, read in lessons)
    predicted = (*names, UNCLEAR) if unsure else names
    tables = np.zeros((len(lessons), len(names), len(predicted)), dtype=np.int64)
    for table, (true, read) in zip(tables, lessons, strict=True):
        for t, r in zip(true, read, strict=True):
            if t not in names or r not in predicted:
                raise ValueError(f"{t!r} read as {r!r}: not among {list(predicted)}")
            table[names.index(t), predicted.index(r)] += 1
    steadiness, evenness = (UNGROUPED[0],) * len(names), UNGROUPED[1]
    if grouped:
        steadiness = tuple(_precision(tables[:, i]) for i in range(len(names)))
        evenness = _precision(tables.sum(axis=2))
    total = tables.sum(axis=0)
    return Confusion(
        source,
        names,
        predicted,
        tuple(tuple(int(x) for x in row) for row in total),
        steadiness,
        evenness,
        len(lessons) if grouped else 0,
        measured,
    )


def _precision(tables: NDArray[np.int64]) -> float:
    """The most likely precision of a Dirichlet-multinomial with the pooled mean, (lessons, k)."""
    kept = tables[tables.sum(axis=1) > 0]
    if len(kept) < 2:
        return UNGROUPED[0]
    mean = kept.sum(axis=0) / kept.sum()
    kept, mean = kept[:, mean > 0], mean[mean > 0]
    likely = [_likelihood(float(s), mean, kept) for s in _GRID]
    return round(float(_GRID[int(np.argmax(likely))]), 3)


def _likelihood(precision: float, mean: Floats, tables: NDArray[np.int64]) -> float:
    n = tables.sum(axis=1)
    alpha = precision * mean
    whole = len(n) * lgamma(precision) - _log_gamma(precision + n)
    return whole + _log_gamma(tables + alpha) - len(n) * _log_gamma(alpha)


def _log_gamma(values: Floats) -> float:
    return sum(lgamma(float(x)) for x in np.ravel(values))


def true_counts(
    confusion: Confusion, read: Mapping[str, int], *, blur: float = 0.0, seed: int = 0
) -> Floats:
    """(`CHAINS`, k) draws of how many utterances of a lesson truly have each code.

    `read` holds how many were read as each of `confusion.predicted`. `blur` is the share of
    readings that recognition errors have made worthless: they fall as the readings of all
    codes do. Raises KeyError for a code that was never measured.
    """
    names = confusion.predicted
    n = np.zeros(len(names), dtype=np.int64)
    for code, count in read.items():
        n[names.index(code) if code in names else _unknown(code, names)] = count
    measured = np.array(confusion.counts, dtype=float)
    rates = measured + 0.5 / len(names)
    rates /= rates.sum(axis=1, keepdims=True)
    rates = (1 - blur) * rates + blur * measured.sum(axis=0) / measured.sum()
    shares = measured.sum(axis=1) / measured.sum()
    steady = DOUBT * (1 - blur) * np.array(confusion.steadiness)[:, None] * rates
    prior = confusion.evenness * shares
    return _gibbs(n, prior, steady, rates, np.random.default_rng([seed, 5]))


def _unknown(code: str, known: Sequence[str]) -> int:
    raise KeyError(f"{code!r} was never measured; known: {list(known)}")


def _gibbs(
    n: NDArray[np.int64], prior: Floats, steady: Floats, rates: Floats, rng: np.random.Generator
) -> Floats:
    shares = np.tile(prior / prior.sum(), (CHAINS, 1))
    read = np.tile(rates, (CHAINS, 1, 1))
    wanted = np.broadcast_to(n, (CHAINS, len(n)))
    truth = np.zeros((CHAINS, *rates.shape))
    for _ in range(SWEEPS):
        weight = shares[:, :, None] * read
        weight /= weight.sum(axis=1, keepdims=True)
        drawn = rng.multinomial(wanted, np.swapaxes(weight, 1, 2))
        truth = np.swapaxes(drawn, 1, 2)
        shares = _dirichlet(prior + truth.sum(axis=2), rng)
        read = _dirichlet(steady + truth, rng)
    return np.asarray(truth.sum(axis=2), dtype=np.float64)


def _dirichlet(alpha: Floats, rng: np.random.Generator) -> Floats:
    """Draws along the last axis; a tiny floor keeps gamma draws of empty cells from vanishing."""
    drawn = rng.standard_gamma(alpha + 1e-9) + 1e-300
    return np.asarray(drawn / drawn.sum(axis=-1, keepdims=True))


def chances(label: Label, names: Sequence[str], confusion: Confusion | None) -> Floats:
    """(k,) probability of each code of a taxonomy for one labelled utterance.

    The label's code has its probability; the rest goes to the other codes as the confusion of
    its source says, else evenly.
    """
    place = names.index(label.code)
    rest = np.ones(len(names))
    if confusion is not None and confusion.source == label.source:
        column = confusion.column(label.code, label.unclear)
        if column is not None:
            given = dict(zip(confusion.codes, confusion.given(column).tolist(), strict=True))
            rest = np.array([given.get(name, 0.0) for name in names]) + 1e-9
    rest[place] = 0.0
    spread = rest / rest.sum() if len(names) > 1 else rest
    found = (1 - label.probability) * spread
    found[place] = label.probability
    return np.asarray(found)
