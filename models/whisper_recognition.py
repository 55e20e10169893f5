"""One lesson through Whisper: batches of windows encoded once, decoded, aligned."""

import gc
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from models.asr_windows import Window
from models.cleaning import Dropped
from models.hot_words import fitting
from models.whisper_decoding import Backend, Decoded, decode, prompt_for
from models.whisper_words import TimedWord
from models.window_text import WindowText, transcript_of
from observer.engines import Note, OnProgress
from observer.errors import EngineError
from observer.media import Audio
from observer.transcript import Transcript

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
    seed: int


class Recognition:
    """Batches of windows through encoder, decoder and alignment; memory bounded by the batch."""

    def __init__(
        self,
        backend: Backend,
        audio: Audio,
        parts: Sequence[Window],
        language: str | None,
        settings: Settings,
    ) -> None:
        """Finds the language when it is None. Raises EngineError for one the model lacks."""
        self.backend = backend
        self.audio = audio
        self.parts = parts
        self.settings = settings
        self.notes: list[Note] = []
        self._encoded: dict[int, Any] = {}
        self.language = language or self._voted()
        self._check_language()
        self.prompt = prompt_for(self.language, settings.hot_words)
        self._tell_left_out()

    def _tell_left_out(self) -> None:
        given, fit = len(self.settings.hot_words), len(fitting(self.settings.hot_words))
        if fit < given:
            self.notes.append(
                Note(
                    en=f"Only the first {fit} of {given} hot words fit the recogniser's prompt.",
                    zh=f"识别器的提示语只能容纳 {given} 个热词中的前 {fit} 个。",
                )
            )

    def _check_language(self) -> None:
        if self.language not in self.backend.languages:
            name, language = self.settings.name, self.language
            raise EngineError(
                en=f"The Whisper model {name!r} does not know the language {language!r}. Choose "
                "a multilingual model or another --language.",
                zh=f"Whisper 模型“{name}”不支持语言“{language}”。请换用多语言模型或指定其他语言。",
            )

    def _voted(self) -> str:
        """The language of the fullest windows; their encoder output is kept for decoding."""
        if len(self.backend.languages) == 1:
            return self.backend.languages[0]
        spoken = [sum(s.duration for s in part.speech) for part in self.parts]
        fullest = sorted(range(len(spoken)), key=lambda i: (-spoken[i], i))
        voters = sorted(fullest[:VOTERS])
        for i in voters:  # one at a time: any GPU that holds the model can do it
            self._encoded[i] = self._encode([i])[0]
        votes = self.backend.join([self._encoded[i] for i in voters])
        language, share = self.backend.vote(votes)
        n = len(voters)
        self.notes.append(
            Note(
                en=f"Language {language!r}: mean probability {share:.2f} over {n} windows.",
                zh=f"语言“{language}”：{n} 个片段的平均概率为 {share:.2f}。",
            )
        )
        return language

    def _encode(self, which: Sequence[int]) -> Any:
        return self.backend.encode([self.audio.read(self.parts[i].heard) for i in which])

    def windows(self, on_progress: OnProgress) -> Iterator[tuple[Window, Decoded, list[TimedWord]]]:
        """Every window with what was decoded and its words' times from the start of the sound.

        Where memory does not suffice the batch is halved, for good. Raises EngineError when even
        one window does not fit.
        """
        size, at = max(1, self.settings.batch_size), 0
        while at < len(self.parts):
            batch = range(at, min(at + size, len(self.parts)))
            try:
                decoded, words = self._recognise(batch)
            except (RuntimeError, MemoryError) as cause:
                if not out_of_memory(cause):
                    raise
                if len(batch) == 1:
                    raise _too_large(self.settings.name) from cause
                size = len(batch) // 2
                self._told_smaller(size)
                continue
            yield from zip((self.parts[i] for i in batch), decoded, words, strict=True)
            at = batch.stop
            on_progress(at / len(self.parts))

    def _recognise(self, batch: range) -> tuple[list[Decoded], list[list[TimedWord]]]:
        features = self._features(batch)
        decoded = decode(
            self.backend,
            features,
            self.language,
            prompt=self.prompt,
            beam_size=self.settings.beam_size,
            seed=self.settings.seed + 100 * batch.start,
        )
        words = self.backend.align(
            self.language,
            [() if d.silent else d.tokens for d in decoded],
            features,
            [self.parts[i].heard.duration for i in batch],
        )
        for i in batch:
            self._encoded.pop(i, None)
        return decoded, words

    def _features(self, batch: range) -> Any:
        fresh = [i for i in batch if i not in self._encoded]
        if len(fresh) == len(batch):
            return self._encode(fresh)
        new = dict(zip(fresh, self._encode(fresh), strict=True)) if fresh else {}
        both = self._encoded | new
        return self.backend.join([both[i] for i in batch])

    def _told_smaller(self, size: int) -> None:
        """One note, about the last size; what the failed attempt still holds is given back."""
        note = Note(
            en=f"Memory did not suffice: windows were recognised {size} at a time.",
            zh=f"内存或显存不足：改为每次识别 {size} 个片段。",
        )
        self.notes = [n for n in self.notes if "Memory did not suffice" not in n.en] + [note]
        gc.collect()
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_available():
            torch.cuda.empty_cache()


def out_of_memory(error: RuntimeError | MemoryError) -> bool:
    """Whether a library says that memory did not suffice: torch (CUDA and CPU), CTranslate2."""
    said = str(error).lower()
    return isinstance(error, MemoryError) or any(
        words in said for words in ("out of memory", "can't allocate memory", "bad_alloc")
    )


def _too_large(name: str) -> EngineError:
    return EngineError(
        en=f"This machine's memory does not hold {name!r} and one window. Use a smaller model, or "
        "--device cpu where a GPU was too small.",
        zh=f"内存或显存放不下“{name}”和单个片段。请换小一些的模型；显存不足时可用 --device cpu。",
    )


def transcribed(
    run: Recognition, source: str, on_progress: OnProgress
) -> tuple[Transcript, tuple[Note, ...], tuple[Dropped, ...]]:
    """The sentences of a lesson as a transcript from `source`, what a reader should know, and
    what was dropped. Raises EngineError as `Recognition.windows`."""
    tokenizer = run.backend.tokenizer(run.language)
    text = WindowText(run.language, run.prompt, tokenizer, run.backend.text_limit)
    transcript = transcript_of(text, run.windows(on_progress), source)
    return transcript, (*run.notes, *text.notes()), tuple(text.dropped)
