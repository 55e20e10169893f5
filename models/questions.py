"""Questions and feedback by rules: readable patterns for Mandarin and English, no weights.

`sentences_of` reads every utterance by itself, in the language of its own script; the layer of
`models.rules.context` adds what needs the lesson around it. The trained labeller stands on both.
"""

import re
from collections.abc import Mapping, Sequence

from models.rules import VERSION, load_rules
from models.rules.context import in_context
from models.rules.reading import Readings, Sentence, read
from observer.confusion import Confusion
from observer.discourse import Label
from observer.engines import Note, OnProgress, ignore_progress
from observer.timeline import Role
from observer.transcript import Transcript, Utterance

READ_CHARACTERS = 2_000
"""Longer utterances are read at their end: the question, if any, is what is left standing."""
READ_ROLES = (None, Role.TEACHER, Role.STUDENT, Role.CHORAL)
_PUPILS = (Role.STUDENT, Role.CHORAL)

_TELL_EVERY = 256
_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
_KANA_HANGUL = re.compile(r"[\u3040-\u30ff\uac00-\ud7af]")
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]")
_WORD = re.compile(
    r"[\u3400-\u9fff\uf900-\ufaff]"  # one Mandarin character
    r"|[^\W_\u3400-\u9fff\uf900-\ufaff]+?(?=n't\b)|n't\b|'(?:s|re|ve|ll|d|m)\b"  # do-n't, it-'s
    r"|[^\W_\u3400-\u9fff\uf900-\ufaff]+(?:[.,:/][0-9]+)*"
)


class RuleLabeller:
    """The Labeller "rules": question form and kinds, and feedback, in Mandarin and English.

    Teachers' utterances, and those without a role, get every taxonomy that applies; students'
    get the form alone; choral answers, group work and media get nothing, nor does an
    utterance in another language or without a letter. A lesson in Mandarin may hold English
    sentences: each utterance is read in its own script.
    """

    name = "rules"
    version = VERSION
    notes: tuple[Note, ...] = ()
    confusions: Mapping[str, Confusion] = {}
    """Empty: the rules' precision was counted rule by rule, not which codes they mistake."""

    def label(
        self, transcript: Transcript, on_progress: OnProgress = ignore_progress
    ) -> list[Label]:
        """Labels in the order of the utterances, at most one for each taxonomy."""
        found = self.readings(transcript, on_progress)
        labels = [
            Label(utterance.id, taxonomy, reading.code, reading.probability, reading.source)
            for utterance, readings in zip(transcript, found, strict=True)
            for taxonomy, reading in readings.items()
        ]
        on_progress(1.0)
        return labels

    def readings(
        self, transcript: Transcript, on_progress: OnProgress = ignore_progress
    ) -> list[Readings]:
        """What `label` tells, with the rule that decided and its words, one for each utterance."""
        return in_context(transcript.utterances, sentences_of(transcript, on_progress))


def sentences_of(
    transcript: Transcript, on_progress: OnProgress = ignore_progress
) -> list[Sentence | None]:
    """Every utterance read by itself with the rules; None where there is nothing to read.

    Nothing is what joins in with a student word for word, too (`said_at_once`).
    """
    found: list[Sentence | None] = []
    again = said_at_once(transcript.utterances)
    for i, utterance in enumerate(transcript):
        text = "" if i in again else _readable(utterance)
        language = language_of(text, transcript.language)
        found.append(None if language is None else sentence(text, language))
        if i % _TELL_EVERY == 0:
            on_progress(i / len(transcript))
    return found


def said_at_once(utterances: Sequence[Utterance]) -> frozenset[int]:
    """Places of students' utterances that join in with another one, word for word.

    Transcripts with a row for each voice hold a choral answer once a voice. It is one answer:
    each further voice would count again, and beside the first it reads as relating to it. Who
    says the same after the other has ended, or without known times, does not join in.
    """
    sounds_until: dict[tuple[str, ...], float] = {}
    found = set()
    for i, utterance in enumerate(utterances):
        words = words_of(utterance.text.lower()) if utterance.role in _PUPILS else ()
        if not words or utterance.start is None or utterance.end is None:
            continue
        if sounds_until.get(words, -1.0) > (utterance.start + utterance.end) / 2:
            found.add(i)
        else:
            sounds_until[words] = utterance.end
    return frozenset(found)


def sentence(text: str, language: str) -> Sentence:
    """One utterance in "zh" or "en" with its content words and what the rules read in it."""
    rules = load_rules(language)
    folded = rules.folded(text)
    tokens = tuple(w for w in words_of(folded) if w not in rules.repeat.ignore)
    return Sentence(language, read(text, rules), tokens, folded)


def words_of(folded: str) -> tuple[str, ...]:
    """Words without marks, Mandarin by character, English contractions in two (it 's, do n't)."""
    return tuple(_WORD.findall(folded))


def _readable(utterance: Utterance) -> str:
    if utterance.role not in READ_ROLES:
        return ""
    return utterance.text.strip()[-READ_CHARACTERS:]


def language_of(text: str, spoken: str) -> str | None:
    """Language in which to read `text` of a transcript in the language `spoken`.

    "zh", "en", or None: another language, or no letters.
    """
    primary = spoken.lower().replace("_", "-").split("-")[0]
    if primary not in ("zh", "cmn", "yue", "en", "und") or _KANA_HANGUL.search(text):
        return None
    han, latin = len(_HAN.findall(text)), len(_LATIN.findall(text))
    if primary == "en":
        return "zh" if han > latin else "en" if latin else None
    return "zh" if han else "en" if latin > 1 else None
