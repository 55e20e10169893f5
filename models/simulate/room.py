"""The room in which a simulated lesson is heard: distance, reverberation, noise."""

from pathlib import Path

import numpy as np

from models.simulate.clips import RATE, SOUND, Wave, read_sound
from models.simulate.lesson import TEACHER, Kind, Plan
from observer.timeline import Seconds

TEACHER_RMS = 10 ** (-24 / 20)
PEAK = 0.9
RESPONSES = ("rir", "impulse", "_sim_")
"""What the name of a file holds that is a room response and no noise."""
SHORTEST_NOISE: Seconds = 4.0
"""Shorter noises, looped, are a rhythm; noises must hold no speech."""
FAINTEST_DIRECT = 12.0
"""Responses whose whole energy is further over their direct sound, in dB, are of no classroom."""


def read_noises(folder: Path | None) -> tuple[list[Wave], list[Wave]]:
    """(noises, room responses of at most 3 s) of a folder; empty without one."""
    noises: list[Wave] = []
    responses: list[Wave] = []
    if folder is None:
        return noises, responses
    for path in sorted(p for p in folder.iterdir() if p.suffix.lower() in SOUND):
        is_response = any(mark in path.stem for mark in RESPONSES)
        sound = read_sound(path).astype(np.float64)
        if is_response and len(sound) < 3 * RATE:
            responses += _usable(sound)
        elif not is_response and len(sound) >= SHORTEST_NOISE * RATE:
            noises.append(sound)
    return noises, responses


def mix(
    plan: Plan, noises: list[Wave], responses: list[Wave], rng: np.random.Generator
) -> tuple[Wave, dict[str, float | None]]:
    """(the lesson as one microphone hears it, what was drawn: rt60 and snr_db)."""
    from scipy.signal import fftconvolve

    seconds = max(item.end for item in plan.soundings) + 1.0
    length = round(max(seconds, plan.clock + 1.0) * RATE)
    rt60 = float(rng.uniform(*plan.kind.reverberation))
    mixture = np.zeros(length)
    for speaker in sorted({item.speaker for item in plan.soundings}):
        track = np.zeros(length)
        for item in (i for i in plan.soundings if i.speaker == speaker):
            first = round(item.start * RATE)
            wave = item.wave[: length - first]
            track[first : first + len(wave)] += 10 ** (item.level / 20) * wave
        response = _response(rt60, 6.0 if speaker == TEACHER else 2.0, responses, rng)
        if response is not None:
            track = fftconvolve(track, response)[:length]
        mixture += track
    mixture *= TEACHER_RMS
    snr = _add_noise(mixture, plan.kind, noises, rng)
    return mixture * min(1.0, PEAK / float(np.abs(mixture).max())), {"rt60": rt60, "snr_db": snr}


def _response(
    rt60: Seconds, direct: float, responses: list[Wave], rng: np.random.Generator
) -> Wave | None:
    """A measured response for one voice in four, else noise that decays by 60 dB in `rt60`.

    `direct` is the energy of the direct sound over that of the decay, dB.
    """
    if rt60 <= 0:
        return None
    if responses and rng.random() < 0.25:
        return responses[int(rng.integers(len(responses)))]
    time = np.arange(round(rt60 * RATE)) / RATE
    tail = rng.standard_normal(len(time)) * 10 ** (-3 * time / rt60)
    tail[: round(0.003 * RATE)] = 0.0
    tail *= 10 ** (-(direct + rng.uniform(-2, 3)) / 20) / np.sqrt(np.sum(tail**2))
    tail[0] = 1.0
    return np.asarray(tail)


def _usable(sound: Wave) -> list[Wave]:
    """From the loudest sample on, with energy 1, so that neither time nor level moves."""
    direct = int(np.argmax(np.abs(sound)))
    energy = float(np.sum(sound[direct:] ** 2))
    if 10 * np.log10(energy / sound[direct] ** 2) > FAINTEST_DIRECT:
        return []
    return [sound[direct:] / np.sqrt(energy)]


def _add_noise(
    mixture: Wave, kind: Kind, noises: list[Wave], rng: np.random.Generator
) -> float | None:
    """Add steady pink noise or a recorded one in place; how far it is below the teacher, dB."""
    if kind.noise is None:
        return None
    snr = float(rng.uniform(*kind.noise))
    if noises and rng.random() < 0.5:
        chosen = noises[int(rng.integers(len(noises)))]
        noise = np.resize(chosen, len(mixture))
    else:
        spectrum = np.fft.rfft(rng.standard_normal(len(mixture)))
        hertz = np.fft.rfftfreq(len(mixture), 1 / RATE)
        noise = np.fft.irfft(spectrum / np.sqrt(np.maximum(hertz, 50.0)), len(mixture))
    mixture += (
        noise * TEACHER_RMS * 10 ** (-snr / 20) / max(float(np.sqrt(np.mean(noise**2))), 1e-9)
    )
    return snr
