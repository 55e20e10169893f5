"""Talk counted in words: the teacher's share, the length of answers, the teacher's pace.

Mandarin is counted in characters, where a Latin word or a string of digits counts 1; other
languages in words. Both are `text_units`.
"""

import re

import numpy as np

from observer.indicators import Indicator, Missing
from observer.indicators.basis import (
    NO_TIMES,
    STUDENTS,
    Basis,
    absent,
    figure,
    ratio,
    simulated,
)
from observer.reliability import bootstrap_ratio
from observer.role_errors import MOST_DRAWS, draw_flips
from observer.timeline import Role, Seconds, Span, intersection, of_role, total
from observer.transcript import Utterance

RULES = "words/1"
PAUSE: Seconds = 10.0
"""A longer pause between two utterances of the teacher ends the stretch that pace counts."""
BANDS: tuple[tuple[str, int, int | None], ...] = (
    ("student_turns_1_to_5_characters", 1, 5),
    ("student_turns_6_to_15_characters", 6, 15),
    ("student_turns_over_15_characters", 16, None),
)
_CJK = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_UNIT = re.compile(rf"[{_CJK}]|\d+(?:[.,:]\d+)*|[^\W\d_{_CJK}]+(?:['’-][^\W\d_{_CJK}]+)*")

_OTHER_UNIT = {
    "characters": Missing(
        "The lesson is not in Mandarin: see words per minute.", "本课不是普通话：请看每分钟词数。"
    ),
    "words": Missing(
        "Mandarin is counted in characters: see characters per minute.",
        "普通话按字计：请看每分钟字数。",
    ),
}
_NO_TEACHER = Missing("No words of the teacher have times.", "教师的话没有带时间的文字。")
_NO_VOICED = Missing(
    "The speaking time without pauses is not known: this needs a recording or word times.",
    "不知道扣除停顿后的说话时间：需要录音或逐词时间。",
)


def text_units(text: str) -> int:
    """Characters of Chinese script plus Latin words plus digit strings in `text`.

    >>> text_units("三角形ABC的内角和是180度。")
    11
    """
    return len(_UNIT.findall(text))


def indicators(basis: Basis) -> list[Indicator]:
    """The word share, the answer lengths, and pace in the unit of the language."""
    return [_word_share(basis), *_answer_lengths(basis), *_paces(basis)]


def _word_share(basis: Basis) -> Indicator:
    name = "teacher_share_of_words"
    how = f"w_T / (w_T + w_S); ci95=simulated; {RULES}"
    why = basis.no_talk()
    if why is not None:
        return absent(name, "share", how, why)
    said = [u for u in basis.spoken if u.role is Role.TEACHER or u.role in STUDENTS]
    units = np.array([text_units(u.text) for u in said], dtype=float)
    teacher = np.array([u.role is Role.TEACHER for u in said], dtype=bool)
    sure = all(u.role_probability in (None, 1.0) for u in said)
    if sure or not units.sum():
        shares = ratio(units[teacher].sum(keepdims=True), units.sum(keepdims=True))
    else:
        flips = _flips(basis, said, teacher)
        shares = np.where(teacher ^ flips, units, 0.0).sum(axis=1) / units.sum()
    item = simulated(name, "share", shares, len(said), how, _longest(said))
    if sure and item.value is not None:
        return figure(name, "share", item.value, len(said), how, evidence=item.evidence)
    return item


def _flips(
    basis: Basis, said: list[Utterance], teacher: "np.ndarray[tuple[int], np.dtype[np.bool_]]"
) -> "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]":
    """(d+1, n) whether an utterance has the other role; row 0 as found."""
    known = np.array([1.0 if u.role_probability is None else u.role_probability for u in said])
    error = (1 - known) * basis.material.widening
    runs = np.cumsum(np.diff(teacher.astype(int), prepend=int(teacher[0])) != 0).astype(np.intp)
    rng = np.random.default_rng([basis.material.seed, 2])
    drawn = draw_flips(error, np.where(teacher, 1.0, -1.0), runs, rng, MOST_DRAWS)
    return np.vstack([np.zeros((1, len(said)), dtype=bool), drawn])


def _longest(said: list[Utterance], at_most: int = 20) -> list[str]:
    order = sorted(range(len(said)), key=lambda i: (-text_units(said[i].text), i))[:at_most]
    return [said[i].id for i in sorted(order)]


