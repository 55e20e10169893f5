"""Recognition by Whisper in CTranslate2's format (faster-whisper's models): int8 on a CPU.

The same windows, prompts, fallback, cleaning and sentences as the engine "whisper"; only the
arithmetic differs. The extra `fast` installs what it needs. Models are folders on this machine
(`observer models pull faster-whisper/small`, or `whisper_conversion.convert` from a .pt file).
"""

from functools import cached_property
from importlib.metadata import version as version_of
from typing import Any, Final

from models import whisper_ct2
from models.asr_engine import WhisperEngine
from models.devices import chosen_device
from models.engine_folders import digest, require
from models.whisper_decoding import Backend
from models.whisper_weights import BEST_FIRST

NEEDED: Final = ("model.bin", "config.json")


class FasterWhisperTranscriber(WhisperEngine):
    """Whisper in CTranslate2 from a folder on this machine, or a name in
    ``folder/faster-whisper``.

    `batch_size` None: 8 on a CPU, 16 on a GPU.
    """

    name = "faster-whisper"
    needed = NEEDED
    best_first = BEST_FIRST

    def __init__(self, *, compute_type: str | None = None, **settings: Any) -> None:
        """`compute_type`: None is int8 on a CPU and float16 on a GPU. The rest is in
        `WhisperEngine`.
        """
        super().__init__(**settings)
        self.compute_type = compute_type

    def _version(self) -> list[str]:
        require("ctranslate2", self.name, "fast")
        return [
            f"ctranslate2 {version_of('ctranslate2')}",
            self.weights.name,
            digest(self.weights),
            self._compute_type(),
            f"batch {self._batch()}",
        ]

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

    def _backend(self) -> Backend:
        require("ctranslate2", self.name, "fast")
        return whisper_ct2.Ct2Whisper(self._model)

    @property
    def _called(self) -> str:
        return self.weights.name
