"""Trains the Mandarin model and writes the folder that ships.

1. The linear half is fitted without the first fold and guesses the kinds of unlabelled sentences.
2. The network learns instructional acts and hidden characters from all of DialogID.
3. It goes on with the question labels, and with those guesses as soft labels (self-training).
   With an encoder instead: 2. it is fine-tuned on the question labels and guesses all sentences;
   3. a small network cut out of it learns from labels and guesses (models.mandarin.distilling).
4. On the fold that neither has seen (acts: on DialogID dev) the halves are weighed and calibrated.
5. The linear half is fitted once more, on everything.
"""

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from models.datasets.mandarin import CODES, QuestionSentence, read_dialogid
from models.mandarin.blending import Held, blend_of, confusion_of, honest_error
from models.mandarin.distilling import (
    by_tokens,
    guesses,
    instruct,
    student_of,
    teacher_of,
    write_int8,
)
from models.mandarin.encoder import ShortReader, fingerprint, known_alphabet
from models.mandarin.examples import Corpora, Examples, Guise, prepare, read_corpora
from models.mandarin.features import Alphabet, Patterns, coded, without_marks
from models.mandarin.network import CharacterReader, SentenceNetwork, write_onnx
from models.mandarin.runtime import LINEAR, NETWORK, SETTINGS, MandarinReader
from models.mandarin.stages import (
    KINDS,
    Recipe,
    Shower,
    first_stage,
    second_stage,
    soft_labels,
)
from models.mandarin.wide import Vocabulary, Wide, fit
from models.predictions import Probabilities
from observer.engines import OnProgress, ignore_progress
from observer.files import write_atomically

log = logging.getLogger(__name__)

VERSION = "1"
HELD = 0
"""The fold that calibrates."""
_PART = 4096


def train(
    data: Path,
    out: Path,
    *,
    seed: int = 0,
    corrections: Sequence[QuestionSentence] | None = None,
    encoder: Path | None = None,
    recipe: Recipe | None = None,
    annotations: Path | None = None,
    on_progress: OnProgress = ignore_progress,
) -> None:
    """Train on the corpora below `data` and write the weights into `out`.

    `encoder`: folder of a Hugging Face encoder (with its tokenizer.json) to learn from.
    `annotations` takes the place of our labels (tests, districts with labels of their own). A
    finished first stage in `out`/first.pt is gone on from.
    Raises DatasetError, MissingWeights.
    """
    recipe = replace(recipe or Recipe(), seed=seed)
    torch.manual_seed(seed)
    corpora = read_corpora(data, corrections or (), annotations)
    texts = [s.text for s in corpora.spoken]
    own = None if encoder is None else known_alphabet(encoder, Alphabet.of(texts, 1))
    alphabet, patterns = own or Alphabet.of(texts), Patterns.present()
    table = alphabet.table()
    examples = prepare(corpora, lambda text: coded(text, table), patterns, seed)
    vocabulary = Vocabulary.of(examples.plain.texts, table)
    on_progress(0.05)
    narrow = _linear(examples, vocabulary, alphabet, examples.fold != HELD)
    soft = _soft(examples, narrow, alphabet)
    on_progress(0.15)
    out.mkdir(parents=True, exist_ok=True)
    job = _Job(examples, soft, alphabet, recipe, out)
    network = _learnt(job) if encoder is None else _distilled(job, encoder, own)
    on_progress(0.9)
    if isinstance(network.reader, ShortReader):
        write_int8(network, out / NETWORK, examples, seed)
    else:
        write_onnx(network, out / NETWORK, patterns.width)
    narrow.save(out / LINEAR)
    _describe(corpora, alphabet, patterns, recipe, encoder, out)
    _calibrate(data, out, examples)
    _linear(examples, vocabulary, alphabet, np.ones(len(examples), bool)).save(out / LINEAR)
    _seal(out)
    on_progress(1.0)


@dataclass(frozen=True, slots=True)
class _Job:
    """What a network learns from, and where the first stage is kept."""

    examples: Examples
    soft: dict[str, Probabilities]
    alphabet: Alphabet
    recipe: Recipe
    out: Path

    def shower(self, stage: int, size: int | None = None) -> Shower:
        """Showings of a stage (0, 1)."""
        size = self.alphabet.size if size is None else size
        return Shower(self.examples, size, self.recipe.seed + stage)

    def first(self, network: SentenceNetwork, what: str, learn: Callable[[], None]) -> None:
        """Learn the first stage, or read it if it is there: it takes longest."""
        kept = self.out / "first.pt"
        key = repr((self.alphabet.characters, what, self.recipe, len(self.examples)))
        stored: dict[str, Any] = torch.load(kept, weights_only=True) if kept.is_file() else {}
        if stored.get("key") == key:
            network.load_state_dict(stored["network"])
        else:
            learn()
            torch.save({"key": key, "network": network.state_dict()}, kept.with_suffix(".part"))
            kept.with_suffix(".part").replace(kept)
        torch.manual_seed(self.recipe.seed + 1)


def _characters(job: _Job) -> SentenceNetwork:
    reader = CharacterReader(job.alphabet.size, job.recipe.width, job.recipe.dilations)
    return SentenceNetwork(reader, job.recipe.width, job.examples.plain.fired.shape[1])


def _learnt(job: _Job) -> SentenceNetwork:
    """The reader of characters by itself, in two stages."""
    network = _characters(job)
    job.first(network, "", lambda: first_stage(network, job.shower(0), job.recipe))
    second_stage(network, job.shower(1), job.soft, job.recipe, HELD)
    return network


