"""Figures of groups: by hand, against scipy, and against people who subtract."""

import random
from itertools import pairwise

import numpy as np
import pytest
from scipy.stats.mstats import hdquantiles

from observer.aggregate import (
    Grouping,
    GroupSummary,
    Observed,
    harrell_davis,
    standard_error,
    summarise,
)
from observer.disclosure import FEW, FEWEST, TIED, Cell, withheld
from observer.disclosure import crossed as quickly_crossed

SHARE = "silence_share"
WAIT = "wait_time_1_median"


def lesson(teacher: str, *groups: str, value: float = 0.5, name: str = SHARE) -> Observed:
    return Observed(teacher, groups, {name: value})


# --- the figure


def test_the_median_of_five_is_a_mean_of_all_five() -> None:
    """Beta(3, 3): F(x) = x³(10 − 15x + 6x²), so F(.2) = .05792, F(.4) = .31744.

    Weights .05792, .25952, .36512, .25952, .05792; of 1, 2, 3, 4, 10:
    .05792 + .51904 + 1.09536 + 1.03808 + .57920 = 3.28960. The plain median would be 3, which is
    somebody's own figure.
    """
    assert harrell_davis(np.array([1.0, 2, 3, 4, 10]), 0.5) == pytest.approx(3.2896, abs=1e-9)


@pytest.mark.parametrize("n", [5, 6, 20, 201])
def test_quantiles_agree_with_scipy(n: int) -> None:
    values = np.sort(np.random.default_rng(n).lognormal(size=n))
    for share in (0.25, 0.5, 0.75):
        assert harrell_davis(values, share) == pytest.approx(float(hdquantiles(values, [share])[0]))


def test_a_teacher_counts_once_however_many_lessons() -> None:
    """Four teachers with one lesson of 20 % each, one with ninety of 70 %: the same as with one of
    70 %. Means .2 .2 .2 .2 .7 → .2 + .05792 · .5 = .22896, shown as 23 %."""
    few = [lesson(t, "", value=0.2) for t in "abcd"] + [lesson("e", "", value=0.7)]
    many = [*few, *[lesson("e", "", value=0.7)] * 89]
    (one,) = Grouping(few, [SHARE], joint=True).table((None,))[None]
    (ninety,) = Grouping(many, [SHARE], joint=True).table((None,))[None]
    assert one.value == ninety.value == 0.23
    assert (one.low, one.high) == (ninety.low, ninety.high)
    assert (one.teachers, one.lessons) == (5, 5)
    assert (ninety.teachers, ninety.lessons) == (5, 95)


def test_lessons_of_a_teacher_are_averaged() -> None:
    """Means .1 .2 .3 .4 .5, whether the middle one comes from .3 or from .1 and .5."""
    means = {t: n / 10 for n, t in enumerate("abcde", 1)}
    plain = summarise(SHARE, means, 5)
    split = [lesson(t, "", value=v) for t, v in means.items() if t != "c"]
    split += [lesson("c", "", value=0.1), lesson("c", "", value=0.5)]
    (found,) = Grouping(split, [SHARE], joint=True).table((None,))[None]
    assert (found.value, found.low, found.high) == (plain.value, plain.low, plain.high)
    assert plain.value == 0.3


def test_lessons_are_counted_to_the_nearest_five() -> None:
    means = dict.fromkeys("abcde", 0.5)
    assert [summarise(SHARE, means, n).lessons for n in (5, 7, 8, 12, 13, 17, 18)] == [
        5, 5, 10, 10, 15, 15, 20,
    ]  # fmt: skip


def test_intervals_stay_within_what_can_be() -> None:
    wide = summarise(SHARE, {"a": 0.0, "b": 0.0, "c": 0.1, "d": 0.9, "e": 1.0}, 5)
    assert (wide.low, wide.high) == (0.0, 1.0)
    wait = summarise(WAIT, {"a": 0.1, "b": 0.1, "c": 0.2, "d": 9.0, "e": 12.0}, 5)
    assert wait.low == 0.0
    assert wait.high is not None
    assert wait.high > 9
    same = summarise(SHARE, dict.fromkeys("abcde", 0.25), 5)
    assert (same.low, same.value, same.high) == (0.25, 0.25, 0.25)


