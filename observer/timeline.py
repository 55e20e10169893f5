"""Time in a lesson: seconds, spans, roles on the timeline, and interval arithmetic.

All times are seconds from the start of the recording. Interval functions take spans in any
order, overlapping or not, and give back disjoint spans in order.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

Seconds: TypeAlias = float


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A half-open stretch of time ``[start, end)``.

    Raises ValueError when ``end < start`` or a bound is not finite.
    """

    start: Seconds
    end: Seconds

    def __post_init__(self) -> None:
        if not (float("-inf") < self.start <= self.end < float("inf")):
            raise ValueError(f"not a span: {self.start} .. {self.end}")

    @property
    def duration(self) -> Seconds:
        """Length in seconds."""
        return self.end - self.start

    def overlap(self, other: "Span") -> Seconds:
        """Seconds that both spans cover."""
        return max(0.0, min(self.end, other.end) - max(self.start, other.start))


class Role(StrEnum):
    """Who is heard (FIELD.md §1). `GROUP` is many voices with different words."""

    TEACHER = "teacher"
    STUDENT = "student"
    CHORAL = "choral"
    GROUP = "group"
    MEDIA = "media"
    SILENCE = "silence"


@dataclass(frozen=True, slots=True)
class RoleSpan:
    """A stretch with one role; spans of different roles may overlap in time.

    `probability` is the probability that `role` is right for this stretch; for teacher and
    student the alternative is the other of the two.
    """

    start: Seconds
    end: Seconds
    role: Role
    probability: float

    @property
    def span(self) -> Span:
        """The stretch without its role."""
        return Span(self.start, self.end)

    @property
    def duration(self) -> Seconds:
        """Length in seconds."""
        return self.end - self.start


def union(spans: Iterable[Span]) -> list[Span]:
    """Merge overlapping and touching spans; empty spans vanish."""
    merged: list[Span] = []
    for span in sorted(s for s in spans if s.duration > 0):
        if merged and span.start <= merged[-1].end:
            merged[-1] = Span(merged[-1].start, max(merged[-1].end, span.end))
        else:
            merged.append(span)
    return merged


def total(spans: Iterable[Span]) -> Seconds:
    """Seconds covered by at least one span."""
    return sum(span.duration for span in union(spans))


def intersection(left: Iterable[Span], right: Iterable[Span]) -> list[Span]:
    """Stretches covered by both sides."""
    a, b = union(left), union(right)
    i = j = 0
    common: list[Span] = []
    while i < len(a) and j < len(b):
        start, end = max(a[i].start, b[j].start), min(a[i].end, b[j].end)
        if start < end:
            common.append(Span(start, end))
        if a[i].end < b[j].end:
            i += 1
        else:
            j += 1
    return common


def difference(left: Iterable[Span], right: Iterable[Span]) -> list[Span]:
    """Stretches of `left` that no span of `right` covers."""
    holes = union(right)
    rest: list[Span] = []
    first = 0
    for span in union(left):
        start = span.start
        while first < len(holes) and holes[first].end <= start:
            first += 1
        for hole in holes[first:]:
            if hole.start >= span.end:
                break
            if hole.start > start:
                rest.append(Span(start, hole.start))
            start = max(start, hole.end)
        if start < span.end:
            rest.append(Span(start, span.end))
    return rest


def complement(spans: Iterable[Span], within: Span) -> list[Span]:
    """Stretches of `within` that no span covers."""
    return difference([within], spans)


def of_role(timeline: Sequence[RoleSpan], *roles: Role) -> list[Span]:
    """The stretches in which any of `roles` is heard, merged."""
    return union(item.span for item in timeline if item.role in roles)
