"""Reads talk moves with the shipped weights: onnxruntime and a tokenizer, no torch.

>>> reader = MovesReader()
>>> moves, answers, asked = reader.predict(transcript.utterances)  # doctest: +SKIP
"""

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models.moves.examples import (
    STUDENT_CODES,
    TEACHER_CODES,
    of_one_length,
    padded,
    places,
    role_mark,
)
from models.moves.features import REACH, Dense, dense
from models.moves.pairs import Line, Pair, PieceTable, words
from models.predictions import Prediction
from observer.engines import OnProgress, ignore_progress
from observer.errors import MissingWeights
from observer.timeline import Role

MODEL, TOKENIZER, SETTINGS = "model.onnx", "tokenizer.json", "settings.json"
BEFORE, AFTER = REACH, 2
"""Sentences before and after one that its reading can depend on."""
QUESTION_CODES = ("no", "yes")
_WINDOW = 1024
"""Sentences prepared at a time: bounds the memory, gives batches of one length."""
_ROOM = 256
"""Word pieces in a batch: what a core's cache holds; larger ones were slower."""
_ANSWERING = (Role.STUDENT, Role.CHORAL)
_SILENT = (Role.GROUP, Role.MEDIA, Role.SILENCE)


class Spoken(Protocol):
    """What is read of an utterance (observer.transcript.Utterance fits)."""

    @property
    def text(self) -> str: ...

    @property
    def role(self) -> Role | None: ...


@dataclass(frozen=True, slots=True)
class Settings:
    """What stands beside the weights (settings.json); see models/cards/moves_en.md."""

    version: str
    temperature: Mapping[str, float]
    """Head → what its logits are divided by before the softmax."""
    confusion: Mapping[str, Any]
    """Taxonomy → condition → counts on development lessons, rows the truth, columns the reading."""

    @staticmethod
    def read(file: Path) -> "Settings":
        """From the JSON; further keys are for people."""
        row = json.loads(file.read_text(encoding="utf-8"))
        return Settings(row["version"], row["temperature"], row.get("confusion", {}))


@dataclass(frozen=True, slots=True)
class Outputs:
    """What the network says of n sentences, uncalibrated."""

    teacher: Dense
    """(n, 7) logits, in the order of TEACHER_CODES."""
    student: Dense
    """(n, 5), STUDENT_CODES."""
    question: Dense
    """(n, 2), QUESTION_CODES."""
    pooled: Dense
    """(n, 768): state of [CLS] and mean over the sentence, for further small heads."""


def shipped() -> Path:
    """The folder of the weights that come with the program."""
    return Path(str(files("models") / "weights" / "moves_en"))


def lines_of(utterances: Sequence[Spoken]) -> list[Line]:
    """Utterances as the network's text sees them."""
    return [Line(role_mark(u.role), words(u.text)) for u in utterances]


def softmax(logits: Dense, temperature: float) -> Dense:
    """Probabilities, row by row."""
    scaled = logits.astype(np.float64) / temperature
    powers = np.exp(scaled - scaled.max(1, keepdims=True))
    shares: Dense = (powers / powers.sum(1, keepdims=True)).astype(np.float32)
    return shares


