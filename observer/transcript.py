"""Words, utterances and transcripts: what was said, when, and by which role."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from observer.timeline import Role, Seconds, Span


@dataclass(frozen=True, slots=True)
class Word:
    """One recognised word (Mandarin: usually one to four characters) with its time."""

    text: str
    start: Seconds
    end: Seconds
    confidence: float | None = None
    """Probability from the recogniser, 0..1; None when it gives none."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """One sentence-like unit of one voice.

    `start` and `end` are None when a transcript came without times and no recording gave
    them; `approximate` marks times that were aligned, not heard.
    """

    id: str
    text: str
    start: Seconds | None = None
    end: Seconds | None = None
    speaker: str | None = None
    role: Role | None = None
    words: tuple[Word, ...] = ()
    approximate: bool = False
    role_probability: float | None = None
    """Probability that `role` is right; None when a person or a transcript label gave it."""

    @property
    def span(self) -> Span | None:
        """Its stretch of time, or None when it has no times."""
        if self.start is None or self.end is None:
            return None
        return Span(self.start, self.end)


@dataclass(frozen=True, slots=True)
class Turn:
    """Consecutive utterances of one role; derived, never stored."""

    role: Role
    utterances: tuple[Utterance, ...]

    @property
    def text(self) -> str:
        """The words of the turn, joined as its script is written."""
        return join_text(u.text for u in self.utterances)

    @property
    def span(self) -> Span | None:
        """From its first to its last moment, or None without times."""
        spans = [u.span for u in self.utterances if u.span is not None]
        if not spans:
            return None
        return Span(spans[0].start, max(s.end for s in spans))


@dataclass(frozen=True, slots=True)
class Transcript:
    """Utterances in the order they were spoken. Changes return copies."""

    language: str
    """BCP 47 primary tag: "zh", "en" …; "und" when nothing was said or known."""
    utterances: tuple[Utterance, ...] = ()
    source: str = "none"
    """Where the words come from: an engine's name, "import:srt", or "none"."""

    def __iter__(self) -> Iterator[Utterance]:
        return iter(self.utterances)

    def __len__(self) -> int:
        return len(self.utterances)

    def with_utterances(self, utterances: Sequence[Utterance]) -> "Transcript":
        """The same transcript with other utterances."""
        return replace(self, utterances=tuple(utterances))

    @property
    def timed(self) -> bool:
        """Whether every utterance has a start and an end."""
        return all(u.span is not None for u in self.utterances)

    def turns(self) -> list[Turn]:
        """Runs of utterances with one role; utterances without a role are passed over."""
        turns: list[Turn] = []
        for utterance in self.utterances:
            if utterance.role is None:
                continue
            if turns and turns[-1].role == utterance.role:
                turns[-1] = Turn(utterance.role, (*turns[-1].utterances, utterance))
            else:
                turns.append(Turn(utterance.role, (utterance,)))
        return turns


def join_text(parts: "Iterator[str] | Sequence[str]") -> str:
    """Join pieces with a space only between two pieces that both touch ASCII characters."""
    joined = ""
    for part in (p.strip() for p in parts):
        spaced = joined and part and joined[-1].isascii() and part[0].isascii()
        joined += (" " if spaced else "") + part
    return joined
