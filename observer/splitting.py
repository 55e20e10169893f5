"""What a role timeline says of a stretch of time, and utterances cut where it changes its mind."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from observer.timeline import Role, RoleSpan, Seconds, Span, of_role
from observer.transcript import Utterance, Word, join_text

NEAR: Seconds = 1.0
"""A word that lies in silence takes the role of talk at most this far away …"""

NEAR_TRUST = 0.5
"""… with the distance of its probability from one half shrunk by this factor."""

SHORTEST_PIECE: Seconds = 0.4
"""A change of role shorter than this inside an utterance is not believed: voices of one
syllable are below what speaker embeddings can tell apart."""

OTHER_SIDE = {Role.TEACHER: Role.STUDENT, Role.STUDENT: Role.TEACHER}
"""The alternative that a probability of teacher or student leaves."""


@dataclass(frozen=True, slots=True)
class Vote:
    """What the timeline says of one stretch."""

    role: Role
    probability: float


class RoleVotes:
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

    def vote(self, span: Span) -> Vote | None:
        """The role with most probability over a stretch; None when no talk is near it.

        Each span gives its probability times its overlap to its role and, for teacher and
        student, the rest to the other of the two.
        """
        mass: dict[Role, float] = {}
        for item in self.within(span):
            overlap = span.overlap(item.span) or (1e-6 if span.duration == 0 else 0.0)
            mass[item.role] = mass.get(item.role, 0.0) + overlap * item.probability
            if other := OTHER_SIDE.get(item.role):
                mass[other] = mass.get(other, 0.0) + overlap * (1 - item.probability)
        whole = sum(mass.values())
        if whole <= 0:
            return self._nearest(span)
        role = max(mass, key=lambda r: (mass[r], r.value))
        return Vote(role, min(1.0, mass[role] / whole))

    def _nearest(self, span: Span) -> Vote | None:
        near = self.within(span, NEAR)
        if not near:
            return None
        item = min(near, key=lambda t: (max(t.start - span.end, span.start - t.end), t.start))
        return Vote(item.role, 0.5 + (item.probability - 0.5) * NEAR_TRUST)


def sides(span: Span, roles: RoleVotes, *, decided: bool = False) -> tuple[Seconds, Seconds]:
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


def talk_of(timeline: Sequence[RoleSpan]) -> list[Span]:
    """Everything but silence, merged."""
    return of_role(timeline, *(r for r in Role if r is not Role.SILENCE))


def split(utterance: Utterance, roles: RoleVotes) -> list[Utterance]:
    """The utterance with the timeline's role, cut between words where the role changes.

    Without times it stays as it is; with fewer than two words it is not cut.
    """
    span = utterance.span
    if span is None:
        return [utterance]
    if len(utterance.words) < 2:
        return [with_vote(utterance, roles.vote(span))]
    votes = [roles.vote(Span(w.start, max(w.start, w.end))) for w in utterance.words]
    cuts = _cuts(utterance.words, votes)
    return [with_vote(part, vote_of(part, roles)) for part in _parts(utterance, cuts)]


def with_vote(utterance: Utterance, vote: Vote | None) -> Utterance:
    """The utterance with the voted role; without a vote, with none."""
    if vote is None:
        return replace(utterance, role=None, role_probability=None)
    return replace(utterance, role=vote.role, role_probability=round(vote.probability, 4))


def vote_of(utterance: Utterance, roles: RoleVotes) -> Vote | None:
    """The vote on the whole utterance; None without times or talk."""
    return None if utterance.span is None else roles.vote(utterance.span)


def _cuts(words: Sequence[Word], votes: Sequence[Vote | None]) -> list[int]:
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
    texts = texts_of_parts(utterance.text, utterance.words, cuts)
    stops = [*cuts[1:], len(utterance.words)]
    parts: list[Utterance] = []
    for begin, stop, text in zip(cuts, stops, texts, strict=True):
        words = utterance.words[begin:stop]
        start = utterance.start if begin == 0 else words[0].start
        end = utterance.end if stop == len(utterance.words) else words[-1].end
        parts.append(replace(utterance, text=text, start=start, end=end, words=words))
    return parts


def texts_of_parts(text: str, words: Sequence[Word], cuts: Sequence[int]) -> list[str]:
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
