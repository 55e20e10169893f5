"""A job: what is observed, with which engines and settings, and how far it has come."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from observer.engines import (
    Diarizer,
    Labeller,
    OnProgress,
    RoleAssigner,
    RoleCues,
    Transcriber,
    Vad,
)
from observer.errors import Language, UsageError
from observer.files import sha256_of
from observer.timeline import Seconds, Span

STAGES: dict[str, float] = {
    "decode": 6,
    "speech": 4,
    "quality": 3,
    "speakers": 30,
    "roles": 6,
    "words": 100,
    "labels": 2,
    "measure": 1,
}
"""Stage → usual share of the CPU time, for the time left; `words` is left out without one."""


@dataclass(frozen=True, slots=True)
class Engines:
    """The engines of a job; `transcriber` None means that no words are recognised."""

    vad: Vad
    diarizer: Diarizer
    roles: RoleAssigner
    labeller: Labeller
    transcriber: Transcriber | None = None
    cues: RoleCues | None = None
    """None: roles come from the sound alone."""
    reason: str = ""
    """Why this transcriber, or none, was chosen."""


@dataclass(frozen=True, slots=True)
class Source:
    """What is observed: at least one of a recording and a transcript."""

    recording: Path | None = None
    transcript: Path | None = None
    teacher_voice: Path | None = None
    """A clip in which only the teacher speaks."""
    teacher_at: tuple[Span, ...] = ()
    """Stretches of this recording in which only the teacher speaks, instead of a clip."""

    def __post_init__(self) -> None:
        if self.recording is None and self.transcript is None:
            raise UsageError(
                en="Nothing to observe: give a recording, a transcript, or both.",
                zh="没有可观察的内容：请提供录音（录像）、转写文本，或两者。",
            )
        if self.recording is None and (self.teacher_voice is not None or self.teacher_at):
            raise UsageError(
                en="--teacher-voice and --teacher-at need a recording to find the teacher in.",
                zh="--teacher-voice 和 --teacher-at 需要同时提供课堂录音。",
            )
        if self.teacher_voice is not None and self.teacher_at:
            raise UsageError(
                en="Give either --teacher-voice (a clip) or --teacher-at (stretches of the "
                "recording), not both.",
                zh="--teacher-voice（片段）与 --teacher-at（录音中的时段）只能给出一个。",
            )


@dataclass(frozen=True, slots=True)
class Settings:
    """Choices that change the result."""

    language: str | None = None
    """Language spoken in the lesson; None: found by the recogniser or read off the words."""
    report_language: Language = "zh"
    track: int | None = None
    """Audio track of the recording, from 0; None: the first with speech."""
    interval: Seconds = 15.0
    """Sampling interval of the S-T analysis."""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """Where a job is: `share` of `stage` is done, `overall` of the job."""

    stage: str
    share: float
    overall: float


OnStep = Callable[[Step], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """The stages that a job has, for placing a stage's share in the whole."""

    stages: tuple[str, ...]
    on_step: OnStep

    @classmethod
    def of(cls, source: Source, engines: Engines, on_step: OnStep) -> "Plan":
        """The stages of this job: no sound without a recording, no words without a recogniser."""
        stages = tuple(STAGES) if source.recording else ("labels", "measure")
        if engines.transcriber is None:
            stages = tuple(name for name in stages if name != "words")
        return cls(stages, on_step)

    def listener(self, stage: str) -> OnProgress:
        """Hears the share of `stage` that is done, and tells the job's listener."""
        at = self.stages.index(stage) if stage in self.stages else len(self.stages)
        before = sum(STAGES[name] for name in self.stages[:at])
        weight = STAGES[stage] if stage in self.stages else 0.0
        whole = sum(STAGES[name] for name in self.stages)

        def tell(share: float) -> None:
            share = min(1.0, max(0.0, share))
            self.on_step(Step(stage, share, min(1.0, (before + weight * share) / whole)))

        tell(0.0)
        return tell


def identity(engine: Vad | Diarizer | RoleAssigner | RoleCues | Transcriber | Labeller) -> str:
    """What an engine's results depend on, as part of a checkpoint's fingerprint."""
    return f"{engine.name} {engine.version}"


def digest_of(path: Path) -> str:
    """sha256 of a file; that of nothing where it cannot be read: its reader then tells why."""
    try:
        return sha256_of(path)
    except OSError:
        return hashlib.sha256(b"").hexdigest()
