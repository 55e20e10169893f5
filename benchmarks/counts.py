"""Counts corrected for a labeller's known confusions, against the truth of development lessons.

    ./x bench counts --data DIR [--labeller trained] [--task moves] [--word-errors 0.2]
    ./x bench counts --data DIR --write models/weights/confusions.json

Each lesson is held out in turn: confusions are measured on the others, its counts corrected and
compared with the truth. Ratios are pooled over lessons, for corrected and for raw counts; coverage
is the share of lessons whose true count lies within the interval (rounded outwards to whole
numbers). The Mandarin corpora are sentences without their lessons: heaps of a hundred drawn at
random stand in, which tells whether ratios hold, not how lessons differ. `--write` stores the
confusions measured on everything, for the labeller to ship.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import models
from models.datasets.mandarin import read_dialogid, read_questions_zh
from models.datasets.talkmoves import read_talkmoves
from models.moves.corruption import word_errors
from observer.confusion import (
    BLUR,
    NONE,
    UNCLEAR,
    Confusion,
    dumps,
    loads,
    measure_confusion,
    true_counts,
)
from observer.discourse import Label
from observer.engines import Labeller
from observer.taxonomies import TAXONOMIES
from observer.timeline import Role
from observer.transcript import Transcript, Utterance

HEAP = 100
"""Sentences in a heap that stands in for a lesson."""
LEAST = 50
"""Codes with fewer true cases than this are printed in brackets."""
CONTEXT = ("question_demand", "sihe", "openness")
"""Taxonomies that hold for real questions alone; `NONE` is anything else."""

Pairs = tuple[tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Case:
    """One taxonomy in one language, as read and in truth, lesson by lesson."""

    name: str
    """"taxonomy.language"."""
    codes: tuple[str, ...]
    source: str
    lessons: tuple[Pairs, ...]
    """(true codes, read codes) of each."""
    grouped: bool
    measured: str
    word_errors: float = 0.0

    def confusion(self, leave_out: int | None = None) -> Confusion:
        """Measured on all lessons but one."""
        kept = [x for i, x in enumerate(self.lessons) if i != leave_out]
        return measure_confusion(self.source, self.codes, kept, self.measured, grouped=self.grouped)


def cases(
    labeller: Labeller, data: Path, tasks: Sequence[str], errors: float = 0.0
) -> Iterator[Case]:
    """Read the development corpora with the labeller."""
    readers: dict[str, Callable[[], Iterator[Case]]] = {
        "moves": lambda: _moves(labeller, data, errors),
        "questions": lambda: _questions(labeller, data),
        "instruction": lambda: _instruction(labeller, data),
    }
    for task in tasks:
        yield from readers[task]()


def _moves(labeller: Labeller, data: Path, errors: float) -> Iterator[Case]:
    lessons, origin = read_talkmoves(data, "dev")
    rng = np.random.default_rng(0)
    vocabulary = sorted({w for x in lessons for s in x.sentences for w in s.text.split()})
    read: dict[str, list[Pairs]] = {"teacher_move": [], "student_move": []}
    sources: Counter[tuple[str, str]] = Counter()
    for lesson in lessons:
        said = tuple(
            Utterance(
                f"u{i}",
                " ".join(word_errors(s.text.split(), errors, vocabulary, rng)),
                role=s.role,
            )
            for i, s in enumerate(lesson.sentences)
        )
        labels = _by_place(labeller.label(Transcript("en", said)))
        for taxonomy, pairs in read.items():
            true, found = [], []
            for i, sentence in enumerate(lesson.sentences):
                code = getattr(sentence, taxonomy)
                label = labels.get((f"u{i}", taxonomy))
                if code is not None and label is not None:
                    sources[taxonomy, label.source] += 1
                    true.append(code)
                    found.append(UNCLEAR if label.unclear else label.code)
            pairs.append((tuple(true), tuple(found)))
    for taxonomy, pairs in read.items():
        source = _commonest(sources, taxonomy)
        if source is not None:
            what = f"{origin.name} {origin.split}, {len(lessons)} lessons"
            names = TAXONOMIES[taxonomy].names
            yield Case(f"{taxonomy}.en", names, source, tuple(pairs), True, what, errors)


def _questions(labeller: Labeller, data: Path) -> Iterator[Case]:
    sentences, origin = read_questions_zh(data, "dev")
    natural = [s for s in sentences if s.part == "natural"]
    labels = [_alone(labeller, s.text) for s in natural]
    what = f"{origin.name} {origin.split}, {len(natural)} natural sentences"
    truth = {
        "question_form": [s.form for s in natural],
        "question_demand": [s.demand or NONE for s in natural],
        "sihe": [s.sihe or NONE for s in natural],
        "openness": [s.openness or NONE for s in natural],
    }
    for taxonomy, true in truth.items():
        yield from _sentences(f"{taxonomy}.zh", taxonomy, true, labels, what)


def _instruction(labeller: Labeller, data: Path) -> Iterator[Case]:
    sentences, origin = read_dialogid(data, "dev")
    labels = [_alone(labeller, s.text) for s in sentences]
    what = f"{origin.name} {origin.split}, {len(sentences)} sentences"
    true = [s.instruction for s in sentences]
    yield from _sentences("instruction.zh", "instruction", true, labels, what)


def _sentences(
    name: str,
    taxonomy: str,
    true: Sequence[str],
    labels: Sequence[dict[str, Label]],
    what: str,
) -> Iterator[Case]:
    """A case of sentences without lessons, in heaps; nothing where the labeller never read it."""
    sources: Counter[tuple[str, str]] = Counter()
    read = []
    for found in labels:
        label = found.get(taxonomy) if taxonomy not in CONTEXT or _asks(found) else None
        if label is not None:
            sources[taxonomy, label.source] += 1
        read.append(NONE if label is None else UNCLEAR if label.unclear else label.code)
    source = _commonest(sources, taxonomy)
    if source is None:
        return
    names = TAXONOMIES[taxonomy].names
    codes = names if NONE in names else (*names, NONE)
    order = np.random.default_rng(0).permutation(len(true))
    heaps = [order[i : i + HEAP] for i in range(0, len(order), HEAP)]
    pairs = tuple((tuple(true[i] for i in h), tuple(read[i] for i in h)) for h in heaps)
    yield Case(name, codes, source, pairs, False, what)


def _asks(labels: dict[str, Label]) -> bool:
    """Whether it counts as a real question, as observer.indicators.questions counts them."""
    form = labels.get("question_form")
    return form is not None and form.code == "real" and not form.unclear


def _alone(labeller: Labeller, text: str) -> dict[str, Label]:
    """Labels of one sentence of a teacher, without context."""
    spoken = Transcript("zh", (Utterance("u0", text, role=Role.TEACHER),))
    return {x.taxonomy: x for x in labeller.label(spoken)}


def _by_place(labels: Sequence[Label]) -> dict[tuple[str, str], Label]:
    return {(x.utterance, x.taxonomy): x for x in labels}


def _commonest(sources: Counter[tuple[str, str]], taxonomy: str) -> str | None:
    """Where most labels come from; what the rules add here and there counts with them."""
    own = {source: n for (name, source), n in sources.items() if name == taxonomy}
    return max(own, key=lambda s: (own[s], s), default=None)


# -- held out ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Held:
    """What correction gives for one code over all held-out lessons."""

    code: str
    true: int
    raw: float
    """Counted over true."""
    ratio: float
    """Corrected over true."""
    error: float
    """Mean absolute error of the corrected count of a lesson."""
    inside90: float
    inside95: float
    """Share of lessons whose true count lies within the interval."""


def held_out(case: Case, shipped: Confusion | None = None) -> list[Held]:
    """Each lesson corrected by the confusions of the others, or by those that are shipped.

    Readings with word errors are corrected by `shipped` and widened as for a recogniser that is
    that unsure.
    """
    n, k = len(case.lessons), len(case.codes)
    true, raw, point = (np.zeros((n, k)) for _ in range(3))
    ends = np.zeros((4, n, k))
    for i, (actual, read) in enumerate(case.lessons):
        confusion = shipped or case.confusion(i)
        counts = Counter(read)
        known = {c: counts[c] for c in confusion.predicted if counts[c]}
        draws = true_counts(confusion, known, blur=BLUR * case.word_errors, seed=i)
        draws = draws[:, [confusion.codes.index(c) for c in case.codes]]
        true[i] = [actual.count(c) for c in case.codes]
        raw[i] = [counts[c] for c in case.codes]
        point[i] = draws.mean(axis=0)
        ends[:, i] = np.percentile(draws, [5, 95, 2.5, 97.5], axis=0)
    ends[::2], ends[1::2] = np.floor(ends[::2]), np.ceil(ends[1::2])
    inside = (ends[::2] <= true) & (true <= ends[1::2])
    whole = np.maximum(true.sum(axis=0), 1e-9)
    return [
        Held(
            code,
            int(true[:, c].sum()),
            float(raw[:, c].sum() / whole[c]),
            float(point[:, c].sum() / whole[c]),
            float(np.abs(point[:, c] - true[:, c]).mean()),
            float(inside[0, :, c].mean()),
            float(inside[1, :, c].mean()),
        )
        for c, code in enumerate(case.codes)
    ]


def table(case: Case, rows: Sequence[Held]) -> str:
    """The rows as Markdown; codes with few true cases in brackets."""
    lines = [
        f"\n{case.name} ({case.measured}; labels of {case.source})\n",
        "| code | true | raw / true | corrected / true | mean error | 90 % covers | 95 % covers |",
        "|---|---|---|---|---|---|---|",
    ]
    for r in rows:
        name = r.code if r.true >= LEAST else f"({r.code})"
        lines.append(
            f"| {name} | {r.true} | {r.raw:.2f} | {r.ratio:.2f} | {r.error:.1f} "
            f"| {100 * r.inside90:.0f} | {100 * r.inside95:.0f} |"
        )
    enough = [r for r in rows if r.true >= LEAST]
    covers = [float(np.mean([getattr(r, a) for r in rows])) for a in ("inside90", "inside95")]
    worst = max((abs(r.ratio - 1) for r in enough), default=float("nan"))
    lines.append(
        f"\nfurthest ratio of codes with ≥ {LEAST} true cases: {worst:.2f} from 1; all codes: "
        f"90 % intervals cover {100 * covers[0]:.0f} %, 95 % intervals {100 * covers[1]:.0f} %"
    )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the corpora")
    parser.add_argument("--labeller", default="trained", help="name of the labeller")
    tasks = ("moves", "questions", "instruction")
    parser.add_argument("--task", choices=tasks, action="append", help="default: all")
    parser.add_argument("--word-errors", type=float, default=0.0, help="share of wrong words")
    parser.add_argument("--write", type=Path, help="store the confusions in this file")
    given = parser.parse_args()
    labeller: Labeller = models.load(models.LABELLERS, given.labeller)
    found = {}
    for case in cases(labeller, given.data, given.task or tasks, given.word_errors):
        shipped = labeller.confusions.get(case.name) if given.word_errors else None
        sys.stdout.write(table(case, held_out(case, shipped)) + "\n")
        sys.stdout.flush()
        found[case.name] = case.confusion()
    if given.write is not None:
        kept = loads(given.write.read_text("utf-8")) if given.write.is_file() else {}
        given.write.write_text(dumps({**kept, **found}), "utf-8")


if __name__ == "__main__":
    main()
