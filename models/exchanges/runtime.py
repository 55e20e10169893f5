"""Uptake and focusing in English: what a teacher makes of a student's turn, exchange by exchange.

An exchange is a student's turn of at least `LEAST` words and the teacher's turn right after it,
the unit that raters of NCTE lessons judged (Demszky et al., ACL 2021; Alic et al., BEA 2022). The
label goes on the first utterance of the teacher's turn. Overlap of the two turns, the talk moves
read in both (models.moves) and the teacher's words go into one softmax regression a taxonomy,
applied with numpy. Trained by models.exchanges.training; figures in models/cards/exchanges_en.md.
"""

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import log1p, sqrt
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.moves.corruption import bare
from models.moves.features import WIDTH, Said, dense
from models.moves.pairs import tokens, words
from models.moves.runtime import MovesReader, Spoken, shipped
from models.predictions import Prediction, Probabilities
from observer.engines import OnProgress, ignore_progress
from observer.errors import MissingWeights
from observer.timeline import Role

CODES: Mapping[str, tuple[str, ...]] = {
    "uptake": ("low", "mid", "high"),
    "focusing": ("none", "funneling", "focusing"),
}
WEIGHTS, SETTINGS = "weights.npz", "settings.json"
LEAST = 4
"""Words of a student's turn; the corpora hold hardly a shorter one (4 is their 1st percentile)."""
HEARD_OF_STUDENT = 45
"""Last words of the student's turn that are looked at; 99 % of the rated turns are no longer."""
HEARD = 60
"""First words of the teacher's turn that are looked at, to the end of an utterance."""
FIRST, LEAD = 12, 6
"""First words whose overlap counts apart, and that are marked as first among the words."""
OVERLAP = 2 * WIDTH
"""Of the figures the first ones: overlap and length alone."""
_GRAMS_WEIGHT = 6.0
"""Length of the vector of words beside figures of variance 1; 6 was better than 4, 10 alike."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Exchange:
    """Places of the utterances of a student's turn and of the teacher's after it."""

    student: tuple[int, ...]
    teacher: tuple[int, ...]


def exchanges(utterances: Sequence[Spoken]) -> Iterator[Exchange]:
    """Every student's turn of enough words that a teacher's turn follows directly.

    Utterances without words are passed over; a teacher's turn is cut once `HEARD` words are
    reached. Choral answers and turns of unknown role begin no exchange: the raters saw none.
    """
    said = [(i, u.role, len(_tokens(u.text))) for i, u in enumerate(utterances)]
    student: list[tuple[int, int]] = []
    teacher: list[tuple[int, int]] = []
    for i, role, size in [*(s for s in said if s[2]), (len(said), None, 0)]:
        if role is Role.TEACHER and student:
            if sum(n for _, n in teacher) < HEARD:
                teacher.append((i, size))
            continue
        if teacher and sum(n for _, n in student) >= LEAST:
            yield Exchange(tuple(k for k, _ in student), tuple(k for k, _ in teacher))
        if teacher or role is not Role.STUDENT:
            student, teacher = [], []
        if role is Role.STUDENT:
            student.append((i, size))


@lru_cache(1 << 12)
def _tokens(text: str) -> tuple[str, ...]:
    return tokens(words(bare(text)))


def figures(
    utterances: Sequence[Spoken], exchange: Exchange, moves: Mapping[str, Probabilities]
) -> list[float]:
    """What the regression sees of an exchange besides words, 166 numbers.

    Overlap of the student's turn with the teacher's and with its first words
    (models.moves.features, twice 64); the teacher's moves as greatest, mean, first and last
    probability over the utterances; whether they ask; what the student's turn does.
    `moves` holds each taxonomy's probabilities (n, k), nan where it does not apply.
    """
    student, teacher = _said(utterances, exchange)
    unknown = np.zeros(2, bool)
    row: list[float] = []
    for heard in (teacher, teacher[:FIRST]):
        row += dense([Said("s", student), Said("t", heard)], unknown)[1].tolist()
    acts = np.nan_to_num(moves["teacher_move"][list(exchange.teacher)])
    asks = np.nan_to_num(moves["question"][list(exchange.teacher), 1])
    told = np.nan_to_num(moves["student_move"][list(exchange.student)])
    asked = np.nan_to_num(moves["question"][list(exchange.student), 1])
    for part in (acts.max(0), acts.mean(0), acts[0], acts[-1], told.max(0)):
        row += part.tolist()
    row += [log1p(float(asks.sum())), float(asks.max()), float(asks[0]), float(asks[-1])]
    return [*row, float(asked.max()), log1p(len(exchange.teacher))]


def grams(utterances: Sequence[Spoken], exchange: Exchange) -> set[str]:
    """The teacher's words and pairs of words; the first `LEAD` words marked ^ as well."""
    said = _said(utterances, exchange)[1]
    lead = [f"^{w}" for w in said[:LEAD]]
    pairs = [f"{a} {b}" for a, b in pairwise(said)]
    return {*said, *pairs, *lead, *lead[:1], f"^{' '.join(said[:2])}"}


