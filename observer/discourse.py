"""The lesson as talk: labels on utterances, corrections laid over them, exchanges, waits."""

from collections.abc import Iterable
from dataclasses import dataclass

from observer.timeline import Seconds, Span
from observer.transcript import Transcript


@dataclass(frozen=True, slots=True)
class Label:
    """What one utterance is, in one taxonomy (observer.taxonomies)."""

    utterance: str
    taxonomy: str
    code: str
    probability: float
    source: str
    """The labeller's name and version, or "teacher" for a correction."""
    unclear: bool = False
    """The labeller abstains: `code` is its best guess, too unsure to be counted as found."""


@dataclass(frozen=True, slots=True)
class Correction:
    """A person's word against a label; it always wins."""

    utterance: str
    taxonomy: str
    code: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """A chain that opens with the teacher's question (FIELD.md §4)."""

    id: str
    kind: str
    """"IRE", "IR" (no evaluation heard), "IRIRE" (follow-up), "IDRE" (discussion first)."""
    utterances: tuple[str, ...]
    rounds: int
    """Student answers on the one question (对话深度)."""


@dataclass(frozen=True, slots=True)
class Wait:
    """A silence that gives someone time to think.

    kind 1: end of the teacher's question → a student starts or the teacher speaks again.
    kind 2: end of a student's turn → the teacher starts.
    """

    id: str
    kind: int
    start: Seconds
    end: Seconds
    after: str
    """Id of the utterance that the wait follows."""
    before: str | None
    """Id of the utterance that ends it; None when none was transcribed."""
    ended_by: str
    """"student", "teacher" …: the role that breaks the silence."""
    excluded: str | None = None
    """Reason code why it does not count ("tag", "manage", "self", "overlap" …)."""

    @property
    def duration(self) -> Seconds:
        """Length in seconds."""
        return self.end - self.start

    @property
    def span(self) -> Span:
        """The silent stretch."""
        return Span(self.start, self.end)


@dataclass(frozen=True, slots=True)
class Discourse:
    """A transcript with its labels; corrections already laid over."""

    transcript: Transcript
    labels: tuple[Label, ...] = ()

    def corrected(self, corrections: Iterable[Correction]) -> "Discourse":
        """A copy in which each correction replaces the label of its utterance and taxonomy."""
        override = {(c.utterance, c.taxonomy): c for c in corrections}
        kept = [x for x in self.labels if (x.utterance, x.taxonomy) not in override]
        new = [Label(c.utterance, c.taxonomy, c.code, 1.0, "teacher") for c in override.values()]
        order = {u.id: i for i, u in enumerate(self.transcript)}
        merged = sorted(kept + new, key=lambda x: (order.get(x.utterance, len(order)), x.taxonomy))
        return Discourse(self.transcript, tuple(merged))

    def codes(self, taxonomy: str) -> dict[str, str]:
        """Utterance id → code in `taxonomy`; those with an unclear label are left out."""
        return {
            x.utterance: x.code for x in self.labels if x.taxonomy == taxonomy and not x.unclear
        }

    def of(self, utterance: str) -> dict[str, Label]:
        """Taxonomy → label of one utterance."""
        return {x.taxonomy: x for x in self.labels if x.utterance == utterance}
