"""Names of students in English lessons: capitalised words that are used as names.

A transcript marks names with capitals, but also every first word of a sentence. So a word is a
name by the places in which it is said ("Thank you, Priya.", "Priya's idea", "What do you think
Priya?"), or because it is a first name that many have. Words that the lesson also writes small
(Will, Mark, Chance) are names only where the place says so. Who is only ever called Mrs. Cole is a
teacher; a student may be called Mr. Jalen.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from api.masking.english_names import FIRST_NAMES, NO_NAMES, WORD_NAMES

MASK: Final = "[name]"
_NAME: Final = r"([A-Z][a-z]{2,}(?:-[A-Z][a-z]+)?)"
_OPENERS: Final = (
    r"(?i:thank you|thanks|good job|nice job|great job|go ahead|yes|yeah|yep|no|okay|ok|hey|hi"
    r"|hello|right|well done|well|all right|alright|so|and|but|then|now|let's hear from|like"
    r"|what about|how about|come on|good|great|perfect|excellent|sorry|wait|oh"
    r"|um|uh|hold on|excuse me)"
)
_REQUESTS: Final = (
    r"would|could|can|will|do|does|did|what|what's|how|why|where|who|which|you|you're|your|please"
    r"|explain|go|come|read|tell|take|help|have|has|is|was|says|said|give|put|show|try|look|listen"
    r"|sit|stop|let's|were|are|I|may"
)
_DOES: Final = (
    r"said|says|thinks|thought|asked|wants|wanted|shared|told|noticed|explained|raised|brought up"
    r"|pointed out|did|got|came up|has|had|is|was|did|does|just|already|also|agrees|disagrees|knows"
    r"|used|made|found|needs|gave|wrote|built|drew|will|would|could|can|and"
)
_CUES: Final = (
    re.compile(rf"(?:^|[.?!,;\]—–-]\s*)(?:{_OPENERS},?\s+)?{_NAME}(?=[.?!,]|\s*$|--|—|–)"),
    re.compile(rf",\s*{_NAME}(?=[.?!,;]|$|--|—)"),
    re.compile(rf"\b{_OPENERS},? {_NAME}(?=[.?!,]|$|'s\b|’s\b)"),
    re.compile(rf"(?:^|[.?!]\s+|\b{_OPENERS},? ){_NAME} (?=(?:{_REQUESTS})\b)"),
    re.compile(rf"[a-z,] {_NAME}(?:['’]s? [a-z]| (?:{_DOES})\b)"),
    re.compile(
        rf"\b{_NAME}['’]s (?:idea|answer|way|method|group|turn|paper|solution|strategy|question"
        r"|point|thinking|hand|argument|explanation|work|model|desk|team|approach|process)\b"
    ),
    re.compile(
        r"\b(?:agree with|disagree with|agreeing with|work with|working with|with|call on|hear from"
        r"|ask|asked|let|let's let|did|does|do|can|could|would|has|is|was|what|when|until|for|to|or"
        r"|hold on|wait|help|tell|told|give|gave|like|about|than|thank|from|see if|if|and"
        rf"|while|because|that|hear|heard|listening to|partner) {_NAME}\b(?! [A-Z])"
    ),
    re.compile(
        rf"[a-z] (?<!\bthe )(?<!\ba )(?<!\bin )(?<!\bon )(?<!\bof ){_NAME}(?=[.?!]+(?:$|\s))"
    ),
    re.compile(rf"\[(?:[a-z ]+ )?{_NAME}\b(?=[ :\]])"),
    re.compile(rf"\b{_NAME}:"),
)
_TITLED: Final = re.compile(r"\b(?:Mr|Mrs|Ms|Miss|Mister|Dr|Prof|Coach)\.?\s+([A-Z][a-z]+)")
_FORMED: Final = re.compile(
    r"(?:[^i]ly|ing|tions?|sions?|ths|ments?|ness|ful|less|ical|ous|ive|able|ible|ity|ated|ized"
    r"|[^r]ed|ology|gon|(.)\1\1|h{2,}|m{2,})$|^(?:un|mm|hm|uh|oo|aa)[a-z]{4,}$|^[^aeiouy]+$"
)
"""Endings of ordinary words: exactly, multiplying, fraction; and drawn-out sounds."""
_WITH: Final = re.compile(rf"(?={_NAME}(?:,| and| or|, and|&) {_NAME})")
_PLACE: Final = re.compile(
    r"(?:^|[.?!]\s+)([A-Z][a-z]{2,})(?=[,?!.])|,\s+([A-Z][a-z]{2,})(?=[.?!,]|$)"
    r"|\b(?:Mr|Ms|Mrs|Miss)\.?\s+([A-Z][a-z]{2,})|[a-z,] ([A-Z][a-z]{2,})\b"
)
"""Where a word that is also written small is a name."""


class EnglishNames:
    """The names of one lesson; `spans` finds them in any of its sentences."""

    def __init__(self, texts: Sequence[str], known: Iterable[str] = ()) -> None:
        """`known`: names of students that are certain (labels of speakers, a class list)."""
        small = {w for text in texts for w in re.findall(r"\b[a-z]{3,}\b", text)}
        cued = Counter(m for text in texts for cue in _CUES for m in cue.findall(text))
        large = {w for text in texts for w in re.findall(rf"\b{_NAME}\b", text)}
        titled = _only_titled(texts)
        found = {n for n in cued if _could_be(n)}
        found |= {n for n in large if n.lower() in FIRST_NAMES}
        found |= _beside(texts, found)
        found -= titled
        certain = {part for n in known for part in (n, *n.split()) if len(part) > 1}
        self._words = {n for n in found if n.lower() in small | WORD_NAMES} - certain
        self.everywhere: tuple[str, ...] = tuple(
            sorted((found - self._words) | certain, key=lambda n: (-len(n), n))
        )
        either = "|".join(map(re.escape, self.everywhere))
        self._said = re.compile(rf"\b(?:{either})\b") if self.everywhere else None

    def spans(self, text: str) -> list[tuple[int, int]]:
        """(start, end) of what names a student, in the order of the sentence, not overlapping."""
        found = {m.span() for m in self._said.finditer(text)} if self._said else set()
        if self._words:
            for match in _PLACE.finditer(text):
                group = match.lastindex or 1
                if match[group] in self._words:
                    found.add(match.span(group))
        return sorted(found)


def _could_be(word: str) -> bool:
    """Whether a capitalised word may be a name: neither known not to be one nor formed like it."""
    low = word.lower()
    return low in FIRST_NAMES or (low not in NO_NAMES and not _FORMED.search(low))


def _only_titled(texts: Iterable[str]) -> set[str]:
    """Names that are nearly always said with a title: those of teachers."""
    titled, said = Counter[str](), Counter[str]()
    for text in texts:
        titled.update(_TITLED.findall(text))
    for text in texts:
        said.update(w for w in re.findall(r"\b[A-Z][a-z]+\b", text) if w in titled)
    return {n for n, times in titled.items() if times == said[n] or 10 * times > 9 * said[n]}


def _beside(texts: Iterable[str], found: Iterable[str]) -> set[str]:
    """Names that stand beside a name: Sarah and Beth and Audra."""
    names, more = set(found), set[str]()
    pairs = [pair for text in texts for pair in _WITH.findall(text)]
    for one, other in pairs:
        for name, mate in ((one, other), (other, one)):
            if name in names and _could_be(mate):
                more.add(mate)
    return more
