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
