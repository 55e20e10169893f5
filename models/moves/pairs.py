"""The text of one example: what was said before (A) and the sentence with what follows (B).

    [CLS] the other role's last sentence + the one before [SEP] t : sentence [SEP] s : next [SEP]

Word pieces are looked up word by word and kept, so that a lesson is cut into pieces once and
not once for every example in which a sentence stands.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from models.moves.features import Said, last_other

Pieces = tuple[int, ...]
MAX_PIECES = 112
OTHER_WORDS, EARLIER_WORDS, BEFORE_WORDS, WORDS, NEXT_WORDS = 12, 8, 14, 45, 8
"""Words kept of: the other role's last sentence, the one two back, the one before (last words),
the sentence itself, the next (first words)."""
_LONGEST = (18, 20, 64, 14)
"""Pieces kept of other or earlier, before, sentence, next: a word may have many pieces."""
_NO_LETTER = re.compile(r"[^\w]|_")


def words(text: str) -> tuple[str, ...]:
    """Lower-cased words as written, with their punctuation."""
    return tuple(text.replace("’", "'").lower().split())


def tokens(spelt: Sequence[str]) -> tuple[str, ...]:
    """The words without anything but letters and digits, for the overlap features."""
    bare = (w if w.isalnum() else _NO_LETTER.sub("", w) for w in spelt)
    return tuple(w for w in bare if w)


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence of a lesson, ready to be paired."""

    role: str
    """"t", "s" or "u", as in features.Said."""
    words: tuple[str, ...]

    @property
    def said(self) -> Said:
        """What the dense features see of it."""
        return Said(self.role, tokens(self.words))


@dataclass(frozen=True, slots=True)
class Pair:
    """Piece numbers of one example: A with [CLS] and [SEP], B with its last [SEP]."""

    a: Pieces
    b: Pieces

    def __len__(self) -> int:
        return len(self.a) + len(self.b)


class PieceTable:
    """Word pieces of a tokenizer.json (lower-cased WordPiece), one word at a time."""

    def __init__(self, tokenizer: Path) -> None:
        """Load the file; raises ValueError when it holds no BERT special tokens."""
        from tokenizers import Tokenizer

        table = Tokenizer.from_file(str(tokenizer))
        table.no_truncation()
        table.no_padding()
        found = (table.token_to_id(t) for t in ("[CLS]", "[SEP]", "[MASK]"))
        numbers = [number for number in found if number is not None]
        if len(numbers) < 3:
            raise ValueError(f"{tokenizer} has no [CLS], [SEP] and [MASK]")
        self.cls, self.sep, self.unknown = numbers
        self._of: Callable[[str], Pieces] = lru_cache(1 << 16)(
            lambda word: tuple(table.encode(word, add_special_tokens=False).ids)
        )
        self._marks = {role: self._of(role) + self._of(":") for role in "tsu"}

    def pieces(self, spelt: Sequence[str]) -> Pieces:
        """Pieces of the words, in order."""
        return tuple(piece for word in spelt for piece in self._of(word))

    def _marked(self, line: Line, spelt: Sequence[str], longest: int, *, end: bool) -> Pieces:
        found = self.pieces(spelt)
        return self._marks[line.role] + (found[-longest:] if end else found[:longest])

    def pair(self, lines: Sequence[Line], i: int, known: bool) -> Pair:
        """The example of sentence i; what follows is [MASK] when unknown or not there."""
        far, near, this, after = _LONGEST
        a: Pieces = ()
        other = last_other([x.role for x in lines[max(0, i - 7) : i + 1]], min(i, 7))
        if other is not None and (j := other + max(0, i - 7)) != i - 1:
            a += self._marked(lines[j], lines[j].words[-OTHER_WORDS:], far, end=True)
        elif i > 1:
            a += self._marked(lines[i - 2], lines[i - 2].words[-EARLIER_WORDS:], far, end=True)
        if i:
            a += self._marked(lines[i - 1], lines[i - 1].words[-BEFORE_WORDS:], near, end=True)
        b = (*self._marked(lines[i], lines[i].words[:WORDS], this, end=False), self.sep)
        if known and i + 1 < len(lines):
            line = lines[i + 1]
            b += self._marked(line, line.words[:NEXT_WORDS], after, end=False)
        else:
            b += (self.unknown,)
        room = MAX_PIECES - 3 - len(b)
        return Pair((self.cls, *a[max(0, len(a) - room) :], self.sep), (*b, self.sep))
