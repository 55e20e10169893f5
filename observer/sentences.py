"""Where sentences end: in text by its punctuation, in recognised words also by pauses.

The rules follow the marks of GB/T 15834 (。？！ end a sentence; ；does not) and, for the full
stop of Latin script, the usual exceptions (abbreviations, initials, decimals, list numbers).
What stands in quotation marks or brackets stays together. Mandarin and English are known; of
other languages with Latin script a full stop before a small letter is taken for an abbreviation.
"""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from observer.timeline import Seconds
from observer.transcript import Word

LONG_PAUSE: Final[Seconds] = 1.0
"""A pause that ends an utterance whatever the punctuation: another voice may follow."""
SENTENCE_PAUSE: Final[Seconds] = 0.5
"""A pause that ends a sentence in text without punctuation."""
COMMA_PAUSE: Final[Seconds] = 0.25
"""A pause that ends a sentence after a Mandarin final particle; elsewhere it is a comma."""

_STOPS: Final = "。｡！？!?"
_CLOSERS: Final = "”’」』）】》\"')]}"
_RUN = re.compile(rf"(?:[{_STOPS}.．…]+[{re.escape(_CLOSERS)}]*)+")
_MARK = re.compile(r"[。｡．！？，、；：,.!?;:…]")
_TOGETHER = re.compile(
    r"“[^“”]{0,60}”|‘[^‘’]{0,60}’|「[^「」]{0,60}」|『[^『』]{0,60}』|《[^《》]{0,60}》|\"[^\"]{0,60}\""
    r"|（[^（）]{0,60}）|\([^()]{0,60}\)|\[[^\[\]]{0,60}\]|【[^【】]{0,60}】"
)
"""Quoted or bracketed text up to 60 characters; longer, it holds sentences of its own."""
_GOES_ON = re.compile(r"[，、；：,;:=的—]|(?:[他她我]们?.{0,3}?)?[说问道喊]")
"""What follows a closing quotation mark when the sentence is not over: “好！”他说。"""

NEAR: Final = 60
"""Characters before and behind a mark that are looked at."""

_NEVER = frozenset("mr mrs ms dr prof st vs cf approx e.g i.e".split())
_BEFORE_NUMBER = frozenset("no nos fig figs p pp ch ex q sec eq vol".split())
_BEFORE_SMALL = frozenset("etc al jr sr inc ltd".split())
_DOTTED = re.compile(r"[A-Za-z](?:\.[A-Za-z])+")
_ITEM = re.compile(r"\d{1,2}|[A-Za-z]")
_TOKEN = re.compile(r"[\w.'’]+$", re.ASCII)

_PARTICLE = re.compile(r"(?:吗|嘛|呢|吧|啊|呀|啦|哦|了)$")


def sentences(text: str, language: str) -> list[str]:
    """The sentences of a text in order; joined again they give the text, blanks aside.

    Closing quotation marks and brackets, and runs of marks (？！, !!, 。”), stay with the sentence
    they end; a piece without any letter or digit joins its neighbour. An ellipsis is a pause
    unless a capital letter follows. Text without marks is one sentence; empty text has none.
    """
    edges = [0]
    lettered = False  # whether the piece before the last edge has a letter
    for end in [*_breaks(text, language), len(text)]:
        letters = _has_letters(text[edges[-1] : end])
        if len(edges) > 1 and not (letters and lettered):
            edges[-1] = end
        else:
            edges.append(end)
            lettered = False
        lettered |= letters
    return [piece for a, b in pairwise(edges) if (piece := text[a:b].strip())]


def punctuated(text: str) -> bool:
    """Whether a text has any mark that divides it, commas included."""
    return bool(_MARK.search(text))


def _breaks(text: str, language: str) -> list[int]:
    """Offsets behind the marks that end a sentence, in time linear in the text."""
    whole = (len(text) - len(text.lstrip()), len(text.rstrip()))
    kept = [m.span() for m in _TOGETHER.finditer(text) if m.span() != whole]
    asides = {b for a, b in kept if text[a] in "（([【" and _inside(text[max(0, a - NEAR) : a])}
    found: list[int] = []
    position = quotes = counted = 0
    for match in _RUN.finditer(text):
        start = match.start()
        quotes += text.count('"', counted, start)
        counted = start
        end = start + _without_opener(match.group(), quotes)
        while position < len(kept) and kept[position][1] <= start:
            position += 1
        if position < len(kept) and kept[position][0] < start and end < kept[position][1]:
            continue
        begin = max(found[-1] if found else 0, start - NEAR)
        after = text[end : end + NEAR]
        if end not in asides and _ends(text[begin:start], text[start:end], after, language):
            found.append(end)
    return found


