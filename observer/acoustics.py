"""What can be measured of a recording's sound: level, background, spectrum, decay, clipping.

One pass over short frames (32 ms, Hann, every 16 ms) that keeps only histograms and sums, so
memory does not grow with the length. Levels count what lies above 125 Hz: hum and rumble are no
speech. 45 minutes take 0.7 CPU seconds.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from observer.media import Audio, Samples
from observer.timeline import Seconds, Span, union

_WINDOW, _HOP = 512, 256
_BLOCK = 1875 * _HOP  # 30 s
_LOWEST_BIN = 4  # 125 Hz
_HERTZ = Audio.RATE / _WINDOW
_BEFORE: Seconds = 0.1
_AFTER: Seconds = 0.3
"""Background is what lies this far from speech: onsets and fading rooms stay out of it."""
_DIGITAL_SILENCE = -90.0
"""dBFS under which there is no background at all: a gate or a codec has cut it away."""
_BANDS = ((300, 700), (700, 1200), (1200, 2000), (2000, 3200))
"""Hertz; the bands in which speech is strong in every voice."""
_LAG = 6
"""Frames over which a fall is measured: 96 ms."""
_HEADROOM = 25.0
"""dB above a band's quiet level from which a fall counts: it can then be seen through noise."""
_FEWEST_FALLS = 200
_LEVELS = np.arange(-120.0, 0.5, 0.5)
_FALLS = np.arange(0.0, 1010.0, 5.0)

Floats = npt.NDArray[np.floating]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Acoustics:
    """Measurements; levels in dBFS (RMS), None where there was nothing to measure."""

    speech_level: float | None
    background: float | None
    """10th percentile of the level away from speech; None too where it is digital silence."""
    speech_near_background: float | None
    """Share of the frames in speech that are less than 10 dB above the background."""
    clipped: float
    """Share of samples at or above .98 of full scale (lossy codecs blur what was clipped)."""
    bandwidth: float | None
    """Hertz; highest frequency whose mean speech energy is within 50 dB of the strongest and
    3 dB above the background's."""
    decay: float | None
    """dB a second; how fast the quickest tenth of the falls of speech are (in four bands, over
    96 ms). A room's echo hides quick falls: cf. Wen, Habets and Naylor, "Blind estimation of
    reverberation time based on the distribution of signal decay rates", ICASSP 2008."""
    levels: tuple[float, ...]
    """Share of all frames under each whole dBFS from -120 to 0: 121 values."""

    @property
    def snr(self) -> float | None:
        """Speech over background, dB; the background within the speech is taken off first."""
        if self.speech_level is None or self.background is None:
            return None
        ratio = 10 ** ((self.speech_level - self.background) / 10) - 1
        return float(10 * np.log10(max(ratio, 0.01)))

    def share_below(self, level: int) -> float:
        """Share of the recording that is quieter than a whole number of dBFS, -120 … 0."""
        return self.levels[level + 120]


def measure_acoustics(audio: Audio, speech: Sequence[Span]) -> Acoustics:
    """Measure a recording in which `speech` is where speech was found."""
    sums = _Sums()
    heard = union(speech)
    near = union(Span(max(0.0, s.start - _BEFORE), s.end + _AFTER) for s in heard)
    for first, samples in _blocks(audio):
        power = _power(samples)
        times = (first + np.arange(len(power)) * _HOP + _WINDOW / 2) / Audio.RATE
        sums.add(power, _inside(times, heard), ~_inside(times, near))
        own = samples[: len(samples) - _HOP] if len(samples) > _BLOCK else samples
        sums.clipped += int(np.count_nonzero(np.abs(own) >= 0.98))
    return sums.result(len(audio.samples))


