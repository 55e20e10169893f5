"""Words meet roles: recognised words get the timeline's roles, imported words get its times.

Two witnesses: the recording (roles with probabilities, from sound) and the transcript (words,
perhaps speaker labels and times, from a person or another program). Words always come from the
transcript. A label that declares a role is a person's word and wins; how often the sound
agrees is reported (`witness_agreement`), never hidden in an average.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from observer.alignment import align
from observer.formats.assembly import ImportedTranscript
from observer.splitting import OTHER_SIDE, RoleVotes, split, vote_of, with_vote
from observer.timeline import Role, RoleSpan, Seconds, Span, complement, of_role
from observer.transcript import Transcript, Utterance

SURE_GAP: Seconds = 15.0
"""Gaps in a transcript up to this long are taken for silence …"""

GAP_PROBABILITY, LONG_GAP_PROBABILITY = 0.9, 0.5
"""… with the first probability, longer ones (group work that nobody typed?) with the second.
Judgements, not measurements: without the recording nobody knows."""

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
    roles = RoleVotes(timeline)
    if any(u.approximate or u.span is None for u in transcript):
        transcript = align(transcript, talk_of(timeline), timeline)
    transcript = _turned_round(transcript, roles)
    merged = [piece for u in transcript for piece in _merged(u, roles)]
    if len(merged) > len(transcript):
        merged = [replace(u, id=f"u{i}") for i, u in enumerate(merged, 1)]
    return transcript.with_utterances(merged)


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
        teacher, students = _sides(utterance.span, roles) if utterance.span else (0.0, 0.0)
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
    roles = RoleVotes(timeline)
    same = wrong_student = wrong_teacher = 0.0
    for utterance in transcript:
        if utterance.role_probability is not None or utterance.span is None:
            continue
        teacher, students = _sides(utterance.span, roles, decided=True)
        if utterance.role is Role.TEACHER:
            same += teacher
            wrong_student += students
        elif utterance.role in (Role.STUDENT, Role.CHORAL, Role.GROUP):
            same += students
            wrong_teacher += teacher
    seconds = same + wrong_student + wrong_teacher
    share = same / seconds if seconds > 0 else None
    return Agreement(share, seconds, wrong_student, wrong_teacher, independent)


def _sides(span: Span, roles: RoleVotes, *, decided: bool = False) -> tuple[Seconds, Seconds]:
    """Seconds of (teacher, students) that the sound has inside a stretch.

    Expected seconds, or, when `decided`, those of the likelier role.
    """
    teacher = students = 0.0
    for item in roles.within(span):
        overlap = span.overlap(item.span)
        sure = float(item.probability >= 0.5) if decided else item.probability
        if item.role is Role.TEACHER:
            teacher += overlap * sure
            students += overlap * (1 - sure)
        elif item.role is Role.STUDENT:
            students += overlap * sure
            teacher += overlap * (1 - sure)
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
