"""Words meet roles: recognised words get the timeline's roles, imported words get its times.

Two witnesses: the recording (roles with probabilities, from sound) and the transcript (words,
perhaps speaker labels and times, from a person or another program). Words always come from the
transcript. A label that declares a role is a person's word and wins; how often the sound
agrees is reported (`observer.agreement`), never hidden in an average.
"""

from collections.abc import Sequence
from dataclasses import replace

from observer.alignment import align
from observer.formats.assembly import ImportedTranscript
from observer.splitting import (
    OTHER_SIDE,
    SHORTEST_PIECE,
    RoleVotes,
    sides,
    split,
    talk_of,
    vote_of,
    with_vote,
)
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
from observer.transcript import Transcript, Utterance

SURE_GAP: Seconds = 15.0
"""Gaps in a transcript up to this long are taken for silence …"""

GAP_PROBABILITY, LONG_GAP_PROBABILITY = 0.9, 0.5
"""… with the first probability, longer ones (group work that nobody typed?) with the second.
Judgements, not measurements: without the recording nobody knows."""

DECLARED = (Role.CHORAL, Role.GROUP, Role.MEDIA)
"""Roles that a label declares and sound alone cannot tell from a student's."""

DECLARED_EXACTLY, DECLARED_ROUGHLY = 0.99, 0.9
"""Probability of a declared role where the utterance has times of its own, and where they are
approximate. Judgements, not measurements."""

UNDER_MEDIA = 0.8
"""Share of a stretch of the teacher's voice under a playback that makes it the playback's."""

TURN_SECONDS: Seconds = 20.0
TURN_SHARE = 0.3
"""Guessed roles are turned round when the sound agrees with at most this share of at least
so many seconds."""


def with_roles(transcript: Transcript, timeline: Sequence[RoleSpan]) -> Transcript:
    """Recognised utterances with the timeline's roles, split where the role changes.

    An utterance with words is cut between words, one without words takes the role that
    fills most of it. Each piece gets the mean probability of its role; utterances far from
    all talk, or without times, get none. Ids are written anew ("u1" …), because pieces are
    new utterances: join before labelling.
    """
    roles = RoleVotes(timeline)
    pieces = [piece for u in transcript for piece in split(u, roles)]
    return transcript.with_utterances([replace(u, id=f"u{i}") for i, u in enumerate(pieces, 1)])


def merge_witnesses(
    imported: ImportedTranscript | Transcript,
    timeline: Sequence[RoleSpan],
    speech: Sequence[Span] | None = None,
) -> Transcript:
    """The words of a transcript with the times and roles of a recording.

    Utterances without both times are aligned to `speech`, the voice activity (None: the talk of
    the timeline, which lacks the short pauses between two sentences), and marked approximate;
    a start alone is an anchor (`in_sentences` makes one of an estimated time). A role that a
    label declares stays; a role that was guessed from talk gives way to the sound where the
    sound is surer, and all guesses are turned round when the sound contradicts most of them; an
    utterance without a role gets the sound's, and is split at a role change when it has words.
    Ids are written anew only after a split.
    """
    transcript = imported if isinstance(imported, Transcript) else imported.transcript
    roles = RoleVotes(timeline)
    if not transcript.timed:
        heard = talk_of(timeline) if speech is None else speech
        transcript = _aligned(transcript, heard, timeline)
    transcript = _turned_round(transcript, roles)
    merged = [piece for u in transcript for piece in _merged(u, roles)]
    if len(merged) > len(transcript):
        merged = [replace(u, id=f"u{i}") for i, u in enumerate(merged, 1)]
    return transcript.with_utterances(merged)


def _aligned(
    transcript: Transcript, speech: Sequence[Span], timeline: Sequence[RoleSpan]
) -> Transcript:
    """Times for the utterances without; those that have some keep them, approximate or not."""
    fixed = [replace(u, approximate=u.span is None) for u in transcript]
    found = align(transcript.with_utterances(fixed), speech, timeline)
    return transcript.with_utterances(
        [
            replace(a, approximate=a.approximate or u.approximate)
            for a, u in zip(found, transcript, strict=True)
        ]
    )


