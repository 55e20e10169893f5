"""Roles on the timeline, from voices, crowds and pauses."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from models.activity import Crowd, crowds
from models.chorus import SURE, chorus
from observer.engines import MAIN_SPEAKER, OnProgress, SpeakerSpan, ignore_progress
from observer.media import Audio
from observer.timeline import (
    Role,
    RoleSpan,
    Seconds,
    Span,
    complement,
    difference,
    intersection,
    total,
    union,
)

LULL: Seconds = 3.0
"""A crowd that is louder and softer by turns is one crowd."""
LEAST_SPEECH = 0.15
"""Share of a crowd in which speech must be found. In simulated lessons babble had .28 and more,
steady noise none."""


LATE: Seconds = 0.3
"""The start of a crowd is found so much late at most: what a student says before, is its."""
ANSWERED = 0.6
"""A crowd in which the teacher is heard for more of the time is the teacher's talk."""
CHOIR_BIAS, IN_CHOIR = -6.28, np.array([7.15, 3.6])
"""Log-odds that a short crowd is choral: of its score, and for setting in at once."""
GROUP_BIAS, IN_GROUP = -7.93, np.array([7.57, 2.4])
"""Log-odds that a long crowd is group work: of its score, and of its length in units of
`longest_choral` (3 at most)."""


class AcousticRoles:
    """The main voice is the teacher's, any other a student's, a crowd is group work or choral.

    `bridge`: pauses of one role shorter than this belong to its talk (talk is counted, not
    phonation); longer ones are silence. `fading`: a crowd goes on for so long at most while one
    of its voices still speaks. A crowd not longer than `longest_choral` that follows the teacher
    within `prompt` seconds is a choral answer, less what the teacher says meanwhile; a longer one
    is group work; a short one that nobody asked is left to its voices.
    """

    name = "acoustic"
    version = "4"

    def __init__(
        self,
        *,
        bridge: Seconds = 0.4,
        fading: Seconds = 4.0,
        longest_choral: Seconds = 20.0,
        prompt: Seconds = 3.0,
        threads: int = 1,
    ) -> None:
        self.bridge = bridge
        self.fading = fading
        self.longest_choral = longest_choral
        self.prompt = prompt
        self.threads = threads

    def assign(
        self,
        audio: Audio,
        speech: Sequence[Span],
        speakers: Sequence[SpeakerSpan],
        on_progress: OnProgress = ignore_progress,
    ) -> list[RoleSpan]:
        """Spans of every role in order of start; together they cover the recording."""
        whole = Span(0.0, audio.duration)
        main = [s for s in speakers if s.speaker == MAIN_SPEAKER]
        taught = union(s.span for s in main)
        alone = [s for s in speakers if s.speaker != MAIN_SPEAKER]
        talk = _bridged([s.span for s in alone], self.bridge)
        heard = [c for c in crowds(audio) if _many_voices(c.span, taught, speech)]
        found = [_whole(c, talk, self.fading) for c in _gathered(heard, speech)]
        many = [span for c in found for span in self._crowd(c, taught, whole)]
        on_progress(0.5)
        crowded = union(c.span for c in many)
        students = [_cut(s, part) for s in alone for part in difference([s.span], crowded)]
        voiced = [
            *_roles(main, Role.TEACHER, self.bridge, [s.span for s in students]),
            *self._choirs(audio, _roles(students, Role.STUDENT, self.bridge, taught), taught),
            *many,
        ]
        silent = complement((item.span for item in voiced), whole)
        on_progress(1.0)
        timeline = [*voiced, *(_silence(span, speech) for span in silent)]
        return sorted(timeline, key=lambda item: (item.start, item.end, item.role))

    def _choirs(
        self, audio: Audio, students: Sequence[RoleSpan], taught: Sequence[Span]
    ) -> list[RoleSpan]:
        """`students` with the short answers of the whole class to the teacher as choral."""
        asked = [
            any(s.start - self.prompt < t.end and t.start < s.start for t in taught)
            for s in students
        ]
        sung = chorus(
            audio, [s.span for s, after in zip(students, asked, strict=True) if after], taught
        )
        found, scores = [], iter(sung)
        for item, after in zip(students, asked, strict=True):
            p = next(scores) if after else 0.0
            choral = replace(item, role=Role.CHORAL, probability=p) if p >= SURE else item
            found.append(choral)
        return found

    def _crowd(self, crowd: Crowd, taught: Sequence[Span], whole: Span) -> list[RoleSpan]:
        """What a crowd is: a choral answer, group work, or nothing of its own."""
        spans = intersection([crowd.span], [whole])
        before = Span(max(0.0, crowd.start - self.prompt), crowd.start + 0.5)
        prompted = total(intersection([before], taught)) > 0.3
        answered = total(intersection(spans, taught)) / crowd.span.duration
        length = crowd.span.duration / self.longest_choral
        if length > 1.0:
            score = GROUP_BIAS + np.array([crowd.probability, min(length, 3.0)]) @ IN_GROUP
            return [RoleSpan(s.start, s.end, Role.GROUP, _probability(score)) for s in spans]
        if not prompted or answered > ANSWERED:
            return []
        score = CHOIR_BIAS + np.array([crowd.probability, crowd.abrupt]) @ IN_CHOIR
        return [
            RoleSpan(s.start, s.end, Role.CHORAL, _probability(score))
            for s in difference(spans, taught)
            if s.duration >= LATE
        ]


