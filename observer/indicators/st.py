"""S-T analysis: how much the teacher transmits, how often it changes, what type that makes.

The lesson is sampled every `interval` seconds, each sample at the middle of its interval and
coded by what happens at that moment (momentary time sampling: of the interval rules the one
that estimates shares of time without bias – Powell et al., J. Appl. Behav. Anal. 1977; a
majority rule would swallow every answer shorter than half an interval).

A moment is T when the teacher or a playback is heard, also while a student speaks too, and in
the teacher's own pauses of up to `PAUSE` seconds, which no observer would code as a change.
Everything else is S, silence and seat work included. Silent board work cannot be heard, so it
is S here; an observer in the room would code it T.

``Rt = N_T / N``, ``Ch = (g − 1) / N`` with g runs. The revised reading has a third code D,
dialogue: samples in whose interval teacher and students (groups left out) are both heard for at
least `BOTH` seconds; ``Rt = (N_T + ½ N_D) / N``, Ch = changes between T, S and D / N.

Intervals come from simulated role errors and a random start of the sampling in every draw.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from observer.indicators import Indicator, Missing
from observer.indicators.basis import NO_TIMES, Basis, absent, figure, simulated
from observer.reliability import Floats
from observer.role_errors import RoleDraws, draw_roles
from observer.timeline import Role, RoleSpan, Seconds
from observer.timing_errors import Bools

RULES = "st/1"
PAUSE: Seconds = 3.0
BOTH: Seconds = 0.5
TYPES = ("practice", "lecture", "dialogue", "mixed")
"""练习型 Rt ≤ .3 · 讲授型 Rt ≥ .7 · 对话型 Ch ≥ .4 · 混合型 the rest."""
FORMULAS = {
    "st_rt": "Rt = N_T / N",
    "st_ch": "Ch = (g − 1) / N",
    "st_rt_revised": f"Rt = (N_T + N_D / 2) / N; D≥{BOTH:g}s",
    "st_ch_revised": f"Ch = (g_TSD − 1) / N; D≥{BOTH:g}s",
    "st_type_practice": "P(Rt ≤ .3)",
    "st_type_lecture": "P(Rt ≥ .7)",
    "st_type_dialogue": "P(.3 < Rt < .7, Ch ≥ .4)",
    "st_type_mixed": "P(.3 < Rt < .7, Ch < .4)",
}
_TOO_SHORT = Missing("The lesson is shorter than one sample.", "课的长度不足一个采样间隔。")
_EDGE = 1e-9


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """A point of the S-T curve, after the sample at `time`."""

    time: Seconds
    """End of the sample's interval."""
    teacher_minutes: float
    student_minutes: float


def indicators(basis: Basis) -> list[Indicator]:
    """Rt and Ch, classic and revised, and the probability of each type."""
    interval = basis.material.interval
    how = f"Δ={interval:g}s; {basis.by}; ci95=simulated; {RULES}"
    n = _samples(basis.duration, interval)
    if not basis.timed or n < 1:
        why = NO_TIMES if not basis.timed else _TOO_SHORT
        return [absent(name, "ratio", f"{FORMULAS[name]}; {how}", why) for name in FORMULAS]
    draws = basis.draws
    points = _points(n, interval, len(draws.roles) - 1, basis.material.seed)
    codes = _codes(draws, points)
    rt, ch = _rt(codes), _ch(codes)
    revised = _with_dialogue(draws, points, codes, interval)
    evidence = basis.longest(Role.TEACHER, Role.STUDENT, Role.CHORAL, Role.GROUP)
    rows = {
        "st_rt": rt,
        "st_ch": ch,
        "st_rt_revised": _rt(revised),
        "st_ch_revised": _ch(revised),
    }
    return [
        *(
            simulated(name, "ratio", values, n, f"{FORMULAS[name]}; {how}", evidence)
            for name, values in rows.items()
        ),
        *_type_probabilities(rt, ch, n, how, evidence),
    ]


def _type_probabilities(
    rt: Floats, ch: Floats, n: int, how: str, evidence: Sequence[str]
) -> list[Indicator]:
    """The share of draws in which the lesson is of each type."""
    types = lesson_types(rt[1:], ch[1:])
    return [
        figure(
            name := f"st_type_{t}",
            "ratio",
            float(np.mean(types == i)),
            n,
            f"{FORMULAS[name]}; {how}",
            evidence=evidence,
        )
        for i, t in enumerate(TYPES)
    ]


def lesson_types(rt: Floats, ch: Floats) -> NDArray[np.intp]:
    """Index into `TYPES` of each pair of Rt and Ch, same shape."""
    rules = [rt <= 0.3 + _EDGE, rt >= 0.7 - _EDGE, ch >= 0.4 - _EDGE]
    return np.select(rules, [0, 1, 2], default=3)


