"""Teachers' corrections of question labels: read, learnt from, and judged on an untouched part.

One JSON object a line: {"text", "language", "role", "labels": {TAXONOMY: CODE}}. A correction may
name one taxonomy only. A fifth of them, chosen by their text, is never learnt from: it and the
development sentences decide whether the retrained weights are better than those in use.
"""

import json
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from models.datasets.mandarin import QuestionSentence, read_questions_zh
from models.evaluate.labels import questions_read
from models.labeller import Reader
from models.mandarin.runtime import MandarinReader
from observer.errors import MissingWeights, TranscriptError
from observer.taxonomies import TAXONOMIES

FIELDS = {
    "question_form": "form",
    "question_demand": "demand",
    "sihe": "sihe",
    "openness": "openness",
}
WEIGHT = 3
"""A correction is learnt from as often as so many sentences of the corpora: it comes from the
lessons that will be read. A convention; no lessons with corrections exist yet to measure it on."""
UNTOUCHED = 5
"""One in so many corrections is kept for the comparison."""


@dataclass(frozen=True, slots=True)
class Corrections:
    """What a file of corrections holds that Mandarin questions can be learnt from."""

    learnt: tuple[QuestionSentence, ...]
    untouched: tuple[QuestionSentence, ...]
    others: int
    """Lines in another language, of students, or about other taxonomies."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Mean of the taxonomies' macro-F1 of two weights on the same sentences."""

    part: str
    n: int
    current: float | None
    """None where there are no weights in use."""
    retrained: float


def read_corrections(file: Path) -> Corrections:
    """The corrections of a file; the last word on a text and taxonomy counts.

    Raises TranscriptError, which names the line.
    """
    found: dict[str, dict[str, str]] = {}
    others = 0
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise TranscriptError(
            en=f"The corrections {file} cannot be read ({error}). Give a UTF-8 file of JSON lines.",
            zh=f"无法读取更正文件 {file}（{error}）。请给出 UTF-8 编码的 JSON Lines 文件。",
        ) from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        text, labels = _correction(number, line)
        if labels:
            found.setdefault(text, {}).update(labels)
        else:
            others += 1
    sentences = [_sentence(text, labels) for text, labels in found.items()]
    kept = {s.text for s in sentences if _place(s.text) == 0}
    return Corrections(
        tuple(s for s in sentences if s.text not in kept),
        tuple(s for s in sentences if s.text in kept),
        others,
    )


def _correction(number: int, line: str) -> tuple[str, dict[str, str]]:
    """A text and its Mandarin question labels, none where the line is about something else."""
    try:
        row = json.loads(line)
        text, labels = row["text"].strip(), dict(row["labels"])
        language, role = row.get("language", "zh"), row.get("role") or "teacher"
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _bad(number, f"{type(error).__name__}: {error}") from error
    for taxonomy, code in labels.items():
        if taxonomy not in TAXONOMIES or code not in TAXONOMIES[taxonomy].names:
            raise _bad(number, f"{taxonomy}: {code!r}")
    if not text or language != "zh" or role != "teacher":
        return text, {}
    return text, {k: v for k, v in labels.items() if k in FIELDS}


def _bad(number: int, why: str) -> TranscriptError:
    return TranscriptError(
        en=f"Corrections, line {number}: {why}. Each line must be "
        '{"text", "language", "role", "labels": {TAXONOMY: CODE}} with codes of the taxonomies.',
        zh=f"更正文件第 {number} 行：{why}。每行应为 "
        '{"text", "language", "role", "labels": {分类: 代码}}，代码须属于该分类。',
    )


def _sentence(text: str, labels: dict[str, str]) -> QuestionSentence:
    """Whoever names the demand of a sentence calls it a real question."""
    fields: dict[str, Any] = {FIELDS[k]: v for k, v in labels.items()}
    form = fields.pop("form", "real")
    if form != "real":
        fields = {}
    return QuestionSentence(0, text, "correction", form, annotator="teacher", **fields)


def _place(text: str) -> int:
    return int(sha256(text.encode()).hexdigest(), 16) % UNTOUCHED


def weighted(sentences: Sequence[QuestionSentence]) -> tuple[QuestionSentence, ...]:
    """Each sentence `WEIGHT` times, as the trainer expects what counts more."""
    return tuple(s for s in sentences for _ in range(WEIGHT))


def compare(
    data: Path, untouched: Sequence[QuestionSentence], current: Path, retrained: Path
) -> list[Comparison]:
    """Both weights on the development sentences and on the untouched corrections."""
    development, _ = read_questions_zh(data, "dev")
    parts = [("questions_zh dev", development), ("corrections", tuple(untouched))]
    return [
        Comparison(
            name,
            len(sentences),
            _figure(current, sentences),
            _figure(retrained, sentences) or 0.0,
        )
        for name, sentences in parts
        if sentences
    ]


def _figure(folder: Path, sentences: Sequence[QuestionSentence]) -> float | None:
    reader: Reader = MandarinReader(folder, threads=1)
    try:
        scores = list(questions_read("", sentences, reader))
    except MissingWeights:
        return None
    return sum(s.macro for s in scores) / len(scores)


def keep_better(
    comparisons: Iterable[Comparison], current: Path, retrained: Path, out: Path
) -> str:
    """Put the better weights into `out` and say which they are, with the figures.

    Better: a higher mean over the parts, each of which counts alike. On a draw the weights in
    use stay. `retrained` is gone afterwards; `out` may be `current`.
    """
    parts = list(comparisons)
    told = [
        f"{c.part} ({c.n}): {'–' if c.current is None else f'{c.current:.3f}'} → {c.retrained:.3f}"
        for c in parts
    ]
    better = sum(c.retrained - (c.current or 0.0) for c in parts) > 0
    if better or out != current:
        for file in (retrained if better else current).iterdir():
            shutil.copyfile(file, out / file.name)
    shutil.rmtree(retrained)
    verdict = (
        f"The retrained weights are better; they are in {out}."
        if better
        else f"The weights in use are as good or better; {out} holds them."
    )
    return "\n".join(["Mean macro-F1 of form, demand, 四何 and openness:", *told, verdict])
