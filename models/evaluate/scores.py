"""What was read beside what is true, in figures: F1, κ, MCC, calibration of a taxonomy."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import nan, sqrt

from observer.reliability import cohen_kappa

BINS = 15
"""Of the calibration error, as in Guo et al. (ICML 2017)."""
NONE = "none"


@dataclass(frozen=True, slots=True)
class CodeScore:
    """One code; nan where nothing could be divided."""

    code: str
    n: int
    """True cases."""
    precision: float
    recall: float
    f1: float
    bias: float
    """Cases read over true cases."""


@dataclass(frozen=True, slots=True)
class Score:
    """One taxonomy under one condition."""

    taxonomy: str
    condition: str
    n: int
    codes: tuple[CodeScore, ...]
    accuracy: float
    macro: float
    """Mean F1 of all codes that are true somewhere."""
    macro_found: float
    """The same without the code "none"."""
    micro_found: float
    """F1 of the pooled cases of all codes but "none"."""
    kappa: float
    """Cohen's; nan where both hold a single code."""
    mcc: float
    """Matthews' correlation, for several classes (Gorodkin 2004, Comput. Biol. Chem. 28:367)."""
    calibration_error: float
    per_second: float
    """Utterances read a CPU second with all labels of the reader, one thread."""

    def of(self, code: str) -> CodeScore:
        """Figures of `code`. Raises KeyError."""
        for found in self.codes:
            if found.code == code:
                return found
        raise KeyError(code)


def score(
    taxonomy: str,
    condition: str,
    true: Sequence[str],
    read: Sequence[str],
    sure: Sequence[float],
    codes: Sequence[str],
    per_second: float = nan,
) -> Score:
    """Compare n true codes with what was read and how sure (the code's probability).

    Codes that are never true are left out of the macro means. Raises ValueError when the
    sequences differ in length or are empty.
    """
    if not true or not len(true) == len(read) == len(sure):
        raise ValueError(f"nothing to compare: {len(true)}, {len(read)}, {len(sure)}")
    found = tuple(_code(code, true, read) for code in codes)
    present = [c for c in found if c.n]
    told = [c for c in present if c.code != NONE]
    hits = sum(t == r != NONE for t, r in zip(true, read, strict=True))
    sides = sum(t != NONE for t in true) + sum(r != NONE for r in read)
    return Score(
        taxonomy,
        condition,
        len(true),
        found,
        sum(t == r for t, r in zip(true, read, strict=True)) / len(true),
        _mean(c.f1 for c in present),
        _mean(c.f1 for c in told),
        2 * hits / sides if sides else nan,
        nan if len(set(true) | set(read)) == 1 else cohen_kappa(true, read),
        matthews(true, read),
        calibration_error([t == r for t, r in zip(true, read, strict=True)], sure),
        per_second,
    )


def _code(code: str, true: Sequence[str], read: Sequence[str]) -> CodeScore:
    hits = sum(t == r == code for t, r in zip(true, read, strict=True))
    n, said = true.count(code), read.count(code)
    return CodeScore(
        code,
        n,
        hits / said if said else nan,
        hits / n if n else nan,
        2 * hits / (n + said) if n + said else nan,
        said / n if n else nan,
    )


def _mean(values: Iterable[float]) -> float:
    kept = list(values)
    return sum(kept) / len(kept) if kept else nan


def matthews(true: Sequence[str], read: Sequence[str]) -> float:
    """R_K of Gorodkin (2004); nan where one side holds a single code."""
    n, codes = len(true), set(true) | set(read)
    hits = sum(t == r for t, r in zip(true, read, strict=True))
    sides = [(true.count(c), read.count(c)) for c in codes]
    below = (n * n - sum(t * t for t, _ in sides)) * (n * n - sum(r * r for _, r in sides))
    return (hits * n - sum(t * r for t, r in sides)) / sqrt(below) if below else nan


def calibration_error(right: Sequence[bool], sure: Sequence[float], bins: int = BINS) -> float:
    """Expected calibration error: |confidence − accuracy| over equal-width bins, by cases."""
    gaps = [0.0] * bins
    for hit, probability in zip(right, sure, strict=True):
        gaps[min(bins - 1, int(probability * bins))] += probability - hit
    return sum(map(abs, gaps)) / len(right)