class MovesReader:
    """Teacher moves, student moves and questions of English lessons.

    Weights load on first use, once; one reader may serve several threads.
    """

    def __init__(self, folder: Path | None = None, *, threads: int = 0) -> None:
        """`folder` holds model.onnx, tokenizer.json and settings.json (default: the shipped
        one); `threads` 0 takes every core."""
        self.folder = folder or shipped()
        self._threads = threads
        self._lock = threading.Lock()
        self._loaded: tuple[Any, PieceTable, Settings] | None = None

    @property
    def settings(self) -> Settings:
        """Version, temperatures and confusion counts; raises MissingWeights."""
        return self._ready()[2]

    @property
    def source(self) -> str:
        """Name and version, as it stands beside each label."""
        return f"moves-en-{self.settings.version}"

    def predict(
        self,
        utterances: Sequence[Spoken],
        on_progress: OnProgress = ignore_progress,
        *,
        next_known: bool = True,
    ) -> list[Prediction]:
        """`teacher_move`, `student_move` and `question` for utterances in lesson order.

        A move is read where the role is known (choral answers as a student's), a question with
        or without a role; group talk, media and empty text get nan. `next_known` False reads
        each sentence as in live use, before anything follows. What follows the last utterance
        is always unknown. Longer inputs can be cut anywhere, given BEFORE sentences before and
        AFTER after each part. Raises MissingWeights.
        """
        found = self.outputs(utterances, on_progress, next_known=next_known)
        roles = [u.role for u in utterances]
        said = np.array([bool(u.text.strip()) for u in utterances], bool)
        teaching = said & np.array([r is Role.TEACHER for r in roles], bool)
        answering = said & np.array([r in _ANSWERING for r in roles], bool)
        heard = said & np.array([r not in _SILENT for r in roles], bool)
        table = (
            ("teacher_move", TEACHER_CODES, "teacher", found.teacher, teaching),
            ("student_move", STUDENT_CODES, "student", found.student, answering),
            ("question", QUESTION_CODES, "question", found.question, heard),
        )
        return [
            Prediction(name, codes, self._applied(head, logits, where), self.source)
            for name, codes, head, logits, where in table
        ]

    def _applied(self, head: str, logits: Dense, where: NDArray[np.bool_]) -> Dense:
        out = np.full(logits.shape, np.nan, np.float32)
        if where.any():
            out[where] = softmax(logits[where], self.settings.temperature[head])
        return out

    def outputs(
        self,
        utterances: Sequence[Spoken],
        on_progress: OnProgress = ignore_progress,
        *,
        next_known: bool = True,
    ) -> Outputs:
        """Logits and pooled vectors of every utterance, in order."""
        session, table, _ = self._ready()
        width = session.get_outputs()[3].shape[1]
        shapes = (len(TEACHER_CODES), len(STUDENT_CODES), len(QUESTION_CODES), width)
        out = [np.zeros((len(utterances), k), np.float32) for k in shapes]
        for start in range(0, len(utterances), _WINDOW):
            stop = min(start + _WINDOW, len(utterances))
            first = max(0, start - BEFORE)
            lines = lines_of(utterances[first : stop + AFTER])
            wanted = range(start - first, stop - first)
            for rows, found in _read(session, table, lines, wanted, next_known):
                for whole, part in zip(out, found, strict=True):
                    whole[rows + first] = part
            on_progress(stop / len(utterances))
        return Outputs(*out)

    def _ready(self) -> tuple[Any, PieceTable, Settings]:
        if self._loaded is None:
            with self._lock:
                if self._loaded is None:
                    self._loaded = _load(self.folder, self._threads)
        return self._loaded


def feed(pairs: Sequence[Pair], features: Dense) -> dict[str, Any]:
    """The network's inputs for n pairs of one length and their features (n, 64), by name."""
    ids, _, types = padded(pairs)
    return {"ids": ids, "types": types, "dense": features, "places": places(pairs)}


def _read(
    session: Any, table: PieceTable, lines: Sequence[Line], wanted: range, next_known: bool
) -> Iterator[tuple[NDArray[np.int64], list[Dense]]]:
    """(rows of `lines`, outputs of these rows), batch by batch."""
    known = np.full(len(lines), next_known)
    features = dense([line.said for line in lines], known)
    pairs = [table.pair(lines, i, next_known) for i in wanted]
    for chosen in of_one_length(pairs, _ROOM):
        rows = chosen + wanted.start
        yield rows, session.run(None, feed([pairs[k] for k in chosen], features[rows]))


def _load(folder: Path, threads: int) -> tuple[Any, PieceTable, Settings]:
    missing = [n for n in (MODEL, TOKENIZER, SETTINGS) if not (folder / n).is_file()]
    if missing:
        raise MissingWeights(
            en=f"The talk-move weights are not complete: {folder} lacks {', '.join(missing)}. "
            "Reinstall observer, or train them: observer train moves --data DIR.",
            zh=f"谈话策略模型的权重不完整：{folder} 缺少 {'、'.join(missing)}。请重新安装 "
            "observer，或自行训练：observer train moves --data DIR。",
        )
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    # A waiting thread sleeps: spinning, two threads on a busy machine were slower than one.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(
        str(folder / MODEL), options, providers=["CPUExecutionProvider"]
    )
    return session, PieceTable(folder / TOKENIZER), Settings.read(folder / SETTINGS)
