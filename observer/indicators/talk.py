"""Talk time: the shares of teacher and students in their named denominators, silence, overlap.

T is the time in which the teacher is heard, S the time in which a student, the choir or a group
is heard; overlap counts in both (FIELD.md §1). So of a lesson
``T + S − overlap + media alone + silence = 1``.
"""

from bisect import bisect_left

import numpy as np

from observer.indicators import Indicator, Missing
from observer.indicators.basis import (
    NO_RECORDING,
    NO_TIMES,
    STUDENTS,
    Basis,
    absent,
    figure,
    ratio,
    simulated,
)
from observer.timeline import Role, of_role

RULES = "talk/1"
_SPREAD = "95 % of simulated errors of role, boundary and detection"
_UNMARKED = Missing(
    "The transcript marks none, and there is no recording to hear it in.",
    "文字稿没有标注，又没有录音可听。",
)


def indicators(basis: Basis) -> list[Indicator]:
    """The shares and times; all without a value when there are no times."""
    if not basis.timed:
        return [absent(name, unit, _method(how, basis), NO_TIMES) for name, unit, how in _NAMES]
    return [*_shares(basis), _silence(basis), *_times(basis)]


_SHARE_OF_SPEECH = ("teacher_share_of_speech", "share", "T / (T + S)")
_TEACHER = ("teacher_share_of_lesson", "share", "T / lesson")
_STUDENT = ("student_share_of_lesson", "share", "S / lesson")
_SILENCE = ("silence_share", "share", "time without any voice or playback / lesson")
_TIMES = {
    Role.CHORAL: ("choral_time", "s", "time in which the class speaks in chorus"),
    Role.GROUP: ("group_time", "s", "time in which many voices say different words"),
    Role.MEDIA: ("media_time", "s", "time in which a playback is heard"),
}
_OVERLAP = ("overlap_time", "s", "time in which teacher and students are heard at once")
_NAMES = (_SHARE_OF_SPEECH, _TEACHER, _STUDENT, _SILENCE, *_TIMES.values(), _OVERLAP)


def _method(how: str, basis: Basis) -> str:
    where = "T: teacher; S: student, choral or group; overlap counts in both"
    length = "; lesson: from 0 to the end of the recording"
    if basis.source == "transcript" and basis.material.duration is None:
        length = "; lesson: from 0 to the end of the last utterance"
    return f"{how} ({where}{length}{basis.by}); interval: {_SPREAD}; {RULES}"


def _shares(basis: Basis) -> list[Indicator]:
    draws = basis.draws
    teacher = draws.seconds(draws.any_of(Role.TEACHER))
    student = draws.seconds(draws.any_of(*STUDENTS))
    lesson = draws.lengths.sum(axis=1)
    both = basis.longest(Role.TEACHER, *STUDENTS)
    rows = (
        (_SHARE_OF_SPEECH, ratio(teacher, teacher + student), both, (Role.TEACHER, *STUDENTS)),
        (_TEACHER, teacher / lesson, basis.longest(Role.TEACHER), (Role.TEACHER,)),
        (_STUDENT, student / lesson, basis.longest(*STUDENTS), STUDENTS),
    )
    return [
        simulated(name, unit, values, _count(basis, *roles), _method(how, basis), evidence)
        for (name, unit, how), values, evidence, roles in rows
    ]


def _silence(basis: Basis) -> Indicator:
    name, unit, how = _SILENCE
    if basis.source != "recording":
        return absent(name, unit, _method(how, basis), NO_RECORDING)
    draws = basis.draws
    values = draws.seconds(~draws.covered) / draws.lengths.sum(axis=1)
    silences = basis.longest(Role.SILENCE)
    n = int(np.count_nonzero(~draws.covered))
    return simulated(name, unit, values, n, _method(how, basis), silences)


def _times(basis: Basis) -> list[Indicator]:
    """Chorus, group, playback and overlap; the interval knows what was wrongly marked, not what
    was missed, so a role that was never found has none."""
    draws, found = basis.draws, []
    for role, (name, unit, how) in _TIMES.items():
        method, n = _method(how, basis), _count(basis, role)
        if n:
            values = draws.seconds(draws.any_of(role))
            found.append(simulated(name, unit, values, n, method, basis.longest(role)))
        elif basis.source == "transcript":
            found.append(absent(name, unit, method, _UNMARKED))
        else:
            found.append(figure(name, unit, 0.0, 0, f"{how}: none was found{basis.by}; {RULES}"))
    name, unit, how = _OVERLAP
    both = draws.any_of(Role.TEACHER) & draws.any_of(*STUDENTS)
    ids = _overlapping(basis)
    return [*found, simulated(name, unit, draws.seconds(both), len(ids), _method(how, basis), ids)]


def _overlapping(basis: Basis) -> list[str]:
    """Ids of the students' spans in which the teacher is heard too."""
    taught = of_role(basis.timeline, Role.TEACHER)
    starts = [s.start for s in taught]
    ids = []
    for i, span in enumerate(basis.timeline):
        place = bisect_left(starts, span.end) - 1
        if span.role in STUDENTS and place >= 0 and taught[place].end > span.start:
            ids.append(basis.span_ids[i])
    return ids


def _count(basis: Basis, *roles: Role) -> int:
    return sum(s.role in roles and s.duration > 0 for s in basis.timeline)
