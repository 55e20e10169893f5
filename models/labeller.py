"""The Labeller "trained": trained models read each sentence, the rules' context layer the lesson.

A table says which weights read a language. Their calibrated probabilities take the place of what
the rules read in a sentence alone; over the lesson goes the same layer as for the rules
(`models.rules.context`), which also reads feedback. Below a confidence stated in
``weights/settings.json`` a label abstains. Where weights are missing the rules read, and a note
says so.
"""

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from models.judging import judged, reading_of
from models.predictions import Prediction, Row
from models.questions import READ_ROLES, language_of, sentences_of
from models.rules.context import in_context
from models.rules.reading import SOURCE, Readings, Sentence
from models.transferred import teacher_moves
from observer.confusion import Confusion, loads
from observer.discourse import Label
from observer.engines import Note, OnProgress, ignore_progress
from observer.errors import MissingWeights
from observer.taxonomies import TAXONOMIES
from observer.timeline import Role
from observer.transcript import Transcript, Utterance

VERSION = "1"
WEIGHTS = Path(__file__).parent / "weights"
SETTINGS = "settings.json"
CONFUSIONS = "confusions.json"

_SAID = (*READ_ROLES, Role.GROUP)
"""Whose words the readers see; group talk is context only."""
_PUPILS = (Role.STUDENT, Role.CHORAL)


class Reader(Protocol):
    """A trained model behind a folder of weights."""

    def predict(
        self, utterances: Sequence[Utterance], on_progress: OnProgress = ignore_progress
    ) -> list[Prediction]:
        """Probabilities for n utterances of one language in lesson order."""
        ...


@dataclass(frozen=True, slots=True)
class Shipped:
    """Weights that read a language."""

    folder: str
    """Below `WEIGHTS`."""
    reader: str
    """"module:Class", built with the folder."""
    optional: bool = False
    """Whether nothing is said when it is not there."""


READERS: Mapping[str, tuple[Shipped, ...]] = {
    "zh": (Shipped("questions_zh", "models.mandarin.runtime:MandarinReader"),),
    "en": (
        Shipped("moves_en", "models.moves.runtime:MovesReader"),
        Shipped("exchanges_en", "models.exchanges.runtime:ExchangeReader", optional=True),
    ),
}
DIRECT: Mapping[str, tuple[Role | None, ...]] = {
    "teacher_move": (Role.TEACHER,),
    "student_move": _PUPILS,
    "instruction": (Role.TEACHER, None),
    "uptake": (Role.TEACHER,),
    "focusing": (Role.TEACHER,),
}
"""Taxonomies that become labels as they are predicted, and whose utterances carry them."""

_lock = threading.Lock()


class TrainedLabeller:
    """Question form and kinds, talk moves, instructional acts and feedback.

    Teachers' utterances get every taxonomy of their language; those without a role the
    question and instruction labels; students' `question_form` and `student_move`; choral
    answers `student_move`, as TalkMoves codes them (a tenth of its students' sentences); group talk
    and media nothing. Each utterance is read in its own script. `weights` is the folder with the
    weights' folders; those in `own` go before it.
    `readers` (language → models) replaces what is there.
    """

    name = "trained"

    def __init__(
        self,
        weights: Path = WEIGHTS,
        *,
        own: Path | None = None,
        readers: Mapping[str, Sequence[Reader]] | None = None,
        threads: int = 1,
    ) -> None:
        self.weights = weights
        self.own = own
        self.readers = readers
        self.threads = threads
        self.notes: tuple[Note, ...] = ()

    @property
    def version(self) -> str:
        """Of this layer, the rules, and the weights that are there."""
        parts = [VERSION, SOURCE]
        for shipped in (s for table in READERS.values() for s in table):
            file = self._folder(shipped) / SETTINGS
            if file.is_file():
                parts.append(f"{shipped.folder}-{sha256(file.read_bytes()).hexdigest()[:8]}")
        return "+".join(parts)

    @property
    def confusions(self) -> Mapping[str, Confusion]:
        """What was measured on development lessons (`benchmarks/counts.py --write`)."""
        files = [self._folder(s) / SETTINGS for table in READERS.values() for s in table]
        files.append(self.weights / CONFUSIONS)
        return {name: found for file in files for name, found in _confusions(file).items()}

    def label(
        self, transcript: Transcript, on_progress: OnProgress = ignore_progress
    ) -> list[Label]:
        """Labels in the order of the utterances, at most one for each taxonomy."""
        alone = sentences_of(transcript, lambda share: on_progress(0.1 * share))
        rows = self._rows(transcript, alone, on_progress)
        own = [judged(s, row) for s, row in zip(alone, rows, strict=True)]
        found = in_context(transcript.utterances, own)
        moved = teacher_moves(transcript.utterances, alone, found, rows)
        below = _settings(self.weights)
        labels: list[Label] = []
        for i, (utterance, sentence) in enumerate(zip(transcript, alone, strict=True)):
            if sentence is not None:
                direct = _direct(utterance.role, sentence, rows[i])
                readings = {**found[i], **direct, **moved[i]}
                labels += _labels(utterance, readings, below.get(sentence.language, {}))
        on_progress(1.0)
        return labels

    def _rows(
        self,
        transcript: Transcript,
        alone: Sequence[Sentence | None],
        on_progress: OnProgress,
    ) -> list[dict[str, Row]]:
        """What the models say of every utterance: taxonomy → row."""
        rows: list[dict[str, Row]] = [{} for _ in alone]
        wanted = _by_language(transcript, alone)
        done = 0
        notes: list[Note] = []
        for language, places in wanted.items():
            said = [transcript.utterances[i] for i in places]
            first, share = done / len(alone), len(places) / len(alone)
            before: list[Prediction] = []
            for reader in self._readers(language, notes):
                told = _part(on_progress, 0.1 + 0.9 * first, 0.9 * share)
                try:
                    follow = getattr(reader, "follow", None)  # goes on from what was read before
                    found = follow(said, before) if follow else reader.predict(said, told)
                except MissingWeights as error:
                    notes.append(_missing(language, error))
                    break
                for prediction in found:
                    _spread(prediction, places, rows)
                before += found
            done += len(places)
        self.notes = tuple(notes)
        return rows

    def _folder(self, shipped: Shipped) -> Path:
        own = None if self.own is None else self.own / shipped.folder
        return own if own and (own / SETTINGS).is_file() else self.weights / shipped.folder

    def _readers(self, language: str, notes: list[Note]) -> Iterator[Reader]:
        if self.readers is not None:
            yield from self.readers.get(language, ())
            return
        for shipped in READERS[language]:
            folder = self._folder(shipped)
            if (folder / SETTINGS).is_file():
                yield _reader(shipped.reader, folder, self.threads)
            elif not shipped.optional:
                notes.append(_missing(language, folder.name))


