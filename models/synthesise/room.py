"""The classroom: loudness, distance, a little reverberation and a quiet background."""

import numpy as np
from scipy.signal import fftconvolve

from models.synthesise.script import TEACHER
from models.synthesise.stage import Staged
from models.synthesise.voices import RATE, Wave

RT60_S = 0.25
"""A small furnished classroom; long enough to hear, short enough to stay easy."""
SNR_DB = 36.0
"""The teacher's loudness over the background noise."""
TEACHER_DBFS = -23.0
DIRECT_DB = {True: 16.0, False: 14.0}
"""Direct over reverberant energy, by whether the voice is the teacher's."""
PEAK = 0.89
CHORUS_DB = -5.0
BABBLE_DB = -4.0
"""What each voice gives up where many speak at once."""


def mix(staged: Staged) -> Wave:
    """The lesson as one microphone hears it: float64 (samples,), 16 kHz, |x| <= `PEAK`."""
    rng = np.random.default_rng(staged.script.seed + 1)
    mixture = _background(staged.samples, rng)
    mixture *= 10 ** ((TEACHER_DBFS - SNR_DB) / 20) / np.sqrt(np.mean(mixture**2))
    for name, voice in staged.script.voices.items():
        track = np.zeros(staged.samples)
        for sounding in staged.soundings:
            if sounding.speaker == name:
                gain = 10 ** ((voice.level + _together(sounding.kind) + TEACHER_DBFS) / 20)
                track[sounding.first : sounding.end] += gain * sounding.sound
        response = _response(DIRECT_DB[name == TEACHER], rng)
        mixture += fftconvolve(track, response)[: staged.samples]
    return mixture * min(1.0, PEAK / float(np.max(np.abs(mixture))))


def _together(kind: str) -> float:
    return {"speech": 0.0, "choral": CHORUS_DB, "groupwork": BABBLE_DB}[kind]


def _response(direct_db: float, rng: np.random.Generator) -> Wave:
    """Direct sound, then noise that decays by 60 dB in `RT60_S` and loses its treble."""
    seconds = np.arange(round(RT60_S * RATE)) / RATE
    tail = rng.standard_normal(len(seconds)) * 10 ** (-3 * seconds / RT60_S)
    tail[: round(0.004 * RATE)] = 0.0
    tail = np.convolve(tail, [0.25, 0.5, 0.25], "same")
    tail *= 10 ** (-direct_db / 20) / np.sqrt(np.sum(tail**2))
    tail[0] = 1.0
    return tail


def _background(samples: int, rng: np.random.Generator) -> Wave:
    """Pink noise without rumble: ventilation and a projector's fan."""
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    frequency = np.fft.rfftfreq(samples, 1 / RATE)
    spectrum /= np.sqrt(np.maximum(frequency, 60.0))
    spectrum[frequency < 60.0] = 0.0
    return np.fft.irfft(spectrum, samples)
