"""Marks for recognised sentences that came without: by pauses, particles and opening words.

Whisper's Mandarin often comes without punctuation (turbo especially), pocketsphinx has none.
What is added here is a reading aid, not heard. Where sentences end: `observer.sentences`.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from observer.sentences import COMMA_PAUSE, punctuated
from observer.transcript import Word, join_text

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


def punctuate(sentence: Sequence[Word], language: str) -> tuple[Word, ...]:
    """The words of one sentence with the marks that its pauses and its wording suggest.

    Text that has any mark, and languages other than Mandarin and English, stay as they are.
    """
    words = list(sentence)
    if not words or any(punctuated(word.text) for word in words):
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
