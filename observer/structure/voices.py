"""Voices and utterances of a lesson, made ready for asking what is heard around a moment."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from observer.timeline import Role, RoleSpan, Seconds, Span
from observer.transcript import Transcript

SNAP: Seconds = 0.5
"""Word times this close to an edge of the timeline mean that edge."""
LATE: Seconds = 0.2
"""A word that begins this much before a stretch does not belong to it."""
STUDENTS = (Role.STUDENT, Role.CHORAL, Role.GROUP)


@dataclass(frozen=True, slots=True)
class Voice:
    """A voiced span with the id it can be played by."""

    start: Seconds
    end: Seconds
    role: Role
    id: str


def heard_voices(timeline: Sequence[RoleSpan]) -> list[Voice]:
    """The voiced spans of a timeline, with its ids (``t`` + position)."""
    return [
        Voice(s.start, s.end, s.role, f"t{i}")
        for i, s in enumerate(timeline)
        if s.role is not Role.SILENCE and s.end > s.start
    ]


def transcript_voices(transcript: Transcript) -> list[Voice]:
    """The timed utterances with a role, with their own ids."""
    return [
        Voice(u.start, u.end, u.role, u.id)
        for u in transcript
        if u.start is not None and u.end is not None and u.end > u.start
        if u.role is not None and u.role is not Role.SILENCE
    ]


class Edges:
    """The voiced spans, made ready for asking what is heard around a moment."""

    def __init__(self, voices: Sequence[Voice]) -> None:
        self.voices = sorted(voices, key=lambda v: (v.start, v.end, v.id))
        self._starts = [v.start for v in self.voices]
        self.teacher = _joined([v for v in self.voices if v.role is Role.TEACHER])
        self._teacher_starts = [s.start for s in self.teacher]
        self._reach = list(accumulate((v.end for v in self.voices), max))

    def teacher_at(self, began: Seconds, ended: Seconds) -> Span | None:
        """The stretch of the teacher's voice in which a word from `began` to `ended` ends.

        A recognised word may run a little into the next stretch; then it is the one before.
        """
        place = bisect_left(self._teacher_starts, ended)
        late = place > 1 and self._teacher_starts[place - 1] > ended - SNAP
        if late and began < self._teacher_starts[place - 1] - LATE:
            place -= 1
        return self.teacher[place - 1] if place else None

    def next_start(self, moment: Seconds) -> Voice | None:
        """The first voice that starts at `moment` or later."""
        place = bisect_left(self._starts, moment - 1e-6)
        return self.voices[place] if place < len(self.voices) else None

    def sounding(self, moment: Seconds) -> list[Voice]:
        """Voices, the teacher's left out, that go on through `moment`."""
        heard = []
        for i in range(bisect_right(self._starts, moment - 1e-6) - 1, -1, -1):
            if self._reach[i] <= moment + 1e-6:
                break
            voice = self.voices[i]
            if voice.end > moment + 1e-6 and voice.role is not Role.TEACHER:
                heard.append(voice)
        return heard


def _joined(voices: Sequence[Voice]) -> list[Span]:
    """Stretches without any pause, in order."""
    stretches: list[Span] = []
    for voice in voices:
        if stretches and voice.start <= stretches[-1].end + 1e-6:
            stretches[-1] = Span(stretches[-1].start, max(stretches[-1].end, voice.end))
        else:
            stretches.append(Span(voice.start, voice.end))
    return stretches


class Said:
    """The timed utterances by side, made ready for asking which one a voice speaks."""

    def __init__(self, transcript: Transcript) -> None:
        self._sides: dict[str, list[tuple[Span, str]]] = {}
        for utterance in transcript:
            if utterance.span is not None:
                entry = (utterance.span, utterance.id)
                self._sides.setdefault(side_of(utterance.role), []).append(entry)
        self._reach: dict[str, list[Seconds]] = {}
        for side, entries in self._sides.items():
            entries.sort()
            self._reach[side] = list(accumulate((span.end for span, _ in entries), max))

    def first(self, voice: Voice, but: str | None = None) -> str | None:
        """The first utterance of the voice's side that is heard in it, `but` left out."""
        return min(((s, name) for s, name in self._in(voice) if name != but), default=_NO_ONE)[1]

    def last(self, voice: Voice, before: Seconds) -> str | None:
        """The last utterance of the voice's side that is heard in it and begins before `before`
        (a crowd may talk on beyond the moment that is asked about)."""
        begun = (entry for entry in self._in(voice) if entry[0].start < before)
        return max(begun, default=_NO_ONE)[1]

    def _in(self, voice: Voice) -> Sequence[tuple[Span, str | None]]:
        """Utterances that share `LATE` seconds, or half of the shorter one, with the voice."""
        side, span = side_of(voice.role), Span(voice.start, voice.end)
        entries, found = self._sides.get(side, []), []
        for i in range(bisect_left(entries, (Span(span.end, span.end), "")) - 1, -1, -1):
            if self._reach[side][i] <= span.start:
                break
            said, name = entries[i]
            if said.overlap(span) >= min(LATE, said.duration / 2, span.duration / 2) > 0:
                found.append((said, name))
        return found


_NO_ONE: tuple[Span, str | None] = (Span(0.0, 0.0), None)


def side_of(role: Role | None) -> str:
    if role is None:
        return "nobody"
    return "students" if role in STUDENTS else str(role)