def test_the_standard_error_is_that_of_resampled_teachers() -> None:
    """Against the bootstrap written out: draw teachers, sort, take the median, look at the spread.

    Two sets of 1,000 and 4,000 draws: standard errors within a tenth of one another. Both ways of
    reckoning it (kept up to 200 teachers, not beyond) agree.
    """
    rng = np.random.default_rng(7)
    for n in (5, 30, 220):
        values = np.sort(rng.normal(size=n))
        drawn = np.sort(values[rng.integers(0, n, (4000, n))], axis=1)
        plain = np.std([harrell_davis(row, 0.5) for row in drawn])
        assert standard_error(values) == pytest.approx(plain, rel=0.1)
        assert standard_error(values) == standard_error(values)


def test_quartiles_wait_for_five_teachers_in_each_quarter() -> None:
    """0, .01 … .19: the lower quartile lies near .05, the upper near .15, neither at an end."""
    assert summarise(SHARE, {str(n): n / 100 for n in range(19)}, 19).quartiles is None
    found = summarise(SHARE, {str(n): n / 100 for n in range(20)}, 20).quartiles
    assert found == (0.05, 0.14)


def test_four_teachers_have_no_figure_and_are_not_counted() -> None:
    found = summarise(SHARE, dict.fromkeys("abcd", 0.5), 40)
    assert found.missing == FEW
    assert (found.value, found.low, found.high, found.quartiles) == (None, None, None, None)
    assert (found.teachers, found.lessons) == (None, None)
    assert str(FEWEST) in FEW.en
    assert str(FEWEST) in FEW.zh
    with pytest.raises(ValueError, match="not counted"):
        GroupSummary(SHARE, missing=FEW, teachers=4)
    with pytest.raises(ValueError, match="a value or a reason"):
        GroupSummary(SHARE)


# --- what is not shown


def bits(*teachers: int) -> int:
    return sum(1 << t for t in teachers)


def test_the_smallest_shown_part_hides_with_a_single_hidden_one() -> None:
    """13 in all = A 2 + B 5 + C 6. A is too small, and 13 − B − C would tell it: B hides, too."""
    taught: dict[Cell, int] = {
        (None,): bits(*range(13)),
        ("a",): bits(0, 1),
        ("b",): bits(2, 3, 4, 5, 6),
        ("c",): bits(7, 8, 9, 10, 11, 12),
    }
    assert withheld(taught, joint=True) == {("a",): FEW, ("b",): TIED}


def test_two_hidden_parts_of_few_between_them_want_a_third() -> None:
    """A 2 and B 2 are four people together; with C there are nine. A 3 and B 3 are enough."""
    taught: dict[Cell, int] = {(None,): bits(*range(16)), ("a",): bits(0, 1), ("b",): bits(2, 3)}
    taught |= {("c",): bits(4, 5, 6, 7, 8), ("d",): bits(*range(9, 16))}
    assert withheld(taught, joint=True) == {("a",): FEW, ("b",): FEW, ("c",): TIED}
    taught |= {("a",): bits(0, 1, 9), ("b",): bits(2, 3, 10)}
    assert withheld(taught, joint=True) == {("a",): FEW, ("b",): FEW}


def test_a_whole_of_one_small_and_one_large_part_shows_neither() -> None:
    """10 = A 2 + B 8: B hides, the whole stays. With A alone in it the whole is A, and hides."""
    taught: dict[Cell, int] = {
        (None,): bits(*range(10)),
        ("a",): bits(0, 1),
        ("b",): bits(*range(2, 10)),
    }
    assert withheld(taught, joint=True) == {("a",): FEW, ("b",): TIED}


