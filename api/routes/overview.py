"""Groups of lessons: the page for leaders, researchers and district staff, the same for programs,
and a file."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import HTMLResponse

from api.deps import Db, Language, Me, TheSite
from api.documents import AggregatesOut, GroupOut, Id, SummaryOut
from api.overview import DIMENSIONS, SHOWN, Overview, Wanted, group_figures
from api.pages import page_texts, render
from api.problems import InvalidError
from api.render.figures import formatted, named
from api.render.texts import Texts, texts
from observer.aggregate import FEWEST_FOR_QUARTILES, METHOD, ROUNDED_TO, GroupSummary
from observer.disclosure import FEWEST, TIED
from observer.indicators import CATALOGUE

router = APIRouter(tags=["aggregates"])
COLUMNS = (
    *("place", "term", "subject", "grade", "divided_by", "group", "name", "name_zh", "name_en"),
    *("unit", "value", "low", "high", "quartile_1", "quartile_3", "teachers", "lessons"),
    *("missing_zh", "missing_en", "method"),
)
"""Of the file."""
Part = Annotated[str, Query(max_length=60)]
Term = Annotated[
    str, Query(pattern=r"^([0-9]{4}-[12])?$", description="2026-1: August 2026 to January 2027.")
]
By = Annotated[
    Literal["school", "term", "subject", "grade"] | None,
    Query(description="Divide by this; it must not narrow at the same time."),
]
SchoolId = Annotated[Id | None, Query(description="A school of yours, or of your district.")]
DistrictId = Annotated[Id | None, Query(description="The district whose staff you are.")]


def _place(school: str | None, district: str | None) -> str:
    if school and district:
        raise InvalidError(
            en="Give one of school and district.", zh="请只填写 school 或 district 中的一项。"
        )
    return f"school:{school}" if school else f"district:{district}" if district else ""


async def _asked(
    school: SchoolId = None, district: DistrictId = None, by: By = None, term: Term = "",
    subject: Part = "", grade: Part = "",
) -> Wanted:  # fmt: skip
    """Which groups a program asks for. Raises InvalidError for a school and a district at once."""
    return Wanted(_place(school, district), by or "", term, subject.strip(), grade.strip())


Asked = Annotated[Wanted, Depends(_asked)]


@dataclass(frozen=True, slots=True)
class Line:
    """A group in the table of one indicator."""

    name: str
    whole: bool
    value: str = ""
    interval: str = ""
    quartiles: str = ""
    teachers: int | None = None
    lessons: int | None = None
    missing: str = ""
    """few or tied: why there is no figure."""
    at: float = 0.0
    """Places on the scale, in per cent of its length: the figure, interval, middle half."""
    ends: tuple[float, float] | None = None
    box: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Panel:
    """One indicator of all groups, on one scale."""

    key: str
    name: str
    about: str
    top: str
    """The end of the scale; it begins at nothing."""
    half: str
    lines: tuple[Line, ...]

    @property
    def shown(self) -> bool:
        """Whether any group has a figure."""
        return not all(line.missing for line in self.lines)


@router.get("/overview", include_in_schema=False, response_class=HTMLResponse)
def overview(request: Request, db: Db, me: Me, site: TheSite, language: Language) -> HTMLResponse:
    """How teaching looks in a school or a district, and in its parts."""
    asked = {k: request.query_params.get(k, "").strip()[:60] for k in ("place", *DIMENSIONS, "by")}
    wanted = Wanted(asked["place"], "", asked["term"], asked["subject"], asked["grade"])
    shown = group_figures(site.database, db, me, _divided(wanted, asked["by"], me.districts()))
    text = page_texts(language)
    names = names_of(shown, text)
    return render(
        request,
        "overview",
        actor=me,
        language=language,
        shown=shown,
        divisions=_divisions(shown.wanted, district=shown.place.kind == "district"),
        choices={
            d: [(v, _value_name(d, v, text)) for v in _with(shown.choices[d], shown.wanted, d)]
            for d in DIMENSIONS[1:]
        },
        panels=[panel(n, shown, names, texts(language)) for n in range(len(SHOWN))],
        fewest=FEWEST,
        fewest_for_quartiles=FEWEST_FOR_QUARTILES,
        rounded_to=ROUNDED_TO,
        address=_address(shown),
    )


@router.get("/api/v1/aggregates")
def aggregates(db: Db, me: Me, site: TheSite, language: Language, wanted: Asked) -> AggregatesOut:
    """Figures of a group of lessons and its parts, for leaders, researchers and district staff.

    Without `school` and `district`: the first of yours, districts before schools.
    """
    shown = group_figures(site.database, db, me, wanted)
    names = names_of(shown, page_texts(language))
    place = shown.place
    return AggregatesOut(
        school_id=place.id if place.kind == "school" else None,
        district_id=place.id if place.kind == "district" else None,
        place=place.name,
        by=wanted.by or None,
        term=wanted.term,
        subject=wanted.subject,
        grade=wanted.grade,
        fewest_teachers=FEWEST,
        method=METHOD,
        read=shown.read,
        groups=[
            GroupOut(key=g.key, name=names[g.key], indicators=[_out(s) for s in g.summaries])
            for g in shown.groups
        ],
    )


@router.get(
    "/api/v1/aggregates.csv",
    response_class=Response,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
def aggregates_as_csv(db: Db, me: Me, site: TheSite, language: Language, wanted: Asked) -> Response:
    """The same as a table, one row for each group and indicator."""
    shown = group_figures(site.database, db, me, wanted)
    content = as_csv(shown, names_of(shown, page_texts(language)))
    headers = {
        "Content-Disposition": 'attachment; filename="overview.csv"',
        "Cache-Control": "private, no-store",
    }
    return Response(content, media_type="text/csv; charset=utf-8", headers=headers)


def as_csv(shown: Overview, names: Mapping[str | None, str]) -> str:
    """One row for each group and indicator; with a byte order mark, for Excel's sake."""
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(COLUMNS)
    wanted = shown.wanted
    for group in shown.groups:
        said = (shown.place.name, wanted.term, wanted.subject, wanted.grade, wanted.by)
        for s in group.summaries:
            entry = CATALOGUE[s.indicator]
            row: list[object] = [_cell(text) for text in (*said, names[group.key])]
            row += [s.indicator, entry.zh, entry.en, "share" if entry.percent else entry.unit_en]
            row += [s.value, s.low, s.high, *(s.quartiles or ("", "")), s.teachers, s.lessons]
            row += [s.missing.zh, s.missing.en] if s.missing else ["", ""]
            rows.writerow([*row, METHOD])
    return "\ufeff" + out.getvalue()


