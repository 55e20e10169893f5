"""Who speaks, from the words: how much an utterance sounds like a teacher or like a student.

A logistic regression over named cues (role_cues.toml) of an utterance and of its two
neighbours, its length, and how far neighbours repeat each other. The weights were learnt from
English mathematics lessons; how they carry over, and what is unvalidated, stands with them in
role_cues.measured.toml.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from math import log1p
from typing import Any

from observer.engines import CueEvidence
from observer.transcript import Transcript

LANGUAGES = ("zh", "en")
READ_CHARACTERS = 600
"""Longer utterances are read up to here; no cue needs more."""
CHARACTERS_A_WORD = 1.6
"""Chinese characters that make as much of an utterance as one English word."""
LENGTHS = (1, 2, 3, 5, 8, 13, 21)
"""Upper bounds of the length buckets, in words; an eighth holds the longer ones."""
SHORT_ANSWER = 4
"""Words up to which an utterance after a question is a short answer."""

_HAN = re.compile(r"[\u3400-\u9fff]")
_TOKEN = re.compile(r"[\u3400-\u9fff]|[a-z0-9]+(?:'[a-z]+)?")


@dataclass(frozen=True, slots=True)
class Said:
    """One utterance as the cues see it."""

    cues: frozenset[str]
    tokens: frozenset[str]
    words: float
    """Length in words; Chinese characters count 1 / `CHARACTERS_A_WORD`."""


class WordCues:
    """The RoleCues "words": evidence of Mandarin and English utterances; others have none."""

    name = "words"

    @property
    def version(self) -> str:
        """Version of the cues with their weights."""
        return str(_measured()["version"])

    def evidence(self, transcript: Transcript, *, low_accuracy: bool = False) -> CueEvidence:
        """See `observer.engines.RoleCues`."""
        texts = [u.text for u in transcript]
        language = spoken(texts)
        strength = _measured()["strength"]["low_accuracy" if low_accuracy else language or "en"]
        weights, bias = _weights()
        odds = [
            bias + sum(weights.get(name, 0.0) * value for name, value in row) if row else None
            for row in (features(texts) if language else [()] * len(texts))
        ]
        return CueEvidence(tuple(odds), **strength)


def spoken(texts: Sequence[str]) -> str | None:
    """ "zh" or "en", by the letters that are most; None when there are none of either."""
    han = sum(len(_HAN.findall(t)) for t in texts)
    latin = sum(len(re.findall(r"[A-Za-z]", t)) for t in texts)
    if han + latin == 0:
        return None
    return "zh" if 3 * han > latin else "en"


def features(texts: Sequence[str]) -> list[tuple[tuple[str, float], ...]]:
    """(name, value) of what is found in each utterance and its neighbours, in order.

    Empty for an utterance without a letter or a digit.
    """
    said = [read(text) for text in texts]
    rows: list[tuple[tuple[str, float], ...]] = []
    for i, here in enumerate(said):
        before = said[i - 1] if i > 0 else None
        after = said[i + 1] if i + 1 < len(said) else None
        rows.append(tuple(_row(here, before, after)) if here.tokens else ())
    return rows


def read(text: str) -> Said:
    """The cues, tokens and length of one utterance."""
    plain = text[:READ_CHARACTERS].lower().replace("’", "'").strip()
    tokens = _TOKEN.findall(plain)
    han = sum(1 for t in tokens if _HAN.match(t))
    language = "zh" if 3 * han > len(tokens) - han else "en"
    found = frozenset(name for name, by in _patterns().items() if by[language].search(plain))
    return Said(found, frozenset(tokens), han / CHARACTERS_A_WORD + len(tokens) - han)


def _row(here: Said, before: Said | None, after: Said | None) -> Iterator[tuple[str, float]]:
    yield from ((name, 1.0) for name in sorted(here.cues))
    yield f"length.{_bucket(here)}", 1.0
    for place, other in (("before", before), ("after", after)):
        if other is None:
            yield f"{place}.edge", 1.0
            continue
        yield from ((f"{place}.{name}", 1.0) for name in sorted(other.cues))
        yield f"{place}.length", log1p(other.words)
        shared = len(here.tokens & other.tokens)
        yield f"{place}.in_this", shared / max(1, len(other.tokens))
        yield f"{place}.holds_this", shared / max(1, len(here.tokens))
    if before is not None and "asks" in before.cues:
        yield f"after_question.{'short' if here.words <= SHORT_ANSWER else 'long'}", 1.0
    if after is not None and "evaluates" in after.cues and here.words <= SHORT_ANSWER:
        yield "evaluated.short", 1.0


def _bucket(said: Said) -> int:
    return sum(said.words > bound for bound in LENGTHS)


@cache
def _patterns() -> Mapping[str, Mapping[str, re.Pattern[str]]]:
    """Cue → language → pattern."""
    return {
        cue["name"]: {language: re.compile(cue[language]) for language in LANGUAGES}
        for cue in _table("role_cues.toml")["cue"]
    }


@cache
def _weights() -> tuple[Mapping[str, float], float]:
    """Feature → log-odds for the teacher, and the constant; equal roles are presumed."""
    measured = _measured()
    return measured["weight"], float(measured["constant"])


@cache
def _measured() -> Mapping[str, Any]:
    return _table("role_cues.measured.toml")


def _table(name: str) -> dict[str, Any]:
    return tomllib.loads(files("models").joinpath(name).read_text("utf-8"))
