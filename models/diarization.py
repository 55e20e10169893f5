"""Tells the main voice of a lesson from all others; never counts or names the others.

Every 1.6 s of speech becomes a GE2E embedding. Average-linkage clustering at cosine distance
0.40 gives voices; the one that is spread widest over the lesson (not the one that talks most:
that can be the babble of group work) is the main voice. Its centroid is refined three times,
and Otsu's threshold (1979), found anew in each lesson because fixed thresholds do not carry
from room to room, splits its windows from the rest. Measured in docs/decisions/0003-roles.md.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from models.activity import crowds
from models.voice_embedding import WINDOW_FRAMES, VoiceEncoder, mel_power
from observer.engines import MAIN_SPEAKER, OnProgress, SpeakerSpan, ignore_progress
from observer.media import Audio
from observer.timeline import Seconds, Span, intersection

Floats = npt.NDArray[np.float32]

OTHERS = "others"
WINDOW: Seconds = WINDOW_FRAMES / 100
PIECE: Seconds = 60.0
"""Longest stretch whose spectrogram is held at once."""
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
    """What splits the main voice from the others: cosine similarity to its centroid."""

    centroid: Floats
    threshold: float
    slope: float
    """Log-odds per unit of similarity above the threshold."""


class Ge2eDiarizer:
    """Main voice and others, by GE2E embeddings.

    `hop` is the distance of windows; regions of speech are joined over pauses shorter than
    `bridge`. `threads` is for torch.
    """

    name = "ge2e"

    def __init__(self, *, hop: Seconds = 0.25, bridge: Seconds = 0.3, threads: int = 1) -> None:
        self.hop = hop
        self.bridge = bridge
        self._encoder = VoiceEncoder(threads=threads)

    @property
    def version(self) -> str:
        """Rules and weights."""
        return f"1+{self._encoder.version}"

    def diarize(
        self,
        audio: Audio,
        speech: Sequence[Span],
        teacher_voice: Audio | None = None,
        on_progress: OnProgress = ignore_progress,
    ) -> list[SpeakerSpan]:
        """Spans of "main" and "others" inside `speech`, in order of start.

        Crowds (`models.activity`) take no part in the search for the main voice, so that the
        babble of group work is not taken for it; a main voice that stands out of a crowd is
        still found there. Raises MissingWeights, EngineError.
        """
        regions = joined(speech, self.bridge)
        if not regions:
            return []
        windows = self._embed(audio, regions, on_progress)
        crowd = [c.span for c in crowds(audio)]
        quiet = ~inside(windows.centre, crowd)
        enrolled = self._enrol(teacher_voice) if teacher_voice is not None else None
        voice = main_voice(windows, quiet, self.hop, enrolled)
        similarity = windows.vectors.astype(np.float32) @ voice.centroid
        main = smoothed(similarity, windows.region, voice, self.hop / WINDOW)
        return spans_of(windows, main, regions, speech)

    def _embed(self, audio: Audio, regions: Sequence[Span], on_progress: OnProgress) -> Windows:
        centres, places, vectors = [], [], []
        total, done = sum(region.duration for region in regions), 0.0
        for index, region in enumerate(regions):
            for piece in pieces(region):
                at, mels = windows_of(audio, piece, self.hop)
                centres.append(at)
                places.append(np.full(len(at), index))
                vectors.append(self._encoder.embed(mels).astype(np.float16))
                done += piece.duration
                on_progress(min(1.0, done / total))
        return Windows(np.concatenate(centres), np.concatenate(places), np.concatenate(vectors))

    def _enrol(self, voice: Audio) -> Floats:
        """Mean embedding of the louder windows of a clip in which only the teacher speaks."""
        whole = Span(0.0, max(voice.duration, 0.02))
        found: list[tuple[Floats, Floats]] = []
        for piece in pieces(whole):
            _, mels = windows_of(voice, piece, self.hop)
            found.append((self._encoder.embed(mels), mels.mean(axis=(1, 2))))
        vectors = np.concatenate([v for v, _ in found])
        power = np.concatenate([p for _, p in found])
        return unit(vectors[power >= 0.1 * np.median(power)].mean(axis=0))


def joined(speech: Sequence[Span], bridge: Seconds) -> list[Span]:
    """Regions of speech: spans with the pauses shorter than `bridge` filled."""
    regions: list[Span] = []
    for span in sorted(speech):
        if regions and span.start - regions[-1].end < bridge:
            regions[-1] = Span(regions[-1].start, max(regions[-1].end, span.end))
        elif span.duration > 0:
            regions.append(span)
    return regions


def pieces(region: Span) -> Iterator[Span]:
    """Equal parts of a region, none longer than a minute."""
    count = max(1, int(np.ceil(region.duration / PIECE)))
    edges = np.linspace(region.start, region.end, count + 1)
    for start, end in pairwise(edges):
        yield Span(float(start), float(end))


def windows_of(audio: Audio, piece: Span, hop: Seconds) -> tuple[npt.NDArray[np.float64], Floats]:
    """(centres in seconds (n,), mel windows (n, 160, 40)) evenly over a piece of speech.

    Windows stay inside the piece, so that none mixes two turns across a pause; a piece shorter
    than a window is repeated until it fills one.
    """
    mels = mel_power(audio.read(piece))
    if len(mels) <= WINDOW_FRAMES:
        centre = (piece.start + piece.end) / 2
        return np.array([centre]), np.resize(mels, (1, WINDOW_FRAMES, mels.shape[1]))
    room = len(mels) - WINDOW_FRAMES
    count = max(1, round(room / 100 / hop))
    first = np.unique(np.round(np.linspace(0, room, count + 1)).astype(int))
    rows = first[:, None] + np.arange(WINDOW_FRAMES)
    return piece.start + (first + WINDOW_FRAMES / 2) / 100, mels[rows]


def inside(times: npt.NDArray[np.float64], spans: Sequence[Span]) -> npt.NDArray[np.bool_]:
    """Which of `times` lie in one of `spans`."""
    found = np.zeros(len(times), bool)
    for span in spans:
        found |= (times >= span.start) & (times < span.end)
    return found


def unit(vector: npt.NDArray[np.floating]) -> Floats:
    """`vector` with length 1."""
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-9), np.float32)


def main_voice(
    windows: Windows,
    usable: npt.NDArray[np.bool_],
    hop: Seconds,
    enrolled: Floats | None = None,
) -> Voice:
    """Find the main voice among the `usable` windows (all of them when those are too few)."""
    if np.count_nonzero(usable) < 8:
        usable = np.ones(len(windows.centre), bool)
    vectors = windows.vectors[usable].astype(np.float32)
    start = enrolled if enrolled is not None else widest_voice(vectors, windows.centre[usable], hop)
    centroid = refined(vectors, start, keep_near=enrolled is not None)
    return _split(vectors, centroid, enrolled)


def widest_voice(vectors: Floats, centre: npt.NDArray[np.float64], hop: Seconds) -> Floats:
    """Centroid of the cluster with the largest sum over 30-s bins of min(its time, 10 s)."""
    from scipy.cluster.hierarchy import fcluster, linkage

    if len(vectors) == 1:
        return unit(vectors[0])
    chosen = np.unique(np.linspace(0, len(vectors) - 1, MOST_CLUSTERED).astype(int))
    sample, bins = vectors[chosen], (centre[chosen] // 30).astype(int)
    each = hop * len(vectors) / len(chosen)
    cluster = fcluster(linkage(sample, "average", metric="cosine"), 0.40, "distance")
    spread = [
        np.minimum(np.bincount(bins[cluster == k]) * each, 10.0).sum()
        for k in range(1, cluster.max() + 1)
    ]
    return unit(sample[cluster == 1 + int(np.argmax(spread))].mean(axis=0))


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


def _split(vectors: Floats, centroid: Floats, enrolled: Floats | None) -> Voice:
    """Threshold and slope from the two groups of windows; one group when they are one voice."""
    similarity = vectors @ centroid
    threshold = otsu(similarity)
    above = similarity > threshold
    if above.all() or not above.any():
        return Voice(centroid, STRANGER, _SLOPE)
    other = unit(vectors[~above].mean(axis=0))
    if float(other @ unit(vectors[above].mean(axis=0))) >= ONE_VOICE:
        stranger = enrolled is not None and float(np.median(vectors @ enrolled)) < STRANGER
        return Voice(centroid, 1.01 if stranger else min(threshold, STRANGER), _SLOPE)
    within = np.average(
        [similarity[above].var(), similarity[~above].var()], weights=[above.sum(), (~above).sum()]
    )
    apart = float(similarity[above].mean() - similarity[~above].mean())
    return Voice(centroid, threshold, TEMPER * apart / max(float(within), 1e-4))


_SLOPE = 40.0
TEMPER = 0.5
"""Share of the discriminant's slope that is believed, fitted on simulated lessons."""


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
    odds = np.clip(voice.slope * (similarity - voice.threshold), -60, 60) * weight * 4
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


