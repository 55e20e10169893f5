"""Claims about talk moves, feedback, answers, instructional acts and FIAS.

They tell numbers with their intervals and either point at what is there to be played, or ask
about what was not found; never the second where the first is true (`Facts.shows`). What is not
validated in the language of the lesson says so in its own sentence.
"""

from collections.abc import Sequence
from typing import Final

from observer.facts import Facts, ends
from observer.indicators import Indicator
from observer.report import Claim
from observer.taxonomies import INSTRUCTION, STUDENT_MOVE, TEACHER_MOVE, Taxonomy

ENOUGH_REPLIES: Final = 8
"""Fewer students' turns than this carry no question about what follows them."""
MOST_KINDS: Final = 3
"""So many of the commonest moves or acts are named."""


def teacher_moves(facts: Facts) -> Claim | None:
    """How the teacher takes up what students say, with an invitation to play or to think."""
    found = _commonest(facts, TEACHER_MOVE)
    if not found:
        return None
    named = facts.say("moves_teacher", moves=_listed(facts, found, TEACHER_MOVE))
    transferred = any("transferred" in figure.method for figure, _ in found)
    caution = facts.say("moves_transferred") if transferred else ""
    ask, proof = _moves_ask(facts)
    evidence = [*proof, *(e for figure, _ in found for e in figure.evidence[:2])]
    return facts.claim(found[0][0].name, facts.join(named, caution, ask), evidence)


def _moves_ask(facts: Facts) -> tuple[str, Sequence[str]]:
    """A question about what was found, or about what was looked for and not found at all."""
    reasons = facts.figures.get("teacher_move_press_reasoning")
    if reasons is not None and reasons.evidence:
        return facts.say("moves_play_reasons"), reasons.evidence[:2]
    revoiced = facts.figures.get("teacher_move_revoice")
    if revoiced is not None and revoiced.evidence:
        return facts.say("moves_play_revoice"), revoiced.evidence[:2]
    if not _enough(facts) or not facts.reads(TEACHER_MOVE.name):
        return "", ()
    for practice in ("why", "revoice", "relate"):
        if not facts.shows(practice):
            return facts.say(f"moves_ask_{practice}"), ()
    return "", ()


def _enough(facts: Facts) -> bool:
    """Whether students said enough for a question about what follows their words."""
    replies = facts.figures.get("feedback_none_share")
    return replies is not None and replies.n >= ENOUGH_REPLIES


def student_moves(facts: Facts) -> Claim | None:
    """What students do with their words, as far as it was read."""
    return _counted(facts, STUDENT_MOVE, "moves_student", "moves")


def instruction(facts: Facts) -> Claim | None:
    """The commonest instructional acts."""
    return _counted(facts, INSTRUCTION, "instruction", "acts")


def _counted(facts: Facts, taxonomy: Taxonomy, key: str, gap: str) -> Claim | None:
    """The commonest codes of a taxonomy, in the sentence `key`, whose gap `gap` lists them."""
    found = _commonest(facts, taxonomy)
    if not found:
        return None
    text = facts.say(key, **{gap: _listed(facts, found, taxonomy)})
    evidence = [e for figure, _ in found for e in figure.evidence[:2]]
    return facts.claim(found[0][0].name, text, evidence)


def _commonest(facts: Facts, taxonomy: Taxonomy) -> list[tuple[Indicator, str]]:
    """(figure, code) of the commonest codes of which there is something to play."""
    figures = [
        (facts.figures.get(f"{taxonomy.name}_{c}"), c) for c in taxonomy.names if c != "none"
    ]
    found = [(f, c) for f, c in figures if f is not None and f.evidence and ends(f)[1] >= 1]
    found.sort(key=lambda pair: -(pair[0].value or 0.0))
    return found[:MOST_KINDS]


def _listed(facts: Facts, found: Sequence[tuple[Indicator, str]], taxonomy: Taxonomy) -> str:
    parts = []
    for figure, code in found:
        item = taxonomy[code]
        name = item.zh if facts.language == "zh" else item.en
        parts.append(facts.say("moves_one", name=name, count=facts.count(figure)))
    return facts.say("semicolon").join(parts)


def feedback(facts: Facts) -> Claim | None:
    """What follows a student's words: affirming alone, or asking on."""
    only = facts.figures.get("feedback_praise_only_share")
    on = facts.figures.get("feedback_follow_up_share")
    if only is None or on is None or only.n < ENOUGH_REPLIES:
        return None
    text = facts.say("feedback", n=only.n, only=facts.share(only), on=facts.share(on))
    ask = ""
    if on.evidence:
        ask = facts.say("feedback_play")
    elif not facts.shows("follow_up"):
        ask = facts.say("feedback_ask")
    shown = [*on.evidence[:3], *only.evidence[:3]]
    repeats = facts.figures.get("feedback_repeat_share")
    evidence = shown or (repeats.evidence if repeats is not None else ())
    return facts.claim(only.name, facts.join(text, ask), evidence)


def answers(facts: Facts) -> Claim | None:
    """Who answers content questions."""
    student = facts.figures.get("answered_by_student")
    nobody = facts.figures.get("answered_by_nobody")
    choral = facts.figures.get("answered_by_choral")
    if student is None or nobody is None or choral is None or student.n < ENOUGH_REPLIES:
        return None
    text = facts.say(
        "answers",
        n=student.n,
        student=facts.share(student),
        choral=facts.share(choral),
        nobody=facts.share(nobody),
    )
    ask = facts.say("answers_play") if nobody.evidence else ""
    shown = [*nobody.evidence[:3], *student.evidence[:2], *choral.evidence[:1]]
    return facts.claim(student.name, facts.join(text, ask), shown)


def interaction(facts: Facts) -> Claim | None:
    """Two FIAS indices in words; norms stay out of it."""
    talk, started = facts.figures.get("fias_tt"), facts.figures.get("fias_pir")
    if talk is None:
        return None
    text = facts.say("fias", talk=facts.share(talk))
    if started is not None:
        text = facts.join(text, facts.say("fias_pir", started=facts.share(started)))
    shown = started.evidence[:3] if started is not None else ()
    return facts.claim(talk.name, text, [*shown, *talk.evidence])
