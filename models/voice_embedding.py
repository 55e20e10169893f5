"""GE2E voice embeddings: a unit vector of 256 numbers for every 1.6 s of speech.

Network and weights are those of Resemblyzer 0.1.4 (Apache-2.0), a three-layer LSTM trained
with the generalised end-to-end loss (Wan et al. 2018, arXiv:1710.10467). Its package needs
librosa and webrtcvad to be imported, so only the weight file inside the wheel is used and the
mel front end is written here to the same definition.
"""

import hashlib
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from observer.errors import EngineError, MissingWeights
from observer.media import Samples

if TYPE_CHECKING:
    import torch

Floats = npt.NDArray[np.float32]

RATE = 16_000
FFT = 400  # 25 ms
HOP = 160  # 10 ms
MELS = 40
WINDOW_FRAMES = 160  # 1.6 s, the length the network was trained on
SIZE = 256
HIDDEN = 256
LAYERS = 3


@lru_cache(maxsize=4)
def mel_filters(mels: int = MELS, fft: int = FFT, rate: int = RATE) -> Floats:
    """Triangular filters of shape (mels, fft // 2 + 1) on Slaney's mel scale, each of unit area.

    Linear up to 1 kHz at 200/3 Hz a mel, then 27 mels to a factor of 6.4 (Slaney's Auditory
    Toolbox, 1998): the default of librosa, with which the network was trained.
    """
    step, knee, log_step = 200.0 / 3, 1000.0, np.log(6.4) / 27.0
    top = knee / step + np.log((rate / 2) / knee) / log_step
    mel = np.linspace(0.0, top, mels + 2)
    hertz = np.where(mel < knee / step, mel * step, knee * np.exp(log_step * (mel - knee / step)))
    bins = np.arange(fft // 2 + 1) * rate / fft
    rising = (bins[None] - hertz[:-2, None]) / (hertz[1:-1] - hertz[:-2])[:, None]
    falling = (hertz[2:, None] - bins[None]) / (hertz[2:] - hertz[1:-1])[:, None]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    area = 2.0 / (hertz[2:] - hertz[:-2])
    return np.asarray(triangles * area[:, None], np.float32)


def mel_power(samples: Samples) -> Floats:
    """Mel power spectrogram of shape (1 + n // 160, 40): 25-ms Hann frames every 10 ms.

    Frame i is centred on sample 160 i, zeros beyond the ends; power, not its logarithm.
    """
    padded = np.pad(samples, FFT // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, FFT)[::HOP]
    hann = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FFT) / FFT)).astype(np.float32)
    power = np.abs(np.fft.rfft(frames * hann, axis=1)) ** 2
    return np.ascontiguousarray(power.astype(np.float32) @ mel_filters().T)


class VoiceEncoder:
    """The GE2E network; the weights load on first use and are shared by all threads."""

    def __init__(self, *, threads: int = 1, batch: int = 32) -> None:
        self.threads = threads
        self.batch = batch
        self._lock = Lock()
        self._network: tuple[torch.nn.LSTM, torch.nn.Linear] | None = None

    @property
    def version(self) -> str:
        """Name of the weights and the first 12 digits of their sha256."""
        return f"ge2e-resemblyzer-0.1.4+{_digest(_weights_file())}"

    def embed(self, mels: Floats) -> Floats:
        """Unit vectors of shape (n, 256) for mel windows of shape (n, frames, 40).

        Raises MissingWeights when the resemblyzer wheel is not installed.
        """
        import torch

        if len(mels) == 0:
            return np.zeros((0, SIZE), np.float32)
        lstm, linear = self._load()
        before = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        try:
            with torch.inference_mode():
                parts = [
                    self._forward(lstm, linear, torch.from_numpy(mels[i : i + self.batch]))
                    for i in range(0, len(mels), self.batch)
                ]
        finally:
            torch.set_num_threads(before)
        return np.concatenate(parts)

    @staticmethod
    def _forward(lstm: Any, linear: Any, mels: "torch.Tensor") -> Floats:
        _, (hidden, _) = lstm(mels)
        raw = linear(hidden[-1]).relu()
        unit: Floats = (raw / raw.norm(dim=1, keepdim=True).clamp_min(1e-6)).numpy()
        return unit

    def _load(self) -> "tuple[torch.nn.LSTM, torch.nn.Linear]":
        with self._lock:
            if self._network is None:
                self._network = _read_network(_weights_file())
            return self._network


def _weights_file() -> Path:
    """The weight file inside the resemblyzer wheel, found without importing the package."""
    found = find_spec("resemblyzer")
    folders = found.submodule_search_locations if found else None
    path = Path(folders[0], "pretrained.pt") if folders else None
    if path is None or not path.is_file():
        raise MissingWeights(
            en="The voice weights are missing: install the package with "
            "`pip install --no-deps resemblyzer==0.1.4`.",
            zh="缺少声纹模型权重：请用 `pip install --no-deps resemblyzer==0.1.4` 安装。",
        )
    return path


@lru_cache(maxsize=2)
def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def _read_network(path: Path) -> "tuple[torch.nn.LSTM, torch.nn.Linear]":
    import torch

    lstm = torch.nn.LSTM(MELS, HIDDEN, LAYERS, batch_first=True)
    linear = torch.nn.Linear(HIDDEN, SIZE)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)["model_state"]
        for name, module in (("lstm.", lstm), ("linear.", linear)):
            module.load_state_dict(
                {k.removeprefix(name): v for k, v in state.items() if k.startswith(name)}
            )
    except (KeyError, RuntimeError, EOFError, ValueError) as error:
        raise EngineError(
            en=f"The voice weights {path.name} are damaged ({error}): "
            "reinstall resemblyzer==0.1.4.",
            zh=f"声纹模型权重 {path.name} 已损坏（{error}）：请重新安装 resemblyzer==0.1.4。",
        ) from error
    return lstm.eval(), linear.eval()
