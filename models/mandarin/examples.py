"""The sentences as arrays: with and without marks, with the labels that each has."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.datasets import Provenance
from models.datasets.mandarin import (
    CODES,
    InstructionSentence,
    QuestionSentence,
    read_annotations,
    read_dialogid,
    read_questions_zh,
)
from models.mandarin.features import Patterns, normalised, without_marks
from models.predictions import Probabilities

FOLDS = 5
LEARNT = 1
"""The fold of corrections: copies that make one count more must not fall into another fold. Also
of sentences that a model chose to be labelled: what is calibrated on must be drawn without one."""
CHOSEN = ("uncertain", "sure")
"""Parts of the annotations that a model chose."""
Labels = dict[str, NDArray[np.int64]]
Encode = Callable[[str], list[int]]
"""Codes of a normalised sentence, as the network reads it."""


@dataclass(frozen=True, slots=True)
class Guise:
    """All sentences in one spelling."""

    texts: tuple[str, ...]
    codes: tuple[list[int], ...]
    fired: Probabilities


@dataclass(frozen=True, slots=True)
class Examples:
    """n sentences: `plain` as recognised, `bare` without marks."""

    plain: Guise
    bare: Guise
    labels: Labels
    """Taxonomy → class, -1 where there is none."""
    fold: NDArray[np.int64]
    """0 to 4 for sentences with question labels; -1 for others."""
    natural: NDArray[np.bool_]
    """Drawn at random, so that class shares are true."""

    def __len__(self) -> int:
        return len(self.fold)


@dataclass(frozen=True, slots=True)
class Corpora:
    """What training reads."""

    spoken: tuple[InstructionSentence, ...]
    asked: tuple[QuestionSentence, ...]
    origins: tuple[Provenance, ...]


def read_corpora(
    data: Path, corrections: Sequence[QuestionSentence] = (), annotations: Path | None = None
) -> Corpora:
    """DialogID train without the sentences of questions_zh dev, and all question labels.

    Corrections are sentences of other lessons: they join both lists under rows below zero,
    without an instructional act. Raises DatasetError.
    """
    spoken, first = read_dialogid(data, "train")
    asked, second = read_questions_zh(data, "train")
    more, third = read_annotations(data, "train", annotations)
    untouched = {q.row for q in read_questions_zh(data, "dev")[0]}
    kept = tuple(s for s in spoken if s.row not in untouched)
    by_row = {q.row: q for q in (*asked, *more) if q.row not in untouched}
    added = tuple(replace(q, row=-k) for k, q in enumerate(corrections, 1))
    kept += tuple(InstructionSentence(q.row, q.text, None) for q in added)
    return Corpora(kept, (*by_row.values(), *added), (first, second, third))


def question_labels(asked: Sequence[QuestionSentence | None]) -> Labels:
    """Classes of the four question taxonomies."""
    fields = {
        "question_form": [q.form if q else None for q in asked],
        "question_demand": [q.demand if q else None for q in asked],
        "sihe": [q.sihe if q else None for q in asked],
        "openness": [q.openness if q else None for q in asked],
    }
    return {
        name: np.array([-1 if c is None else CODES[name].index(c) for c in codes], np.int64)
        for name, codes in fields.items()
    }


def guise(texts: Sequence[str], encode: Encode, patterns: Patterns) -> Guise:
    """Codes and rules of normalised sentences."""
    return Guise(tuple(texts), tuple(encode(t) for t in texts), patterns.fired(texts))


def prepare(corpora: Corpora, encode: Encode, patterns: Patterns, seed: int) -> Examples:
    """Arrays of all sentences, in the order of DialogID, corrections at the end."""
    labelled = {q.row: q for q in corpora.asked}
    asked = [labelled.get(s.row) for s in corpora.spoken]
    texts = [normalised(s.text) for s in corpora.spoken]
    labels = question_labels(asked)
    codes = CODES["instruction"]
    labels["instruction"] = np.array(
        [-1 if s.instruction is None else codes.index(s.instruction) for s in corpora.spoken]
    )
    given = np.array([s.row < 0 for s in corpora.spoken])
    given |= np.array([q is not None and q.part in CHOSEN for q in asked])
    known = np.flatnonzero((labels["question_form"] >= 0) & ~given)
    fold = np.where(given, LEARNT, -1)
    fold[np.random.default_rng(seed).permutation(known)] = np.arange(len(known)) % FOLDS
    return Examples(
        guise(texts, encode, patterns),
        guise([without_marks(t) for t in texts], encode, patterns),
        labels,
        fold,
        np.array([q is not None and q.part == "natural" for q in asked]),
    )


def batches(
    rows: NDArray[np.int64], lengths: NDArray[np.int64], room: int, random: np.random.Generator
) -> Iterator[list[int]]:
    """Batches of at most `room` characters of sentences about as long, in random order."""
    found: list[list[int]] = []
    order = random.permutation(rows)
    for start in range(0, len(order), 4096):
        part = order[start : start + 4096]
        batch: list[int] = []
        for row in part[np.argsort(lengths[part], kind="stable")]:
            if batch and (len(batch) + 1) * lengths[row] > room:
                found.append(batch)
                batch = []
            batch.append(int(row))
        found.append(batch)
    for k in random.permutation(len(found)):
        yield found[k]