def _turned_round(transcript: Transcript, roles: RoleVotes) -> Transcript:
    """Swap guessed teachers and students when the sound contradicts the guess as a whole.

    Only where no label declares the teacher: then the guess "this voice is the teacher" is
    one decision for the whole file, and one sum of seconds can overturn it.
    """
    guessed = [u for u in transcript if u.role in OTHER_SIDE and u.role_probability is not None]
    if any(u.role is Role.TEACHER and u.role_probability is None for u in transcript):
        return transcript
    same = other = 0.0
    for utterance in guessed:
        teacher, students = sides(utterance.span, roles) if utterance.span else (0.0, 0.0)
        is_teacher = utterance.role is Role.TEACHER
        same += teacher if is_teacher else students
        other += students if is_teacher else teacher
    if same + other < TURN_SECONDS or same > TURN_SHARE * (same + other):
        return transcript
    chance = round(other / (same + other), 4)
    turned = {u.id: OTHER_SIDE[u.role] for u in guessed if u.role is not None}
    return transcript.with_utterances(
        [
            replace(u, role=turned[u.id], role_probability=chance) if u.id in turned else u
            for u in transcript
        ]
    )


def _merged(utterance: Utterance, roles: RoleVotes) -> list[Utterance]:
    if utterance.role is None:
        return split(utterance, roles)
    if utterance.role_probability is None:
        return [utterance]
    vote = vote_of(utterance, roles)
    if vote is None:
        return [utterance]
    if vote.role is utterance.role:
        sure = max(vote.probability, utterance.role_probability)
        return [replace(utterance, role_probability=sure)]
    return [
        with_vote(utterance, vote) if vote.probability > utterance.role_probability else utterance
    ]


def declared_on(timeline: Sequence[RoleSpan], transcript: Transcript) -> tuple[RoleSpan, ...]:
    """The timeline with the choirs, groups and playbacks that a transcript declares.

    Student, choral, group and media talk under such an utterance becomes its role, cut where the
    utterance begins and ends; rests, and brushes of two edges, of less than `SHORTEST_PIECE` go
    with the longer side, because nobody types times that exactly. The teacher's talk stays, but
    a stretch of which more than `UNDER_MEDIA` lies under a playback is the playback's. What is
    covered stays covered, silence stays as it is. Roles that were
    not declared (`role_probability` is set) and utterances without times change nothing.
    """
    changed = list(timeline)
    for role in DECLARED:
        declared = [
            u for u in transcript if u.role is role and u.role_probability is None and u.span
        ]
        if declared:
            changed = _relabelled(changed, role, declared)
    return tuple(sorted(changed, key=lambda t: (t.start, t.end, t.role.value)))


def _relabelled(
    timeline: Sequence[RoleSpan], role: Role, declared: Sequence[Utterance]
) -> list[RoleSpan]:
    """One declared role laid over the talk; its pieces are joined, so that none is told twice."""
    under = union(u.span for u in declared if u.span is not None)
    vague = union(u.span for u in declared if u.span is not None and u.approximate)
    kept: list[RoleSpan] = []
    taken: list[Span] = []
    for item in timeline:
        inside = _inside(item, role, under)
        taken += inside
        kept += [replace(item, start=s.start, end=s.end) for s in difference([item.span], inside)]
    for span in union(taken):
        probability = DECLARED_ROUGHLY if intersection([span], vague) else DECLARED_EXACTLY
        kept.append(RoleSpan(span.start, span.end, role, probability))
    return kept


def _inside(item: RoleSpan, role: Role, under: Sequence[Span]) -> list[Span]:
    """The stretches of a timeline span that take the declared role."""
    common = [c for u in under for c in intersection([item.span], [u]) if not _stray(c, item, u)]
    if item.role is Role.SILENCE or not common:
        return []
    if item.role is Role.TEACHER:
        covered = role is Role.MEDIA and total(common) > UNDER_MEDIA * item.duration
        return [item.span] if covered else []
    rests = difference([item.span], common)
    return union([*common, *(r for r in rests if r.duration < SHORTEST_PIECE)])


def _stray(common: Span, item: RoleSpan, declared: Span) -> bool:
    """Whether two stretches only brush: rough times, not the same talk."""
    shorter = min(item.duration, declared.duration)
    return common.duration < min(SHORTEST_PIECE, 0.5 * shorter)


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