def _without_opener(run: str, quotes: int) -> int:
    """Length of a run without a straight quotation mark that opens what follows.

    `quotes` of them stand before the run: after an even number the next one opens.
    """
    for place, mark in enumerate(run):
        if mark == '"':
            if quotes % 2 == 0:
                return place
            quotes += 1
    return len(run)


def _inside(before: str) -> bool:
    """Whether a bracket that follows `before` stands inside a sentence."""
    last = before.rstrip()[-1:]
    return bool(last) and last not in _STOPS + _CLOSERS + "."


def _ends(before: str, run: str, after: str, language: str) -> bool:
    """Whether the marks `run` end the sentence `before`, given the text that follows them."""
    rest = after.lstrip()
    if not rest:
        return True
    if rest[0] in "，、；：,;:=":
        return False
    if run[-1] in _CLOSERS and (_GOES_ON.match(rest) or rest[0].islower()):
        return False
    if any(mark in _STOPS for mark in run):
        return True
    dots = run.strip(_CLOSERS)
    if len(dots) > 1 or dots == "…":
        return rest[0].isupper() and not re.match(r"I\b", rest)
    return _full_stop(before, after, rest, language)


def _full_stop(before: str, after: str, rest: str, language: str) -> bool:
    """Whether a single full stop between `before` and `after` ends a sentence."""
    found = _TOKEN.search(before)
    token = found.group() if found else ""
    if after[0].isascii() and after[0].isalnum():  # 3.5, e.g. — but “parts.How” lacks a blank
        return bool(re.search(r"[a-z]{2}$", token)) and bool(re.match(r"[A-Z][a-z ]", after))
    earlier = before[: len(before) - len(token)].strip()
    if _ITEM.fullmatch(token) and not earlier:
        return False
    name = token.casefold()
    if name in _NEVER:
        return False
    if name in _BEFORE_NUMBER:
        return not rest[0].isdigit()
    if name in _BEFORE_SMALL or _DOTTED.fullmatch(token) or language not in ("en", "zh", "und"):
        return not (rest[0].islower() or rest[0].isdigit())
    return not (_initial(token, earlier) and rest[0].isupper())


def _initial(token: str, earlier: str) -> bool:
    """Whether a letter is the initial of a name: John F. Kennedy, Mr. J. Smith."""
    word = re.search(r"[A-Za-z]+\.?$", earlier)
    return bool(re.fullmatch(r"[A-HJ-Z]", token)) and bool(word and word.group()[0].isupper())


def _has_letters(text: str) -> bool:
    return any(letter.isalnum() for letter in text)


def sentence_ends(words: Sequence[Word], language: str) -> list[int]:
    """Indices one past the last word of each sentence; the last one is ``len(words)``.

    A pause of `LONG_PAUSE` ends one in any case. Else the marks count where the words have any,
    and pauses (shorter ones after a Mandarin final particle) where they have none.
    """
    marked = any(punctuated(word.text) for word in words)
    ends = [
        i + 1
        for i, (word, following) in enumerate(pairwise(words))
        if _ends_at(word, following, language, marked)
    ]
    return [*ends, len(words)] if words else []


def _ends_at(word: Word, following: Word, language: str, marked: bool) -> bool:
    pause = following.start - word.end
    if pause >= LONG_PAUSE:
        return True
    if marked:
        return _word_ends(word.text, following.text, language)
    if language == "zh" and _PARTICLE.search(word.text):
        return pause >= COMMA_PAUSE
    return pause >= SENTENCE_PAUSE


def _word_ends(word: str, following: str, language: str) -> bool:
    """The same question for one word: recognisers write a clause that ends in ；or … as one."""
    run = re.search(rf"[{_STOPS}.．…；;]+[{re.escape(_CLOSERS)}]*$", word)
    if run is None:
        return False
    if set(run.group()) & set("；;…") or run.group().count(".") > 1:
        return True
    return _ends(word[: run.start()], run.group(), f" {following}", language)
