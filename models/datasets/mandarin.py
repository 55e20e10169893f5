"""Mandarin teacher talk: DialogID, questions_zh, and our own question labels on DialogID.

DialogID (TAL Education, MIT): sentences of automatic transcripts of K-12 online lessons, each
with one of eight instructional acts or none. questions_zh: 3,000 of its training sentences
labelled for question form, demand, 四何 and openness. `models/annotations/questions_zh.csv` holds
the same four labels for 15,500 more, by row number and without text.
"""

import csv
import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

from models.datasets import Provenance, check_split, provenance, unreadable

SPLITS = ("train", "dev")
CODES: Mapping[str, tuple[str, ...]] = {
    "question_form": ("none", "real", "tag", "self"),
    "question_demand": ("manage", "recall", "reason", "create", "judge"),
    "sihe": ("what", "why", "how", "whatif"),
    "openness": ("open", "closed"),
    "instruction": (
        "commending",
        "guidance",
        "summarization",
        "greeting",
        "note_taking",
        "repeating",
        "reviewing",
        "example_giving",
        "none",
    ),
}
"""Taxonomy → codes as numbered in training; `instruction` in the order of DialogID's 0 to 8."""

_OPENNESS = {"1": "open", "0": "closed"}
_ABSENT = "-"


@dataclass(frozen=True, slots=True)
class InstructionSentence:
    """One sentence of DialogID."""

    row: int
    """Place in its file, from 0; the number in the ids of questions_zh."""
    text: str
    instruction: str | None
    """None where nobody coded it (teachers' corrections)."""


@dataclass(frozen=True, slots=True)
class QuestionSentence:
    """One sentence labelled after the question codebook; kinds only where `form` is real."""

    row: int
    """Its row in DialogID's training file."""
    text: str
    part: str
    """How it was drawn: "natural" (at random), else by its words or its predicted class."""
    form: str
    demand: str | None = None
    sihe: str | None = None
    """None also for managing questions."""
    openness: str | None = None
    annotator: str = "questions_zh"


def read_dialogid(folder: Path, split: str) -> tuple[tuple[InstructionSentence, ...], Provenance]:
    """The sentences of `split` ("train" or "dev") below `folder`; raises DatasetError."""
    check_split("DialogID", split, SPLITS)
    file = f"dialogid/{split}.csv.gz"
    origin = provenance(
        folder,
        [file],
        name="DialogID",
        licence="MIT",
        source="github.com/ai4ed/DialogID",
        split=split,
    )
    sentences = []
    with gzip.open(folder / file, "rt", encoding="utf-8", newline="") as lines:
        for row, record in enumerate(csv.DictReader(lines)):
            try:
                code = CODES["instruction"][int(record["label"])]
                sentences.append(InstructionSentence(row, record["text"], code))
            except (KeyError, IndexError, TypeError, ValueError) as error:
                raise unreadable(file, row + 2, f"{type(error).__name__}: {error}") from error
    return tuple(sentences), origin


def read_questions_zh(folder: Path, split: str) -> tuple[tuple[QuestionSentence, ...], Provenance]:
    """The sentences of `split` ("train" or "dev") below `folder`; raises DatasetError."""
    check_split("questions_zh", split, SPLITS)
    file = f"questions_zh/{split}.jsonl"
    origin = provenance(
        folder,
        [file],
        name="questions_zh",
        licence="MIT",
        source="DialogID, labelled after its CODEBOOK.md",
        split=split,
    )
    sentences = []
    lines = (folder / file).read_text("utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
            row, text, part = int(record["id"].removeprefix("tr")), record["text"], record["part"]
            sentences.append(_question(row, text, part, "questions_zh", record))
        except (KeyError, TypeError, ValueError) as error:
            raise unreadable(file, number, f"{type(error).__name__}: {error}") from error
    return tuple(sentences), origin


def read_annotations(
    folder: Path, split: str, labels: Path | None = None
) -> tuple[tuple[QuestionSentence, ...], Provenance]:
    """Our labels joined with the text of DialogID below `folder`; `split` is "train".

    `labels` is another file of the same layout (`models/annotations/README.md`). Raises
    DatasetError where DialogID is missing or shorter than the labels' row numbers.
    """
    check_split("our annotations", split, ("train",))
    spoken, corpus = read_dialogid(folder, split)
    shipped = files("models.annotations").joinpath("questions_zh.csv")
    name, content = (shipped if labels is None else labels).name, (labels or shipped).read_bytes()
    sentences = []
    for number, record in enumerate(_records(content.decode("utf-8")), 2):
        try:
            row = int(record["row"])
            text, part, annotator = spoken[row].text, record["part"], record["annotator"]
            sentences.append(_question(row, text, part, annotator, record))
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise unreadable(name, number, f"{type(error).__name__}: {error}") from error
    sums = (*corpus.sha256, (f"models/annotations/{name}", sha256(content).hexdigest()))
    origin = Provenance(
        "models/annotations", "MIT", "DialogID, labelled by a language model (README there)",
        split, sums,
    )  # fmt: skip
    return tuple(sentences), origin


def _records(content: str) -> Iterator[dict[str, str]]:
    yield from csv.DictReader(content.splitlines())


def _question(
    row: int, text: str, part: str, annotator: str, codes: Mapping[str, Any]
) -> QuestionSentence:
    """Check the four codes against each other; raises ValueError."""
    form, demand, sihe = codes["form"], codes["cog"], codes["sihe"]
    if form not in CODES["question_form"]:
        raise ValueError(f"form {form!r}")
    if form != "real":
        return QuestionSentence(row, text, part, form, annotator=annotator)
    known = demand in CODES["question_demand"] and sihe in (*CODES["sihe"], _ABSENT)
    if not known or codes["open"] not in _OPENNESS:
        raise ValueError(f"codes {demand!r}, {sihe!r}, {codes['open']!r} of a real question")
    return QuestionSentence(
        row,
        text,
        part,
        form,
        demand,
        None if sihe == _ABSENT else sihe,
        _OPENNESS[codes["open"]],
        annotator,
    )
