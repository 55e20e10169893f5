"""The main job: a recording, a transcript or both in; an Observation out, stage by stage.

Every stage leaves a checkpoint named by a fingerprint of all that it depends on: a job that was
stopped goes on after its last finished stage, and a changed setting redoes only what it touches.
The decoded sound exists only while the job runs: children are in it.
"""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from observer import __version__, taxonomies
from observer.agreement import witness_agreement
from observer.checkpoints import Checkpoints, fingerprint
from observer.discourse import Discourse, Label
from observer.engines import (
    Diarizer,
    Labeller,
    Note,
    OnProgress,
    RoleAssigner,
    SpeakerSpan,
    Transcriber,
    Vad,
)
from observer.errors import Language, UsageError
from observer.files import sha256_of
from observer.formats import ImportedTranscript, read
from observer.indicators import Material, measure
from observer.joining import declared_on, merge_witnesses, timeline_from, with_roles
from observer.media import Audio, Recording, decode, encode_opus
from observer.observation import EngineUsed, Observation, Provenance
from observer.quality import Quality, assess, refuse_if_unobservable
from observer.report import Report, claims
from observer.segmentation import in_sentences
from observer.structure import find_exchanges, find_waits
from observer.timeline import RoleSpan, Seconds, Span
from observer.transcript import Transcript

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
    reason: str = ""
    """Why this transcriber, or none, was chosen."""


