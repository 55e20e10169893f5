"""What the talk figures could be if some voices were taken for the wrong role.

The error model, drawn again and again around the timeline that was found:

1. *Wrong role.* A span with probability p has the other role with probability
   ``q = min(½, max(least, 1 − p) · widening)``; teacher and student change places, choral and
   group become student, media becomes teacher. Silence stays silence. Where roles were heard,
   nothing is surer than `LEAST_ERROR`: of the spans with p > .99 in ten lessons none of 123 under
   2 s and none of 387 longer ones were wrong (.8 % and .3 % by the rule of succession, 2.4 % and
   .8 % at most by the rule of three).
2. *Errors come in runs.* A voice taken for another is taken so for the whole answer: spans of
   one run (same role, pauses < 2 s) share one chance with probability `RUN_SHARE`, else each
   has its own.
3. *Errors lean one way in a lesson.* Teacher and student are told apart by a threshold; where
   it is off, it is off all lesson. So each draw shifts the log-odds of teacher → student by
   ``z ~ N(0, LEAN_SD)`` and of student → teacher by −z, keeping the mean error near q. With
   voices that confuse 1.6 / 2.3 / 3.8 % of the time, recognisers were 1.7 / 2.1 / 3.3 points of
   the talk ratio off; LEAN_SD = 1 gives 1.6 / 2.2 / 3.3.
4., 5. Edges, and speech that is not counted as speech: `observer.timing_errors`.
6. *The wrong person.* With the probability of `Swap` the voice taken for the teacher's was
   another's all lesson: in such a draw the teacher is a student and that other voice's share of
   the students' stretches is the teacher's. The probabilities of the spans hold this, too, so it
   is taken out of rule 1 first. None unless the diarizer doubts.
7. *The teacher drowned in group work.* Of a group's time in which no teacher was heard, the
   teacher speaks in a share ``|N(0, DROWNED)|`` per lesson, in pieces of `PIECE`.
8. *Choirs taken for one student.* In `UNHEARD_CHOIRS` of the lessons the class's short answers
   were not told from a student's: a share U(0, `MOST_UNHEARD`) of the students' stretches under
   `SHORT_CHOIR` is then choral.

Rules 7 and 8 are about hearing, so a transcript that names its roles has none of them. How the
constants were fitted, on which lessons, and how many intervals then cover the truth of others:
docs/decisions/0003-roles.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from observer.engines import NO_SWAP, Swap
from observer.timeline import Role, RoleSpan, Seconds
from observer.timing_errors import Bools, Floats, draw_found, draw_lengths

RUN_PAUSE: Seconds = 2.0
RUN_SHARE = 0.5
SHORT: Seconds = 2.0
LEAST_ERROR = (0.02, 0.003)
"""Smallest role error that is believed of spans shorter than `SHORT`, and of longer ones."""
LEAN_SD = 1.0
DROWNED, PIECE = 0.11, 2.0
UNHEARD_CHOIRS, MOST_UNHEARD, SHORT_CHOIR = 0.12, 0.5, 12.0
MOST_DRAWS, FEWEST_DRAWS, CELLS = 1000, 200, 4_000_000
"""1,000 draws for a lesson; fewer for recordings of many hours, so that memory stays bounded."""

ROLES = (Role.TEACHER, Role.STUDENT, Role.CHORAL, Role.GROUP, Role.MEDIA)
_INDEX = {role: i for i, role in enumerate(ROLES)}
_CROWDS = [_INDEX[Role.CHORAL], _INDEX[Role.GROUP]]
_OTHER = np.array([1, 0, 1, 1, 0], dtype=np.int8)
_SWAPPED = np.array([1, 0, 2, 3, 4], dtype=np.int8)
_LEAN = np.array([1.0, -1.0, 0.0, 0.0, 0.0])


@dataclass(frozen=True, slots=True)
class RoleDraws:
    """A timeline and its simulated alternatives; row 0 of every array is the one found.

    With d draws, n voiced spans (in order of start) and m stretches between cuts:
    """

    cuts: Floats
    """(m+1,) every moment at which a span starts or ends, with 0 and the end."""
    lengths: Floats
    """(d+1, m) seconds of each stretch."""
    covered: Bools
    """(m,) whether any voice or media is heard."""
    heard: NDArray[np.bool_]
    """(5, d+1, m) whether a role of `ROLES` is heard."""
    starts: Floats
    ends: Floats
    """(n,) bounds of the spans, seconds."""
    roles: NDArray[np.int8]
    """(d+1, n) role of each span, an index into `ROLES`."""
    positions: NDArray[np.intp]
    """(n,) place of each span in the timeline that was handed in."""

    def any_of(self, *roles: Role) -> Bools:
        """(d+1, m) whether one of `roles` is heard."""
        chosen = self.heard[[_INDEX[role] for role in roles]]
        return np.asarray(chosen.any(axis=0), dtype=np.bool_)

    def durations(self) -> Floats:
        """(d+1, n) seconds of each span, its edges and what was heard of it moved as drawn."""
        reached = np.hstack([np.zeros((len(self.lengths), 1)), np.cumsum(self.lengths, axis=1)])
        first, last = (np.searchsorted(self.cuts, bounds) for bounds in (self.starts, self.ends))
        return np.asarray(reached[:, last] - reached[:, first])

    def seconds(self, mask: Bools) -> Floats:
        """(d+1,) seconds of the stretches in `mask`, (d+1, m) or (m,)."""
        return np.asarray(np.where(mask, self.lengths, 0.0).sum(axis=1))


def draw_roles(
    timeline: Sequence[RoleSpan],
    duration: Seconds,
    *,
    widening: float = 1.0,
    seed: int = 0,
    edge_scale: float = 1.0,
    least_error: tuple[float, float] = (0.0, 0.0),
    swap: Swap = NO_SWAP,
    draws: int | None = None,
) -> RoleDraws:
    """Simulate role and boundary errors of `timeline` on ``[0, duration]``.

    `widening` ≥ 1 multiplies the role-error probabilities, `edge_scale` the boundary errors
    (subtitle times are rougher than voice activity). `least_error` is the smallest role error
    that is believed of short and of longer spans: `LEAST_ERROR` where roles were heard, 0 where
    a transcript names them.
    `swap` says how likely it is that another voice was taken for the teacher's.
    `draws` defaults to what `CELLS` allows; 0 keeps only the timeline as found. Same input and
    seed, same arrays.
    """
    kept = sorted(
        (i for i, s in enumerate(timeline) if s.role in _INDEX and _inside(s, duration) > 0),
        key=lambda i: (timeline[i].start, timeline[i].end, i),
    )
    spans = [timeline[i] for i in kept]
    starts = np.array([max(0.0, s.start) for s in spans], dtype=float)
    ends = np.array([min(duration, s.end) for s in spans], dtype=float)
    by_ear = max(least_error) > 0
    groups = [np.arange(s.start, s.end, PIECE) for s in spans if by_ear and s.role is Role.GROUP]
    cuts = np.unique(np.clip(np.concatenate([[0.0, duration], starts, ends, *groups]), 0, duration))
    m = len(cuts) - 1
    if draws is None:
        draws = int(np.clip(CELLS // max(1, m), FEWEST_DRAWS, MOST_DRAWS))
    rng = np.random.default_rng([seed, 1])
    least = np.where([s.duration < SHORT for s in spans], *least_error)
    error = np.maximum(least, [_own_error(s, swap.probability) for s in spans]) * widening
    roles = _swapped(_draw_span_roles(spans, error, rng, draws), swap, rng)
    if by_ear:
        _sing(roles, spans, rng)
    covered, heard = _heard(cuts, starts, ends, roles)
    if by_ear:
        _drown(heard, rng)
    lengths = draw_lengths(cuts, covered, rng, draws, edge_scale)
    crowded = np.asarray(heard[_CROWDS, 1:].any(axis=0))
    sides = heard[_INDEX[Role.TEACHER], 1:], heard[_INDEX[Role.STUDENT], 1:], crowded
    lengths = draw_found(lengths, covered, *sides, rng=rng, widening=widening)
    return RoleDraws(
        cuts=cuts,
        lengths=lengths,
        covered=covered,
        heard=heard,
        starts=starts,
        ends=ends,
        roles=roles,
        positions=np.array(kept, dtype=np.intp),
    )


def draw_flips(
    error: Floats, lean: Floats, runs: NDArray[np.intp], rng: np.random.Generator, draws: int
) -> Bools:
    """(draws, n) whether each of n cases has the other role (rules 1–3 of the module).

    `error` is q of each case, `lean` +1 for teacher, −1 for student, 0 for neither; cases
    with equal `runs` (0, 1, 2 …) belong together.
    """
    q = np.clip(error, 0.0, 0.5)
    odds = np.where(lean == 0, _log_odds(q), _centred_log_odds(q))
    shift = rng.normal(0.0, LEAN_SD, size=(draws, 1)) * lean
    chance = 1 / (1 + np.exp(-(odds + shift)))
    own = rng.random((draws, len(q)))
    together = rng.random((draws, int(runs.max()) + 1 if len(runs) else 0))[:, runs]
    shared = rng.random((draws, len(q))) < RUN_SHARE
    return np.where(shared, together, own) < chance


def _log_odds(q: Floats) -> Floats:
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(q / (1 - q)))


def _centred_log_odds(q: Floats) -> Floats:
    """Log-odds a with ``E[1 / (1 + exp(−a − z))] = q`` for z ~ N(0, LEAN_SD); −inf for q = 0.

    The mean is a Gauss–Hermite sum, inverted by interpolation on a grid.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(41)
    grid = np.linspace(-25.0, 5.0, 1201)
    means = (1 / (1 + np.exp(-(grid[:, None] + LEAN_SD * nodes)))) @ weights / weights.sum()
    return np.where(q > 0, np.interp(q, means, grid), -np.inf)


