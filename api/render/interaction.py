"""FIAS on the page: the categories over time, the matrix as a shaded table, indices, rules."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from markupsafe import Markup

from api.render.figures import Row
from api.render.texts import Texts, clock
from observer.fias import CATEGORIES, INTERVAL, LEFT_OUT, RULES, transition_matrix
from observer.observation import Observation
from observer.structure.categories import Coding, Sample
from observer.taxonomies import FIAS
from observer.timeline import Seconds

SHADES: Final = 6
"""Steps of shading in the matrix; the number stands in every cell as well."""
CONTEXT: Final = {"fias_tt": "68%", "fias_pt": "20%", "fias_sc": "12%"}
"""What Flanders (1970) gives for the American classrooms of his time: context, no target."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One transition of the matrix."""

    count: int
    shade: int
    """0 (none) to `SHADES`."""
    label: str


@dataclass(frozen=True, slots=True)
class Category:
    """One category: its row of the matrix and its sum."""

    code: int
    name: str
    cells: tuple[Cell, ...]
    total: int
    left_out: bool


@dataclass(frozen=True, slots=True)
class Index:
    """One index with Flanders' own figure, where there is one."""

    row: Row
    context: str


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One written rule."""

    code: str
    name: str
    text: str
    definition: str


@dataclass(frozen=True, slots=True)
class Interaction:
    """The section of the page; `missing` says why there is no coding."""

    categories: tuple[Category, ...]
    indices: tuple[Index, ...]
    rules: tuple[RuleRow, ...]
    drawing: Markup
    words: str
    missing: str


def interaction(
    observation: Observation, rows: Sequence[Row], duration: Seconds, text: Texts
) -> Interaction | None:
    """The FIAS of an observation; None where it was measured by a program without FIAS."""
    mine = [r for r in rows if r.key.startswith("fias_")]
    if not mine:
        return None
    indices = tuple(
        Index(r, CONTEXT.get(r.key, "")) for r in mine if not r.key.startswith("fias_n")
    )
    first = next(r for r in mine if r.key == "fias_tt")
    if first.missing is not None:
        return Interaction((), indices, _rules(text), Markup(""), "", first.missing)
    samples = Coding(observation.timeline, observation.discourse, duration).samples
    categories = _categories(samples, text)
    return Interaction(
        categories, indices, _rules(text), _drawing(samples, text), _words(samples, text), ""
    )


def _name(code: int, text: Texts) -> str:
    item = FIAS[str(code)]
    return text.pick(zh=item.zh, en=item.en)


def _categories(samples: Sequence[Sample], text: Texts) -> tuple[Category, ...]:
    matrix = transition_matrix([s.code for s in samples])
    most = max(1, int(matrix.max()))
    out = {x.code for x in LEFT_OUT}
    found = []
    for code in CATEGORIES:
        cells = []
        for follower in CATEGORIES:
            count = int(matrix[code - 1, follower - 1])
            # A square root keeps rare transitions visible beside a lesson's long lectures.
            shade = 0 if not count else max(1, round(SHADES * (count / most) ** 0.5))
            label = text("fias.cell", n=count, first=_name(code, text), then=_name(follower, text))
            cells.append(Cell(count, shade, label))
        total = int(matrix[code - 1].sum())
        found.append(Category(code, _name(code, text), tuple(cells), total, code in out))
    return tuple(found)


def _rules(text: Texts) -> tuple[RuleRow, ...]:
    rows = [
        RuleRow(
            str(r.code),
            _name(r.code, text),
            text.pick(zh=r.zh, en=r.en),
            text.pick(zh=FIAS[str(r.code)].definition_zh, en=r.definition),
        )
        for r in RULES
    ]
    rows += [
        RuleRow("–", f"{x.code} {_name(x.code, text)}", text.pick(zh=x.zh, en=x.en), "")
        for x in LEFT_OUT
    ]
    return tuple(rows)


def _words(samples: Sequence[Sample], text: Texts) -> str:
    """The codes over time in words: how many of each."""
    codes = [s.code for s in samples]
    parts = [
        text("fias.count", code=code, name=_name(code, text), n=codes.count(code))
        for code in CATEGORIES
        if code in codes
    ]
    return text("fias.words", n=len(codes), parts=text("list.semicolon").join(parts))


def _drawing(samples: Sequence[Sample], text: Texts) -> Markup:
    """Ten lines over the lesson, one a category; each run of a code is a bar in its line."""
    n = len(samples)
    colours = {8: "student", 9: "student", 10: "silence"}
    bars: dict[int, list[str]] = {}
    at = 0
    for code, run in groupby(samples, key=lambda s: s.code):
        length = len(list(run))
        bars.setdefault(code, []).append(f"M{at} {code - 1}.12h{length}v.76h-{length}z")
        at += length
    paths = Markup("").join(
        Markup('<path class="lane {}" d="{}"/>').format(colours.get(code, "teacher"), "".join(d))
        for code, d in sorted(bars.items())
    )
    end = n * INTERVAL
    return Markup(
        '<svg class="score-row fias-row" width="100%" height="160" viewBox="0 0 {n} 10" '
        'preserveAspectRatio="none" data-start="0" data-length="{end:.2f}" data-end="{end:.2f}" '
        'role="img" aria-label="{label}"><path class="lines" d="{grid}"/>{paths}'
        '<line class="head" y1="0" y2="10" x1="-9" x2="-9"/></svg>'
    ).format(
        n=n,
        end=end,
        label=text("fias.drawing", end=clock(end)),
        grid="".join(f"M0 {i}h{n}" for i in range(1, 10)),
        paths=paths,
    )
