"""An Observation: everything found in one lesson, with its provenance, as a value and as JSON."""

from dataclasses import dataclass, field

from observer.discourse import Discourse, Exchange, Label, Wait
from observer.indicators import Indicator
from observer.media import Recording
from observer.quality import Quality
from observer.report import Claim
from observer.timeline import RoleSpan, Span
from observer.transcript import Transcript

SCHEMA = "observer/observation/1"


@dataclass(frozen=True, slots=True)
class EngineUsed:
    """One engine that took part."""

    kind: str
    name: str
    version: str
    reason: str = ""
    """Why it was chosen, where there was a choice."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """What made this observation; holds no date, so that equal inputs give equal bytes."""

    observer: str
    """Version of this software."""
    engines: tuple[EngineUsed, ...]
    settings: dict[str, object]
    inputs: dict[str, str]
    """Role of the input ("recording", "transcript", "teacher_voice") → sha256."""
    seed: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Observation:
    """What was found in one lesson."""

    recording: Recording | None
    provenance: Provenance
    quality: Quality | None
    transcript: Transcript
    timeline: tuple[RoleSpan, ...]
    labels: tuple[Label, ...]
    exchanges: tuple[Exchange, ...]
    waits: tuple[Wait, ...]
    indicators: tuple[Indicator, ...]
    claims: tuple[Claim, ...] = ()
    language: str = "zh"
    """Language of the claims, "zh" or "en"."""
    schema: str = field(default=SCHEMA)

    @property
    def discourse(self) -> Discourse:
        """The transcript with its labels."""
        return Discourse(self.transcript, self.labels)

    def indicator(self, name: str) -> Indicator:
        """The indicator of that name; KeyError when it was not measured."""
        for item in self.indicators:
            if item.name == name:
                return item
        raise KeyError(name)

    def places(self) -> dict[str, Span | None]:
        """Evidence id → where it can be played: u… utterances, w… waits, x… exchanges, t…
        timeline spans by position. None for what has no time (a transcript without times)."""
        found: dict[str, Span | None] = {u.id: u.span for u in self.transcript}
        for exchange in self.exchanges:
            spans = [s for s in (found.get(u) for u in exchange.utterances) if s is not None]
            found[exchange.id] = (
                Span(min(s.start for s in spans), max(s.end for s in spans)) if spans else None
            )
        found |= {w.id: w.span for w in self.waits}
        found |= {f"t{i}": item.span for i, item in enumerate(self.timeline)}
        return found