def _inside(span: RoleSpan, duration: Seconds) -> Seconds:
    return min(span.end, duration) - max(span.start, 0.0)


def _draw_span_roles(
    spans: Sequence[RoleSpan], error: Floats, rng: np.random.Generator, draws: int
) -> NDArray[np.int8]:
    """(draws+1, n) role indices; row 0 as found."""
    found = np.array([_INDEX[s.role] for s in spans], dtype=np.int8)
    flips = draw_flips(error, _LEAN[found], _runs(spans), rng, draws)
    return np.vstack([found[None, :], np.where(flips, _OTHER[found], found)])


def _own_error(span: RoleSpan, swap: float) -> float:
    """1 − probability, less the part that belongs to the whole lesson (rule 6)."""
    error = 1 - span.probability
    if swap == 0 or span.role not in (Role.TEACHER, Role.STUDENT):
        return error
    return max(0.0, (error - swap) / max(1e-9, 1 - 2 * swap))


def _swapped(roles: NDArray[np.int8], swap: Swap, rng: np.random.Generator) -> NDArray[np.int8]:
    """`roles` with another teacher in some of the draws (rule 6)."""
    if swap.probability == 0:
        return roles
    wrong = rng.random((len(roles), 1)) < swap.probability
    wrong[0] = False
    stays = (roles == _INDEX[Role.STUDENT]) & (rng.random(roles.shape) >= swap.share)
    return np.where(wrong & ~stays, _SWAPPED[roles], roles)


