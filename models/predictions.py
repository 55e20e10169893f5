"""What a reading model says of a run of utterances, before it becomes labels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Probabilities = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Prediction:
    """One taxonomy's codes for n utterances in lesson order."""

    taxonomy: str
    codes: tuple[str, ...]
    """The k codes, in the order of the columns."""
    probabilities: Probabilities
    """Shape (n, k); a row sums to 1, or is all nan where the taxonomy does not apply."""
    source: str
    """The model's name and version, as it stands beside each label."""


@dataclass(frozen=True, slots=True)
class Row:
    """One utterance's probabilities in one taxonomy."""

    codes: tuple[str, ...]
    probabilities: tuple[float, ...]
    source: str

    @property
    def best(self) -> tuple[str, float]:
        """The likeliest code and its probability; the first of equals."""
        probability = max(self.probabilities)
        return self.codes[self.probabilities.index(probability)], probability

    def of(self, code: str) -> float:
        """Probability of `code`; raises ValueError when the taxonomy has no such code."""
        return self.probabilities[self.codes.index(code)]
