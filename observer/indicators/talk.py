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
    TRANSCRIPT_EDGES,
    Basis,
    absent,
    ratio,
    simulated,
)
from observer.role_errors import draw_roles
from observer.timeline import Role, RoleSpan, of_role

RULES = "talk/1"
_UNMARKED = Missing(
    "The transcript marks none, and there is no recording to hear it in.",
    "文字稿没有标注，又没有录音可听。",
)
_UNHEARD = {
    Role.CHORAL: Missing(
        "The sound alone gives no choral stretch of 8 s or more; shorter choirs are not found.",
        "仅凭声音没有找到 8 秒以上的齐声；更短的齐声听不出来。",
    ),
    Role.GROUP: Missing(
        "The sound alone gives no stretch of 8 s or more in which many voices speak at once; "
        "shorter ones are not found.",
        "仅凭声音没有找到 8 秒以上多人同时说话的片段；更短的听不出来。",
    ),
    Role.MEDIA: Missing(
        "Playback is not told from voices in the room by the sound alone.",
        "仅凭声音分不出播放与现场的说话声。",
    ),
}
"""Why none is no zero: what is not found by ear (models/activity.py) may well have been there."""
_NO_OVERLAP = Missing(
    "No moment was given to teacher and students at once: short overlaps are not found.",
    "没有一刻同时判给教师和学生：短暂的重叠听不出来。",
)


def indicators(basis: Basis) -> list[Indicator]:
    """The shares and times; all without a value when there are no times."""
    if not basis.timed:
        return [absent(name, unit, _method(how, basis), NO_TIMES) for name, unit, how in _NAMES]
    times = [_time(basis, role) for role in _TIMES]
    return [*_shares(basis), _silence(basis), *times, _overlap(basis)]


_SHARE_OF_SPEECH = ("teacher_share_of_speech", "share", "T / (T + S)")
_TEACHER = ("teacher_share_of_lesson", "share", "T / L")
_STUDENT = ("student_share_of_lesson", "share", "S / L")
_SILENCE = ("silence_share", "share", "1 − |T ∪ S ∪ M| / L")
_TIMES = {
    Role.CHORAL: ("choral_time", "s", "|C|"),
    Role.GROUP: ("group_time", "s", "|G|"),
    Role.MEDIA: ("media_time", "s", "|M|"),
}
_OVERLAP = ("overlap_time", "s", "|T ∩ S|")
_NAMES = (_SHARE_OF_SPEECH, _TEACHER, _STUDENT, _SILENCE, *_TIMES.values(), _OVERLAP)


def _method(how: str, basis: Basis, times: str | None = None) -> str:
    return f"{how}; {times or basis.by}; ci95=simulated; {RULES}"


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


def _time(basis: Basis, role: Role) -> Indicator:
    """Chorus, group or playback; the interval knows what was wrongly marked, not what was missed.

    What is not heard in the recording may be marked in its transcript; where it is neither, a
    zero would claim that there was none, so there is no value.
    """
    name, unit, how = _TIMES[role]
    n = _count(basis, role)
    if n:
        values = basis.draws.seconds(basis.draws.any_of(role))
        return simulated(name, unit, values, n, _method(how, basis), basis.longest(role))
    marked = [
        (u.id, RoleSpan(u.span.start, u.span.end, role, 1.0))
        for u in basis.spoken
        if u.role is role and u.span is not None and u.span.duration > 0
    ]
    if not marked:
        why = _UNMARKED if basis.source == "transcript" else _UNHEARD[role]
        return absent(name, unit, _method(how, basis), why)
    draws = draw_roles(
        [span for _, span in marked],
        basis.duration,
        seed=basis.material.seed,
        edge_scale=TRANSCRIPT_EDGES,
    )
    method = _method(how, basis, "times=transcript")
    values = draws.seconds(draws.any_of(role))
    return simulated(name, unit, values, len(marked), method, [i for i, _ in marked])


def _overlap(basis: Basis) -> Indicator:
    name, unit, how = _OVERLAP
    both = basis.draws.any_of(Role.TEACHER) & basis.draws.any_of(*STUDENTS)
    ids = _overlapping(basis)
    if not ids and basis.source == "recording":
        return absent(name, unit, _method(how, basis), _NO_OVERLAP)
    return simulated(name, unit, basis.draws.seconds(both), len(ids), _method(how, basis), ids)


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
