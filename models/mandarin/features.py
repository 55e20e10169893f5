"""What the Mandarin model sees of a sentence: characters, hashed n-grams, rules that fire.

Everything here is numpy and `re`, the same in training and at run time. The patterns and the
characters stand in the weights' settings, so that later changes of the rules do not move what
shipped weights see.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.rules import RuleSet, load_rules

PAD, UNKNOWN, MASK, OPENS, ENDS = range(5)
"""Codes that stand for no character; characters follow."""
_SPECIAL = 5
LONGEST = 96
"""Characters read of a sentence: the first third of them, and the end, where questions stand."""
KEYS = 1 << 31
SIZES = (1, 2, 3, 4)
_HEAD, _TAIL = 6, 8
_MARKS = re.compile(r"[^\w]")
_FULL_WIDTH = str.maketrans(",?!;:", "，？！；：")
_TABLES = ("form", "demand", "sihe", "openness")

Codes = NDArray[np.int64]


def without_marks(text: str) -> str:
    """The sentence as recognisers without punctuation give it."""
    return _MARKS.sub("", text)


def normalised(text: str) -> str:
    """Small letters and full-width marks, as in the corpora."""
    return text.strip().lower().translate(_FULL_WIDTH)


@dataclass(frozen=True, slots=True)
class Alphabet:
    """The known characters; the code of the k-th is k + 5."""

    characters: str

    @classmethod
    def of(cls, texts: Iterable[str], least: int = 3) -> "Alphabet":
        """Characters that stand at least `least` times in the texts, most frequent first."""
        counted = Counter(c for text in texts for c in normalised(text))
        kept = sorted((-n, c) for c, n in counted.items() if n >= least)
        return cls("".join(c for _, c in kept))

    @property
    def size(self) -> int:
        """Number of codes, those of no character included."""
        return len(self.characters) + _SPECIAL

    def table(self) -> dict[str, int]:
        """Character → code."""
        return {c: i + _SPECIAL for i, c in enumerate(self.characters)}


def coded(text: str, table: dict[str, int]) -> list[int]:
    """Codes of a normalised sentence between OPENS and ENDS, at most `LONGEST` characters."""
    if len(text) > LONGEST:
        text = text[: LONGEST // 3] + text[LONGEST // 3 - LONGEST :]
    return [OPENS, *(table.get(c, UNKNOWN) for c in text), ENDS]


def padded(rows: Sequence[Sequence[int]]) -> Codes:
    """Shape (n, longest), padded at the right with PAD."""
    out = np.zeros((len(rows), max(map(len, rows), default=0)), np.int64)
    for i, row in enumerate(rows):
        out[i, : len(row)] = row
    return out


def grams(texts: Sequence[str], table: dict[str, int]) -> tuple[Codes, Codes]:
    """(row, key) of the n-grams of normalised sentences, each pair once, in order.

    Three views: the sentence with its marks, and without them its first 6 and last 8
    characters, which say how it opens and what is left standing. A key is a 31-bit hash.
    """
    bare = [without_marks(t) for t in texts]
    views = (
        [coded(t, table) for t in texts],
        [coded(t[:_HEAD], table) for t in bare],
        [coded(t[-_TAIL:], table) for t in bare],
    )
    pairs = [np.zeros(0, np.int64)]
    for salt, view in enumerate(views):
        codes = padded(view).astype(np.uint64)
        pairs += [_grams(codes, size, salt) for size in SIZES]
    unique = np.unique(np.concatenate(pairs))
    return unique // KEYS, unique % KEYS


def _grams(codes: NDArray[np.uint64], size: int, salt: int) -> Codes:
    """row · KEYS + key of every n-gram, by multiplicative (Fibonacci) hashing."""
    width = codes.shape[1] - size + 1
    if width <= 0:
        return np.zeros(0, np.int64)
    # A start far from every code: views that began a small number apart would share the keys of
    # n-grams whose first characters differ by that number.
    start = (1 + salt * 8 + size) * 0xD1B54A32D192ED03 % (1 << 64)
    mixed = np.full((len(codes), width), start, np.uint64)
    for j in range(size):
        mixed = (mixed ^ codes[:, j : j + width]) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
    key = (mixed >> np.uint64(20)) % np.uint64(KEYS)
    rows, places = np.nonzero(codes[:, size - 1 :] != PAD)
    found: Codes = rows * KEYS + key[rows, places].astype(np.int64)
    return found


@dataclass(frozen=True, slots=True)
class Pattern:
    """One rule as it stood when the weights were trained."""

    table: str
    match: re.Pattern[str]
    unless: re.Pattern[str] | None


@dataclass(frozen=True, slots=True)
class Patterns:
    """All rules for form and kinds, read as features instead of decisions."""

    fold: dict[int, int]
    rules: tuple[Pattern, ...]

    @classmethod
    def present(cls) -> "Patterns":
        """The Mandarin rules as they are now."""
        found: RuleSet = load_rules("zh")
        rules = tuple(
            Pattern(t, rule.match, rule.unless) for t in _TABLES for rule in found.tables[t]
        )
        return cls(found.fold, rules)

    @classmethod
    def read(cls, stored: dict[str, object]) -> "Patterns":
        """From what `stored` gave."""
        fold, rules = stored["fold"], stored["rules"]
        if not isinstance(fold, list) or not isinstance(rules, list):
            raise TypeError("patterns")
        return cls(
            {ord(a): ord(b) for a, b in fold},
            tuple(
                Pattern(t, re.compile(m), None if u is None else re.compile(u)) for t, m, u in rules
            ),
        )

    def stored(self) -> dict[str, object]:
        """As JSON keeps it."""
        return {
            "fold": [[chr(a), chr(b)] for a, b in self.fold.items()],
            "rules": [
                [r.table, r.match.pattern, None if r.unless is None else r.unless.pattern]
                for r in self.rules
            ],
        }

    @property
    def width(self) -> int:
        """Features of a sentence: three for each rule."""
        return 3 * len(self.rules)

    def fired(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Shape (n, width): rule found; found and not excepted; the first of its table so."""
        out = np.zeros((len(texts), len(self.rules), 3), np.float32)
        for i, text in enumerate(texts):
            folded, decided = text.translate(self.fold), ""
            for k, rule in enumerate(self.rules):
                if rule.match.search(folded) is None:
                    continue
                out[i, k, 0] = 1
                if rule.unless is None or rule.unless.search(folded) is None:
                    out[i, k, 1] = 1
                    out[i, k, 2] = decided != rule.table
                    decided = rule.table
        return out.reshape(len(texts), self.width)
