"""Short choral answers: whether a few seconds of student talk are one voice or the class.

Many voices at one time have no common pitch and fill one another's gaps, so their sound is less
periodic and its syllables are shallower than one voice's in the same room. Both are measured
against the teacher's stretches of the same lesson, as reverberation does the same to everybody.
Weights from simulated lessons (docs/decisions/0003-roles.md); long choirs are crowds
(`models.activity`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from observer.media import Audio
from observer.timeline import Seconds, Span

Floats = npt.NDArray[np.float64]

SHORTEST: Seconds = 0.5
LONGEST: Seconds = 12.0
SURE = 0.5
"""From this probability on a stretch is a choir's."""
REFERENCES = 25
REFERENCE: Seconds = 8.5
"""So many of the teacher's stretches are measured, and so much of each."""
STEP, FRAME = 320, 640
"""20 ms, 40 ms."""
LAGS = slice(40, 230)
"""70 to 400 Hz."""
WEIGHTS = np.array([-9.97, -16.14, 1.68])
BIAS = -8.23
"""Log-odds per unit of periodicity and depth above the teacher's, and per e-fold of length."""


@dataclass(frozen=True, slots=True)
class Sound:
    """How much a stretch sounds like one voice."""

    periodicity: float
    """80th percentile, over the louder frames, of the highest autocorrelation at a voice's pitch:
    1 is a pure tone."""
    depth: float
    """Depth of the 2-8 Hz modulation of the envelope."""


def chorus(audio: Audio, stretches: Sequence[Span], taught: Sequence[Span]) -> list[float]:
    """Probability that each stretch is spoken by many voices; 0 where it cannot be said.

    `taught` are the teacher's stretches; without one of at least 1.2 s nothing can be said.
    """
    long = [
        Span(span.start, min(span.end, span.start + REFERENCE))
        for span in taught
        if span.duration > 1.2
    ][:REFERENCES]
    if not long:
        return [0.0] * len(stretches)
    known = [sound_of(audio, span) for span in long]
    usual = Sound(
        float(np.median([k.periodicity for k in known])), float(np.median([k.depth for k in known]))
    )
    return [_probability(audio, span, usual) for span in stretches]


def sound_of(audio: Audio, span: Span) -> Sound:
    """Periodicity and depth of a stretch of at least 0.2 s."""
    samples = audio.read(span).astype(np.float64)
    frames = np.lib.stride_tricks.sliding_window_view(samples, FRAME)[::STEP]
    frames = frames - frames.mean(axis=1, keepdims=True)
    level = 10 * np.log10(np.mean(frames**2, axis=1) + 1e-9)
    power = np.abs(np.fft.rfft(frames, 2048)) ** 2
    correlation = np.fft.irfft(power)[:, :FRAME]
    lags = np.arange(FRAME)[LAGS]
    shares = correlation[:, LAGS] / (correlation[:, :1] + 1e-12) * FRAME / (FRAME - lags)
    loud = level > np.percentile(level, 40)
    best = shares.max(axis=1)[loud] if loud.any() else shares.max(axis=1)
    return Sound(float(np.percentile(best, 80)), _depth(level))


def _depth(level: Floats) -> float:
    envelope = 10 ** (level / 20)
    envelope = envelope / envelope.mean() - 1
    taper = np.hanning(len(envelope))
    power = np.abs(np.fft.rfft(envelope * taper)) ** 2
    rate = np.fft.rfftfreq(len(envelope), STEP / Audio.RATE)
    syllables = power[(rate >= 2) & (rate <= 8)].sum()
    return float(np.sqrt(2 * syllables / len(envelope) / max(np.square(taper).sum(), 1e-9)))


def _probability(audio: Audio, span: Span, usual: Sound) -> float:
    if not SHORTEST <= span.duration <= LONGEST:
        return 0.0
    sound = sound_of(audio, span)
    differences = [sound.periodicity - usual.periodicity, sound.depth - usual.depth]
    score = BIAS + np.array([*differences, np.log(span.duration)]) @ WEIGHTS
    return float(1.0 / (1.0 + np.exp(-score)))
