"""Recognition by FunASR's Paraformer: Mandarin on a GPU, with a time for every character.

The extra `funasr` installs the library; the model is a folder on this machine (`observer models
pull paraformer-large`). Windows, cleaning, sentences and marks are those of the other engines.

Not exercised here: the library needs torchaudio, which has no CPU build beside torch's, so its
loading and arithmetic were never run; what its documentation says comes out of `generate`
(1.4: text with blanks between the words, and [start, end] in ms for each) is read and tested.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any, Final

import numpy as np

from models.asr_windows import Window, windows
from models.cleaning import Dropped
from models.engine_folders import digest, find_folder, folders, require
from models.languages import primary_language
from models.whisper_decoding import HEARD
from models.whisper_recognition import out_of_memory
from models.whisper_words import TimedWord
from models.window_text import WindowText, transcript_of
from observer.engines import Note, OnProgress, ignore_progress
from observer.errors import EngineError
from observer.media import Audio
from observer.timeline import Span
from observer.transcript import Transcript

NEEDED: Final = ("model.pt", "config.yaml")
BEST_FIRST: Final = ("paraformer-large",)


class FunasrTranscriber:
    """Paraformer through `funasr.AutoModel`, from a folder; nothing is downloaded.

    After a run `notes` and `dropped` are as for `WhisperTranscriber`.
    """

    name = "funasr"
    low_accuracy = False

    def __init__(
        self,
        *,
        model: str | Path = "auto",
        folder: Path | None = None,
        device: str = "auto",
        threads: int = 1,
        batch_size: int = 16,
        hot_words: Sequence[str] = (),
    ) -> None:
        """`model`: a folder, a name in ``folder/funasr``, or "auto". `batch_size`: windows given
        together; halved when memory does not suffice. `hot_words` serve models that were trained
        for them (SeACo-Paraformer); others pass them over.
        """
        self.model = model
        self.folder = folder
        self.device = device
        self.threads = threads
        self.batch_size = batch_size
        self.hot_words = tuple(hot_words)
        self.notes: tuple[Note, ...] = ()
        self.dropped: tuple[Dropped, ...] = ()

    @cached_property
    def weights(self) -> Path:
        """The folder in use. Raises MissingWeights."""
        return find_folder(self.name, self.model, self.folder, NEEDED, BEST_FIRST)

    @cached_property
    def version(self) -> str:
        """Library, weights and settings. Raises MissingWeights, EngineError."""
        require("funasr", self.name, "funasr")
        parts = [f"funasr {version_of('funasr')}", self.weights.name, digest(self.weights)]
        if self.hot_words:
            parts.append("hot words " + "/".join(self.hot_words))
        return ", ".join([*parts, "rules 1"])

    @cached_property
    def _model(self) -> Any:
        require("funasr", self.name, "funasr")
        import torch
        from funasr import AutoModel

        auto = "cuda" if torch.cuda.is_available() else "cpu"
        return AutoModel(
            model=str(self.weights),
            device=auto if self.device == "auto" else self.device,
            ncpu=self.threads,
            disable_update=True,  # it would ask its makers for a newer version
            disable_pbar=True,
            disable_log=True,
        )

    def transcribe(
        self,
        audio: Audio,
        speech: Sequence[Span],
        language: str | None = None,
        on_progress: OnProgress = ignore_progress,
    ) -> Transcript:
        """Sentences with words and times inside `speech`, without roles. Mandarin only.

        Raises MissingWeights, EngineError.
        """
        self.notes = self.dropped = ()
        asked = primary_language(language)
        if asked not in (None, "zh"):
            raise EngineError(
                en=f"Paraformer recognises Mandarin only, not {language!r}. Choose --asr whisper.",
                zh=f"Paraformer 只识别普通话，不支持“{language}”。请改用 --asr whisper。",
            )
        parts = windows(audio, speech)
        if not parts:
            on_progress(1.0)
            return Transcript("zh", (), self.name)
        text = WindowText("zh")
        transcript = transcript_of(text, self._windows(audio, parts, on_progress), self.name)
        self.notes, self.dropped = tuple(text.notes()), tuple(text.dropped)
        return transcript

    def _windows(
        self, audio: Audio, parts: Sequence[Window], on_progress: OnProgress
    ) -> Iterator[tuple[Window, Any, list[TimedWord]]]:
        size, at = max(1, self.batch_size), 0
        extra = {"hotword": " ".join(self.hot_words)} if self.hot_words else {}
        while at < len(parts):
            batch = parts[at : at + size]
            waves = [np.ascontiguousarray(audio.read(part.heard)) for part in batch]
            try:
                results = self._model.generate(input=waves, batch_size=len(waves), **extra)
            except (RuntimeError, MemoryError) as cause:
                if len(batch) == 1 or not out_of_memory(cause):
                    raise
                size = len(batch) // 2
                continue
            for part, result in zip(batch, results, strict=True):
                yield part, HEARD, timed(result)
            at += len(batch)
            on_progress(at / len(parts))


def timed(result: Mapping[str, Any]) -> list[TimedWord]:
    """Words of one `generate` result with times in seconds; Latin words get a blank before.

    Raises EngineError when text and times do not fit each other.
    """
    words = str(result["text"]).split()
    times = list(result.get("timestamp", ()))
    if len(words) != len(times):
        raise EngineError(
            en="funasr's words and times do not fit each other: this model tells no times for "
            "every word. Use paraformer-large (`observer models pull paraformer-large`).",
            zh="funasr 的文字与时间不对应：该模型不提供逐字时间。"
            "请使用 paraformer-large（`observer models pull paraformer-large`）。",
        )
    return [
        TimedWord(f" {word}" if word.isascii() else word, start / 1000, end / 1000, None)
        for word, (start, end) in zip(words, times, strict=True)
    ]


def installed(folder: Path | None) -> list[Path]:
    """Folders of models there are, best first."""
    return folders("funasr", folder, NEEDED, BEST_FIRST)
