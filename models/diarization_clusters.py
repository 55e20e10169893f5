"""Diarizers that tell voices apart by themselves: which of their voices is the teacher's.

The engine says who speaks when, by numbers without meaning. GE2E embeddings of the same speech
find the teacher among them by the rule of `models.main_voice` (always there, or nearest to the
enrolled voice), say how sure each stretch is, and decide where the engine heard nobody.
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from models.activity import crowds
from models.diarization import OTHERS, WINDOW, Ge2eDiarizer, inside, joined, spans_of
from models.doubt import doubted, notes, swap_doubt
from models.main_voice import (
    Floats,
    Voice,
    Windows,
    eased_in_crowds,
    known_voice,
    main_voice,
    smoothed,
)
from observer.engines import (
    MAIN_SPEAKER,
    NO_SWAP,
    OnProgress,
    SpeakerSpan,
    Swap,
    ignore_progress,
)
from observer.media import Audio
from observer.timeline import Seconds, Span, difference, intersection, union

ENGINE_RIGHT: Final = 0.9
"""Probability that a stretch of the engine has the right voice, before GE2E is heard. Set by
hand: no weights are at hand to measure it."""
SHORT: Final[Seconds] = 0.5
"""Speech without a voice that is shorter than this belongs to the voice beside it: the edges of
the engine and of voice activity differ by so much."""
ENGINES_WORK: Final = 0.7
"""Share of the progress that is the engine's; the rest is GE2E's."""


class ClusterDiarizer(Ge2eDiarizer):
    """A diarizer of which a subclass says who speaks when."""

    @abstractmethod
    def turns(self, audio: Audio, on_progress: OnProgress) -> list[SpeakerSpan]:
        """Who speaks when, as the engine tells it; turns may overlap, names mean nothing.

        Raises MissingWeights, EngineError.
        """

    def diarize(
        self,
        audio: Audio,
        speech: Sequence[Span],
        teacher_voice: Audio | None = None,
        on_progress: OnProgress = ignore_progress,
    ) -> list[SpeakerSpan]:
        """Spans of "main" and "others" that cover `speech`, in order of start; main and others
        overlap where the engine hears both. Raises MissingWeights, EngineError.
        """
        self.notes, self.swap = (), NO_SWAP
        if not speech:
            return []
        turns = self.turns(audio, lambda share: on_progress(ENGINES_WORK * share))
        windows = self.windows(
            audio, speech, lambda share: on_progress(ENGINES_WORK + (1 - ENGINES_WORK) * share)
        )
        enrolled = self._enrol(teacher_voice) if teacher_voice is not None else None
        return self.attribute_turns(audio, speech, turns, windows, enrolled)

    def attribute_turns(
        self,
        audio: Audio,
        speech: Sequence[Span],
        turns: Sequence[SpeakerSpan],
        windows: Windows,
        enrolled: Floats | None = None,
    ) -> list[SpeakerSpan]:
        """`diarize` once the engine's turns and the embedded windows are known."""
        voices = _voices(turns, speech)
        label = labels(windows, list(voices.values()))
        quiet = ~inside(windows.centre, [c.span for c in crowds(audio)])
        if (label >= 0).any():
            own, voice = known_voice(windows, quiet, self.hop, label, enrolled)
        else:
            own, voice = frozenset[int](), main_voice(windows, quiet, self.hop, enrolled)
        similarity = windows.vectors.astype(np.float32) @ voice.centroid
        similarity = eased_in_crowds(similarity, quiet, voice)
        sure = smoothed(similarity, windows.region, voice, self.hop / WINDOW)
        self.notes, self.swap = tuple(notes(voice)), Swap(swap_doubt(voice), voice.rival_share)
        main = union(s for k, spans in enumerate(voices.values()) if k in own for s in spans)
        others = union(s for k, spans in enumerate(voices.values()) if k not in own for s in spans)
        unheard = difference(speech, [*main, *others])
        found = [
            *(_sure(span, MAIN_SPEAKER, windows, sure, voice) for span in main),
            *(_sure(span, OTHERS, windows, sure, voice) for span in others),
            *_by_ge2e(spans_of(windows, sure, joined(speech, self.bridge), unheard), voice),
        ]
        return sorted(found, key=lambda item: (item.start, item.end, item.speaker))


def labels(windows: Windows, voices: Sequence[Sequence[Span]]) -> npt.NDArray[np.intp]:
    """Which voice is heard in the middle of each window, shape (n,); -1 for none or several."""
    heard = np.array([inside(windows.centre, spans) for spans in voices])
    if len(heard) == 0:
        return np.full(len(windows.centre), -1)
    return np.where(heard.sum(axis=0) == 1, heard.argmax(axis=0), -1)


def _voices(turns: Sequence[SpeakerSpan], speech: Sequence[Span]) -> dict[str, list[Span]]:
    """Each voice's stretches of speech, short leftovers of the speech included."""
    names = sorted({turn.speaker for turn in turns})
    said = {n: intersection([t.span for t in turns if t.speaker == n], speech) for n in names}
    for rest in difference(speech, [t.span for t in turns]):
        beside = [(_apart(rest, span), n) for n in names for span in said[n]]
        if rest.duration < SHORT and beside and min(beside)[0] <= SHORT:
            said[min(beside)[1]].append(rest)
    return {name: union(spans) for name, spans in said.items() if spans}


def _apart(a: Span, b: Span) -> Seconds:
    """Seconds between two spans."""
    return max(0.0, a.start - b.end, b.start - a.end)


def _sure(
    span: Span, speaker: str, windows: Windows, main: npt.NDArray[np.float64], voice: Voice
) -> SpeakerSpan:
    """A stretch of the engine with its probability: the engine's word and GE2E's together.

    GE2E may doubt the engine, as far as ½, but does not overrule it.
    """
    here = (windows.centre >= span.start) & (windows.centre < span.end)
    if not here.any():
        here = np.arange(len(main)) == np.abs(windows.centre - (span.start + span.end) / 2).argmin()
    right = float(np.mean(main[here] if speaker == MAIN_SPEAKER else 1 - main[here]))
    both = ENGINE_RIGHT * right / (ENGINE_RIGHT * right + (1 - ENGINE_RIGHT) * (1 - right))
    p = doubted(max(0.5, both), voice, is_main=speaker == MAIN_SPEAKER)
    return SpeakerSpan(span.start, span.end, speaker, p)


def _by_ge2e(spans: Sequence[SpeakerSpan], voice: Voice) -> list[SpeakerSpan]:
    """Stretches in which the engine heard nobody, as `Ge2eDiarizer` tells them."""
    return [
        replace(s, probability=doubted(s.probability, voice, is_main=s.speaker == MAIN_SPEAKER))
        for s in spans
    ]
