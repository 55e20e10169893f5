"""What the page shows, section by section, as plain values for the templates."""

from dataclasses import dataclass

from markupsafe import Markup

from api.render import drawings, figures, sections, timeline
from api.render.drawings import Drawing
from api.render.evidence import Evidence, Proof
from api.render.interaction import Interaction, interaction
from api.render.readings import Readings, readings
from api.render.texts import Texts, clock
from observer.observation import Observation
from observer.report import Claim, claims
from observer.timeline import Role, Seconds


@dataclass(frozen=True, slots=True)
class ClaimView:
    """A claim, its question set apart, and what proves it."""

    id: str
    statement: str
    question: str
    proofs: tuple[Proof, ...]
    figure: str


@dataclass(frozen=True, slots=True)
class KeyFigure:
    """A number of the strip under the masthead."""

    label: str
    value: str
    note: str


@dataclass(frozen=True, slots=True)
class Page:
    """Everything a page shows."""

    title: str
    dateline: tuple[str, ...]
    duration: Seconds
    claims: tuple[ClaimView, ...]
    key_figures: tuple[KeyFigure, ...]
    roles: tuple[Role, ...]
    score: Markup | None
    strip: Markup | None
    score_words: str
    minutes: tuple[timeline.Minute, ...]
    drawings: tuple[Drawing, ...]
    waits: tuple[sections.WaitList, ...]
    questions: tuple[sections.QuestionGroup, ...]
    exchanges: tuple[sections.ExchangeRow, ...]
    exchange_words: str
    lines: tuple[sections.Line, ...]
    indicators: tuple[figures.Row, ...]
    readings: Readings
    interaction: Interaction | None

    def drawing(self, name: str) -> Drawing | None:
        """The drawing of that name, or None when there was nothing to draw."""
        return next((d for d in self.drawings if d.id == name), None)

    def valued(self, *prefixes: str) -> list[figures.Row]:
        """The figures that have a value and a name with one of these beginnings."""
        return [r for r in self.indicators if r.missing is None and r.key.startswith(prefixes)]

    @property
    def families(self) -> list[tuple[str, list[figures.Row]]]:
        """The figures in their families, each in the order of the catalogue."""
        found: dict[str, list[figures.Row]] = {}
        for row in self.indicators:
            found.setdefault(row.family, []).append(row)
        return list(found.items())


def page(observation: Observation, text: Texts, drawn: tuple[Drawing, ...] | None = None) -> Page:
    """The page of an observation in the language of `text`, with charts `drawn` before."""
    evidence = Evidence(observation, text)
    duration = lesson_length(observation)
    if drawn is None:
        drawn = drawings.all_drawings(observation, duration, text)
    marks = question_marks(observation)
    spans, waits = observation.timeline, observation.waits
    told = observation.claims
    rows = tuple(figures.rows(observation, evidence, text))
    if observation.language != text.language:
        told = claims(observation, text.language)
    return Page(
        title=title(observation, text),
        dateline=dateline(observation, duration, text),
        duration=duration,
        claims=tuple(claim_view(c, evidence, text) for c in told),
        key_figures=key_figures(observation, text),
        roles=timeline.lanes(spans),
        score=timeline.score(spans, duration, marks, waits, text) if spans else None,
        strip=timeline.strip(spans, duration) if spans else None,
        score_words=drawings.score_words(observation, duration, text),
        minutes=tuple(timeline.minutes(spans, duration, marks, waits)) if spans else (),
        drawings=drawn,
        waits=tuple(sections.wait_list(waits, kind, evidence, text) for kind in (1, 2)),
        questions=sections.questions(observation, evidence, text),
        exchanges=tuple(sections.exchange(x, evidence, text) for x in observation.exchanges),
        exchange_words=sections.exchange_words(observation.exchanges, text),
        lines=sections.lines(observation, text),
        indicators=rows,
        readings=readings(observation, evidence, text),
        interaction=interaction(observation, rows, duration, text),
    )


def lesson_length(observation: Observation) -> Seconds:
    """Length of the recording, or of what is timed when there is none; 0 without times."""
    if observation.recording is not None:
        return observation.recording.duration
    ends = [s.end for s in observation.timeline]
    ends += [u.end for u in observation.transcript if u.end is not None]
    return max(ends, default=0.0)


def question_marks(observation: Observation) -> list[timeline.Mark]:
    """The teacher's questions that have a time: real, tag and self-answered alike."""
    form = observation.discourse.codes("question_form")
    demand = observation.discourse.codes("question_demand")
    return [
        timeline.Mark(
            u.id, u.start, u.end, u.text, demand.get(u.id) in ("reason", "create", "judge")
        )
        for u in observation.transcript
        if form.get(u.id, "none") != "none"
        and u.role in (Role.TEACHER, None)
        and u.start is not None
        and u.end is not None
    ]


def title(observation: Observation, text: Texts) -> str:
    """The recording's name without its suffix; a transcript alone has no name of its own."""
    if observation.recording is None:
        return text("title.transcript")
    stem, dot, _ = observation.recording.name.rpartition(".")
    return stem if dot and stem else observation.recording.name


def dateline(observation: Observation, duration: Seconds, text: Texts) -> tuple[str, ...]:
    """What kind of material it is, how long, in which language, how many sentences."""
    parts = []
    if observation.recording is not None:
        kind = "media.video" if observation.recording.video else "media.audio"
        parts += [text(kind), text("length", length=clock(duration))]
    else:
        parts.append(text("media.none"))
    spoken = observation.transcript.language
    parts.append(text.known(f"language.{spoken}", spoken))
    parts.append(text("sentences", n=len(observation.transcript)))
    return tuple(parts)


def claim_view(claim: Claim, evidence: Evidence, text: Texts) -> ClaimView:
    """A claim with its evidence looked up."""
    statement, question = split_question(claim.text)
    proofs = tuple(evidence(e) for e in claim.evidence if e in evidence)
    return ClaimView(claim.id, statement, question, proofs, figures.named(claim.indicator, text)[0])


def split_question(sentences: str) -> tuple[str, str]:
    """(what is stated, the question at the end or ""), so that the two can be set apart."""
    end = max(sentences.rfind("。") + 1, sentences.rfind(". ") + 1)
    if end == 0 or not sentences.endswith(("?", "？")):
        return sentences, ""
    return sentences[:end], sentences[end:].strip()


def key_figures(observation: Observation, text: Texts) -> tuple[KeyFigure, ...]:
    """The three or four numbers that the report begins with, where they were measured."""
    by_name = {i.name: i for i in observation.indicators}
    found = []
    for name in ("teacher_share_of_speech", "questions_total", "wait_time_1_median", "st_rt"):
        figure = by_name.get(name)
        if figure is None or figure.value is None:
            continue
        span = figures.interval(figure, text)
        note = text("figure.interval", interval=span) if span else text("figure.n", n=figure.n)
        shown = figures.formatted(name, figure.value, text)
        found.append(KeyFigure(text(f"figure.{name}"), shown, note))
    return tuple(found)
