"""What the sound alone tells: speech, quality, voices and roles, with a checkpoint for each.

The decoded sound is a working file that exists only while a job runs: children are in it.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from observer import __version__
from observer.checkpoints import Checkpoints, fingerprint
from observer.engines import Diarizer, Note, SpeakerSpan, Swap
from observer.job import Engines, Plan, Settings, digest_of, identity
from observer.media import Audio, Recording, decode
from observer.quality import Quality, assess, refuse_if_unobservable
from observer.timeline import RoleSpan, Span


@dataclass(frozen=True, slots=True)
class Heard:
    """What the sound alone tells."""

    recording: Recording
    quality: Quality
    speech: list[Span]
    timeline: list[RoleSpan]
    swap: Swap
    """Probability that the wrong voice was taken for the teacher's, all lesson long."""
    notes: tuple[Note, ...]
    key: str
    """Fingerprint of all that this depends on."""


@dataclass(frozen=True, slots=True)
class _Voices:
    """What the diarizer found, and what it doubts."""

    speakers: list[SpeakerSpan]
    notes: tuple[Note, ...]
    swap: Swap


class Hearing:
    """The stages of one recording's sound."""

    def __init__(
        self,
        recording: Path,
        teacher_voice: Path | None,
        engines: Engines,
        settings: Settings,
        kept: Checkpoints,
        plan: Plan,
    ) -> None:
        self.path = recording
        self.teacher_voice = teacher_voice
        self.engines = engines
        self.track = settings.track
        self.kept = kept
        self.plan = plan
        self.working_file = kept.folder / "audio.s16"
        self._audio: Audio | None = None

    def close(self) -> None:
        """Remove the decoded sound; the checkpoints stay."""
        self._audio = None
        with suppress(FileNotFoundError):
            self.working_file.unlink()

    def audio(self) -> Audio:
        """The decoded sound; decoded again when an earlier run's checkpoints spared it."""
        if self._audio is None:
            _, self._audio = self._decode()
        return self._audio

    def hear(self) -> Heard:
        """Run the stages, or take what they found before. Raises RecordingError, EngineError."""
        recording = self._recording()
        vad, diarizer, roles = self.engines.vad, self.engines.diarizer, self.engines.roles
        tell, stage = self.plan.listener, self.kept.stage

        key = fingerprint(__version__, recording.sha256, self.track, identity(vad))
        speech = stage("speech", key, list[Span], lambda: vad.speech(self.audio(), tell("speech")))
        quality = stage("quality", key, Quality, lambda: assess(self.audio(), speech, recording))
        tell("quality")(1.0)
        refuse_if_unobservable(quality)

        clip = digest_of(self.teacher_voice) if self.teacher_voice else None
        key = fingerprint(key, identity(diarizer), clip)
        voices = stage("speakers", key, _Voices, lambda: self._voices(speech, diarizer))
        key = fingerprint(key, identity(roles))
        timeline = stage(
            "roles",
            key,
            list[RoleSpan],
            lambda: roles.assign(self.audio(), speech, voices.speakers, tell("roles")),
        )
        return Heard(recording, quality, speech, timeline, voices.swap, voices.notes, key)

    def _recording(self) -> Recording:
        """What is known of the file; the sound itself is decoded when a stage asks for it."""
        key = fingerprint(__version__, digest_of(self.path), self.track)
        recording = self.kept.get("decode", key, Recording)
        if recording is None:
            recording, self._audio = self._decode()
            self.kept.put("decode", key, Recording, recording)
        self.plan.listener("decode")(1.0)
        return recording

    def _decode(self) -> tuple[Recording, Audio]:
        self.working_file.parent.mkdir(parents=True, exist_ok=True)
        return decode(
            self.path,
            self.working_file,
            track=self.track,
            has_speech=lambda audio: bool(self.engines.vad.speech(audio)),
            on_progress=self.plan.listener("decode"),
        )

    def _voices(self, speech: Sequence[Span], diarizer: Diarizer) -> _Voices:
        speakers = self._speakers(speech, diarizer)
        return _Voices(speakers, diarizer.notes, diarizer.swap)

    def _speakers(self, speech: Sequence[Span], diarizer: Diarizer) -> list[SpeakerSpan]:
        progress = self.plan.listener("speakers")
        if self.teacher_voice is None:
            return diarizer.diarize(self.audio(), speech, None, progress)
        clip_file = self.working_file.with_name("teacher.s16")
        try:
            _, voice = decode(self.teacher_voice, clip_file)
            return diarizer.diarize(self.audio(), speech, voice, progress)
        finally:
            clip_file.unlink(missing_ok=True)
