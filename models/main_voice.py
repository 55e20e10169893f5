"""The voices of a lesson in its embedded windows, and where one of them speaks.

See `models.diarization` for the way as a whole and docs/decisions/0003-roles.md for figures.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from observer.timeline import Seconds

Floats = npt.NDArray[np.float32]

MOST_CLUSTERED = 3000
"""Windows that are clustered (the cost grows with their square); the rest are compared with
the centroid."""


@dataclass(frozen=True, slots=True)
class Windows:
    """Embedded windows of n stretches of 1.6 s, in order."""

    centre: npt.NDArray[np.float64]
    """Shape (n,): middle of each window, seconds."""
    region: npt.NDArray[np.intp]
    """Shape (n,): which region of speech each window lies in."""
    vectors: npt.NDArray[np.float16]
    """Shape (n, 256), unit length; half precision keeps ten hours under 80 MB."""


@dataclass(frozen=True, slots=True)
class Voice:
    """What splits the main voice from the others, and how sure it is (`models.doubt`)."""

    centroid: Floats
    threshold: float
    """Cosine similarity to the centroid from which on a window is the main voice's."""
    slope: float
    """Log-odds per unit of similarity above the threshold."""
    likeness: float = 0.0
    """Cosine of the mean embeddings of the two sides; 0 when there is one side."""
    chosen: float = 1.0
    """Probability that it is the teacher's among the lesson's voices (`models.candidates`)."""
    rival_share: float = 1.0
    """What the next likely voice says, as a share of what all others say."""
    enrolled: float | None = None
    """Cosine of the main voice to the enrolled one; None without enrolment."""
    margin: float = 0.0
    """By how much the enrolled voice is nearer to it than to any other voice of the lesson."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Windows that sound alike."""

    mean: Floats
    """Mean of their embeddings, not of unit length."""
    spread: Seconds
    """Sum over 30-s bins of min(time in the bin, `FULL_BIN`)."""
    windows: int
    """How many of the windows that were clustered are its."""
    label: int
    """Which of the labels it was gathered from."""


FULL_BIN: Seconds = 3.0
"""A voice gains nothing by talking longer than this in one bin of 30 s: the teacher is the one
who is always there, not the one who talks most. With 10 s three of 22 simulated lessons chose a
student that 3 s chose rightly, and none the other way round."""


def unit(vector: npt.NDArray[np.floating]) -> Floats:
    """`vector` with length 1."""
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-9), np.float32)


