"""The lists of the page: waits, questions by kind, exchanges, and the lines of the transcript."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from api.render.evidence import Evidence, Proof
from api.render.texts import Texts, clock
from observer.discourse import Exchange, Wait
from observer.facts import LONG_WAIT
from observer.observation import Observation
from observer.structure.waits import EXCLUSIONS
from observer.taxonomies import (
    QUESTION_DEMAND,
    QUESTION_FORM,
    STUDENT_MOVE,
    TAXONOMIES,
    TEACHER_MOVE,
)
from observer.timeline import Role, Seconds

GROUP_SHOWN = 2
"""Sentences of group talk that stand in an exchange."""
UNSURE = 0.6
"""Labels less probable than this are marked as unsure."""


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


def wait_list(waits: Sequence[Wait], kind: int, evidence: Evidence, text: Texts) -> WaitList:
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


def questions(
    observation: Observation, evidence: Evidence, text: Texts
) -> tuple[QuestionGroup, ...]:
    """The teacher's real questions by demand, then those without one, tags, self-answered ones;
    at last what students asked."""
    roles = {u.id: u.role for u in observation.transcript}
    every = observation.discourse.codes("question_form")
    form = {u: c for u, c in every.items() if roles.get(u) in (Role.TEACHER, None)}
    demand = observation.discourse.codes("question_demand")
    demand = {u: c for u, c in demand.items() if roles.get(u) in (Role.TEACHER, None)}
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
    theirs = [u for u, c in every.items() if c == "real" and u not in form]
    groups.append((text("questions.students"), text("questions.students.why"), theirs))
    return tuple(
        QuestionGroup(name, definition, tuple(_question(u, evidence, text) for u in ids))
        for name, definition, ids in groups
        if ids
    )


def _question(name: str, evidence: Evidence, text: Texts) -> QuestionRow:
    labels = evidence.labels.get(name, {})
    shown = [labels[t] for t in ("sihe", "openness") if t in labels and not labels[t].unclear]
    codes = [TAXONOMIES[x.taxonomy][x.code] for x in shown]
    deciding = [labels[t].probability for t in ("question_form", "question_demand") if t in labels]
    return QuestionRow(
        evidence(name),
        evidence.utterances[name].text,
        tuple(text.pick(zh=c.zh, en=c.en) for c in codes),
        min(deciding, default=1.0) < UNSURE,
    )


def exchange(found: Exchange, evidence: Evidence, text: Texts) -> ExchangeRow:
    lines: list[tuple[str, str, Proof]] = []
    for name in found.utterances:
        utterance = evidence.utterances.get(name)
        if utterance is not None:
            role = utterance.role.value if utterance.role else "unknown"
            lines.append((role, utterance.text, evidence(name)))
    kind = text.known(f"exchange.{found.kind}", found.kind)
    return ExchangeRow(evidence(found.id), kind, found.rounds, tuple(_shortened(lines, text)))


def _shortened(
    lines: Sequence[tuple[str, str, Proof]], text: Texts
) -> Iterator[tuple[str, str, Proof]]:
    """The lines, with long group talk cut to its first sentences: the chain is what is shown."""
    for role, run in groupby(lines, key=lambda line: line[0]):
        said = list(run)
        shown = GROUP_SHOWN if role == Role.GROUP and len(said) > GROUP_SHOWN + 1 else len(said)
        yield from said[:shown]
        if shown < len(said):
            yield role, text("exchanges.more", n=len(said) - shown), said[shown][2]


def exchange_words(exchanges: Sequence[Exchange], text: Texts) -> str:
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


def lines(observation: Observation, text: Texts) -> tuple[Line, ...]:
    tags = _tags(observation, text)
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
                " · ".join(tags.get(u.id, [])),
                not lines or lines[-1].role != role,
            )
        )
    return tuple(lines)


def _tags(observation: Observation, text: Texts) -> dict[str, list[str]]:
    """Utterance → what it was read as: the form of a question, a talk move."""
    tags: dict[str, list[str]] = {}
    for taxonomy in (QUESTION_FORM, TEACHER_MOVE, STUDENT_MOVE):
        for name, code in observation.discourse.codes(taxonomy.name).items():
            if code != "none":
                item = taxonomy[code]
                tags.setdefault(name, []).append(text.pick(zh=item.zh, en=item.en))
    return tags
