"""The linear half: n-grams and rules, one score a class (Wang & Manning, 2012, ACL, show how
strong this is on short texts). Trained with scikit-learn, applied with numpy and scipy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.datasets.mandarin import CODES
from models.mandarin.features import Codes, grams
from models.predictions import Probabilities

RULE_WEIGHT = 0.35
"""Size of a fired rule beside n-grams of length 1 a sentence; by cross-validation."""
LEAST = 3
"""Sentences that an n-gram must stand in."""
_STRENGTH = {"instruction": 0.4}
_OTHERWISE = 2.0
"""Inverse regularisation: of the support vector machine, of the logistic regressions."""
_PART = 4096

Labels = Mapping[str, NDArray[np.int64]]
"""Taxonomy → class of each sentence, -1 where it has none."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The n-grams that count, by key in ascending order, and how rare each is."""

    keys: Codes
    rarity: Probabilities
    """log(n / (1 + sentences with it)) + 1."""

    @classmethod
    def of(cls, texts: Sequence[str], table: dict[str, int]) -> "Vocabulary":
        """N-grams of at least `LEAST` of the texts."""
        seen = [
            grams(texts[k : k + _PART], table)[1] for k in range(0, len(texts), _PART)
        ]  # a part at a time: the pairs of all sentences would not fit in little memory
        keys, counts = np.unique(np.concatenate(seen), return_counts=True)
        kept = counts >= LEAST
        rarity = np.log(len(texts) / (1 + counts[kept])) + 1
        return cls(keys[kept], rarity.astype(np.float32))

    def matrix(self, texts: Sequence[str], table: dict[str, int], fired: Probabilities) -> Any:
        """Sparse (n, n-grams + rules): rarity of each n-gram, scaled to length 1; rules."""
        from scipy import sparse

        rows, keys = grams(texts, table)
        places = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        known = self.keys[places] == keys
        rows, places = rows[known], places[known]
        values = self.rarity[places]
        length = np.sqrt(np.bincount(rows, values**2, len(texts)))
        values = (values / np.maximum(length, 1e-6)[rows]).astype(np.float32)
        shape = (len(texts), len(self.keys))
        return sparse.hstack(
            [
                sparse.csr_matrix((values, (rows, places)), shape),
                sparse.csr_matrix(fired * np.float32(RULE_WEIGHT)),
            ],
            format="csr",
        )


@dataclass(frozen=True, slots=True)
class Wide:
    """Scores of every class of every taxonomy of `CODES`, columns in that order."""

    vocabulary: Vocabulary
    weights: Probabilities
    """Shape (n-grams + rules, classes)."""
    bias: Probabilities

    def scores(self, matrix: Any) -> dict[str, Probabilities]:
        """Taxonomy → scores (n, classes) of what `Vocabulary.matrix` gave."""
        return split(np.asarray(matrix @ self.weights + self.bias, np.float32))

    def save(self, file: Path) -> None:
        """One byte a weight, with one scale a class."""
        scale = np.maximum(np.abs(self.weights).max(0), 1e-9) / 127
        np.savez_compressed(
            file,
            keys=self.vocabulary.keys.astype(np.int32),
            rarity=self.vocabulary.rarity.astype(np.float16),
            weights=np.rint(self.weights / scale).astype(np.int8),
            scale=scale.astype(np.float32),
            bias=self.bias,
        )

    @classmethod
    def load(cls, file: Path) -> "Wide":
        """What `save` wrote."""
        with np.load(file) as stored:
            vocabulary = Vocabulary(
                stored["keys"].astype(np.int64), stored["rarity"].astype(np.float32)
            )
            weights = stored["weights"].astype(np.float32) * stored["scale"]
            return cls(vocabulary, weights, stored["bias"])


def split(columns: Probabilities) -> dict[str, Probabilities]:
    """Columns of all classes → one array a taxonomy."""
    edges = np.cumsum([len(codes) for codes in CODES.values()])[:-1]
    return dict(zip(CODES, np.split(columns, edges, axis=1), strict=True))


def fit(vocabulary: Vocabulary, matrix: Any, labels: Labels) -> Wide:
    """One linear model for each taxonomy, on the rows that have a label in it."""
    weights, biases = [], []
    for taxonomy, codes in CODES.items():
        chosen = np.flatnonzero(labels[taxonomy] >= 0)
        model = _learner(taxonomy).fit(matrix[chosen], labels[taxonomy][chosen])
        own = np.zeros((len(codes), matrix.shape[1]))
        bias = np.full(len(codes), -20.0)  # a class never seen is never said
        if len(model.classes_) == 2:
            own[model.classes_] = np.vstack([-model.coef_, model.coef_]) / 2
            bias[model.classes_] = np.concatenate([-model.intercept_, model.intercept_]) / 2
        else:
            own[model.classes_], bias[model.classes_] = model.coef_, model.intercept_
        weights.append(own)
        biases.append(bias)
    return Wide(
        vocabulary,
        np.vstack(weights).T.astype(np.float32),
        np.concatenate(biases).astype(np.float32),
    )


def _learner(taxonomy: str) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import LinearSVC

    if taxonomy in _STRENGTH:
        return LinearSVC(C=_STRENGTH[taxonomy], random_state=0)
    return LogisticRegression(C=_OTHERWISE, max_iter=100, tol=2e-3)
