"""Tells the main voice of a lesson from all others; never counts or names the others.

Every 1.6 s of speech becomes a GE2E embedding. Average-linkage clustering at cosine distance
0.40 gives voices; the one that is spread widest over the lesson (not the one that talks most:
that can be the babble of group work) is the main voice. Its centroid is refined three times,
and Otsu's threshold (1979), found anew in each lesson because fixed thresholds do not carry
from room to room, splits its windows from the rest. Measured in docs/decisions/0003-roles.md.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from models.activity import crowds, levels, loudness
from models.candidates import main_voice
from models.doubt import calibrated, doubted, notes, swap_doubt
from models.main_voice import Floats, Windows, eased_in_crowds, smoothed, unit
from models.voice_embedding import WINDOW_FRAMES, VoiceEncoder, mel_power
from observer.engines import (
    MAIN_SPEAKER,
    NO_SWAP,
    Note,
    OnProgress,
    SpeakerSpan,
    Swap,
    ignore_progress,
)
from observer.media import Audio
from observer.timeline import Seconds, Span, intersection

OTHERS = "others"
WINDOW: Seconds = WINDOW_FRAMES / 100
PIECE: Seconds = 60.0
"""Longest stretch whose spectrogram is held at once."""


class Ge2eDiarizer:
    """Main voice and others, by GE2E embeddings.

    `hop` is the distance of windows; regions of speech are joined over pauses shorter than
    `bridge`. `threads` is for torch. `notes` say where the last lesson leaves doubt.
    """

    name = "ge2e"

    def __init__(self, *, hop: Seconds = 0.25, bridge: Seconds = 0.3, threads: int = 1) -> None:
        self.hop = hop
        self.bridge = bridge
        self.notes: tuple[Note, ...] = ()
        self.swap = NO_SWAP
        self._encoder = VoiceEncoder(threads=threads)

    @property
    def version(self) -> str:
        """Rules and weights."""
        return f"2+{self._encoder.version}"

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
        self.notes, self.swap = (), NO_SWAP
        if not speech:
            return []
        windows = self.windows(audio, speech, on_progress)
        enrolled = self._enrol(teacher_voice) if teacher_voice is not None else None
        return self.attribute(audio, speech, windows, enrolled)

    def attribute(
        self,
        audio: Audio,
        speech: Sequence[Span],
        windows: Windows,
        enrolled: Floats | None = None,
    ) -> list[SpeakerSpan]:
        """`diarize` from its `windows` on, which is all but the cost of the embeddings."""
        crowd = [c.span for c in crowds(audio)]
        quiet = ~inside(windows.centre, crowd)
        level = loudness(levels(audio), windows.centre, WINDOW)
        voice = main_voice(windows, quiet, self.hop, enrolled, level)
        similarity = windows.vectors.astype(np.float32) @ voice.centroid
        similarity = eased_in_crowds(similarity, quiet, voice)
        main = smoothed(similarity, windows.region, voice, self.hop / WINDOW)
        self.notes, self.swap = tuple(notes(voice)), Swap(swap_doubt(voice), voice.rival_share)
        return [
            replace(
                span,
                probability=doubted(span.probability, voice, is_main=span.speaker == MAIN_SPEAKER),
            )
            for span in spans_of(
                windows, main, similarity - voice.threshold, joined(speech, self.bridge), speech
            )
        ]

    def windows(
        self, audio: Audio, speech: Sequence[Span], on_progress: OnProgress = ignore_progress
    ) -> Windows:
        """The embedded windows of a lesson's regions of speech."""
        return self._embed(audio, joined(speech, self.bridge), on_progress)

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


def spans_of(
    windows: Windows,
    main: npt.NDArray[np.float64],
    margin: npt.NDArray[np.floating],
    regions: Sequence[Span],
    speech: Sequence[Span],
) -> list[SpeakerSpan]:
    """Runs of windows with one voice, cut to the speech, in order of start.

    `main` is the probability of the main voice in each window, `margin` how far the window's
    similarity lies above the threshold; both of shape (n,).
    """
    found: list[SpeakerSpan] = []
    for index, region in enumerate(regions):
        here = np.flatnonzero(windows.region == index)
        found += _runs_in(region, windows.centre[here], main[here], margin[here])
    cut = [
        SpeakerSpan(part.start, part.end, item.speaker, item.probability)
        for item in found
        for part in _clip(item.span, speech)
    ]
    return sorted(cut, key=lambda item: (item.start, item.end, item.speaker))


def _runs_in(
    region: Span,
    centre: npt.NDArray[np.float64],
    main: npt.NDArray[np.float64],
    margin: npt.NDArray[np.floating],
) -> Iterator[SpeakerSpan]:
    """The runs of one region; a voice changes half way between two windows."""
    is_main = main > 0.5
    change = np.flatnonzero(np.diff(is_main.astype(np.int8))) + 1
    first = [0, *change.tolist()]
    last = [*change.tolist(), len(centre)]
    for a, b in zip(first, last, strict=True):
        start = region.start if a == 0 else float(centre[a - 1] + centre[a]) / 2
        end = region.end if b == len(centre) else float(centre[b - 1] + centre[b]) / 2
        end = max(start, end)
        mean, above = float(main[a:b].mean()), float(margin[a:b].mean())
        speaker, p, above = (
            (MAIN_SPEAKER, mean, above) if is_main[a] else (OTHERS, 1.0 - mean, -above)
        )
        yield SpeakerSpan(start, end, speaker, calibrated(p, above, end - start))


def _clip(span: Span, within: Sequence[Span]) -> list[Span]:
    """The parts of `span` inside `within`, disjoint spans in order."""
    first = max(0, bisect_right(within, span.start, key=lambda s: s.start) - 1)
    last = bisect_left(within, span.end, key=lambda s: s.start)
    return intersection([span], within[first:last])
