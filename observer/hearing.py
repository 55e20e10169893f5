"""What the sound alone tells: speech, quality, voices and roles, with a checkpoint for each.

The decoded sound is a working file that exists only while a job runs: children are in it.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from observer import __version__
from observer.checkpoints import Checkpoints, fingerprint
from observer.engines import Diarizer, Note, SpeakerSpan, Swap
from observer.errors import UsageError
from observer.formats.clock import format_clock, parse_clock
from observer.job import Engines, Plan, Settings, Source, digest_of, identity
from observer.media import Audio, Recording, decode
from observer.quality import Quality, assess, refuse_if_unobservable
from observer.timeline import RoleSpan, Seconds, Span, intersection, total, union


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


ENOUGH_VOICE: Seconds = 3.0
"""Speech that makes a voice known: two windows of the embedding, and a little."""


class Hearing:
    """The stages of one recording's sound."""

    def __init__(
        self,
        recording: Path,
        source: Source,
        engines: Engines,
        settings: Settings,
        kept: Checkpoints,
        plan: Plan,
    ) -> None:
        self.path = recording
        self.teacher_voice = source.teacher_voice
        self.teacher_at = source.teacher_at
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
        marked = [[s.start, s.end] for s in self.teacher_at]
        key = fingerprint(key, identity(diarizer), clip, marked)
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
        if self.teacher_at:
            voice = marked_voice(self.audio(), speech, self.teacher_at)
            return diarizer.diarize(self.audio(), speech, voice, progress)
        if self.teacher_voice is None:
            return diarizer.diarize(self.audio(), speech, None, progress)
        clip_file = self.working_file.with_name("teacher.s16")
        try:
            _, voice = decode(self.teacher_voice, clip_file)
            return diarizer.diarize(self.audio(), speech, voice, progress)
        finally:
            clip_file.unlink(missing_ok=True)


def marked_stretches(text: str) -> tuple[Span, ...]:
    """Stretches as a person writes them: "3:10-3:40", "190-220", several with commas between.

    Raises UsageError for what is not two times, the first one smaller.
    """
    found: list[Span] = []
    for part in filter(None, map(str.strip, re.split(r"[,，;；、]", text))):
        ends = [parse_clock(end) for end in re.split(r"\s*(?:-|–|—|~|～|至|到)\s*", part)]
        if len(ends) != 2 or ends[0] is None or ends[1] is None or not ends[0] < ends[1]:
            raise UsageError(
                en=f"{part!r} is no stretch of time. Write its start and end, for instance "
                "--teacher-at 3:10-3:40 (minutes:seconds) or 1:02:05-1:02:30.",
                zh=f"“{part}”不是一个时段。请写出起止时间，例如 --teacher-at 3:10-3:40（分:秒）"
                "或 1:02:05-1:02:30。",
            )
        found.append(Span(ends[0], ends[1]))
    if not found:
        raise UsageError(en="--teacher-at names no stretch.", zh="--teacher-at 没有给出时段。")
    return tuple(union(found))


def marked_voice(audio: Audio, speech: Sequence[Span], marked: Sequence[Span]) -> Audio:
    """The speech inside stretches of the recording in which only the teacher speaks, as a clip.

    Raises UsageError when one lies outside the recording, or too little is said in them.
    """
    for stretch in marked:
        if stretch.start < 0 or stretch.end > audio.duration + 0.5:
            said, whole = _clock(stretch), format_clock(audio.duration)[:-4]
            raise UsageError(
                en=f"--teacher-at {said} lies outside the recording, which is {whole} long.",
                zh=f"--teacher-at {said} 超出了录音范围，录音长 {whole}。",
            )
    voiced = intersection(speech, marked)
    if total(voiced) < ENOUGH_VOICE:
        said, heard = ", ".join(map(_clock, marked)), f"{total(voiced):.1f}"
        raise UsageError(
            en=f"In --teacher-at {said} only {heard} s of speech are heard; {ENOUGH_VOICE:g} s "
            "are needed. Mark a longer stretch in which only the teacher speaks.",
            zh=f"--teacher-at {said} 中只听到 {heard} 秒说话，至少需要 {ENOUGH_VOICE:g} 秒。"
            "请标出更长的、只有教师说话的时段。",
        )
    ends = [(round(s.start * Audio.RATE), round(s.end * Audio.RATE)) for s in voiced]
    return Audio(np.concatenate([audio.samples[first:last] for first, last in ends]))


def _clock(span: Span) -> str:
    return f"{format_clock(span.start)[:-4]}-{format_clock(span.end)[:-4]}"
