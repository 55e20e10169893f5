"""What the page shows, section by section, as plain values for the templates."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from api.render import drawings, figures, timeline
from api.render.drawings import Drawing
from api.render.evidence import Evidence, Proof
from api.render.texts import Texts, clock
from observer.claims import LONG_WAIT
from observer.discourse import Exchange, Wait
from observer.observation import Observation
from observer.report import Claim, claims
from observer.structure.waits import EXCLUSIONS
from observer.taxonomies import QUESTION_DEMAND, QUESTION_FORM, TAXONOMIES
from observer.timeline import Role, Seconds

UNSURE = 0.6
"""Labels less probable than this are marked as unsure."""


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
class WaitRow:
    """One wait of the list."""

    proof: Proof
    seconds: str
    long: bool
    words: str
    ended_by: str
    excluded: str


@dataclass(frozen=True, slots=True)
class WaitList:
    """All waits of one kind with their summary."""

    kind: int
    summary: str
    rows: tuple[WaitRow, ...]


@dataclass(frozen=True, slots=True)
class QuestionRow:
    """One question with its labels."""

    proof: Proof
    text: str
    tags: tuple[str, ...]
    unsure: bool


@dataclass(frozen=True, slots=True)
class QuestionGroup:
    """Questions of one kind."""

    name: str
    definition: str
    rows: tuple[QuestionRow, ...]


@dataclass(frozen=True, slots=True)
class ExchangeRow:
    """One exchange as a chain of sentences."""

    proof: Proof
    kind: str
    rounds: int
    lines: tuple[tuple[str, str, Proof], ...]
    """(role key, text, proof) of each sentence."""


@dataclass(frozen=True, slots=True)
class Line:
    """One sentence of the transcript."""

    id: str
    start: Seconds | None
    end: Seconds | None
    when: str
    role: str
    text: str
    tag: str
    new_turn: bool


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
    waits: tuple[WaitList, ...]
    questions: tuple[QuestionGroup, ...]
    exchanges: tuple[ExchangeRow, ...]
    exchange_words: str
    lines: tuple[Line, ...]
    indicators: tuple[figures.Row, ...]

    def drawing(self, name: str) -> Drawing | None:
        """The drawing of that name, or None when there was nothing to draw."""
        return next((d for d in self.drawings if d.id == name), None)


def page(observation: Observation, text: Texts) -> Page:
    """The page of an observation in the language of `text`."""
    evidence = Evidence(observation, text)
    duration = lesson_length(observation)
    marks = question_marks(observation)
    spans, waits = observation.timeline, observation.waits
    told = observation.claims
    if observation.language != text.language:
        told = claims(observation, text.language)
    return Page(
        title=_title(observation, text),
        dateline=_dateline(observation, duration, text),
        duration=duration,
        claims=tuple(_claim(c, evidence, text) for c in told),
        key_figures=_key_figures(observation, text),
        roles=timeline.lanes(spans),
        score=timeline.score(spans, duration, marks, waits, text) if spans else None,
        strip=timeline.strip(spans, duration) if spans else None,
        score_words=drawings.score_words(observation, duration, text),
        minutes=tuple(timeline.minutes(spans, duration, marks, waits)) if spans else (),
        drawings=drawings.all_drawings(observation, duration, text),
        waits=tuple(_wait_list(waits, kind, evidence, text) for kind in (1, 2)),
        questions=_questions(observation, evidence, text),
        exchanges=tuple(_exchange(x, evidence, text) for x in observation.exchanges),
        exchange_words=_exchange_words(observation.exchanges, text),
        lines=_lines(observation, text),
        indicators=tuple(figures.rows(observation, evidence, text)),
    )


def lesson_length(observation: Observation) -> Seconds:
    """Length of the recording, or of what is timed when there is none; 0 without times."""
    if observation.recording is not None:
        return observation.recording.duration
    ends = [s.end for s in observation.timeline]
    ends += [u.end for u in observation.transcript if u.end is not None]
    return max(ends, default=0.0)


def question_marks(observation: Observation) -> list[timeline.Mark]:
    """Every question that has a time: real, tag and self-answered alike."""
    form = observation.discourse.codes("question_form")
    demand = observation.discourse.codes("question_demand")
    return [
        timeline.Mark(
            u.id, u.start, u.end, u.text, demand.get(u.id) in ("reason", "create", "judge")
        )
        for u in observation.transcript
        if form.get(u.id, "none") != "none" and u.start is not None and u.end is not None
    ]


def _title(observation: Observation, text: Texts) -> str:
    if observation.recording is None:
        return text("title.transcript")
    stem, dot, _ = observation.recording.name.rpartition(".")
    return stem if dot and stem else observation.recording.name


def _dateline(observation: Observation, duration: Seconds, text: Texts) -> tuple[str, ...]:
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


def _claim(claim: Claim, evidence: Evidence, text: Texts) -> ClaimView:
    statement, question = split_question(claim.text)
    proofs = tuple(evidence(e) for e in claim.evidence if e in evidence)
    return ClaimView(claim.id, statement, question, proofs, figures.named(claim.indicator, text)[0])


def split_question(sentences: str) -> tuple[str, str]:
    """(what is stated, the question at the end or ""), so that the two can be set apart."""
    end = max(sentences.rfind("。") + 1, sentences.rfind(". ") + 1)
    if end == 0 or not sentences.endswith(("?", "？")):
        return sentences, ""
    return sentences[:end], sentences[end:].strip()


def _key_figures(observation: Observation, text: Texts) -> tuple[KeyFigure, ...]:
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


def _wait_list(waits: Sequence[Wait], kind: int, evidence: Evidence, text: Texts) -> WaitList:
    mine = [w for w in waits if w.kind == kind]
    counted = sorted(w.duration for w in mine if w.excluded is None)
    if counted:
        middle = len(counted) // 2
        median = (counted[middle] + counted[~middle]) / 2
        share = sum(d >= LONG_WAIT for d in counted) / len(counted)
        summary = text(
            "waits.summary",
            n=len(counted),
            median=text("seconds", value=f"{median:.1f}"),
            share=text.percent(share),
        ) + text("waits.summary.out", out=len(mine) - len(counted))
    else:
        summary = text("waits.nothing", out=len(mine))
    return WaitList(kind, summary, tuple(_wait_row(w, evidence, text) for w in mine))


def _wait_row(wait: Wait, evidence: Evidence, text: Texts) -> WaitRow:
    reason = EXCLUSIONS.get(wait.excluded or "")
    return WaitRow(
        evidence(wait.id),
        f"{wait.duration:.1f}",
        wait.duration >= LONG_WAIT,
        evidence.said_before(wait),
        text.known(f"role.{wait.ended_by}", wait.ended_by),
        text.pick(zh=reason.zh, en=reason.en) if reason else wait.excluded or "",
    )


def _questions(
    observation: Observation, evidence: Evidence, text: Texts
) -> tuple[QuestionGroup, ...]:
    """Real questions by demand, then those without a demand, tags and self-answered ones."""
    form = observation.discourse.codes("question_form")
    demand = observation.discourse.codes("question_demand")
    groups = []
    for code in QUESTION_DEMAND.codes:
        ids = [u for u, c in demand.items() if c == code.code and form.get(u, "real") == "real"]
        definition = text.pick(zh=code.definition_zh, en=code.definition_en)
        name = text.pick(zh=code.zh, en=code.en)
        groups.append((name, definition, ids))
    bare = [u for u, c in form.items() if c == "real" and u not in demand]
    groups.append((text("questions.undecided"), text("questions.undecided.why"), bare))
    for key in ("tag", "self"):
        code = QUESTION_FORM[key]
        ids = [u for u, c in form.items() if c == key]
        definition = text.pick(zh=code.definition_zh, en=code.definition_en)
        groups.append((text.pick(zh=code.zh, en=code.en), definition, ids))
    return tuple(
        QuestionGroup(name, definition, tuple(_question(u, evidence, text) for u in ids))
        for name, definition, ids in groups
        if ids
    )


def _question(name: str, evidence: Evidence, text: Texts) -> QuestionRow:
    labels = evidence.labels.get(name, {})
    shown = [labels[t] for t in ("sihe", "openness") if t in labels]
    codes = [TAXONOMIES[x.taxonomy][x.code] for x in shown]
    deciding = [labels[t].probability for t in ("question_form", "question_demand") if t in labels]
    return QuestionRow(
        evidence(name),
        evidence.utterances[name].text,
        tuple(text.pick(zh=c.zh, en=c.en) for c in codes),
        min(deciding, default=1.0) < UNSURE,
    )


def _exchange(exchange: Exchange, evidence: Evidence, text: Texts) -> ExchangeRow:
    lines = []
    for name in exchange.utterances:
        utterance = evidence.utterances.get(name)
        if utterance is not None:
            role = utterance.role.value if utterance.role else "unknown"
            lines.append((role, utterance.text, evidence(name)))
    kind = text.known(f"exchange.{exchange.kind}", exchange.kind)
    return ExchangeRow(evidence(exchange.id), kind, exchange.rounds, tuple(lines))


def _exchange_words(exchanges: Sequence[Exchange], text: Texts) -> str:
    if not exchanges:
        return text("exchanges.nothing")
    kinds = sorted({x.kind for x in exchanges})
    parts = [
        text(
            "exchanges.count",
            kind=text.known(f"exchange.{kind}", kind),
            n=sum(x.kind == kind for x in exchanges),
        )
        for kind in kinds
    ]
    return text("exchanges.words", n=len(exchanges), kinds=text.list(parts))


def _lines(observation: Observation, text: Texts) -> tuple[Line, ...]:
    form = observation.discourse.codes("question_form")
    names = {c.code: text.pick(zh=c.zh, en=c.en) for c in QUESTION_FORM.codes}
    lines: list[Line] = []
    for u in observation.transcript:
        role = u.role.value if u.role else "unknown"
        lines.append(
            Line(
                u.id,
                u.start if u.span else None,
                u.end if u.span else None,
                clock(u.start) if u.span and u.start is not None else "",
                role,
                u.text,
                names[form[u.id]] if form.get(u.id, "none") != "none" else "",
                not lines or lines[-1].role != role,
            )
        )
    return tuple(lines)
