"""Questions and feedback by rules: the first reading, before trained models replace it.

spaCy carries it: `pipeline("zh")` and `pipeline("en")` are blank pipelines (Mandarin by
character, offline) with one component that writes `doc._.readings`. `RuleLabeller` runs them
over a transcript and adds what needs context: an elliptical question takes its kinds from the
last full one, a question that the teacher answers in the next sentence is `self`, and a
teacher's words after a student's are read as feedback.

>>> nlp = pipeline("zh")
>>> nlp("这道题怎么做？")._.readings["sihe"].code
'how'
"""

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from models.rules import PRIOR_N, PRIOR_RIGHT, VERSION, Repeat, RuleSet, load_rules
from models.rules.answers import self_answered
from models.rules.reading import Reading, Readings, Sentence, first_reading, read
from observer.discourse import Label
from observer.engines import OnProgress, ignore_progress
from observer.timeline import Role
from observer.transcript import Transcript, Utterance

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

READ_CHARACTERS = 2_000
"""Longer utterances are read at their end: the question, if any, is what is left standing."""
ELLIPSIS_TURNS = 3
ELLIPSIS_UTTERANCES = 10
"""Bound where roles are unknown and everything is one turn."""
FEEDBACK_UTTERANCES = 3
"""How far into a teacher's turn the answer to the student may reach."""
_BATCH = 256

_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
_KANA_HANGUL = re.compile(r"[\u3040-\u30ff\uac00-\ud7af]")
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]")
_RISING = ("mark.other", "mark.inside")
"""A student's words with nothing but a mark: usually an answer in a rising voice."""

_OF_A_QUESTION = "feedback.praise_question"
"""The rule for praise that fits a student's own question too."""

_pipelines: "dict[str, Language]" = {}
_lock = threading.RLock()


def pipeline(language: str) -> "Language":
    """The spaCy pipeline of "zh" or "en", built once; `doc._.readings` holds what it reads.

    Needs no downloaded model. Raises KeyError for another language.
    """
    import spacy
    from spacy.language import Language
    from spacy.tokens import Doc

    with _lock:
        if language not in _pipelines:
            rules = load_rules(language)
            if not Doc.has_extension("readings"):
                Doc.set_extension("readings", default=None)
            component = f"question_rules_{language}"
            if not Language.has_factory(component):
                Language.component(component, func=_reader(rules))
            nlp = spacy.blank(language)
            nlp.add_pipe(component)
            _pipelines[language] = nlp
        return _pipelines[language]


def _reader(rules: RuleSet) -> Callable[["Doc"], "Doc"]:
    def question_rules(doc: "Doc") -> "Doc":
        doc._.readings = read(doc.text, rules)
        return doc

    return question_rules


class RuleLabeller:
    """The Labeller "rules": question form and kinds, and feedback, in Mandarin and English.

    Teachers' utterances, and those without a role, get every taxonomy that applies; students'
    get the form alone; choral answers, group work and media get nothing, nor does an
    utterance in another language or without a letter. A lesson in Mandarin may hold English
    sentences: each utterance is read in its own script.
    """

    name = "rules"
    version = VERSION

    def label(
        self, transcript: Transcript, on_progress: OnProgress = ignore_progress
    ) -> list[Label]:
        """Labels in the order of the utterances, at most one for each taxonomy."""
        source = f"{self.name}-{self.version}"
        found = self.readings(transcript, on_progress)
        labels = [
            Label(utterance.id, taxonomy, reading.code, reading.probability, source)
            for utterance, readings in zip(transcript, found, strict=True)
            for taxonomy, reading in readings.items()
        ]
        on_progress(1.0)
        return labels

    def readings(
        self, transcript: Transcript, on_progress: OnProgress = ignore_progress
    ) -> list[Readings]:
        """What `label` tells, with the rule that decided and its words, one for each utterance."""
        sentences = _sentences(transcript, on_progress)
        answered = self_answered(list(zip(transcript, sentences, strict=True)))
        for i, form in answered.items():
            if (alone := sentences[i]) is not None:
                sentences[i] = replace(alone, readings={"question_form": form})
        context = _Context()
        return [context.read(u, s) for u, s in zip(transcript, sentences, strict=True)]


