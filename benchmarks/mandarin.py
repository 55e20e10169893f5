"""How well the Mandarin model reads: the tables of models/cards/questions_zh.md, as markdown.

    python benchmarks/mandarin.py DATA [--weights DIR] [--write models/cards/questions_zh.md]

DATA holds questions_zh/ and dialogid/. Form on all sentences; kinds on the true real questions,
whatever form is read (their probabilities are conditional on it). Figures of the held-out fold
stand in the weights' settings.json, counted by training. `--write` puts the tables into the card,
between its two comments.
"""

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.datasets.mandarin import CODES, read_dialogid, read_questions_zh
from models.mandarin.blending import calibration_error
from models.mandarin.examples import question_labels
from models.mandarin.features import normalised, without_marks
from models.mandarin.runtime import SETTINGS, MandarinReader
from models.predictions import Probabilities
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
NAMES = {"question_form": "form", "question_demand": "demand", "sihe": "四何"}
BARS = {"question_form": 0.75, "question_demand": 0.75, "sihe": 0.85, "openness": 0.70}
REAL_BAR, ACTS_BAR, ERROR_BAR, SPEED_BAR = 0.90, 0.88, 0.03, 1000
OPENS, CLOSES = "<!-- measured: benchmarks/mandarin.py -->\n", "<!-- /measured -->"
Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Measured:
    """Counts (rows the truth) and calibration errors of everything the card tells."""

    fold: dict[str, dict[str, Counts]]
    """Part ("natural", "all") → taxonomy → counts on the fold held out in training."""
    fold_error: dict[str, float]
    dev: dict[str, list[Counts]]
    """Taxonomy → natural as recognised, natural bare, enriched as recognised, enriched bare."""
    dev_error: dict[str, tuple[float, float]]
    acts: list[tuple[Counts, float]]
    """DialogID dev, as recognised and bare."""
    rate: float
    size: float


def table(truth: NDArray[np.int64], said: NDArray[np.int64], size: int) -> Counts:
    """Counts, rows the truth and columns what was said."""
    found = np.zeros((size, size), np.int64)
    np.add.at(found, (truth, said), 1)
    return found


def f1(counts: Counts) -> NDArray[np.float64]:
    """F1 of each class; 0 of a class that is neither true nor said."""
    both = counts.sum(0) + counts.sum(1)
    found: NDArray[np.float64] = 2 * np.diag(counts) / np.maximum(both, 1)
    return found


def macro(name: str, counts: Counts) -> float:
    """Mean F1 of the codes that issue 4 counts."""
    return float(f1(counts)[[CODES[name].index(c) for c in COUNTED[name]]].mean())


def real(counts: Counts) -> float:
    return float(f1(counts)[CODES["question_form"].index("real")])


def each(name: str, counts: Counts) -> str:
    """Precision, recall and F1 of every code with cases."""
    with np.errstate(invalid="ignore"):
        precision = np.diag(counts) / counts.sum(0)
        recall = np.diag(counts) / counts.sum(1)
    return ", ".join(
        f"{c} {f1(counts)[k]:.2f} ({precision[k]:.2f}/{recall[k]:.2f}; {counts[k].sum()})"
        for k, c in enumerate(CODES[name])
        if counts[k].sum()
    )


def measure(reader: MandarinReader, data: Path) -> Measured:
    """Read both development corpora."""
    stored: dict[str, Any] = json.loads((reader.folder / SETTINGS).read_text("utf-8"))
    fold = {
        part: {n: np.array(stored["confusion"][n][part], np.int64) for n in CODES}
        for part in ("natural", "all")
    }
    dev, dev_error = _questions(reader, data)
    size = sum(f.stat().st_size for f in reader.folder.iterdir()) / 1e6
    error = {n: float(stored["calibration_error"][n]) for n in CODES}
    return Measured(fold, error, dev, dev_error, _acts(reader, data), _speed(reader, data), size)


def _questions(
    reader: MandarinReader, data: Path
) -> tuple[dict[str, list[Counts]], dict[str, tuple[float, float]]]:
    asked, _ = read_questions_zh(data, "dev")
    labels = question_labels(asked)
    natural = np.array([q.part == "natural" for q in asked])
    guises = ([q.text for q in asked], [without_marks(normalised(q.text)) for q in asked])
    read = [reader.probabilities(texts) for texts in guises]
    counts: dict[str, list[Counts]] = {}
    errors = {}
    for name, truth in labels.items():
        known = truth >= 0
        counts[name] = [
            _counts(name, truth, chances[name], part & known)
            for part in (natural, ~natural)
            for chances in read
        ]
        found = [calibration_error(c[name][known], truth[known]) for c in read]
        errors[name] = (found[0], found[1])
    return counts, errors


def _counts(
    name: str, truth: NDArray[np.int64], chances: Probabilities, rows: NDArray[np.bool_]
) -> Counts:
    return table(truth[rows], chances[rows].argmax(1), len(CODES[name]))


def _acts(reader: MandarinReader, data: Path) -> list[tuple[Counts, float]]:
    spoken, _ = read_dialogid(data, "dev")
    truth = np.array([CODES["instruction"].index(s.instruction or "none") for s in spoken])
    guises = ([s.text for s in spoken], [without_marks(normalised(s.text)) for s in spoken])
    found = []
    for texts in guises:
        chances = reader.probabilities(texts)["instruction"]
        every = np.ones(len(truth), bool)
        found.append(
            (_counts("instruction", truth, chances, every), calibration_error(chances, truth))
        )
    return found