def _probability(score: float) -> float:
    return max(0.5, float(1.0 / (1.0 + np.exp(-score))))


def _many_voices(crowd: Span, taught: Sequence[Span], speech: Sequence[Span]) -> bool:
    """Whether a supposed crowd is neither steady noise nor the teacher speaking without pauses."""
    spoken = total(intersection([crowd], speech))
    if spoken < LEAST_SPEECH * crowd.duration:
        return False
    return total(intersection([crowd], taught)) <= 0.75 * max(spoken, 0.5 * crowd.duration)


def _gathered(crowds: Sequence[Crowd], speech: Sequence[Span]) -> list[Crowd]:
    """Crowds less than `LULL` apart, with speech in most of that time, as one."""
    joined: list[Crowd] = []
    for crowd in crowds:
        near = bool(joined) and crowd.start - joined[-1].end < LULL
        if near and _filled(joined[-1].end, crowd.start, speech):
            joined[-1] = _together(joined[-1], crowd)
        else:
            joined.append(crowd)
    return joined


def _filled(start: Seconds, end: Seconds, speech: Sequence[Span]) -> bool:
    """Whether half of the time is speech; crowds whose starts were sharpened may overlap."""
    if end <= start:
        return True
    return 2 * total(intersection([Span(start, end)], speech)) >= end - start


def _together(first: Crowd, second: Crowd) -> Crowd:
    a, b = first.span.duration, second.span.duration
    mean = (first.probability * a + second.probability * b) / (a + b)
    return replace(first, end=max(first.end, second.end), probability=mean)


def _bridged(spans: Sequence[Span], bridge: Seconds) -> list[Span]:
    """Merged stretches with the pauses under `bridge` filled."""
    filled = union(Span(span.start, span.end + bridge) for span in spans)
    return [Span(span.start, span.end - bridge) for span in filled]


def _whole(crowd: Crowd, talk: Sequence[Span], most: Seconds) -> Crowd:
    """`crowd` from its first voice, which sets in before the level is reached, to its last."""
    first = [s.start for s in talk if crowd.start - LATE <= s.start < crowd.start < s.end]
    going_on = [s.end for s in talk if s.start < crowd.end - 1.0 and s.end > crowd.end]
    end = min(max(going_on, default=crowd.end), crowd.end + most)
    return replace(crowd, start=min(first, default=crowd.start), end=end)


def _cut(item: SpeakerSpan, part: Span) -> SpeakerSpan:
    return SpeakerSpan(part.start, part.end, item.speaker, item.probability)


def _silence(span: Span, speech: Sequence[Span]) -> RoleSpan:
    """Silence is what voice activity left; its probability falls with speech inside."""
    heard = total(intersection([span], speech)) / span.duration
    return RoleSpan(span.start, span.end, Role.SILENCE, max(0.5, 0.95 - heard))


def _roles(
    items: Iterable[SpeakerSpan], role: Role, bridge: Seconds, other: Sequence[Span]
) -> list[RoleSpan]:
    """Spans of one role, joined over short pauses in which nobody else speaks.

    The probability of a joined span is the mean of its parts, weighted with their length.
    """
    joined: list[RoleSpan] = []
    voiced: list[Seconds] = []
    for item in sorted(items, key=lambda i: (i.start, i.end)):
        length = item.end - item.start
        if length <= 0:
            continue
        last = joined[-1] if joined else None
        if last is not None and _same_talk(last.span, item.span, bridge, other):
            whole = voiced[-1] + length
            mean = (last.probability * voiced[-1] + item.probability * length) / whole
            joined[-1] = RoleSpan(last.start, max(last.end, item.end), role, mean)
            voiced[-1] = whole
        else:
            joined.append(RoleSpan(item.start, item.end, role, item.probability))
            voiced.append(length)
    return joined


def _same_talk(last: Span, item: Span, bridge: Seconds, other: Sequence[Span]) -> bool:
    if item.start <= last.end:
        return True
    pause = Span(last.end, item.start)
    return pause.duration < bridge and not intersection([pause], other)
