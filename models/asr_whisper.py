"""Recognition by openai-whisper from weights on disk: batched, cleaned, with word times."""

from collections.abc import Sequence
from functools import cached_property
from importlib.metadata import version as version_of
from pathlib import Path
from typing import TYPE_CHECKING

from models import whisper_weights
from models.asr_windows import windows
from models.cleaning import Dropped
from models.devices import chosen_device
from models.languages import primary_language
from models.whisper_recognition import Recognition, Settings, transcribed
from models.whisper_torch import TorchWhisper, half_precision_encoder, torch_threads
from observer.engines import Note, OnProgress, ignore_progress
from observer.files import sha256_of
from observer.media import Audio
from observer.timeline import Span
from observer.transcript import Transcript

if TYPE_CHECKING:
    from whisper.model import Whisper


class WhisperTranscriber:
    """Whisper from a checkpoint on this machine; nothing is downloaded.

    After a run `notes` tells in words what a reader should know (language vote, windows that
    needed a higher temperature, what was dropped) and `dropped` holds what was dropped.
    """

    name = "whisper"
    low_accuracy = False

    def __init__(
        self,
        *,
        model: str | Path = "auto",
        folder: Path | None = None,
        device: str = "auto",
        threads: int = 1,
        batch_size: int = 8,
        beam_size: int | None = None,
        hot_words: Sequence[str] = (),
        bf16: bool | None = None,
        seed: int = 0,
    ) -> None:
        """`model`: path of a .pt file, a name in `folder` or whisper's cache, or "auto" (the
        best there). `device`: auto, cpu, cuda or cuda:n. `threads`: of torch on a CPU.
        `batch_size`: windows decoded together; halved when a GPU's memory does not suffice.
        `beam_size`: None decodes greedily. `hot_words`: names and terms of the lesson, put into
        the prompt. `bf16`: encoder in bfloat16; None: where the CPU has it in hardware.
        """
        self.model = model
        self.folder = folder
        self.device = device
        self.threads = threads
        self.batch_size = batch_size
        self.beam_size = beam_size
        self.hot_words = tuple(hot_words)
        self.bf16 = bf16
        self.seed = seed
        self.notes: tuple[Note, ...] = ()
        self.dropped: tuple[Dropped, ...] = ()

    @cached_property
    def checkpoint(self) -> whisper_weights.Checkpoint:
        """The weights in use. Raises MissingWeights."""
        if self.model == "auto":
            there = whisper_weights.installed(self.folder)
            return there[0] if there else whisper_weights.find("large-v3-turbo", self.folder)
        return whisper_weights.find(self.model, self.folder)

    @cached_property
    def version(self) -> str:
        """Library, weights and every setting that changes the words. Raises MissingWeights."""
        parts = [
            f"openai-whisper {version_of('openai-whisper')}",
            self.checkpoint.name,
            f"sha256:{sha256_of(self.checkpoint.path)[:12]}",
            self._precision(),
            f"batch {self.batch_size}",
        ]
        if self.beam_size:
            parts.append(f"beam {self.beam_size}")
        if self.hot_words:
            parts.append("hot words " + "/".join(self.hot_words))
        return ", ".join([*parts, f"seed {self.seed}", "rules 1"])

    def _precision(self) -> str:
        if self._device() != "cpu":
            return "float16"
        return "bfloat16 encoder" if self._bf16() else "float32"

    def _bf16(self) -> bool:
        return half_precision_encoder(self._device()) if self.bf16 is None else self.bf16

    def _device(self) -> str:
        import torch

        return chosen_device(self.device, "torch", gpu=torch.cuda.is_available())

    @cached_property
    def _model(self) -> "Whisper":
        return whisper_weights.load(self.checkpoint, self._device())

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
        with torch_threads(self.threads):
            backend = TorchWhisper(self._model, bf16=self._bf16())
            run = Recognition(backend, audio, parts, asked, self._settings())
            transcript, self.notes, self.dropped = transcribed(run, self.name, on_progress)
        return transcript

    def _settings(self) -> Settings:
        return Settings(
            name=self.checkpoint.name,
            batch_size=self.batch_size,
            beam_size=self.beam_size,
            hot_words=self.hot_words,
            seed=self.seed,
        )
