"""Reads Mandarin sentences with the weights that ship: loads once, on first use, in any thread.

A class's score is the sum of both halves' log-probabilities, each with a weight per taxonomy
fitted on sentences that neither half was trained on; with two weights this is temperature
scaling (Guo et al., 2017, ICML) and a mixture in one.
"""

import json
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.datasets.mandarin import CODES
from models.mandarin.features import Alphabet, Patterns, coded, normalised, padded
from models.mandarin.wide import Wide
from models.predictions import Prediction, Probabilities
from observer.engines import OnProgress, ignore_progress
from observer.errors import MissingWeights
from observer.timeline import Role
from observer.transcript import Utterance

SETTINGS, NETWORK, LINEAR = "settings.json", "network.onnx", "linear.npz"
FORM = "question_form"
_WINDOW = 512
_ROOM = 2048
"""Characters in a batch, padding included."""
_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
_TAUGHT = (Role.TEACHER, None)


@dataclass(frozen=True, slots=True)
class Settings:
    """What stands beside the weights."""

    version: str
    alphabet: Alphabet
    patterns: Patterns
    blend: Mapping[str, tuple[float, float]]
    """Taxonomy → weights of the network's and of the linear half's log-probabilities."""

    @classmethod
    def read(cls, file: Path) -> "Settings":
        """From the JSON that training wrote."""
        stored: dict[str, Any] = json.loads(file.read_text("utf-8"))
        return cls(
            stored["version"],
            Alphabet(stored["characters"]),
            Patterns.read(stored["patterns"]),
            {name: (float(a), float(b)) for name, (a, b) in stored["blend"].items()},
        )


@dataclass(frozen=True, slots=True)
class _Loaded:
    session: Any
    linear: Wide
    settings: Settings
    table: dict[str, int]


Halves = dict[str, tuple[Probabilities, Probabilities]]
"""Taxonomy → log-probabilities (n, classes) of the network and of the linear half."""


class MandarinReader:
    """Question form, demand, 四何, openness and instructional act of sentences, one by one.

    `question_demand`, `sihe` and `openness` are conditional: their probabilities hold given
    that the sentence is a real question, those of `sihe` given also that it does not manage.
    What the lesson before says about a sentence is the caller's to add.
    """

    def __init__(self, folder: Path, *, threads: int = 1) -> None:
        self.folder = folder
        self._threads = threads
        self._lock = threading.Lock()
        self._ready: _Loaded | None = None

    @property
    def settings(self) -> Settings:
        """Raises MissingWeights."""
        return self._load().settings

    @property
    def source(self) -> str:
        """Name and version, as it stands beside each label."""
        return f"questions-zh-{self.settings.version}"

    def predict(
        self, utterances: Sequence[Utterance], on_progress: OnProgress = ignore_progress
    ) -> list[Prediction]:
        """One Prediction for each taxonomy of `CODES`.

        Teachers' sentences and those without a role get all, students' the form alone; other
        roles and sentences without a Chinese character get nan. An utterance is read by
        itself, in any batch to the same result. Raises MissingWeights.
        """
        rows = {k: np.full((len(utterances), len(c)), np.nan, np.float32) for k, c in CODES.items()}
        for start in range(0, len(utterances), _WINDOW):
            part = utterances[start : start + _WINDOW]
            read = [i for i, u in enumerate(part) if _readable(u)]
            found = self.probabilities([part[i].text for i in read])
            places = np.array(read, np.int64) + start
            taught = np.array([part[i].role in _TAUGHT for i in read], bool)
            for name, values in found.items():
                chosen = taught | (name == FORM)
                rows[name][places[chosen]] = values[chosen]
            on_progress(min(1.0, (start + len(part)) / len(utterances)))
        return [Prediction(k, CODES[k], v, self.source) for k, v in rows.items()]

    def probabilities(self, texts: Sequence[str]) -> dict[str, Probabilities]:
        """Taxonomy → calibrated probabilities (n, classes) of sentences."""
        blend = self.settings.blend
        return {
            name: np.exp(log_softmax(blend[name][0] * network + blend[name][1] * linear))
            for name, (network, linear) in self.halves(texts).items()
        }

    def halves(self, texts: Sequence[str]) -> Halves:
        """What each half says, before blending."""
        ready = self._load()
        plain = [_simplified(normalised(t), ready.table) for t in texts]
        fired = ready.settings.patterns.fired(plain)
        matrix = ready.linear.vocabulary.matrix(plain, ready.table, fired)
        linear = ready.linear.scores(matrix)
        codes = [coded(t, ready.table) for t in plain]
        network = [np.zeros((len(texts), len(c)), np.float32) for c in CODES.values()]
        for rows in _batches(codes):
            given = {"codes": padded([codes[i] for i in rows]), "fired": fired[rows]}
            for whole, found in zip(network, ready.session.run(None, given), strict=True):
                whole[rows] = found
        return {
            name: (log_softmax(logits), log_softmax(linear[name]))
            for name, logits in zip(CODES, network, strict=True)
        }

    def _load(self) -> _Loaded:
        if self._ready is None:
            with self._lock:
                if self._ready is None:
                    self._ready = _load(self.folder, self._threads)
        return self._ready


def log_softmax(scores: Probabilities) -> Probabilities:
    """Row by row."""
    lowered = scores - scores.max(1, keepdims=True, initial=-np.inf)
    found: Probabilities = lowered - np.log(np.exp(lowered).sum(1, keepdims=True))
    return found


def _readable(utterance: Utterance) -> bool:
    return utterance.role in (*_TAUGHT, Role.STUDENT) and bool(_HAN.search(utterance.text))


def _simplified(text: str, table: Mapping[str, int]) -> str:
    """Traditional characters as simplified ones; text whose characters are known stays."""
    if all(c in table or not _HAN.match(c) for c in text):
        return text
    from models.cleaning import to_simplified

    return to_simplified(text)


def _batches(codes: Sequence[Sequence[int]]) -> Iterator[NDArray[np.int64]]:
    """Sentences of one length together: padding would change the last digits of a result."""
    lengths = np.array([len(c) for c in codes], np.int64)
    for length in np.unique(lengths):
        rows = np.flatnonzero(lengths == length)
        size = max(1, _ROOM // int(length))
        for start in range(0, len(rows), size):
            yield rows[start : start + size]


def _load(folder: Path, threads: int) -> _Loaded:
    missing = [n for n in (SETTINGS, NETWORK, LINEAR) if not (folder / n).is_file()]
    if missing:
        raise MissingWeights(
            en=f"The Mandarin question weights are not complete: {folder} lacks "
            f"{', '.join(missing)}. Reinstall observer, or train them: observer train questions "
            "--data DIR.",
            zh=f"中文提问模型的权重不完整：{folder} 缺少 {'、'.join(missing)}。请重新安装 "
            "observer，或自行训练：observer train questions --data DIR。",
        )
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        str(folder / NETWORK), options, providers=["CPUExecutionProvider"]
    )
    settings = Settings.read(folder / SETTINGS)
    return _Loaded(
        session,
        Wide.load(folder / LINEAR),
        settings,
        settings.alphabet.table(),
    )
