"""Speaking: one utterance from a speech synthesiser, cut to its audible part."""

import subprocess
import tempfile
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from models.synthesise.script import Voice
from observer.errors import EngineError

RATE = 16_000
STEP = 16
"""Samples in a millisecond: utterances begin and end on one, so the truth is exact in JSON."""

FRAME = 80
"""Samples in 5 ms, the grid on which sound and pause are told apart."""
AUDIBLE_DB = -38.0
"""Frames this far below the utterance's loudest frame are pause."""
PAUSE_S = 0.25
"""A shorter pause belongs to the phrase around it."""

Wave = npt.NDArray[np.float64]


class Speech(Protocol):
    """Something that speaks; tests have one that hums."""

    def speak(self, voice: Voice, text: str, sounds: Sequence[tuple[str, str]]) -> Wave:
        """One utterance, cut to its audible part, RMS 1 while audible."""
        ...

    def fitted(self, sound: Wave, seconds: float) -> Wave:
        """The same utterance, about `seconds` long."""
        ...


class Synthesisers:
    """The speech synthesisers on this machine: espeak-ng, flite, and sox for pitch and tempo."""

    def speak(self, voice: Voice, text: str, sounds: Sequence[tuple[str, str]] = ()) -> Wave:
        """See `speak`."""
        return speak(voice, text, sounds)

    def fitted(self, sound: Wave, seconds: float) -> Wave:
        """See `fitted`."""
        return fitted(sound, seconds)


def speak(voice: Voice, text: str, sounds: Sequence[tuple[str, str]] = ()) -> Wave:
    """`text` in `voice`: float64 (n,), 16 kHz, n a multiple of `STEP`, RMS 1 while audible.

    `sounds` replaces spellings by pronunciations first. Raises EngineError when a synthesiser
    is missing or fails.
    """
    for spelling, sound in sounds:
        text = text.replace(spelling, f" {sound} ")
    with tempfile.TemporaryDirectory() as folder:
        raw, shaped = Path(folder) / "raw.wav", Path(folder) / "shaped.wav"
        _run(_synthesis(voice, text, raw))
        # -D: no dither, the only thing random in sox
        effects = ["pitch", str(voice.cents)] if voice.cents else []
        _run(["sox", "-D", str(raw), "-r", str(RATE), str(shaped), *effects])
        return _trimmed(_read(shaped))


def fitted(sound: Wave, seconds: float) -> Wave:
    """The utterance at another tempo and the same pitch, `seconds` long (to 10 ms)."""
    factor = len(sound) / RATE / seconds
    with tempfile.TemporaryDirectory() as folder:
        raw, shaped = Path(folder) / "raw.wav", Path(folder) / "shaped.wav"
        _write(raw, sound)
        _run(["sox", "-D", str(raw), str(shaped), "tempo", "-s", f"{factor:.4f}"])
        return _trimmed(_read(shaped))


def phrases(sound: Wave) -> list[tuple[int, int]]:
    """Audible stretches (first, last) in samples, joined over pauses below `PAUSE_S`."""
    loud = np.flatnonzero(_audible(sound))
    if not len(loud):
        return []
    breaks = np.flatnonzero(np.diff(loud) * FRAME > PAUSE_S * RATE)
    firsts = [loud[0], *loud[breaks + 1]]
    lasts = [*loud[breaks], loud[-1]]
    ends = [min((int(last) + 1) * FRAME, len(sound)) for last in lasts]
    return [(int(first) * FRAME, end) for first, end in zip(firsts, ends, strict=True)]


def _synthesis(voice: Voice, text: str, out: Path) -> list[str]:
    if voice.engine == "flite":
        stretch = f"duration_stretch={voice.stretch}"
        return ["flite", "-voice", voice.voice, "--setf", stretch, "-t", text, "-o", str(out)]
    settings = ["-p", str(voice.pitch), "-s", str(voice.speed)]
    return ["espeak-ng", "-v", voice.voice, *settings, "-w", str(out), text]


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise EngineError(
            en=f"{command[0]} is not installed. On Debian: apt-get install espeak-ng flite sox.",
            zh=f"没有安装 {command[0]}。Debian 上请运行：apt-get install espeak-ng flite sox。",
        ) from error
    if done.returncode:
        raise EngineError(
            en=f"{command[0]} failed: {done.stderr.strip()}. Check the voice in the script.",
            zh=f"{command[0]} 出错：{done.stderr.strip()}。请检查脚本里的嗓音设置。",
        )


def _read(path: Path) -> Wave:
    with wave.open(str(path)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
    return samples.astype(np.float64) / 32768.0


def _write(path: Path, sound: Wave) -> None:
    peak = float(np.max(np.abs(sound)))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.round(sound / peak * 29_000).astype("<i2").tobytes())


def _audible(sound: Wave) -> npt.NDArray[np.bool_]:
    whole = len(sound) // FRAME * FRAME
    power = np.mean(sound[:whole].reshape(-1, FRAME) ** 2, axis=1)
    return np.asarray(power > power.max(initial=0.0) * 10 ** (AUDIBLE_DB / 10))


def _trimmed(sound: Wave) -> Wave:
    """Cut to the audible part, faded over 5 ms at both ends, at RMS 1 over audible frames."""
    stretches = phrases(sound)
    if not stretches:
        raise EngineError(
            en="A synthesiser gave silence. Check the voice and the text in the script.",
            zh="语音合成没有发出声音。请检查脚本里的嗓音和文字。",
        )
    cut = sound[stretches[0][0] : stretches[-1][1]]
    cut = cut[: len(cut) // STEP * STEP].copy()
    fade = np.linspace(0.0, 1.0, FRAME)
    cut[:FRAME] *= fade
    cut[-FRAME:] *= fade[::-1]
    voiced = np.repeat(_audible(cut), FRAME)
    loudness = float(np.sqrt(np.mean(cut[: len(voiced)][voiced] ** 2)))
    return np.asarray(cut / loudness)
