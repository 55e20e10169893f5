"""An observation made ready for claims: figures by name, evidence that plays, what is already done.

A report never suggests what the lesson already shows (82 % of one assistant's suggestions were
being done already, FIELD.md §6): `Facts.shows` looks for it first, unclear readings included.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from observer.errors import Language
from observer.indicators import Indicator
from observer.observation import Observation
from observer.phrases import phrase
from observer.report import Claim
from observer.timeline import Role

SHOWN: Final = 4
"""At most so many pieces of evidence stand beside one claim."""
LONG_WAIT: Final = 3.0
"""Seconds; the usual aim for a wait (FIELD.md §4)."""
PRACTICES: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "why": (
        ("sihe", "why"),
        ("teacher_move", "press_reasoning"),
        ("feedback", "probe"),
        ("focusing", "focusing"),
    ),
    "revoice": (
        ("teacher_move", "restate"),
        ("teacher_move", "revoice"),
        ("feedback", "repeat"),
        ("uptake", "high"),
    ),
    "relate": (("teacher_move", "get_relate"), ("student_move", "relate")),
    "follow_up": (
        ("feedback", "probe"),
        ("teacher_move", "press_reasoning"),
        ("teacher_move", "press_accuracy"),
        ("focusing", "focusing"),
    ),
}
"""What a suggestion might ask for → the (taxonomy, code) pairs that show it is being done."""


class Facts:
    """An observation made ready for asking: figures by name, evidence that can be played."""

    def __init__(self, observation: Observation, language: Language) -> None:
        self.observation = observation
        self.language = language
        self.places = observation.places()
        self.timed = any(span is not None for span in self.places.values())
        self.figures = {i.name: i for i in observation.indicators if i.value is not None}
        self._read = {(x.taxonomy, x.code) for x in observation.labels}

    def shows(self, practice: str) -> bool:
        """Whether anything was read as this practice of `PRACTICES`, unclear readings included."""
        return any(pair in self._read for pair in PRACTICES[practice])

    def reads(self, taxonomy: str) -> bool:
        """Whether the taxonomy was read at all, and not merely carried over from elsewhere."""
        return any(
            x.taxonomy == taxonomy and not x.source.endswith("transferred")
            for x in self.observation.labels
        )

    def say(self, key: str, **gaps: object) -> str:
        return phrase(key, self.language, **gaps)

    def join(self, *sentences: str) -> str:
        """Sentences one after another, as the language spaces them."""
        return ("" if self.language == "zh" else " ").join(s for s in sentences if s)

    def claim(self, name: str, text: str, evidence: Iterable[str]) -> Claim | None:
        """The claim, or None when nothing that can be played proves it."""
        proof = tuple(dict.fromkeys(e for e in evidence if self._shows(e)))[:SHOWN]
        return Claim(f"c-{name}", text, proof, name) if proof else None

    def _shows(self, name: str) -> bool:
        return name in self.places and (self.places[name] is not None or not self.timed)

    def longest(self, *roles: Role, at_most: int = 2) -> list[str]:
        """Ids of the longest stretches of these roles, longest first."""
        spans = [
            (s.duration, i) for i, s in enumerate(self.observation.timeline) if s.role in roles
        ]
        return [f"t{i}" for _, i in sorted(spans, key=lambda x: (-x[0], x[1]))[:at_most]]

    def share(self, figure: Indicator) -> str:
        """ "between 62% and 71%", or "about 65%" where both ends round to the same."""
        low, high = (f"{100 * x:.0f}%" for x in ends(figure))
        if low == high:
            return self.say("range_about", value=low)
        return self.say("range_share", low=low, high=high)

    def count(self, figure: Indicator) -> str:
        """ "between 3 and 7", or the number where both ends round to the same."""
        low, high = (f"{x:.0f}" for x in ends(figure))
        return low if low == high else self.say("range_count", low=low, high=high)

    def seconds(self, figure: Indicator) -> str:
        """A length of time in seconds or, from two minutes on, in minutes."""
        low, high = ends(figure)
        unit, scale, digits = ("minutes", 60.0, 1) if high >= 120 else ("seconds", 1.0, 1)
        first, last = f"{low / scale:.{digits}f}", f"{high / scale:.{digits}f}"
        if first == last:
            return self.say(f"about_{unit}", value=first)
        if float(first) == 0:
            return self.say(f"to_{unit}", high=last)
        return self.say(f"range_{unit}", low=first, high=last)


def ends(figure: Indicator) -> tuple[float, float]:
    """The interval, or the value twice where there is none."""
    if figure.low is not None and figure.high is not None:
        return figure.low, figure.high
    value = figure.value or 0.0
    return value, value