def _sing(roles: NDArray[np.int8], spans: Sequence[RoleSpan], rng: np.random.Generator) -> None:
    """Make choirs of students' stretches in some of the draws (rule 8)."""
    draws = len(roles) - 1
    unheard = rng.random((draws, 1)) < UNHEARD_CHOIRS
    share = np.where(unheard, rng.uniform(0.0, MOST_UNHEARD, (draws, 1)), 0.0)
    short = np.array([s.duration < SHORT_CHOIR for s in spans], dtype=bool)
    sung = (rng.random((draws, len(spans))) < share) & short & (roles[1:] == _INDEX[Role.STUDENT])
    roles[1:][sung] = _INDEX[Role.CHORAL]


def _drown(heard: NDArray[np.bool_], rng: np.random.Generator) -> None:
    """Let the teacher speak in group work in which none was heard (rule 7)."""
    alone = np.flatnonzero(heard[_INDEX[Role.GROUP], 0] & ~heard[0, 0])
    draws = heard.shape[1] - 1
    share = np.abs(rng.normal(0.0, DROWNED, (draws, 1)))
    heard[0, 1:, alone] |= (rng.random((draws, len(alone))) < share).T


def _runs(spans: Sequence[RoleSpan]) -> NDArray[np.intp]:
    """A number for each run of one role without a pause of `RUN_PAUSE`."""
    numbers = np.zeros(len(spans), dtype=np.intp)
    for i in range(1, len(spans)):
        before, now = spans[i - 1], spans[i]
        new = before.role != now.role or now.start - before.end >= RUN_PAUSE
        numbers[i] = numbers[i - 1] + new
    return numbers


def _heard(
    cuts: Floats, starts: Floats, ends: Floats, roles: NDArray[np.int8]
) -> tuple[Bools, Bools]:
    """Which stretches are covered, (m,), and by which role in which draw, (5, d+1, m)."""
    m = len(cuts) - 1
    first, last = np.searchsorted(cuts, starts), np.searchsorted(cuts, ends)
    counts = last - first
    span = np.repeat(np.arange(len(starts)), counts)
    stretch = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts - first, counts)
    order = np.argsort(stretch, kind="stable")
    span, stretch = span[order], stretch[order]
    filled, groups = np.unique(stretch, return_index=True)
    covered = np.zeros(m, dtype=bool)
    covered[filled] = True
    heard = np.zeros((len(ROLES), len(roles), m), dtype=bool)
    if len(filled):
        placed = roles[:, span]
        for index in range(len(ROLES)):
            heard[index][:, filled] = np.logical_or.reduceat(placed == index, groups, axis=1)
    return covered, heard
