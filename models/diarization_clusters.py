"""Diarizers that tell voices apart by themselves: which of their voices is the teacher's.

The engine says who speaks when, by numbers without meaning. The GE2E diarizer, which needs no
weights but those it comes with, reads the same speech as a second witness: the engine's voice
that it hears as the teacher's is the teacher's (by the same rule, with the same enrolment and the
same doubts), and its agreement says how sure a stretch is. Where the engine heard nobody, the
second witness alone decides.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Final

from models.diarization import OTHERS, Ge2eDiarizer
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
from observer.timeline import Seconds, Span, difference, intersection, total, union

ENGINE_RIGHT: Final = 0.9
"""Probability that a stretch of the engine has the right voice, before GE2E is heard. Set by
hand: there are no weights here to measure it with."""
SAME: Final = 0.9
"""Share of a voice's talk, heard as the teacher's by GE2E, from which on it is the teacher's
too: engines split a voice that is near and far from the microphone. Set by hand."""
SHORT: Final[Seconds] = 0.5
"""Speech without a voice that is shorter than this belongs to the voice beside it: the edges of
the engine and of voice activity differ by so much."""
ENGINES_WORK: Final = 0.7
"""Share of the progress that is the engine's; the rest is GE2E's."""


class ClusterDiarizer(ABC):
    """A diarizer of which a subclass says who speaks when."""

    name: str

    def __init__(self, *, threads: int = 1) -> None:
        self.threads = threads
        self.notes: tuple[Note, ...] = ()
        self.swap: Swap = NO_SWAP
        self._witness = Ge2eDiarizer(threads=threads)

    @property
    @abstractmethod
    def version(self) -> str:
        """Library, weights and settings. Raises MissingWeights, EngineError."""

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
        """Spans of "main" and "others" that cover `speech`, in order of start; the two overlap
        where the engine hears both. Raises MissingWeights, EngineError.
        """
        self.notes, self.swap = (), NO_SWAP
        if not speech:
            return []
        turns = self.turns(audio, lambda share: on_progress(ENGINES_WORK * share))
        witness = self._witness.diarize(
            audio,
            speech,
            teacher_voice,
            lambda share: on_progress(ENGINES_WORK + (1 - ENGINES_WORK) * share),
        )
        self.notes, self.swap = self._witness.notes, self._witness.swap
        return attributed(turns, witness, speech, self.swap.probability)


def attributed(
    turns: Sequence[SpeakerSpan],
    witness: Sequence[SpeakerSpan],
    speech: Sequence[Span],
    swap: float = 0.0,
) -> list[SpeakerSpan]:
    """The engine's `turns` as "main" and "others" inside `speech`, in order of start.

    `witness` holds "main" and "others" by GE2E, which cover the speech; `swap` is its doubt about
    who is the teacher in the whole lesson, which the engine cannot lessen.
    """
    voices = _voices(turns, speech)
    main = [w.span for w in witness if w.speaker == MAIN_SPEAKER]
    own = _main_voices(voices, main)
    said = {
        MAIN_SPEAKER: union(span for name in own for span in voices[name]),
        OTHERS: union(span for name in voices.keys() - own for span in voices[name]),
    }
    unheard = difference(speech, [*said[MAIN_SPEAKER], *said[OTHERS]])
    found = [
        SpeakerSpan(span.start, span.end, speaker, _sure(span, speaker, witness, swap))
        for speaker, spans in said.items()
        for span in spans
    ]
    found += [
        SpeakerSpan(part.start, part.end, w.speaker, w.probability)
        for w in witness
        for part in intersection([w.span], unheard)
    ]
    return sorted(found, key=lambda item: (item.start, item.end, item.speaker))


def _voices(turns: Sequence[SpeakerSpan], speech: Sequence[Span]) -> dict[str, list[Span]]:
    """Each voice's stretches of speech, with short leftovers of the speech beside them."""
    names = sorted({turn.speaker for turn in turns})
    said = {n: intersection([t.span for t in turns if t.speaker == n], speech) for n in names}
    spans = sorted((s.start, s.end, n) for n in names for s in said[n])
    for rest in difference(speech, [turn.span for turn in turns]):
        near = [
            (max(0.0, rest.start - end, start - rest.end), name)
            for start, end, name in spans
            if start <= rest.end + SHORT and rest.start - SHORT <= end
        ]
        if near and rest.duration < SHORT:
            said[min(near)[1]].append(rest)
    return {name: union(parts) for name, parts in said.items() if parts}


def _main_voices(voices: dict[str, list[Span]], main: Sequence[Span]) -> set[str]:
    """The voice that shares most time with the main voice by GE2E, less the time it does not
    share; and those that are nearly all the main voice's."""
    shared = {name: total(intersection(spans, main)) for name, spans in voices.items()}
    if not any(shared.values()):
        return set()
    first = max(sorted(voices), key=lambda name: 2 * shared[name] - total(voices[name]))
    return {name for name in voices if name == first or shared[name] >= SAME * total(voices[name])}


def _sure(span: Span, speaker: str, witness: Sequence[SpeakerSpan], swap: float) -> float:
    """Probability of a stretch of the engine's: its word and the witness's together.

    The witness may doubt the engine, as far as ½, but does not overrule it. Its doubt about the
    whole lesson is taken out before and put back after.
    """
    heard = [(w.span.overlap(span), w) for w in witness if w.span.overlap(span) > 0]
    if not heard or swap >= 0.5:
        return 0.5
    agrees = sum(
        t * (w.probability if w.speaker == speaker else 1 - w.probability) for t, w in heard
    )
    right = agrees / sum(t for t, _ in heard)
    right = min(1.0, max(0.0, (right - swap) / (1 - 2 * swap)))
    both = ENGINE_RIGHT * right / (ENGINE_RIGHT * right + (1 - ENGINE_RIGHT) * (1 - right))
    return max(0.5, both) * (1 - swap) + (1 - max(0.5, both)) * swap
