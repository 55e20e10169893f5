"""Wait time 1 and 2: every silence after a question and after an answer, counted or not.

Wait time 1 runs from the end of the teacher's question until a student starts or the teacher
speaks again; wait time 2 from the end of a student's turn until the teacher starts (Rowe, J. Res.
Sci. Teach. 1974, 11:81). The words say which utterance is a question; the true bounds are the
edges of the role timeline, because recognised word times are too rough for waits of a second.
Nothing is dropped: a wait that does not count carries the code of its reason.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from observer.discourse import Discourse, Wait
from observer.timeline import Role, RoleSpan, Seconds, Span
from observer.transcript import Transcript, Utterance

SNAP: Seconds = 0.5
"""Word times this close to an edge of the timeline mean that edge."""
LATE: Seconds = 0.2
"""Words that begin this much before a stretch do not belong to it."""
LOST: Seconds = 1.0
"""Further than this from any edge, words and sound disagree and the wait does not count."""
LONGEST: Seconds = 30.0
"""A longer silence is time to work, not time to answer."""
STUDENTS = (Role.STUDENT, Role.CHORAL, Role.GROUP)


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
    spans = _voices(timeline) or _voices_of(discourse.transcript)
    edges = _Edges(spans)
    said = _Said(discourse.transcript)
    found = _first_waits(edges, discourse, said) + _second_waits(edges, said)
    ordered = sorted(found, key=lambda w: (w.start, w.kind, w.end))
    return tuple(
        Wait(f"w{i}", w.kind, w.start, w.end, w.after, w.before, w.ended_by, w.excluded)
        for i, w in enumerate(ordered, 1)
    )


@dataclass(frozen=True, slots=True)
class _Voice:
    """A voiced span with the id it can be played by."""

    start: Seconds
    end: Seconds
    role: Role
    id: str


def _voices(timeline: Sequence[RoleSpan]) -> list[_Voice]:
    return [
        _Voice(s.start, s.end, s.role, f"t{i}")
        for i, s in enumerate(timeline)
        if s.role is not Role.SILENCE and s.end > s.start
    ]


def _voices_of(transcript: Transcript) -> list[_Voice]:
    return [
        _Voice(u.start, u.end, u.role, u.id)
        for u in transcript
        if u.start is not None and u.end is not None and u.end > u.start
        if u.role is not None and u.role is not Role.SILENCE
    ]


class _Edges:
    """The voiced spans, made ready for asking what is heard around a moment."""

    def __init__(self, voices: Sequence[_Voice]) -> None:
        self.voices = sorted(voices, key=lambda v: (v.start, v.end, v.id))
        self._starts = [v.start for v in self.voices]
        self.teacher = _joined([v for v in self.voices if v.role is Role.TEACHER])
        self._teacher_starts = [s.start for s in self.teacher]
        self._reach = list(accumulate((v.end for v in self.voices), max))

    def teacher_at(self, began: Seconds, ended: Seconds) -> Span | None:
        """The stretch of the teacher's voice in which words from `began` to `ended` end.

        Recognised words may run a little into the next stretch; then it is the one before.
        """
        place = bisect_left(self._teacher_starts, ended)
        late = place > 1 and self._teacher_starts[place - 1] > ended - SNAP
        if late and began < self._teacher_starts[place - 1] - LATE:
            place -= 1
        return self.teacher[place - 1] if place else None

    def next_start(self, moment: Seconds) -> _Voice | None:
        """The first voice that starts at `moment` or later."""
        place = bisect_left(self._starts, moment - 1e-6)
        return self.voices[place] if place < len(self.voices) else None

    def sounding(self, moment: Seconds) -> list[_Voice]:
        """Voices, the teacher's left out, that go on through `moment`."""
        heard = []
        for i in range(bisect_right(self._starts, moment - 1e-6) - 1, -1, -1):
            if self._reach[i] <= moment + 1e-6:
                break
            voice = self.voices[i]
            if voice.end > moment + 1e-6 and voice.role is not Role.TEACHER:
                heard.append(voice)
        return heard


def _joined(voices: Sequence[_Voice]) -> list[Span]:
    """Stretches without any pause, in order."""
    stretches: list[Span] = []
    for voice in voices:
        if stretches and voice.start <= stretches[-1].end + 1e-6:
            stretches[-1] = Span(stretches[-1].start, max(stretches[-1].end, voice.end))
        else:
            stretches.append(Span(voice.start, voice.end))
    return stretches


# -- wait time 1 -------------------------------------------------------------------------


def _first_waits(edges: _Edges, discourse: Discourse, said: "_Said") -> list[Wait]:
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
    edges: _Edges,
    said: "_Said",
    question: Utterance,
    follower: Utterance | None,
    reason: str | None,
) -> Wait | None:
    """The wait after one question; None when nobody speaks any more."""
    if question.span is None:
        return None
    end, doubt = question.words[-1].end if question.words else question.span.end, None
    voice = edges.teacher_at(question.span.start, end)
    if voice is None or voice.end < end - LOST:
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


def _why_not(end: Seconds, nxt: _Voice) -> str | None:
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


def _second_waits(edges: _Edges, said: "_Said") -> list[Wait]:
    """One wait per change from the students' side to the teacher."""
    waits = []
    last: _Voice | None = None
    taught = 0.0
    for voice in edges.voices:
        if voice.role is not Role.TEACHER:
            if last is None or voice.end >= last.end:
                last = voice
            continue
        if last is not None and last.end > taught:  # not within the teacher's own talk
            waits.append(_second_wait(said, last, voice))
        last, taught = None, max(taught, voice.end)
    return [w for w in waits if w is not None]


def _second_wait(said: "_Said", answer: _Voice, teacher: _Voice) -> Wait | None:
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
    after = said.last(answer) or answer.id
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


class _Said:
    """The timed utterances by side, made ready for asking which one a voice speaks."""

    def __init__(self, transcript: Transcript) -> None:
        self._sides: dict[str, list[tuple[Span, str]]] = {}
        for utterance in transcript:
            if utterance.span is not None:
                entry = (utterance.span, utterance.id)
                self._sides.setdefault(_side(utterance.role), []).append(entry)
        self._reach: dict[str, list[Seconds]] = {}
        for side, entries in self._sides.items():
            entries.sort()
            self._reach[side] = list(accumulate((span.end for span, _ in entries), max))

    def first(self, voice: _Voice, but: str | None = None) -> str | None:
        """The first utterance of the voice's side that is heard in it, `but` left out."""
        return min(((s, name) for s, name in self._in(voice) if name != but), default=_NO_ONE)[1]

    def last(self, voice: _Voice) -> str | None:
        """The last utterance of the voice's side that is heard in it."""
        return max(self._in(voice), default=_NO_ONE)[1]

    def _in(self, voice: _Voice) -> Sequence[tuple[Span, str | None]]:
        """Utterances that share `LATE` seconds, or half of the shorter one, with the voice."""
        side, span = _side(voice.role), Span(voice.start, voice.end)
        entries, found = self._sides.get(side, []), []
        for i in range(bisect_left(entries, (Span(span.end, span.end), "")) - 1, -1, -1):
            if self._reach[side][i] <= span.start:
                break
            said, name = entries[i]
            if said.overlap(span) >= min(LATE, said.duration / 2, span.duration / 2) > 0:
                found.append((said, name))
        return found


_NO_ONE: tuple[Span, str | None] = (Span(0.0, 0.0), None)


def _side(role: Role | None) -> str:
    if role is None:
        return "nobody"
    return "students" if role in STUDENTS else str(role)
