"""Whisper's pieces into words: Simplified characters, whole Latin words, marks attached."""

from collections.abc import Sequence
from typing import Final

from models.cleaning import simplified_pieces
from models.whisper_words import TimedWord

_CLOSING: Final = frozenset("\"'”’.。,，!！?？:：;；…)）]】}、》」』")
_OPENING: Final = frozenset("\"'“‘¿([{（【《「『")


def assemble(pieces: Sequence[TimedWord], language: str) -> list[TimedWord]:
    """Words without blanks around them, in order.

    In Mandarin, Whisper's tokenizer cuts at every character and also inside code-switched
    English words; those are joined again. A closing mark goes to the word before it and leaves
    that word's time as it was, an opening mark to the word after it.
    """
    texts = [piece.text for piece in pieces]
    if language == "zh":
        texts = simplified_pieces(texts)
    words: list[TimedWord] = []
    opening = ""
    for decoded, piece in zip(texts, pieces, strict=True):
        text = decoded.replace("\ufffd", "")  # half a character, left by a broken decode
        bare = text.strip()
        if not bare:
            continue
        last = words[-1] if words else None
        if last and not opening and all(c in _CLOSING for c in bare):
            words[-1] = TimedWord(last.text + bare, last.start, last.end, last.probability)
        elif all(c in _OPENING for c in bare):
            opening += bare
        elif last and not opening and _continues(last.text, text):
            words[-1] = TimedWord(
                last.text + bare, last.start, piece.end, _lower(last.probability, piece.probability)
            )
        else:
            words.append(TimedWord(opening + bare, piece.start, piece.end, piece.probability))
            opening = ""
    return words


def _continues(before: str, piece: str) -> bool:
    """Whether `piece` goes on with the Latin word or number that `before` ends with."""
    joined = before[-1].isascii() and piece[0].isascii()
    return joined and not piece[0].isspace() and before[-1] not in "!?"


def _lower(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else min(a, b)
