"""What of an observation stands on paper: the same content for the PDF and the Word file.

Plain values without markup. A page of paper plays nothing, so every piece of evidence keeps the
time at which it is heard and, where the reader has the report, an address that opens it there.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from api.render import drawings, figures, sections, timeline, view
from api.render.evidence import Evidence, Proof
from api.render.interaction import Interaction, interaction
from api.render.readings import readings
from api.render.texts import Texts, clock
from observer.indicators.catalogue import CATALOGUE
from observer.indicators.st import curve
from observer.observation import Observation
from observer.report import claims
from observer.timeline import Role, Seconds, intersection, of_role
from observer.timeline import Span as TimeSpan

LOW_ACCURACY = frozenset({"pocketsphinx"})
"""Recognisers whose words the report warns about."""
LESSON_TYPES = {
    "ordinary": "print.type.ordinary",
    "public": "print.type.public",
    "research": "print.type.research",
}
TICKS = (10, 30, 60, 120, 300, 600, 900, 1800, 3600)
"""Seconds between the clock times under a row of the timeline."""


@dataclass(frozen=True, slots=True)
class Heading:
    """What a school knows of the lesson and its recording does not."""

    title: str
    details: tuple[str, ...] = ()
    """Subject, grade, date … in the reader's language."""
    address: str = ""
    """Web address of the lesson's report; empty: times are no links."""


def headed(
    text: Texts,
    title: str,
    *,
    about: tuple[str, ...] = (),
    lesson_type: str = "",
    cycle: int | None = None,
    held_on: date | None = None,
    address: str = "",
) -> Heading:
    """The heading of a lesson in the reader's language; `cycle` is the round of a lesson study."""
    details = [*about]
    if lesson_type in LESSON_TYPES:
        details.append(text(LESSON_TYPES[lesson_type]))
    if cycle:
        details.append(text("print.round", n=cycle))
    if held_on:
        details.append(held_on.isoformat())
    return Heading(title, tuple(d for d in details if d), address)


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """One row of the timeline; all positions are shares of the row, 0 to 1."""

    label: str
    heard: float
    lanes: tuple[tuple[tuple[float, float], ...], ...]
    """One lane a role of `Printed.roles`: (begin, width) of each stretch."""
    questions: tuple[tuple[float, bool], ...]
    """(position, whether it asks for thinking)."""
    waits: tuple[tuple[float, float, int, bool], ...]
    """(begin, width, kind, whether it counts)."""
    ticks: tuple[tuple[float, str], ...]


