"""Whisper decoding of windows in batches: what a result is, prompts, temperature fallback."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from models.hot_words import fitting
from models.whisper_words import TimedWord
from observer.media import Samples

if TYPE_CHECKING:
    from whisper.tokenizer import Tokenizer

PROMPTS: Final[Mapping[str, str]] = {"zh": "以下是普通话的句子。"}
"""Given ahead of every window: it asks for Simplified characters and punctuation."""

TEMPERATURES: Final = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
MAX_COMPRESSION: Final = 2.4
"""UTF-8 text that gzips better than this is a loop (openai-whisper's threshold)."""
MIN_LOGPROB: Final = -1.0
MAX_NO_SPEECH: Final = 0.6


@dataclass(frozen=True, slots=True)
class Decoded:
    """What one window was decoded to."""

    tokens: tuple[int, ...]
    """Text tokens only."""
    avg_logprob: float
    no_speech: float
    """Probability that the window holds no speech."""
    compression: float
    temperature: float

    @property
    def silent(self) -> bool:
        """Whether Whisper's own rule says that nothing was said."""
        return self.no_speech > MAX_NO_SPEECH and self.avg_logprob < MIN_LOGPROB

    @property
    def failed(self) -> bool:
        """Whether a higher temperature should be tried."""
        poor = self.compression > MAX_COMPRESSION or self.avg_logprob < MIN_LOGPROB
        return poor and not self.silent


HEARD: Final = Decoded((), avg_logprob=0.0, no_speech=0.0, compression=1.0, temperature=0.0)
"""A window of a recogniser that tells nothing about itself but its words."""


class Backend(Protocol):
    """A loaded Whisper model in some library; `features` are its encoder output, windows first.

    Features can be indexed by lists of window numbers, as arrays and tensors can.
    """

    languages: tuple[str, ...]
    """Codes it knows; only "en" for an English-only model."""
    text_limit: int
    """Tokens of text that a window can hold at most."""

    def tokenizer(self, language: str) -> "Tokenizer":
        """Its tokenizer for transcription in `language`."""
        ...

    def encode(self, waves: Sequence[Samples]) -> Any:
        """Encoder output for 16 kHz windows of at most 30 s."""
        ...

    def join(self, parts: Sequence[Any]) -> Any:
        """One batch of the features of single windows."""
        ...

    def vote(self, features: Any) -> tuple[str, float]:
        """(language, mean probability) over windows."""
        ...

    def decode(
        self,
        features: Any,
        language: str,
        prompt: str | None,
        beam_size: int | None,
        temperature: float,
        seed: int,
    ) -> list[Decoded]:
        """Decode each window once, without timestamps; `beam_size` None or temperature: sample."""
        ...

    def align(
        self,
        language: str,
        texts: Sequence[Sequence[int]],
        features: Any,
        seconds: Sequence[float],
    ) -> list[list[TimedWord]]:
        """Words with times from the start of each window."""
        ...


def prompt_for(language: str, hot_words: Sequence[str] = ()) -> str | None:
    """The text given ahead of every window, hot words (names, terms of the lesson) included, as
    many as fit."""
    prompt, hot_words = PROMPTS.get(language, ""), fitting(hot_words)
    if hot_words:
        prompt += ("、" if language == "zh" else ", ").join(hot_words)
        prompt += "。" if language == "zh" else "."
    return prompt or None


def decode(
    backend: Backend,
    features: Any,
    language: str,
    *,
    prompt: str | None,
    beam_size: int | None = None,
    temperatures: Sequence[float] = TEMPERATURES,
    seed: int = 0,
) -> list[Decoded]:
    """Decode a batch of windows; those that fail are tried again at higher temperatures.

    A window that fails at every temperature keeps its most probable result without a loop, or
    the least repetitive one. The same seed and batch give the same text.
    """
    tries: list[list[Decoded]] = [[] for _ in range(len(features))]
    open_windows = list(range(len(features)))
    for step, temperature in enumerate(temperatures):
        if not open_windows:
            break
        some = features if len(open_windows) == len(features) else features[open_windows]
        results = backend.decode(some, language, prompt, beam_size, temperature, seed + step)
        for window, result in zip(open_windows, results, strict=True):
            tries[window].append(result)
        open_windows = [i for i in open_windows if tries[i][-1].failed]
    return [_best(candidates) for candidates in tries]


def _best(tries: Sequence[Decoded]) -> Decoded:
    if not tries[-1].failed:
        return tries[-1]
    straight = [t for t in tries if t.compression <= MAX_COMPRESSION]
    if straight:
        return max(straight, key=lambda t: t.avg_logprob)
    return min(tries, key=lambda t: t.compression)
