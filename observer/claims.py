"""When a sentence may be said of a lesson, and what proves it.

One rule a sentence: each looks at its indicator, says nothing where there is no value or too
little to go on, and names the evidence to be played. The wording is :mod:`observer.phrases`.
"""

from collections.abc import Callable, Sequence
from typing import Final

from observer.discourse import Wait
from observer.errors import Language
from observer.facts import LONG_WAIT, Facts, ends
from observer.observation import Observation
from observer.report import Claim
from observer.talk_claims import (
    answers,
    feedback,
    instruction,
    interaction,
    student_moves,
    teacher_moves,
)
from observer.taxonomies import QUESTION_DEMAND
from observer.timeline import Role

ENOUGH_WAITS: Final = 5
"""Fewer measured waits than this carry no sentence about their median."""
ENOUGH_QUESTIONS: Final = 8
"""Fewer questions than this carry no invitation about their kinds."""
ST_TYPES: Final = ("practice", "lecture", "dialogue", "mixed")


def tell(observation: Observation, language: Language) -> tuple[Claim, ...]:
    """What may be said, the weightiest first; see :func:`observer.report.claims`."""
    facts = Facts(observation, language)
    return tuple(claim for rule in _RULES if (claim := rule(facts)) is not None)


# -- when a sentence may be said ---------------------------------------------------------


def _talk(facts: Facts) -> Claim | None:
    figure = facts.figures.get("teacher_share_of_speech")
    if figure is None:
        return None
    text = facts.join(facts.say("talk", range=facts.share(figure)), facts.say("talk_ask"))
    heard = [*facts.longest(Role.TEACHER), *facts.longest(Role.STUDENT)]
    return facts.claim(figure.name, text, heard or figure.evidence)


def _student(facts: Facts) -> Claim | None:
    figure = facts.figures.get("student_share_of_lesson")
    if figure is None:
        return None
    text = facts.say("student", range=facts.share(figure))
    return facts.claim(figure.name, text, facts.longest(Role.STUDENT, at_most=3))


def _questions(facts: Facts) -> Claim | None:
    figure = facts.figures.get("questions_total")
    if figure is None:
        return None
    count = facts.count(figure)
    kinds, thinking, real = _kinds(facts)
    tail = facts.say("questions_kinds", kinds=kinds) if kinds else facts.say("questions_plain")
    ask = ""
    if len(real) >= ENOUGH_QUESTIONS:
        few = len(thinking) < 0.3 * len(real)
        if few and not facts.shows("why"):
            ask = "questions_ask_few"
        elif thinking:
            ask = "questions_ask_many"
    shown = real if ask == "questions_ask_few" else [*thinking, *real]
    text = facts.say("questions", count=count) + tail
    return facts.claim(
        figure.name, facts.join(text, facts.say(ask) if ask else ""), [*shown, *figure.evidence]
    )


def _kinds(facts: Facts) -> tuple[str, list[str], list[str]]:
    """(the kinds in words, ids of questions that ask for thinking, ids of recall and thinking)."""
    form = facts.observation.discourse.codes("question_form")
    demand = facts.observation.discourse.codes("question_demand")
    roles = {u.id: u.role for u in facts.observation.transcript}
    real = [
        u for u in demand if form.get(u, "real") == "real" and roles.get(u) in (Role.TEACHER, None)
    ]
    counts = {c.code: sum(demand[u] == c.code for u in real) for c in QUESTION_DEMAND.codes}
    words = [
        facts.say("kind", name=c.zh if facts.language == "zh" else c.en, count=counts[c.code])
        for c in QUESTION_DEMAND.codes
        if counts[c.code]
    ]
    content = [u for u in real if demand[u] != "manage"]
    thinking = [u for u in content if demand[u] != "recall"]
    if not thinking or len(thinking) == len(content):
        return facts.say("comma").join(words), thinking, content
    recall = [u for u in content if demand[u] == "recall"]
    return facts.say("comma").join(words), thinking, [*recall, *thinking]


