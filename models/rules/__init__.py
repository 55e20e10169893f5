"""Readable rules for reading questions and feedback: the data files and their loader.

A language has two files beside this one: ``zh.toml`` (patterns, written by hand, with an
example each) and ``zh.measured.toml`` (how often each rule was right on labelled sentences,
written by ``benchmarks/questions.py --estimate``). Both are read once, on first use.
"""

import re
import threading
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

VERSION = "4"
"""Version of the rules of every language; a changed reading raises it (tests compare)."""

LANGUAGES = ("zh", "en")
TAXONOMY_OF: Mapping[str, str] = {
    "form": "question_form",
    "demand": "question_demand",
    "sihe": "sihe",
    "openness": "openness",
    "feedback": "feedback",
}
"""Table of a rule file → taxonomy of `observer.taxonomies`."""

PRIOR_RIGHT, PRIOR_N = 1, 2
"""Laplace's rule of succession: a rule seen n times and right k times is (k+1)/(n+2) sure."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One pattern and the label it gives.

    `scope` is where it is searched: "all" the utterance, its "last" sentence, its last
    "clause". A `tied` rule holds only for words that are tied to the answer before (`Probe`). A
    `rare` one goes before a trained model: the labelled corpora, one-to-one lessons on line, hold
    too few of what it finds.
    `right` of `n` labelled sentences that it decided carried its label; both are 0 where no
    labelled data exists, and the probability is then Laplace's 1/2.
    """

    name: str
    code: str
    match: re.Pattern[str]
    unless: re.Pattern[str] | None
    scope: str
    example: str
    right: int
    n: int
    tied: bool = False
    rare: bool = False

    @property
    def probability(self) -> float:
        """Observed precision with Laplace's correction, so that few cases claim little."""
        return (self.right + PRIOR_RIGHT) / (self.n + PRIOR_N)


@dataclass(frozen=True, slots=True)
class Repeat:
    """When a teacher's sentence repeats a student's: share of content tokens, and how many.

    `added`: so many content tokens more may stand beside a whole answer.
    """

    least: float
    shortest: int
    added: int
    ignore: frozenset[str]
    right: int
    n: int

    @property
    def probability(self) -> float:
        """As `Rule.probability`."""
        return (self.right + PRIOR_RIGHT) / (self.n + PRIOR_N)


@dataclass(frozen=True, slots=True)
class Probe:
    """What ties a question to the answer before it: few content tokens, or shared ones."""

    short: int
    shared: int


@dataclass(frozen=True, slots=True)
class Answer:
    """How a teacher's next sentence answers the question before it (`models.rules.answers`)."""

    wh: re.Pattern[str]
    """A question that `opening` can answer: one with a question word."""
    opening: re.Pattern[str]
    reason: re.Pattern[str]
    """Opens an answer to a question why."""
    calls: re.Pattern[str]
    """Keeps the question open: a call, a direction, an unfinished sentence."""
    address: re.Pattern[str]
    views: re.Pattern[str]
    """Asks for a student's own view, which the teacher cannot give."""
    least: float
    """Share of the question's content words that a statement restates, and how many at least."""
    shortest: int
    ignore: frozenset[str]
    right: int
    n: int

    @property
    def probability(self) -> float:
        """As `Rule.probability`."""
        return (self.right + PRIOR_RIGHT) / (self.n + PRIOR_N)


@dataclass(frozen=True, slots=True)
class RuleSet:
    """All rules of one language, in the order in which they are tried."""

    language: str
    version: str
    fold: dict[int, int]
    anchor: int
    floor: int
    tables: Mapping[str, tuple[Rule, ...]]
    repeat: Repeat
    probe: Probe
    answer: Answer
    rare: frozenset[str]
    """Names of the rules that go before a trained model."""
    ellipsis: Rule
    """What a question looks like that takes its kinds from the one before."""

    def folded(self, text: str) -> str:
        """`text` in the spelling the patterns expect; every character keeps its place."""
        lowered = text.lower()
        if len(lowered) != len(text):  # a few letters (İ) grow when lowered
            lowered = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
        return lowered.translate(self.fold)


_lock = threading.Lock()
_loaded: dict[str, RuleSet] = {}


def load_rules(language: str) -> RuleSet:
    """The rules of "zh" or "en", read from disk once.

    Raises KeyError for another language.
    """
    if language not in LANGUAGES:
        raise KeyError(f"no rules for {language!r}; known: {LANGUAGES}")
    with _lock:
        if language not in _loaded:
            _loaded[language] = _parse(language)
        return _loaded[language]


def _parse(language: str) -> RuleSet:
    data = _toml(f"{language}.toml")
    measured = _toml(f"{language}.measured.toml")
    macros: dict[str, str] = data["macro"]
    tables = {
        table: tuple(
            _rule(entry, macros, measured.get(table, {}).get(entry["name"], {}))
            for entry in data[table]
        )
        for table in TAXONOMY_OF
    }
    repeat, counted = data["repeat"], measured.get("feedback", {}).get("feedback.repeat", {})
    return RuleSet(
        language,
        data["version"],
        str.maketrans(data["fold"][::2], data["fold"][1::2]),
        data["anchor"],
        data["floor"],
        tables,
        Repeat(
            repeat["least"],
            repeat["shortest"],
            repeat["added"],
            _words(language, repeat["ignore"]),
            counted.get("right", 0),
            counted.get("n", 0),
        ),
        Probe(data["probe"]["short"], data["probe"]["shared"]),
        _answer(language, data, macros, measured.get("form", {}).get("context.answered", {})),
        frozenset(r.name for rules in tables.values() for r in rules if r.rare),
        _rule({"name": "context.ellipsis", "code": "real", **data["ellipsis"]}, macros, {}),
    )


def _words(language: str, listed: str) -> frozenset[str]:
    """Words to pass over: English parted by blanks, Mandarin character by character."""
    return frozenset(listed.split() if language == "en" else listed)


def _answer(
    language: str, data: Mapping[str, Any], macros: Mapping[str, str], counts: Mapping[str, int]
) -> Answer:
    answer = data["answer"]

    def pattern(name: str) -> re.Pattern[str]:
        return re.compile(_expanded(answer[name], macros))

    return Answer(
        pattern("wh"),
        pattern("opening"),
        pattern("reason"),
        pattern("calls"),
        pattern("address"),
        pattern("views"),
        answer["least"],
        answer["shortest"],
        _words(language, answer["ignore"]),
        counts.get("right", 0),
        counts.get("n", 0),
    )


def _toml(name: str) -> dict[str, Any]:
    source = files(__package__) / name
    return tomllib.loads(source.read_text("utf-8")) if source.is_file() else {}


def _rule(entry: Mapping[str, str], macros: Mapping[str, str], counts: Mapping[str, int]) -> Rule:
    unless = entry.get("unless")
    return Rule(
        entry["name"],
        entry["code"],
        re.compile(_expanded(entry["match"], macros)),
        None if unless is None else re.compile(_expanded(unless, macros)),
        entry.get("scope", "all"),
        entry["example"],
        counts.get("right", 0),
        counts.get("n", 0),
        bool(entry.get("tied", False)),
        bool(entry.get("rare", False)),
    )


def _expanded(pattern: str, macros: Mapping[str, str]) -> str:
    """`pattern` with every {macro} replaced, macros inside macros too."""
    for _ in range(len(macros)):
        found = [name for name in macros if "{" + name + "}" in pattern]
        if not found:
            break
        for name in found:
            pattern = pattern.replace("{" + name + "}", macros[name])
    return pattern
