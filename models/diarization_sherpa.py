"""Telling voices apart by sherpa-onnx: pyannote's segmentation and a speaker embedding, as ONNX.

Every 10 s (a tenth of it further each time) a network tells up to three local speakers and their
overlaps; each of them becomes an embedding; embeddings are clustered over the lesson. It runs on
a CPU and needs neither torchaudio nor a network. Which cluster is the teacher's is found as for
every engine (`models.diarization_clusters`). The extra `sherpa` installs the library; the two
models are folders on this machine (`observer models pull pyannote-segmentation campplus-zh`).

Exercised with made-up models only: no weights are at hand here, so how well it tells voices
apart in classrooms was not measured.
"""

from collections.abc import Mapping
from functools import cached_property
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any, Final

import numpy as np

from models.devices import chosen_device
from models.diarization_clusters import ClusterDiarizer
from models.engine_folders import how_to_get, require
from models.weights_store import named
from observer.engines import OnProgress, SpeakerSpan
from observer.errors import EngineError, MissingWeights
from observer.files import sha256_of
from observer.media import Audio
from observer.timeline import Seconds, Span

SEGMENTATION: Final = "pyannote-segmentation"
EMBEDDING: Final = "campplus-zh"
_WANTED: Final[Mapping[str, frozenset[str]]] = {
    SEGMENTATION: frozenset(
        "sample_rate window_size receptive_field_size receptive_field_shift num_speakers "
        "powerset_max_classes num_classes".split()
    ),
    EMBEDDING: frozenset("framework language output_dim sample_rate normalize_samples".split()),
}
"""What sherpa-onnx reads out of a model. It ends the whole program when something lacks, so that
it is looked for before."""
_FRAMEWORKS: Final = ("3d-speaker", "wespeaker")
MOST_CHUNKS: Final = 4000
"""Chunks of a lesson at most: clustering holds the square of two or three times as many."""


class SherpaDiarizer(ClusterDiarizer):
    """Main voice and others, by sherpa-onnx's `OfflineSpeakerDiarization`."""

    name = "sherpa-onnx"

    def __init__(
        self,
        *,
        folder: Path | None = None,
        segmentation: Path | None = None,
        embedding: Path | None = None,
        threshold: float = 0.5,
        device: str = "auto",
        threads: int = 1,
    ) -> None:
        """`segmentation`, `embedding`: .onnx files; None: those in ``folder/sherpa-onnx``.
        `threshold`: cosine distance up to which two embeddings are one voice's. `device`: the
        wheel computes on a CPU; "cuda" needs a build of sherpa-onnx for it.
        """
        super().__init__(threads=threads)
        self.folder = folder
        self.given = {SEGMENTATION: segmentation, EMBEDDING: embedding}
        self.threshold = threshold
        self.device = device

    @property
    def version(self) -> str:
        """Library, weights, settings and the GE2E part. Raises MissingWeights, EngineError."""
        require("sherpa_onnx", self.name, "sherpa")
        parts = [
            f"{path.parent.name}/{path.name} sha256:{sha256_of(path)[:12]}"
            for path in self._files.values()
        ]
        library = f"sherpa-onnx {version_of('sherpa-onnx')}"
        return ", ".join([library, *parts, f"threshold {self.threshold}", self._witness.version])

    @cached_property
    def _files(self) -> dict[str, Path]:
        """The two models. Raises MissingWeights."""
        found = {kind: self._file(kind) for kind in _WANTED}
        lacking = [kind for kind, path in found.items() if path is None]
        if lacking:
            raise _missing(lacking)
        return {kind: path for kind, path in found.items() if path is not None}

    def _file(self, kind: str) -> Path | None:
        """The file that was named, else the model in ``folder/sherpa-onnx/KIND``."""
        given = self.given[kind]
        if given is not None:
            return given if given.is_file() else None
        place = self.folder / "sherpa-onnx" / kind if self.folder else None
        found = sorted(place.glob("*.onnx")) if place and place.is_dir() else []
        return found[0] if found else None

    def turns(self, audio: Audio, on_progress: OnProgress) -> list[SpeakerSpan]:
        """See `ClusterDiarizer.turns`."""
        engine = self._engine(audio.duration)
        on_progress(0.0)

        def told(done: int, of: int) -> int:
            on_progress(done / of)
            return 0

        whole = np.ascontiguousarray(audio.read(Span(0.0, audio.duration)), np.float32)
        found = engine.process(whole, callback=told).sort_by_start_time()
        on_progress(1.0)
        return [
            SpeakerSpan(float(s.start), max(float(s.start), float(s.end)), str(s.speaker), 1.0)
            for s in found
        ]

    def _engine(self, duration: Seconds) -> Any:
        require("sherpa_onnx", self.name, "sherpa")
        import sherpa_onnx as s

        told = {kind: described(path, kind) for kind, path in self._files.items()}
        window = int(told[SEGMENTATION]["window_size"]) / Audio.RATE
        common = {"num_threads": self.threads, "provider": self._provider()}
        pyannote = s.OfflineSpeakerSegmentationPyannoteModelConfig(
            model=str(self._files[SEGMENTATION]),
            window_shift_ratio=shift_ratio(duration, window),
        )
        config = s.OfflineSpeakerDiarizationConfig(
            segmentation=s.OfflineSpeakerSegmentationModelConfig(pyannote=pyannote, **common),
            embedding=s.SpeakerEmbeddingExtractorConfig(
                model=str(self._files[EMBEDDING]), **common
            ),
            clustering=s.FastClusteringConfig(num_clusters=-1, threshold=self.threshold),
        )
        try:
            return s.OfflineSpeakerDiarization(config)
        except (RuntimeError, ValueError) as cause:
            raise _unreadable("sherpa-onnx", cause) from cause

    def _provider(self) -> str:
        chosen = "cpu" if self.device == "auto" else chosen_device(self.device, self.name, gpu=True)
        return "cuda" if chosen.startswith("cuda") else "cpu"


