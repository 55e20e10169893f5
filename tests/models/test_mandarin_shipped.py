"""The shipped Mandarin weights on sentences of our own, and what a reader must guarantee."""

import json
import threading
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

import models
from models.datasets.mandarin import CODES
from models.mandarin.features import LONGEST, Alphabet, Patterns, coded, grams
from models.mandarin.runtime import LINEAR, NETWORK, SETTINGS, MandarinReader
from models.mandarin.wide import Vocabulary, Wide
from models.predictions import Prediction
from observer.errors import MissingWeights
from observer.taxonomies import TAXONOMIES
from observer.timeline import Role
from observer.transcript import Utterance

WEIGHTS = Path(models.__file__).parent / "weights" / "questions_zh"


@pytest.fixture(scope="module")
def reader() -> MandarinReader:
    return MandarinReader(WEIGHTS)


def read(
    reader: MandarinReader, *said: str, role: Role | None = Role.TEACHER
) -> dict[str, list[str | None]]:
    """Taxonomy → the likeliest code of each sentence, None where it does not apply."""
    found = reader.predict([Utterance(str(i), t, role=role) for i, t in enumerate(said)])
    return {p.taxonomy: [_code(p, i) for i in range(len(said))] for p in found}


def _code(prediction: Prediction, row: int) -> str | None:
    chances = prediction.probabilities[row]
    return None if np.isnan(chances).any() else prediction.codes[int(chances.argmax())]


def test_codes_are_those_of_the_taxonomies() -> None:
    for name, codes in CODES.items():
        assert set(codes) == {c.code for c in TAXONOMIES[name].codes}


FORMS = [
    ("真正的问题", "这个三角形的面积是多少？", "real"),
    ("without marks", "你觉得作者为什么要这样写", "real"),
    ("a prompt without a question word", "请你说一说你的思路。", "real"),
    ("a call", "哪位同学来回答一下？", "real"),
    ("only agreement", "这样就算出来了，对不对？", "tag"),
    ("only agreement", "这个地方听懂了吗", "tag"),
    ("telling", "今天我们学习第三单元的课文。", "none"),
    ("praise", "你这次回答得非常好。", "none"),
]


@pytest.mark.parametrize(("why", "said", "form"), FORMS)
def test_form_of_obvious_sentences(reader: MandarinReader, why: str, said: str, form: str) -> None:
    assert read(reader, said)["question_form"] == [form], why


def test_kinds_of_obvious_questions(reader: MandarinReader) -> None:
    found = read(
        reader, "为什么影子会变长？", "这道题应该怎么做？", "三角形的内角和是多少度？",
        "能听到老师的声音吗？",
    )  # fmt: skip
    assert found["sihe"][:3] == ["why", "how", "what"]
    assert found["question_demand"] == ["reason", "reason", "recall", "manage"]
    assert found["openness"][1:] == ["open", "closed", "closed"]


ACTS = [
    ("commending", "你真棒，给你点个赞。"),
    ("example_giving", "比如说一个苹果分成两半。"),
    ("note_taking", "把这句话记到笔记本上。"),
    ("reviewing", "我们先复习一下上节课的内容。"),
    ("summarization", "最后我们来总结一下今天的重点。"),
    ("none", "所以这里的速度就变成了两倍。"),
]


@pytest.mark.parametrize(("act", "said"), ACTS)
def test_instructional_acts_of_obvious_sentences(
    reader: MandarinReader, act: str, said: str
) -> None:
    assert read(reader, said)["instruction"] == [act]


def test_traditional_characters_are_read_as_simplified(reader: MandarinReader) -> None:
    found = read(reader, "為什麼這個答案是對的？", "为什么这个答案是对的？")
    for name in ("question_form", "sihe"):
        assert found[name][0] == found[name][1]
    assert found["sihe"][0] == "why"


def test_what_is_no_mandarin_sentence_is_left_out(reader: MandarinReader) -> None:
    found = read(reader, "……？！", "", "What is this?", "这个 word 是什么意思？")
    assert found["question_form"] == [None, None, None, "real"]
    assert found["instruction"][:3] == [None, None, None]


@pytest.mark.parametrize(
    ("role", "form", "act"),
    [(Role.TEACHER, True, True), (None, True, True), (Role.STUDENT, True, False),
     (Role.CHORAL, False, False), (Role.GROUP, False, False)],
)  # fmt: skip
def test_who_speaks_decides_what_is_read(
    reader: MandarinReader, role: Role | None, form: bool, act: bool
) -> None:
    found = read(reader, "这是什么图形？", role=role)
    assert (found["question_form"][0] is not None) == form
    for name in ("question_demand", "sihe", "openness", "instruction"):
        assert (found[name][0] is not None) == act


