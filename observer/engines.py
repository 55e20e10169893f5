"""The small Protocols that engines implement; `models` holds the engines.

An engine has a `name` (as it is chosen on the command line) and a `version` (what goes into
the provenance: library version and, where there are weights, their sha256 prefix). It is
built without work; weights load on first use.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from observer.discourse import Label
from observer.media import Audio
from observer.timeline import RoleSpan, Seconds, Span
from observer.transcript import Transcript

if TYPE_CHECKING:  # it loads numpy, which those who only observe roles do not need here
    from observer.confusion import Confusion

OnProgress = Callable[[float], None]
"""Told the finished share of the present step, 0..1; may raise to stop the work."""


def ignore_progress(_share: float) -> None:
    """The listener for callers who want none."""


@dataclass(frozen=True, slots=True)
class SpeakerSpan:
    """A stretch in which one speaker (a cluster, never a name) is heard."""

    start: Seconds
    end: Seconds
    speaker: str
    probability: float

    @property
    def span(self) -> Span:
        """The stretch without its speaker."""
        return Span(self.start, self.end)


@dataclass(frozen=True, slots=True)
class Note:
    """Something a reader should know about how words or roles were found."""

    en: str
    zh: str


@dataclass(frozen=True, slots=True)
class Swap:
    """Doubt about who the teacher is in the whole lesson."""

    probability: float = 0.0
    """Probability, 0 to ½, that another voice is the teacher's; those of the spans hold it."""
    share: float = 1.0
    """Share of the others' talk that is then the teacher's."""


NO_SWAP = Swap()
MAIN_SPEAKER = "main"
"""The cluster a Diarizer holds for the teacher's; every other name is another voice."""


class Vad(Protocol):
    """Finds speech."""

    name: str
    version: str

    def speech(self, audio: Audio, on_progress: OnProgress = ignore_progress) -> list[Span]:
        """Disjoint stretches of speech in order, unpadded (wait times need true bounds)."""
        ...


class Diarizer(Protocol):
    """Tells voices apart inside speech."""

    name: str
    version: str
    notes: tuple[Note, ...]
    """What a reader should know about the last `diarize`; empty before it."""
    swap: Swap
    """How likely the last `diarize` took another voice for the teacher's."""

    def diarize(
        self,
        audio: Audio,
        speech: Sequence[Span],
        teacher_voice: Audio | None = None,
        on_progress: OnProgress = ignore_progress,
    ) -> list[SpeakerSpan]:
        """Spans in order of start; spans of different speakers may overlap.

        `teacher_voice` is a clip in which only the teacher speaks (enrolment).
        """
        ...


class RoleAssigner(Protocol):
    """Turns voices into roles on the timeline."""

    name: str
    version: str

    def assign(
        self,
        audio: Audio,
        speech: Sequence[Span],
        speakers: Sequence[SpeakerSpan],
        on_progress: OnProgress = ignore_progress,
    ) -> list[RoleSpan]:
        """Spans of every role, silence included, in order of start; they cover the recording.

        Each carries the probability that its role is right.
        """
        ...


class Transcriber(Protocol):
    """Turns speech into words."""

    name: str
    version: str
    low_accuracy: bool
    """True when the report must warn that the words are unreliable."""
    notes: tuple[Note, ...]
    """What a reader should know about the last `transcribe`; empty before it."""

    def transcribe(
        self,
        audio: Audio,
        speech: Sequence[Span],
        language: str | None = None,
        on_progress: OnProgress = ignore_progress,
    ) -> Transcript:
        """Utterances with words and times inside `speech`, without roles.

        `language` None means: detect. Raises MissingWeights, EngineError.
        """
        ...


@dataclass(frozen=True, slots=True)
class CueEvidence:
    """What the words of n utterances say of who speaks them, teacher or student."""

    log_odds: tuple[float | None, ...]
    """(n,) log of P(words | teacher) / P(words | student); None where nothing can be said."""
    contrast: float
    """Mean log-odds of teachers' utterances less that of students', over many lessons."""
    between: float
    """Standard deviation of that contrast from lesson to lesson."""
    within: float
    """Standard deviation of an utterance's log-odds among those of its role."""
    level: float
    """Standard deviation, from lesson to lesson, of what all log-odds have in common."""
    trust: float
    """Probability that the words tell anything of roles in a lesson like this one."""


class RoleCues(Protocol):
    """Reads from the words who speaks: who asks, names, evaluates, answers."""

    name: str
    version: str

    def evidence(self, transcript: Transcript, *, low_accuracy: bool = False) -> CueEvidence:
        """One value for each utterance, in order; roles that it may have are not looked at.

        `low_accuracy` says that many of the words are wrong.
        """
        ...


class Labeller(Protocol):
    """Reads the transcript: one label per utterance and taxonomy it knows."""

    name: str
    version: str
    notes: tuple[Note, ...]
    """What a reader should know about the last `label` (weights that are missing); else empty."""
    confusions: "Mapping[str, Confusion]"
    """What it mistakes for what: "taxonomy.language" (or "taxonomy" for every language) → how its
    labels compared with the truth. Counts are corrected by it; a taxonomy that is missing was
    not measured, and its counts stand as they are read."""

    def label(
        self, transcript: Transcript, on_progress: OnProgress = ignore_progress
    ) -> list[Label]:
        """Labels in the order of the utterances; an utterance it cannot read gets none."""
        ...
