"""Words meet roles: recognised words get the timeline's roles, imported words get its times.

Two witnesses: the recording (roles with probabilities, from sound) and the transcript (words,
perhaps speaker labels and times, from a person or another program). Words always come from the
transcript. A label that declares a role is a person's word and wins; how often the sound
agrees is reported (`witness_agreement`), never hidden in an average.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from observer.alignment import align
from observer.formats.assembly import ImportedTranscript
from observer.timeline import Role, RoleSpan, Seconds, Span, complement, of_role
from observer.transcript import Transcript, Utterance, Word, join_text

NEAR: Seconds = 1.0
"""A word that lies in silence takes the role of talk at most this far away …"""

NEAR_TRUST = 0.5
"""… with the distance of its probability from one half shrunk by this factor."""

SHORTEST_PIECE: Seconds = 0.4
"""A change of role shorter than this inside an utterance is not believed: voices of one
syllable are below what speaker embeddings can tell apart."""

SURE_GAP: Seconds = 15.0
"""Gaps in a transcript up to this long are taken for silence …"""

GAP_PROBABILITY, LONG_GAP_PROBABILITY = 0.9, 0.5
"""… with the first probability, longer ones (group work that nobody typed?) with the second.
Judgements, not measurements: without the recording nobody knows."""

TURN_SECONDS: Seconds = 20.0
TURN_SHARE = 0.3
"""Guessed roles are turned round when the sound agrees with at most this share of at least
so many seconds."""

_PAIR = {Role.TEACHER: Role.STUDENT, Role.STUDENT: Role.TEACHER}


@dataclass(frozen=True, slots=True)
class _Vote:
    """What the timeline says of one stretch."""

    role: Role
    probability: float


class _Timeline:
    """A role timeline that answers for stretches; spans may overlap."""

    def __init__(self, timeline: Iterable[RoleSpan]) -> None:
        self.talk = sorted(
            (t for t in timeline if t.role is not Role.SILENCE), key=lambda t: (t.start, t.end)
        )
        self.starts = [t.start for t in self.talk]
        self.longest = max((t.duration for t in self.talk), default=0.0)

    def within(self, span: Span, margin: Seconds = 0.0) -> list[RoleSpan]:
        """The spans of talk that come within `margin` of a stretch."""
        first = bisect_left(self.starts, span.start - margin - self.longest)
        last = bisect_left(self.starts, span.end + margin + 1e-9)
        return [t for t in self.talk[first:last] if t.end >= span.start - margin]

    def vote(self, span: Span) -> _Vote | None:
        """The role with most probability over a stretch; None when no talk is near it.

        Each span gives its probability times its overlap to its role and, for teacher and
        student, the rest to the other of the two.
        """
        mass: dict[Role, float] = {}
        for item in self.within(span):
            overlap = span.overlap(item.span) or (1e-6 if span.duration == 0 else 0.0)
            mass[item.role] = mass.get(item.role, 0.0) + overlap * item.probability
            if other := _PAIR.get(item.role):
                mass[other] = mass.get(other, 0.0) + overlap * (1 - item.probability)
        whole = sum(mass.values())
        if whole <= 0:
            return self._nearest(span)
        role = max(mass, key=lambda r: (mass[r], r.value))
        return _Vote(role, min(1.0, mass[role] / whole))

    def _nearest(self, span: Span) -> _Vote | None:
        near = self.within(span, NEAR)
        if not near:
            return None
        item = min(near, key=lambda t: (max(t.start - span.end, span.start - t.end), t.start))
        return _Vote(item.role, 0.5 + (item.probability - 0.5) * NEAR_TRUST)


def with_roles(transcript: Transcript, timeline: Sequence[RoleSpan]) -> Transcript:
    """Recognised utterances with the timeline's roles, split where the role changes.

    An utterance with words is cut between words, one without words takes the role that
    fills most of it. Each piece gets the mean probability of its role; utterances far from
    all talk, or without times, get none. Ids are written anew ("u1" …), because pieces are
    new utterances: join before labelling.
    """
    roles = _Timeline(timeline)
    pieces = [piece for u in transcript for piece in _split(u, roles)]
    return transcript.with_utterances([replace(u, id=f"u{i}") for i, u in enumerate(pieces, 1)])


def _split(utterance: Utterance, roles: _Timeline) -> list[Utterance]:
    span = utterance.span
    if span is None:
        return [utterance]
    if len(utterance.words) < 2:
        return [_with_vote(utterance, roles.vote(span))]
    votes = [roles.vote(Span(w.start, max(w.start, w.end))) for w in utterance.words]
    cuts = _cuts(utterance.words, votes)
    return [_with_vote(part, _vote_of(part, roles)) for part in _parts(utterance, cuts)]


def _with_vote(utterance: Utterance, vote: _Vote | None) -> Utterance:
    if vote is None:
        return replace(utterance, role=None, role_probability=None)
    return replace(utterance, role=vote.role, role_probability=round(vote.probability, 4))


def _vote_of(utterance: Utterance, roles: _Timeline) -> _Vote | None:
    return None if utterance.span is None else roles.vote(utterance.span)


def _cuts(words: Sequence[Word], votes: Sequence[_Vote | None]) -> list[int]:
    """Positions of words that begin a piece (0 first); pieces too short join the longer side."""
    heard = _filled([v.role if v else None for v in votes])
    cuts = [0] + [i for i in range(1, len(words)) if heard[i] != heard[i - 1]]
    while len(cuts) > 1:
        ends = [*cuts[1:], len(words)]
        lengths = [words[e - 1].end - words[b].start for b, e in zip(cuts, ends, strict=True)]
        shortest = min(range(len(cuts)), key=lambda i: (lengths[i], i))
        if lengths[shortest] >= SHORTEST_PIECE:
            break
        _absorb(cuts, lengths, shortest, heard)
    return cuts


def _absorb(cuts: list[int], lengths: list[float], short: int, heard: list[Role | None]) -> None:
    """Give a short piece to the longer neighbour, and join neighbours that became one role."""
    left_is_longer = short == len(cuts) - 1 or (
        short > 0 and lengths[short - 1] >= lengths[short + 1]
    )
    taken = heard[cuts[short - 1]] if left_is_longer else heard[cuts[short + 1]]
    stop = cuts[short + 1] if short + 1 < len(cuts) else len(heard)
    heard[cuts[short] : stop] = [taken] * (stop - cuts[short])
    cuts[:] = [0] + [i for i in range(1, len(heard)) if heard[i] != heard[i - 1]]


def _filled(roles: list[Role | None]) -> list[Role | None]:
    """Words without a role take that of the word before, at the front that of the first."""
    current = next((r for r in roles if r is not None), None)
    filled: list[Role | None] = []
    for role in roles:
        current = role or current
        filled.append(current)
    return filled


def _parts(utterance: Utterance, cuts: Sequence[int]) -> list[Utterance]:
    if len(cuts) == 1:
        return [utterance]
    texts = _texts(utterance.text, utterance.words, cuts)
    stops = [*cuts[1:], len(utterance.words)]
    parts: list[Utterance] = []
    for begin, stop, text in zip(cuts, stops, texts, strict=True):
        words = utterance.words[begin:stop]
        start = utterance.start if begin == 0 else words[0].start
        end = utterance.end if stop == len(utterance.words) else words[-1].end
        parts.append(replace(utterance, text=text, start=start, end=end, words=words))
    return parts


def _texts(text: str, words: Sequence[Word], cuts: Sequence[int]) -> list[str]:
    """The text cut before the first word of each piece: punctuation stays with its words.

    Where a word is not found in the text, the pieces are the words joined.
    """
    places: list[int] = []
    cursor = 0
    for word in words:
        place = text.find(word.text.strip(), cursor)
        if place < 0:
            stops = [*cuts[1:], len(words)]
            return [
                join_text([w.text for w in words[b:e]]) for b, e in zip(cuts, stops, strict=True)
            ]
        places.append(place)
        cursor = place + len(word.text.strip())
    edges = [0, *(places[c] for c in cuts[1:]), len(text)]
    return [text[a:b].strip() for a, b in pairwise(edges)]


def merge_witnesses(
    imported: ImportedTranscript | Transcript, timeline: Sequence[RoleSpan]
) -> Transcript:
    """The words of a transcript with the times and roles of a recording.

    Utterances without times, or with times that were estimated, are aligned to the talk of the
    timeline (marked approximate). A role that a label declares stays; a role that was guessed
    from talk gives way to the sound where the sound is surer, and all guesses are turned round
    when the sound contradicts most of them; an utterance without a role gets the sound's, and
    is split at a role change when it has words. Ids are written anew only after a split.
    """
    transcript = imported if isinstance(imported, Transcript) else imported.transcript
    roles = _Timeline(timeline)
    if any(u.approximate or u.span is None for u in transcript):
        transcript = align(transcript, talk_of(timeline), timeline)
    transcript = _turned_round(transcript, roles)
    merged = [piece for u in transcript for piece in _merged(u, roles)]
    if len(merged) > len(transcript):
        merged = [replace(u, id=f"u{i}") for i, u in enumerate(merged, 1)]
    return transcript.with_utterances(merged)


def _turned_round(transcript: Transcript, roles: _Timeline) -> Transcript:
    """Swap guessed teachers and students when the sound contradicts the guess as a whole.

    Only where no label declares the teacher: then the guess "this voice is the teacher" is
    one decision for the whole file, and one sum of seconds can overturn it.
    """
    guessed = [u for u in transcript if u.role in _PAIR and u.role_probability is not None]
    if any(u.role is Role.TEACHER and u.role_probability is None for u in transcript):
        return transcript
    same = other = 0.0
    for utterance in guessed:
        teacher, students = _sides(utterance.span, roles) if utterance.span else (0.0, 0.0)
        is_teacher = utterance.role is Role.TEACHER
        same += teacher if is_teacher else students
        other += students if is_teacher else teacher
    if same + other < TURN_SECONDS or same > TURN_SHARE * (same + other):
        return transcript
    chance = round(other / (same + other), 4)
    turned = {u.id: _PAIR[u.role] for u in guessed if u.role is not None}
    return transcript.with_utterances(
        [
            replace(u, role=turned[u.id], role_probability=chance) if u.id in turned else u
            for u in transcript
        ]
    )


def _merged(utterance: Utterance, roles: _Timeline) -> list[Utterance]:
    if utterance.role is None:
        return _split(utterance, roles)
    if utterance.role_probability is None:
        return [utterance]
    vote = _vote_of(utterance, roles)
    if vote is None:
        return [utterance]
    if vote.role is utterance.role:
        sure = max(vote.probability, utterance.role_probability)
        return [replace(utterance, role_probability=sure)]
    return [
        _with_vote(utterance, vote) if vote.probability > utterance.role_probability else utterance
    ]


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far the sound confirms the roles that the labels of a transcript declare."""

    share: float | None
    """Share of compared seconds with the same side (teacher or students); None without any."""
    seconds: Seconds
    """Seconds compared: declared role, and talk heard."""
    teacher_as_student: Seconds
    """The label says teacher, the sound says student (or a choir)."""
    student_as_teacher: Seconds
    independent: bool
    """False when times are approximate, perhaps aligned with the help of the roles: the share
    then flatters."""


