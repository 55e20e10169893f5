"""Reading one utterance with the rules of its language, without context."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from models.rules import TAXONOMY_OF, VERSION, Rule, RuleSet

_BOUNDARIES = {"last": re.compile(r"(?<=[。？！；])"), "clause": re.compile(r"(?<=[，。？！；])")}
_KINDS = ("demand", "sihe", "openness")
SOURCE = f"rules-{VERSION}"
"""Name and version of the rules, as it stands beside each of their labels."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What was made of an utterance, in one taxonomy.

    `start` and `end` are the characters that decided, in the text that was read: the words
    to show a teacher who asks why.
    """

    code: str
    rule: str
    """Name of the rule that decided; a trained model's reading keeps it only if both agree."""
    probability: float
    start: int
    end: int
    source: str = SOURCE
    """What stands beside the label."""


Readings = Mapping[str, Reading]
"""Taxonomy name → reading."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """An utterance that could be read, with what it says by itself."""

    language: str
    readings: Readings
    tokens: tuple[str, ...]
    """Content words (Mandarin: characters), folded."""
    text: str
    """Folded, as the patterns expect it."""


def read(text: str, rules: RuleSet) -> dict[str, Reading]:
    """Read one utterance without context: its form and, for a real question, its kinds.

    Kinds follow the codebook: no 四何 for a managing question. The probability of a kind
    holds given that the utterance is a real question.
    """
    folded = rules.folded(text)
    form = first_reading(rules.tables["form"], folded)
    readings = {TAXONOMY_OF["form"]: form}
    return {**readings, **read_kinds(folded, form, rules)} if form.code == "real" else readings


def read_kinds(folded: str, form: Reading, rules: RuleSet) -> dict[str, Reading]:
    """Demand, 四何 and openness of a sentence taken for a real question.

    They are read from shortly before the words that made `form` a question.
    """
    start = max(0, min(form.start - rules.anchor, len(folded) - rules.floor))
    asked = folded[start:]
    readings = {}
    for table in _KINDS:
        kind = first_reading(rules.tables[table], asked)
        readings[TAXONOMY_OF[table]] = replace(kind, start=kind.start + start, end=kind.end + start)
    if readings["question_demand"].code == "manage":
        del readings["sihe"]
    return readings


def first_reading(rules: Sequence[Rule], text: str) -> Reading:
    """The reading of the first rule that holds; every table ends with one that always does."""
    offsets = {"all": 0}
    for rule in rules:
        if rule.scope not in offsets:
            offsets[rule.scope] = _last(_BOUNDARIES[rule.scope], text)
        offset = offsets[rule.scope]
        part = text[offset:] if offset else text
        match = rule.match.search(part)
        if match and not (rule.unless and rule.unless.search(part)):
            start, end = match.span()
            return Reading(rule.code, rule.name, rule.probability, start + offset, end + offset)
    raise LookupError("the last rule of a table must match everything")


def _last(boundary: re.Pattern[str], text: str) -> int:
    """Where the last piece of more than one character begins."""
    starts = [0, *(m.end() for m in boundary.finditer(text)), len(text)]
    for left, right in zip(starts[-2::-1], starts[:0:-1], strict=True):
        if right - left > 1:
            return left
    return 0
