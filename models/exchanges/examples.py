"""Rated exchanges as the regressions see them: each one alone, with and without punctuation."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.datasets import Provenance
from models.datasets.english import read_focusing, read_uptake
from models.exchanges.runtime import CODES, HEARD, Floats, exchanges, figures, grams
from models.moves.corruption import bare
from models.moves.runtime import MovesReader
from observer.engines import OnProgress, ignore_progress
from observer.sentences import sentences
from observer.timeline import Role
from observer.transcript import Utterance

GUISES: tuple[tuple[str, Callable[[str], str]], ...] = (("punctuated", str), ("bare", bare))

Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Rated:
    """One exchange and what raters called it."""

    lesson: str
    student: str
    teacher: str
    codes: Mapping[str, str | None]
    """Taxonomy → what most raters said; None without a majority, no entry where unrated."""


@dataclass(frozen=True, slots=True)
class Shown:
    """n exchanges in one guise, those with enough words."""

    places: Labels
    """Their numbers among the rated ones."""
    seen: Floats
    said: tuple[set[str], ...]


def rated(data: Path) -> tuple[list[Rated], list[Provenance]]:
    """The exchanges of both corpora, each once, and where they come from. Raises DatasetError."""
    found: dict[tuple[str, str, str], dict[str, str | None]] = {}
    origins = []
    for taxonomy, read in (("uptake", read_uptake), ("focusing", read_focusing)):
        rows, origin = read(data, "dev")
        origins.append(origin)
        for row in rows:
            found.setdefault((row.lesson, row.student, row.teacher), {})[taxonomy] = row.code
    return [Rated(*key, codes) for key, codes in found.items()], origins


def shown(
    cases: Sequence[Rated],
    moves: MovesReader | None,
    guise: Callable[[str], str],
    on_progress: OnProgress = ignore_progress,
) -> Shown:
    """Read the talk moves of every exchange alone, cut into sentences, and take its figures.

    `moves` None takes the shipped weights.
    """
    moves = moves or MovesReader(threads=1)
    places, seen, said = [], [], []
    for k, case in enumerate(cases):
        utterances = _spoken(case, guise)
        one = next(exchanges(utterances), None)
        if one is not None:
            read = {p.taxonomy: p.probabilities for p in moves.predict(utterances)}
            places.append(k)
            seen.append(figures(utterances, one, read))
            said.append(grams(utterances, one))
        on_progress((k + 1) / len(cases))
    return Shown(np.array(places, np.int64), np.array(seen), tuple(said))


def _spoken(case: Rated, guise: Callable[[str], str]) -> list[Utterance]:
    teacher: list[str] = []
    for sentence in sentences(case.teacher, "en"):
        if sum(len(s.split()) for s in teacher) < HEARD:
            teacher.append(sentence)
    said = [(Role.STUDENT, s) for s in sentences(case.student, "en")]
    said += [(Role.TEACHER, s) for s in teacher]
    spoken = (Utterance(f"u{i}", guise(text), role=role) for i, (role, text) in enumerate(said))
    return [u for u in spoken if u.text.strip()]


def truth(cases: Sequence[Rated], taxonomy: str) -> Labels:
    """Class of each exchange, in the order of `CODES`; uptake without a majority is 3.

    -1 where it does not count."""
    missing = 3 if taxonomy == "uptake" else -1
    found = []
    for case in cases:
        code = case.codes.get(taxonomy)
        known = missing if code is None else CODES[taxonomy].index(code)
        found.append(known if taxonomy in case.codes else -1)
    return np.array(found, np.int64)
