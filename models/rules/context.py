"""What needs the sentences before and after: inherited kinds, self-answers, feedback.

However a sentence was read by itself (by rules or by a trained model), the same layer goes over
the lesson: an elliptical question takes its kinds from the last full one, a question that the
teacher answers in the next sentence is `self`, and a teacher's words after a student's are read
as feedback.
"""

from collections.abc import Sequence
from dataclasses import replace

from models.rules import PRIOR_N, PRIOR_RIGHT, Repeat, load_rules
from models.rules.answers import self_answered
from models.rules.reading import Reading, Readings, Sentence, first_reading
from observer.timeline import Role
from observer.transcript import Utterance

ELLIPSIS_TURNS = 3
ELLIPSIS_UTTERANCES = 10
"""Bound where roles are unknown and everything is one turn."""
FEEDBACK_UTTERANCES = 3
"""How far into a teacher's turn the answer to the student may reach."""

_ANSWERS = (Role.STUDENT, Role.CHORAL)
_RISING = ("mark.other", "mark.inside")
"""A student's words with nothing but a mark: usually an answer in a rising voice."""
_OF_A_QUESTION = "feedback.praise_question"
"""The rule for praise that fits a student's own question too."""


def in_context(
    utterances: Sequence[Utterance], sentences: Sequence[Sentence | None]
) -> list[Readings]:
    """Readings of a whole lesson, one for each utterance; empty where nothing was read.

    `sentences` holds what each utterance says by itself, None where it was not read.
    """
    alone = list(sentences)
    for i, form in self_answered(list(zip(utterances, alone, strict=True))).items():
        if (asked := alone[i]) is not None:
            alone[i] = replace(asked, readings={"question_form": form})
    context = _Context()
    return [context.read(u, s) for u, s in zip(utterances, alone, strict=True)]


class _Context:
    """What has been said so far: the last full question, and the student's turn just over."""

    def __init__(self) -> None:
        self._turn = self._place = 0
        self._role: Role | None = None
        self._asked: tuple[int, int, Readings] | None = None
        self._question: set[str] = set()
        self._answer: set[str] = set()
        self._answered = self._asked_back = self._corrected = False
        self._left = 0

    def read(self, utterance: Utterance, sentence: Sentence | None) -> Readings:
        """Readings of the next utterance in the light of those before it."""
        self._move(utterance)
        if sentence is None:
            return {}
        form = sentence.readings["question_form"]
        if utterance.role in _ANSWERS:
            self._answer.update(sentence.tokens)
            self._answered = True
            alone = utterance.role == Role.STUDENT
            self._asked_back = alone and form.code == "real" and form.rule not in _RISING
            return {"question_form": form} if alone else {}
        question = self._question
        readings = dict(self._inherited(sentence))
        if form.code == "real":
            self._question = set(sentence.tokens)
        if utterance.role == Role.TEACHER and self._left > 0:
            feedback = _feedback(sentence, self._answer, self._asked_back)
            if self._corrected and feedback.code == "none":
                feedback = _asked_again(sentence, question, feedback)
            self._corrected |= feedback.code == "negate"
            readings["feedback"] = feedback
            self._left = 0 if form.code == "real" else self._left - 1
        return readings

    def _move(self, utterance: Utterance) -> None:
        """Open a new turn when the role changes."""
        self._place += 1
        if utterance.role == self._role:
            return
        self._turn += 1
        self._corrected = False
        if utterance.role in _ANSWERS:
            self._answer, self._answered = set(), False
        heard = self._role in _ANSWERS and self._answered
        self._left = FEEDBACK_UTTERANCES if utterance.role == Role.TEACHER and heard else 0
        self._role = utterance.role

    def _inherited(self, sentence: Sentence) -> Readings:
        """Its own readings, or for an elliptical question the kinds of the last full one."""
        own = sentence.readings
        if own["question_form"].code != "real":
            return own
        rule = load_rules(sentence.language).ellipsis
        elliptical = rule.match.search(sentence.text) and not (
            rule.unless and rule.unless.search(sentence.text)
        )
        if not elliptical:
            self._asked = (self._turn, self._place, own)
            return own
        if self._asked is None:
            return own
        turn, place, full = self._asked
        if self._turn - turn > ELLIPSIS_TURNS or self._place - place > ELLIPSIS_UTTERANCES:
            return own
        return {**full, "question_form": own["question_form"]}


def _feedback(sentence: Sentence, answer: set[str], asked_back: bool) -> Reading:
    """Which third move this is: probe before negate, praise, repeat and none.

    A probe is a question; one that does not point at the answer by its words must be tied to
    it, by being short or by sharing words, or it is a new question. A yes or no to a student's
    own question answers it and judges nothing; a no that echoes the student's no repeats it.
    """
    rules = load_rules(sentence.language)
    said = sum(token in answer for token in sentence.tokens)
    asks = sentence.readings["question_form"].code == "real"
    tied = len(sentence.tokens) <= rules.probe.short or said >= rules.probe.shared
    fitting = [
        rule
        for rule in rules.tables["feedback"]
        if rule.code != "probe" or (asks and (tied or not rule.tied))
    ]
    reading = first_reading(fitting, sentence.text)
    if reading.code == "probe" or reading.rule == _OF_A_QUESTION:
        return reading
    neither = first_reading(fitting[-1:], sentence.text)
    if asked_back:
        return neither
    repeats = _repeats(sentence.tokens, answer, rules.repeat)
    echoed = repeats or (bool(sentence.tokens) and sentence.tokens[0] in answer)
    if reading.code == "praise" or (reading.code == "negate" and not echoed):
        return reading
    if not repeats:
        return neither
    return Reading("repeat", "feedback.repeat", rules.repeat.probability, 0, len(sentence.text))


def _asked_again(sentence: Sentence, question: set[str], otherwise: Reading) -> Reading:
    """After a correction the same question, put to the student once more, asks on."""
    if sentence.readings["question_form"].code != "real":
        return otherwise
    least = load_rules(sentence.language).answer.least
    said = sentence.tokens
    shared = sum(token in question for token in said)
    if not said or shared < least * len(said):
        return otherwise
    return Reading("probe", "feedback.asked_again", PRIOR_RIGHT / PRIOR_N, 0, len(sentence.text))


def _repeats(said: tuple[str, ...], answer: set[str], repeat: Repeat) -> bool:
    """Whether the teacher's words are the student's: most of them are, or all of a short answer
    comes back with little added (“Four.” – “Four parts.”)."""
    shared = sum(token in answer for token in said)
    mostly = shared >= max(repeat.shortest, repeat.least * len(said))
    whole = bool(answer) and answer <= set(said) and len(said) <= len(answer) + repeat.added
    return mostly or whole
