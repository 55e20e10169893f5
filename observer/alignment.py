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
from dataclasses import replace
from itertools import pairwise

import numpy as np

from observer.gale_church import (
    ATOM,
    MAX_ATOMS,
    AlignmentCosts,
    Array,
    Atoms,
    Items,
    Run,
    cheapest_path,
)
from observer.timeline import Role, RoleSpan, Seconds, Span, difference, of_role
from observer.transcript import Transcript, Utterance

_HAN = re.compile(r"[\u3400-\u9fff]")
_LATIN_WORD = re.compile(r"[A-Za-zÀ-ɏ]+|\d+")


def speaking_time(text: str) -> Seconds:
    """About how long a text takes to say at a usual pace in class, pauses inside it included.

    .25 s a Han character, .4 s a word or number, .3 s on top. `align` fits the pace to the
    recording; only the proportions matter there.
    """
    return 0.3 + 0.25 * len(_HAN.findall(text)) + 0.4 * len(_LATIN_WORD.findall(text))


DEFAULT_COSTS = AlignmentCosts()


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
    atoms = _atoms(speech, timeline or (), {u.role for u in transcript}, costs)
    if not wanted or not len(atoms.start):
        return transcript
    items = _items(transcript.utterances)
    pace = float(atoms.length.sum() / items.length.sum())
    runs = cheapest_path(items, atoms, min(2.0, max(0.4, pace)), costs)
    runs = cheapest_path(items, atoms, _pace(runs, items, atoms, pace), costs)
    return transcript.with_utterances(_placed(transcript.utterances, runs, items, atoms))


LONGEST_PART: Seconds = 20.0
"""Longer utterances (expected seconds) are aligned in equal parts: a run of atoms is bounded."""

_SIDES = {Role.TEACHER: 0, Role.STUDENT: 1, Role.CHORAL: 1, Role.GROUP: 1}


def _items(utterances: Sequence[Utterance]) -> Items:
    rows: list[tuple[int, float, int, float]] = []
    for position, utterance in enumerate(utterances):
        expected = speaking_time(utterance.text)
        parts = max(1, int(np.ceil(expected / LONGEST_PART)))
        side = 2 if utterance.role is None else _SIDES.get(utterance.role, 2)
        anchor = np.nan if utterance.start is None else utterance.start
        rows.append((position, expected / parts, side, anchor))
        rows += [(position, expected / parts, side, np.nan)] * (parts - 1)
    owner, length, sides, anchors = zip(*rows, strict=True) if rows else ((), (), (), ())
    return Items(
        np.array(owner, dtype=np.int64),
        np.array(length, dtype=np.float64),
        np.array(sides, dtype=np.int64),
        np.array(anchors, dtype=np.float64),
    )


def _atoms(
    speech: Sequence[Span],
    timeline: Sequence[RoleSpan],
    roles: set[Role | None],
    costs: AlignmentCosts,
) -> Atoms:
    talk = [t for t in timeline if t.role in (Role.TEACHER, Role.STUDENT, Role.CHORAL)]
    left_out = of_role(timeline, *({Role.GROUP, Role.MEDIA} - roles))
    heard = difference(speech, difference(left_out, (t.span for t in talk)))
    stretches = _cut(heard, sorted({x for t in talk for x in (t.start, t.end)}))
    longest = max(ATOM, sum(s.duration for s in stretches) / MAX_ATOMS)
    atoms: list[Span] = []
    opening: list[float] = []
    skip: list[float] = []
    for i, stretch in enumerate(stretches):
        pieces = _pieces(stretch, longest)
        joined = i > 0 and stretches[i - 1].end >= stretch.start
        atoms += pieces
        opening += [costs.role_change if joined else 0.0]
        opening += [costs.inside] * (len(pieces) - 1)
        whole = costs.skip_segment + costs.skip_second * stretch.duration
        skip += [min(whole, costs.skip_limit) / len(pieces)] * len(pieces)
    return Atoms(
        np.array([p.start for p in atoms]),
        np.array([p.end for p in atoms]),
        _teacher_probability(atoms, talk),
        np.array(opening),
        np.array(skip),
    )


def _pieces(span: Span, longest: Seconds) -> list[Span]:
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


def _pace(runs: Sequence[Run], items: Items, atoms: Atoms, default: float) -> float:
    """Median of seconds heard per second expected, over utterances of a second and more."""
    ratios = [
        float(atoms.length[r.begin : r.stop].sum() / items.length[r.item])
        for r in runs
        if items.length[r.item] > 1.0
    ]
    return float(np.median(ratios)) if len(ratios) >= 3 else default


def _placed(
    utterances: Sequence[Utterance], runs: Sequence[Run], items: Items, atoms: Atoms
) -> list[Utterance]:
    spans: dict[int, Span] = {}
    for run in runs:
        owner = int(items.owner[run.item])
        heard = Span(float(atoms.start[run.begin]), float(atoms.end[run.stop - 1]))
        first = spans.get(owner, heard)
        spans[owner] = Span(min(first.start, heard.start), max(first.end, heard.end))
    placed: list[Utterance] = []
    edge = 0.0
    for i, utterance in enumerate(utterances):
        if utterance.span is not None and not utterance.approximate:
            placed.append(utterance)
            edge = max(edge, utterance.span.end)
            continue
        span = spans.get(i) or _between(edge, i, spans, speaking_time(utterance.text))
        placed.append(
            replace(utterance, start=round(span.start, 3), end=round(span.end, 3), approximate=True)
        )
        edge = max(edge, span.end)
    return placed


def _between(edge: Seconds, i: int, spans: dict[int, Span], length: Seconds) -> Span:
    """Where an utterance that no speech was found for can lie: after its predecessor."""
    following = next((spans[j].start for j in sorted(spans) if j > i), edge + length)
    return Span(edge, max(edge, min(following, edge + length)))
