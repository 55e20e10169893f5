"""Names of students taken out of an observation before it leaves the school.

Speaker labels that are names become neutral ones. Names that are spoken are found by rules, in
Mandarin by their characters and by what stands around them (:mod:`api.masking.chinese`), in
English by capitals and use (:mod:`api.masking.english`); a name found once is replaced wherever it
is said in the lesson, in sentences, word times, claims, notes and the file's name. Rules
miss some: a class list handed in as `names` is masked besides, also where the recogniser wrote
other characters of the same sound. What is measured stands in `benchmarks/masking.py`. Nothing
here changes a voice or a picture.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final

from api.masking import english, lesson
from observer.formats.labels import (
    declared_role,
    is_machine,
    is_neutral_student,
    is_outsider,
    title,
)
from observer.observation import Observation
from observer.timeline import Role
from observer.transcript import Transcript, Utterance, Word

MASK: Final = {"zh": lesson.MASK, "en": english.MASK}
"""What stands for a name, by the language of the transcript."""

_HOT: Final = re.compile(r"hot words [^,]+")
"""In the version of a recogniser: the words it was told to expect, often names."""
LONGEST_NAME: Final = 40
MOST_NAMES: Final = 200
"""Of a class list; what stands behind is not looked at."""
_PADDED: Final = re.compile(
    r"(?<![\u4e00-\u9fff])([\u4e00-\u9fff])[ \u3000]+([\u4e00-\u9fff])(?![\u4e00-\u9fff])"
)
"""张　伟, as lists are set so that names of two and of three characters are as wide."""
Spans = Callable[[str], list[tuple[int, int]]]


def masked(observation: Observation, names: Sequence[str] = ()) -> Observation:
    """The observation without names of students; times, labels and figures are untouched.

    `names` (a class list) are taken out wherever they are said, besides those that the rules find.
    Word times stay where the words can be told apart in the sentence: a name is one word, of the
    time that it took. Equal input gives equal output; a lesson of 45 minutes takes some 50 ms.
    """
    transcript = observation.transcript
    found = _finder(transcript, names)
    mask = MASK["zh" if transcript.language == "zh" else "en"]

    def clean(text: str) -> str:
        return _without(text, found.spans(text), mask)

    utterances = [_masked(u, found.spans, mask, transcript.language) for u in transcript]
    recording, made = observation.recording, observation.provenance
    return replace(
        observation,
        transcript=transcript.with_utterances(utterances),
        claims=tuple(replace(c, text=clean(c.text)) for c in observation.claims),
        recording=recording and replace(recording, name=clean(recording.name)),
        provenance=replace(
            made,
            notes=tuple(clean(n) for n in made.notes),
            engines=tuple(
                replace(e, version=_HOT.sub("hot words", e.version)) for e in made.engines
            ),
        ),
    )


def class_list(text: str) -> tuple[str, ...]:
    """The names of a class as people write them: lines, commas, 、 or tabs between, Chinese names
    also blanks; numbers before them, repetitions and what is too long for a name are dropped."""
    found = []
    text = _PADDED.sub(r"\1\2", text)
    for piece in re.split(r"[\n\r,，、;；\t]+", text):
        name = re.sub(r"^\W*\d*\W*", "", piece).strip()
        chinese = re.fullmatch(r"[\u4e00-\u9fff·\s]+", name)
        found += name.split() if chinese else [" ".join(name.split())]
    kept = (n for n in found if 1 < len(n) <= LONGEST_NAME)
    return tuple(dict.fromkeys(kept))[:MOST_NAMES]


def names_in(transcript: Transcript, names: Sequence[str] = ()) -> tuple[str, ...]:
    """Names of students that are masked wherever they are said, the longest first.

    A name that is mostly an ordinary word of the lesson is not among them: `masked` takes it out
    only where it is used as a name.
    """
    return _finder(transcript, names).everywhere


def _finder(
    transcript: Transcript, names: Iterable[str]
) -> "lesson.MandarinNames | english.EnglishNames":
    labels = {u.speaker.strip() for u in transcript if u.speaker and _is_name(u)}
    known = {n.strip() for n in names} | labels
    if transcript.language == "zh":
        return lesson.MandarinNames(transcript.utterances, known)
    return english.EnglishNames([u.text for u in transcript], known)


def _is_name(utterance: Utterance) -> bool:
    """Whether the speaker's label may be the name of a student."""
    label = utterance.speaker or ""
    if utterance.role not in (Role.STUDENT, None) or is_machine(label) or is_outsider(label):
        return False
    if label.startswith("voice ") or is_neutral_student(label):
        return False
    return utterance.role is Role.STUDENT or declared_role(label) is None


def _masked(utterance: Utterance, find: Spans, mask: str, language: str) -> Utterance:
    speaker = title(utterance.role, language) if _is_name(utterance) else utterance.speaker
    spans = find(utterance.text)
    if not spans:
        return replace(utterance, speaker=speaker)
    words = _words_without(utterance, spans, mask)
    text = _without(utterance.text, spans, mask)
    return replace(utterance, text=text, words=words, speaker=speaker)


def _without(text: str, spans: Iterable[tuple[int, int]], mask: str) -> str:
    pieces, done = [], 0
    for start, end in spans:
        pieces += [text[done:start], mask]
        done = end
    return "".join([*pieces, text[done:]])


def _words_without(
    utterance: Utterance, spans: Sequence[tuple[int, int]], mask: str
) -> tuple[Word, ...]:
    """The words with their times, those that touch a name made one; none where they are not those
    of the sentence (a corrected one), for then nobody knows which of them spell the name."""
    places, at = [], 0
    for word in utterance.words:
        spoken = word.text.strip()
        start = utterance.text.find(spoken, at)
        if start < 0 or utterance.text[at:start].strip(" \t，。！？、,.!?：:；;…“”\"'-—"):
            return ()
        at = start + len(spoken)
        places.append((start, at, word))
    if any(c.isalnum() for c in utterance.text[at:]):
        return ()
    return tuple(_joined(utterance.text, places, spans, mask))


def _joined(
    text: str,
    places: Sequence[tuple[int, int, Word]],
    spans: Sequence[tuple[int, int]],
    mask: str,
) -> Iterable[Word]:
    names = list(spans)
    group: list[tuple[int, int, Word]] = []
    for start, end, word in places:
        touched = any(start < b and end > a for a, b in names)
        joins = group and any(a < group[-1][1] and start < b for a, b in names)
        if group and not joins:
            yield _one(text, group, names, mask)
            group = []
        if touched:
            group.append((start, end, word))
        else:
            yield word
    if group:
        yield _one(text, group, names, mask)


def _one(
    text: str,
    group: Sequence[tuple[int, int, Word]],
    spans: Iterable[tuple[int, int]],
    mask: str,
) -> Word:
    """Words that share a name, as one."""
    start, end = group[0][0], group[-1][1]
    inside = [
        (max(a, start) - start, min(b, end) - start) for a, b in spans if a < end and b > start
    ]
    shown = _without(text[start:end], inside, mask)
    first, last = group[0][2], group[-1][2]
    sure = [w.confidence for _, _, w in group if w.confidence is not None]
    return Word(shown, first.start, last.end, min(sure) if sure else None)
