"""Teachers' talk moves in Mandarin, carried over from English: no Mandarin labels exist.

Restating and revoicing are overlap with what a student has just said, which knows no language:
a logistic regression on 24 figures of shared words, fitted on TalkMoves and read over Mandarin
with characters as words. Pressing follows from the question labels. Nobody has checked this on
Mandarin lessons: such labels say "transferred" in their source.
"""

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import log1p
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.judging import FORM
from models.predictions import Row
from models.questions import words_of
from models.rules import load_rules
from models.rules.reading import SOURCE, Reading, Readings, Sentence
from observer.taxonomies import TAXONOMIES
from observer.timeline import Role
from observer.transcript import Utterance

CODES = ("none", "restate", "revoice")
WEIGHTS = Path(__file__).parent / "weights" / "overlap" / "overlap.json"
TRANSFERRED = "transferred"
"""Ends the source of these labels."""
REACH = 6
"""How many sentences back a student's is looked for; further back nothing is restated."""
CHARACTERS_A_WORD = 1.6
"""Mandarin lengths are divided by it, to be compared with lengths in English words."""

Floats = NDArray[np.float64]
_STUDENTS = (Role.STUDENT, Role.CHORAL)
_HEARD = (Role.TEACHER, Role.STUDENT, Role.CHORAL, Role.GROUP)
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Line:
    """One sentence of a lesson as the overlap sees it."""

    role: Role | None
    words: tuple[str, ...]
    """All words, folded; for Mandarin characters."""
    content: tuple[str, ...]
    """Those that say something: without function words."""

    @classmethod
    def of(cls, role: Role | None, text: str, language: str) -> "Line":
        """A sentence in "zh" or "en"."""
        rules = load_rules(language)
        words = words_of(rules.folded(text))
        return cls(role, words, tuple(w for w in words if w not in rules.repeat.ignore))


@dataclass(frozen=True, slots=True)
class Weights:
    """A softmax regression: figures are centred, scaled, weighted."""

    mean: Floats
    scale: Floats
    coefficients: Floats
    """Shape (3, figures)."""
    intercepts: Floats
    version: str


def teacher_moves(
    utterances: Sequence[Utterance],
    alone: Sequence[Sentence | None],
    found: Sequence[Readings],
    rows: Sequence[Mapping[str, Row]],
) -> list[Readings]:
    """Teachers' moves in Mandarin: restating and revoicing by overlap, pressing by question."""
    none: list[Readings] = [{} for _ in utterances]
    weights = load()
    mandarin = [s is not None and s.language == "zh" and FORM in r
                for s, r in zip(alone, rows, strict=True)]  # fmt: skip
    if weights is None or not any(mandarin):
        return none
    lines = [Line.of(u.role if u.role in _HEARD else None, u.text, "zh") for u in utterances]
    # Mandarin tags (对吧) end many a revoicing; English marks of tags mostly call for attention.
    asks = [row[FORM].of("real") if FORM in row else 0.0 for row in rows]
    chances = overlap(lines, asks, "zh", weights)
    return [
        {"teacher_move": _pressed(chance.tolist(), readings, row)}
        if wanted and utterance.role is Role.TEACHER
        else {}
        for utterance, wanted, chance, readings, row in zip(
            utterances, mandarin, chances, found, rows, strict=True
        )
    ]


def _pressed(chance: Sequence[float], readings: Readings, rows: Mapping[str, Row]) -> Reading:
    """Overlap first; what it leaves is pressing, as far as it is a real question.

    A question to reason or to say why or how presses for reasoning, one to recall for
    accuracy; managing, creating and judging questions press for neither.
    """
    left, restate, revoice = chance
    form = readings.get(FORM)
    asked = rows[FORM].of("real") if form is None or form.source == rows[FORM].source else 0.0
    moves = dict.fromkeys(TAXONOMIES["teacher_move"].names, 0.0)
    moves |= {"restate": restate, "revoice": revoice}
    found = readings.get("question_demand")
    if "question_demand" in rows and not (found and found.source == SOURCE):
        demand = rows["question_demand"]
        kind = readings.get("sihe")
        moves["press_reasoning"] = left * asked * demand.of("reason")
        moves["press_accuracy"] = left * asked * demand.of("recall")
        if kind is not None and kind.code in ("why", "how"):
            moves["press_reasoning"] += moves["press_accuracy"]
            moves["press_accuracy"] = 0.0
    moves["none"] = max(0.0, 1 - sum(moves.values()))
    code = max(moves, key=lambda c: moves[c])
    source = f"{rows[FORM].source}-{TRANSFERRED}"
    return Reading(code, "", moves[code], 0, 0, source)


def load(file: Path = WEIGHTS) -> Weights | None:
    """The shipped weights, read once; None when the file is not there."""
    with _lock:
        return _load(file)


@lru_cache(4)
def _load(file: Path) -> Weights | None:
    if not file.is_file():
        return None
    data = json.loads(file.read_text("utf-8"))
    mean, scale, coefficients, intercepts = (
        np.array(data[k]) for k in ("mean", "scale", "coefficients", "intercepts")
    )
    return Weights(mean, scale, coefficients, intercepts, data["version"])