def _reader(name: str, folder: Path, threads: int) -> Reader:
    """The reader of a folder, loaded once for all labellers."""
    with _lock:
        return _loaded(name, folder, threads)


@lru_cache(8)
def _loaded(name: str, folder: Path, threads: int) -> Reader:
    module, _, factory = name.partition(":")
    reader: Reader = getattr(import_module(module), factory)(folder, threads=threads)
    return reader


@lru_cache(4)
def _settings(weights: Path) -> Mapping[str, Mapping[str, float]]:
    """Language → taxonomy → confidence below which a label abstains."""
    file = weights / SETTINGS
    if not file.is_file():
        return {}
    found: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return {k: dict(v) for k, v in found["abstain_below"].items()}


@lru_cache(8)
def _confusions(file: Path) -> Mapping[str, Confusion]:
    """From a file of their own, or from the settings beside weights."""
    if not file.is_file():
        return {}
    found = json.loads(file.read_text("utf-8"))
    return loads(json.dumps(found.get("confusions", {}) if file.name == SETTINGS else found))


def _missing(language: str, what: str | MissingWeights) -> Note:
    spoken = {"zh": ("Mandarin", "中文"), "en": ("English", "英文")}[language]
    if isinstance(what, MissingWeights):
        en, zh = what.en, what.zh
    else:
        en = f"There are no weights {what!r} on this machine."
        zh = f"本机没有权重“{what}”。"
    return Note(
        en=f"Questions in {spoken[0]} were read by rules, talk moves not at all. {en}",
        zh=f"{spoken[1]}提问由规则判读，对话行为未判读。{zh}",
    )


def _part(on_progress: OnProgress, start: float, length: float) -> OnProgress:
    return lambda share: on_progress(start + length * share)


def _by_language(transcript: Transcript, alone: Sequence[Sentence | None]) -> dict[str, list[int]]:
    """Language → places of its utterances in order, where any of them is to be labelled."""
    places: dict[str, list[int]] = {}
    for i, (utterance, sentence) in enumerate(zip(transcript, alone, strict=True)):
        if sentence is not None:
            places.setdefault(sentence.language, []).append(i)
        elif utterance.role is Role.GROUP:
            language = language_of(utterance.text, transcript.language)
            if language is not None:
                places.setdefault(language, []).append(i)
    return {k: v for k, v in sorted(places.items()) if any(alone[i] is not None for i in v)}


def _spread(prediction: Prediction, places: Sequence[int], rows: Sequence[dict[str, Row]]) -> None:
    """Give each utterance its row; rows of nan say that the taxonomy does not apply."""
    known = ~np.isnan(prediction.probabilities[:, 0])
    values = prediction.probabilities.tolist()
    for k in np.flatnonzero(known).tolist():
        rows[places[k]][prediction.taxonomy] = Row(
            prediction.codes, tuple(values[k]), prediction.source
        )


def _direct(role: Role | None, sentence: Sentence, rows: Mapping[str, Row]) -> Readings:
    return {
        taxonomy: reading_of(rows[taxonomy], None, sentence)
        for taxonomy, roles in DIRECT.items()
        if role in roles and taxonomy in rows
    }


def _labels(
    utterance: Utterance, readings: Readings, abstain_below: Mapping[str, float]
) -> Iterator[Label]:
    """Labels of one utterance in the order of the taxonomies."""
    for taxonomy in TAXONOMIES:
        reading = readings.get(taxonomy)
        if reading is not None:
            least = 0.0 if reading.source == SOURCE else abstain_below.get(taxonomy, 0.0)
            yield Label(
                utterance.id,
                taxonomy,
                reading.code,
                reading.probability,
                reading.source,
                unclear=reading.probability < least,
            )