def test_parts_must_not_add_up_to_what_is_hidden() -> None:
    """School b hides beside the small school a; then its terms t1 and t2 may not both be shown:
    together they are b."""
    taught: dict[Cell, int] = {
        (None, None): bits(*range(20)),
        ("a", None): bits(0, 1),
        ("b", None): bits(*range(2, 8)),
        ("c", None): bits(*range(8, 20)),
        ("b", "t1"): bits(*range(2, 8)),
        ("b", "t2"): bits(*range(2, 8)),
        ("c", "t1"): bits(*range(8, 20)),
        ("c", "t2"): bits(*range(8, 20)),
        ("a", "t1"): bits(0, 1),
        (None, "t1"): bits(*range(20)),
        (None, "t2"): bits(*range(2, 20)),
    }
    hidden = withheld(taught, joint=True)
    assert hidden["a", None] == FEW
    assert hidden["b", None] == TIED
    assert {("b", "t1"), ("b", "t2")} & hidden.keys()
    assert ("c", None) not in hidden
    assert (None, None) not in hidden


def test_who_sees_one_school_is_not_kept_from_it_for_its_neighbours() -> None:
    """As above: the district hides school b, the leader of b sees it."""
    lessons = [lesson(f"a{n}", "a", "t") for n in range(2)]
    lessons += [lesson(f"b{n}", "b", "t") for n in range(6)]
    lessons += [lesson(f"c{n}", "c", "t") for n in range(12)]
    district = Grouping(lessons, [SHARE], joint=True)
    found = district.table((None, None), 0, ["a", "b", "c"])
    assert [found[k][0].missing for k in (None, "a", "b", "c")] == [None, FEW, TIED, None]
    assert district.table(("b", None))[None][0].missing == TIED
    own = Grouping([x for x in lessons if x.groups[0] == "b"], [SHARE], joint=False)
    assert own.table(("b", None))[None][0].teachers == 6


def test_each_indicator_is_looked_at_for_itself() -> None:
    """Waits were measured with two of seven teachers: no wait, but a share."""
    lessons = [lesson(f"t{n}", "s") for n in range(7)]
    lessons[:2] = [Observed(f"t{n}", ("s",), {SHARE: 0.5, WAIT: 1.0}) for n in range(2)]
    share, wait = Grouping(lessons, [SHARE, WAIT], joint=True).table((None,))[None]
    assert share.teachers == 7
    assert wait.missing == FEW


def test_names_of_small_groups_are_not_told() -> None:
    """A subject that one teacher teaches is that teacher; empty is not a name either."""
    lessons = [lesson(f"m{n}", "s", "maths") for n in range(5)]
    lessons += [lesson("x", "s", "the choir of Ms X")] + [
        lesson(f"e{n}", "s", "") for n in range(9)
    ]
    grouping = Grouping(lessons, [SHARE], joint=False)
    assert grouping.known(1, ("s", None)) == ["maths"]


def test_a_group_without_lessons_looks_like_one_with_too_few() -> None:
    lessons = [lesson(f"m{n}", "s", "maths") for n in range(9)] + [lesson("x", "s", "music")]
    found = Grouping(lessons, [SHARE], joint=False).table(("s", None), 1, ["music", "nothing"])
    assert found["music"] == found["nothing"]
    assert Grouping([], [SHARE], joint=True).table((None, None))[None][0].missing == FEW


def random_school(seed: int) -> list[Observed]:
    """A district of up to four schools, teachers with their own subject and grade."""
    draw = random.Random(seed)
    lessons = []
    for school in "wxyz"[: draw.randint(1, 4)]:
        homes = [(draw.choice("mcep"), draw.choice("123")) for _ in range(draw.randint(2, 18))]
        for _ in range(draw.randint(5, 70)):
            number = draw.randrange(len(homes))
            subject, grade = homes[number]
            grade = draw.choice("123") if draw.random() < 0.2 else grade
            place = (school, draw.choice(["t1", "t1", "t2"]), subject, grade)
            lessons.append(lesson(f"{school}{number}", *place, value=draw.random()))
    return lessons


