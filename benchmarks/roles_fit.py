"""Fits who the teacher is and how sure a stretch is, on lessons that roles_coverage has heard.

python benchmarks/roles_fit.py --heard HEARD

Prints models.candidates.WEIGHTS (conditional logit; likelihood of left-out lessons for several
ridge penalties) and models.doubt.CALIBRATION (logistic, weighted by time). Fit on one seed, check
on another: docs/decisions/0003-roles.md.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from roles_coverage import STUDENTS, Heard, read_heard
from scipy.optimize import minimize

from models.activity import crowds, levels, loudness
from models.candidates import LOUDEST, WINDOW, candidates
from models.diarization import inside, joined, spans_of
from models.main_voice import Windows, clusters, eased_in_crowds, smoothed
from observer.engines import MAIN_SPEAKER
from observer.timeline import Role, Span, difference, intersection, total

Floats = NDArray[np.float64]
HOP = 0.25
FOLDS = 10


def choice(heard: Heard) -> tuple[Floats, int, Floats]:
    """(features of every candidate (n, 4), which is the teacher, rows of stretches (m, 5)).

    A row of a stretch: log-odds, margin, log length, seconds right, seconds wrong; none where no
    candidate is the teacher's.
    """
    windows = heard.windows
    quiet = ~inside(windows.centre, [c.span for c in crowds(heard.audio)])
    level = loudness(levels(heard.audio), windows.centre, WINDOW)
    kept = Windows(windows.centre[quiet], windows.region[quiet], windows.vectors[quiet])
    found = clusters(kept.vectors.astype(np.float32), kept.centre, HOP)
    tried = candidates(kept, found, HOP, level[quiet])
    taught, said = heard.truth.of(Role.TEACHER), heard.truth.of(*STUDENTS)
    alone = (difference(taught, said), difference(said, taught))
    at = [inside(windows.centre, spans) for spans in alone]
    gains: list[float] = []
    sides: list[tuple[Floats, Floats]] = []
    for c in tried:
        near = windows.vectors.astype(np.float32) @ c.voice.centroid
        near = eased_in_crowds(near, quiet, c.voice)
        main = smoothed(near, windows.region, c.voice, HOP / WINDOW)
        shares = [float((main[k] > 0.5).mean()) if k.any() else 0.0 for k in at]
        gains.append(shares[0] - shares[1])
        sides.append((main, np.asarray(near - c.voice.threshold, np.float64)))
    features = np.array(
        [
            (np.log(c.spread), np.log(c.turns), np.clip(c.loudness, -LOUDEST, LOUDEST), c.opens)
            for c in tried
        ]
    )
    best = int(np.argmax(gains))
    return features, best, stretches(heard, *sides[best], alone)


def stretches(
    heard: Heard, main: Floats, margin: Floats, alone: tuple[list[Span], list[Span]]
) -> Floats:
    """Rows of `choice` for the stretches of one voice."""
    rows = []
    for s in spans_of(heard.windows, main, margin, joined(heard.speech, 0.3), heard.speech):
        here = inside(heard.windows.centre, [s.span])
        if not here.any():
            here[np.argmin(np.abs(heard.windows.centre - (s.start + s.end) / 2))] = True
        side = 1 if s.speaker == MAIN_SPEAKER else -1
        p = float(
            np.clip(main[here].mean() if side == 1 else 1 - main[here].mean(), 1e-6, 1 - 1e-6)
        )
        times = [total(intersection([s.span], spans)) for spans in alone][::side]
        seen = (min(np.log(p / (1 - p)), 8.0), min(side * float(margin[here].mean()), 0.15))
        rows.append((*seen, np.log(s.end - s.start + 0.1), *times))
    return np.array(rows)


def fit_choice(lessons: list[tuple[Floats, int]], ridge: float) -> Floats:
    """Weights of the conditional logit; the penalty is on features of spread 1 (dB: 3)."""
    scale = np.array([1.0, 1.0, 3.0, 1.0])

    def loss(weights: Floats) -> float:
        lost = 0.5 * ridge * float(np.sum(weights**2))
        return lost + sum(-log_share(x / scale @ weights, k) for x, k in lessons)

    limits = [(0, None), (0, None), (None, None), (None, None)]
    return np.asarray(minimize(loss, np.zeros(4), method="L-BFGS-B", bounds=limits).x / scale)


def log_share(score: Floats, k: int) -> float:
    """Log of the softmax of one candidate."""
    return float(score[k] - score.max() - np.log(np.exp(score - score.max()).sum()))


def fit_stretches(rows: Floats) -> Floats:
    """Bias and weights of the logistic, shape (4,)."""
    x, good, bad = np.c_[np.ones(len(rows)), rows[:, :3]], rows[:, 3], rows[:, 4]

    def loss(weights: Floats) -> float:
        score = x @ weights
        lost = np.logaddexp(0, -score) * good + np.logaddexp(0, score) * bad
        return float(lost.sum() + 0.5 * np.sum((weights[1:] * x[:, 1:].std(axis=0)) ** 2))

    return np.asarray(minimize(loss, np.zeros(4), method="BFGS").x)


def main() -> None:
    """Print both fits."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--heard", type=Path, required=True)
    paths = sorted(parser.parse_args().heard.glob("*.npz"))
    tables = [choice(read_heard(path)) for path in paths if ".part" not in path.name]
    several = [(x, k) for x, k, _ in tables if len(x) > 1]
    print(f"{len(tables)} lessons, {len(several)} with several candidates")
    for ridge in (1.0, 0.3, 0.1, 0.03, 0.01):
        left_out = 0.0
        for fold in range(FOLDS):
            weights = fit_choice([t for i, t in enumerate(several) if i % FOLDS != fold], ridge)
            left_out -= sum(log_share(x @ weights, k) for x, k in several[fold::FOLDS])
        weights = fit_choice(several, ridge).round(3)
        print(f"ridge {ridge}: left out {left_out / len(several):.3f} nats, {weights}")
    print("stretches", fit_stretches(np.concatenate([rows for *_, rows in tables])).round(3))


if __name__ == "__main__":
    main()
