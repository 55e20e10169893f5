"""Which names a Mandarin lesson holds, and what stands in for them in a sentence."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from api.masking.characters import COMMON_SURNAMES, PERSONS, PROTAGONISTS
from api.masking.chinese import (
    ENOUGH,
    NO_GIVEN,
    TWICE,
    Spot,
    chosen,
    cues,
    given_name,
    is_surname,
    is_word,
    likeness,
    made_of,
    spots,
)
from api.masking.sounds import sound
from observer.timeline import Role
from observer.transcript import Utterance

MASK: Final = "某同学"
_WEAK: Final = 4
"""Points from which a string is looked at again: it may sound like a name found elsewhere."""
_ANSWERED: Final = 2
"""Points for a name with which a teacher's sentence ends and that a student answers."""
_CALLED: Final = 4
"""Points around what sounds like a name of the class list from which it is one there."""
_TITLE: Final = r"(?:小?同学(?!们)|小朋友(?!们)|宝贝(?!们)|宝宝)?"
_INTRODUCED: Final = re.compile(
    r"(?:我叫|我是|名字叫)([\u4e00-\u9fff]{2,3}?)(?=老师|[，。,.！!]|$)"
)
_ADDRESSED: Final = re.compile(
    rf"(?:(?<![\u4e00-\u9fff])|(?<=[请叫让的和是]))[{COMMON_SURNAMES}](?=(?:小?同学|小朋友)(?!们))"
)
"""王同学: a surname alone, only together with the form of address."""
_AFTER_SURNAME: Final = frozenset(COMMON_SURNAMES) - frozenset("向于常")


class MandarinNames:
    """The names of one lesson; `spans` finds them in any of its sentences."""

    def __init__(self, utterances: Sequence[Utterance], known: Iterable[str] = ()) -> None:
        """`known`: names of students that are certain (labels of speakers, a class list)."""
        texts = [u.text for u in utterances]
        self._teachers = _introduced(utterances)
        weak = [s for u, more in _following(utterances) for s in chosen(spots(u.text, more), _WEAK)]
        weak = [s for s in weak if s.name not in self._teachers]
        certain = {n for n in known if len(n) > 1}
        names = certain | {n for n in _accepted(weak) if _goes_everywhere(n, weak, texts)}
        names |= {g for g in map(given_name, names) if g and not is_word(g)}
        names |= {g for g in map(given_name, certain) if made_of(g) > 3}
        self._heard = {sound(n) for n in certain if not n.isascii()}
        self._heard |= {sound(g) for g in map(given_name, certain) if g}
        names |= self._sounding(names, weak, texts)
        self.everywhere: tuple[str, ...] = tuple(sorted(names, key=lambda n: (-len(n), n)))
        either = "|".join(map(_whole, self.everywhere))
        self._said = re.compile(f"(?:{either}){_TITLE}") if names else None
        self._title = re.compile(_TITLE)

    def spans(self, text: str) -> list[tuple[int, int]]:
        """(start, end) of what names a student, in the order of the sentence, not overlapping."""
        found = [(m.start(), m.end()) for m in self._said.finditer(text)] if self._said else []
        found = [(s - _has_surname(text, s, e), e) for s, e in found]
        for spot in chosen(spots(text)):
            if spot.name not in self._teachers:
                found.append((spot.start, self._end(text, spot.end)))
        found += [(m.start(), self._end(text, m.end())) for m in _ADDRESSED.finditer(text)]
        for start, end in self._alike(text):
            plain = NO_GIVEN & set(text[start:end]) or is_word(text[start:end])
            if not plain and cues(text, start, end) >= _CALLED:
                found.append((start, self._end(text, end)))
        return _merged(found)

    def _sounding(
        self, names: Iterable[str], weak: Iterable[Spot], texts: Iterable[str]
    ) -> set[str]:
        """Strings that sound like a name of the lesson and are made like one."""
        sounds = {sound(n) for n in names if not n.isascii()}
        found = {s.name for s in weak if sound(s.name) in sounds and not is_word(s.name)}
        for text in texts:
            found |= {s for a, b in self._alike(text) for s in _like_a_name(text[a:b])}
        return found

    def _alike(self, text: str) -> Iterable[tuple[int, int]]:
        """Where something sounds like a name that is certain."""
        syllables = sound(text) if self._heard else ()
        for length in {len(h) for h in self._heard}:
            for at in range(len(syllables) - length + 1):
                if syllables[at : at + length] in self._heard:
                    yield at, at + length

    def _end(self, text: str, end: int) -> int:
        title = self._title.match(text, end)
        return title.end() if title else end


def _whole(name: str) -> str:
    """A pattern of a name: Tom, but not in Tomorrow."""
    said = re.escape(name)
    return rf"(?<![A-Za-z]){said}(?![A-Za-z])" if name.isascii() else said


def _following(utterances: Sequence[Utterance]) -> Iterable[tuple[Utterance, int]]:
    """Each utterance with the points of a name at its end."""
    later = [*(u.role for u in utterances[1:]), None]
    for utterance, role in zip(utterances, later, strict=False):
        answered = utterance.role is not Role.STUDENT and role is Role.STUDENT
        yield utterance, _ANSWERED if answered else 0


def _introduced(utterances: Iterable[Utterance]) -> frozenset[str]:
    """What teachers call themselves."""
    return frozenset(
        name for u in utterances if u.role is Role.TEACHER for name in _INTRODUCED.findall(u.text)
    )


def _accepted(found: Iterable[Spot]) -> set[str]:
    """Names: once with enough points, or more than once with fewer."""
    once, often = set(), Counter[str]()
    for spot in found:
        if spot.points >= ENOUGH:
            once.add(spot.name)
        if spot.points >= TWICE:
            often[spot.name] += 1
    return once | {n for n, times in often.items() if times > 1 and not is_word(n)}


def _goes_everywhere(name: str, found: Iterable[Spot], texts: Iterable[str]) -> bool:
    """Whether a name goes wherever it is said: not so where it is mostly an ordinary word, which
    it may be three times for each call if its characters are those of names (晨曦), else once."""
    plain = not is_word(name) and likeness(name) > 2
    if plain and name not in PERSONS and name not in PROTAGONISTS:
        return True
    used = sum(s.points >= ENOUGH for s in found if s.name == name)
    often = 4 if made_of(name) > 4 and name not in PERSONS else 2
    return often * used >= sum(text.count(name) for text in texts)


def _like_a_name(written: str) -> set[str]:
    """The string, if it could be a name: 放之元 for 方知远, but not 是小明 for 史晓明."""
    if len(written) < 3:
        return {written} if not is_word(written) and likeness(written) > 3 else set()
    parts = {written, written[:2], written[1:]}
    return set() if NO_GIVEN & set(written) or any(map(is_word, parts)) else {written}


def _has_surname(text: str, start: int, end: int) -> int:
    """1 where a surname stands before a given name: 王|子涵."""
    if start and text[start - 1] in _AFTER_SURNAME and not is_surname_and_given(text[start:end]):
        return 1
    return 0


def is_surname_and_given(name: str) -> bool:
    """Whether a string has a surname of its own."""
    return len(name) > 2 and is_surname(name[0])


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
