"""What the network is shown in one epoch: every lesson once, each time in another guise."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.datasets.talkmoves import STUDENT_TAGS, TEACHER_TAGS, MovesLesson
from models.moves.corruption import bare, word_errors
from models.moves.features import WIDTH, Dense, dense
from models.moves.pairs import Line, Pair, PieceTable, words
from observer.timeline import Role

TEACHER_CODES = tuple(TEACHER_TAGS.values())
STUDENT_CODES = tuple(STUDENT_TAGS.values())
NO_LABEL = -1


@dataclass(frozen=True, slots=True)
class Guise:
    """How likely each disturbance is; drawn per lesson, the hiding of what follows per sentence."""

    punctuated: float = 0.5
    apostrophes: float = 0.5
    """Of the bare showings; the others have none, as TalkMoves' official files."""
    noisy: float = 0.25
    worst: float = 0.3
    """A noisy showing has a word error rate drawn from 0 to this."""
    next_hidden: float = 0.3
    roleless: float = 0.03
    none_kept: float = 0.4
    """Teachers' sentences without a move: this share is shown, with its inverse as weight."""


@dataclass(frozen=True, slots=True)
class Examples:
    """n examples, aligned: pairs, features (n, 64), labels and weights (n,)."""

    pairs: tuple[Pair, ...]
    dense: Dense
    teacher: NDArray[np.int64]
    """Index into TEACHER_CODES, or NO_LABEL."""
    student: NDArray[np.int64]
    asks: NDArray[np.int64]
    teacher_weight: Dense
    asks_weight: Dense

    def __len__(self) -> int:
        return len(self.pairs)


def role_mark(role: Role | None) -> str:
    """The role as features and pairs know it."""
    marks = {Role.TEACHER: "t", Role.STUDENT: "s", Role.CHORAL: "s", Role.GROUP: "s"}
    return "u" if role is None else marks.get(role, "u")


class Vocabulary:
    """Words to put in place of others: drawn as often as they are said, or each alike."""

    def __init__(self, lessons: Sequence[MovesLesson]) -> None:
        self.running = [
            word
            for lesson in lessons
            for sentence in lesson.sentences
            for word in bare(sentence.text).split()
        ]
        self.distinct = sorted(set(self.running))


def draw(
    lessons: Sequence[MovesLesson],
    table: PieceTable,
    vocabulary: Vocabulary,
    guise: Guise,
    seed: Sequence[int],
) -> Examples:
    """One epoch's examples in the order of the lessons."""
    rng = np.random.default_rng(seed)
    parts = [_lesson(lesson, table, vocabulary, guise, rng) for lesson in lessons]
    return _joined([part for part in parts if len(part)])


def _lines(
    lesson: MovesLesson,
    vocabulary: Vocabulary,
    guise: Guise,
    rng: np.random.Generator,
    punctuated: bool,
) -> list[Line]:
    apostrophes = rng.random() < guise.apostrophes
    rate = rng.uniform(0, guise.worst) if rng.random() < guise.noisy else 0.0
    source = vocabulary.running if rng.random() < 0.5 else vocabulary.distinct
    roleless = rng.random() < guise.roleless
    lines = []
    for sentence in lesson.sentences:
        text = sentence.text if punctuated else bare(sentence.text, apostrophes=apostrophes)
        spelt = word_errors(words(text), rate, source, rng)
        lines.append(Line("u" if roleless else role_mark(sentence.role), spelt))
    return lines


