"""Interval arithmetic: the identities of sets must hold, whatever the spans."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observer.timeline import (
    Role,
    RoleSpan,
    Span,
    complement,
    difference,
    intersection,
    of_role,
    total,
    union,
)

LESSON = Span(0, 40)
# Whole seconds: sums of them are exact, so the identities can be asked for exactly.
spans = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 12)).map(
        lambda x: Span(float(x[0]), float(min(40, x[0] + x[1])))
    ),
    max_size=8,
)


def drawn(picture: str) -> list[Span]:
    """Spans of an ASCII timeline, one character a second: ``__##_#`` is 2–4 and 5–6."""
    return union(Span(i, i + 1) for i, letter in enumerate(picture) if letter == "#")


def picture(found: list[Span]) -> str:
    return "".join("#" if any(s.start <= i < s.end for s in found) else "_" for i in range(12))


def test_arithmetic_on_a_drawn_lesson() -> None:
    left, right = drawn("_####__##___"), drawn("___####__#__")
    assert picture(union([*left, *right])) == "_#########__"
    assert picture(intersection(left, right)) == "___##_______"
    assert picture(difference(left, right)) == "_##____##___"
    assert picture(complement(left, Span(0, 12))) == "#____##__###"


def test_touching_spans_merge_and_empty_ones_vanish() -> None:
    assert union([Span(2, 4), Span(4, 5), Span(7, 7), Span(0, 1)]) == [Span(0, 1), Span(2, 5)]


def test_a_span_cannot_end_before_it_starts_or_be_endless() -> None:
    for start, end in ((2.0, 1.0), (0.0, float("inf")), (float("nan"), 1.0)):
        with pytest.raises(ValueError, match="not a span"):
            Span(start, end)


def test_of_role_keeps_the_roles_asked_for() -> None:
    timeline = [RoleSpan(0, 3, Role.TEACHER, 1), RoleSpan(2, 5, Role.STUDENT, 1)]
    assert of_role(timeline, Role.STUDENT) == [Span(2, 5)]
    assert of_role(timeline, Role.STUDENT, Role.TEACHER) == [Span(0, 5)]


@given(spans)
def test_union_is_disjoint_ordered_and_changes_nothing_the_second_time(a: list[Span]) -> None:
    merged = union(a)
    assert all(x.end < y.start for x, y in pairwise(merged))
    assert union(merged) == merged


@given(spans, spans)
def test_inclusion_and_exclusion(a: list[Span], b: list[Span]) -> None:
    assert total([*a, *b]) == total(a) + total(b) - total(intersection(a, b))


@given(spans, spans)
def test_difference_and_intersection_make_up_the_left_side(a: list[Span], b: list[Span]) -> None:
    assert union([*difference(a, b), *intersection(a, b)]) == union(a)
    assert intersection(difference(a, b), b) == []


@given(spans, spans)
def test_union_and_intersection_do_not_care_for_order(a: list[Span], b: list[Span]) -> None:
    assert union([*a, *b]) == union([*b, *a])
    assert intersection(a, b) == intersection(b, a)


@given(spans, spans)
def test_de_morgan(a: list[Span], b: list[Span]) -> None:
    outside = intersection(complement(a, LESSON), complement(b, LESSON))
    assert complement([*a, *b], LESSON) == outside


@given(spans)
def test_the_complement_of_the_complement_is_the_union(a: list[Span]) -> None:
    assert complement(complement(a, LESSON), LESSON) == union(a)
