"""Temperatures, confusion counts and figures of the talk-move weights on development lessons."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.datasets.talkmoves import MovesLesson, MovesSentence
from models.moves.corruption import bare, word_errors
from models.moves.examples import NO_LABEL, STUDENT_CODES, TEACHER_CODES
from models.moves.features import Dense
from models.moves.pairs import words
from models.moves.runtime import MovesReader, Outputs, softmax

Labels = NDArray[np.int64]
BINS = 15
_TEMPERATURES = np.exp(np.linspace(np.log(0.5), np.log(3.0), 91))


@dataclass(frozen=True, slots=True)
class Scored:
    """One head on the n sentences of development lessons that have a label for it."""

    logits: Dense
    """(n, k)."""
    truth: Labels
    """(n,) columns of the truth."""
    fold: Labels
    """(n,) number of the lesson, for cross-fitting."""


def disguised(
    lessons: Sequence[MovesLesson], change: Callable[[str], str]
) -> tuple[MovesLesson, ...]:
    """The lessons with every sentence's text changed."""
    return tuple(
        replace(lesson, sentences=tuple(replace(s, text=change(s.text)) for s in lesson.sentences))
        for lesson in lessons
    )


def with_word_errors(
    lessons: Sequence[MovesLesson],
    rate: float,
    vocabulary: Sequence[str],
    seed: int,
    *,
    punctuated: bool = False,
) -> tuple[MovesLesson, ...]:
    """The lessons, bare unless `punctuated`, with this share of their words wrong."""
    rng = np.random.default_rng(seed)

    def change(text: str) -> str:
        spelt = words(text if punctuated else bare(text))
        return " ".join(word_errors(spelt, rate, vocabulary, rng))

    return disguised(lessons, change)


def scored(outputs: Sequence[Outputs], lessons: Sequence[MovesLesson]) -> Mapping[str, Scored]:
    """Head → what it said beside the truth; the truth is of `lessons` as transcribed.

    Heads: teacher, student, and the question of teachers and of students.
    """
    sentences = [s for lesson in lessons for s in lesson.sentences]
    fold = np.repeat(np.arange(len(lessons)), [len(lesson.sentences) for lesson in lessons])
    teacher, student, question = (
        np.concatenate([getattr(o, head) for o in outputs])
        for head in ("teacher", "student", "question")
    )
    moves = _column(sentences, lambda s: s.teacher_move, TEACHER_CODES)
    answers = _column(sentences, lambda s: s.student_move, STUDENT_CODES)
    asks = np.array([int(s.asks) for s in sentences])
    parts = {
        "teacher": (teacher, moves, moves != NO_LABEL),
        "student": (student, answers, answers != NO_LABEL),
        "question_teacher": (question, asks, moves != NO_LABEL),
        "question_student": (question, asks, answers != NO_LABEL),
    }
    return {
        name: Scored(logits[kept], truth[kept], fold[kept])
        for name, (logits, truth, kept) in parts.items()
    }


def _column(
    sentences: Sequence[MovesSentence],
    code: Callable[[MovesSentence], str | None],
    codes: Sequence[str],
) -> Labels:
    found = (code(s) for s in sentences)
    return np.array([NO_LABEL if c is None else codes.index(c) for c in found])


def temperature(parts: Sequence[Scored]) -> float:
    """The temperature with the least mean negative log-likelihood over all `parts` together."""

    def cost(value: float) -> float:
        return sum(
            -float(np.log(_of_truth(softmax(p.logits, value), p.truth)).sum()) for p in parts
        )

    return float(min(_TEMPERATURES, key=cost))


def _of_truth(probabilities: Dense, truth: Labels) -> Dense:
    return np.maximum(probabilities[np.arange(len(truth)), truth], 1e-12)


def cross_fitted(part: Scored, folds: int = 5) -> Dense:
    """Probabilities, each lesson's with the temperature fitted on the other folds' lessons."""
    out = np.zeros_like(part.logits)
    for k in range(folds):
        held = part.fold % folds == k
        rest = Scored(part.logits[~held], part.truth[~held], part.fold[~held])
        if held.any():
            out[held] = softmax(part.logits[held], temperature([rest]))
    return out


def calibration_error(probabilities: Dense, truth: Labels) -> float:
    """Expected calibration error of the surest code, 15 bins of equal width (Guo et al. 2017)."""
    sure, right = probabilities.max(1), probabilities.argmax(1) == truth
    place = np.minimum((sure * BINS).astype(int), BINS - 1)
    gaps = (
        abs(float(sure[place == b].mean()) - float(right[place == b].mean()))
        * float((place == b).mean())
        for b in range(BINS)
        if (place == b).any()
    )
    return sum(gaps)


def confusion(part: Scored) -> Labels:
    """(k, k) counts: rows the truth, columns the surest code."""
    size = part.logits.shape[1]
    table = np.zeros((size, size), np.int64)
    np.add.at(table, (part.truth, part.logits.argmax(1)), 1)
    return table


@dataclass(frozen=True, slots=True)
class Figures:
    """Scores from a confusion table whose first code is "none"."""

    precision: tuple[float, ...]
    recall: tuple[float, ...]
    f1: tuple[float, ...]
    micro: float
    """Over the codes but "none": pooled true positives, false positives and misses."""
    mean: float
    """Mean F1 of the codes but "none"."""
    macro: float
    """Mean F1 of all codes."""
    bias: tuple[float, ...]
    """Counted over true cases, per code."""


def figures(table: Labels) -> Figures:
    """Scores of a confusion table as of `confusion`."""
    hit, said, true = np.diag(table), table.sum(0), table.sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision, recall = hit / said, hit / true
        f1, bias = 2 * hit / (said + true), said / true
    return Figures(
        tuple(map(float, precision)),
        tuple(map(float, recall)),
        tuple(map(float, f1)),
        float(2 * hit[1:].sum() / (said[1:].sum() + true[1:].sum())),
        float(np.nanmean(f1[1:])),
        float(np.nanmean(f1)),
        tuple(map(float, bias)),
    )


def read_lessons(
    reader: MovesReader, lessons: Sequence[MovesLesson], *, next_known: bool = True
) -> Iterator[Outputs]:
    """What the network says of each lesson as a whole."""
    for lesson in lessons:
        yield reader.outputs(lesson.sentences, next_known=next_known)
