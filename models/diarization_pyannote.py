"""Telling voices apart by a pyannote.audio pipeline (community-1), from a folder on this machine.

The folder is the model hub's repository as it is: ``config.yaml`` beside ``segmentation/``,
``embedding/`` and ``plda/``. It is gated (CC-BY-4.0): a person accepts its terms and fetches it,
as `observer models list` says. Which of its voices is the teacher's is found as for every engine
(`models.diarization_clusters`).

Not exercised here: pyannote.audio imports torchaudio, which has no CPU build beside torch's, so
its loading and arithmetic were never run. What its documentation says comes out of a pipeline
(4.0: `DiarizeOutput.speaker_diarization`, a `pyannote.core.Annotation`) is read and tested.
"""

import os
from collections.abc import Callable, Mapping
from functools import cached_property
from importlib.metadata import version as version_of
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from models.devices import chosen_device
from models.diarization_clusters import ClusterDiarizer
from models.engine_folders import digest, find_folder
from models.whisper_torch import torch_threads
from observer.engines import OnProgress, SpeakerSpan
from observer.errors import EngineError
from observer.media import Audio
from observer.timeline import Span

NEEDED: Final = ("config.yaml",)
PIPELINES: Final = frozenset(
    {
        "pyannote.audio.pipelines.SpeakerDiarization",
        "pyannote.audio.pipelines.speaker_diarization.SpeakerDiarization",
    }
)
_STEPS: Final = {"segmentation": (0.0, 0.3), "embeddings": (0.3, 0.95)}
"""Steps that tell how far they are, and the share of the work before and after them."""


class PyannoteDiarizer(ClusterDiarizer):
    """Main voice and others, by `pyannote.audio.Pipeline`."""

    name = "pyannote"

    def __init__(
        self,
        *,
        model: str | Path = "auto",
        folder: Path | None = None,
        device: str = "auto",
        threads: int = 1,
    ) -> None:
        """`model`: a folder, a name in ``folder/pyannote``, or "auto". `device`: auto, cpu, cuda
        or cuda:n.
        """
        super().__init__(threads=threads)
        self.model = model
        self.folder = folder
        self.device = device

    @cached_property
    def weights(self) -> Path:
        """The folder in use. Raises MissingWeights."""
        return find_folder(self.name, self.model, self.folder, NEEDED)

    @property
    def version(self) -> str:
        """Library, weights and the GE2E part. Raises MissingWeights, EngineError."""
        weights = self.weights
        if find_spec("pyannote.audio") is None:
            raise _no_library("pyannote.audio is not installed")
        library = f"pyannote.audio {version_of('pyannote.audio')}"
        return ", ".join([library, weights.name, digest(weights), self._witness.version])

    @cached_property
    def _pipeline(self) -> Callable[..., Any]:
        config = self.weights / "config.yaml"
        library = _imported()
        check_config(config)
        import torch

        device = chosen_device(self.device, "torch", gpu=torch.cuda.is_available())
        pipeline = library.Pipeline.from_pretrained(str(self.weights))
        pipeline.to(torch.device(device))
        loaded: Callable[..., Any] = pipeline
        return loaded

    def turns(self, audio: Audio, on_progress: OnProgress) -> list[SpeakerSpan]:
        """See `ClusterDiarizer.turns`."""
        import torch

        pipeline = self._pipeline
        on_progress(0.0)
        reached = 0.0

        def hook(step: str, _artefact: object, **told: Any) -> None:
            nonlocal reached
            first, last = _STEPS.get(step, (reached, reached))
            share = (told.get("completed") or 0) / (told.get("total") or 1)
            reached = max(reached, first + (last - first) * min(1.0, share))
            on_progress(reached)

        whole = torch.from_numpy(audio.read(Span(0.0, audio.duration)))[None]
        with torch_threads(self.threads):
            found = pipeline({"waveform": whole, "sample_rate": Audio.RATE}, hook=hook)
        on_progress(1.0)
        return [
            SpeakerSpan(float(turn.start), float(turn.end), str(speaker), 1.0)
            for turn, _, speaker in found.speaker_diarization.itertracks(yield_label=True)
        ]


def _imported() -> Any:
    """The library `pyannote.audio`, its telemetry off: nothing leaves this machine."""
    os.environ["PYANNOTE_METRICS_ENABLED"] = "false"
    try:
        import pyannote.audio as library
    except (ImportError, OSError, RuntimeError, AttributeError) as cause:
        first_line = (str(cause).splitlines() or [type(cause).__name__])[0][:200]
        raise _no_library(first_line) from cause
    return library


def _no_library(reason: str) -> EngineError:
    return EngineError(
        en=f"--diarizer pyannote needs pyannote.audio, which cannot be loaded here ({reason}). It "
        "needs torch and torchaudio of one build (with a GPU: both for CUDA); PyPI's torchaudio "
        "does not load beside a CPU torch. On a CPU use --diarizer sherpa-onnx or ge2e.",
        zh=f"--diarizer pyannote 需要 pyannote.audio，但此处无法载入（{reason}）。它要求 torch 与 "
        "torchaudio 同一版本类型（有 GPU 时都用 CUDA 版）；PyPI 上的 torchaudio 无法与 CPU 版 "
        "torch 一起载入。在 CPU 上请用 --diarizer sherpa-onnx 或 ge2e。",
    )


def check_config(path: Path) -> None:
    """Refuse a pipeline that would run or fetch something else: its class and preprocessors are
    called by the names in this file, and names of weights outside the folder go to the hub.

    Raises EngineError.
    """
    import yaml  # type: ignore[import-untyped]

    try:
        config = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as cause:
        raise _unfit(path, type(cause).__name__) from cause
    pipeline = config.get("pipeline") if isinstance(config, Mapping) else None
    if not isinstance(pipeline, Mapping) or pipeline.get("name") not in PIPELINES:
        raise _unfit(path, "pipeline")
    if config.get("preprocessors"):
        raise _unfit(path, "preprocessors")
    parameters = pipeline.get("params") or {}
    for part in ("segmentation", "embedding", "plda"):
        if not str(parameters.get(part, "$model/")).startswith("$model/"):
            raise _unfit(path, part)


def _unfit(path: Path, what: str) -> EngineError:
    return EngineError(
        en=f"{path.parent.name}/config.yaml is not that of a pyannote speaker diarization that "
        f"lies whole in its folder ({what}). Take the hub's folder as it is.",
        zh=f"{path.parent.name}/config.yaml 不是完整存放在该文件夹中的 pyannote 说话人区分流程"
        f"（{what}）。请原样使用模型库中的文件夹。",
    )
