"""How sure a figure is: intervals for shares, medians, counts, ratios; agreement.

Every function is deterministic; those that draw take a seed. numpy only.
"""

from collections.abc import Sequence
from math import comb, sqrt

import numpy as np
from numpy.typing import NDArray

Z95 = 1.959963984540054
"""The 97.5 % point of the standard normal distribution."""

Floats = NDArray[np.float64]


def wilson(hits: float, n: float) -> tuple[float, float]:
    """95 % score interval of a share ``hits / n`` (Wilson, JASA 1927, 22:209); weights will do.

    Raises ValueError when n < 1 or hits is not within 0..n.
    """
    if not 0 <= hits <= n or n < 1:
        raise ValueError(f"no share: {hits} of {n}")
    share, z2 = hits / n, Z95 * Z95
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 / (1 + z2 / n) * sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))


def median_interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Distribution-free interval of a median from order statistics: low, high, coverage.

    ``[x(k), x(n+1-k)]`` with the largest k whose coverage ``1 - 2·P(B(n, ½) < k)`` is still
    ≥ 95 %. Below six values even the whole range covers less; then it is the whole range, and
    the coverage says how much that is (five values: 93.75 %, two: 50 %, one: 0). Preferred to
    a bootstrap, whose intervals are too short for a handful of values.

    Source: Conover, Practical Nonparametric Statistics, ch. 3.2. Raises ValueError when empty.
    """
    ordered = sorted(values)
    n = len(ordered)
    if n == 0:
        raise ValueError("no values, no median")
    tail, k = 1, 1  # 2**n times the probability that fewer than k values lie below the median
    while 40 * (tail + comb(n, k)) <= 2**n:
        tail, k = tail + comb(n, k), k + 1
    return ordered[k - 1], ordered[n - k], 1 - 2 * tail / 2**n


def poisson_binomial_interval(probabilities: Sequence[float]) -> tuple[int, int]:
    """95 % interval of how many of several independent events happen.

    `probabilities` holds one probability per event; the exact distribution is built by
    convolution, O(n²). No events: (0, 0).
    """
    mass = np.ones(1)
    for p in probabilities:
        if p > 0.0:
            grown = np.zeros(len(mass) + 1)
            grown[:-1] = mass * (1 - p)
            grown[1:] += mass * p
            mass = grown
    reached = np.cumsum(mass)
    low = int(np.searchsorted(reached, 0.025, side="right"))
    high = int(np.searchsorted(reached, 0.975))
    return min(low, len(mass) - 1), min(high, len(mass) - 1)


def bootstrap_ratio(
    numerator: Sequence[float], denominator: Sequence[float], seed: int, draws: int = 1000
) -> tuple[float, float]:
    """95 % percentile interval of ``Σ numerator / Σ denominator`` over resampled cases.

    Both sequences have one entry per case (a turn, say) and are resampled together. Raises
    ValueError when they are empty or differ in length.
    """
    top, bottom = np.asarray(numerator, dtype=float), np.asarray(denominator, dtype=float)
    if len(top) == 0 or len(top) != len(bottom):
        raise ValueError(f"no cases to resample: {len(top)} and {len(bottom)}")
    weights = np.random.default_rng([seed, 3]).multinomial(
        len(top), np.full(len(top), 1 / len(top)), size=draws
    )
    sums = weights @ bottom
    ratios = (weights @ top)[sums > 0] / sums[sums > 0]
    low, high = np.percentile(ratios, [2.5, 97.5])
    return float(low), float(high)


def simulated_interval(values: Floats) -> tuple[float, float]:
    """95 % percentile interval of simulated values that holds the observed one.

    ``values[0]`` is the observed value, the rest are draws; draws without a value (nan) are
    left out. The interval is stretched to the observed value where the draws miss it: role
    errors pull one way (FIELD.md §1), so that value may lie at an end.
    """
    drawn = values[1:][~np.isnan(values[1:])]
    observed = float(values[0])
    if len(drawn) == 0:
        return observed, observed
    low, high = (float(x) for x in np.percentile(drawn, [2.5, 97.5]))
    return min(low, observed), max(high, observed)


def cohen_kappa(left: Sequence[object], right: Sequence[object]) -> float:
    """Agreement of two codings beyond chance, ``(p_o − p_e) / (1 − p_e)``.

    Source: Cohen, Educ. Psychol. Meas. 1960, 20:37. Raises ValueError when the codings are
    empty, differ in length, or hold one and the same code only (chance agreement is 1).
    """
    if len(left) != len(right) or not left:
        raise ValueError(f"no two codings of the same cases: {len(left)} and {len(right)}")
    n = len(left)
    agreed = sum(a == b for a, b in zip(left, right, strict=True)) / n
    codes = set(left) | set(right)
    chance = sum(sum(a == code for a in left) * sum(b == code for b in right) for code in codes) / (
        n * n
    )
    if chance == 1.0:
        raise ValueError("kappa is undefined when both codings hold a single code")
    return (agreed - chance) / (1 - chance)
