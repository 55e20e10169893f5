"""Recognition by openai-whisper from weights on disk: batched, cleaned, with word times."""

from functools import cached_property
from importlib.metadata import version as version_of
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models import whisper_weights
from models.asr_engine import WhisperEngine
from models.devices import batch_for, chosen_device, window_bytes
from models.whisper_decoding import Backend
from models.whisper_torch import TorchWhisper, half_precision_encoder
from observer.files import sha256_of

if TYPE_CHECKING:
    from whisper.model import Whisper

ON_CPU = 8
"""Windows decoded together on a CPU: more were no faster (docs/decisions/0004-recognition.md)."""


class WhisperTranscriber(WhisperEngine):
    """Whisper from a checkpoint on this machine: a .pt file, a name in the folder of weights or
    in whisper's own cache, or "auto" (the best there).

    `batch_size` None: 8 on a CPU, on a GPU as many as its free memory carries.
    """

    name = "whisper"

    def __init__(self, *, bf16: bool | None = None, **settings: Any) -> None:
        """`bf16`: encoder in bfloat16 on a CPU; None: where it has that in hardware. The rest is
        in `WhisperEngine`.
        """
        super().__init__(**settings)
        self.bf16 = bf16

    @cached_property
    def checkpoint(self) -> whisper_weights.Checkpoint:
        """The weights in use. Raises MissingWeights."""
        if self.model == "auto":
            there = whisper_weights.installed(self.folder)
            return there[0] if there else whisper_weights.find("large-v3-turbo", self.folder)
        return whisper_weights.find(self.model, self.folder)

    @cached_property
    def weights(self) -> Path:
        """The file in use. Raises MissingWeights."""
        return self.checkpoint.path

    def _version(self) -> list[str]:
        """The batch is named where it does not follow the memory that happens to be free."""
        batch = self.batch_size or (ON_CPU if self._device() == "cpu" else "auto")
        return [
            f"openai-whisper {version_of('openai-whisper')}",
            self.checkpoint.name,
            f"sha256:{sha256_of(self.checkpoint.path)[:12]}",
            self._precision(),
            f"batch {batch}",
        ]

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

    def _backend(self) -> Backend:
        return TorchWhisper(self._model, bf16=self._bf16())

    def _batch(self) -> int:
        if self.batch_size is not None:
            return self.batch_size
        if self._device() == "cpu":
            return ON_CPU
        import torch

        free, _ = torch.cuda.mem_get_info(self._device())
        return batch_for(free, window_bytes(self._model.dims))

    @property
    def _called(self) -> str:
        return self.checkpoint.name
