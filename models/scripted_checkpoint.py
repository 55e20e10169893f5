"""A real, tiny Whisper checkpoint that says what it was told to say, for tests.

Trained weights are gigabytes; random ones say nothing. Here the weights are *constructed*:
openai-whisper loads the file, decodes, detects the language and aligns words through its own
code, and the text, the language and the word times that must come out are known beforehand.
What it hears does not matter: every window says the same.

How it works (state of `d` dimensions, split into orthogonal subspaces by a random rotation):

- The encoder's convolutions are zero, so its output for frame f is the positional row S(f):
  random Fourier features, nearly orthogonal for frames more than 0.2 s apart.
- The decoder's positional row at the place that predicts text token k is S(frame of k). The
  cross-attention of that place therefore peaks at the frame the script gives token k.
- Self-attention copies one bit from the first position to all: whether a prompt stands there.
- The hidden layer is a table: unit j fires at one (position, bit) and writes the direction
  that only the scripted token's embedding matches.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from models.whisper_decoding import prompt_for
from models.whisper_words import TimedWord
from observer.timeline import Seconds

if TYPE_CHECKING:
    import torch
    from whisper.tokenizer import Tokenizer

_TEXT_CONTEXT: Final = 448
_FRAMES: Final = 1500
_WIDTH: Final = 8.0
"""Standard deviation, in 20-ms frames, of the likeness of neighbouring frames."""
_SIZE: Final = 30.0
"""Length of the positional and flag vectors; token embeddings are small beside them."""

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Script:
    """What the checkpoint must say in every window."""

    text: str
    language: str = "zh"
    start: Seconds = 0.3
    """When its first token begins, from the start of the window."""
    pace: Seconds = 0.2
    """From one token to the next."""
    certainty: float = 1.0
    """1: token probabilities near 1. Below 0.4 they fall to some per cent; at 2 no temperature
    up to 1 changes the text."""
    no_speech: bool = False
    """Predict “no speech” where the language token belongs."""
    hot_words: tuple[str, ...] = ()
    """Those the transcriber will put into its prompt: its length moves every position."""


def scripted_checkpoint(
    path: Path,
    text: str,
    language: str = "zh",
    *,
    start: Seconds = 0.3,
    pace: Seconds = 0.2,
    certainty: float = 1.0,
    no_speech: bool = False,
    hot_words: Sequence[str] = (),
    seed: int = 0,
) -> Path:
    """Write a checkpoint that decodes every window to `text`; returns `path`.

    Word times are `start` + `pace` × index of the word's first token. The file is float16, 7 MB
    (more for more than about 120 tokens). Raises ValueError for text of more than 220 tokens and
    for a `pace` below 0.15 s, at which neighbouring tokens could not be told apart.
    """
    if pace < 0.15:
        raise ValueError(f"a script's pace is at least 0.15 s, not {pace}")
    import torch

    script = Script(text, language, start, pace, certainty, no_speech, tuple(hot_words))
    weights, dims = _Builder(script, seed).build()
    half = {name: torch.from_numpy(value).half() for name, value in weights.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"dims": dims, "model_state_dict": half}, path)
    return path


def scripted_words(
    text: str, language: str = "zh", *, start: Seconds = 0.3, pace: Seconds = 0.2
) -> list[TimedWord]:
    """The words that a checkpoint of this script says, timed from the start of the window."""
    tokenizer = _tokenizer(language)
    words, groups = tokenizer.split_to_word_tokens(tokenizer.encode(text))
    timed, at = [], 0
    for word, group in zip(words, groups, strict=True):
        end = at + len(group)
        timed.append(TimedWord(word, start + pace * at, start + pace * end, 1.0))
        at = end
    return timed


def _tokenizer(language: str) -> "Tokenizer":
    from whisper.tokenizer import get_tokenizer

    return get_tokenizer(True, num_languages=99, language=language, task="transcribe")


class _Builder:
    """The weights of one scripted checkpoint."""

    def __init__(self, script: Script, seed: int) -> None:
        self.script = script
        self.tokenizer = _tokenizer(script.language)
        self.text = self.tokenizer.encode(script.text)
        if not 0 < len(self.text) <= 220:
            raise ValueError(f"a script has 1 to 220 tokens, not {len(self.text)}")
        prompt = prompt_for(script.language, script.hot_words)
        self.shift = 1 + len(self.tokenizer.encode(" " + prompt.strip())) if prompt else 0
        self.entries = self._table()
        self.state = max(64, 8 * math.ceil(len(self.entries) / 32))
        random = np.random.default_rng(seed)
        basis = np.linalg.qr(
            np.column_stack([np.ones(self.state), random.normal(size=(self.state,) * 2)])
        )[0][:, 1:]  # columns without a mean: layer norms leave them as they are
        self.first, self.prompted, self.bit = basis[:, 0], basis[:, 1], basis[:, 2]
        half = (self.state - 3) // 2 // 2 * 2
        self.place = basis[:, 3 : 3 + half]
        self.say = basis[:, 3 + half : self.state - 1]
        self.frequencies = random.normal(scale=1 / _WIDTH, size=half // 2)
        directions = random.normal(size=(self.state - 4 - half, len(self._tokens())))
        self.directions = directions / np.linalg.norm(directions, axis=0)

    def _table(self) -> list[tuple[int, bool, int]]:
        """(position, prompted, token to predict there)."""
        tk = self.tokenizer
        said = [tk.timestamp_begin, *self.text, tk.eot]
        language = tk.no_speech if self.script.no_speech else tk.language_token
        entries = [(0, False, tk.language_token)]
        for shift in {0, self.shift}:
            entries += [(2 + shift + k, shift > 0, token) for k, token in enumerate(said)]
        if self.shift:
            entries.append((self.shift, True, language))
        elif self.script.no_speech:
            entries[0] = (0, False, language)
        return entries

    def _tokens(self) -> list[int]:
        return sorted({token for _, _, token in self.entries})

    def _where(self, frames: npt.NDArray[np.floating]) -> Matrix:
        """Unit vectors of shape (n, state) that stand for encoder frames."""
        angles = frames[:, None] * self.frequencies
        features = np.concatenate([np.cos(angles), np.sin(angles)], axis=1)
        unit: Matrix = features / math.sqrt(len(self.frequencies)) @ self.place.T
        return unit

    def _positions(self) -> Matrix:
        """Position p predicts text token p - 3, so it looks at the middle of that token."""
        frames = (self.script.start + self.script.pace * (np.arange(_TEXT_CONTEXT) - 2.5)) * 50.0
        rows = self._where(frames)
        rows[0] = self.first
        return rows

    def build(self) -> tuple[dict[str, Matrix], dict[str, int]]:
        """State dict and dimensions as openai-whisper reads them."""
        d = self.state
        dims = {
            "n_mels": 80, "n_audio_ctx": _FRAMES, "n_audio_state": d, "n_audio_head": 1,
            "n_audio_layer": 1, "n_vocab": 51865, "n_text_ctx": _TEXT_CONTEXT,
            "n_text_state": d, "n_text_head": 1, "n_text_layer": 1,
        }  # fmt: skip
        weights = {name: np.zeros(shape) for name, shape in _shapes(dims).items()}
        for name in weights:
            if name.endswith(("ln.weight", "ln_post.weight")):
                weights[name] += 1.0
        weights["encoder.positional_embedding"] += self._where(np.arange(float(_FRAMES)))
        weights["decoder.positional_embedding"] += _SIZE * self._positions()
        self._embed(weights["decoder.token_embedding.weight"])
        self._copy_bit(weights, "decoder.blocks.0.attn.")
        self._look(weights, "decoder.blocks.0.cross_attn.")
        self._look_up(weights, "decoder.blocks.0.mlp.")
        return weights, dims

    def _embed(self, embedding: Matrix) -> None:
        for token, direction in zip(self._tokens(), self.directions.T, strict=True):
            certainty = 1.0 if token == self.tokenizer.no_speech else self.script.certainty
            embedding[token] += 4.0 * certainty * (self.say @ direction)
        embedding[self.tokenizer.sot_prev] += _SIZE * self.prompted

    def _copy_bit(self, weights: dict[str, Matrix], name: str) -> None:
        """All positions attend to the first and take whether it is a prompt's beginning."""
        d = self.state
        weights[name + "query.bias"] += 40.0 * self.first
        weights[name + "key.weight"] += np.outer(self.first, self.first)
        weights[name + "value.weight"] += np.outer(self.prompted, self.prompted)
        prompted_value = math.sqrt(d / 2)  # layer norm of first + prompted, both of equal length
        weights[name + "out.weight"] += np.outer(
            self.bit, 2 * _SIZE / prompted_value * self.prompted
        )
        weights[name + "out.bias"] += -_SIZE * self.bit

    def _look(self, weights: dict[str, Matrix], name: str) -> None:
        """Queries and keys are the frame vectors; nothing is read, only looked at."""
        sharpness = 6.0
        onto_place = self.place @ self.place.T
        scale = sharpness * math.sqrt(2 / self.state)  # q has length √(d/2), k √d
        weights[name + "query.weight"] += scale * onto_place
        weights[name + "key.weight"] += onto_place

    def _look_up(self, weights: dict[str, Matrix], name: str) -> None:
        rows = self._positions()
        tokens = self._tokens()
        length = math.sqrt(self.state / 2)  # of each of the two parts after the layer norm
        for unit, (position, prompted, token) in enumerate(self.entries):
            key = rows[position] + (1.0 if prompted else -1.0) * self.bit
            gain = 40.0 / length
            weights[name + "0.weight"][unit] += gain * key
            weights[name + "0.bias"][unit] -= gain * 1.8 * length
            direction = self.say @ self.directions[:, tokens.index(token)]
            weights[name + "2.weight"][:, unit] += 200.0 * direction


def _shapes(dims: dict[str, int]) -> dict[str, tuple[int, ...]]:
    import whisper.model

    model: Any = whisper.model.Whisper(whisper.model.ModelDimensions(**dims))
    tensors: dict[str, torch.Tensor] = model.state_dict()
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}