def witness_agreement(
    imported: ImportedTranscript | Transcript, timeline: Sequence[RoleSpan]
) -> Agreement:
    """Compare declared roles with the sound, second by second of the utterances.

    Without own times the transcript is first aligned to the talk *without* its roles, so that
    the comparison stays one between two witnesses.
    """
    transcript = imported if isinstance(imported, Transcript) else imported.transcript
    independent = not any(u.approximate and u.span is not None for u in transcript)
    if not transcript.timed:
        bare = transcript.with_utterances([replace(u, role=None) for u in transcript])
        placed = align(bare, talk_of(timeline))
        transcript = transcript.with_utterances(
            [replace(u, start=p.start, end=p.end) for u, p in zip(transcript, placed, strict=True)]
        )
    roles = _Timeline(timeline)
    same = wrong_student = wrong_teacher = 0.0
    for utterance in transcript:
        if utterance.role_probability is not None or utterance.span is None:
            continue
        teacher, students = _sides(utterance.span, roles)
        if utterance.role is Role.TEACHER:
            same += teacher
            wrong_student += students
        elif utterance.role in (Role.STUDENT, Role.CHORAL, Role.GROUP):
            same += students
            wrong_teacher += teacher
    seconds = same + wrong_student + wrong_teacher
    share = same / seconds if seconds > 0 else None
    return Agreement(share, seconds, wrong_student, wrong_teacher, independent)


