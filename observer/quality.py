"""The audio-quality gate: it warns, widens intervals or refuses, with the reason."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from observer.acoustics import Acoustics, measure_acoustics
from observer.errors import UnobservableRecording
from observer.media import Audio, Recording
from observer.timeline import Seconds, Span, total


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with the sound, and what it means."""

    code: str
    """quiet, clipped, noisy, narrow_band, far_field, little_speech, cut_off or holes."""
    en: str
    zh: str


@dataclass(frozen=True, slots=True)
class Quality:
    """How good the sound is; None where it could not be estimated."""

    duration: Seconds
    speech_share: float
    """Share of the recording in which speech was found."""
    snr_db: float | None
    """Speech level over background level, dB."""
    level_dbfs: float | None
    """RMS level of the speech, dB full scale."""
    clipped_share: float
    """Share of samples at full scale."""
    bandwidth_hz: float | None
    """Highest frequency that carries speech energy."""
    far_field: bool
    """Whether the sound is reverberant, as from a microphone far away."""
    verdict: str
    """"good", "usable" (warned, intervals widened) or "poor" (warned, widened most)."""
    widening: float
    """Factor ≥ 1 on the role-error probabilities."""
    findings: tuple[Finding, ...] = ()


SHORTEST_SPEECH: Seconds = 3.0
"""With less speech than this nothing can be said about a lesson."""
_LITTLE_SPEECH: Seconds = 60.0
_FAR_FIELD_DECAY = 215.0
"""dB a second. On the simulated development lessons the dry ones measure 235 and 250, those in
rooms (T60 .4–.7 s) 160 to 210; noise at 10–30 dB under dry speech leaves it at 230 to 285; a real
meeting seen from a far microphone measures 150, the same kind of meeting from headsets 250 to 380,
a president's address 265."""
_PHONE_BAND = 4500.0
"""Hertz. Real 8 kHz recordings measure 3,900 to 4,450, others 5,000 and more."""

ROOM, HARD = 1.4, 1.65
"""Speakers were confused 1.6 % of the time in dry simulated lessons, 2.3 % in rooms, and 3.8 % in
rooms with far, quiet speakers and noise at 15 dB: 2.3/1.6 and 3.8/2.3. The other factors below
are judgements, on the side of caution."""


@dataclass(frozen=True, slots=True)
class _Warning:
    finding: Finding
    factor: float = 1.0
    """By how much the sound raises the probability of taking one role for another."""


def assess(audio: Audio, speech: Sequence[Span], recording: Recording | None = None) -> Quality:
    """Judge a recording's sound, with `speech` as the voice-activity detector found it.

    Streams over the sound in blocks. The verdict is "good" without any finding, "poor" when
    `widening` passes 2, else "usable"; `widening` is the product of the findings' factors, at
    most 4.
    """
    acoustics = measure_acoustics(audio, speech)
    spoken = total(speech)
    warnings = [
        warning
        for warning in (
            _little_speech(spoken, audio.duration),
            _quiet(acoustics),
            _noisy(acoustics),
            _clipped(acoustics),
            _narrow(acoustics),
            _far(acoustics),
            _cut_off(recording),
            _holes(recording),
        )
        if warning is not None
    ]
    widening = min(4.0, math.prod(warning.factor for warning in warnings))
    return Quality(
        duration=audio.duration,
        speech_share=spoken / audio.duration if audio.duration > 0 else 0.0,
        snr_db=acoustics.snr,
        level_dbfs=acoustics.speech_level,
        clipped_share=acoustics.clipped,
        bandwidth_hz=acoustics.bandwidth,
        far_field=_far(acoustics) is not None,
        verdict="good" if not warnings else "poor" if widening > 2 else "usable",
        widening=widening,
        findings=tuple(warning.finding for warning in warnings),
    )


def refuse_if_unobservable(quality: Quality) -> None:
    """Raise UnobservableRecording when there is no speech or under 3 s of it; says why."""
    spoken = quality.speech_share * quality.duration
    if spoken >= SHORTEST_SPEECH:
        return
    why_en = "".join(f" {item.en}" for item in quality.findings if item.code != "little_speech")
    why_zh = "".join(item.zh for item in quality.findings if item.code != "little_speech")
    found_en = f"only {spoken:.1f} s of speech was found" if spoken > 0 else "no speech was found"
    found_zh = f"只找到 {spoken:.1f} 秒语音" if spoken > 0 else "没有找到语音"
    raise UnobservableRecording(
        en=f"Nothing can be observed: {found_en} in {quality.duration:.1f} s of sound; at least "
        f"{SHORTEST_SPEECH:g} s is needed.{why_en} Check the microphone and the audio track.",
        zh=f"无法观察：在 {quality.duration:.1f} 秒声音中{found_zh}，至少需要 "
        f"{SHORTEST_SPEECH:g} 秒。{why_zh}请检查麦克风和音轨。",
    )


