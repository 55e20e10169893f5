"""The lesson as a score: rows of equal length, one line a role, questions and waits as marks.

Positions across are percentages and the lanes are nested drawings that stretch, so one SVG fits
every width, paper too. Clicks are told by the page's script from the position in a row; each
mark carries the id and the time of what it plays.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup, escape

from api.render.texts import Texts, clock
from observer.discourse import Wait
from observer.timeline import Role, RoleSpan, Seconds, Span, intersection, of_role, total

LANES: Final = (Role.TEACHER, Role.STUDENT, Role.CHORAL, Role.GROUP, Role.MEDIA)
_TICKS: Final = (10, 30, 60, 120, 300, 600, 900, 1800, 3600)
_MOST_TICKS: Final = 6
_LANE: Final = 13
_TOP: Final = 20
"""Room above the lanes for the question marks, in px."""
_WAITS: Final = 11
_AXIS: Final = 17


@dataclass(frozen=True, slots=True)
class Mark:
    """A question on the score."""

    id: str
    at: Seconds
    end: Seconds
    words: str
    open: bool
    """Whether it asks for thinking; drawn filled, others hollow."""


@dataclass(frozen=True, slots=True)
class Minute:
    """One line of the table that says the same as the drawing."""

    start: Seconds
    end: Seconds
    seconds: dict[Role, Seconds]
    questions: int
    waits: int


def row_length(duration: Seconds) -> int:
    """Seconds of one row: two to six equal rows of about ten minutes, in half minutes."""
    if duration <= 120:
        return max(10, math.ceil(duration / 10) * 10)
    rows = min(6, max(2, math.ceil(duration / 600)))
    return math.ceil(duration / rows / 30) * 30


def lanes(timeline: Sequence[RoleSpan]) -> tuple[Role, ...]:
    """The roles that get a line: teacher and student always, others when heard."""
    heard = {s.role for s in timeline}
    return tuple(r for r in LANES if r in heard or r in (Role.TEACHER, Role.STUDENT))


def score(
    timeline: Sequence[RoleSpan],
    duration: Seconds,
    marks: Sequence[Mark],
    waits: Sequence[Wait],
    text: Texts,
) -> Markup:
    """The drawing: one `<svg>` a row, each `data-start`/`data-length` in seconds."""
    length = row_length(duration)
    shown = lanes(timeline)
    merged = {role: of_role(timeline, role) for role in shown}
    rows = [
        _row(
            Span(start, start + length),
            min(duration, start + length),
            shown,
            merged,
            marks,
            waits,
            text,
        )
        for start in range(0, max(1, math.ceil(duration)), length)
    ]
    return Markup("\n").join(rows)


def _row(
    row: Span,
    end: Seconds,
    shown: Sequence[Role],
    merged: dict[Role, list[Span]],
    marks: Sequence[Mark],
    waits: Sequence[Wait],
    text: Texts,
) -> Markup:
    bottom = _TOP + _LANE * len(shown)
    height = bottom + _WAITS + _AXIS
    heard = Span(row.start, max(row.start, end))
    parts = [_ground(row, heard, bottom)]
    parts += [
        _lane(role, intersection(merged[role], [heard]), row, _TOP + _LANE * i)
        for i, role in enumerate(shown)
    ]
    parts += [_wait(w, row, bottom, text) for w in waits if row.start <= w.start < row.end]
    parts += [_mark(m, row, text) for m in marks if row.start <= m.at < row.end]
    parts.append(_axis(row, heard, bottom + _WAITS))
    return Markup(
        '<svg class="score-row" width="100%" height="{h}" data-start="{start:.2f}" '
        'data-length="{length:.2f}" data-end="{end:.2f}" role="group" '
        'aria-label="{label}">{parts}<line class="head" y1="0" y2="{b}" x1="-9" x2="-9"/></svg>'
    ).format(
        h=height,
        start=row.start,
        length=row.duration,
        end=heard.end,
        label=text("timeline.row", start=clock(row.start), end=clock(heard.end)),
        parts=Markup("").join(parts),
        b=bottom + _WAITS,
    )


def _across(at: Seconds, row: Span) -> str:
    return f"{100 * (at - row.start) / row.duration:.3f}%"


def _ground(row: Span, heard: Span, bottom: int) -> Markup:
    return Markup('<rect class="ground" x="0" y="{y}" width="{w}" height="{h}"/>').format(
        y=_TOP - 2, w=_across(heard.end, row), h=bottom - _TOP + 2
    )


def _lane(role: Role, spans: Sequence[Span], row: Span, y: int) -> Markup:
    """All stretches of one role as one path in a drawing 10,000 units wide."""
    scale = 10_000 / row.duration
    path = "".join(
        f"M{(s.start - row.start) * scale:.0f} 0h{max(6.0, s.duration * scale):.0f}v1h"
        f"{-max(6.0, s.duration * scale):.0f}z"
        for s in spans
    )
    return Markup(
        '<svg x="0" y="{y}" width="100%" height="{h}" viewBox="0 0 10000 1" '
        'preserveAspectRatio="none"><path class="lane {role}" d="{path}"/></svg>'
    ).format(y=y + 1, h=_LANE - 2, role=role.value, path=path)


def _wait(wait: Wait, row: Span, y: int, text: Texts) -> Markup:
    """A bar as long as the wait under the lanes; hollow when it does not count."""
    label = text("timeline.wait", at=clock(wait.start), seconds=f"{wait.duration:.1f}") + (
        text("timeline.excluded") if wait.excluded else ""
    )
    return Markup(
        '<g class="mark wait k{kind}{out}" role="button" tabindex="-1" aria-label="{label}" '
        'data-play="{id}" data-start="{start:.2f}" data-end="{end:.2f}">'
        '<rect class="hit" x="{x}" y="{y0}" width="{w}" height="{h}"/>'
        '<rect class="bar" x="{x}" y="{y1}" width="{w}" height="5"/><title>{label}</title></g>'
    ).format(
        kind=wait.kind,
        out=" out" if wait.excluded else "",
        label=label,
        id=wait.id,
        start=wait.start,
        end=wait.end,
        x=_across(wait.start, row),
        w=f"{max(0.12, 100 * wait.duration / row.duration):.3f}%",
        y0=y,
        y1=y + 3,
        h=_WAITS,
    )


def _mark(mark: Mark, row: Span, text: Texts) -> Markup:
    """A question: a flag over the lanes at the moment it begins."""
    label = text("timeline.question", at=clock(mark.at), words=mark.words)
    return Markup(
        '<svg class="mark question{kind}" x="{x}" y="0" width="1" height="{h}" overflow="visible" '
        'role="button" tabindex="-1" aria-label="{label}" data-play="{id}" data-start="{at:.2f}" '
        'data-end="{end:.2f}"><rect class="hit" x="-7" y="0" width="14" height="{h}"/>'
        '<path class="pin" d="M0 {h}V8"/><circle cx="0" cy="7" r="4.6"/>'
        "<title>{label}</title></svg>"
    ).format(
        kind=" thinking" if mark.open else "",
        x=_across(mark.at, row),
        h=_TOP - 1,
        label=label,
        id=mark.id,
        at=mark.at,
        end=mark.end,
    )


def _axis(row: Span, heard: Span, y: int) -> Markup:
    """Clock times at whole minutes (short rows: seconds), at most six a row."""
    step = next((t for t in _TICKS if row.duration / t <= _MOST_TICKS), 7200)
    first = math.ceil(row.start / step)
    parts = []
    for at in (i * step for i in range(first, math.floor(heard.end / step) + 1)):
        if at >= row.end - row.duration / 40:
            break
        parts.append(
            Markup(
                '<line class="tick" x1="{x}" x2="{x}" y1="{y}" y2="{y2}"/>'
                '<text class="time" x="{x}" y="{ty}" text-anchor="{anchor}">{t}</text>'
            ).format(
                x=_across(at, row),
                y=y - 2,
                y2=y + 3,
                ty=y + 14,
                anchor="start" if at == row.start else "middle",
                t=clock(at),
            )
        )
    return Markup("").join(parts)


def strip(timeline: Sequence[RoleSpan], duration: Seconds) -> Markup:
    """The whole lesson as one thin band for the player: teacher above, others below."""
    paths = []
    for role in lanes(timeline):
        scale = 4_000 / max(duration, 1e-9)
        top = 0 if role is Role.TEACHER else 1
        path = "".join(
            f"M{s.start * scale:.0f} {top}h{max(3.0, s.duration * scale):.0f}v1h"
            f"{-max(3.0, s.duration * scale):.0f}z"
            for s in of_role(timeline, role)
        )
        paths.append(
            Markup('<path class="lane {role}" d="{path}"/>').format(role=role.value, path=path)
        )
    return Markup(
        '<svg class="strip" viewBox="0 0 4000 2" preserveAspectRatio="none" aria-hidden="true">{}'
        "</svg>"
    ).format(Markup("").join(paths))


def minutes(
    timeline: Sequence[RoleSpan],
    duration: Seconds,
    marks: Sequence[Mark],
    waits: Sequence[Wait],
) -> list[Minute]:
    """The score as a table: one line a minute (shorter lessons: every ten seconds)."""
    step = 60.0 if duration > 600 else 10.0
    shown = (*lanes(timeline), Role.SILENCE)
    merged = {role: of_role(timeline, role) for role in shown}
    found = []
    for i in range(math.ceil(duration / step)):
        part = Span(i * step, min(duration, (i + 1) * step))
        found.append(
            Minute(
                part.start,
                part.end,
                {role: total(intersection(merged[role], [part])) for role in shown},
                sum(part.start <= m.at < part.end for m in marks),
                sum(part.start <= w.start < part.end for w in waits),
            )
        )
    return found


def legend_key(role: Role) -> Markup:
    """A small drawn sample of a lane."""
    return Markup(
        '<svg class="key" width="22" height="11" aria-hidden="true">'
        '<rect class="lane {}" width="22" height="11"/></svg>'
    ).format(escape(role.value))
