"""Trains the Mandarin model and writes the folder that ships.

1. The linear half is fitted without the first fold and guesses the kinds of unlabelled sentences.
2. The network learns instructional acts and hidden characters from all of DialogID.
3. It goes on with the question labels, and with those guesses as soft labels (self-training).
4. On the fold that neither has seen (acts: on DialogID dev) the halves are weighed and calibrated.
5. The linear half is fitted once more, on everything.
"""

import json
import logging
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from models.datasets.mandarin import CODES, QuestionSentence, read_dialogid
from models.mandarin.blending import Held, blend_of, confusion_of, honest_error
from models.mandarin.examples import Corpora, Encode, Examples, Guise, prepare, read_corpora
from models.mandarin.features import Alphabet, Patterns, coded, without_marks
from models.mandarin.network import CharacterReader, EncoderReader, SentenceNetwork, write_onnx
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
from observer.errors import MissingWeights
from observer.files import write_atomically

log = logging.getLogger(__name__)

VERSION = "1"
HELD = 0
"""The fold that calibrates."""
TOKENIZER = "tokenizer.json"
_PART = 4096


@dataclass(frozen=True, slots=True)
class _Shape:
    """How sentences become numbers, and the network that reads them."""

    alphabet: Alphabet
    encode: Encode
    hidden: int
    """Codes that can be hidden; 0 with an encoder."""
    tokenizer: Path | None


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

    `encoder`: folder of a Hugging Face encoder (with its tokenizer.json) to fine-tune instead
    of the reader of characters. `annotations` takes the place of our labels (tests, districts
    with labels of their own). A finished first stage in `out`/first.pt is gone on from.
    Raises DatasetError, MissingWeights.
    """
    recipe = replace(recipe or Recipe(), seed=seed)
    torch.manual_seed(seed)
    corpora = read_corpora(data, corrections or (), annotations)
    alphabet, patterns = Alphabet.of(s.text for s in corpora.spoken), Patterns.present()
    shape = _shape(alphabet, encoder)
    examples = prepare(corpora, shape.encode, patterns, seed)
    vocabulary = Vocabulary.of(examples.plain.texts, alphabet.table())
    on_progress(0.05)
    narrow = _linear(examples, vocabulary, alphabet, examples.fold != HELD)
    soft = _soft(examples, narrow, alphabet)
    on_progress(0.15)
    network = _network(shape, patterns.width, recipe, encoder)
    _learn(network, examples, soft, shape, recipe, out)
    on_progress(0.9)
    _write(network, narrow, corpora, shape, patterns, recipe, out)
    _calibrate(data, out, examples)
    _linear(examples, vocabulary, alphabet, np.ones(len(examples), bool)).save(out / LINEAR)
    _seal(out)
    on_progress(1.0)


def _shape(alphabet: Alphabet, encoder: Path | None) -> _Shape:
    if encoder is None:
        table = alphabet.table()
        return _Shape(alphabet, lambda text: coded(text, table), alphabet.size, None)
    file = encoder / TOKENIZER
    if not file.is_file():
        raise MissingWeights(
            en=f"There is no {TOKENIZER} in {encoder}. Give the folder of a Hugging Face encoder "
            "with its fast tokenizer.",
            zh=f"{encoder} 中没有 {TOKENIZER}。请指定含快速分词器的 Hugging Face 编码器文件夹。",
        )
    from models.mandarin.runtime import tokenizer_of

    tokenizer = tokenizer_of(file)
    return _Shape(alphabet, lambda text: list(tokenizer.encode(text).ids), 0, file)


def _network(shape: _Shape, rules: int, recipe: Recipe, encoder: Path | None) -> SentenceNetwork:
    if encoder is None:
        characters = CharacterReader(shape.alphabet.size, recipe.width, recipe.dilations)
        return SentenceNetwork(characters, recipe.width, rules)
    reader = EncoderReader(encoder)
    return SentenceNetwork(reader, reader.width, rules)


def _learn(
    network: SentenceNetwork,
    examples: Examples,
    soft: dict[str, Probabilities],
    shape: _Shape,
    recipe: Recipe,
    out: Path,
) -> None:
    """Both stages; the first is kept in `out`, for it takes longest."""
    out.mkdir(parents=True, exist_ok=True)
    kept = out / "first.pt"
    shower = Shower(examples, shape.hidden, recipe.seed)
    key = repr((shape.alphabet.characters, str(shape.tokenizer), recipe, len(examples)))
    stored: dict[str, Any] = torch.load(kept, weights_only=True) if kept.is_file() else {}
    if stored.get("key") == key:
        network.load_state_dict(stored["network"])
    else:
        first_stage(network, shower, recipe)
        torch.save({"key": key, "network": network.state_dict()}, kept.with_suffix(".part"))
        kept.with_suffix(".part").replace(kept)
    torch.manual_seed(recipe.seed + 1)
    second_stage(network, Shower(examples, shape.hidden, recipe.seed + 1), soft, recipe, HELD)


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


def _write(
    network: SentenceNetwork,
    linear: Wide,
    corpora: Corpora,
    shape: _Shape,
    patterns: Patterns,
    recipe: Recipe,
    out: Path,
) -> None:
    """Both halves and the settings, uncalibrated as yet."""
    write_onnx(network, out / NETWORK, patterns.width)
    linear.save(out / LINEAR)
    if shape.tokenizer is not None:
        shutil.copyfile(shape.tokenizer, out / TOKENIZER)
    settings = {
        "version": VERSION,
        "blend": dict.fromkeys(CODES, (1.0, 1.0)),
        "tokenizer": "" if shape.tokenizer is None else TOKENIZER,
        "recipe": asdict(recipe),
        "learnt_from": [asdict(o) for o in corpora.origins],
        "characters": shape.alphabet.characters,
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