def spans_of(
    windows: Windows,
    main: npt.NDArray[np.float64],
    regions: Sequence[Span],
    speech: Sequence[Span],
) -> list[SpeakerSpan]:
    """Runs of windows with one voice, cut to the speech, in order of start."""
    found: list[SpeakerSpan] = []
    for index, region in enumerate(regions):
        here = np.flatnonzero(windows.region == index)
        found += _runs_in(region, windows.centre[here], main[here])
    cut = [
        SpeakerSpan(part.start, part.end, item.speaker, item.probability)
        for item in found
        for part in _clip(item.span, speech)
    ]
    return sorted(cut, key=lambda item: (item.start, item.end, item.speaker))


def _runs_in(
    region: Span, centre: npt.NDArray[np.float64], main: npt.NDArray[np.float64]
) -> Iterator[SpeakerSpan]:
    """The runs of one region; a voice changes half way between two windows."""
    is_main = main > 0.5
    change = np.flatnonzero(np.diff(is_main.astype(np.int8))) + 1
    first = [0, *change.tolist()]
    last = [*change.tolist(), len(centre)]
    for a, b in zip(first, last, strict=True):
        start = region.start if a == 0 else float(centre[a - 1] + centre[a]) / 2
        end = region.end if b == len(centre) else float(centre[b - 1] + centre[b]) / 2
        mean = float(main[a:b].mean())
        speaker, p = (MAIN_SPEAKER, mean) if is_main[a] else (OTHERS, 1.0 - mean)
        yield SpeakerSpan(start, max(start, end), speaker, p)


def _clip(span: Span, within: Sequence[Span]) -> list[Span]:
    """The parts of `span` inside `within`, disjoint spans in order."""
    first = max(0, bisect_right(within, span.start, key=lambda s: s.start) - 1)
    last = bisect_left(within, span.end, key=lambda s: s.start)
    return intersection([span], within[first:last])
