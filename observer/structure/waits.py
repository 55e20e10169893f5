"""Wait time 1 and 2: every silence after a question and after an answer, counted or not.

Wait time 1 runs from the end of the teacher's question until a student starts or the teacher
speaks again; wait time 2 from the end of a student's turn until the teacher starts (Rowe, J. Res.
Sci. Teach. 1974, 11:81). The words say which utterance is a question; the true bounds are the
edges of the role timeline, because recognised word times are too rough for waits of a second.
Nothing is dropped: a wait that does not count carries the code of its reason.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from observer.discourse import Discourse, Wait
from observer.structure.voices import (
    LATE,
    SNAP,
    Edges,
    Said,
    Voice,
    heard_voices,
    transcript_voices,
)
from observer.timeline import Role, RoleSpan, Seconds
from observer.transcript import Utterance

LOST: Seconds = 1.0
"""Further than this from any edge, words and sound disagree and the wait does not count."""
LONGEST: Seconds = 30.0
"""A longer silence is time to work, not time to answer."""


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Why a wait is listed but not counted."""

    en: str
    zh: str


EXCLUSIONS: dict[str, Exclusion] = {
    "tag": Exclusion("a tag question: only agreement was sought", "附加问，只求认同"),
    "self": Exclusion("the teacher answered it at once", "自问自答"),
    "manage": Exclusion("a managing question", "组织课堂的常规管理性提问"),
    "continued": Exclusion("the teacher went on without a pause", "教师没有停顿，接着往下说"),
    "overlap": Exclusion("both spoke at the same time", "师生声音重叠，无停顿可量"),
    "bounds": Exclusion("words and sound disagree about its bounds", "文字与声音的起止时间不一致"),
    "media": Exclusion("a playback broke in", "其间播放了音视频"),
    "group": Exclusion("group work came before it", "前面是小组活动"),
    "long": Exclusion("longer than 30 s: likely time to work", "超过 30 秒，多半是练习或思考时间"),
}
"""Reason code → what it means, in both languages."""


def find_waits(timeline: Sequence[RoleSpan], discourse: Discourse) -> tuple[Wait, ...]:
    """Every wait in order of time, with ids w1, w2 …

    Without a timeline the times of the utterances stand in for it. Without question labels
    only wait time 2 is found. `after` and `before` are ids of utterances; a wait-time-2 whose
    answer was not transcribed has the timeline span (``t`` + position) as its `after`.
    """
    spans = heard_voices(timeline) or transcript_voices(discourse.transcript)
    edges = Edges(spans)
    said = Said(discourse.transcript)
    found = _first_waits(edges, discourse, said) + _second_waits(edges, said)
    ordered = sorted(found, key=lambda w: (w.start, w.kind, w.end))
    return tuple(
        Wait(f"w{i}", w.kind, w.start, w.end, w.after, w.before, w.ended_by, w.excluded)
        for i, w in enumerate(ordered, 1)
    )


# -- wait time 1 -------------------------------------------------------------------------


def _first_waits(edges: Edges, discourse: Discourse, said: Said) -> list[Wait]:
    forms, demands = discourse.codes("question_form"), discourse.codes("question_demand")
    waits = []
    followers = (*discourse.transcript.utterances[1:], None)
    for utterance, follower in zip(discourse.transcript, followers, strict=False):
        form = forms.get(utterance.id, "none")
        if utterance.role is not Role.TEACHER or form == "none":
            continue
        reason = form if form in ("tag", "self") else None
        if reason is None and demands.get(utterance.id) == "manage":
            reason = "manage"
        wait = _first_wait(edges, said, utterance, follower, reason)
        if wait is not None:
            waits.append(wait)
    return waits


def _first_wait(
    edges: Edges,
    said: Said,
    question: Utterance,
    follower: Utterance | None,
    reason: str | None,
) -> Wait | None:
    """The wait after one question; None when nobody speaks any more."""
    if question.span is None:
        return None
    word = question.words[-1] if question.words else None
    began, end = (word.start, word.end) if word else (question.span.start, question.span.end)
    voice, doubt = edges.teacher_at(began, end), None
    # Recognisers stretch a last word over the silence after it: if it began in the voice, the
    # voice knows better where it ended.
    stretched = word is not None and voice is not None and word.start <= voice.end + LATE
    if voice is None or (voice.end < end - LOST and not stretched):
        doubt = "bounds"
    elif voice.end > end + SNAP or _goes_on(follower, voice.end):
        return _wait(1, end, end, question.id, None, Role.TEACHER, reason or "continued")
    else:
        end = voice.end
    talking = edges.sounding(end)
    nxt = talking[0] if talking else edges.next_start(end)
    if nxt is None:
        return None
    before = said.first(nxt, but=question.id)
    why = reason or doubt or _why_not(end, nxt)
    return _wait(1, end, max(end, nxt.start), question.id, before, nxt.role, why)


def _why_not(end: Seconds, nxt: Voice) -> str | None:
    """Why the silence from `end` to the next voice is no wait, if it is none."""
    if nxt.role is Role.MEDIA:
        return "media"
    if nxt.start < end - 1e-6:
        return "overlap"
    return "long" if nxt.start - end > LONGEST else None


def _goes_on(follower: Utterance | None, end: Seconds) -> bool:
    """Whether the teacher has begun the next utterance before the voice ends."""
    if follower is None or follower.role is not Role.TEACHER or follower.start is None:
        return False
    return follower.start < end - LATE / 2


# -- wait time 2 -------------------------------------------------------------------------


def _second_waits(edges: Edges, said: Said) -> list[Wait]:
    """One wait per change from the students' side to the teacher."""
    waits = []
    last: Voice | None = None
    # Never forgotten: a student may talk on across the teacher and other students.
    longest: Voice | None = None
    taught = 0.0
    for voice in edges.voices:
        if voice.role is not Role.TEACHER:
            if longest is None or voice.end >= longest.end:
                longest = voice
            last = longest
            continue
        if last is not None and last.end > taught:  # not within the teacher's own talk
            waits.append(_second_wait(said, last, voice))
        last, taught = None, max(taught, voice.end)
    return [w for w in waits if w is not None]


def _second_wait(said: Said, answer: Voice, teacher: Voice) -> Wait | None:
    if answer.role is Role.MEDIA:
        return None
    excluded: str | None = None
    if answer.end > teacher.start + 1e-6:
        excluded = "overlap"
    elif answer.role is Role.GROUP:
        excluded = "group"
    elif teacher.start - answer.end > LONGEST:
        excluded = "long"
    start = min(answer.end, teacher.start)
    after = said.last(answer, teacher.start) or answer.id
    before = said.first(teacher)
    return _wait(2, start, teacher.start, after, before, Role.TEACHER, excluded)


# -- both --------------------------------------------------------------------------------


def _wait(
    kind: int,
    start: Seconds,
    end: Seconds,
    after: str,
    before: str | None,
    ended_by: Role,
    excluded: str | None,
) -> Wait:
    return Wait("", kind, start, max(start, end), after, before, str(ended_by), excluded)