def crossed(lessons: list[Observed]) -> dict[Cell, int]:
    """Every group that can be asked for, the slow way."""
    names = sorted({x.teacher for x in lessons})
    found: dict[Cell, int] = {}
    for x in lessons:
        for chosen in range(16):
            cell = tuple(g if chosen >> d & 1 else None for d, g in enumerate(x.groups))
            found[cell] = found.get(cell, 0) | 1 << names.index(x.teacher)
    return found


@pytest.mark.parametrize("seed", range(25))
def test_no_single_subtraction_tells_of_few(seed: int) -> None:
    """Over random districts: from a shown whole and its shown parts never fewer than five teachers
    are left, nor one part alone; and what is hidden is never the sum of its shown parts."""
    lessons = random_school(seed)
    taught = crossed(lessons)
    names = sorted({x.teacher for x in lessons})
    pairs = [(x.groups, 1 << names.index(x.teacher)) for x in lessons]
    assert quickly_crossed(pairs, joint=True) == taught
    hidden = withheld(taught, joint=True)
    assert {c for c, t in taught.items() if t.bit_count() < FEWEST} <= hidden.keys()
    for whole in taught:
        for d in (n for n, value in enumerate(whole) if value is None):
            parts = [c for c in taught if c[d] and (*c[:d], None, *c[d + 1 :]) == whole]
            gone = [c for c in parts if c in hidden]
            if whole in hidden:
                assert gone, (whole, d)
            elif gone:
                left = 0
                for part in gone:
                    left |= taught[part]
                assert len(gone) > 1, (whole, d)
                assert left.bit_count() >= FEWEST, (whole, d)


def test_all_subtractions_at_once_hardly_tell_of_few() -> None:
    """The strongest reader adds and subtracts all shown groups at once, as if figures were sums
    (they are smoothed medians, which do not add up). A small group falls to that reader when it
    lies in the span of the shown ones. The decision states how seldom: in 1 of these 30
    districts at most."""
    fallen = 0
    for seed in range(30):
        lessons = random_school(seed)
        taught = crossed(lessons)
        hidden = withheld(taught, joint=True)
        places = sorted({x.groups for x in lessons})

        def row(cell: Cell, places: list[tuple[str, ...]] = places) -> list[float]:
            return [
                float(all(c is None or c == g for c, g in zip(cell, place, strict=True)))
                for place in places
            ]

        shown = [row(c) for c in taught if c not in hidden]
        if not shown:
            continue
        _, size, axes = np.linalg.svd(np.array(shown), full_matrices=False)
        span = axes[size > 1e-9]
        few = np.array([row(c) for c, why in hidden.items() if why == FEW])
        rest = few - few @ span.T @ span
        fallen += bool((np.linalg.norm(rest, axis=1) < 1e-7).any())
    assert fallen <= 1


def test_the_same_lessons_in_another_order_hide_the_same() -> None:
    lessons = random_school(3)
    first, second = (
        Grouping(x, [SHARE], joint=True).table((None,) * 4, 0, "wxyz")
        for x in (lessons, lessons[::-1])
    )
    for key in first:
        a, b = first[key][0], second[key][0]
        assert (a.missing, a.teachers, a.lessons) == (b.missing, b.teachers, b.lessons)
        assert a.value == pytest.approx(b.value) if a.value is not None else b.value is None


def test_no_shown_figure_is_a_teachers_own() -> None:
    """Figures far apart: what is shown lies between two neighbours, at none of them."""
    means = {str(n): 0.03 * n + 0.001 * n * n for n in range(1, 21)}
    values = sorted(means.values())
    gaps = [b - a for a, b in pairwise(values)]
    assert min(gaps) > 0.03
    for share in (0.25, 0.5, 0.75):
        found = harrell_davis(np.array(values), share)
        assert min(abs(found - v) for v in values) > 1e-3
