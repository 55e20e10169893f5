"""Words into sentences: by punctuation where there is some, else by pauses and particles.

Whisper's Mandarin often comes without punctuation (turbo especially), pocketsphinx has none.
What is added here is a reading aid derived from pauses, particles and opening words, not heard.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final

from observer.timeline import Seconds
from observer.transcript import Word, join_text

LONG_PAUSE: Final[Seconds] = 1.0
"""A pause that ends an utterance whatever the punctuation: another voice may follow."""
SENTENCE_PAUSE: Final[Seconds] = 0.5
"""A pause that ends a sentence in text without punctuation."""
COMMA_PAUSE: Final[Seconds] = 0.25

_END = re.compile(r"[。！？!?；;…][”’\"')）】]*$|(?<!\.)\.[”’\"')）】]*$|\.{3,}$")
_ABBREVIATION = re.compile(r"^(?:[A-Za-z]|mr|mrs|ms|dr|st|prof|vs|no|fig|e\.g|i\.e)\.$", re.I)
_MARK = re.compile(r"[。！？，、；：,.!?;:]")

_PARTICLE = re.compile(r"(?:吗|嘛|呢|吧|啊|呀|啦|哦|了)$")
_TAG = re.compile(r"(?:对不对|是不是|好不好|行不行|可不可以|能不能|有没有|懂不懂|会不会)$")
_ASKING = re.compile(r"谁|什么|怎么|怎样|为何|哪|几[个只条次岁点]|多少")
_REPORTED = re.compile(r"知道|告诉|明白|不管|无论|什么的|没什么|看看|说说|想想")

_ENGLISH_QUESTION = re.compile(
    r"^(?:so |and |now |but |well |okay |ok )*"
    r"(?:who|whose|what|which|when|where|why|how"
    r"|(?:do|does|did|is|are|was|were|can|could|will|would|should|has|have|had|shall|may)"
    r" (?:i|you|we|they|he|she|it|there|this|that|these|those|the|anyone|anybody|someone)"
    r")\b"
)
_FIRST_PERSON = re.compile(r"^i(?=$|')")


def sentence_ends(words: Sequence[Word], language: str) -> list[int]:
    """Indices one past the last word of each sentence; the last one is ``len(words)``."""
    punctuated = any(_MARK.search(word.text) for word in words)
    ends = [
        i + 1
        for i, (word, following) in enumerate(pairwise(words))
        if _ends_here(word, following.start - word.end, language, punctuated)
    ]
    return [*ends, len(words)] if words else []


def _ends_here(word: Word, pause: Seconds, language: str, punctuated: bool) -> bool:
    if pause >= LONG_PAUSE:
        return True
    if punctuated:
        return bool(_END.search(word.text)) and not _ABBREVIATION.match(word.text)
    if language == "zh" and _PARTICLE.search(word.text):
        return pause >= COMMA_PAUSE
    return pause >= SENTENCE_PAUSE


def punctuate(sentence: Sequence[Word], language: str) -> tuple[Word, ...]:
    """The words of one sentence with the marks that its pauses and its wording suggest.

    Text that has any mark, and languages other than Mandarin and English, stay as they are.
    """
    words = list(sentence)
    if not words or any(_MARK.search(word.text) for word in words):
        return tuple(words)
    if language == "zh":
        for i, following in enumerate(words[1:]):
            if following.start - words[i].end >= COMMA_PAUSE:
                words[i] = replace(words[i], text=words[i].text + "，")
        mark = "？" if asks_in_mandarin(join_text(w.text for w in sentence)) else "。"
    elif language == "en":
        asks = _ENGLISH_QUESTION.match(join_text(w.text for w in words).lower())
        words = [replace(w, text=_FIRST_PERSON.sub("I", w.text)) for w in words]
        words[0] = replace(words[0], text=words[0].text[:1].upper() + words[0].text[1:])
        mark = "?" if asks else "."
    else:
        return tuple(words)
    words[-1] = replace(words[-1], text=words[-1].text + mark)
    return tuple(words)


def asks_in_mandarin(text: str) -> bool:
    """Whether an unpunctuated Mandarin sentence reads as a question."""
    if text.endswith(("吗", "么")) and not text.endswith(("什么的", "那么", "这么")):
        return True
    if _TAG.search(text):
        return True
    return bool(_ASKING.search(text)) and not _REPORTED.search(text)
