"""The audio-quality gate: it warns, widens intervals or refuses, with the reason."""

from dataclasses import dataclass

from observer.timeline import Seconds


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with the sound, and what it means."""

    code: str
    """"quiet", "clipped", "noisy", "narrow_band", "far_field", "little_speech", "cut_off" …"""
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
