"""Crowds in the sound: stretches in which many voices speak at once.

Babble has a level that hardly moves: one voice leaves gaps between its syllables and phrases,
ten voices fill each other's. Three measures of that, over 3-s windows, go into a logistic
score (weights fitted on simulated lessons, see docs/decisions/0003-roles.md), which a running
median turns into stretches. Real classrooms may need other weights.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from observer.media import Audio
from observer.timeline import Seconds, Span

Floats = npt.NDArray[np.float64]

FRAME: Seconds = 0.02
WINDOW: Seconds = 3.0
HOP: Seconds = 0.5
MEDIAN = 15
"""Windows in the running median: 7.5 s."""
MINIMUM: Seconds = 8.0
NEAR = 0.1
"""A stretch goes on while the score stays above this."""

MEANS = np.array([8.50, 0.449, 12.34])
SCALES = np.array([5.03, 0.238, 4.35])
WEIGHTS = np.array([-5.82, -1.60, 2.68])
BIAS = -5.5
"""The fit gave -6.5; 1 more finds more of the quiet group work, and what it takes too much is one
voice that never pauses, which `models.roles` sorts out by the voice."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """A stretch of many voices, with the mean score of its windows as a probability."""

    start: Seconds
    end: Seconds
    probability: float
    abrupt: bool
    """Whether the voices set in together: the level reaches its median within half a second."""

    @property
    def span(self) -> Span:
        """The stretch."""
        return Span(self.start, self.end)


def crowds(audio: Audio) -> list[Crowd]:
    """Stretches of at least 8 s in which many voices speak at once, in order."""
    from scipy.ndimage import median_filter

    level = levels(audio)
    features = window_features(level)
    if len(features) == 0:
        return []
    score = BIAS + ((features - MEANS) / SCALES) @ WEIGHTS
    sharp = 1.0 / (1.0 + np.exp(-score))
    smooth = median_filter(sharp, MEDIAN, mode="nearest")
    near = median_filter(sharp, 3, mode="nearest") > NEAR
    found: list[Crowd] = []
    for first, last in runs(_extended(smooth > 0.5, near)):
        start = first * HOP + (WINDOW - HOP) / 2
        end = last * HOP + (WINDOW - HOP) / 2
        if end - start >= MINIMUM:
            start, abrupt = _onset(level, start)
            found.append(Crowd(start, end, float(smooth[first:last].mean()), abrupt))
    return found


def levels(audio: Audio) -> Floats:
    """Level of every 20-ms frame in dB full scale, shape (n,); silence is -90."""
    size = round(FRAME * audio.RATE)
    parts = [_level(block, size) for _, block in audio.blocks(60.0)]
    return np.concatenate(parts) if parts else np.zeros(0)


def loudness(level: Floats, centres: Floats, width: Seconds) -> Floats:
    """Mean power in dB of stretches of `width` around `centres`, from the `levels` of a sound."""
    size = round(width / FRAME)
    power = np.concatenate([[0.0], np.cumsum(10 ** (level / 10))])
    first = np.clip(np.round((centres - width / 2) / FRAME), 0, max(0, len(level) - size))
    first = first.astype(np.intp)
    last = np.minimum(first + size, len(level))
    return np.asarray(10 * np.log10((power[last] - power[first]) / size + 1e-9), np.float64)


def _level(block: npt.NDArray[np.float32], size: int) -> Floats:
    whole = block[: len(block) // size * size].reshape(-1, size).astype(np.float64)
    return np.asarray(10 * np.log10(np.mean(whole**2, axis=1) + 1e-9), np.float64)


def window_features(level: Floats) -> Floats:
    """Shape (windows, 3) for 3-s windows every 0.5 s.

    Standard deviation of the level (dB); depth of the 2-8 Hz modulation of the envelope
    (syllables); median level above the recording's floor, at most 15 dB.
    """
    width, hop = round(WINDOW / FRAME), round(HOP / FRAME)
    if len(level) < width:
        return np.zeros((0, 3))
    floor = float(np.percentile(level, 2))
    taper = np.hanning(width)
    rate = np.fft.rfftfreq(width, FRAME)
    syllables = (rate >= 2) & (rate <= 8)
    rows = []
    for start in range(0, len(level) - width + 1, hop):
        part = level[start : start + width]
        envelope = 10 ** (part / 20)
        envelope = envelope / envelope.mean() - 1
        power = np.abs(np.fft.rfft(envelope * taper)) ** 2
        depth = np.sqrt(2 * power[syllables].sum() / width / np.square(taper).sum())
        rows.append((part.std(), depth, min(float(np.median(part)) - floor, 15.0)))
    return np.array(rows)


def runs(flags: Sequence[bool] | npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """(first, past the last) index of every run of true values."""
    padded = np.concatenate([[False], np.asarray(flags, bool), [False]])
    edges = np.flatnonzero(np.diff(padded.astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _extended(seeds: npt.NDArray[np.bool_], near: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Seeds with the runs of `near` windows that touch them."""
    grown = seeds.copy()
    for first, last in runs(seeds | near):
        if seeds[first:last].any():
            grown[first:last] = True
    return grown


def _onset(level: Floats, start: Seconds) -> tuple[Seconds, bool]:
    """Sharpen the start of a crowd: (where its level sets in, whether it does so at once).

    3-s windows find a start up to 1.5 s late, so it is sought from 3 s before to 0.5 s after.
    """
    first = round(start / FRAME)
    target = float(np.median(level[first : first + 250])) - 6.0
    begin = max(0, first - 150)
    near = np.convolve(level[begin : first + 75], np.ones(5) / 5, "valid")
    quiet = np.flatnonzero(near[: first + 25 - begin] < target - 6.0)
    if len(quiet) == 0:
        return start, False
    onset = int(quiet[-1]) + 1
    loud = np.flatnonzero(near[onset:] > target)
    abrupt = bool(len(loud) and loud[0] * FRAME <= 0.5)
    return (begin + onset + 2) * FRAME, abrupt