def shift_ratio(duration: Seconds, window: Seconds) -> float:
    """Step of the windows as a share of their length: a tenth, more in recordings of hours."""
    return min(1.0, max(0.1, duration / (MOST_CHUNKS * window)))


def described(path: Path, kind: str) -> dict[str, str]:
    """What an ONNX model says of itself. Raises EngineError for one that is no such model."""
    import onnxruntime as ort
    from onnxruntime.capi import onnxruntime_pybind11_state as failed

    try:
        session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except (failed.InvalidProtobuf, failed.Fail, failed.InvalidGraph, failed.NoSuchFile) as cause:
        raise _unreadable(path.name, cause) from cause
    told: dict[str, str] = session.get_modelmeta().custom_metadata_map
    lacking = sorted(_WANTED[kind] - told.keys())
    if "framework" in told and told["framework"] not in _FRAMEWORKS:
        lacking.append(f"framework={'|'.join(_FRAMEWORKS)}")
    if told.get("sample_rate", "16000") != "16000":
        lacking.append("sample_rate=16000")
    if lacking:
        raise EngineError(
            en=f"{path.name} is no {kind} model that sherpa-onnx reads: its description lacks "
            f"{', '.join(lacking)}. Use one of `observer models list`.",
            zh=f"{path.name} 不是 sherpa-onnx 可用的 {kind} 模型：其说明缺少 {'、'.join(lacking)}。"
            "请使用 `observer models list` 中的模型。",
        )
    return told


def _unreadable(name: str, cause: Exception) -> EngineError:
    first_line = (str(cause).splitlines() or [type(cause).__name__])[0][:200]
    return EngineError(
        en=f"The voice models cannot be loaded: {name} ({first_line}). `observer models check` "
        "tells whether their files are whole.",
        zh=f"无法载入声音模型 {name}（{first_line}）。"
        "可用 `observer models check` 检查文件是否完整。",
    )


def _missing(kinds: list[str]) -> MissingWeights:
    en, zh = how_to_get(*(named(f"sherpa-onnx/{kind}") for kind in kinds))
    return MissingWeights(
        en=f"--diarizer sherpa-onnx needs {' and '.join(kinds)}, and nothing is downloaded "
        f"unasked. {en} --diarizer ge2e needs no weights.",
        zh=f"--diarizer sherpa-onnx 需要 {'、'.join(kinds)}，程序不会擅自下载。{zh}"
        "--diarizer ge2e 不需要权重。",
    )