def _little_speech(spoken: Seconds, duration: Seconds) -> _Warning | None:
    if spoken >= _LITTLE_SPEECH:
        return None
    return _warn(
        "little_speech",
        f"Only {spoken:.0f} s of speech in {duration:.0f} s: shares and rates rest on very little.",
        f"{duration:.0f} 秒中只有 {spoken:.0f} 秒语音：各项比例的依据很少。",
        1.5,
    )


def _quiet(sound: Acoustics) -> _Warning | None:
    below = sound.share_below(-50)
    if sound.speech_level is None:
        if below < 0.5:
            return None
        said_en, said_zh, factor = "", "", 1.0
    elif sound.speech_level < -45:
        said_en = f"; the speech averages {sound.speech_level:.0f} dBFS"
        said_zh = f"；语音平均为 {sound.speech_level:.0f} dBFS"
        factor = 2.5 if sound.speech_level < -58 else 1.2
    else:
        return None
    return _warn(
        "quiet",
        f"{below:.0%} of this recording is below -50 dBFS{said_en}. Bring the microphone nearer "
        "or raise the recording level.",
        f"这段录音有 {below:.0%} 低于 -50 dBFS{said_zh}。请把麦克风放近一些，或调高录音电平。",
        factor,
    )


def _noisy(sound: Acoustics) -> _Warning | None:
    if sound.snr is None or sound.speech_near_background is None or sound.snr >= 15:
        return None
    near = sound.speech_near_background
    return _warn(
        "noisy",
        f"The speech is {sound.snr:.0f} dB above the background, and {near:.0%} of it less than "
        "10 dB: short or quiet answers may be missed.",
        f"语音比背景高 {sound.snr:.0f} dB，其中 {near:.0%} 不到 10 dB："
        "简短或小声的回答可能被漏掉。",
        2.5 if sound.snr < 8 else HARD,
    )


def _clipped(sound: Acoustics) -> _Warning | None:
    if sound.clipped < 0.001:
        return None
    return _warn(
        "clipped",
        f"{sound.clipped:.1%} of the samples are at full scale: loud speech is distorted. Lower "
        "the recording level.",
        f"{sound.clipped:.1%} 的采样达到满幅：较响的语音已失真。请调低录音电平。",
        1.6 if sound.clipped > 0.01 else 1.2,
    )


def _narrow(sound: Acoustics) -> _Warning | None:
    # In strong noise the upper band is hidden, not missing: the noise is what is told then.
    hidden = sound.snr is not None and sound.snr < 20
    if sound.bandwidth is None or sound.bandwidth >= _PHONE_BAND or hidden:
        return None
    return _warn(
        "narrow_band",
        f"Nothing of the speech lies above {sound.bandwidth / 1000:.1f} kHz, as over a telephone: "
        "voices are harder to tell apart.",
        f"语音在 {sound.bandwidth / 1000:.1f} kHz 以上没有内容，类似电话录音：更难区分不同的人。",
        1.2,
    )


def _far(sound: Acoustics) -> _Warning | None:
    if sound.decay is None or sound.decay >= _FAR_FIELD_DECAY:
        return None
    return _warn(
        "far_field",
        "The room is heard along with the voices: the microphone was far from the speakers. Ends "
        "of sentences and waits are less exact.",
        "录音中混有明显的房间回响：麦克风离说话人较远。句子结尾和等待时间的边界会不够准确。",
        ROOM,
    )


def _cut_off(recording: Recording | None) -> _Warning | None:
    if recording is None or recording.missing <= 0:
        return None
    missing, declared = recording.missing, recording.duration + recording.missing
    return _warn(
        "cut_off",
        f"The file declares {declared:.0f} s, but its last {missing:.0f} s are not there: only "
        "what is there was observed.",
        f"文件标明时长 {declared:.0f} 秒，但最后 {missing:.0f} 秒缺失：只观察了现有部分。",
    )


def _holes(recording: Recording | None) -> _Warning | None:
    if recording is None or not recording.gaps:
        return None
    places, lost = len(recording.gaps), total(recording.gaps)
    return _warn(
        "holes",
        f"The file holds no sound for {lost:.1f} s in {places} place{'s'[: places - 1]}; these "
        "count as silence.",
        f"文件有 {places} 处共 {lost:.1f} 秒没有声音数据，按静默计。",
    )


def _warn(code: str, en: str, zh: str, factor: float = 1.0) -> _Warning:
    return _Warning(Finding(code, en, zh), factor)
