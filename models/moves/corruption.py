"""Recognition errors and missing punctuation, made on purpose: for training and for measuring.

Of a hundred wrong words 35 are left out, 50 replaced and 15 put in; replacements come from a
vocabulary. Real recognition errors sound like what was said, so this is the harsher test.
"""

import re
from collections.abc import Sequence

import numpy as np

DELETED, REPLACED = 0.35, 0.50
_MARK = re.compile(r"[^\w\s]|_")
_KEPT = re.compile(r"[^\w\s']|_")


def word_errors(
    spelt: Sequence[str], rate: float, vocabulary: Sequence[str], rng: np.random.Generator
) -> tuple[str, ...]:
    """The words with each one wrong with probability `rate`; the rest is as it was."""
    if rate <= 0:
        return tuple(spelt)
    hit, kind = rng.random(len(spelt)) < rate, rng.random(len(spelt))
    drawn = rng.integers(0, len(vocabulary), len(spelt))
    out: list[str] = []
    for k, word in enumerate(spelt):
        if not hit[k]:
            out.append(word)
        elif kind[k] >= DELETED + REPLACED:
            out += [word, vocabulary[drawn[k]]]
        elif kind[k] >= DELETED:
            out.append(vocabulary[drawn[k]])
    return tuple(out)


def bare(text: str, *, apostrophes: bool = False) -> str:
    """The text as recognisers without punctuation give it, lower-cased.

    Without `apostrophes` marks vanish ("don't" → "dont", as in TalkMoves' official files); with
    them apostrophes stay and other marks become spaces.
    """
    plain = text.replace("’", "'").lower()
    return _KEPT.sub(" ", plain) if apostrophes else _MARK.sub("", plain)