def _speed(reader: MandarinReader, data: Path, times: int = 3) -> float:
    """Utterances per CPU-second through `predict`, one thread; the best of some runs."""
    spoken, _ = read_dialogid(data, "dev")
    said = [Utterance(str(s.row), s.text, role=Role.TEACHER) for s in spoken]
    reader.predict(said[:50])
    rates = []
    for _ in range(times):
        begun = time.process_time()
        reader.predict(said)
        rates.append(len(said) / (time.process_time() - begun))
    return max(rates)


def told(m: Measured) -> str:
    """The tables."""
    parts = (_bars(m), _fold(m), _dev(m), _acts_table(m))
    speed = (
        f"Speed: {m.rate:,.0f} utterances per CPU-second, one thread, `predict` on DialogID dev "
        f"(5,191 sentences, mean 22 characters; best of three). Size: {m.size:.1f} MB.\n"
    )
    return "\n".join([*parts, speed])


def _bars(m: Measured) -> str:
    fold, natural = m.fold["natural"], {n: m.dev[n][:2] for n in m.dev}
    form = natural["question_form"]
    rows = [("real question F1", REAL_BAR, real(fold["question_form"]), [real(c) for c in form])]
    rows += [
        (f"{NAMES.get(n, n)} F1", bar, macro(n, fold[n]), [macro(n, c) for c in natural[n]])
        for n, bar in BARS.items()
    ]
    acts = [macro("instruction", c) for c, _ in m.acts]
    lines = [
        "### Against the bars of issue 4",
        "",
        "| bar | held-out fold, natural | questions_zh dev natural, as recognised / bare | |",
        "|---|---|---|---|",
        *(
            f"| {name} ≥ {bar:.2f} | {held:.3f} | {dev[0]:.3f} / {dev[1]:.3f} "
            f"| {_verdict(held, bar)} |"
            for name, bar, held, dev in rows
        ),
        f"| instruction F1 ≥ {ACTS_BAR} | – | {acts[0]:.3f} / {acts[1]:.3f} (DialogID dev) "
        f"| {_verdict(min(acts), ACTS_BAR)} |",
    ]
    errors = ", ".join(f"{NAMES.get(n, n)} {e:.3f}" for n, e in m.fold_error.items())
    form_error = " / ".join(f"{e:.3f}" for e in m.dev_error["question_form"])
    over = max(0.0, max(m.fold_error.values()) - ERROR_BAR)
    lines.append(
        f"| ECE ≤ {ERROR_BAR} | {errors} | form on all 500: {form_error} "
        f"| {'met on the fold' if not over else f'over by {over:.3f}'} |"
    )
    slow = "met" if m.rate >= SPEED_BAR else f"short by {SPEED_BAR - m.rate:,.0f}"
    lines.append(f"| {SPEED_BAR:,} utterances a second, one thread | {m.rate:,.0f} | | {slow} |")
    return "\n".join(lines) + "\n"


def _verdict(value: float, bar: float) -> str:
    return "met" if value >= bar else f"short by {bar - value:.3f}"


def _fold(m: Measured) -> str:
    lines = [
        "### Held-out fold of the training labels, each sentence with and without marks",
        "",
        "| | natural: F1 | each F1 (precision/recall; cases) | all: F1 | ECE |",
        "|---|---|---|---|---|",
    ]
    for n in BARS:
        natural, every = m.fold["natural"][n], m.fold["all"][n]
        lines.append(
            f"| {NAMES.get(n, n)} ({'/'.join(COUNTED[n])}) | **{macro(n, natural):.3f}** "
            f"| {each(n, natural)} | {macro(n, every):.3f} | {m.fold_error[n]:.3f} |"
        )
    return "\n".join(lines) + "\n"


def _dev(m: Measured) -> str:
    lines = [
        "### questions_zh dev (natural 199 sentences, enriched 301)",
        "",
        "| F1 | natural, as recognised | natural, bare | enriched, as recognised | enriched, bare "
        "| ECE of all, as recognised / bare |",
        "|---|---|---|---|---|---|",
        "| real questions | "
        + " | ".join(f"{real(c):.3f}" for c in m.dev["question_form"])
        + " | |",
    ]
    for n, counts in m.dev.items():
        cells = " | ".join(f"{macro(n, c):.3f}" for c in counts)
        errors = " / ".join(f"{e:.3f}" for e in m.dev_error[n])
        cases = f"{counts[0].sum()}, {counts[2].sum()}"
        lines.append(f"| {NAMES.get(n, n)} (cases {cases}) | {cells} | {errors} |")
    return "\n".join(lines) + "\n"


def _acts_table(m: Measured) -> str:
    lines = [
        "### DialogID dev (5,191 sentences)",
        "",
        "| | F1, 9 with none | 8 without | each F1 (precision/recall; cases) | ECE |",
        "|---|---|---|---|---|",
    ]
    for guise, (counts, error) in zip(("as recognised", "bare"), m.acts, strict=True):
        found = f1(counts)
        lines.append(
            f"| {guise} | {found.mean():.3f} | {found[:-1].mean():.3f} "
            f"| {each('instruction', counts)} | {error:.3f} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    shipped = Path(__file__).parents[1] / "models" / "weights" / "questions_zh"
    parser.add_argument("--weights", type=Path, default=shipped)
    parser.add_argument("--write", type=Path, help="card whose tables are replaced")
    chosen = parser.parse_args()
    tables = told(measure(MandarinReader(chosen.weights), chosen.data))
    print(tables)
    if chosen.write is not None:
        card = chosen.write.read_text("utf-8")
        before, after = card.split(OPENS)[0], card.split(CLOSES)[1]
        chosen.write.write_text(f"{before}{OPENS}{tables}{CLOSES}{after}", "utf-8")


if __name__ == "__main__":
    main()
