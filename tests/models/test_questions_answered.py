"""A question that the teacher answers in the next sentence, in minimal pairs of one change."""

import pytest

from models.questions import RuleLabeller
from models.rules import load_rules
from observer.timeline import Role
from observer.transcript import Transcript, Utterance

T, S, C = Role.TEACHER, Role.STUDENT, Role.CHORAL


def forms(language: str, *spoken: tuple[Role | None, str], gap: float | None = None) -> list[str]:
    """Form of every utterance ("" where none is read); `gap` seconds apart, or no times."""
    utterances = []
    for i, (role, text) in enumerate(spoken):
        start = None if gap is None else i * (2.0 + gap)
        end = None if start is None else start + 2.0
        utterances.append(Utterance(str(i), text, start, end, role=role))
    labels = RuleLabeller().label(Transcript(language, tuple(utterances)))
    found = {x.utterance: x.code for x in labels if x.taxonomy == "question_form"}
    return [found.get(u.id, "") for u in utterances]


ANSWERED = [
    ("zh", "什么叫质数呢？", "就是只有两个因数的数。"),  # an answer's opening
    ("zh", "为什么会生锈呢？", "因为铁碰到了水和空气。"),
    ("zh", "上节课我们学到了什么？", "我们学到了梯形的面积公式。"),  # the frame comes back
    ("zh", "正方体有几个面？", "正方体有六个面。"),
    ("zh", "长方形的面积变了吗？", "长方形的面积没有变。"),  # yes or no, restated
    ("zh", "什么叫质数呢？", "就是只有两个因数的数，对吧？"),  # told with a tag
    ("en", "What does this sign mean?", "It means that both sides are equal."),
    ("en", "Why does iron rust?", "Because it meets water and air."),
    ("en", "What did we learn last week?", "We did learn last week how plants drink."),
    ("en", "How many faces are there?", "There are six."),
]
OPEN = [
    ("zh", "正方体有几个面？", "谁来说一说？"),  # a call
    ("zh", "正方体有几个面？", "请坐。"),  # a direction
    ("zh", "正方体有几个面？", "正方体有几个面呢？"),  # asked again
    ("zh", "正方体有几个面？", "正方体大家都见过。"),  # addresses the class
    ("zh", "正方体有几个面？", "再数一数它的面。"),
    ("zh", "正方体有几个面？", "因为上次没讲完。"),  # 因为 answers no 几
    ("zh", "什么叫质数呢？", "它又叫什么呢？"),  # a follow-on question
    ("zh", "这个角几度？", "很好，六十度。"),  # praise: somebody answered unheard
    ("zh", "写完了吗？", "写完的放下笔。"),  # managing
    ("zh", "你们觉得为什么呢？", "是因为……"),  # asks for their view, breaks off
    ("zh", "说说你的理由。", "就是为什么选它。"),  # a demand to speak
    ("en", "What does this sign mean?", "Who can tell me?"),
    ("en", "What does this sign mean?", "Look at the board."),
    ("en", "What does this sign mean?", "What is the meaning of this sign?"),
    ("en", "What does this sign mean?", "It is your turn, Sam."),
    ("en", "How many faces are there?", "Because we forgot."),
    ("en", "What does this sign mean?", "That's right."),
    ("en", "What do you think it means?", "It is a long word."),
    ("en", "Are you ready?", "We are ready."),
]


@pytest.mark.parametrize("gap", [None, 0.0, 1.0])
@pytest.mark.parametrize(("language", "asked", "said"), ANSWERED)
def test_the_next_sentence_answers(language: str, asked: str, said: str, gap: float) -> None:
    assert forms(language, (T, asked), (T, said), gap=gap)[0] == "self"


@pytest.mark.parametrize("gap", [None, 0.0])
@pytest.mark.parametrize(("language", "asked", "said"), OPEN)
def test_the_question_stays_open(language: str, asked: str, said: str, gap: float | None) -> None:
    assert forms(language, (T, asked), (T, said), gap=gap)[0] == "real"


@pytest.mark.parametrize(("language", "asked", "said"), ANSWERED)
def test_a_pause_a_student_or_another_voice_between_leaves_it_real(
    language: str, asked: str, said: str
) -> None:
    assert forms(language, (T, asked), (T, said), gap=1.6)[0] == "real"
    assert forms(language, (T, asked), (S, "…"), (T, said))[0] == "real"
    assert forms(language, (T, asked), (S, said))[0] == "real"
    assert forms(language, (T, asked), (Role.GROUP, ""), (T, said))[0] == "real"
    assert forms(language, (None, asked), (None, said))[0] == "real"  # whose words is not known


def test_a_student_who_speaks_next_shows_that_it_was_a_hint() -> None:
    told = (T, "正方体有几个面？"), (T, "正方体就是魔方的形状。")
    assert forms("zh", *told, (S, "六个。"))[0] == "real"
    assert forms("zh", *told, (T, "长方体又有几个面？"), (S, "六个。"))[:3] == [
        "self",
        "none",
        "real",
    ]
    tag = (T, "什么叫质数呢？"), (T, "就是只有两个因数的数，对吧？")
    assert forms("zh", *tag, (C, "对。"))[:2] == ["self", "tag"]  # they speak to the tag


def test_asked_twice_and_then_answered_is_self_twice() -> None:
    twice = (T, "几条边？"), (T, "有几条边？")
    assert forms("zh", *twice, (T, "就是三条边。"))[:2] == ["self", "self"]
    twice = (T, "正方体有几个面？"), (T, "正方体一共有几个面？")
    assert forms("zh", *twice, (T, "正方体一共有六个面。")) == ["self", "self", "none"]
    assert forms("zh", *twice, (S, "六个。"))[:2] == ["real", "real"]


def test_two_teachers_do_not_answer_themselves() -> None:
    def labels(second: str) -> list[str]:
        spoken = (
            Utterance("1", "什么叫质数呢？", role=T, speaker="A"),
            Utterance("2", "就是只有两个因数的数。", role=T, speaker=second),
        )
        return [x.code for x in RuleLabeller().label(Transcript("zh", spoken))]

    assert labels("A") == ["self", "none"]
    assert labels("B")[0] == "real"


def test_kinds_belong_to_real_questions_only_and_the_rule_is_named() -> None:
    spoken = (Utterance("1", "为什么会生锈？", role=T), Utterance("2", "因为有水。", role=T))
    first = RuleLabeller().readings(Transcript("zh", spoken))[0]
    assert set(first) == {"question_form"}
    assert first["question_form"].rule == "context.answered"
    assert first["question_form"].probability == load_rules("zh").answer.probability


@pytest.mark.parametrize(
    ("language", "asked", "wrong", "no", "again", "other"),
    [
        ("zh", "这个三角形有几条边？", "四条。", "不对。", "到底有几条边？", "下课几点？"),
        ("en", "How many edges has it?", "Four.", "Not quite.", "How many edges?", "Who is next?"),
    ],
)
def test_the_same_question_after_a_correction_asks_on(
    language: str, asked: str, wrong: str, no: str, again: str, other: str
) -> None:
    def feedback(last: str) -> str:
        said = ((T, asked), (S, wrong), (T, no), (T, last))
        spoken = tuple(Utterance(str(i), t, role=r) for i, (r, t) in enumerate(said))
        labels = RuleLabeller().label(Transcript(language, spoken))
        return {x.utterance: x.code for x in labels if x.taxonomy == "feedback"}["3"]

    assert feedback(again) == "probe"
    assert feedback(other) == "none"