@dataclass(frozen=True, slots=True)
class Bar:
    """One figure of a chart with its interval, as shares of the axis."""

    name: str
    value: float
    low: float
    high: float
    shown: str
    colour: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Figures under one another; `words` say the same for those who do not see them."""

    id: str
    title: str
    words: str
    bars: tuple[Bar, ...]
    axis: tuple[tuple[float, str], ...]


@dataclass(frozen=True, slots=True)
class Plane:
    """The S-T curve (points) or the Rt-Ch point with its interval, in axis shares."""

    title: str
    words: str
    points: tuple[tuple[float, float], ...]
    end: str = ""
    """What the end of both axes stands for, minutes."""


@dataclass(frozen=True, slots=True)
class Printed:
    """Everything on paper, in order."""

    language: str
    title: str
    dateline: tuple[str, ...]
    address: str
    warnings: tuple[str, ...]
    sound: tuple[str, ...]
    key_figures: tuple[view.KeyFigure, ...]
    claims: tuple[view.ClaimView, ...]
    roles: tuple[tuple[str, str], ...]
    """(role, its name), one a lane of the timeline."""
    score: tuple[ScoreRow, ...]
    score_words: str
    charts: dict[str, Chart]
    curve: Plane | None
    triangle: Plane | None
    stems: tuple[tuple[float, float, int], ...]
    """Counted waits: (place in the lesson 0 to 1, seconds, kind)."""
    stems_words: str
    length: Seconds
    waits: tuple[sections.WaitList, ...]
    questions: tuple[sections.QuestionGroup, ...]
    exchanges: tuple[sections.ExchangeRow, ...]
    exchange_words: str
    transferred: bool
    corrected: bool
    interaction: Interaction | None
    lines: tuple[sections.Line, ...]
    families: tuple[tuple[str, tuple[figures.Row, ...]], ...]
    methods: tuple[tuple[str, str], ...]
    versions: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


def printed(
    observation: Observation, text: Texts, *, heading: Heading | None = None, masked: bool = False
) -> Printed:
    """The content of a printed report in the language of `text`.

    `masked` only says that names were taken out (:mod:`api.masking` does it).
    """
    evidence = Evidence(observation, text)
    length = view.lesson_length(observation)
    told = observation.claims
    if observation.language != text.language:
        told = claims(observation, text.language)
    rows = figures.rows(observation, evidence, text)
    families: dict[str, list[figures.Row]] = {}
    for row in rows:
        families.setdefault(text(f"family.{row.family}"), []).append(row)
    read = readings(observation, evidence, text)
    counted = [w for w in observation.waits if w.excluded is None]
    head = heading or Heading(view.title(observation, text))
    roles = timeline.lanes(observation.timeline) if observation.timeline else ()
    return Printed(
        language=text.language,
        title=head.title,
        dateline=(*head.details, *view.dateline(observation, length, text)),
        address=head.address,
        warnings=_warnings(observation, text, masked=masked),
        sound=_sound(observation, text),
        key_figures=view.key_figures(observation, text),
        claims=tuple(view.claim_view(c, evidence, text) for c in told),
        roles=tuple((r.value, text(f"role.{r.value}")) for r in roles),
        score=_score(observation, length, roles),
        score_words=drawings.score_words(observation, length, text),
        charts={c.id: c for m in drawings.MEASURES if (c := _chart(m, observation, text))},
        curve=_curve(observation, length, text),
        triangle=_triangle(observation, text),
        stems=tuple((round(w.start / max(length, 1.0), 5), w.duration, w.kind) for w in counted),
        stems_words=drawings.waits_words(counted, text) if counted else "",
        length=length,
        waits=tuple(sections.wait_list(observation.waits, k, evidence, text) for k in (1, 2)),
        questions=sections.questions(observation, evidence, text),
        exchanges=tuple(sections.exchange(x, evidence, text) for x in observation.exchanges),
        exchange_words=sections.exchange_words(observation.exchanges, text),
        transferred=read.transferred,
        corrected=read.corrected,
        interaction=interaction(observation, rows, length, text),
        lines=sections.lines(observation, text),
        families=tuple((name, tuple(found)) for name, found in families.items()),
        methods=tuple(
            (text(f"methods.{m}"), text(f"methods.{m}.text"))
            for m in ("intervals", "roles", "questions", "st", "limits", "purpose")
        ),
        versions=_versions(observation, text),
        notes=observation.provenance.notes,
    )


def address_of(proof: Proof, address: str) -> str:
    """Where the evidence can be heard; empty where there is no report to open."""
    return f"{address}#{proof.anchor}" if address and proof.anchor else ""


def _warnings(observation: Observation, text: Texts, *, masked: bool) -> tuple[str, ...]:
    engines = observation.provenance.engines
    low = any(e.kind == "transcriber" and e.name in LOW_ACCURACY for e in engines)
    found = [text("warning.low_accuracy")] if low else []
    return (*found, *([text("print.masked")] if masked else []))


def _sound(observation: Observation, text: Texts) -> tuple[str, ...]:
    quality = observation.quality
    if quality is None:
        return ()
    heard = text("sound.speech", share=text.percent(quality.speech_share))
    if quality.snr_db is not None:
        heard += text("sound.snr", db=f"{quality.snr_db:.0f}")
    if quality.clipped_share >= 0.001:
        heard += text("sound.clipped", share=f"{100 * quality.clipped_share:.1f}")
    parts = [f"{text(f'sound.{quality.verdict}')} {heard}{text('list.stop')}"]
    if quality.widening > 1:
        parts.append(text("sound.widened", factor=f"{quality.widening:.1f}"))
    return (*parts, *(text.pick(zh=f.zh, en=f.en) for f in quality.findings))


def _score(
    observation: Observation, length: Seconds, roles: Sequence[Role]
) -> tuple[ScoreRow, ...]:
    if not observation.timeline:
        return ()
    wide = timeline.row_length(length)
    merged = {role: of_role(observation.timeline, role) for role in roles}
    marks = view.question_marks(observation)
    found = []
    for start in range(0, max(1, math.ceil(length)), wide):
        heard = TimeSpan(start, max(start, min(length, start + wide)))

        def share(at: Seconds, start: int = start) -> float:
            return round((at - start) / wide, 5)

        found.append(
            ScoreRow(
                f"{clock(heard.start)}–{clock(heard.end)}",
                share(heard.end),
                tuple(
                    tuple(
                        (share(s.start), max(0.0008, round(s.duration / wide, 5)))
                        for s in intersection(merged[role], [heard])
                    )
                    for role in roles
                ),
                tuple((share(m.at), m.open) for m in marks if start <= m.at < start + wide),
                tuple(
                    (share(w.start), round(w.duration / wide, 5), w.kind, w.excluded is None)
                    for w in observation.waits
                    if start <= w.start < start + wide
                ),
                tuple((share(at), clock(at)) for at in _ticks(heard, wide)),
            )
        )
    return tuple(found)


def _ticks(heard: TimeSpan, wide: Seconds) -> Iterable[Seconds]:
    step = next((t for t in TICKS if wide / t <= 6), 7200)
    every = range(math.ceil(heard.start / step), math.floor(heard.end / step) + 1)
    return (i * step for i in every if i * step < heard.start + wide * 0.975)


def _chart(measure: drawings.Measures, observation: Observation, text: Texts) -> Chart | None:
    """Values with intervals on one axis; None where no figure of the chart has a value."""
    valued = {i.name: i for i in observation.indicators if i.value is not None}
    shown = [valued[n] for n in measure.names if n in valued]
    if not shown or (measure.taxonomy is not None and not any(i.high for i in shown)):
        return None
    percent = CATALOGUE[measure.names[0]].percent
    most = 1.0 if percent else _round_up(max(i.high or i.value or 0.0 for i in shown))
    bars, words = [], []
    for item in shown:
        value = item.value or 0.0
        name = drawings.row_name(measure, item.name, text)
        place = measure.names.index(item.name)
        colour = measure.colours[place] if len(measure.colours) > 1 else "teacher"
        said = figures.formatted(item.name, value, text)
        span = figures.interval(item, text)
        low = value if item.low is None else item.low
        high = value if item.high is None else item.high
        bars.append(Bar(name, value / most, low / most, high / most, said, colour))
        words.append(
            text("chart.shares.row", name=name, value=said, interval=span)
            if span
            else text("chart.kinds.row", name=name, n=said)
        )
    steps = [0, 0.25, 0.5, 0.75, 1] if percent else [0, 0.5, 1]
    axis = tuple((s, f"{100 * s:.0f}%" if percent else f"{s * most:g}") for s in steps)
    said_all = text("list.semicolon").join(words) + text("list.stop")
    return Chart(measure.id, text(f"chart.{measure.id}"), said_all, tuple(bars), axis)


def _round_up(most: float) -> float:
    """The next even number of one digit times a power of ten: 2, 4, 6, 8, 10, 20, 40 …"""
    if most <= 2:
        return 2.0
    power = 10 ** math.floor(math.log10(most))
    return float(next(n * power for n in (1, 2, 4, 6, 8, 10) if n * power >= most))


def _curve(observation: Observation, length: Seconds, text: Texts) -> Plane | None:
    interval = drawings.st_interval(observation)
    points = curve(observation.timeline, length, interval) if observation.timeline else ()
    if len(points) < 2:
        return None
    last = points[-1]
    end = max(last.teacher_minutes, last.student_minutes, interval / 60)
    return Plane(
        text("chart.curve"),
        drawings.curve_words(points, interval, text),
        tuple(
            (round(p.teacher_minutes / end, 5), round(p.student_minutes / end, 5)) for p in points
        ),
        f"{end:.0f}",
    )


def _triangle(observation: Observation, text: Texts) -> Plane | None:
    by_name = {i.name: i for i in observation.indicators}
    rt, ch = by_name.get("st_rt"), by_name.get("st_ch")
    if rt is None or ch is None or rt.value is None or ch.value is None:
        return None
    low = (rt.value if rt.low is None else rt.low, ch.value if ch.low is None else ch.low)
    high = (rt.value if rt.high is None else rt.high, ch.value if ch.high is None else ch.high)
    return Plane(
        text("chart.triangle"),
        drawings.triangle_words(rt, ch, text),
        ((rt.value, ch.value), low, high),
    )


def _versions(observation: Observation, text: Texts) -> tuple[tuple[str, str], ...]:
    made = observation.provenance
    rows = [("observer", f"{made.observer} · {observation.schema}")]
    rows += [
        (text.known(f"engine.{e.kind}", e.kind), f"{e.name} {e.version} {e.reason}".strip())
        for e in made.engines
    ]
    source, _, more = observation.transcript.source.partition(":")
    rows.append(
        (
            text("versions.source"),
            " · ".join(filter(None, (text.known(f"source.{source}", source), more))),
        )
    )
    rows += [
        (f"SHA-256 · {text.known(f'input.{role}', role)}", digest)
        for role, digest in sorted(made.inputs.items())
    ]
    rows += [
        (
            f"{text('versions.setting')} · {text.known(f'setting.{key}', key)}",
            "–" if value is None else str(value),
        )
        for key, value in sorted(made.settings.items())
    ]
    return (*rows, (text("versions.seed"), str(made.seed)))
