"""What every recogniser with weights does alike: its settings, its windows, its transcript.

A recogniser cuts the speech into windows, hears each of them, and keeps what it dropped and what
a reader should know. The two Whisper engines share the loop over batches as well; only the
arithmetic (`whisper_decoding.Backend`) is their own.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from models.asr_windows import Window, windows
from models.cleaning import Dropped
from models.engine_folders import find_folder
from models.languages import primary_language
from models.whisper_decoding import Backend
from models.whisper_recognition import Recognition, Settings, transcribed
from models.whisper_torch import torch_threads
from observer.engines import Note, OnProgress, ignore_progress
from observer.media import Audio
from observer.timeline import Span
from observer.transcript import Transcript


class WindowTranscriber(ABC):
    """A recogniser that hears windows of speech; nothing is downloaded.

    After a run `notes` tells in words what a reader should know (language vote, windows that
    needed a higher temperature, what was dropped) and `dropped` holds what was dropped.
    """

    name: ClassVar[str]
    low_accuracy = False
    needed: ClassVar[tuple[str, ...]] = ()
    """Files that a folder of weights must hold."""
    best_first: ClassVar[tuple[str, ...]] = ()
    """Names of folders from best to worst."""
    spoken: ClassVar[str] = "und"
    """Language of a recording without speech, when none was asked for."""

    def __init__(
        self,
        *,
        model: str | Path = "auto",
        folder: Path | None = None,
        device: str = "auto",
        threads: int = 1,
    ) -> None:
        """`model`: a file or folder, a name in the folder of weights, or "auto" (the best there).
        `folder`: the folder of weights. `device`: auto, cpu, cuda or cuda:n. `threads`: on a CPU.
        """
        self.model = model
        self.folder = folder
        self.device = device
        self.threads = threads
        self.hot_words: tuple[str, ...] = ()
        """Names and terms of the next lesson; they may be changed while the weights stay."""
        self.notes: tuple[Note, ...] = ()
        self.dropped: tuple[Dropped, ...] = ()

    @cached_property
    def weights(self) -> Path:
        """The folder in use. Raises MissingWeights."""
        return find_folder(self.name, self.model, self.folder, self.needed, self.best_first)

    @property
    def version(self) -> str:
        """Library, weights and every setting that changes the words. Raises MissingWeights,
        EngineError."""
        hot = ["hot words " + "/".join(self.hot_words)] if self.hot_words else []
        return ", ".join([*self._loaded_version, *hot, "rules 1"])

    @cached_property
    def _loaded_version(self) -> tuple[str, ...]:
        """What does not change from lesson to lesson: the weights are read for it."""
        return tuple(self._version())

    @abstractmethod
    def _version(self) -> list[str]:
        """Library, weights and the engine's own settings."""

    def transcribe(
        self,
        audio: Audio,
        speech: Sequence[Span],
        language: str | None = None,
        on_progress: OnProgress = ignore_progress,
    ) -> Transcript:
        """Sentences with words and times inside `speech`, without roles.

        `language` None: found by the engine. Raises MissingWeights, EngineError.
        """
        self.notes = self.dropped = ()
        asked = primary_language(language)
        parts = windows(audio, speech)
        if not parts:
            on_progress(1.0)
            return Transcript(asked or self.spoken, (), self.name)
        return self._recognised(audio, parts, asked, on_progress)

    @abstractmethod
    def _recognised(
        self, audio: Audio, parts: Sequence[Window], language: str | None, on_progress: OnProgress
    ) -> Transcript:
        """The sentences of at least one window; leaves `notes` and `dropped`."""


class WhisperEngine(WindowTranscriber):
    """Whisper in one library or another."""

    def __init__(
        self,
        *,
        batch_size: int | None = None,
        beam_size: int | None = None,
        hot_words: Sequence[str] = (),
        seed: int = 0,
        **settings: Any,
    ) -> None:
        """`batch_size`: windows decoded together, halved when memory does not suffice; None:
        what suits the device. `beam_size`: None decodes greedily. `hot_words`: names and terms
        of the lesson, put into the prompt. The rest is in `WindowTranscriber`.
        """
        super().__init__(**settings)
        self.batch_size = batch_size
        self.beam_size = beam_size
        self.hot_words = tuple(hot_words)
        self.seed = seed

    @property
    def version(self) -> str:
        """See `WindowTranscriber.version`."""
        beam = f", beam {self.beam_size}" if self.beam_size else ""
        return f"{super().version}{beam}, seed {self.seed}"

    @abstractmethod
    def _backend(self) -> Backend:
        """The loaded model. Raises MissingWeights, EngineError."""

    @abstractmethod
    def _batch(self) -> int:
        """Windows to begin with; the model is loaded."""

    @property
    @abstractmethod
    def _called(self) -> str:
        """The model's name, for messages."""

    def _recognised(
        self, audio: Audio, parts: Sequence[Window], language: str | None, on_progress: OnProgress
    ) -> Transcript:
        with torch_threads(self.threads):
            backend = self._backend()
            settings = Settings(
                name=self._called,
                batch_size=self._batch(),
                beam_size=self.beam_size,
                hot_words=self.hot_words,
                seed=self.seed,
            )
            run = Recognition(backend, audio, parts, language, settings)
            transcript, self.notes, self.dropped = transcribed(run, self.name, on_progress)
        return transcript
