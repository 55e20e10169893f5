"""Intervals and agreement against values worked out by hand or by exact sums."""

from itertools import product
from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from observer.reliability import (
    bootstrap_ratio,
    cohen_kappa,
    median_interval,
    poisson_binomial_interval,
    simulated_interval,
    wilson,
)


def test_wilson_of_one_in_five() -> None:
    # centre (.2 + 3.8415/10) / (1 + 3.8415/5) = .33035; half 1.95996/1.7683 · √.070415 = .29412
    assert wilson(1, 5) == pytest.approx((0.0362, 0.6245), abs=1e-4)


def test_wilson_of_none_and_all_stays_a_share() -> None:
    # with no hits the upper end is z² / (n + z²) = 3.8415 / 13.8415
    assert wilson(0, 10) == pytest.approx((0.0, 0.27753), abs=1e-5)
    assert wilson(10, 10) == pytest.approx((1 - 0.27753, 1.0), abs=1e-5)


@pytest.mark.parametrize(("hits", "n"), [(0, 0), (3, 2), (-1, 4)])
def test_wilson_refuses_what_is_no_share(hits: int, n: int) -> None:
    with pytest.raises(ValueError, match="no share"):
        wilson(hits, n)


def test_median_interval_by_order_statistics() -> None:
    # n = 6: P(all on one side) = 2 / 64, coverage .96875, so the range is enough.
    assert median_interval([6, 1, 5, 2, 4, 3]) == (1, 6, 1 - 2 / 64)
    # n = 9: tails (1 + 9) / 512 = .0195 ≤ .025 but (1 + 9 + 36) / 512 is not: 2nd and 8th value.
    assert median_interval(range(1, 10)) == (2, 8, 1 - 20 / 512)


def test_median_interval_of_a_few_values_says_how_little_it_covers() -> None:
    assert median_interval([3.0]) == (3.0, 3.0, 0.0)
    assert median_interval([1.0, 2.0, 4.0]) == (1.0, 4.0, 0.75)
    with pytest.raises(ValueError, match="no values"):
        median_interval([])


def test_median_interval_of_very_many_values() -> None:
    low, high, coverage = median_interval(range(2000))
    # normal approximation: 1000 ± 1.96 · √2000 / 2 = 1000 ± 43.8
    assert (low, high) == pytest.approx((956, 1043), abs=2)
    assert 0.95 <= coverage < 0.96


@given(st.lists(st.floats(0, 1), min_size=1, max_size=7))
def test_poisson_binomial_agrees_with_all_outcomes_written_out(chances: list[float]) -> None:
    mass = [0.0] * (len(chances) + 1)
    for outcome in product((0, 1), repeat=len(chances)):
        odds = zip(outcome, chances, strict=True)
        mass[sum(outcome)] += prod(p if hit else 1 - p for hit, p in odds)
    low, high = poisson_binomial_interval(chances)
    assert sum(mass[:low]) <= 0.025 + 1e-9
    assert sum(mass[high + 1 :]) <= 0.025 + 1e-9
    assert 0 <= low <= high <= len(chances)


def test_poisson_binomial_of_certain_events_has_no_width() -> None:
    assert poisson_binomial_interval([1.0, 1.0, 0.0, 1.0]) == (3, 3)
    assert poisson_binomial_interval([]) == (0, 0)


def test_bootstrap_ratio_holds_the_ratio_and_repeats_itself() -> None:
    top, bottom = [10.0, 30.0, 20.0, 50.0], [1.0, 2.0, 2.0, 3.0]
    low, high = bootstrap_ratio(top, bottom, seed=1)
    assert 10 <= low < 110 / 8 < high <= 50 / 3
    assert (low, high) == bootstrap_ratio(top, bottom, seed=1)


def test_bootstrap_ratio_needs_cases() -> None:
    with pytest.raises(ValueError, match="no cases"):
        bootstrap_ratio([], [], seed=0)


def test_simulated_interval_is_stretched_to_the_observed_value() -> None:
    draws = np.array([0.9, *np.linspace(0.2, 0.4, 101), np.nan])
    # the 2.5 % point of 101 even steps from .2 to .4 is .205
    assert simulated_interval(draws) == pytest.approx((0.205, 0.9))


def test_kappa_worked_out() -> None:
    # 50 cases: 20 both yes, 15 both no, 5 + 10 apart; p_o .7, p_e .5 · .6 + .5 · .4 = .5; κ .4
    left = ["y"] * 25 + ["n"] * 25
    right = ["y"] * 20 + ["n"] * 5 + ["y"] * 10 + ["n"] * 15
    assert cohen_kappa(left, right) == pytest.approx(0.4)


def test_kappa_is_undefined_for_a_single_code() -> None:
    with pytest.raises(ValueError, match="single code"):
        cohen_kappa("aaa", "aaa")
    with pytest.raises(ValueError, match="no two codings"):
        cohen_kappa("ab", "a")