def overlap(
    lines: Sequence[Line], asks: Sequence[float], language: str, weights: Weights
) -> Floats:
    """Chance of each of `CODES` for every line of a lesson, shape (n, 3).

    `asks` is the chance that a line asks something. A row is nan where the line is not the
    teacher's; far from any student it is (1, 0, 0).
    """
    found = np.full((len(lines), len(CODES)), np.nan)
    for i, line in enumerate(lines):
        if line.role is not Role.TEACHER:
            continue
        figures = _figures(lines, i, asks[i], language)
        if figures is None:
            found[i] = (1.0, 0.0, 0.0)
            continue
        scaled = (np.array(figures) - weights.mean) / weights.scale
        logits = weights.coefficients @ scaled + weights.intercepts
        odds = np.exp(logits - logits.max())
        found[i] = odds / odds.sum()
    return found


def _figures(lines: Sequence[Line], i: int, asks: float, language: str) -> list[float] | None:
    """What the sentence shares with the student's turn before it; None without one."""
    start = max(0, i - REACH)
    last = next((j for j in range(i - 1, start - 1, -1) if lines[j].role in _STUDENTS), None)
    if last is None or not lines[i].words:
        return None
    turn: list[str] = []
    content: set[str] = set()
    for j in range(last, max(-1, last - REACH), -1):
        if lines[j].role not in _STUDENTS:
            break
        turn[:0] = lines[j].words
        content.update(lines[j].content)
    unit = CHARACTERS_A_WORD if language == "zh" else 1.0
    return _shared(lines[i], lines[last], turn, content, i - last, asks, unit)


def _shared(
    said: Line,
    last: Line,
    turn: list[str],
    content: set[str],
    distance: int,
    asks: float,
    unit: float,
) -> list[float]:
    own = set(said.content)
    kept = _share(said.content, content)
    whole = _share(sorted(set(last.content)), own)
    shared = sum(w in content for w in said.content)
    spelt, before, answer = (f" {' '.join(w)} " for w in (said.words, turn, last.words))
    pairs = list(zip(said.words, said.words[1:], strict=False))
    heard = set(pairwise(turn))
    next_to = float(distance == 1)
    return [
        kept,
        _share(said.words, set(turn)),
        whole,
        _share(sorted(content), own),
        float(kept == 1.0),
        float(all(w in turn for w in said.words)),
        float(spelt in before),
        float(bool(last.words) and answer in spelt),
        sum(p in heard for p in pairs) / len(pairs) if pairs else 0.0,
        log1p((len(said.content) - shared) / unit),
        log1p(shared / unit),
        log1p(len(said.words) / unit),
        log1p(len(last.words) / unit),
        log1p(len(turn) / unit),
        float(shared > 0),
        next_to,
        1 / distance,
        asks,
        asks * kept,
        kept * log1p(len(said.words) / unit),
        kept * kept,
        whole * whole,
        kept * whole,
        next_to * kept,
    ]


def _share(words: Sequence[str], among: set[str]) -> float:
    return sum(w in among for w in words) / len(words) if words else 0.0


def train(data: Path, out: Path) -> dict[str, float]:
    """Fit on TalkMoves train below `data` and write the weights into `out`; F1 on dev.

    Deterministic, about a minute. Raises DatasetError.
    """
    from sklearn.linear_model import LogisticRegression

    from models.datasets.talkmoves import read_talkmoves

    cases: dict[str, tuple[Floats, list[str]]] = {}
    sums: tuple[tuple[str, str], ...] = ()
    for split in ("train", "dev"):
        lessons, origin = read_talkmoves(data, split)
        sums += origin.sha256
        figures: list[list[float]] = []
        codes: list[str] = []
        for lesson in lessons:
            lines = [Line.of(s.role, s.text, "en") for s in lesson.sentences]
            for i, sentence in enumerate(lesson.sentences):
                if lines[i].role is not Role.TEACHER or sentence.teacher_move is None:
                    continue
                row = _figures(lines, i, float(sentence.asks), "en")
                if row is not None:
                    figures.append(row)
                    codes.append(sentence.teacher_move)
        cases[split] = np.array(figures), [c if c in CODES else "none" for c in codes]
    x, y = cases["train"]
    mean, scale = x.mean(0), x.std(0) + 1e-9
    model = LogisticRegression(max_iter=500).fit((x - mean) / scale, y)
    content = {
        "version": "1",
        "data": dict(sums),
        "mean": mean.round(6).tolist(),
        "scale": scale.round(6).tolist(),
        "coefficients": model.coef_.round(4).tolist(),
        "intercepts": model.intercept_.round(4).tolist(),
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / WEIGHTS.name).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    x, y = cases["dev"]
    said = model.predict((x - mean) / scale).tolist()
    return {code: _f1(y, said, code) for code in CODES[1:]}


def _f1(true: Sequence[str], said: Sequence[str], code: str) -> float:
    both = sum(t == s == code for t, s in zip(true, said, strict=True))
    return 2 * both / max(1, list(true).count(code) + list(said).count(code))
