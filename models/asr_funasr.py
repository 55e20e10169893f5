"""Recognition by FunASR's Paraformer: Mandarin on a GPU, with a time for every character.

The extra `funasr` installs the library; the model is a folder on this machine (`observer models
pull paraformer-large`). Windows, cleaning, sentences and marks are those of the other engines.

Not exercised here: the library needs torchaudio, which has no CPU build beside torch's, so its
loading and arithmetic were never run; what its documentation says comes out of `generate`
(1.4: text with blanks between the words, and [start, end] in ms for each; with `punc_model` the
marked text, and the other as `raw_text`) is read and tested.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any, Final

import numpy as np

from models.asr_engine import WindowTranscriber
from models.asr_windows import Window
from models.engine_folders import digest, find_folder, folders, require
from models.whisper_decoding import HEARD
from models.whisper_recognition import out_of_memory
from models.whisper_words import TimedWord
from models.window_text import WindowText, transcript_of
from observer.engines import OnProgress
from observer.errors import EngineError
from observer.media import Audio
from observer.transcript import Transcript

NEEDED: Final = ("model.pt", "config.yaml")
BEST_FIRST: Final = ("paraformer-large",)
MARKS: Final = "ct-punc"
"""Folder of the model that sets marks (`observer models pull ct-punc`); it has the same files."""


class FunasrTranscriber(WindowTranscriber):
    """Paraformer through `funasr.AutoModel`, from a folder, Mandarin only. Its text gets marks
    from ct-punc where that is in the folder of weights, else from pauses and particles."""

    name = "funasr"
    needed = NEEDED
    best_first = BEST_FIRST
    spoken = "zh"

    def __init__(
        self, *, batch_size: int = 16, hot_words: Sequence[str] = (), **settings: Any
    ) -> None:
        """`batch_size`: windows given together; halved when memory does not suffice. `hot_words`
        serve models that were trained for them (SeACo-Paraformer); others pass them over. The
        rest is in `WindowTranscriber`.
        """
        super().__init__(**settings)
        self.batch_size = batch_size
        self.hot_words = tuple(hot_words)

    @cached_property
    def weights(self) -> Path:
        """The folder in use; that of the marks is no recogniser. Raises MissingWeights."""
        there = installed(self.folder)
        if self.model == "auto" and there:
            return there[0]
        return find_folder(self.name, self.model, self.folder, self.needed, self.best_first)

    @cached_property
    def marks(self) -> Path | None:
        """The folder of ct-punc, if it is there."""
        found = folders(self.name, self.folder, NEEDED)
        return next((p for p in found if p.name == MARKS), None)

    def _version(self) -> list[str]:
        require("funasr", self.name, "funasr")
        parts = [f"funasr {version_of('funasr')}", self.weights.name, digest(self.weights)]
        return parts if self.marks is None else [*parts, MARKS, digest(self.marks)]

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
            punc_model=str(self.marks) if self.marks else None,
            disable_update=True,  # it would ask its makers for a newer version
            disable_pbar=True,
            disable_log=True,
        )

    def _recognised(
        self, audio: Audio, parts: Sequence[Window], language: str | None, on_progress: OnProgress
    ) -> Transcript:
        if language not in (None, "zh"):
            raise EngineError(
                en=f"Paraformer recognises Mandarin only, not {language!r}. Choose --asr whisper.",
                zh=f"Paraformer 只识别普通话，不支持“{language}”。请改用 --asr whisper。",
            )
        text = WindowText("zh")
        transcript = transcript_of(text, self._windows(audio, parts, on_progress), self.name)
        self.notes, self.dropped = tuple(text.notes()), tuple(text.dropped)
        return transcript

    def _windows(
        self, audio: Audio, parts: Sequence[Window], on_progress: OnProgress
    ) -> Iterator[tuple[Window, Any, list[TimedWord]]]:
        size, at = max(1, self.batch_size), 0
        extra: dict[str, Any] = {"return_raw_text": True} if self.marks else {}
        if self.hot_words:
            extra["hotword"] = " ".join(self.hot_words)
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

    With ct-punc `text` holds the marks and `raw_text` the words as they were recognised, one for
    each time. Raises EngineError when words and times do not fit each other.
    """
    words = str(result.get("raw_text", result["text"])).split()
    times = list(result.get("timestamp", ()))
    if len(words) != len(times):
        raise EngineError(
            en="funasr's words and times do not fit each other: this model tells no times for "
            "every word. Use paraformer-large (`observer models pull paraformer-large`).",
            zh="funasr 的文字与时间不对应：该模型不提供逐字时间。"
            "请使用 paraformer-large（`observer models pull paraformer-large`）。",
        )
    said = marked(words, str(result["text"])) if "raw_text" in result else words
    return [
        TimedWord(f" {text}" if word.isascii() else text, start / 1000, end / 1000, None)
        for word, text, (start, end) in zip(words, said, times, strict=True)
    ]


def marked(words: Sequence[str], text: str) -> list[str]:
    """`words` with the marks that follow them in `text`, which says the same words.

    Capital letters are those of `text`. A text that says something else gives the words back as
    they are, without marks: a wrong mark is worse than none.
    """
    rest = text.strip()
    found: list[str] = []
    for word in words:
        said = rest[: len(word)]
        if said.casefold() != word.casefold():
            return list(words)
        after = rest[len(word) :]
        marks = re.match(r"[^\w\s]*", after)
        end = marks.end() if marks else 0
        found.append(said + after[:end])
        rest = after[end:].lstrip()
    return found if not rest else list(words)


def installed(folder: Path | None) -> list[Path]:
    """Folders of recognisers there are, best first."""
    return [p for p in folders("funasr", folder, NEEDED, BEST_FIRST) if p.name != MARKS]