def test_a_sentence_reads_the_same_in_any_batch(reader: MandarinReader) -> None:
    said = [f"第{i}题的答案" + "是" * (i % 30) + "多少" for i in range(600)]
    alone = reader.probabilities([said[7]])["question_form"][0]
    together = reader.predict([Utterance(str(i), t) for i, t in enumerate(said)])[0]
    assert np.allclose(together.probabilities[7], alone, atol=1e-5)


def test_nothing_to_read(reader: MandarinReader) -> None:
    assert [p.probabilities.shape for p in reader.predict([])] == [
        (0, len(codes)) for codes in CODES.values()
    ]


def test_a_very_long_utterance_is_read_at_both_ends(reader: MandarinReader) -> None:
    """The question stands at the end of 5,000 characters of telling."""
    found = read(reader, "我们接着往下看。" * 600 + "那么这道题应该怎么做呢？")
    assert found["question_form"] == ["real"]


def test_progress_and_threads(reader: MandarinReader) -> None:
    fresh = MandarinReader(WEIGHTS)
    said = [Utterance(str(i), "这是什么？") for i in range(1100)]
    shares: list[float] = []
    found: list[list[Prediction]] = []
    threads = [
        threading.Thread(target=lambda: found.append(fresh.predict(said, shares.append)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(shares)[-2:] == [1.0, 1.0]
    first, second = (p[0].probabilities for p in found)
    assert np.array_equal(first, second)


def test_weights_that_are_not_there_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(MissingWeights, match="observer train questions"):
        MandarinReader(tmp_path).predict([Utterance("1", "这是什么？")])


def test_the_folder_is_what_training_sealed() -> None:
    settings = json.loads((WEIGHTS / SETTINGS).read_text("utf-8"))
    for name in (NETWORK, LINEAR):
        assert sha256((WEIGHTS / name).read_bytes()).hexdigest() == settings["sha256"][name]
    size = sum(f.stat().st_size for f in WEIGHTS.iterdir())
    assert size < 30e6  # issue 4: at most 30 MB


def test_patterns_read_back_as_they_were_stored() -> None:
    """Weights keep the rules they were trained with, whatever becomes of the rules."""
    now = Patterns.present()
    again = Patterns.read(json.loads(json.dumps(now.stored())))
    said = ["为什么要先通分？", "对不对", "翻到第三页"]
    assert np.array_equal(now.fired(said), again.fired(said))
    assert now.fired(["为什么要先通分？"]).any()


def test_codes_and_grams_by_hand() -> None:
    """Alphabet 吗=5, 是=6 (more frequent first); 1 unknown, 3 opens, 4 ends."""
    alphabet = Alphabet.of(["吗吗吗", "是是", "是吗"], least=2)
    assert alphabet.characters == "吗是"
    assert coded("是x吗", alphabet.table()) == [3, 6, 1, 5, 4]
    assert len(coded("是" * 500, alphabet.table())) == LONGEST + 2
    rows, keys = grams(["是吗", "是吗"], alphabet.table())
    # "^是吗$" has 4 + 3 + 2 + 1 n-grams of length 1 to 4, in each of three views
    assert [int((rows == r).sum()) for r in (0, 1)] == [30, 30]
    assert np.array_equal(keys[:30], keys[30:])


def test_the_linear_half_by_hand(tmp_path: Path) -> None:
    """One n-gram of weight 2 for the first class and one rule of weight 1 for the second.

    A sentence of that n-gram alone has length 1, so scores are 2 · 1 + bias and .35 · 1.
    """
    vocabulary = Vocabulary(np.array([17]), np.ones(1, np.float32))
    width = sum(map(len, CODES.values()))
    weights = np.zeros((2, width), np.float32)
    weights[0, 0], weights[1, 1] = 2.0, 1.0
    file = tmp_path / "linear.npz"
    Wide(vocabulary, weights, np.full(width, 0.5, np.float32)).save(file)
    from scipy import sparse

    scores = Wide.load(file).scores(sparse.csr_matrix(np.array([[1.0, 0.35]], np.float32)))
    assert scores["question_form"][0].tolist() == pytest.approx([2.5, 0.85, 0.5, 0.5])
