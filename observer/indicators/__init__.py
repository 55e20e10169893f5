"""What is measured: each Indicator is a value or a reason for none, with its interval and proof.

One module a family; each has `indicators(basis) -> list[Indicator]`. `measure` runs them all
and `CATALOGUE` names every indicator in both languages. numpy loads with the first measurement.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from observer.discourse import Discourse, Exchange, Wait
from observer.engines import NO_SWAP, Swap
from observer.indicators.catalogue import CATALOGUE, Entry
from observer.timeline import RoleSpan, Seconds

if TYPE_CHECKING:  # it loads numpy
    from observer.confusion import Confusion

__all__ = ["CATALOGUE", "Entry", "Indicator", "Material", "Missing", "measure"]


@dataclass(frozen=True, slots=True)
class Missing:
    """Why an indicator has no value."""

    en: str
    zh: str


@dataclass(frozen=True, slots=True)
class Indicator:
    """A figure that can be checked.

    `low`..`high` is the 95 % interval; None when the figure is a plain count of what is shown.
    `n` is the number of cases the figure rests on, `evidence` the ids of utterances (u…),
    waits (w…), exchanges (x…) or timeline spans (t…) that show it; each of them can be played.
    """

    name: str
    unit: str
    value: float | None
    n: int
    method: str
    """Formula in symbols, what it was reckoned with as ``key=value``, and the rule version; the
    sentences that explain it are `CATALOGUE[name].method_zh` and `.method_en`."""
    low: float | None = None
    high: float | None = None
    evidence: tuple[str, ...] = ()
    missing: Missing | None = None
    uncorrected: float | None = None
    """What was counted before the labeller's known confusions were allowed for
    (observer.confusion); None where `value` is what was counted."""

    def __post_init__(self) -> None:
        if (self.value is None) == (self.missing is None):
            raise ValueError(f"{self.name}: needs a value or a reason for none, not both")
        if (self.low is None) != (self.high is None):
            raise ValueError(f"{self.name}: an interval has two ends")
        if None not in (self.value, self.low, self.high) and not (
            self.low <= self.value <= self.high  # type: ignore[operator]
        ):
            raise ValueError(f"{self.name}: {self.value} outside {self.low}..{self.high}")


@dataclass(frozen=True, slots=True)
class Material:
    """Everything a measurement may look at."""

    duration: Seconds | None
    """Length of the recording; None when there is only a transcript."""
    timeline: tuple[RoleSpan, ...]
    """Covers the recording; empty when there is none."""
    discourse: Discourse
    exchanges: tuple[Exchange, ...]
    waits: tuple[Wait, ...]
    interval: Seconds = 15.0
    """Sampling interval of the S-T analysis."""
    widening: float = 1.0
    """Factor ≥ 1 on every role-error probability, from the audio-quality gate."""
    swap: Swap = NO_SWAP
    """The diarizer's doubt about who the teacher is."""
    seed: int = 0
    confusions: "Mapping[str, Confusion]" = field(default_factory=dict)
    """As `Labeller.confusions`."""


def measure(material: Material) -> tuple[Indicator, ...]:
    """Every indicator of `CATALOGUE`, in its order; what cannot be measured says why.

    Deterministic: the same material gives the same figures.
    """
    from observer.indicators import (
        answers,
        exchanges,
        fias,
        moves,
        questions,
        st,
        talk,
        turns,
        waits,
        words,
    )
    from observer.indicators.basis import Basis

    basis = Basis(material)
    families = (talk, turns, words, st, waits, questions, answers, exchanges, moves, fias)
    return tuple(item for family in families for item in family.indicators(basis))
