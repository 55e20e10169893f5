"""Do the intervals of group figures hold the truth? Simulated groups of teachers.

    ./x bench aggregate_coverage

Each teacher has a level of their own and one to six lessons around it; the truth is the median
over endless such teachers. Three kinds of indicator: a share around two thirds (normal), a length
(log-normal, both between and within teachers) and a rare share (beta). Beside the shipped interval
stand percentiles of the same bootstrap. docs/decisions/0014-group-figures.md quotes the table.
"""

import argparse
import os
import sys
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from observer.aggregate import _drawn_weights, harrell_davis, standard_error

Floats = NDArray[np.float64]
SIZES = (5, 6, 8, 12, 20, 50)


def normal(rng: np.random.Generator, n: int) -> Floats:
    """Means of one to six lessons; teachers vary by .08, lessons by .10."""
    spread = 0.10 / np.sqrt(rng.integers(1, 7, n))
    means: Floats = rng.normal(0.65, 0.08, n) + rng.normal(0, 1, n) * spread
    return means


def lengths(rng: np.random.Generator, n: int) -> Floats:
    """Log-normal between teachers and within."""
    within = [rng.lognormal(0, 0.5, k).mean() for k in rng.integers(1, 7, n)]
    return rng.lognormal(0, 0.5, n) * np.array(within)


def rare(rng: np.random.Generator, n: int) -> Floats:
    """Shares near nothing."""
    level = rng.beta(1.2, 6, n)
    lessons = rng.integers(1, 7, n)
    return np.array(
        [
            rng.beta(20 * a + 0.01, 20 * (1 - a), k).mean()
            for a, k in zip(level, lessons, strict=True)
        ]
    )


def coverage(draw: Callable[[np.random.Generator, int], Floats], n: int, times: int) -> list[float]:
    """How often the truth is in the shipped interval, and in that of percentiles."""
    rng = np.random.default_rng([n, 1])
    truth = float(np.median(draw(rng, 100_000)))
    weights, reach = _drawn_weights(n), float(stdtrit(n - 1, 0.975))
    held = [0, 0]
    for _ in range(times):
        ordered = np.sort(draw(rng, n))
        value, error = harrell_davis(ordered, 0.5), standard_error(ordered)
        low, high = np.percentile(weights @ ordered, [2.5, 97.5])
        held[0] += abs(value - truth) <= reach * error
        held[1] += low <= truth <= high
    return [h / times for h in held]


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--times", type=int, default=2000, help="groups of each kind and size")
    times = parser.parse_args().times
    print("| teachers | " + " | ".join(f"{k} t, percentiles" for k in ("share", "length", "rare")))
    print("|---|---|---|---|")
    for n in SIZES:
        cells = [coverage(draw, n, times) for draw in (normal, lengths, rare)]
        print(f"| {n} | " + " | ".join(f"{a:.3f}, {b:.3f}" for a, b in cells) + " |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
