"""Times for a transcript that has none: its utterances laid over the voice activity.

Method: the dynamic programme of Gale & Church (1993, "A program for aligning sentences in
bilingual corpora", Computational Linguistics 19(1)) with seconds of speech in place of
characters of the other language. Voice activity is cut into atoms of at most half a second or
so; an utterance of expected length e meets a run of atoms of length d at the cost
(log(d/e)/σ)². It should begin where a silence ends: a beginning inside running speech costs
extra. Atoms may be skipped (untranscribed talk), utterances too (not heard). Costs are in units
of -2 log likelihood, so that a role timeline and times from the file can be added to them.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from observer.timeline import Role, RoleSpan, Seconds, Span, difference, of_role
from observer.transcript import Transcript, Utterance

Array = npt.NDArray[np.float64]

_HAN = re.compile(r"[\u3400-\u9fff]")
_LATIN_WORD = re.compile(r"[A-Za-zÀ-ɏ]+|\d+")


def speaking_time(text: str) -> Seconds:
    """About how long a text takes to say at a usual pace in class, pauses inside it included.

    .25 s a Han character, .4 s a word or number, .3 s on top. `align` fits the pace to the
    recording; only the proportions matter there.
    """
    return 0.3 + 0.25 * len(_HAN.findall(text)) + 0.4 * len(_LATIN_WORD.findall(text))


@dataclass(frozen=True, slots=True)
class AlignmentCosts:
    """The settings of the dynamic programme; costs in units of -2 log likelihood."""

    sigma: float = 0.4
    """Standard deviation of the log of (seconds heard / seconds expected)."""
    short: Seconds = 0.25
    """Added to both lengths: below it the ratio says little."""
    gap: float = 0.6
    """Cost of a second of silence inside an utterance."""
    gap_once: float = 0.3
    """Cost of any silence inside an utterance, besides its seconds."""
    gap_limit: float = 8.0
    """Largest cost of one silence."""
    inside: float = 6.0
    """Cost of a beginning inside running speech of one role."""
    role_change: float = 0.5
    """Cost of a beginning where the role changes without a silence."""
    skip_segment: float = 2.0
    skip_second: float = 1.0
    """Cost of leaving a stretch of speech out, and of each of its seconds …"""
    skip_limit: float = 8.0
    """… at most this much a stretch."""
    skip_utterance: float = 12.0
    anchor: Seconds = 1.0
    """Standard deviation of a start that the file gives."""
    anchor_limit: float = 25.0
    """Largest cost of a wrong anchor: a wrong clock must not tear the alignment."""


DEFAULT_COSTS = AlignmentCosts()
ATOM: Seconds = 0.5
"""Longest atom, unless there would be more than MAX_ATOMS of them."""
MAX_ATOMS = 6000
MAX_RUN = 90
"""Most atoms of one utterance."""
MAX_CELLS = 32_000_000
"""Bound on the table of back pointers (one byte each): beyond it, a band is searched."""

_SKIP_ATOM, _SKIP_UTTERANCE = 0, -1


def align(
    transcript: Transcript,
    speech: Sequence[Span],
    timeline: Sequence[RoleSpan] | None = None,
    costs: AlignmentCosts = DEFAULT_COSTS,
) -> Transcript:
    """The transcript with times for every utterance; new times are marked `approximate`.

    `speech` is the voice activity. Given a `timeline`, segments are cut where the role
    changes, group work and media are left out (unless the transcript has them), and roles
    count. Exact times of the file are kept; approximate ones serve as anchors. Without
    speech or without utterances the transcript comes back as it is.
    """
    wanted = [u for u in transcript if u.span is None or u.approximate]
    segments = _Segments.of(speech, timeline or (), {u.role for u in transcript}, costs)
    if not wanted or not len(segments.start):
        return transcript
    items = _Items.of(transcript.utterances)
    pace = float(segments.length.sum() / items.length.sum())
    runs = _path(items, segments, min(2.0, max(0.4, pace)), costs)
    runs = _path(items, segments, _pace(runs, items, segments, pace), costs)
    return transcript.with_utterances(_placed(transcript.utterances, runs, items, segments))


@dataclass(frozen=True, slots=True)
class _Items:
    """Utterances as arrays of shape (n,)."""

    length: Array
    """Expected seconds."""
    side: npt.NDArray[np.int64]
    """0 teacher, 1 students, 2 unknown."""
    anchor: Array
    """Start that the file gives, NaN where it gives none."""

    @classmethod
    def of(cls, utterances: Sequence[Utterance]) -> "_Items":
        sides = {Role.TEACHER: 0, Role.STUDENT: 1, Role.CHORAL: 1, Role.GROUP: 1}
        return cls(
            np.array([speaking_time(u.text) for u in utterances]),
            np.array([2 if u.role is None else sides.get(u.role, 2) for u in utterances]),
            np.array([np.nan if u.start is None else u.start for u in utterances]),
        )


@dataclass(frozen=True, slots=True)
class _Segments:
    """Atoms of speech as arrays of shape (m,)."""

    start: Array
    end: Array
    teacher: Array
    """Probability that the teacher speaks; .5 without a timeline."""
    opening: Array
    """Cost of an utterance that begins here."""
    skip: Array
    """Cost of leaving the atom out."""

    @property
    def length(self) -> Array:
        return self.end - self.start

    @classmethod
    def of(
        cls,
        speech: Sequence[Span],
        timeline: Sequence[RoleSpan],
        roles: set[Role | None],
        costs: AlignmentCosts,
    ) -> "_Segments":
        talk = [t for t in timeline if t.role in (Role.TEACHER, Role.STUDENT, Role.CHORAL)]
        left_out = of_role(timeline, *({Role.GROUP, Role.MEDIA} - roles))
        heard = difference(speech, difference(left_out, (t.span for t in talk)))
        stretches = _cut(heard, sorted({x for t in talk for x in (t.start, t.end)}))
        longest = max(ATOM, sum(s.duration for s in stretches) / MAX_ATOMS)
        atoms: list[Span] = []
        opening: list[float] = []
        skip: list[float] = []
        for i, stretch in enumerate(stretches):
            pieces = _atoms(stretch, longest)
            joined = i > 0 and stretches[i - 1].end >= stretch.start
            atoms += pieces
            opening += [costs.role_change if joined else 0.0]
            opening += [costs.inside] * (len(pieces) - 1)
            whole = costs.skip_segment + costs.skip_second * stretch.duration
            skip += [min(whole, costs.skip_limit) / len(pieces)] * len(pieces)
        return cls(
            np.array([p.start for p in atoms]),
            np.array([p.end for p in atoms]),
            _teacher_probability(atoms, talk),
            np.array(opening),
            np.array(skip),
        )


def _atoms(span: Span, longest: Seconds) -> list[Span]:
    count = max(1, int(np.ceil(span.duration / longest - 1e-9)))
    edges = np.linspace(span.start, span.end, count + 1).tolist()
    return [Span(a, b) for a, b in pairwise(edges)]


def _cut(spans: Sequence[Span], edges: Sequence[Seconds], shortest: Seconds = 0.2) -> list[Span]:
    """Spans cut at the edges; no piece shorter than `shortest` comes from a cut."""
    pieces: list[Span] = []
    position = 0
    for span in spans:
        start = span.start
        while position < len(edges) and edges[position] <= span.start:
            position += 1
        while position < len(edges) and edges[position] < span.end:
            edge = edges[position]
            position += 1
            if edge - start >= shortest and span.end - edge >= shortest:
                pieces.append(Span(start, edge))
                start = edge
        pieces.append(Span(start, span.end))
    return pieces


def _teacher_probability(pieces: Sequence[Span], talk: Sequence[RoleSpan]) -> Array:
    """Mean probability of the teacher over each piece, weighted by overlap; .5 where unheard."""
    ordered = sorted(talk, key=lambda t: t.start)
    found = np.full(len(pieces), 0.5)
    first = 0
    for index, piece in enumerate(pieces):
        while first < len(ordered) and ordered[first].end <= piece.start:
            first += 1
        weight = mass = 0.0
        for item in ordered[first:]:
            if item.start >= piece.end:
                break
            overlap = piece.overlap(item.span)
            teacher = item.probability if item.role is Role.TEACHER else 1 - item.probability
            weight += overlap
            mass += overlap * teacher
        if weight > 0:
            found[index] = mass / weight
    clipped: Array = np.clip(found, 0.02, 0.98)
    return clipped


@dataclass(frozen=True, slots=True)
class _Run:
    """Utterance `item` laid over the atoms `begin..stop` (exclusive)."""

    item: int
    begin: int
    stop: int


@dataclass(frozen=True, slots=True)
class _RunCosts:
    """What does not depend on the utterance; element r-1 has shape (m + 1 - r,) and stands for
    the runs of r atoms, by their first atom."""

    log_length: list[Array]
    """Logarithm of the seconds of speech plus AlignmentCosts.short."""
    side: list[list[Array]]
    """Silences inside, the opening, and the role: for teacher, students, unknown."""


def _run_costs(segments: _Segments, costs: AlignmentCosts) -> _RunCosts:
    m = len(segments.start)
    spoken = np.concatenate([[0.0], np.cumsum(segments.length)])
    gaps = np.maximum(0.0, segments.start[1:] - segments.end[:-1])
    gap_cost = np.where(
        gaps > 1e-6, np.minimum(costs.gap_once + costs.gap * gaps, costs.gap_limit), 0
    )
    silent = np.concatenate([[0.0], np.cumsum(gap_cost)])
    tables = []
    for probability in (segments.teacher, 1 - segments.teacher):
        weighted = -2 * np.log(probability) * segments.length
        tables.append(np.concatenate([[0.0], np.cumsum(weighted)]))
    found = _RunCosts([], [])
    for run in range(1, min(MAX_RUN, m) + 1):
        length = spoken[run:] - spoken[:-run]
        inside = silent[run - 1 :] - silent[: m - run + 1] + segments.opening[: m - run + 1]
        by_side = [inside + (t[run:] - t[:-run]) / np.maximum(length, 1e-9) for t in tables]
        found.log_length.append(np.log(length + costs.short))
        found.side.append([*by_side, inside - 2 * np.log(0.5)])
    return found


def _path(items: _Items, segments: _Segments, pace: float, costs: AlignmentCosts) -> list[_Run]:
    """The cheapest path; rows are utterances, columns atoms, both counted as consumed."""
    n, m = len(items.length), len(segments.start)
    table = _run_costs(segments, costs)
    skipped = np.concatenate([[0.0], np.cumsum(segments.skip)])
    width = min(m + 1, max(400, MAX_CELLS // (n + 1)))
    lows = _band(items, segments, width)
    moves = np.zeros((n + 1, width), dtype=np.int8)
    reached = skipped.copy()
    for i in range(1, n + 1):
        best, move = _row(i - 1, reached, items, segments, table, pace, costs)
        low = lows[i]
        best[:low] = np.inf
        best[low + width :] = np.inf
        reached = np.minimum.accumulate(best - skipped) + skipped
        move[reached < best - 1e-9] = _SKIP_ATOM
        moves[i] = move[low : low + width]
    return _traced(moves, lows, n, m)


def _band(items: _Items, segments: _Segments, width: int) -> list[int]:
    """First column of the band in every row: around equal shares of text and of speech."""
    m = len(segments.start)
    said = np.concatenate([[0.0], np.cumsum(items.length)]) / items.length.sum()
    heard = np.cumsum(segments.length) / segments.length.sum()
    centre = np.searchsorted(heard, said)
    lows = np.clip(centre - width // 2, 0, m + 1 - width)
    lows[-1] = m + 1 - width
    return [int(x) for x in lows]


def _row(
    item: int,
    previous: Array,
    items: _Items,
    segments: _Segments,
    table: _RunCosts,
    pace: float,
    costs: AlignmentCosts,
) -> tuple[Array, npt.NDArray[np.int8]]:
    """Costs of having consumed one utterance more, by atoms consumed, and the last move."""
    best = previous + costs.skip_utterance
    move = np.full(len(best), _SKIP_UTTERANCE, dtype=np.int8)
    expected = pace * float(items.length[item])
    wanted = float(np.log(expected + costs.short))
    side = int(items.side[item])
    before = previous[:-1] + _anchor_cost(items.anchor[item], segments.start, costs)
    longest = min(len(table.log_length), 8 + int(6 * expected / ATOM))
    for run in range(1, longest + 1):
        ratio = (table.log_length[run - 1] - wanted) / costs.sigma
        cost = before[: len(ratio)] + ratio * ratio + table.side[run - 1][side]
        better = cost < best[run:]
        np.copyto(best[run:], cost, where=better)
        move[run:][better] = run
    return best, move


def _anchor_cost(anchor: float, start: Array, costs: AlignmentCosts) -> Array | float:
    if np.isnan(anchor):
        return 0.0
    distance: Array = np.minimum(((start - anchor) / costs.anchor) ** 2, costs.anchor_limit)
    return distance


def _traced(moves: npt.NDArray[np.int8], lows: Sequence[int], n: int, m: int) -> list[_Run]:
    runs: list[_Run] = []
    i, j = n, m
    while i > 0:
        move = int(moves[i, j - lows[i]])
        if move == _SKIP_ATOM:
            j -= 1
        elif move == _SKIP_UTTERANCE:
            i -= 1
        else:
            runs.append(_Run(i - 1, j - move, j))
            i, j = i - 1, j - move
    return runs[::-1]


def _pace(runs: Sequence[_Run], items: _Items, segments: _Segments, default: float) -> float:
    """Median of seconds heard per second expected, over utterances of a second and more."""
    ratios = [
        float(segments.length[r.begin : r.stop].sum() / items.length[r.item])
        for r in runs
        if items.length[r.item] > 1.0
    ]
    return float(np.median(ratios)) if len(ratios) >= 3 else default


def _placed(
    utterances: Sequence[Utterance], runs: Sequence[_Run], items: _Items, segments: _Segments
) -> list[Utterance]:
    spans = {
        r.item: Span(float(segments.start[r.begin]), float(segments.end[r.stop - 1])) for r in runs
    }
    placed: list[Utterance] = []
    edge = 0.0
    for i, utterance in enumerate(utterances):
        if utterance.span is not None and not utterance.approximate:
            placed.append(utterance)
            edge = max(edge, utterance.span.end)
            continue
        span = spans.get(i) or _between(edge, i, spans, float(items.length[i]))
        placed.append(
            replace(utterance, start=round(span.start, 3), end=round(span.end, 3), approximate=True)
        )
        edge = max(edge, span.end)
    return placed


def _between(edge: Seconds, i: int, spans: dict[int, Span], length: Seconds) -> Span:
    """Where an utterance that no speech was found for can lie: after its predecessor."""
    following = next((spans[j].start for j in sorted(spans) if j > i), edge + length)
    return Span(edge, max(edge, min(following, edge + length)))
