"""Engines that say what is known beforehand, for tests and for work without weights.

`replay` gives back a transcript; `scripted_checkpoint` builds a Whisper checkpoint that runs
through all of openai-whisper's code and says a given text.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from models.cleaning import Dropped
from models.scripted_checkpoint import Script, scripted_checkpoint, scripted_words
from observer.engines import Note, OnProgress, ignore_progress
from observer.errors import EngineError
from observer.media import Audio
from observer.timeline import Seconds, Span, union
from observer.transcript import Transcript, Utterance, Word

__all__ = ["ReplayTranscriber", "Script", "scripted_checkpoint", "scripted_words"]


class ReplayTranscriber:
    """Gives back the timed utterances of a transcript, as if they had just been recognised."""

    name = "replay"
    low_accuracy = False

    def __init__(self, *, transcript: Transcript | str | Path) -> None:
        """`transcript`: the value itself, or a file that `observer.formats` reads."""
        self.given = transcript
        self.notes: tuple[Note, ...] = ()
        self.dropped: tuple[Dropped, ...] = ()

    @cached_property
    def _transcript(self) -> Transcript:
        if isinstance(self.given, Transcript):
            return self.given
        from observer.formats import read

        return read(Path(self.given), language=None).transcript

    @cached_property
    def version(self) -> str:
        """Digest of the utterances. Raises TranscriptError when the file cannot be read."""
        return "sha256:" + hashlib.sha256(repr(self._transcript).encode()).hexdigest()[:12]

    def transcribe(
        self,
        audio: Audio,
        speech: Sequence[Span],
        language: str | None = None,
        on_progress: OnProgress = ignore_progress,
    ) -> Transcript:
        """The utterances that touch `speech`, numbered u1, u2 …, without speakers and roles.

        They are cut to the audio. Raises EngineError when the transcript has no times.
        """
        given = self._transcript
        if not given.timed:
            raise EngineError(
                en="Only a transcript with times can be replayed; import this one with "
                "--transcript instead.",
                zh="只有带时间的文本可以回放；请改用 --transcript 导入。",
            )
        kept = [
            placed
            for utterance in given
            if (placed := _inside(utterance, union(speech), audio.duration)) is not None
        ]
        numbered = tuple(replace(u, id=f"u{n}") for n, u in enumerate(kept, 1))
        on_progress(1.0)
        return Transcript(language or given.language, numbered, self.name)


def _inside(utterance: Utterance, speech: Sequence[Span], duration: Seconds) -> Utterance | None:
    span = utterance.span
    if span is None or span.start >= duration or not any(span.overlap(s) > 0 for s in speech):
        return None
    end = min(span.end, duration)
    words = tuple(
        Word(w.text, max(w.start, span.start), min(w.end, end), w.confidence)
        for w in utterance.words
        if w.end > span.start and w.start < end
    )
    return Utterance(utterance.id, utterance.text, span.start, end, words=words)
