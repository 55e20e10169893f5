"""Evidence as the reader meets it: when it is, what is heard, and where its sentence stands."""

from dataclasses import dataclass

from api.render.texts import Texts, clock
from observer.discourse import Label, Wait
from observer.observation import Observation
from observer.timeline import Role, Seconds, Span
from observer.transcript import Utterance

SNIPPET = 120
"""Characters of a sentence beside a play button; CSS cuts it to the line as well."""


@dataclass(frozen=True, slots=True)
class Proof:
    """One piece of evidence; `start` and `end` are None where nothing can be played."""

    id: str
    start: Seconds | None
    end: Seconds | None
    when: str
    words: str
    role: Role | None
    anchor: str | None
    """Id of the sentence in the transcript that belongs to it."""


class Evidence:
    """Looks up what an evidence id stands for."""

    def __init__(self, observation: Observation, text: Texts) -> None:
        self.text = text
        self.observation = observation
        self.places = observation.places()
        self.utterances = {u.id: u for u in observation.transcript}
        self.waits = {w.id: w for w in observation.waits}
        self.exchanges = {x.id: x for x in observation.exchanges}
        self.labels: dict[str, dict[str, Label]] = {}
        for label in observation.labels:
            self.labels.setdefault(label.utterance, {})[label.taxonomy] = label
        self._timed = [u for u in observation.transcript if u.span is not None]

    def __contains__(self, name: str) -> bool:
        return name in self.places

    def __call__(self, name: str) -> Proof:
        """The proof of that id. Raises KeyError for an id that the lesson does not hold."""
        span = self.places[name]
        if name in self.utterances:
            utterance = self.utterances[name]
            return self._proof(name, span, utterance.text, utterance.role, name)
        if name in self.waits:
            return self._wait(name, span)
        if name in self.exchanges:
            first = self.utterances[self.exchanges[name].utterances[0]]
            return self._proof(name, span, first.text, first.role, first.id)
        return self._stretch(name, span)

    def _proof(
        self, name: str, span: Span | None, words: str, role: Role | None, anchor: str | None
    ) -> Proof:
        return Proof(
            name,
            span.start if span else None,
            span.end if span else None,
            clock(span.start) if span else "",
            words if len(words) <= SNIPPET else words[: SNIPPET - 1] + "…",
            role,
            anchor,
        )

    def _wait(self, name: str, span: Span | None) -> Proof:
        wait = self.waits[name]
        before = self.utterances.get(wait.after)
        seconds = self.text("seconds", value=f"{wait.duration:.1f}")
        words = self.text("proof.wait", seconds=seconds, words=self.said_before(wait))
        # A silence alone says little: it is played from the end of the words before it.
        if span is not None and before is not None and before.span is not None:
            start = min(span.start, max(before.span.start, span.start - 4.0))
            span = Span(start, span.end + 1.5)
        return self._proof(name, span, words, None, wait.after if before else None)

    def said_before(self, wait: Wait) -> str:
        """The words that the wait follows; "…" where none were recognised."""
        if wait.after in self.utterances:
            return self.utterances[wait.after].text
        if wait.after in self.places:
            span = self.observation.timeline[int(wait.after[1:])]
            said = self._said_in(span.span, span.role)
            return said.text if said else "…"
        return "…"

    def _stretch(self, name: str, span: Span | None) -> Proof:
        item = self.observation.timeline[int(name[1:])]
        seconds = self.text("seconds", value=f"{item.duration:.0f}")
        said = self._said_in(item.span, item.role)
        label = self.text(f"role.{item.role.value}")
        words = self.text("proof.stretch", role=label, seconds=seconds)
        if said is not None:
            words = self.text("proof.stretch_words", stretch=words, words=said.text)
        return self._proof(name, span, words, item.role, said.id if said else None)

    def _said_in(self, span: Span, role: Role) -> Utterance | None:
        """The utterance of that role with the longest part inside the stretch."""
        found = [
            (u.span.overlap(span), u) for u in self._timed if u.role is role and u.span is not None
        ]
        best = max(found, key=lambda x: x[0], default=None)
        return best[1] if best and best[0] > 0 else None