def _lesson(
    lesson: MovesLesson,
    table: PieceTable,
    vocabulary: Vocabulary,
    guise: Guise,
    rng: np.random.Generator,
) -> Examples:
    punctuated = bool(rng.random() < guise.punctuated)
    lines = _lines(lesson, vocabulary, guise, rng, punctuated)
    known = rng.random(len(lines)) >= guise.next_hidden
    lucky = rng.random(len(lines)) < guise.none_kept
    features = dense([line.said for line in lines], known)
    teacher, student, weight, shown = [], [], [], []
    for i, sentence in enumerate(lesson.sentences):
        roleless = lines[i].role == "u"
        move = NO_LABEL if roleless else _index(TEACHER_CODES, sentence.teacher_move)
        answer = NO_LABEL if roleless else _index(STUDENT_CODES, sentence.student_move)
        if (move == answer == NO_LABEL and sentence.role is None) or not lines[i].words:
            continue
        plain = sentence.teacher_move == "none"
        if plain and not lucky[i]:
            continue
        shown.append(i)
        teacher.append(move)
        student.append(answer)
        weight.append(1 / guise.none_kept if plain else 1.0)
    return Examples(
        pairs=tuple(table.pair(lines, i, bool(known[i])) for i in shown),
        dense=features[shown],
        teacher=np.array(teacher, np.int64),
        student=np.array(student, np.int64),
        asks=np.array([lesson.sentences[i].asks for i in shown], np.int64),
        teacher_weight=np.array(weight, np.float32),
        asks_weight=np.full(len(shown), 0.1 if punctuated else 0.5, np.float32),
    )


def _index(codes: Sequence[str], code: str | None) -> int:
    return NO_LABEL if code is None else codes.index(code)


def _joined(parts: Sequence[Examples]) -> Examples:
    return Examples(
        pairs=tuple(pair for part in parts for pair in part.pairs),
        dense=np.concatenate([part.dense for part in parts]).reshape(-1, WIDTH),
        teacher=np.concatenate([part.teacher for part in parts]),
        student=np.concatenate([part.student for part in parts]),
        asks=np.concatenate([part.asks for part in parts]),
        teacher_weight=np.concatenate([part.teacher_weight for part in parts]),
        asks_weight=np.concatenate([part.asks_weight for part in parts]),
    )


def batches(
    pairs: Sequence[Pair], room: int, rng: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    """Indices of pairs of like length, at most `room` pieces a batch with padding.

    The pairs are shuffled in blocks and the batches among them.
    """
    lengths = np.array([len(pair) for pair in pairs])
    blocks = np.array_split(rng.permutation(len(pairs)), max(1, len(pairs) // 4096))
    order = np.concatenate([block[np.argsort(lengths[block])] for block in blocks])
    cut: list[NDArray[np.int64]] = []
    start, longest = 0, 0
    for k, index in enumerate(order):
        longest = max(longest, int(lengths[index]))
        if (k + 1 - start) * longest > room and k > start:
            cut.append(order[start:k])
            start, longest = k, int(lengths[index])
    if start < len(order):
        cut.append(order[start:])
    rng.shuffle(cut)
    yield from cut


def of_one_length(pairs: Sequence[Pair], room: int) -> Iterator[NDArray[np.int64]]:
    """Indices of pairs of one length, shortest B first, at most `room` pieces a batch."""
    if not pairs:
        return
    lengths = np.array([(len(pair.b), len(pair)) for pair in pairs])
    order = np.lexsort(lengths.T)
    for alike in np.split(order, np.flatnonzero(np.diff(lengths[order, 1])) + 1):
        most = max(1, room // int(lengths[alike[0], 1]))
        yield from (alike[k : k + most] for k in range(0, len(alike), most))


def padded(
    pairs: Sequence[Pair],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Ids, attention mask and types of n pairs, each (n, longest)."""
    longest = max(len(pair) for pair in pairs)
    ids, mask, types = (np.zeros((len(pairs), longest), np.int64) for _ in range(3))
    for k, pair in enumerate(pairs):
        ids[k, : len(pair)] = pair.a + pair.b
        mask[k, : len(pair)] = 1
        types[k, len(pair.a) : len(pair)] = 1
    return ids, mask, types


def places(pairs: Sequence[Pair]) -> NDArray[np.int64]:
    """Columns of B in `padded`, (n, longest B + 1), with 0 ([CLS]) before and as padding."""
    longest = max(len(pair.b) for pair in pairs)
    out = np.zeros((len(pairs), longest + 1), np.int64)
    for k, pair in enumerate(pairs):
        out[k, 1 : 1 + len(pair.b)] = np.arange(len(pair.a), len(pair))
    return out