@dataclass(frozen=True, slots=True)
class Source:
    """What is observed: at least one of a recording and a transcript."""

    recording: Path | None = None
    transcript: Path | None = None
    teacher_voice: Path | None = None
    """A clip in which only the teacher speaks."""

    def __post_init__(self) -> None:
        if self.recording is None and self.transcript is None:
            raise UsageError(
                en="Nothing to observe: give a recording, a transcript, or both.",
                zh="没有可观察的内容：请提供录音（录像）、转写文本，或两者。",
            )
        if self.recording is None and self.teacher_voice is not None:
            raise UsageError(
                en="--teacher-voice needs a recording to find the teacher in.",
                zh="--teacher-voice 需要同时提供课堂录音。",
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


def observe(
    source: Source,
    engines: Engines,
    settings: Settings,
    workspace: Path,
    on_step: OnStep = lambda _step: None,
    sound: Path | None = None,
) -> Observation:
    """Observe one lesson.

    `workspace` is a folder for checkpoints; `sound`, when given, gets the recording's sound as
    a small Opus file. Raises RecordingError, TranscriptError,
    EngineError, OutputError and UsageError; what finished stages found is kept.
    """
    job = _Job(source, engines, settings, workspace, on_step)
    try:
        observation = job.run()
        if sound is not None and source.recording is not None:
            encode_opus(job.audio(), sound)
        return observation
    finally:
        job.close()


@dataclass(frozen=True, slots=True)
class _Heard:
    """What the sound alone tells."""

    recording: Recording
    quality: Quality
    speech: list[Span]
    timeline: list[RoleSpan]
    swap: float
    key: str


@dataclass(frozen=True, slots=True)
class _Voices:
    """What the diarizer found, and what it doubts."""

    speakers: list[SpeakerSpan]
    notes: tuple[Note, ...]
    swap: float


@dataclass(frozen=True, slots=True)
class _Recognised:
    """What the recogniser said; a job that goes on after it must tell its notes too."""

    transcript: Transcript
    notes: tuple[Note, ...]


class _Job:
    """One run of the stages."""

    def __init__(
        self, source: Source, engines: Engines, settings: Settings, workspace: Path, on_step: OnStep
    ) -> None:
        self.source = source
        self.engines = engines
        self.settings = settings
        self.kept = Checkpoints(workspace)
        self.working_file = workspace / "audio.s16"
        self.on_step = on_step
        self.inputs: dict[str, str] = {}
        self.notes: list[Note] = []
        self._audio: Audio | None = None

    def run(self) -> Observation:
        heard = self._hear() if self.source.recording else None
        transcript = self._words(heard)
        timeline = (
            declared_on(heard.timeline, transcript) if heard else tuple(timeline_from(transcript))
        )
        return self._measure(heard, transcript, timeline)

    def close(self) -> None:
        """Remove the decoded sound; the checkpoints stay."""
        self._audio = None
        with suppress(FileNotFoundError):
            self.working_file.unlink()

    # -- sound ---------------------------------------------------------------------------

    def _hear(self) -> _Heard:
        path = self.source.recording
        if path is None:
            raise UsageError(en="There is no recording.", zh="没有录音。")
        recording = self._decode(path)
        vad, diarizer, roles = self.engines.vad, self.engines.diarizer, self.engines.roles
        self.inputs["recording"] = recording.sha256

        key = fingerprint(__version__, recording.sha256, self.settings.track, _id(vad))
        speech = self.kept.stage(
            "speech", key, list[Span], lambda: vad.speech(self.audio(), self._progress("speech"))
        )
        quality = self.kept.stage(
            "quality", key, Quality, lambda: assess(self.audio(), speech, recording)
        )
        self._progress("quality")(1.0)
        refuse_if_unobservable(quality)

        key = fingerprint(key, _id(diarizer), self._digest("teacher_voice"))
        voices = self.kept.stage("speakers", key, _Voices, lambda: self._voices(speech))
        self.notes += voices.notes
        key = fingerprint(key, _id(roles))
        timeline = self.kept.stage(
            "roles",
            key,
            list[RoleSpan],
            lambda: roles.assign(self.audio(), speech, voices.speakers, self._progress("roles")),
        )
        return _Heard(recording, quality, speech, timeline, voices.swap, key)

    def _decode(self, path: Path) -> Recording:
        """What is known of the file; the sound itself is decoded when a stage asks for it."""
        digest = _digest_of(path)
        key = fingerprint(__version__, digest, self.settings.track)
        recording = self.kept.get("decode", key, Recording)
        if recording is None:
            recording = self._decode_to_working_file(path)
            self.kept.put("decode", key, Recording, recording)
        self._progress("decode")(1.0)
        return recording

    def _decode_to_working_file(self, path: Path) -> Recording:
        self.working_file.parent.mkdir(parents=True, exist_ok=True)
        recording, self._audio = decode(
            path,
            self.working_file,
            track=self.settings.track,
            has_speech=lambda audio: bool(self.engines.vad.speech(audio)),
            on_progress=self._progress("decode"),
        )
        return recording

    def audio(self) -> Audio:
        """The decoded sound; decoded again when an earlier run's checkpoints spared it."""
        if self._audio is None and self.source.recording is not None:
            self._decode_to_working_file(self.source.recording)
        if self._audio is None:
            raise UsageError(en="There is no recording.", zh="没有录音。")
        return self._audio

    def _voices(self, speech: Sequence[Span]) -> _Voices:
        diarizer = self.engines.diarizer
        return _Voices(self._speakers(speech, diarizer), diarizer.notes, diarizer.swap)

    def _speakers(self, speech: Sequence[Span], diarizer: Diarizer) -> list[SpeakerSpan]:
        progress = self._progress("speakers")
        clip = self.source.teacher_voice
        if clip is None:
            return diarizer.diarize(self.audio(), speech, None, progress)
        clip_file = self.working_file.with_name("teacher.s16")
        try:
            _, voice = decode(clip, clip_file)
            return diarizer.diarize(self.audio(), speech, voice, progress)
        finally:
            clip_file.unlink(missing_ok=True)

    # -- words ---------------------------------------------------------------------------

    def _words(self, heard: _Heard | None) -> Transcript:
        imported = self._imported()
        if imported is not None:
            return self._joined(imported, heard)
        engine = self.engines.transcriber
        if engine is None or heard is None:
            return Transcript(language=self.settings.language or "und")
        key = fingerprint(heard.key, _id(engine), self.settings.language)
        found = self.kept.stage("words", key, _Recognised, lambda: self._recognised(engine, heard))
        self.notes += found.notes
        return with_roles(found.transcript, heard.timeline)

    def _recognised(self, engine: Transcriber, heard: _Heard) -> _Recognised:
        transcript = engine.transcribe(
            self.audio(), heard.speech, self.settings.language, self._progress("words")
        )
        return _Recognised(transcript, engine.notes)

    def _imported(self) -> ImportedTranscript | None:
        if self.source.transcript is None:
            return None
        self._digest("transcript")
        return read(self.source.transcript, language=self.settings.language)

    def _joined(self, imported: ImportedTranscript, heard: _Heard | None) -> Transcript:
        """The file's words, one utterance a sentence, with what the sound adds to them."""
        cut = (
            in_sentences(imported, heard.speech, heard.timeline)
            if heard
            else in_sentences(imported)
        )
        self.notes += (Note(note.en, note.zh) for note in cut.notes)
        if heard is None:
            return cut.transcript
        agreement = witness_agreement(
            imported if imported.transcript.timed else cut, heard.timeline
        )
        if (note := agreement.note) is not None:
            self.notes.append(Note(note.en, note.zh))
        return merge_witnesses(cut, heard.timeline, heard.speech)

    # -- figures -------------------------------------------------------------------------

    def _measure(
        self, heard: _Heard | None, transcript: Transcript, timeline: tuple[RoleSpan, ...]
    ) -> Observation:
        labels = self._labels(transcript)
        discourse = Discourse(transcript, tuple(labels))
        exchanges = find_exchanges(discourse, timeline)
        waits = find_waits(timeline, discourse)
        indicators = measure(
            Material(
                duration=heard.recording.duration if heard else None,
                timeline=timeline,
                discourse=discourse,
                exchanges=exchanges,
                waits=waits,
                interval=self.settings.interval,
                widening=heard.quality.widening if heard else 1.0,
                swap=heard.swap if heard else 0.0,
                seed=self.settings.seed,
            )
        )
        self._progress("measure")(1.0)
        observation = Observation(
            recording=heard.recording if heard else None,
            provenance=self._provenance(),
            quality=heard.quality if heard else None,
            transcript=transcript,
            timeline=timeline,
            labels=tuple(labels),
            exchanges=exchanges,
            waits=waits,
            indicators=indicators,
            language=self.settings.report_language,
        )
        told = observation.with_claims(claims(observation, self.settings.report_language))
        Report(told).validate()
        return told

    def _labels(self, transcript: Transcript) -> list[Label]:
        return self.engines.labeller.label(transcript, self._progress("labels"))

    # -- bookkeeping ---------------------------------------------------------------------

    def _progress(self, stage: str) -> OnProgress:
        """A listener that places a stage's share in the whole job."""
        weights = {
            name: weight
            for name, weight in STAGES.items()
            if (name != "words" or self._recognises())
            and (self.source.recording is not None or name in ("labels", "measure"))
        }
        before = 0.0
        for name, weight in weights.items():
            if name == stage:
                break
            before += weight
        whole = sum(weights.values())

        def tell(share: float) -> None:
            share = min(1.0, max(0.0, share))
            done = before + weights.get(stage, 0.0) * share
            self.on_step(Step(stage, share, min(1.0, done / whole)))

        tell(0.0)
        return tell

    def _recognises(self) -> bool:
        return self.engines.transcriber is not None and self.source.transcript is None

    def _digest(self, kind: str) -> str | None:
        """The sha256 of one of the source's files, noted for the provenance."""
        path: Path | None = getattr(self.source, kind)
        if path is None:
            return None
        self.inputs[kind] = _digest_of(path)
        return self.inputs[kind]

    def _provenance(self) -> Provenance:
        engines = self.engines
        used = [EngineUsed("labeller", engines.labeller.name, engines.labeller.version)]
        if self.source.recording is not None:
            used = [
                EngineUsed("vad", engines.vad.name, engines.vad.version),
                EngineUsed("diarizer", engines.diarizer.name, engines.diarizer.version),
                EngineUsed("roles", engines.roles.name, engines.roles.version),
                *used,
            ]
        if self._recognises() and engines.transcriber is not None:
            heard = engines.transcriber
            used.append(EngineUsed("transcriber", heard.name, heard.version, engines.reason))
        elif self.source.transcript is None:
            used.append(EngineUsed("transcriber", "none", "", engines.reason))
        return Provenance(
            observer=__version__,
            engines=tuple(used),
            settings={
                "language": self.settings.language,
                "report_language": self.settings.report_language,
                "track": self.settings.track,
                "st_interval_seconds": self.settings.interval,
                "taxonomies": taxonomies.VERSION,
            },
            inputs=dict(sorted(self.inputs.items())),
            seed=self.settings.seed,
            notes=tuple(
                n.zh if self.settings.report_language == "zh" else n.en for n in self.notes
            ),
        )


def _id(engine: Vad | Diarizer | RoleAssigner | Transcriber | Labeller) -> str:
    return f"{engine.name} {engine.version}"


def _digest_of(path: Path) -> str:
    """sha256 of a file; "" where it cannot be read, so that the reader of it tells why."""
    try:
        return sha256_of(path)
    except OSError:
        return hashlib.sha256(b"").hexdigest()