# -- answers -----------------------------------------------------------------------------


def _answer_lengths(basis: Basis) -> list[Indicator]:
    """Single students' turns by characters; a plain count of the turns shown."""
    why = basis.no_talk()
    if why is None and basis.material.discourse.transcript.language != "zh":
        why = _OTHER_UNIT["characters"]
    if why is not None:
        return [absent(name, "count", _band(low, high), why) for name, low, high in BANDS]
    turns = [
        (text_units(t.text), t.utterances[0].id)
        for t in basis.material.discourse.transcript.turns()
        if t.role is Role.STUDENT
    ]
    found = []
    for name, low, high in BANDS:
        ids = [i for units, i in turns if low <= units and (high is None or units <= high)]
        how = _band(low, high)
        found.append(figure(name, "count", len(ids), len(turns), how, evidence=ids))
    return found


def _band(low: int, high: int | None) -> str:
    what = f"w ≥ {low}" if high is None else f"{low} ≤ w ≤ {high}"
    return f"#{{{what}}}; {RULES}"


# -- pace --------------------------------------------------------------------------------


def _paces(basis: Basis) -> list[Indicator]:
    stretches = _stretches(basis)
    mandarin = basis.material.discourse.transcript.language == "zh"
    return [
        _pace(basis, f"{name}_{unit}_per_minute", unit, stretches, wanted=wanted)
        for unit, wanted in (("characters", mandarin), ("words", not mandarin))
        for name in ("pace", "articulation")
    ]


def _stretches(basis: Basis) -> list[list[Utterance]]:
    """The teacher's timed utterances, cut where another speaks or `PAUSE` passes."""
    stretches: list[list[Utterance]] = []
    last: Utterance | None = None
    for utterance in basis.spoken:
        if utterance.role is Role.TEACHER and utterance.span is not None:
            goes_on = (
                last is not None
                and last.role is Role.TEACHER
                and last.span is not None
                and utterance.span.start - last.span.end <= PAUSE
            )
            if goes_on:
                stretches[-1].append(utterance)
            else:
                stretches.append([utterance])
        last = utterance
    return stretches


def _pace(
    basis: Basis, name: str, unit: str, stretches: list[list[Utterance]], *, wanted: bool
) -> Indicator:
    articulation = name.startswith("articulation")
    base = "voiced min" if articulation else "min"
    times = f"{basis.by} (aligned)" if _aligned(stretches) else basis.by
    how = f"w_T / {base}; pause≤{PAUSE:g}s; {times}; ci95=bootstrap; {RULES}"
    per_minute = f"{unit}/min"
    why = basis.no_talk() or (None if wanted else _OTHER_UNIT[unit])
    if why is None and not stretches:
        why = NO_TIMES if not basis.timed else _NO_TEACHER
    if why is not None:
        return absent(name, per_minute, how, why)
    seconds = [_voiced(basis, s) if articulation else _extent(s) for s in stretches]
    if sum(seconds) <= 0:
        return absent(name, per_minute, how, _NO_VOICED if articulation else _NO_TEACHER)
    units = [sum(text_units(u.text) for u in s) for s in stretches]
    minutes = [s / 60 for s in seconds]
    value = sum(units) / sum(minutes)
    low, high = bootstrap_ratio(units, minutes, basis.material.seed)
    evidence = _longest([u for s in stretches for u in s])
    interval = (min(low, value), max(high, value))
    return figure(name, per_minute, value, len(units), how, interval=interval, evidence=evidence)


def _aligned(stretches: list[list[Utterance]]) -> bool:
    return any(u.approximate for s in stretches for u in s)


def _extent(stretch: list[Utterance]) -> Seconds:
    spans = [u.span for u in stretch if u.span is not None]
    return max(s.end for s in spans) - min(s.start for s in spans)


def _voiced(basis: Basis, stretch: list[Utterance]) -> Seconds:
    """Seconds in which the teacher's voice is heard in the stretch, or its words take."""
    if basis.source == "recording":
        spans = [u.span for u in stretch if u.span is not None]
        around = Span(min(s.start for s in spans), max(s.end for s in spans))
        return total(intersection(of_role(basis.timeline, Role.TEACHER), [around]))
    if all(u.words for u in stretch):
        return total(Span(w.start, w.end) for u in stretch for w in u.words)
    return 0.0
