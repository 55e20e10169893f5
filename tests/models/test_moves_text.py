"""What the network is given: the pair, the overlap features, and the disturbances of training."""

from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

from models.moves.corruption import bare, word_errors
from models.moves.examples import batches, of_one_length
from models.moves.features import WIDTH, Said, dense, shares
from models.moves.pairs import MAX_PIECES, Line, Pair, PieceTable, tokens, words

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


@pytest.fixture
def tokenizer(tmp_path: Path) -> Path:
    letters = "abcdefghijklmnopqrstuvwxyz0123456789:?.'"
    pieces = [*SPECIAL, *letters, *(f"##{x}" for x in letters), "four", "two", "and"]
    made = Tokenizer(WordPiece({p: i for i, p in enumerate(pieces)}, unk_token="[UNK]"))
    made.normalizer = BertNormalizer(lowercase=True)
    made.pre_tokenizer = BertPreTokenizer()
    made.save(str(tmp_path / "tokenizer.json"))
    return tmp_path / "tokenizer.json"


def lines(*said: str) -> list[Line]:
    """ "t Why?" → a teacher's line."""
    return [Line(text[0], words(text[2:])) for text in said]


def shown(tokenizer: Path, pair: Pair) -> tuple[str, str]:
    back = Tokenizer.from_file(str(tokenizer))
    return tuple(" ".join(back.id_to_token(k) for k in part) for part in (pair.a, pair.b))


def test_pair_holds_the_other_role_what_came_before_and_what_follows(tokenizer: Path) -> None:
    """Sentence 2 is the teacher's; the last student's is 0, before it comes the teacher's 1."""
    lesson = lines("s Two", "t and", "t Four?", "s four and")
    a, b = shown(tokenizer, PieceTable(tokenizer).pair(lesson, 2, known=True))
    assert a == "[CLS] s : two t : and [SEP]"
    assert b == "t : four ? [SEP] s : four and [SEP]"


def test_what_follows_is_a_mask_when_unknown_and_at_the_end(tokenizer: Path) -> None:
    lesson = lines("s Two", "t Four")
    table = PieceTable(tokenizer)
    assert shown(tokenizer, table.pair(lesson, 0, known=False))[1] == "s : two [SEP] [MASK] [SEP]"
    assert shown(tokenizer, table.pair(lesson, 1, known=True))[1] == "t : four [SEP] [MASK] [SEP]"


def test_the_sentence_before_stands_once(tokenizer: Path) -> None:
    """Where the other role spoke last, the one two back takes its place."""
    lesson = lines("t and", "s Two", "t Four")
    a, _ = shown(tokenizer, PieceTable(tokenizer).pair(lesson, 2, known=True))
    assert a == "[CLS] t : and s : two [SEP]"


def test_endless_words_stay_within_the_bound(tokenizer: Path) -> None:
    lesson = lines(*(f"{role} {'x' * 90} " * 60 for role in "tstst"))
    table = PieceTable(tokenizer)
    assert max(len(table.pair(lesson, i, known=True)) for i in range(5)) <= MAX_PIECES


def test_tokens_have_no_marks() -> None:
    assert tokens(words("Don’t — you, 3/4?")) == ("dont", "you", "34")


def test_shares_by_hand() -> None:
    """{a b c} in {b c d e}: 2 of 3; back 2 of 4."""
    assert shares(frozenset("abc"), frozenset("bcde")) == (2 / 3, 2 / 4)
    assert shares(frozenset(), frozenset("b")) == (0.0, 0.0)


def test_overlap_with_the_student_before() -> None:
    """The teacher says "it is four", the student had said "four": 1 of 3 words, and all of hers."""
    said = [Said("s", ("four",)), Said("t", ("it", "is", "four"))]
    row = dense(said, np.array([True, True]))[1]
    before = row[:6]  # containment both ways, equal, part of, contains, present
    assert before == pytest.approx([1 / 3, 1, 0, 0, 1, 1])
    assert row[6:12] == pytest.approx(before), "the last student's is the same sentence"
    assert row[24:30] == pytest.approx(np.zeros(6)), "nothing follows"


def test_what_follows_leaves_no_trace_when_unknown() -> None:
    """Live use: the features are the same whatever comes next."""
    one = [Said("s", ("four",)), Said("t", ("why",)), Said("s", ("because", "why"))]
    other = [*one[:2], Said("t", ("so",)), Said("t", ("what",))]
    hidden = [dense(x, np.zeros(len(x), bool))[1] for x in (one, other)]
    assert (hidden[0] == hidden[1]).all()
    open_ = [dense(x, np.ones(len(x), bool))[1] for x in (one, other)]
    assert (open_[0] != open_[1]).any()


def test_characters_do_as_well_as_words() -> None:
    """Mandarin: tokens are characters; 四个 repeated is contained."""
    said = [Said("s", tuple("四个")), Said("t", tuple("对是四个"))]
    row = dense(said, np.ones(2, bool))[1]
    assert row.shape == (WIDTH,)
    assert row[:2] == pytest.approx([2 / 4, 1])


def test_an_empty_lesson_has_no_features() -> None:
    assert dense([], np.zeros(0, bool)).shape == (0, WIDTH)


def test_word_errors_keep_their_shares() -> None:
    """At rate .2, of n words .2·.35 n vanish and .2·.15 n come in: length n (1 − .04)."""
    said = [f"w{k}" for k in range(20_000)]
    out = word_errors(said, 0.2, ["x"], np.random.default_rng(0))
    put = out.count("x")  # replaced .1 and inserted .03
    assert put / len(said) == pytest.approx(0.13, abs=0.01)
    assert len(out) / len(said) == pytest.approx(0.96, abs=0.01)
    assert word_errors(said, 0.2, ["x"], np.random.default_rng(0)) == out
    assert word_errors(said, 0.0, ["x"], np.random.default_rng(0)) == tuple(said)


def test_bare_text() -> None:
    assert bare("Don’t you, 3/4?") == "dont you 34"
    assert bare("Don’t you?", apostrophes=True).split() == ["don't", "you"]


def test_batches_take_every_pair_once_within_the_room() -> None:
    pairs = [Pair((1,) * (k % 17 + 1), (2,)) for k in range(200)]
    for cut in (
        list(batches(pairs, 60, np.random.default_rng(0))),
        list(of_one_length(pairs, 60)),
    ):
        assert sorted(int(k) for part in cut for k in part) == list(range(200))
        assert all(len(part) * max(len(pairs[k]) for k in part) <= 60 for part in cut)


def test_pairs_that_are_read_together_have_one_length() -> None:
    """Lengths 5 (thrice) and 4; room for two of five pieces; the shortest B first; one pair that
    fills more than the room goes alone."""
    pairs = [
        Pair((1,), (2,) * 4),
        Pair((1,) * 3, (2,)),
        Pair((1,) * 4, (2,)),
        Pair((1, 1), (2,) * 3),
    ]
    assert [part.tolist() for part in of_one_length(pairs, 10)] == [[1], [2, 3], [0]]
    assert [part.tolist() for part in of_one_length(pairs[:1], 2)] == [[0]]
    assert list(of_one_length([], 10)) == []