def _distilled(job: _Job, encoder: Path, own: Alphabet | None) -> SentenceNetwork:
    """A student of the encoder; of one that reads no single characters the reader of them."""
    rules = job.examples.plain.fired.shape[1]
    teacher = teacher_of(encoder, own, rules)
    read = job if own else replace(job, examples=by_tokens(job.examples, encoder))
    shower = read.shower(0, None if own else 0)
    job.first(teacher, "encoder", lambda: instruct(teacher, shower, job.soft, job.recipe, HELD))
    soft = guesses(teacher, read.examples)
    log.info("the encoder has guessed")
    if own is None:
        network, recipe = _characters(job), job.recipe
    else:
        network = student_of(teacher, job.recipe, rules)
        epochs, top = job.recipe.student_epochs, job.recipe.student_top
        recipe = replace(job.recipe, epochs=epochs, top=top)
    second_stage(network, job.shower(1), soft, recipe, HELD)
    return network


def _linear(
    examples: Examples, vocabulary: Vocabulary, alphabet: Alphabet, chosen: NDArray[np.bool_]
) -> Wide:
    """The linear half on the chosen sentences: those with question labels twice, with and
    without marks, the others once, by turns."""
    from scipy import sparse

    turns = np.arange(len(examples)) % 2 == 0
    asked, table = examples.fold >= 0, alphabet.table()
    plain = np.flatnonzero(chosen & (asked | turns))
    bare = np.flatnonzero(chosen & (asked | ~turns))
    parts = [
        vocabulary.matrix([g.texts[i] for i in rows], table, g.fired[rows])
        for g, rows in ((examples.plain, plain), (examples.bare, bare))
    ]
    rows = np.concatenate([plain, bare])
    labels = {name: values[rows] for name, values in examples.labels.items()}
    return fit(vocabulary, sparse.vstack(parts, format="csr"), labels)


def _soft(examples: Examples, wide: Wide, alphabet: Alphabet) -> dict[str, Probabilities]:
    """The linear half's guesses for sentences without question labels; zeros for the others."""
    soft = {k: np.zeros((len(examples), len(CODES[k])), np.float32)
            for k in ("question_form", *KINDS)}  # fmt: skip
    others, guise = np.flatnonzero(examples.fold < 0), examples.plain
    for start in range(0, len(others), _PART):
        rows = others[start : start + _PART]
        texts = [guise.texts[i] for i in rows]
        matrix = wide.vocabulary.matrix(texts, alphabet.table(), guise.fired[rows])
        for name, values in soft_labels(wide, matrix).items():
            soft[name][rows] = values
    return soft


def _describe(
    corpora: Corpora,
    alphabet: Alphabet,
    patterns: Patterns,
    recipe: Recipe,
    encoder: Path | None,
    out: Path,
) -> None:
    """The settings, uncalibrated as yet."""
    settings = {
        "version": VERSION,
        "blend": dict.fromkeys(CODES, (1.0, 1.0)),
        "recipe": asdict(recipe),
        "encoder": "" if encoder is None else fingerprint(encoder),
        "learnt_from": [asdict(o) for o in corpora.origins],
        "characters": alphabet.characters,
        "patterns": patterns.stored(),
    }
    _save(out, settings)


def _calibrate(data: Path, out: Path, examples: Examples) -> None:
    """Weigh the halves on sentences they have not seen and count the confusions there."""
    reader = MandarinReader(out)
    rows = np.flatnonzero(examples.fold == HELD)
    held = _held(reader, examples, rows)
    acts, origin = read_dialogid(data, "dev")
    held["instruction"] = held_acts(reader, [s.text for s in acts], [s.instruction for s in acts])
    settings = json.loads((out / SETTINGS).read_text("utf-8"))
    settings["blend"] = {name: blend_of(held[name]) for name in CODES}
    settings["confusion"] = {
        name: confusion_of(held[name], settings["blend"][name]) for name in CODES
    }
    settings["calibration_error"] = {name: round(honest_error(held[name]), 4) for name in CODES}
    settings["codes"] = dict(CODES)
    settings["calibrated_on"] = [
        f"fold {HELD} of the question labels, {len(rows)} sentences, with and without marks",
        asdict(origin),
    ]
    _save(out, settings)


def _held(reader: MandarinReader, examples: Examples, rows: NDArray[np.int64]) -> dict[str, Held]:
    """Question labels of held-out sentences beside what both halves say, in both guises."""
    guises: tuple[Guise, ...] = (examples.plain, examples.bare)
    halves = [reader.halves([g.texts[i] for i in rows]) for g in guises]
    natural = np.tile(examples.natural[rows], len(guises))
    return {
        name: Held(
            np.concatenate([h[name][0] for h in halves]),
            np.concatenate([h[name][1] for h in halves]),
            np.tile(examples.labels[name][rows], len(guises)),
            natural,
        )
        for name in CODES
    }


def held_acts(reader: MandarinReader, texts: Sequence[str], acts: Sequence[str | None]) -> Held:
    """The same for instructional acts, half of the sentences without marks."""
    shown = [without_marks(t) if i % 2 else t for i, t in enumerate(texts)]
    network, linear = reader.halves(shown)["instruction"]
    codes = CODES["instruction"]
    truth = np.array([-1 if a is None else codes.index(a) for a in acts])
    return Held(network, linear, truth, np.ones(len(texts), bool))


def _seal(out: Path) -> None:
    """Note the sums of what ships and drop what does not."""
    (out / "first.pt").unlink(missing_ok=True)
    settings = json.loads((out / SETTINGS).read_text("utf-8"))
    files = [out / NETWORK, out / LINEAR]
    settings["sha256"] = {f.name: sha256(f.read_bytes()).hexdigest() for f in files}
    _save(out, settings)


def _save(out: Path, settings: object) -> None:
    text = json.dumps(settings, ensure_ascii=False, indent=1) + "\n"
    write_atomically(out / SETTINGS, text)
