"""An Observation: everything found in one lesson, with its provenance, as a value and as JSON."""

import json
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING

from observer.discourse import Discourse, Exchange, Label, Wait
from observer.indicators import Indicator
from observer.media import Recording
from observer.quality import Quality
from observer.report import Claim
from observer.timeline import RoleSpan, Span
from observer.transcript import Transcript

if TYPE_CHECKING:
    from pydantic import TypeAdapter

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

    def with_claims(self, claims: tuple[Claim, ...]) -> "Observation":
        """The same observation with these claims."""
        return replace(self, claims=claims)

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

    def to_json(self) -> str:
        """The document that `observation.schema.json` describes; equal values, equal bytes."""
        document = _adapter().dump_python(self, mode="json")
        return json.dumps(_rounded(document), ensure_ascii=False, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> "Observation":
        """Read a document back. Raises ValueError when it is not one of this schema."""
        document = json.loads(text)
        if not isinstance(document, dict) or document.get("schema") != SCHEMA:
            raise ValueError(f"not a document of schema {SCHEMA}")
        return _adapter().validate_python(document)


def json_schema() -> dict[str, object]:
    """The JSON Schema of the document; published as `observer/observation.schema.json`."""
    schema = _adapter().json_schema(mode="serialization")
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["$id"] = SCHEMA
    schema["properties"]["schema"]["const"] = SCHEMA
    return schema


@cache
def _adapter() -> "TypeAdapter[Observation]":
    # pydantic takes a fifth of a second to import: only readers and writers pay for it.
    from pydantic import TypeAdapter

    return TypeAdapter(Observation)


def _rounded(value: object) -> object:
    """Floats to six decimals: far below any accuracy here, and free of binary dust."""
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return value
