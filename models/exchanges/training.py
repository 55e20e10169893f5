"""Trains the weights of `models.exchanges.runtime`, and measures them by lesson.

Both corpora rate the same exchanges, three raters each. They have a development part only, so
figures come from cross-validation in which all exchanges of a lesson are held out together; the
weights that ship are learnt from everything. Uptake is what most raters said of low (0), mid (1)
and high (2); exchanges without a majority are a class of their own. Each exchange is
shown twice, as transcribed and bare, half a case each.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.exchanges.examples import GUISES, Labels, Rated, Shown, rated, shown, truth
from models.exchanges.runtime import (
    CODES,
    OVERLAP,
    SETTINGS,
    WEIGHTS,
    Floats,
    Regression,
    rated_part,
)
from models.moves.calibration import Scored, calibration_error, temperature
from models.moves.runtime import MODEL, MovesReader
from observer.confusion import UNCLEAR, Confusion, dumps, measure_confusion
from observer.engines import OnProgress, ignore_progress
from observer.files import write_atomically

VERSION = "2"
FOLDS = 5
STRENGTH = 0.01
"""Inverse regularisation (scikit-learn's C); .005 and .03 were alike in cross-validation."""
RAREST = 3
"""Exchanges that an n-gram must stand in."""
ABSTAIN_BELOW = 0.5
"""As in weights/settings.json: confusions count what is less sure as unclear."""


@dataclass(frozen=True, slots=True)
class Held:
    """What was read of exchanges whose lessons were held out, where raters have a majority."""

    condition: str
    true: tuple[str, ...]
    shares: Floats
    """(n, 3); nan where the exchange would not be read."""

    @property
    def read(self) -> "Held":
        """Without what would not be read."""
        kept = ~np.isnan(self.shares[:, 0])
        true = tuple(t for t, k in zip(self.true, kept, strict=True) if k)
        return Held(self.condition, true, self.shares[kept])


def fit(
    parts: Sequence[Shown], labels: Mapping[str, Labels], kept: NDArray[np.bool_]
) -> Regression:
    """Learn from the exchanges in `kept` (a flag for each rated one), in all guises."""
    own = [np.flatnonzero(kept[p.places]) for p in parts]
    seen = np.concatenate([p.seen[rows] for p, rows in zip(parts, own, strict=True)])
    said = [p.said[i] for p, rows in zip(parts, own, strict=True) for i in rows]
    places = np.concatenate([p.places[rows] for p, rows in zip(parts, own, strict=True)])
    terms, rarity = _vocabulary(said, RAREST * len(parts))
    scale = seen.std(0)
    blank = Regression(seen.mean(0), np.where(scale > 1e-6, scale, 1.0), terms, rarity, {}, {})
    matrix = _matrix(blank, seen, said)
    learnt = {k: _learn(matrix, labels[k][places], 1 / len(parts)) for k in labels}
    weights, bias = ({k: v[side] for k, v in learnt.items()} for side in (0, 1))
    return replace(blank, weights=weights, bias=bias)


def _vocabulary(said: Sequence[set[str]], least: int) -> tuple[dict[str, int], Floats]:
    counts: dict[str, int] = {}
    for terms in said:
        for term in terms:
            counts[term] = counts.get(term, 0) + 1
    kept = sorted(t for t, n in counts.items() if n >= least)
    rarity = np.log(len(said) / np.array([1 + counts[t] for t in kept])) + 1
    return {t: i for i, t in enumerate(kept)}, rarity


def _matrix(blank: Regression, seen: Floats, said: Sequence[set[str]]) -> Any:
    from scipy import sparse

    rows = [blank.row(figures, terms) for figures, terms in zip(seen, said, strict=True)]
    edges = np.cumsum([0, *(len(places) for _, places, _ in rows)])
    columns = np.concatenate([np.array(places, np.int64) for _, places, _ in rows])
    values = np.concatenate([v for _, _, v in rows])
    words = sparse.csr_matrix((values, columns, edges), (len(rows), len(blank.terms)))
    return sparse.hstack([sparse.csr_matrix([r[0] for r in rows]), words], format="csr")


def _learn(matrix: Any, classes: Labels, weight: float) -> tuple[Floats, Floats]:
    from sklearn.linear_model import LogisticRegression

    known = classes >= 0
    sizes = np.full(int(known.sum()), weight)
    model = LogisticRegression(C=STRENGTH, max_iter=300)
    model.fit(matrix[known], classes[known], sample_weight=sizes)
    return model.coef_, model.intercept_


def held_out(
    cases: Sequence[Rated],
    parts: Mapping[str, Shown],
    taxonomy: str,
    *,
    seed: int = 0,
    overlap: bool = False,
) -> tuple[list[Held], float]:
    """Cross-validated readings in every guise, and the temperature that fits all of them.

    The readings of a fold have the temperature of the others. `overlap` leaves only the overlap
    of the two turns to learn from: the baseline.
    """
    labels, fold = truth(cases, taxonomy), _folds([c.lesson for c in cases], seed)
    if overlap:
        none: set[str] = set()
        parts = {
            k: replace(p, seen=p.seen[:, :OVERLAP], said=(none,) * len(p.said))
            for k, p in parts.items()
        }
    logits = {name: np.full((len(cases), 4), np.nan) for name in parts}
    for k in range(FOLDS):
        learnt = fit(list(parts.values()), {taxonomy: labels}, fold != k)
        for name, part in parts.items():
            for i in np.flatnonzero(fold[part.places] == k):
                read = learnt.read(taxonomy, part.seen[i].tolist(), part.said[i])
                logits[name][part.places[i], : len(read)] = np.log(np.maximum(read, 1e-9))
    width = 4 if taxonomy == "uptake" else 3
    logits = {k: v[:, :width] for k, v in logits.items()}
    held = [_held(k, taxonomy, labels, _cooled(v, labels, fold)) for k, v in logits.items()]
    return held, _heat(list(logits.values()), labels, labels >= 0)


def _folds(lessons: Sequence[str], seed: int) -> Labels:
    """Fold of each exchange; a lesson is in one."""
    names = sorted(set(lessons))
    order = np.random.default_rng(seed).permutation(len(names))
    place = dict(zip(names, (order % FOLDS).tolist(), strict=True))
    return np.array([place[lesson] for lesson in lessons], np.int64)


def _cooled(logits: Floats, labels: Labels, fold: Labels) -> Floats:
    out = np.full(logits.shape, np.nan)
    for k in range(FOLDS):
        own = ~np.isnan(logits[:, 0]) & (fold == k)
        odds = np.exp(logits[own] / _heat([logits], labels, (fold != k) & (labels >= 0)))
        out[own] = odds / odds.sum(1, keepdims=True)
    return out


def _heat(logits: Sequence[Floats], labels: Labels, kept: NDArray[np.bool_]) -> float:
    """The temperature of the codes among each other, as labels state them: fitted together with
    the class of the unrated it left them too sure by two points."""
    used = [kept & (labels < 3) & ~np.isnan(x[:, 0]) for x in logits]
    return temperature(
        [
            Scored(x[k, :3].astype(np.float32), labels[k], labels[k])
            for x, k in zip(logits, used, strict=True)
        ]
    )


def _held(name: str, taxonomy: str, labels: Labels, shares: Floats) -> Held:
    kept = (labels >= 0) & (labels < len(CODES[taxonomy])) & ~np.isnan(shares[:, 0])
    rows = [rated_part(row) for row in shares[kept]]
    blank = np.full(3, np.nan)
    return Held(
        name,
        tuple(CODES[taxonomy][c] for c in labels[kept]),
        np.array([blank if row is None else row for row in rows]).reshape(-1, 3),
    )


def measured(held: Held, taxonomy: str) -> dict[str, float]:
    """Figures of one taxonomy that `observer evaluate labels` does not print: AUC (mean of each
    code against the others), share read, share kept when unsure ones abstain, their accuracy."""
    from sklearn.metrics import roc_auc_score

    read = held.read
    codes, columns = CODES[taxonomy], read.shares.argmax(1)
    true = np.array([codes.index(t) for t in read.true])
    sure = read.shares.max(1) >= ABSTAIN_BELOW
    areas = {c: roc_auc_score(true == k, read.shares[:, k]) for k, c in enumerate(codes)}
    found = {
        "exchanges": len(held.true),
        "read": len(read.true) / len(held.true),
        "accuracy": (columns == true).mean(),
        "auc": np.mean(list(areas.values())),
        **{f"auc_{c}": a for c, a in areas.items()},
        "calibration_error": calibration_error(read.shares.astype(np.float32), true),
        "sure": sure.mean(),
        "accuracy_sure": (columns == true)[sure].mean(),
    }
    return {k: round(float(v), 4) for k, v in found.items()}


def confusion(held: Held, taxonomy: str, source: str, what: str) -> Confusion:
    """What is mistaken for what, abstentions counted as unclear; lessons hold too few exchanges
    (three) to say how they differ, so they are taken together."""
    read = held.read
    codes = CODES[taxonomy]
    said = [codes[r.argmax()] if r.max() >= ABSTAIN_BELOW else UNCLEAR for r in read.shares]
    return measure_confusion(source, codes, [(read.true, said)], what, grouped=False)


def train(
    data: Path,
    out: Path,
    *,
    seed: int = 0,
    moves: MovesReader | None = None,
    on_progress: OnProgress = ignore_progress,
) -> dict[str, dict[str, float]]:
    """Learn both taxonomies from the corpora below `data`; writes weights and settings to `out`.

    `seed` draws the folds: of the weights only the temperatures depend on it. `moves` reads the
    talk moves (default: shipped). Returns figures ("uptake, bare" → name → value). Raises
    DatasetError, MissingWeights.
    """
    moves = moves or MovesReader(threads=1)
    cases, origins = rated(data)
    parts = {
        name: shown(cases, moves, guise, _part(on_progress, k, len(GUISES)))
        for k, (name, guise) in enumerate(GUISES)
    }
    labels = {k: truth(cases, k) for k in CODES}
    learnt = fit(list(parts.values()), labels, np.ones(len(cases), bool))
    heats: dict[str, float] = {}
    found: dict[str, dict[str, float]] = {}
    confusions: dict[str, Confusion] = {}
    source = f"exchanges-en-{VERSION}"
    for taxonomy, origin in zip(CODES, origins, strict=True):
        held, heats[taxonomy] = held_out(cases, parts, taxonomy, seed=seed)
        for part in held:
            found[f"{taxonomy}, {part.condition}"] = measured(part, taxonomy)
        what = f"{origin.name} {origin.split}, {FOLDS}-fold by lesson, {held[-1].condition}"
        confusions[f"{taxonomy}.en"] = confusion(held[-1], taxonomy, source, what)
    cooled = replace(
        learnt,
        weights={k: v / heats[k] for k, v in learnt.weights.items()},
        bias={k: v / heats[k] for k, v in learnt.bias.items()},
    )
    out.mkdir(parents=True, exist_ok=True)
    cooled.save(out / WEIGHTS)
    settings = {
        "version": VERSION,
        "sha256": {WEIGHTS: _sum(out / WEIGHTS)},
        "moves": {"source": moves.source, "sha256": _sum(moves.folder / MODEL)},
        "learnt_from": [asdict(one) for one in origins],
        "temperature": heats,
        "seed": seed,
        "figures": found,
        "confusions": json.loads(dumps(confusions)),
    }
    write_atomically(out / SETTINGS, json.dumps(settings, ensure_ascii=False, indent=1) + "\n")
    return found


def _part(on_progress: OnProgress, place: int, of: int) -> OnProgress:
    return lambda share: on_progress((place + share) / of)


def _sum(file: Path) -> str:
    return sha256(file.read_bytes()).hexdigest()
