"""What follows the teacher's questions: who answers, and how long the answers are.

After Wang Lu's evidence-based observation set, as far as sound tells: one student's voice, the
class in unison, nobody, or the teacher. Whether somebody was called by name or had raised a hand
is not heard, and single students are not told apart.
"""

from collections.abc import Sequence
from statistics import median

from observer.indicators import Indicator, Missing
from observer.indicators.basis import NO_LABELS, Basis, absent, figure
from observer.indicators.reading import weighted_share
from observer.indicators.words import text_units
from observer.reliability import median_interval
from observer.structure.exchanges import PATIENCE
from observer.taxonomies import OPENNESS, QUESTION_DEMAND, QUESTION_FORM, SIHE
from observer.timeline import Role
from observer.transcript import Utterance

RULES = "answers/1"
BY = ("student", "choral", "nobody", "teacher")
KINDS = (
    *((QUESTION_DEMAND.name, c.code) for c in QUESTION_DEMAND.codes if c.code != "manage"),
    *((SIHE.name, c.code) for c in SIHE.codes),
    *((OPENNESS.name, c.code) for c in OPENNESS.codes),
)
_NO_QUESTIONS = Missing("No such question was found.", "没有找到这样的提问。")
_NO_ANSWERS = Missing("No such question was answered aloud.", "这样的提问没有听到口头应答。")
_UNREAD = Missing("This side of the questions was not read.", "这一方面还没有判读。")


def indicators(basis: Basis) -> list[Indicator]:
    """Who answers content questions, as shares; then the median answer after each kind."""
    why = basis.no_talk()
    if why is None and not basis.labels(QUESTION_FORM.name):
        why = NO_LABELS
    asked = [] if why else _content_questions(basis)
    followed = {u.id: _followed(basis, i, form) for i, u, form, _ in asked}
    found = [_answered_by(by, asked, followed, why) for by in BY]
    return found + [_length(basis, taxonomy, code, asked, why) for taxonomy, code in KINDS]


_Asked = tuple[int, Utterance, str, float]
"""Place among the spoken utterances, the question, its form, the chance that it is one."""


def _content_questions(basis: Basis) -> list[_Asked]:
    """The teacher's clear real questions that do not manage, and the self-answered ones."""
    forms, demands = basis.labels(QUESTION_FORM.name), basis.labels(QUESTION_DEMAND.name)
    found = []
    for i, utterance in enumerate(basis.spoken):
        form, demand = forms.get(utterance.id), demands.get(utterance.id)
        if utterance.role is not Role.TEACHER or form is None or form.unclear:
            continue
        manages = demand is not None and demand.code == "manage"
        if form.code == "self" or (form.code == "real" and not manages):
            found.append((i, utterance, form.code, form.probability))
    return found


def _followed(basis: Basis, place: int, form: str) -> str:
    """Who answers the question at `place`: an item of `BY`."""
    if form == "self":
        return "teacher"
    forms, demands = basis.labels(QUESTION_FORM.name), basis.labels(QUESTION_DEMAND.name)
    told = 0
    for utterance in basis.spoken[place + 1 :]:
        if utterance.role in (Role.STUDENT, Role.CHORAL):
            return "student" if utterance.role is Role.STUDENT else "choral"
        if utterance.role is not Role.TEACHER:
            continue  # a group that talks it over, or a playback
        asks = utterance.id in forms and forms[utterance.id].code == "real"
        manages = utterance.id in demands and demands[utterance.id].code == "manage"
        told += 1
        if (asks and not manages) or told > PATIENCE:
            return "nobody"
    return "nobody"


def _answered_by(
    by: str, asked: Sequence[_Asked], followed: dict[str, str], why: Missing | None
) -> Indicator:
    name = f"answered_by_{by}"
    method = f"n({by}) / n(real, not managing, + self); ci95=Wilson, weighted; {RULES}"
    if why is not None or not asked:
        return absent(name, "share", method, why or _NO_QUESTIONS)
    cases = [(followed[u.id] == by, p) for _, u, _, p in asked]
    ids = [u.id for _, u, _, _ in asked if followed[u.id] == by]
    return weighted_share(name, cases, method, ids)


def _length(
    basis: Basis, taxonomy: str, code: str, asked: Sequence[_Asked], why: Missing | None
) -> Indicator:
    name, unit = f"answer_length_{code}", "characters or words"
    method = f"median(w | {taxonomy} = {code}); {RULES}"
    labels = basis.labels(taxonomy)
    if why is None and not labels:
        why = _UNREAD
    answers = []
    for i, utterance, form, _ in asked:
        label = labels.get(utterance.id)
        if form == "real" and label is not None and label.code == code and not label.unclear:
            said = _answer(basis, i)
            if said:
                answers.append((sum(text_units(u.text) for u in said), said[0].id))
    if why is not None or not answers:
        return absent(name, unit, method, why or _NO_ANSWERS)
    low, high, coverage = median_interval([units for units, _ in answers])
    method += f"; ci{100 * coverage:.1f}=order statistics"
    return figure(
        name,
        unit,
        median(units for units, _ in answers),
        len(answers),
        method,
        interval=(low, high),
        evidence=[first for _, first in answers],
    )


def _answer(basis: Basis, place: int) -> list[Utterance]:
    """What students say to the question, until the teacher speaks again; empty for nobody."""
    found: list[Utterance] = []
    if _followed(basis, place, "real") not in ("student", "choral"):
        return found
    for utterance in basis.spoken[place + 1 :]:
        if utterance.role in (Role.STUDENT, Role.CHORAL):
            found.append(utterance)
        elif found and utterance.role is Role.TEACHER:
            break
    return found
