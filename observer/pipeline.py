"""The main job: a recording, a transcript or both in; an Observation out, stage by stage.

Every stage leaves a checkpoint named by a fingerprint of all that it depends on: a job that was
stopped goes on after its last finished stage, and a changed setting redoes only what it touches.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from observer import __version__, taxonomies
from observer.agreement import witness_agreement
from observer.checkpoints import Checkpoints, fingerprint
from observer.discourse import Discourse, Label
from observer.engines import NO_SWAP, Note, Transcriber
from observer.formats import ImportedTranscript, read
from observer.hearing import Heard, Hearing
from observer.indicators import Material, measure
from observer.job import Engines, OnStep, Plan, Settings, Source, digest_of, identity
from observer.joining import declared_on, merge_witnesses, timeline_from, with_roles
from observer.media import encode_opus
from observer.observation import EngineUsed, Observation, Provenance
from observer.refining import refined
from observer.report import Report, claims
from observer.role_cues import JoinedRoles, join_cues
from observer.segmentation import in_sentences
from observer.structure import find_exchanges, find_waits
from observer.timeline import RoleSpan
from observer.transcript import Transcript


def observe(
    source: Source,
    engines: Engines,
    settings: Settings,
    workspace: Path | Checkpoints,
    on_step: OnStep = lambda _step: None,
    sound: Path | None = None,
) -> Observation:
    """Observe one lesson.

    `workspace` is a folder for checkpoints, or those themselves; `sound`, when given, gets the
    recording's sound as a small Opus file. Raises RecordingError, TranscriptError, EngineError,
    OutputError and UsageError; what finished stages found is kept.
    """
    kept = workspace if isinstance(workspace, Checkpoints) else Checkpoints(workspace)
    plan = Plan.of(source, engines, on_step)
    if source.recording is None:
        return _Job(source, engines, settings, kept, plan, None).run()
    hearing = Hearing(source.recording, source, engines, settings, kept, plan)
    try:
        observation = _Job(source, engines, settings, kept, plan, hearing).run()
        if sound is not None:
            encode_opus(hearing.audio(), sound)
        return observation
    finally:
        hearing.close()


@dataclass(frozen=True, slots=True)
class _Recognised:
    """What the recogniser said; a job that goes on after it must tell its notes too."""

    transcript: Transcript
    notes: tuple[Note, ...]


class _Job:
    """One run: the sound is heard, words join it, and both are measured."""

    def __init__(
        self,
        source: Source,
        engines: Engines,
        settings: Settings,
        kept: Checkpoints,
        plan: Plan,
        hearing: Hearing | None,
    ) -> None:
        self.source = source
        self.engines = engines
        self.settings = settings
        self.kept = kept
        self.plan = plan
        self.hearing = hearing
        self.notes: list[Note] = []

    def run(self) -> Observation:
        """All stages. Raises what they raise."""
        heard = self.hearing.hear() if self.hearing else None
        self.notes += heard.notes if heard else ()
        recognised = self._recognised(heard)
        imported = self._imported(heard)
        transcript, notes = self._joined(imported, recognised, heard)
        if heard is not None and (cued := self._with_cues(heard, transcript)) is not None:
            heard = cued
            transcript, notes = self._joined(imported, recognised, heard)
        self.notes += notes
        timeline = (
            declared_on(heard.timeline, transcript) if heard else tuple(timeline_from(transcript))
        )
        return self._measure(heard, transcript, timeline)

    # -- words ---------------------------------------------------------------------------

    def _recognised(self, heard: Heard | None) -> Transcript | None:
        """What the recogniser hears; None without one or without a recording."""
        engine, hearing = self.engines.transcriber, self.hearing
        if engine is None or hearing is None or heard is None:
            return None
        key = fingerprint(heard.key, identity(engine), self.settings.language)
        found = self.kept.stage(
            "words", key, _Recognised, lambda: self._recognise(engine, hearing, heard)
        )
        self.notes += found.notes
        return found.transcript

    def _recognise(self, engine: Transcriber, hearing: Hearing, heard: Heard) -> _Recognised:
        transcript = engine.transcribe(
            hearing.audio(), heard.speech, self.settings.language, self.plan.listener("words")
        )
        return _Recognised(transcript, engine.notes)

    def _imported(self, heard: Heard | None) -> ImportedTranscript | None:
        """The file's words, one utterance a sentence; None without a file."""
        if self.source.transcript is None:
            return None
        imported = read(self.source.transcript, language=self.settings.language)
        if heard is None:
            cut = in_sentences(imported)
            self._note_all(cut)
            return cut
        cut = in_sentences(imported, heard.speech, heard.timeline)
        self._note_all(cut)
        compared = imported if imported.transcript.timed else cut
        if (note := witness_agreement(compared, heard.timeline).note) is not None:
            self.notes.append(Note(note.en, note.zh))
        return cut

    def _joined(
        self,
        imported: ImportedTranscript | None,
        recognised: Transcript | None,
        heard: Heard | None,
    ) -> tuple[Transcript, tuple[Note, ...]]:
        """The words with what the sound adds to them, and what to tell of that."""
        if heard is None:
            nothing = Transcript(language=self.settings.language or "und")
            return (imported.transcript if imported else nothing), ()
        if imported is None:
            nothing = Transcript(language=self.settings.language or "und")
            return (with_roles(recognised, heard.timeline) if recognised else nothing), ()
        merged = merge_witnesses(imported, heard.timeline, heard.speech)
        if recognised is None:
            return merged, ()
        better = refined(merged, recognised)
        return better.transcript, (better.note,)

    def _with_cues(self, heard: Heard, transcript: Transcript) -> Heard | None:
        """What was heard, in the light of who asks, directs and answers; None without words."""
        cues, words = self.engines.cues, self.engines.transcriber
        if cues is None or len(transcript) == 0:
            return None
        poor = self.source.transcript is None and words is not None and words.low_accuracy
        enrolled = self.source.teacher_voice is not None or bool(self.source.teacher_at)
        said = [(u.text, u.start, u.end, u.role, u.role_probability) for u in transcript]
        key = fingerprint(__version__, heard.key, identity(cues), poor, enrolled, said)
        found = self.kept.stage(
            "role_cues",
            key,
            JoinedRoles,
            lambda: join_cues(
                heard.timeline,
                heard.swap,
                transcript,
                cues.evidence(transcript, low_accuracy=poor),
                enrolled=enrolled,
            ),
        )
        self.notes += found.notes
        return replace(heard, timeline=found.timeline, swap=found.swap)

    def _note_all(self, imported: ImportedTranscript) -> None:
        self.notes += (Note(note.en, note.zh) for note in imported.notes)

    # -- figures -------------------------------------------------------------------------

    def _measure(
        self, heard: Heard | None, transcript: Transcript, timeline: tuple[RoleSpan, ...]
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
                swap=heard.swap if heard else NO_SWAP,
                seed=self.settings.seed,
                confusions=self.engines.labeller.confusions,
            )
        )
        self.plan.listener("measure")(1.0)
        observation = Observation(
            recording=heard.recording if heard else None,
            provenance=self._provenance(heard),
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
        labels = self.engines.labeller.label(transcript, self.plan.listener("labels"))
        self.notes += self.engines.labeller.notes
        return labels

    # -- provenance ----------------------------------------------------------------------

    def _provenance(self, heard: Heard | None) -> Provenance:
        chinese = self.settings.report_language == "zh"
        return Provenance(
            observer=__version__,
            engines=self._engines_used(),
            settings={
                "language": self.settings.language,
                "report_language": self.settings.report_language,
                "track": self.settings.track,
                "st_interval_seconds": self.settings.interval,
                "taxonomies": taxonomies.VERSION,
                **self._teacher_at(),
            },
            inputs=self._inputs(heard),
            seed=self.settings.seed,
            notes=tuple(n.zh if chinese else n.en for n in self.notes),
        )

    def _teacher_at(self) -> dict[str, object]:
        """The stretches that were marked as the teacher's, where there are any."""
        marked = [[s.start, s.end] for s in self.source.teacher_at]
        return {"teacher_at": marked} if marked else {}

    def _engines_used(self) -> tuple[EngineUsed, ...]:
        engines = self.engines
        used = [EngineUsed("labeller", engines.labeller.name, engines.labeller.version)]
        if self.hearing is not None:
            used = [
                EngineUsed("vad", engines.vad.name, engines.vad.version),
                EngineUsed("diarizer", engines.diarizer.name, engines.diarizer.version),
                EngineUsed("roles", engines.roles.name, engines.roles.version),
                *used,
            ]
            if engines.cues is not None and self._has_words:
                used.append(EngineUsed("role_cues", engines.cues.name, engines.cues.version))
        words = engines.transcriber
        if words is not None and self.hearing is not None:
            used.append(EngineUsed("transcriber", words.name, words.version, engines.reason))
        elif self.source.transcript is None:
            used.append(EngineUsed("transcriber", "none", "", engines.reason))
        return tuple(used)

    @property
    def _has_words(self) -> bool:
        return self.source.transcript is not None or self.engines.transcriber is not None

    def _inputs(self, heard: Heard | None) -> dict[str, str]:
        """Kind of input → sha256."""
        inputs = {"recording": heard.recording.sha256} if heard else {}
        for kind in ("teacher_voice", "transcript"):
            path: Path | None = getattr(self.source, kind)
            if path is not None:
                inputs[kind] = digest_of(path)
        return inputs