def _sentences(transcript: Transcript, on_progress: OnProgress) -> list[Sentence | None]:
    """Every utterance read by itself, in order; None where there is nothing to read."""
    found: list[Sentence | None] = [None] * len(transcript)
    texts = [_readable(u) for u in transcript]
    languages = [_language(text, transcript.language) for text in texts]
    done = 0
    for language in ("zh", "en"):
        wanted = [i for i, own in enumerate(languages) if own == language]
        for first in range(0, len(wanted), _BATCH):
            batch = wanted[first : first + _BATCH]
            for i, sentence in zip(batch, _pipe(language, [texts[i] for i in batch]), strict=True):
                found[i] = sentence
            done += len(batch)
            on_progress(done / len(transcript))
    return found


def _pipe(language: str, texts: Sequence[str]) -> Iterator[Sentence]:
    """Read texts of one language; one thread at a time, as spaCy's string store asks."""
    nlp = pipeline(language)
    rules = load_rules(language)
    with _lock:
        ignored = {nlp.vocab.strings.add(token) for token in rules.repeat.ignore}
        for doc in nlp.pipe(texts):
            tokens = tuple(t for t in doc.to_array("LOWER").tolist() if t not in ignored)
            yield Sentence(language, doc._.readings, tokens, rules.folded(doc.text))


_READ = (None, Role.TEACHER, Role.STUDENT, Role.CHORAL)
_ANSWERS = (Role.STUDENT, Role.CHORAL)


def _readable(utterance: Utterance) -> str:
    if utterance.role not in _READ:
        return ""
    return utterance.text.strip()[-READ_CHARACTERS:]


def _language(text: str, spoken: str) -> str | None:
    """Language in which to read `text` of a transcript in the language `spoken`."""
    primary = spoken.lower().replace("_", "-").split("-")[0]
    if primary not in ("zh", "cmn", "yue", "en", "und") or _KANA_HANGUL.search(text):
        return None
    han, latin = len(_HAN.findall(text)), len(_LATIN.findall(text))
    if primary == "en":
        return "zh" if han > latin else "en" if latin else None
    return "zh" if han else "en" if latin > 1 else None


class _Context:
    """What has been said so far: the last full question, and the student's turn just over."""

    def __init__(self) -> None:
        self._turn = self._place = 0
        self._role: Role | None = None
        self._asked: tuple[int, int, Readings] | None = None
        self._question: set[int] = set()
        self._answer: set[int] = set()
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


def _feedback(sentence: Sentence, answer: set[int], asked_back: bool) -> Reading:
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


def _asked_again(sentence: Sentence, question: set[int], otherwise: Reading) -> Reading:
    """After a correction the same question, put to the student once more, asks on."""
    if sentence.readings["question_form"].code != "real":
        return otherwise
    least = load_rules(sentence.language).answer.least
    said = sentence.tokens
    shared = sum(token in question for token in said)
    if not said or shared < least * len(said):
        return otherwise
    return Reading("probe", "feedback.asked_again", PRIOR_RIGHT / PRIOR_N, 0, len(sentence.text))


def _repeats(said: tuple[int, ...], answer: set[int], repeat: Repeat) -> bool:
    """Whether the teacher's words are the student's: most of them are, or all of a short answer
    comes back with little added (“Four.” – “Four parts.”)."""
    shared = sum(token in answer for token in said)
    mostly = shared >= max(repeat.shortest, repeat.least * len(said))
    whole = bool(answer) and answer <= set(said) and len(said) <= len(answer) + repeat.added
    return mostly or whole
