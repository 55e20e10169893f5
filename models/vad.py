"""Voice activity: the silero network in blocks, and the stretches its probabilities make."""

from collections.abc import Iterator
from functools import lru_cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from models.edges import followed
from observer.engines import OnProgress, ignore_progress
from observer.errors import MissingWeights
from observer.media import Audio, Samples
from observer.timeline import Seconds, Span, union

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

FRAME = 512
"""Samples in one frame of the network: 32 ms."""
CONTEXT = 64
"""Samples of the frame before that the network also sees."""
BLOCK_FRAMES = 512
"""Frames in one call: 16.4 s, so memory does not grow with the recording."""
FRAME_SECONDS: Seconds = FRAME / Audio.RATE


class SileroVad:
    """silero-vad 6 (MIT): the sequence export for 16 kHz, its state carried between blocks.

    `threshold` opens a stretch, `threshold` - 0.15 closes it (the library's hysteresis);
    `minimum_speech` and `minimum_silence` are seconds. `offset_bias` is how many seconds late
    the network lets go of a voice: on lessons whose phrases have measured ends the median
    was 0.05-0.06 s in two reverberant lessons and 0.09-0.18 s in dry ones (onsets: from 0.02 s
    early to 0.03 s late), so the least of it is taken off every end. From there the edges are
    followed outwards through what is heard (`models.edges`), and `pad` is added on both sides,
    as silero does by default; see docs/decisions/0003-roles.md.
    """

    name = "silero"

    def __init__(
        self,
        *,
        threshold: float = 0.35,
        minimum_speech: Seconds = 0.25,
        minimum_silence: Seconds = 0.1,
        offset_bias: Seconds = 0.06,
        pad: Seconds = 0.03,
        threads: int = 1,
    ) -> None:
        self.threshold = threshold
        self.minimum_speech = minimum_speech
        self.minimum_silence = minimum_silence
        self.offset_bias = offset_bias
        self.pad = pad
        self.threads = threads
        self._lock = Lock()
        self._session: InferenceSession | None = None

    @property
    def version(self) -> str:
        """Version of silero-vad, of our edges, and the first 12 digits of the weights' sha256."""
        try:
            return f"{version('silero-vad')}+edges1+{_digest(_weights_file())}"
        except PackageNotFoundError as error:
            raise _missing() from error

    def speech(self, audio: Audio, on_progress: OnProgress = ignore_progress) -> list[Span]:
        """Disjoint stretches of speech in order.

        Raises MissingWeights when silero-vad is not installed.
        """
        probabilities = self.probabilities(audio, on_progress)
        stretches = hysteresis(
            probabilities,
            opens=self.threshold,
            closes=max(0.01, self.threshold - 0.15),
            minimum_speech=self.minimum_speech,
            minimum_silence=self.minimum_silence,
        )
        sure = [
            Span(span.start, max(span.start, min(span.end - self.offset_bias, audio.duration)))
            for span in stretches
        ]
        return union(
            Span(max(0.0, span.start - self.pad), min(audio.duration, span.end + self.pad))
            for span in followed(audio, sure)
        )

    def probabilities(
        self, audio: Audio, on_progress: OnProgress = ignore_progress
    ) -> npt.NDArray[np.float32]:
        """Probability of speech in every 32-ms frame, shape (ceil(n / 512),)."""
        session = self._load()
        gain = _gain(audio)
        hidden = cell = np.zeros((1, 1, 128), np.float32)
        found: list[npt.NDArray[np.float32]] = []
        for share, frames in _frame_blocks(audio, gain):
            values, hidden, cell = session.run(
                ["speech_probs", "hn", "cn"], {"input": frames, "h": hidden, "c": cell}
            )
            found.append(np.asarray(values, np.float32).reshape(-1))
            on_progress(share)
        return np.concatenate(found) if found else np.zeros(0, np.float32)

    def _load(self) -> "InferenceSession":
        with self._lock:
            if self._session is None:
                import onnxruntime

                options = onnxruntime.SessionOptions()
                options.intra_op_num_threads = self.threads
                options.inter_op_num_threads = 1
                self._session = onnxruntime.InferenceSession(
                    str(_weights_file()), options, providers=["CPUExecutionProvider"]
                )
            return self._session


def hysteresis(
    probabilities: npt.NDArray[np.float32],
    *,
    opens: float,
    closes: float,
    minimum_speech: Seconds = 0.0,
    minimum_silence: Seconds = 0.0,
    frame: Seconds = FRAME_SECONDS,
) -> list[Span]:
    """Stretches that start at a frame ≥ `opens` and end where frames stay < `closes`.

    A dip shorter than `minimum_silence` does not end a stretch; stretches not longer than
    `minimum_speech` are dropped.
    """
    spans: list[Span] = []
    start = quiet = -1
    for i, value in enumerate(probabilities.tolist()):
        if value >= opens:
            start, quiet = (i if start < 0 else start), -1
        elif value < closes and start >= 0:
            quiet = i if quiet < 0 else quiet
            if (i - quiet) * frame >= minimum_silence:
                spans.append(Span(start * frame, quiet * frame))
                start = quiet = -1
    if start >= 0:
        spans.append(Span(start * frame, len(probabilities) * frame))
    return [span for span in spans if span.duration > minimum_speech]


def _gain(audio: Audio) -> float:
    """Factor that brings the louder half of the seconds to -26 dBFS RMS, at most +60 dB.

    The network is even from -16 to -56 dBFS and loses half of the speech at -66 (measured).
    """
    power = np.array([float(np.mean(np.square(block))) for _, block in audio.blocks(1.0)])
    if len(power) == 0:
        return 1.0
    loud = float(np.sqrt(np.mean(power[power >= np.median(power)])))
    return min(1000.0, 10 ** (-26 / 20) / loud) if loud > 0 else 1.0


def _frame_blocks(audio: Audio, gain: float) -> Iterator[tuple[float, Samples]]:
    """(finished share, frames of shape (≤ 512, 64 + 512)): each frame after its context."""
    context = np.zeros(CONTEXT, np.float32)
    for start, block in audio.blocks(BLOCK_FRAMES * FRAME_SECONDS):
        padded = np.pad(block, (0, -len(block) % FRAME)) * np.float32(gain)
        frames = padded.reshape(-1, FRAME)
        before = np.vstack([context[None], frames[:-1, -CONTEXT:]])
        context = frames[-1, -CONTEXT:]
        share = min(1.0, (start + len(block) / Audio.RATE) / audio.duration)
        yield share, np.hstack([before, frames])


def _weights_file() -> Path:
    """The network inside the silero-vad wheel, found without importing it (it loads torch)."""
    found = find_spec("silero_vad")
    folders = found.submodule_search_locations if found else None
    path = Path(folders[0], "data", "silero_vad_16k_sequence.onnx") if folders else None
    if path is None or not path.is_file():
        raise _missing()
    return path


def _missing() -> MissingWeights:
    return MissingWeights(
        en="The voice-activity weights are missing: install the package with "
        "`pip install silero-vad`.",
        zh="缺少语音活动检测模型：请用 `pip install silero-vad` 安装。",
    )


@lru_cache(maxsize=2)
def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()[:12]