class _Sums:
    """What is kept of the frames: histograms and mean spectra."""

    def __init__(self) -> None:
        self.clipped = 0
        self._levels = np.zeros((3, len(_LEVELS)))
        """Histograms of the level: all, speech, background."""
        self._spectra = np.zeros((2, _WINDOW // 2 + 1))
        """Summed power: speech, background."""
        self._energy = 0.0
        self._band_levels = np.zeros((len(_BANDS), len(_LEVELS)))
        self._falls = np.zeros((len(_BANDS), len(_LEVELS), len(_FALLS)))
        """By band: the level that a fall began at, and how fast it was."""

    def add(self, power: Floats, in_speech: Mask, in_background: Mask) -> None:
        """Add frames of shape (n, 257)."""
        energy = power[:, _LOWEST_BIN:].sum(axis=1)
        bins = _level_bins(_decibels(energy))
        for row, mask in enumerate((np.ones(len(bins), bool), in_speech, in_background)):
            self._levels[row] += np.bincount(bins[mask], minlength=len(_LEVELS))
        self._spectra += np.stack([power[in_speech].sum(0), power[in_background].sum(0)])
        self._energy += float(energy[in_speech].sum())
        for band, (low, high) in enumerate(_BANDS):
            columns = slice(round(low / _HERTZ), round(high / _HERTZ))
            self._add_band(band, _decibels(power[:, columns].sum(axis=1)), in_speech)

    def _add_band(self, band: int, level: Floats, in_speech: Mask) -> None:
        bins = _level_bins(level)
        self._band_levels[band] += np.bincount(bins, minlength=len(_LEVELS))
        if len(level) <= _LAG:
            return
        fall = (level[:-_LAG] - level[_LAG:]) / (_LAG * _HOP / Audio.RATE)
        counts = in_speech[:-_LAG] & (fall > 0)
        speed = np.minimum(fall[counts] / 5, len(_FALLS) - 1).astype(np.int64)
        index = bins[:-_LAG][counts] * len(_FALLS) + speed
        size = len(_LEVELS) * len(_FALLS)
        self._falls[band] += np.bincount(index, minlength=size).reshape(self._falls[band].shape)

    def result(self, samples: int) -> Acoustics:
        """The measurements of all frames that were added."""
        everything, speech, background = self._levels
        quiet = _percentile(background, _LEVELS, 0.1) if background.sum() >= 60 else None
        quiet = None if quiet is None or quiet < _DIGITAL_SILENCE else quiet
        shares = np.concatenate([[0.0], np.cumsum(everything)[:-1]]) / max(1.0, everything.sum())
        level = float(_decibels(np.array(self._energy / speech.sum()))) if speech.any() else None
        return Acoustics(
            speech_level=level,
            background=quiet,
            speech_near_background=None
            if quiet is None or not speech.any()
            else float(speech[quiet + 10 > _LEVELS].sum() / speech.sum()),
            clipped=self.clipped / max(1, samples),
            bandwidth=self._bandwidth(speech.sum(), background.sum()),
            decay=self._decay(),
            levels=tuple(float(share) for share in shares[::2]),
        )

    def _bandwidth(self, speech: float, background: float) -> float | None:
        if speech == 0:
            return None
        smooth = np.ones(7) / 7  # over 220 Hz: between the harmonics of any voice
        heard = np.convolve(self._spectra[0] / speech, smooth, "same")
        behind = np.convolve(self._spectra[1] / max(1.0, background), smooth, "same")
        carries = (heard > heard[_LOWEST_BIN:].max() * 1e-5) & (heard > 2 * behind)
        return float(np.flatnonzero(carries).max() * _HERTZ) if carries.any() else None

    def _decay(self) -> float | None:
        falls = np.zeros(len(_FALLS))
        for band, levels in enumerate(self._band_levels):
            quiet = _percentile(levels, _LEVELS, 0.1)
            falls += self._falls[band][quiet + _HEADROOM < _LEVELS].sum(axis=0)
        return _percentile(falls, _FALLS, 0.9) if falls.sum() >= _FEWEST_FALLS else None


def _blocks(audio: Audio) -> Iterator[tuple[int, Samples]]:
    """(first sample, samples) of blocks that share half a frame, so that no frame is lost."""
    for first in range(0, len(audio.samples), _BLOCK):
        start, end = first / Audio.RATE, (first + _BLOCK + _HOP) / Audio.RATE
        yield first, audio.read(Span(start, end))


def _power(samples: Samples) -> Floats:
    """Power spectra of shape (frames, 257), scaled so that their sum is the mean square."""
    if len(samples) < _WINDOW:
        samples = np.pad(samples, (0, _WINDOW - len(samples)))
    window = np.hanning(_WINDOW + 1)[:-1].astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(samples, _WINDOW)[::_HOP]
    spectra = np.fft.rfft(frames * window, axis=1)
    power: Floats = (spectra.real**2 + spectra.imag**2) * (2 / (_WINDOW * (window**2).sum()))
    return power


def _inside(times: Floats, spans: Sequence[Span]) -> Mask:
    """Which of the rising times lie in one of the disjoint, ordered spans."""
    mask = np.zeros(len(times), bool)
    edges = np.array([[span.start, span.end] for span in spans]).reshape(-1, 2)
    firsts, lasts = np.searchsorted(times, edges[:, 0]), np.searchsorted(times, edges[:, 1])
    for first, last in zip(firsts, lasts, strict=True):
        mask[first:last] = True
    return mask


def _decibels(power: Floats) -> Floats:
    level: Floats = 10 * np.log10(power + 1e-12)
    return level


def _level_bins(level: Floats) -> npt.NDArray[np.int64]:
    """Index into `_LEVELS` of the bin that starts at or under each level."""
    return np.clip((level + 120) * 2, 0, len(_LEVELS) - 1).astype(np.int64)


def _percentile(histogram: Floats, values: Floats, share: float) -> float:
    """The value under which `share` of a histogram lies, to one bin."""
    return float(values[np.searchsorted(np.cumsum(histogram), share * histogram.sum())])