def _wait(facts: Facts, kind: int) -> Claim | None:
    figure = facts.figures.get(f"wait_time_{kind}_median")
    counted = [w for w in facts.observation.waits if w.kind == kind and w.excluded is None]
    if figure is None or len(counted) < ENOUGH_WAITS:
        return None
    long = sum(w.duration >= LONG_WAIT for w in counted)
    reached = facts.say("wait_some" if long else "wait_none", long=long)
    text = facts.say(f"wait_{kind}", n=len(counted), range=facts.seconds(figure), reached=reached)
    low, high = ends(figure)
    ask = ""
    if high < LONG_WAIT and kind == 1 and not long:
        ask = facts.say("wait_ask_short")
    elif low >= LONG_WAIT or long >= 2:
        ask = facts.say("wait_ask_long")
    shown = _shortest(counted) if high < LONG_WAIT and kind == 1 and not long else _longest(counted)
    return facts.claim(figure.name, facts.join(text, ask), [w.id for w in shown])


def _longest(waits: Sequence[Wait]) -> list[Wait]:
    return sorted(waits, key=lambda w: (-w.duration, w.start))


def _shortest(waits: Sequence[Wait]) -> list[Wait]:
    """The shortest two and the longest two: the range is to be heard, not one end of it."""
    ordered = _longest(waits)
    return [*ordered[-2:], *ordered[:2]]


def _exchanges(facts: Facts) -> Claim | None:
    figure = next(
        (facts.figures[n] for n in ("exchanges_total", "exchanges") if n in facts.figures), None
    )
    found = facts.observation.exchanges
    if figure is None or not found:
        return None
    chained = sorted((x for x in found if x.rounds > 1), key=lambda x: -x.rounds)
    text = facts.say(
        "exchanges" if chained else "exchanges_plain", n=len(found), chained=len(chained)
    )
    ask = facts.say("exchanges_ask") if chained else ""
    shown = [x.id for x in chained or found]
    return facts.claim(figure.name, facts.join(text, ask), shown)


def _stretches(facts: Facts, name: str, key: str, role: Role) -> Claim | None:
    figure = facts.figures.get(name)
    if figure is None or not figure.value:
        return None
    text = facts.say(key, range=facts.seconds(figure))
    return facts.claim(name, text, facts.longest(role) or figure.evidence)


def _silence(facts: Facts) -> Claim | None:
    figure = facts.figures.get("silence_share")
    if figure is None or not figure.value:
        return None
    text = facts.join(facts.say("silence", range=facts.share(figure)), facts.say("silence_ask"))
    return facts.claim(figure.name, text, facts.longest(Role.SILENCE, at_most=3))


def _st(facts: Facts) -> Claim | None:
    rt, ch = facts.figures.get("st_rt"), facts.figures.get("st_ch")
    interval = facts.observation.provenance.settings.get("st_interval_seconds", 15.0)
    if rt is None or ch is None or not isinstance(interval, int | float):
        return None
    pairs = {
        key: facts.say("pair", low=f"{low:.2f}", high=f"{high:.2f}")
        for key, (low, high) in {"rt": ends(rt), "ch": ends(ch)}.items()
    }
    text = facts.join(facts.say("st", interval=f"{interval:g}", **pairs), _types(facts))
    return facts.claim(rt.name, text, [*facts.longest(Role.TEACHER), *facts.longest(Role.STUDENT)])


def _types(facts: Facts) -> str:
    """The S-T types that are at all likely, each with its probability; never one without."""
    found = [(facts.figures.get(f"st_type_{t}"), t) for t in ST_TYPES]
    likely = sorted(((f.value or 0.0, t) for f, t in found if f is not None), reverse=True)
    parts = [
        facts.say("st_type_one", name=facts.say(f"st_{t}"), share=f"{100 * share:.0f}%")
        for share, t in likely
        if share >= 0.1
    ]
    return facts.say("st_type", types=facts.say("comma").join(parts)) if parts else ""


def _pace(facts: Facts) -> Claim | None:
    figure = facts.figures.get("pace_characters_per_minute")
    if figure is None or facts.observation.transcript.language != "zh":
        return None
    low, high = (f"{x:.0f}" for x in ends(figure))
    text = facts.say("pace", low=low, high=high)
    return facts.claim(figure.name, text, facts.longest(Role.TEACHER) or figure.evidence)


_RULES: Final[tuple[Callable[[Facts], Claim | None], ...]] = (
    _talk,
    _questions,
    lambda facts: _wait(facts, 1),
    _exchanges,
    teacher_moves,
    feedback,
    answers,
    _student,
    student_moves,
    lambda facts: _wait(facts, 2),
    lambda facts: _stretches(facts, "group_time", "group", Role.GROUP),
    lambda facts: _stretches(facts, "choral_time", "choral", Role.CHORAL),
    _silence,
    _st,
    instruction,
    interaction,
    _pace,
)
