"""Questions that the teacher answers in the next sentence.

A turn is cut into sentences, so 设问 (“什么叫内角？就是里面的角。”) comes as two utterances and the
question alone looks real. What answers it is read from the next utterance: words that open an
answer, the question's own words said as a statement, or a pair that the rules for one sentence
already know. Anything that keeps the question open (a call, a direction, praise for a reply that
was not written down, a pause in which a student could think) leaves it real.
"""

import re
from collections.abc import Sequence

from models.rules import RuleSet, load_rules
from models.rules.reading import Reading, Sentence, first_reading
from observer.timeline import Role
from observer.transcript import Utterance

WAIT = 1.5
"""Seconds. A longer pause was left for students: Rowe (1974, J. Res. Sci. Teach. 11:81) measured
about one second between a question and the next words in ordinary teaching."""

_WORD = re.compile(r"[\u3400-\u9fff]|[a-z0-9']+")
_HEARD = (Role.STUDENT, Role.CHORAL, Role.GROUP)
_ECHO = ("mark.other", "mark.inside")
"""Words with nothing but a mark: what restates them repeats them."""

Line = tuple[Utterance, Sentence | None]


def self_answered(lines: Sequence[Line]) -> dict[int, Reading]:
    """Position of every real question that the teacher answers → its reading as `self`.

    Read from the end, so that a question asked twice and then answered is `self` twice.
    """
    found: dict[int, Reading] = {}
    for i in range(len(lines) - 2, -1, -1):
        asked, said = lines[i][1], lines[i + 1][1]
        if asked is None or said is None or not _goes_on(lines[i], lines[i + 1]):
            continue
        rules = load_rules(asked.language)
        if not _can_be_answered(asked, rules):
            continue
        ended = said.readings["question_form"].code == "self" or i + 1 in found
        if ended and _rephrased(asked, said, rules):
            decided = True
        else:
            left_open = _left_open(asked, lines[i + 2 : i + 3], rules)
            decided = _answers(asked, said, left_open, rules)
        if decided:
            form = asked.readings["question_form"]
            probability = rules.answer.probability
            found[i] = Reading("self", "context.answered", probability, form.start, form.end)
    return found


def _goes_on(question: Line, follower: Line) -> bool:
    """Whether the same teacher speaks on in the same language without a pause worth a wait."""
    (asked, read), (said, heard) = question, follower
    if asked.role is not Role.TEACHER or said.role is not Role.TEACHER:
        return False
    if None not in (asked.speaker, said.speaker) and asked.speaker != said.speaker:
        return False
    if read is None or heard is None or read.language != heard.language:
        return False
    return asked.end is None or said.start is None or said.start - asked.end < WAIT


def _can_be_answered(asked: Sentence, rules: RuleSet) -> bool:
    """Whether a teacher could answer it: no call, no demand to speak, no question for a view."""
    form = asked.readings["question_form"]
    if form.code != "real" or form.rule.startswith("prompt."):
        return False
    demand = asked.readings.get("question_demand")
    managing = demand is not None and demand.code == "manage"
    return not managing and not rules.answer.views.search(asked.text)


def _left_open(asked: Sentence, after: Sequence[Line], rules: RuleSet) -> bool:
    """Whether what comes next shows that the question still stands: a student, a call, or the
    question once more."""
    if not after:
        return False
    utterance, sentence = after[0]
    if utterance.role in _HEARD:
        return True
    if sentence is None or sentence.readings["question_form"].code != "real":
        return False
    demand = sentence.readings.get("question_demand")
    managing = demand is not None and demand.code == "manage"
    return managing or _rephrased(sentence, asked, rules)


def _answers(asked: Sentence, said: Sentence, left_open: bool, rules: RuleSet) -> bool:
    """Whether one sentence answers the other, and no student speaks to the question after it."""
    answer, form = rules.answer, said.readings["question_form"].code
    if form not in ("none", "tag") or answer.calls.search(said.text):
        return False
    if left_open and form == "none":  # a tag at the end is what a student then speaks to
        return False
    if first_reading(rules.tables["feedback"], said.text).code in ("praise", "negate"):
        return False
    if answer.opening.search(said.text) and answer.wh.search(asked.text):
        return True
    if answer.reason.search(said.text):
        kind = asked.readings.get("sihe")
        return kind is not None and kind.code == "why"
    return _joined(asked, said, rules) or _restates(asked, said, rules)


def _joined(asked: Sentence, said: Sentence, rules: RuleSet) -> bool:
    """Whether the rules for one sentence take both together as self-answered."""
    text = asked.text + (" " if rules.language == "en" else "") + said.text
    forms = [r for r in rules.tables["form"] if r.code == "self" or not r.match.pattern]
    reading = first_reading(forms, text)
    return reading.code == "self" and reading.end > len(asked.text) + 1


def _restates(asked: Sentence, said: Sentence, rules: RuleSet) -> bool:
    """Most of the question's words come back, with something new, and nobody is addressed."""
    answer = rules.answer
    tagged = said.readings["question_form"].code == "tag"
    if tagged or asked.readings["question_form"].rule in _ECHO:
        return False
    if answer.address.search(asked.text) or answer.address.search(said.text):
        return False
    question, statement = _content(asked, rules), _content(said, rules)
    return _covers(question, statement, rules) and bool(statement - question)


def _rephrased(asked: Sentence, again: Sentence, rules: RuleSet) -> bool:
    """Whether the second question asks the first once more, in most of its words."""
    return _covers(_content(asked, rules), _content(again, rules), rules)


def _covers(question: set[str], other: set[str], rules: RuleSet) -> bool:
    shared = len(question & other)
    return shared >= max(rules.answer.shortest, rules.answer.least * len(question))


def _content(sentence: Sentence, rules: RuleSet) -> set[str]:
    return set(_WORD.findall(sentence.text)) - rules.answer.ignore