def _said(
    utterances: Sequence[Spoken], exchange: Exchange
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    student = tuple(w for i in exchange.student for w in _tokens(utterances[i].text))
    teacher = tuple(w for i in exchange.teacher for w in _tokens(utterances[i].text))
    return student[-HEARD_OF_STUDENT:], teacher[:HEARD]


@dataclass(frozen=True, slots=True)
class Regression:
    """Softmax regressions on the same figures and words, one a taxonomy."""

    mean: Floats
    scale: Floats
    terms: Mapping[str, int]
    """N-gram → its column behind the figures."""
    rarity: Floats
    weights: Mapping[str, Floats]
    """Taxonomy → (classes, figures + terms), divided by its temperature. Uptake has a fourth
    class: no two raters agreed, mostly since the talk was off task."""
    bias: Mapping[str, Floats]

    def row(self, seen: Sequence[float], said: set[str]) -> tuple[Floats, list[int], Floats]:
        """Scaled figures; columns of the known n-grams and their values (length 1, weighted)."""
        places = sorted(self.terms[g] for g in said if g in self.terms)
        values = self.rarity[places]
        length = sqrt(float((values**2).sum())) or 1.0
        scaled = (np.asarray(seen) - self.mean) / self.scale
        return scaled, places, values * (_GRAMS_WEIGHT / length)

    def read(self, taxonomy: str, seen: Sequence[float], said: set[str]) -> Floats:
        """Probabilities of the classes of a taxonomy for one exchange."""
        scaled, places, values = self.row(seen, said)
        weights, width = self.weights[taxonomy], len(self.mean)
        logits = weights[:, :width] @ scaled + self.bias[taxonomy]
        logits = logits + weights[:, [width + p for p in places]] @ values
        odds = np.exp(logits - logits.max())
        return np.asarray(odds / odds.sum())

    def save(self, file: Path) -> None:
        """Weights in half precision; equal regressions give equal bytes."""
        ordered = sorted(self.terms, key=self.terms.__getitem__)
        arrays: dict[str, Any] = {
            "mean": self.mean.astype(np.float32),
            "scale": self.scale.astype(np.float32),
            "rarity": self.rarity.astype(np.float32),
            "terms": np.frombuffer("\n".join(ordered).encode(), np.uint8),
        }
        arrays |= {f"{k}_weights": v.astype(np.float16) for k, v in self.weights.items()}
        arrays |= {f"{k}_bias": v.astype(np.float32) for k, v in self.bias.items()}
        with file.open("wb") as out:
            np.savez_compressed(out, **arrays)

    @classmethod
    def load(cls, file: Path) -> "Regression":
        """What `save` wrote."""
        with np.load(file) as stored:
            terms = stored["terms"].tobytes().decode().split("\n")
            mean, scale, rarity = (stored[k].astype(float) for k in ("mean", "scale", "rarity"))
            weights, bias = (
                {k: stored[f"{k}_{part}"].astype(float) for k in CODES}
                for part in ("weights", "bias")
            )
        return cls(mean, scale, {t: i for i, t in enumerate(terms)}, rarity, weights, bias)


class ExchangeReader:
    """`uptake` and `focusing` of English lessons; weights load on first use, once."""

    def __init__(self, folder: Path, *, threads: int = 0, moves: MovesReader | None = None) -> None:
        """`folder` holds weights.npz and settings.json. `moves` reads the talk moves where
        `predict` is called; default: the weights beside the folder, or the shipped ones."""
        self.folder = folder
        beside = folder.parent / "moves_en"
        ready = beside if (beside / SETTINGS).is_file() else shipped()
        self.moves = moves or MovesReader(ready, threads=threads)
        self._lock = threading.Lock()
        self._loaded: tuple[Regression, str] | None = None

    def predict(
        self, utterances: Sequence[Spoken], on_progress: OnProgress = ignore_progress
    ) -> list[Prediction]:
        """Reads the talk moves and follows them. Raises MissingWeights."""
        return self.follow(utterances, self.moves.predict(utterances, on_progress))

    def follow(self, utterances: Sequence[Spoken], found: Sequence[Prediction]) -> list[Prediction]:
        """Both taxonomies for n utterances, nan but on the first of a teacher's turn.

        Uptake is nan, too, where the exchange is likelier than not of the kind that raters do
        not rate (off task). Nothing where `found` lacks the talk moves. Raises MissingWeights.
        """
        moves = {p.taxonomy: p.probabilities for p in found}
        if not {"teacher_move", "student_move", "question"} <= moves.keys():
            return []
        regression, source = self._ready()
        out = {k: np.full((len(utterances), 3), np.nan, np.float32) for k in CODES}
        for exchange in exchanges(utterances):
            seen = figures(utterances, exchange, moves)
            said = grams(utterances, exchange)
            for taxonomy, rows in out.items():
                rated = rated_part(regression.read(taxonomy, seen, said))
                if rated is not None:
                    rows[exchange.teacher[0]] = rated
        return [Prediction(k, CODES[k], rows, source) for k, rows in out.items()]

    def _ready(self) -> tuple[Regression, str]:
        with self._lock:
            if self._loaded is None:
                self._loaded = _load(self.folder)
            return self._loaded


def rated_part(shares: Floats) -> Floats | None:
    """Probabilities of the codes given that raters would rate; None where they would not."""
    rated = float(shares[:3].sum())
    return shares[:3] / rated if rated >= 0.5 else None


def _load(folder: Path) -> tuple[Regression, str]:
    missing = [n for n in (WEIGHTS, SETTINGS) if not (folder / n).is_file()]
    if missing:
        raise MissingWeights(
            en=f"The weights for uptake and focusing are not complete: {folder} lacks "
            f"{', '.join(missing)}. Reinstall observer, or train them: observer train exchanges "
            "--data DIR.",
            zh=f"接纳与聚焦模型的权重不完整：{folder} 缺少 {'、'.join(missing)}。请重新安装 "
            "observer，或自行训练：observer train exchanges --data DIR。",
        )
    version = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))["version"]
    return Regression.load(folder / WEIGHTS), f"exchanges-en-{version}"
