"""Which voice of a lesson is the teacher's, and how sure that is.

Every voice that is heard all over the lesson (average-linkage clusters, widest first) is tried as
the teacher's: its windows are split from the rest, and four things are looked at that go with the
teacher's part in a lesson: being always there, taking every second turn, being the nearer or
louder voice, and breaking silences. A conditional logit (McFadden 1974) of the four gives each
voice its probability; the likeliest is taken. With an enrolled voice the nearest one is taken.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from models.main_voice import (
    FEW,
    FULL_BIN,
    Cluster,
    Floats,
    Voice,
    Windows,
    clusters,
    refined,
    smoothed,
    split_voice,
    unit,
)
from observer.timeline import Seconds

MOST_CANDIDATES = 5
NARROWEST = 0.3
"""A voice with less than this of the widest one's spread is no candidate."""
SILENCE: Seconds = 2.0
"""Who speaks first after a pause as long as this breaks a silence."""
LOUDEST = 6.0
"""dB; more than this over the others says no more."""
WEIGHTS = np.array([5.39, 8.18, 0.277, 4.48])
"""Log-odds per e-fold of spread and of turns, per dB, and for breaking all silences, not none.
Fitted by benchmarks/roles_fit.py on 99 simulated lessons, ridge .03."""
SUREST = 0.99
"""Nothing is surer, as one lesson in a hundred may be unlike all that were fitted."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A voice tried as the teacher's, among those of the lesson."""

    voice: Voice
    spread: Seconds
    """Of its cluster (`Cluster.spread`)."""
    share: float
    """Its share of the windows."""
    turns: int
    """Stretches in which it is heard."""
    loudness: float
    """Its median level over that of all others, dB."""
    opens: float
    """Share of the silences it breaks (the lesson's beginning is one), shrunk to a half."""


def main_voice(
    windows: Windows,
    usable: npt.NDArray[np.bool_],
    hop: Seconds,
    enrolled: Floats | None = None,
    level: npt.NDArray[np.floating] | None = None,
) -> Voice:
    """The teacher's voice among the `usable` windows (all of them when those are too few).

    `level` is that of each window, dB, shape (n,); without it loudness says nothing.
    """
    if np.count_nonzero(usable) < FEW:
        usable = np.ones(len(windows.centre), bool)
    if level is None:
        level = np.zeros(len(windows.centre))
    heard = Windows(windows.centre[usable], windows.region[usable], windows.vectors[usable])
    found = clusters(heard.vectors.astype(np.float32), heard.centre, hop)
    if enrolled is not None:
        return _enrolled(heard, found, enrolled)
    tried = candidates(heard, found, hop, level[usable])
    sure = probabilities(tried)
    order = np.argsort(-sure, kind="stable").tolist()
    first: Candidate = tried[order[0]]
    if len(tried) == 1:
        return replace(first.voice, chosen=SUREST)
    second = tried[order[1]].share / max(1e-9, 1.0 - first.share)
    return replace(
        first.voice, chosen=min(SUREST, float(sure[order[0]])), rival_share=min(1.0, second)
    )


def candidates(
    windows: Windows, found: list[Cluster], hop: Seconds, level: npt.NDArray[np.floating]
) -> list[Candidate]:
    """The voices that may be the teacher's, widest first; at least one."""
    vectors = windows.vectors.astype(np.float32)
    least = max(FULL_BIN, NARROWEST * found[0].spread)
    tried: list[Candidate] = []
    for cluster in found:
        if len(tried) == MOST_CANDIDATES or (tried and cluster.spread < least):
            break
        if any(float(cluster.mean @ c.voice.centroid) > c.voice.threshold for c in tried):
            continue
        voice = split_voice(vectors, refined(vectors, unit(cluster.mean), keep_near=False), None)
        if all(float(voice.centroid @ c.voice.centroid) <= 0.95 for c in tried):
            own = smoothed(vectors @ voice.centroid, windows.region, voice, hop / WINDOW) > 0.5
            tried.append(_candidate(cluster, voice, own, windows, level))
    return tried


WINDOW: Seconds = 1.6


def _candidate(
    cluster: Cluster,
    voice: Voice,
    own: npt.NDArray[np.bool_],
    windows: Windows,
    level: npt.NDArray[np.floating],
) -> Candidate:
    starts = np.flatnonzero(np.diff(own.astype(np.int8), prepend=0) == 1)
    regions = np.flatnonzero(np.diff(windows.region)) + 1
    after = regions[windows.centre[regions] - windows.centre[regions - 1] - WINDOW > SILENCE]
    broken = own[np.concatenate([[0], after]).astype(np.intp)]
    mixed = bool(own.any() and not own.all())
    loudness = float(np.median(level[own]) - np.median(level[~own])) if mixed else 0.0
    return Candidate(
        voice=voice,
        spread=cluster.spread,
        share=float(own.mean()),
        turns=max(1, len(starts)),
        loudness=loudness,
        opens=float((broken.sum() + 0.5) / (len(broken) + 1)),
    )


def probabilities(tried: list[Candidate]) -> npt.NDArray[np.float64]:
    """Probability of each candidate, shape (n,), with sum 1."""
    seen = np.array(
        [
            (np.log(c.spread), np.log(c.turns), np.clip(c.loudness, -LOUDEST, LOUDEST), c.opens)
            for c in tried
        ]
    )
    score = seen @ WEIGHTS
    odds = np.exp(score - score.max())
    return np.asarray(odds / odds.sum(), np.float64)


def _enrolled(windows: Windows, found: list[Cluster], enrolled: Floats) -> Voice:
    """The voice of the lesson nearest to the enrolled one.

    A clip is hardly ever made in the lesson's room, so how near it is says little (cosines of
    .62 to .97 in 30 lessons), but which voice is nearest was right in all of them.
    """
    vectors = windows.vectors.astype(np.float32)
    first = max(_heard_enough(found) or found, key=lambda c: float(unit(c.mean) @ enrolled))
    voice = split_voice(vectors, refined(vectors, unit(first.mean), keep_near=True), enrolled)
    other = [c for c in found if float(c.mean @ voice.centroid) < voice.threshold]
    near = float(unit(first.mean) @ enrolled)
    next_near = max((float(unit(c.mean) @ enrolled) for c in _heard_enough(other)), default=-1.0)
    share = other[0].windows / sum(c.windows for c in other) if other else 1.0
    return replace(voice, enrolled=near, margin=near - next_near, rival_share=share)


def _heard_enough(found: list[Cluster]) -> list[Cluster]:
    return [c for c in found if c.spread >= FULL_BIN]