def _cell(text: str) -> str:
    """Free text that a spreadsheet would take for a formula is marked as text."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def names_of(shown: Overview, text: Texts) -> dict[str | None, str]:
    """Group → its name for people."""
    schools = {p.id: p.name for p in shown.places}
    found: dict[str | None, str] = {None: text("overview.whole")}
    for group in shown.groups:
        if (key := group.key) is not None:
            found[key] = schools.get(key, "") or _value_name(shown.wanted.by, key, text)
    return found


def _value_name(dimension: str, value: str, text: Texts) -> str:
    year, _, half = value.partition("-")
    if dimension != "term" or not year.isdigit() or half not in ("1", "2"):
        return value
    return text(f"overview.term.{half}", year=year, next=int(year) + 1)


def _divisions(wanted: Wanted, *, district: bool) -> list[str]:
    """By what the group can be divided, the page's own choice first."""
    ways = ("school", "subject", "grade", "term") if district else ("subject", "grade", "term")
    return [d for d in ways if d not in wanted.narrowed]


def _divided(wanted: Wanted, by: str, districts: frozenset[str]) -> Wanted:
    """As asked for, or by the first that can be: a page forgives what an address gets wrong."""
    district = wanted.place.startswith("district:") or (not wanted.place and bool(districts))
    free = _divisions(wanted, district=district)
    chosen = by if by in free or by == "none" else (free or ["none"])[0]
    return Wanted(
        wanted.place, "" if chosen == "none" else chosen, wanted.term, wanted.subject, wanted.grade
    )


def _with(values: object, wanted: Wanted, dimension: str) -> list[str]:
    """The choices, with what was asked for though it may not be named."""
    known = list(values)  # type: ignore[call-overload]
    asked = getattr(wanted, dimension)
    return known if asked in ("", *known) else [*known, asked]


def _address(shown: Overview) -> Mapping[str, str]:
    """The query of the same figures as a file."""
    wanted = shown.wanted
    said = {shown.place.kind: shown.place.id, "by": wanted.by}
    return said | {d: getattr(wanted, d) for d in DIMENSIONS[1:]}


def _out(summary: GroupSummary) -> SummaryOut:
    entry, missing = CATALOGUE[summary.indicator], summary.missing
    return SummaryOut(
        name=summary.indicator,
        unit="share" if entry.percent else entry.unit_en,
        value=summary.value,
        low=summary.low,
        high=summary.high,
        quartiles=list(summary.quartiles) if summary.quartiles else None,
        teachers=summary.teachers,
        lessons=summary.lessons,
        missing={"en": missing.en, "zh": missing.zh} if missing else None,
    )


def panel(number: int, shown: Overview, names: Mapping[str | None, str], text: Texts) -> Panel:
    """The table of one indicator. Its scale begins at nothing and ends at a round number."""
    name, about = named(SHOWN[number], text)
    found = [(g.key, g.summaries[number]) for g in shown.groups]
    reached = max((s.high for _, s in found if s.high is not None), default=1.0)
    top = _round_up(reached, 1.0 if CATALOGUE[SHOWN[number]].percent else None)
    lines = tuple(_line(names[key], key is None, s, top, text) for key, s in found)
    ends = formatted(SHOWN[number], top, text), formatted(SHOWN[number], top / 2, text, unit=False)
    return Panel(SHOWN[number], name, about, *ends, lines)


def _line(name: str, whole: bool, s: GroupSummary, top: float, text: Texts) -> Line:
    if s.value is None or s.low is None or s.high is None:
        return Line(name, whole, missing="tied" if s.missing is TIED else "few")

    def shown(value: float, *, unit: bool = True) -> str:
        return formatted(s.indicator, value, text, unit=unit)

    def between(ends: tuple[float, float]) -> str:
        return "–".join(shown(end, unit=False) for end in ends)

    def placed(ends: tuple[float, float]) -> tuple[float, float]:
        return 100 * ends[0] / top, 100 * ends[1] / top

    return Line(
        name,
        whole,
        shown(s.value),
        between((s.low, s.high)),
        between(s.quartiles) if s.quartiles else "",
        s.teachers,
        s.lessons,
        at=100 * s.value / top,
        ends=placed((s.low, s.high)),
        box=placed(s.quartiles) if s.quartiles else None,
    )


def _round_up(value: float, most: float | None) -> float:
    """The next of 1, 2, 4, 6, 8, 10 times a power of ten, at most `most`: halves of it are round
    as well."""
    power = 1.0
    while power >= value > 0:
        power /= 10
    while 10 * power < value:
        power *= 10
    top = next(step * power for step in (1, 2, 4, 6, 8, 10) if step * power >= value)
    return top if most is None else min(most, top)
