"""Learning from a pretrained encoder: it is fine-tuned, guesses, and a small network learns both.

Distillation with soft labels (Hinton et al., 2015, arXiv 1503.02531): the encoder reads too
slowly for live use on one thread; what learns from it is the student of `encoder` where the
encoder reads single characters, else the reader of characters that is trained without one.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from models.datasets.mandarin import CODES
from models.mandarin.encoder import TOKENIZER, EncoderReader, ShortReader
from models.mandarin.examples import Encode, Examples, Guise
from models.mandarin.features import Alphabet, padded
from models.mandarin.network import SentenceNetwork, write_onnx
from models.mandarin.stages import Recipe, Shower, second_stage
from models.predictions import Probabilities

_BATCH = 64
_LONGEST = 128
_RANGE_ROWS = 2000
"""Sentences from which the ranges of the activations are taken."""


def teacher_of(folder: Path, alphabet: Alphabet | None, rules: int) -> SentenceNetwork:
    """The encoder under heads not trained yet."""
    reader = EncoderReader(folder, alphabet)
    return SentenceNetwork(reader, reader.width, rules)


def student_of(teacher: SentenceNetwork, recipe: Recipe, rules: int) -> SentenceNetwork:
    """The lower layers of a trained teacher that reads characters, and its heads."""
    reader = ShortReader(teacher.reader, recipe.layers)
    network = SentenceNetwork(reader, reader.width, rules)
    trained = teacher.state_dict()
    own = {k: trained[k] for k in network.state_dict() if not k.startswith("reader.")}
    network.load_state_dict(own, strict=False)
    return network


def instruct(
    teacher: SentenceNetwork, shower: Shower, soft: dict[str, Probabilities], recipe: Recipe,
    held: int,
) -> None:  # fmt: skip
    """Fine-tune the teacher on the sentences with question labels."""
    own = replace(recipe, epochs=recipe.teacher_epochs, room=recipe.teacher_room, unlabelled=0.0)
    second_stage(teacher, shower, soft, own, held)


def by_tokens(examples: Examples, folder: Path) -> Examples:
    """The same sentences in the codes of the encoder's own tokenizer."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    tokenizer.enable_truncation(_LONGEST)
    tokenizer.no_padding()
    encode: Encode = lambda text: list(tokenizer.encode(text).ids)  # noqa: E731
    plain, bare = (
        Guise(g.texts, tuple(encode(t) for t in g.texts), g.fired)
        for g in (examples.plain, examples.bare)
    )
    return replace(examples, plain=plain, bare=bare)


def guesses(teacher: SentenceNetwork, examples: Examples) -> dict[str, Probabilities]:
    """What the teacher makes of every sentence with its marks: taxonomy → (n, classes)."""
    codes, fired = examples.plain.codes, examples.plain.fired
    found = {k: np.zeros((len(codes), len(c)), np.float32) for k, c in CODES.items()}
    order = np.argsort([len(c) for c in codes], kind="stable")
    teacher.eval()
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        for start in range(0, len(order), _BATCH):
            rows = order[start : start + _BATCH]
            shown = torch.from_numpy(padded([codes[i] for i in rows]))
            said = teacher(shown, torch.from_numpy(fired[rows]))
            for name, logits in zip(CODES, said, strict=True):
                found[name][rows] = logits.float().softmax(1).numpy()
    return found


def write_int8(network: SentenceNetwork, file: Path, examples: Examples, seed: int) -> None:
    """The network with weights as int8 and activations as uint8, of ranges over the examples."""
    from models.moves.export import quantise

    with TemporaryDirectory() as folder:
        whole = Path(folder) / "float.onnx"
        write_onnx(network, whole, examples.plain.fired.shape[1])
        quantise(whole, file, _feeds(examples, seed))


def _feeds(examples: Examples, seed: int) -> Iterator[dict[str, Any]]:
    """Sentences drawn at random, those of one length together, half of them without marks."""
    random = np.random.default_rng((seed, 11))
    drawn = random.permutation(len(examples))[:_RANGE_ROWS]
    for k, guise in enumerate((examples.plain, examples.bare)):
        rows = drawn[k::2]
        lengths = np.array([len(guise.codes[i]) for i in rows])
        for length in np.unique(lengths):
            chosen = rows[lengths == length]
            codes = padded([guise.codes[i] for i in chosen])
            yield {"codes": codes, "fired": guise.fired[chosen]}
