"""Scores labels against labelled sentences: the figures that a model card states.

A task reads a development corpus, which no shipped weights were trained on, and gives one Score
for each taxonomy and condition (with or without punctuation, with word errors, without what
follows, natural or enriched sentences).
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING

from models.evaluate.scores import Score, score
from models.labeller import READERS, WEIGHTS, Reader
from models.predictions import Prediction
from observer.engines import ignore_progress
from observer.errors import UsageError
from observer.taxonomies import TAXONOMIES
from observer.timeline import Role
from observer.transcript import Utterance

if TYPE_CHECKING:
    from models.datasets.mandarin import QuestionSentence

OnScore = Callable[[Score], None]
Task = Callable[[Path, Reader], Iterator[Score]]


def evaluate_labels(
    task: str, data: Path, *, weights: Path = WEIGHTS, on_score: OnScore = lambda _s: None
) -> tuple[Score, ...]:
    """Score the weights of `task` on the development corpora below `data`.

    Raises UsageError (no such task), DatasetError, MissingWeights.
    """
    if task not in TASKS:
        known = ", ".join(sorted(TASKS))
        raise UsageError(
            en=f"There is no task {task!r}. Known: {known}.",
            zh=f"没有名为“{task}”的任务。可用：{known}。",
        )
    language, place, run = TASKS[task]
    shipped = READERS[language][place]
    module, _, name = shipped.reader.partition(":")
    reader: Reader = getattr(import_module(module), name)(weights / shipped.folder, threads=1)
    found = []
    for item in run(data, reader):
        found.append(item)
        on_score(item)
    return tuple(found)


def _moves(data: Path, reader: Reader) -> Iterator[Score]:
    """Whole development lessons of TalkMoves; see models.moves.calibration for the disguises."""
    from models.datasets.talkmoves import read_talkmoves
    from models.moves.calibration import disguised, with_word_errors
    from models.moves.corruption import bare
    from models.moves.examples import Vocabulary

    lessons, _ = read_talkmoves(data, "dev")
    plain = disguised(lessons, bare)
    noisy = with_word_errors(lessons, 0.2, Vocabulary(lessons).running, 1)
    truth: dict[str, list[str | None]] = {
        "teacher_move": [s.teacher_move for x in lessons for s in x.sentences],
        "student_move": [s.student_move for x in lessons for s in x.sentences],
        "question": [
            None if s.role is None else ("yes" if s.asks else "no")
            for x in lessons
            for s in x.sentences
        ],
    }
    guises = (
        ("bare", plain, True),
        ("punctuated", lessons, True),
        ("bare, next unknown", plain, False),
        ("20 % word errors", noisy, True),
    )
    for condition, shown, known in guises:
        said = [[_uttered(s.text, s.role) for s in x.sentences] for x in shown]
        yield from _compared(condition, said, truth, reader, next_known=known)


def _questions(data: Path, reader: Reader) -> Iterator[Score]:
    """questions_zh dev, each sentence alone; kinds on the truly real questions."""
    from models.datasets.mandarin import read_questions_zh
    from models.mandarin.features import without_marks

    sentences, _ = read_questions_zh(data, "dev")
    for part in ("natural", "enriched"):
        mine = [s for s in sentences if (s.part == "natural") == (part == "natural")]
        yield from questions_read(part, mine, reader)
        bare = [replace(s, text=without_marks(s.text)) for s in mine]
        yield from questions_read(f"{part}, bare", bare, reader)


def questions_read(
    condition: str, sentences: Sequence["QuestionSentence"], reader: Reader
) -> Iterator[Score]:
    """The four question taxonomies on labelled sentences, each read alone."""
    truth: dict[str, list[str | None]] = {
        "question_form": [s.form for s in sentences],
        "question_demand": [s.demand for s in sentences],
        "sihe": [s.sihe for s in sentences],
        "openness": [s.openness for s in sentences],
    }
    said = [[_uttered(s.text, Role.TEACHER)] for s in sentences]
    yield from _compared(condition, said, truth, reader)


def _instruction(data: Path, reader: Reader) -> Iterator[Score]:
    """DialogID dev, each sentence alone."""
    from models.datasets.mandarin import read_dialogid
    from models.mandarin.features import without_marks

    sentences, _ = read_dialogid(data, "dev")
    truth: dict[str, list[str | None]] = {"instruction": [s.instruction for s in sentences]}
    for condition, change in (("as recognised", str), ("bare", without_marks)):
        said = [[_uttered(change(s.text), Role.TEACHER)] for s in sentences]
        yield from _compared(condition, said, truth, reader)


def _exchanges(taxonomy: str) -> Task:
    """Uptake or focusing on the rated exchanges, each read alone, with and without punctuation.

    The shipped weights have learnt from all of them: so the same training is cross-validated, all
    exchanges of a lesson held out together, beside what overlap alone would read. Talk moves are
    those of the task's reader; exchanges that would not be read are left out.
    """

    def run(data: Path, reader: Reader) -> Iterator[Score]:
        from models.exchanges.examples import GUISES, rated, shown
        from models.exchanges.runtime import ExchangeReader
        from models.exchanges.training import held_out

        cases, _ = rated(data)
        moves = reader.moves if isinstance(reader, ExchangeReader) else None
        parts = {name: shown(cases, moves, guise) for name, guise in GUISES}
        for what, overlap in (("", False), (", overlap alone", True)):
            for held in held_out(cases, parts, taxonomy, overlap=overlap)[0]:
                codes, read = TAXONOMIES[taxonomy].names, held.read
                said = [codes[k] for k in read.shares.argmax(1)]
                sure = read.shares.max(1).tolist()
                yield score(taxonomy, held.condition + what, read.true, said, sure, codes)

    return run


TASKS: Mapping[str, tuple[str, int, Task]] = {
    "moves": ("en", 0, _moves),
    "questions": ("zh", 0, _questions),
    "instruction": ("zh", 0, _instruction),
    "uptake": ("en", 1, _exchanges("uptake")),
    "focusing": ("en", 1, _exchanges("focusing")),
}
"""Task → (language and place of its reader in `models.labeller.READERS`, what is scored)."""


def _uttered(text: str, role: Role | None) -> Utterance:
    return Utterance("", text, role=role)


def _compared(
    condition: str,
    lessons: Sequence[Sequence[Utterance]],
    truth: Mapping[str, Sequence[str | None]],
    reader: Reader,
    **settings: bool,
) -> Iterator[Score]:
    """Read all lessons, then one Score for each taxonomy of `truth`, where it says something.

    Sentences without context (lessons of one) are read as one run: that is how they are fast.
    """
    alone = all(len(lesson) == 1 for lesson in lessons)
    runs = [[u for lesson in lessons for u in lesson]] if alone else lessons
    reader.predict(runs[0][:8], ignore_progress)
    began = time.process_time()
    found = [reader.predict(run, ignore_progress, **settings) for run in runs]
    per_second = sum(map(len, runs)) / (time.process_time() - began)
    for taxonomy, codes in truth.items():
        parts = [p for run in found for p in run if p.taxonomy == taxonomy]
        if not parts:
            continue
        true, read, sure = _paired(codes, parts)
        if true:
            yield score(taxonomy, condition, true, read, sure, parts[0].codes, per_second)


def _paired(
    truth: Sequence[str | None], parts: Sequence[Prediction]
) -> tuple[list[str], list[str], list[float]]:
    rows = [row for part in parts for row in part.probabilities.tolist()]
    kept = [
        (code, row)
        for code, row in zip(truth, rows, strict=True)
        if code is not None and not isnan(row[0])
    ]
    names = parts[0].codes
    tops = [max(range(len(names)), key=row.__getitem__) for _, row in kept]
    return (
        [code for code, _ in kept],
        [names[top] for top in tops],
        [row[top] for top, (_, row) in zip(tops, kept, strict=True)],
    )
