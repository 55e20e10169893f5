"""Single-speaker clips: a folder of them, where speech is in one, and other voices of it."""

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from observer.errors import UsageError
from observer.media import Audio
from observer.timeline import Seconds, Span

Wave = npt.NDArray[np.float64]
SOUND = (".flac", ".wav", ".opus", ".ogg", ".mp3")
RATE = Audio.RATE

FRAME, STEP = 400, 80
"""25 ms every 5 ms."""
PAUSE: Seconds = 0.3
"""Pauses from this length on part two phrases."""
BELOW_RMS = -32.0
"""Speech is what is louder than this under the whole clip's level: fitted to the truth of the
development lessons, 96 % of whose clips then fall into as many phrases."""
ABOVE_FLOOR = 10.0
"""`phrases` asks for this much over the clip's own noise, too."""


@dataclass(frozen=True, slots=True)
class Clip:
    """One file in which one person speaks."""

    path: Path
    speaker: str
    language: str


@dataclass(frozen=True, slots=True)
class Voice:
    """A speaker, raised or lowered by a factor: pitch and formants move together, so that one
    speaker gives several voices and an adult a child-like one."""

    speaker: str
    clips: tuple[Clip, ...]
    factor: float = 1.0


def read_clips(folder: Path) -> dict[str, tuple[Clip, ...]]:
    """Clips by speaker, in order of name.

    The speaker is what a file name begins with, up to a hyphen (LibriSpeech), or S with four
    digits (AISHELL), else the whole name; a folder called zh or en gives the language. Raises
    UsageError when there are none.
    """
    found: dict[str, list[Clip]] = {}
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in SOUND):
        marked = re.search(r"S\d{4}", path.stem)
        speaker = marked[0] if marked else path.stem.split("-")[0]
        language = "zh" if "zh" in path.parts else "en"
        found.setdefault(speaker, []).append(Clip(path, speaker, language))
    if len(found) < 2:
        raise UsageError(
            en=f"{folder} holds clips of {len(found)} speakers; a lesson needs at least two.",
            zh=f"{folder} 中只有 {len(found)} 位说话人的音频；模拟一节课至少需要两位。",
        )
    return {speaker: tuple(clips) for speaker, clips in sorted(found.items())}


@lru_cache(maxsize=600)
def read_sound(path: Path) -> npt.NDArray[np.float32]:
    """Samples (n,) at 16 kHz in -1..1; room responses are shorter than `decode` would take."""
    import av

    with av.open(str(path)) as file:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
        parts = [
            part.to_ndarray()[0]
            for frame in (*file.decode(audio=0), None)
            for part in resampler.resample(frame)
        ]
    sound: npt.NDArray[np.float32] = np.concatenate(parts).astype(np.float32) / 32768.0
    return sound


def spoken(clip: Clip, factor: float, longest: Seconds) -> tuple[Wave, list[Span], list[Span]]:
    """A clip cut to its speech: (samples at RMS 1, audible spans, phrases).

    Whole phrases are kept up to `longest` seconds, the first one in any case.
    """
    sound = raised(read_sound(clip.path), factor)
    heard = audible(sound) or [Span(0.0, len(sound) / RATE)]
    kept = [s for s in heard if s.end - heard[0].start <= longest] or heard[:1]
    start, end = kept[0].start, min(kept[-1].end, kept[0].start + max(longest, 0.3))
    wave = sound[round(start * RATE) : round(end * RATE)].astype(np.float64)
    wave /= max(float(np.sqrt(np.mean(wave**2))), 1e-6)
    ramp = np.linspace(0, 1, 80)
    wave[:80] *= ramp
    wave[-80:] *= ramp[::-1]
    heard = [Span(s.start - start, min(s.end, end) - start) for s in kept]
    return wave, heard, phrases(wave) or heard


def raised(sound: npt.NDArray[np.float32], factor: float) -> npt.NDArray[np.float32]:
    """The sound played `factor` times as fast."""
    if factor == 1.0:
        return sound
    at = np.arange(0, len(sound) - 1, factor)
    return np.asarray(np.interp(at, np.arange(len(sound)), sound), np.float32)


def audible(sound: npt.NDArray[np.floating]) -> list[Span]:
    """Where a clip is loud enough, as the development lessons mark it: `BELOW_RMS`.

    In a clip with audible noise that is all of it, its pauses and edges too: see `phrases`.
    """
    level = _levels(sound)
    return _louder(level, 10 * np.log10(np.mean(np.square(sound)) + 1e-12) + BELOW_RMS)


def phrases(sound: npt.NDArray[np.floating]) -> list[Span]:
    """Where a clip is audible over its own noise, too (its fifth percentile)."""
    level = _levels(sound)
    rms = 10 * np.log10(np.mean(np.square(sound)) + 1e-12)
    floor = float(np.percentile(level, 5)) if len(level) else rms
    return _louder(level, max(rms + BELOW_RMS, min(floor + ABOVE_FLOOR, rms - 8.0)))


def pitch(voice: Voice) -> float:
    """Median fundamental frequency in Hz of the voice's first clip (autocorrelation, 40 ms)."""
    sound = read_sound(voice.clips[0].path)[: 12 * RATE].astype(np.float64)
    found = []
    for start in range(0, len(sound) - 640, 320):
        part = sound[start : start + 640] - sound[start : start + 640].mean()
        correlation = np.correlate(part, part, "full")[639:]
        lags = correlation[40:230]  # 70-400 Hz
        best = int(np.argmax(lags))
        if correlation[0] > 1e-2 and lags[best] > 0.5 * correlation[0]:
            found.append(RATE / (40 + best))
    return voice.factor * float(np.median(found)) if found else 0.0


def _levels(sound: npt.NDArray[np.floating]) -> Wave:
    if len(sound) < FRAME:
        return np.zeros(0)
    power = np.concatenate([[0.0], np.cumsum(np.square(sound, dtype=np.float64))])
    first = np.arange(0, len(sound) - FRAME + 1, STEP)
    return np.asarray(10 * np.log10((power[first + FRAME] - power[first]) / FRAME + 1e-12))


def _louder(level: Wave, threshold: float) -> list[Span]:
    flags = np.concatenate([[0], (level > threshold).astype(np.int8), [0]])
    edges = np.flatnonzero(np.diff(flags)) * STEP / RATE
    found: list[Span] = []
    for start, last in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        end = last + (FRAME - STEP) / RATE
        if found and start - found[-1].end < PAUSE:
            found[-1] = Span(found[-1].start, end)
        elif end - start >= 0.1:
            found.append(Span(start, end))
    return found
