"""How much each half counts, and what the sum confuses, from sentences neither has learnt."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.mandarin.runtime import log_softmax
from models.predictions import Probabilities

BINS = 15


@dataclass(frozen=True, slots=True)
class Held:
    """n sentences: log-probabilities (n, k) of each half, and the truth."""

    network: Probabilities
    linear: Probabilities
    truth: NDArray[np.int64]
    """Class, -1 where there is none."""
    natural: NDArray[np.bool_]

    def chances(self, blend: tuple[float, float]) -> Probabilities:
        """Probabilities (n, k) with these weights."""
        found: Probabilities = np.exp(log_softmax(blend[0] * self.network + blend[1] * self.linear))
        return found

    def rows(self, chosen: NDArray[np.int64]) -> "Held":
        """Some of the sentences."""
        return Held(
            self.network[chosen], self.linear[chosen], self.truth[chosen], self.natural[chosen]
        )


def blend_of(held: Held) -> tuple[float, float]:
    """The weights with the least mean negative log-likelihood, each at least 0."""
    from scipy.optimize import minimize

    known = np.flatnonzero(held.truth >= 0)
    truth = held.truth[known]

    def cost(weights: NDArray[np.float64]) -> float:
        scores = weights[0] * held.network[known] + weights[1] * held.linear[known]
        return -float(log_softmax(scores)[np.arange(len(known)), truth].mean())

    found = minimize(cost, np.array([0.6, 0.4]), method="L-BFGS-B", bounds=[(0.0, 5.0)] * 2)
    return round(float(found.x[0]), 4), round(float(found.x[1]), 4)


def confusion_of(held: Held, blend: tuple[float, float]) -> dict[str, list[list[int]]]:
    """Counts, rows the truth and columns the surest code: of all and of natural sentences.

    For corrected counts (Rogan & Gladen, 1978) those of natural sentences are right.
    """
    said = held.chances(blend).argmax(1)
    size = held.network.shape[1]
    found = {}
    for name, part in (("all", held.truth >= 0), ("natural", (held.truth >= 0) & held.natural)):
        table = np.zeros((size, size), np.int64)
        np.add.at(table, (held.truth[part], said[part]), 1)
        found[name] = table.tolist()
    return found


def honest_error(held: Held) -> float:
    """Calibration error of all sentences, each half of them with the weights of the other half."""
    known = np.flatnonzero(held.truth >= 0)
    chances = np.zeros((len(known), held.network.shape[1]), np.float32)
    for k in (0, 1):
        rest, own = held.rows(known[k::2]), held.rows(known[1 - k :: 2])
        chances[1 - k :: 2] = own.chances(blend_of(rest))
    return calibration_error(chances, held.truth[known])


def calibration_error(chances: Probabilities, truth: NDArray[np.int64]) -> float:
    """Expected calibration error of the surest code, 15 bins of equal width (Guo et al. 2017)."""
    sure, right = chances.max(1), chances.argmax(1) == truth
    place = np.minimum((sure * BINS).astype(int), BINS - 1)
    return sum(
        abs(float(sure[place == b].mean()) - float(right[place == b].mean()))
        * float((place == b).mean())
        for b in range(BINS)
        if (place == b).any()
    )
