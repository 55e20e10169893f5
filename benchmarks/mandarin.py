"""How well the Mandarin model reads: the tables that models/cards/questions_zh.md quotes.

    python benchmarks/mandarin.py DATA [--weights DIR] [--split dev]

DATA holds questions_zh/ and dialogid/. Form on all sentences; kinds on the true real questions,
whatever form is read (their probabilities are conditional on it).
"""

import argparse
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.datasets.mandarin import CODES, read_dialogid, read_questions_zh
from models.mandarin.blending import calibration_error
from models.mandarin.examples import question_labels
from models.mandarin.features import normalised, without_marks
from models.mandarin.runtime import MandarinReader
from observer.timeline import Role
from observer.transcript import Utterance

COUNTED = {
    "question_form": ("none", "real", "tag", "self"),
    "question_demand": ("manage", "recall", "reason"),
    "sihe": ("what", "why", "how"),
    "openness": ("open",),
    "instruction": CODES["instruction"],
}
"""Codes of the macro-F1 that issue 4 asks for."""


def table(truth: NDArray[np.int64], said: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Counts, rows the truth and columns what was said."""
    found = np.zeros((size, size), np.int64)
    np.add.at(found, (truth, said), 1)
    return found


def f1(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """F1 of each class; 0 of a class that is neither true nor said."""
    both = counts.sum(0) + counts.sum(1)
    found: NDArray[np.float64] = 2 * np.diag(counts) / np.maximum(both, 1)
    return found


def line(name: str, truth: NDArray[np.int64], chances: NDArray[np.float32]) -> str:
    """Macro-F1, calibration error, and precision, recall and F1 of every code with cases."""
    codes = CODES[name]
    counts = table(truth, chances.argmax(1), len(codes))
    each = f1(counts)
    macro = each[[codes.index(c) for c in COUNTED[name]]].mean()
    with np.errstate(invalid="ignore"):
        precision = np.diag(counts) / counts.sum(0)
        recall = np.diag(counts) / counts.sum(1)
    cells = [
        f"{c} {each[k]:.3f} ({precision[k]:.2f}/{recall[k]:.2f}, {counts[k].sum()})"
        for k, c in enumerate(codes)
        if counts[k].sum()
    ]
    ece = calibration_error(chances, truth)
    extra = ""
    if name == "instruction":
        extra = f"  without none {each[:-1].mean():.3f}"
    return f"  {name:16} F1 {macro:.3f}{extra}  ECE {ece:.3f}  n {len(truth)}  " + "  ".join(cells)


def questions(reader: MandarinReader, data: Path, split: str) -> None:
    """The four question taxonomies, natural and enriched sentences apart."""
    asked, _ = read_questions_zh(data, split)
    labels = question_labels(asked)
    natural = np.array([q.part == "natural" for q in asked])
    for guise, texts in (
        ("as recognised", [q.text for q in asked]),
        ("bare", [without_marks(normalised(q.text)) for q in asked]),
    ):
        chances = reader.probabilities(texts)
        for part, rows in (("natural", natural), ("enriched", ~natural), ("all", natural | True)):
            print(f"\nquestions_zh {split}, {part}, {guise}: {rows.sum()} sentences")
            for name, truth in labels.items():
                known = rows & (truth >= 0)
                print(line(name, truth[known], chances[name][known]))


def instruction(reader: MandarinReader, data: Path) -> None:
    """The nine acts of DialogID, and the eight without `none`."""
    spoken, _ = read_dialogid(data, "dev")
    truth = np.array([CODES["instruction"].index(s.instruction or "none") for s in spoken])
    for guise, texts in (
        ("as recognised", [s.text for s in spoken]),
        ("bare", [without_marks(normalised(s.text)) for s in spoken]),
    ):
        print(f"\nDialogID dev, {guise}")
        print(line("instruction", truth, reader.probabilities(texts)["instruction"]))


def speed(reader: MandarinReader, data: Path) -> None:
    """Utterances per CPU-second through `predict`, one thread."""
    spoken, _ = read_dialogid(data, "dev")
    said = [Utterance(str(s.row), s.text, role=Role.TEACHER) for s in spoken]
    reader.predict(said[:50])
    begun = time.process_time()
    reader.predict(said)
    rate = len(said) / (time.process_time() - begun)
    size = sum(f.stat().st_size for f in reader.folder.iterdir()) / 1e6
    print(f"\n{rate:,.0f} utterances/CPU-s; weights {size:.1f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    shipped = Path(__file__).parents[1] / "models" / "weights" / "questions_zh"
    parser.add_argument("--weights", type=Path, default=shipped)
    parser.add_argument("--split", default="dev", choices=("train", "dev"))
    chosen = parser.parse_args()
    reader = MandarinReader(chosen.weights)
    questions(reader, chosen.data, chosen.split)
    instruction(reader, chosen.data)
    speed(reader, chosen.data)


if __name__ == "__main__":
    main()