def curve(
    timeline: Sequence[RoleSpan], duration: Seconds, interval: Seconds = 15.0
) -> tuple[CurvePoint, ...]:
    """The S-T curve from (0, 0): cumulative minutes of T (x) and S (y); one point a sample."""
    n = _samples(duration, interval)
    points = [CurvePoint(0.0, 0.0, 0.0)]
    if n < 1:
        return tuple(points)
    found = draw_roles(timeline, duration, draws=0)
    taught = _codes(found, _points(n, interval, 0, 0))[0] == 0
    step = interval / 60
    for i, teacher in enumerate(np.cumsum(taught), 1):
        points.append(
            CurvePoint(i * interval, round(teacher * step, 6), round((i - teacher) * step, 6))
        )
    return tuple(points)


def _samples(duration: Seconds, interval: Seconds) -> int:
    """Whole intervals in the lesson; a rest at the end is not sampled."""
    return int(duration / interval + _EDGE)


def _points(n: int, interval: Seconds, draws: int, seed: int) -> Floats:
    """(draws+1, n) sampling moments; row 0 at the middles, the rest from a random start."""
    start = np.random.default_rng([seed, 4]).uniform(0, interval, size=draws)
    first = np.concatenate([[interval / 2], start])
    return np.asarray(first[:, None] + interval * np.arange(n))


def _codes(draws: RoleDraws, points: Floats) -> NDArray[np.int8]:
    """(d+1, n) 0 for T, 1 for S."""
    taught = draws.any_of(Role.TEACHER, Role.MEDIA)
    taught |= _pauses(draws, draws.any_of(Role.TEACHER))
    place = _place(draws, points)
    return np.where(np.take_along_axis(taught, place, axis=1), 0, 1).astype(np.int8)


def _place(draws: RoleDraws, moments: Floats) -> NDArray[np.intp]:
    place = np.searchsorted(draws.cuts, moments, side="right") - 1
    return np.clip(place, 0, len(draws.cuts) - 2)


def _pauses(draws: RoleDraws, teacher: Bools) -> Bools:
    """(d+1, m) the silent stretches between two stretches of the teacher, `PAUSE` at most."""
    m = len(draws.covered)
    where = np.arange(m)
    before = np.maximum.accumulate(np.where(draws.covered, where, -1))
    after = np.minimum.accumulate(np.where(draws.covered, where, m)[::-1])[::-1]
    inner = ~draws.covered & (before >= 0) & (after < m)
    paused = np.zeros_like(teacher)
    silent = where[inner]
    left, right = before[inner], after[inner]
    short = draws.cuts[right] - draws.cuts[left + 1] <= PAUSE + _EDGE
    silent, left, right = silent[short], left[short], right[short]
    paused[:, silent] = teacher[:, left] & teacher[:, right]
    return paused


def _rt(codes: NDArray[np.int8]) -> Floats:
    weight = np.array([1.0, 0.0, 0.5])
    return np.asarray(weight[codes].mean(axis=1))


def _ch(codes: NDArray[np.int8]) -> Floats:
    return np.asarray((codes[:, 1:] != codes[:, :-1]).sum(axis=1) / codes.shape[1])


def _with_dialogue(
    draws: RoleDraws, points: Floats, codes: NDArray[np.int8], interval: Seconds
) -> NDArray[np.int8]:
    """`codes` with 2 where both sides are heard around the sample."""
    half = interval / 2
    heard = [
        _seconds_in(draws, mask, points - half, points + half)
        for mask in (draws.any_of(Role.TEACHER), draws.any_of(Role.STUDENT, Role.CHORAL))
    ]
    both = (heard[0] >= BOTH - _EDGE) & (heard[1] >= BOTH - _EDGE)
    return np.where(both, np.int8(2), codes)


def _seconds_in(draws: RoleDraws, mask: Bools, start: Floats, end: Floats) -> Floats:
    """(d+1, n) seconds of `mask` between each start and end."""
    cuts = draws.cuts
    covered = np.where(mask, np.diff(cuts), 0.0)
    before = np.hstack([np.zeros((len(mask), 1)), np.cumsum(covered, axis=1)])

    def until(moments: Floats) -> Floats:
        moments = np.clip(moments, cuts[0], cuts[-1])
        place = _place(draws, moments)
        whole = np.take_along_axis(before, place, axis=1)
        inside = np.take_along_axis(mask, place, axis=1) * (moments - cuts[place])
        return np.asarray(whole + inside)

    return until(end) - until(start)