def clusters(vectors: Floats, centre: npt.NDArray[np.float64], hop: Seconds) -> list[Cluster]:
    """Average-linkage clusters at cosine distance .40, the one with the widest spread first."""
    from scipy.cluster.hierarchy import fcluster, linkage

    if len(vectors) == 1:
        return [Cluster(vectors[0], hop, 1, 1)]
    chosen = np.unique(np.linspace(0, len(vectors) - 1, MOST_CLUSTERED).astype(int))
    sample, bins = vectors[chosen], (centre[chosen] // 30).astype(int)
    each = hop * len(vectors) / len(chosen)
    label = fcluster(linkage(sample, "average", metric="cosine"), 0.40, "distance")
    return sorted(_gathered(sample, bins, label, each), key=lambda cluster: -cluster.spread)


def _gathered(
    vectors: Floats, bins: npt.NDArray[np.intp], label: npt.NDArray[np.integer], each: Seconds
) -> list[Cluster]:
    """One cluster for each label, in the order of the labels; a window stands for `each`."""
    return [
        Cluster(
            np.asarray(vectors[label == k].mean(axis=0), np.float32),
            float(np.minimum(np.bincount(bins[label == k]) * each, FULL_BIN).sum()),
            int(np.count_nonzero(label == k)),
            int(k),
        )
        for k in np.unique(label)
    ]


def refined(vectors: Floats, centroid: Floats, *, keep_near: bool) -> Floats:
    """Three rounds of: take the windows above Otsu's threshold, take their mean.

    With `keep_near` (an enrolled voice) a round that leaves the voice it began with, by a
    similarity under 0.75, is not taken.
    """
    first = centroid
    for _ in range(3):
        similarity = vectors @ centroid
        above = similarity > otsu(similarity)
        if not above.any():
            break
        moved = unit(vectors[above].mean(axis=0))
        if keep_near and float(moved @ first) < 0.75:
            break
        centroid = moved
    return centroid


ONE_VOICE = 0.90
"""Two centroids nearer than this are one voice. Split lectures gave .97-.98, lessons with
students .57-.83."""
STRANGER = 0.65
"""Threshold where there is one voice: windows of one voice stay above .67 (1st percentile)."""


def split_voice(vectors: Floats, centroid: Floats, enrolled: Floats | None) -> Voice:
    """Threshold and slope from the two groups of windows; one group when they are one voice."""
    similarity = vectors @ centroid
    threshold = otsu(similarity)
    above = similarity > threshold
    if above.all() or not above.any():
        return Voice(centroid, STRANGER, _SLOPE)
    likeness = float(unit(vectors[~above].mean(axis=0)) @ unit(vectors[above].mean(axis=0)))
    if likeness >= ONE_VOICE:
        mean = unit(vectors.mean(axis=0))
        stranger = enrolled is not None and float(mean @ enrolled) < UNLIKE
        return Voice(centroid, 1.01 if stranger else min(threshold, STRANGER), _SLOPE, likeness)
    within = np.average(
        [similarity[above].var(), similarity[~above].var()], weights=[above.sum(), (~above).sum()]
    )
    apart = float(similarity[above].mean() - similarity[~above].mean())
    return Voice(centroid, threshold, TEMPER * apart / max(float(within), 1e-4), likeness)


UNLIKE = 0.6
"""A voice less like the enrolled one than this is another's: the teacher's own were at .62 and
more, most strangers below."""
IN_CROWD = 0.3
"""Where the threshold lies in a crowd, from the crowd's similarity (0) to the main voice's (1)."""


def eased_in_crowds(similarity: Floats, quiet: npt.NDArray[np.bool_], voice: Voice) -> Floats:
    """`similarity` raised in the windows that are not `quiet`, so that one threshold does.

    A voice over babble is a mixture, so nearer to the babble than it is alone: medians in four
    lessons .69-.80 (alone .87-.89) against .56-.60 of the babble.
    """
    above = similarity[quiet & (similarity > voice.threshold)]
    crowd = similarity[~quiet & (similarity <= voice.threshold)]
    if len(above) < FEW or len(crowd) < FEW:
        return similarity
    low, high = float(np.median(crowd)), float(np.median(above))
    eased = similarity.copy()
    eased[~quiet] += max(0.0, voice.threshold - (low + IN_CROWD * (high - low)))
    return eased


FEW = 8
"""Windows from which on something is said of them."""
_SLOPE = 160.0
TEMPER = 2.0
"""Set by hand between 1 (overlapping windows count as one) and 6.4 (as independent); the
calibration of what comes out was checked (docs/decisions/0003-roles.md), not fitted."""


def otsu(values: npt.NDArray[np.floating], bins: int = 128) -> float:
    """The threshold with the largest variance between the two sides (Otsu 1979)."""
    if values.min() == values.max():
        return float(values[0])
    count, edges = np.histogram(values, bins)
    middle = (edges[1:] + edges[:-1]) / 2
    below = np.cumsum(count)[:-1].astype(float)
    above = below[-1] + count[-1] - below
    mass = np.cumsum(count * middle)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (mass[:-1] / below - (mass[-1] - mass[:-1]) / above) ** 2
    best = np.flatnonzero(between == np.nanmax(between))
    return float(edges[1:-1][best].mean())


STAY = 0.98
"""Probability that the next window in a region of speech has the same voice."""
STAY_ACROSS = 0.7
"""The same across a pause."""


def smoothed(
    similarity: Floats, region: npt.NDArray[np.intp], voice: Voice, weight: float
) -> npt.NDArray[np.float64]:
    """Probability of the main voice in every window, shape (n,): forward-backward over two states.

    `weight` = hop / window: overlapping windows hear the same sound, so each counts for its
    share only.
    """
    odds = np.clip(voice.slope * (similarity - voice.threshold), -60, 60) * weight
    evidence = np.stack([1 / (1 + np.exp(odds)), 1 / (1 + np.exp(-odds))], axis=1)
    stay = np.where(np.diff(region) == 0, STAY, STAY_ACROSS)
    forward, backward = np.empty_like(evidence), np.ones_like(evidence)
    forward[0] = evidence[0]
    for i, p in enumerate(stay, start=1):
        before = forward[i - 1] / forward[i - 1].sum()
        forward[i] = evidence[i] * (p * before + (1 - p) * before[::-1])
    for i in range(len(stay) - 1, -1, -1):
        after = evidence[i + 1] * backward[i + 1]
        after = after / after.sum()
        backward[i] = stay[i] * after + (1 - stay[i]) * after[::-1]
    both = forward * backward
    return np.asarray(both[:, 1] / both.sum(axis=1), np.float64)
