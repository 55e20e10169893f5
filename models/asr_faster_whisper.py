"""Recognition by Whisper in CTranslate2's format (faster-whisper's models): int8 on a CPU.

The same windows, prompts, fallback, cleaning and sentences as the engine "whisper"; only the
arithmetic differs. The extra `fast` installs what it needs. Models are folders on this machine
(`observer models pull faster-whisper/small`, or `whisper_conversion.convert` from a .pt file).
"""

from collections.abc import Sequence
from functools import cached_property
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any, Final

from models import whisper_ct2
from models.asr_windows import windows
from models.cleaning import Dropped
from models.devices import chosen_device
from models.engine_folders import digest, find_folder, require
from models.languages import primary_language
from models.whisper_recognition import Recognition, Settings, transcribed
from models.whisper_torch import torch_threads
from models.whisper_weights import BEST_FIRST
from observer.engines import Note, OnProgress, ignore_progress
from observer.media import Audio
from observer.timeline import Span
from observer.transcript import Transcript

NEEDED: Final = ("model.bin", "config.json")


class FasterWhisperTranscriber:
    """Whisper in CTranslate2 from a folder on this machine; nothing is downloaded.

    After a run `notes` and `dropped` are as for `WhisperTranscriber`.
    """

    name = "faster-whisper"
    low_accuracy = False

    def __init__(
        self,
        *,
        model: str | Path = "auto",
        folder: Path | None = None,
        device: str = "auto",
        threads: int = 1,
        batch_size: int | None = None,
        beam_size: int | None = None,
        hot_words: Sequence[str] = (),
        compute_type: str | None = None,
        seed: int = 0,
    ) -> None:
        """`model`: a CTranslate2 folder, a name in ``folder/faster-whisper``, or "auto" (the best
        there). `compute_type`: None is int8 on a CPU and float16 on a GPU. `batch_size`: None is
        8 on a CPU and 16 on a GPU; halved when memory does not suffice. The other settings are
        those of `WhisperTranscriber`.
        """
        self.model = model
        self.folder = folder
        self.device = device
        self.threads = threads
        self.batch_size = batch_size
        self.beam_size = beam_size
        self.hot_words = tuple(hot_words)
        self.compute_type = compute_type
        self.seed = seed
        self.notes: tuple[Note, ...] = ()
        self.dropped: tuple[Dropped, ...] = ()

    @cached_property
    def weights(self) -> Path:
        """The folder in use. Raises MissingWeights."""
        return find_folder(self.name, self.model, self.folder, NEEDED, BEST_FIRST)

    @cached_property
    def version(self) -> str:
        """Library, weights and every setting that changes the words. Raises MissingWeights."""
        require("ctranslate2", self.name, "fast")
        parts = [
            f"ctranslate2 {version_of('ctranslate2')}",
            self.weights.name,
            digest(self.weights),
            self._compute_type(),
            f"batch {self._batch()}",
        ]
        if self.beam_size:
            parts.append(f"beam {self.beam_size}")
        if self.hot_words:
            parts.append("hot words " + "/".join(self.hot_words))
        return ", ".join([*parts, f"seed {self.seed}", "rules 1"])

    def _device(self) -> str:
        import ctranslate2

        return chosen_device(
            self.device, "CTranslate2", gpu=ctranslate2.get_cuda_device_count() > 0
        )

    def _compute_type(self) -> str:
        return self.compute_type or ("int8" if self._device() == "cpu" else "float16")

    def _batch(self) -> int:
        return self.batch_size or (8 if self._device() == "cpu" else 16)

    @cached_property
    def _model(self) -> Any:
        return whisper_ct2.load(
            self.weights, self._device(), compute_type=self._compute_type(), threads=self.threads
        )

    def transcribe(
        self,
        audio: Audio,
        speech: Sequence[Span],
        language: str | None = None,
        on_progress: OnProgress = ignore_progress,
    ) -> Transcript:
        """Sentences with words and times inside `speech`, without roles.

        `language` None: the fullest windows vote. Raises MissingWeights, EngineError.
        """
        self.notes = self.dropped = ()
        asked = primary_language(language)
        parts = windows(audio, speech)
        if not parts:
            on_progress(1.0)
            return Transcript(asked or "und", (), self.name)
        require("ctranslate2", self.name, "fast")
        with torch_threads(self.threads):
            backend = whisper_ct2.Ct2Whisper(self._model)
            run = Recognition(backend, audio, parts, asked, self._settings())
            transcript, self.notes, self.dropped = transcribed(run, self.name, on_progress)
        return transcript

    def _settings(self) -> Settings:
        return Settings(
            name=self.weights.name,
            batch_size=self._batch(),
            beam_size=self.beam_size,
            hot_words=self.hot_words,
            seed=self.seed,
        )
