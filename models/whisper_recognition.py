"""One lesson through Whisper: batches of windows encoded once, decoded, aligned."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from models.asr_windows import Window
from models.whisper_decoding import (
    Decoded,
    decode,
    encode,
    prompt_for,
    tokenizer_for,
    vote_language,
)
from models.whisper_words import TimedWord, align_words
from observer.engines import Note, OnProgress
from observer.errors import EngineError
from observer.media import Audio

if TYPE_CHECKING:
    import torch
    from whisper.model import Whisper

VOTERS = 6
"""Windows, the fullest of the lesson, that vote for its language."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Of one run."""

    name: str
    """The model's, for messages."""
    batch_size: int
    beam_size: int | None
    hot_words: tuple[str, ...]
    bf16: bool
    seed: int


class Recognition:
    """Batches of windows through encoder, decoder and alignment; memory bounded by the batch."""

    def __init__(
        self,
        model: "Whisper",
        audio: Audio,
        parts: Sequence[Window],
        language: str | None,
        settings: Settings,
    ) -> None:
        """Finds the language when it is None. Raises EngineError for one the model lacks."""
        self.model = model
        self.audio = audio
        self.parts = parts
        self.settings = settings
        self.notes: list[Note] = []
        self._encoded: dict[int, torch.Tensor] = {}
        self.language = language or self._voted()
        self._check_language()
        self.tokenizer = tokenizer_for(model, self.language)
        self.prompt = prompt_for(self.language, settings.hot_words)
        self.text_limit: int = model.dims.n_text_ctx // 2

    def _check_language(self) -> None:
        from whisper.tokenizer import LANGUAGES

        count = self.model.num_languages
        known = list(LANGUAGES)[:count] if self.model.is_multilingual else ["en"]
        if self.language not in known:
            name, language = self.settings.name, self.language
            raise EngineError(
                en=f"The Whisper model {name!r} does not know the language {language!r}. Choose "
                "a multilingual model or another --language.",
                zh=f"Whisper 模型“{name}”不支持语言“{language}”。请换用多语言模型或指定其他语言。",
            )

    def _voted(self) -> str:
        """The language of the fullest windows; their encoder output is kept for decoding."""
        import torch

        if not self.model.is_multilingual:
            return "en"
        spoken = [sum(s.duration for s in part.speech) for part in self.parts]
        fullest = sorted(range(len(spoken)), key=lambda i: (-spoken[i], i))
        voters = sorted(fullest[:VOTERS])
        for i in voters:  # one at a time: any GPU that holds the model can do it
            self._encoded[i] = self._encode([i])[0]
        votes = torch.stack([self._encoded[i] for i in voters])
        language, share = vote_language(self.model, votes)
        n = len(voters)
        self.notes.append(
            Note(
                en=f"Language {language!r}: mean probability {share:.2f} over {n} windows.",
                zh=f"语言“{language}”：{n} 个片段的平均概率为 {share:.2f}。",
            )
        )
        return language

    def _encode(self, which: Sequence[int]) -> "torch.Tensor":
        waves = [self.audio.read(self.parts[i].heard) for i in which]
        return encode(self.model, waves, bf16=self.settings.bf16)

    def windows(self, on_progress: OnProgress) -> Iterator[tuple[Window, Decoded, list[TimedWord]]]:
        """Every window with what was decoded and its words' times from the start of the sound.

        Where a GPU's memory does not suffice the batch is halved. Raises EngineError when even
        one window does not fit.
        """
        import torch

        size, at = max(1, self.settings.batch_size), 0
        while at < len(self.parts):
            batch = range(at, min(at + size, len(self.parts)))
            try:
                decoded, words = self._recognise(batch)
            except torch.OutOfMemoryError as cause:
                if size == 1:
                    raise _out_of_memory(self.settings.name) from cause
                size = (size + 1) // 2
                torch.cuda.empty_cache()
                continue
            yield from zip((self.parts[i] for i in batch), decoded, words, strict=True)
            at = batch.stop
            on_progress(at / len(self.parts))

    def _recognise(self, batch: range) -> tuple[list[Decoded], list[list[TimedWord]]]:
        features = self._features(batch)
        decoded = decode(
            self.model,
            features,
            self.language,
            prompt=self.prompt,
            beam_size=self.settings.beam_size,
            seed=self.settings.seed + 100 * batch.start,
        )
        words = align_words(
            self.model,
            self.tokenizer,
            [() if d.silent else d.tokens for d in decoded],
            features,
            [self.parts[i].heard.duration for i in batch],
        )
        for i in batch:
            self._encoded.pop(i, None)
        return decoded, words

    def _features(self, batch: range) -> "torch.Tensor":
        import torch

        fresh = [i for i in batch if i not in self._encoded]
        if len(fresh) == len(batch):
            return self._encode(fresh)
        new = dict(zip(fresh, self._encode(fresh), strict=True)) if fresh else {}
        return torch.stack([self._encoded[i] if i in self._encoded else new[i] for i in batch])


def _out_of_memory(name: str) -> EngineError:
    return EngineError(
        en=f"The GPU's memory does not hold {name!r} and one window. Use a smaller model or "
        "--device cpu.",
        zh=f"GPU 显存放不下“{name}”和单个片段。请换小一些的模型，或使用 --device cpu。",
    )