def _sides(span: Span, roles: _Timeline) -> tuple[Seconds, Seconds]:
    """Expected seconds of (teacher, students) that the sound has inside a stretch."""
    teacher = students = 0.0
    for item in roles.within(span):
        overlap = span.overlap(item.span)
        if item.role is Role.TEACHER:
            teacher += overlap * item.probability
            students += overlap * (1 - item.probability)
        elif item.role is Role.STUDENT:
            students += overlap * item.probability
            teacher += overlap * (1 - item.probability)
        elif item.role in (Role.CHORAL, Role.GROUP):
            students += overlap
    return teacher, students


def timeline_from(transcript: Transcript) -> list[RoleSpan]:
    """A role timeline from a timed transcript alone, in order of start.

    Talk lasts as long as its utterance; gaps between utterances are silence, with a lower
    probability when they are long. Utterances without a role leave their stretch out: nobody
    knows whose it is. A transcript without times gives an empty timeline.
    """
    spans = [u.span for u in transcript if u.span is not None]
    if not spans:
        return []
    talk = [
        RoleSpan(u.span.start, u.span.end, u.role, _probability(u))
        for u in transcript
        if u.span is not None and u.span.duration > 0 and u.role is not None
    ]
    whole = Span(0.0, max(s.end for s in spans))
    gaps = [
        RoleSpan(g.start, g.end, Role.SILENCE, _gap_probability(g))
        for g in complement(spans, whole)
    ]
    return sorted(talk + gaps, key=lambda t: (t.start, t.end, t.role.value))


def _probability(utterance: Utterance) -> float:
    return 1.0 if utterance.role_probability is None else utterance.role_probability


def _gap_probability(gap: Span) -> float:
    return GAP_PROBABILITY if gap.duration <= SURE_GAP else LONG_GAP_PROBABILITY


def talk_of(timeline: Sequence[RoleSpan]) -> list[Span]:
    """Everything but silence, merged."""
    return of_role(timeline, *(r for r in Role if r is not Role.SILENCE))
