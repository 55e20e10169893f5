"""Mandarin: what sentences of our own must be read as, each for a stated reason."""

import pytest

from models.questions import RuleLabeller
from models.rules import VERSION, load_rules
from models.rules.reading import first_reading, read
from observer.discourse import Label
from observer.timeline import Role
from observer.transcript import Transcript, Utterance

ZH = load_rules("zh")


def form(text: str) -> str:
    return read(text, ZH)["question_form"].code


def lesson(*spoken: tuple[Role | None, str]) -> dict[str, dict[str, str]]:
    """Utterance id ("1", "2" …) → taxonomy → code."""
    utterances = tuple(Utterance(str(i), t, role=r) for i, (r, t) in enumerate(spoken, 1))
    found: dict[str, dict[str, str]] = {}
    for label in RuleLabeller().label(Transcript("zh", utterances)):
        found.setdefault(label.utterance, {})[label.taxonomy] = label.code
    return found


T, S = Role.TEACHER, Role.STUDENT


@pytest.mark.parametrize("table", ["form", "sihe", "demand", "openness", "feedback"])
def test_every_rule_catches_its_own_example(table: str) -> None:
    for rule in ZH.tables[table]:
        if table == "form":
            reading = read(rule.example, ZH)["question_form"]
        else:
            reading = first_reading(ZH.tables[table], ZH.folded(rule.example))
        assert reading.code == rule.code, (rule.name, rule.example, reading)


REAL = [
    "长方形的面积怎么求",
    "你是怎么想出来的",
    "这个词是什么意思",
    "为什么植物要晒太阳",
    "哪个同学愿意上来试一试",
    "它们有什么相同点和不同点",
    "第二小题的答案是多少",
    "大家都写完了吗",
    "能听清楚老师说话吗",
    "还有别的解法吗",
    "作业本带了没有",
    "怎样才能让灯泡更亮",
]
PROMPTS = [
    "请你说说你的理由。",  # no question word, yet an answer is demanded (codebook)
    "你来给大家讲一讲。",
    "请用自己的话概括这一段。",
    "你告诉老师答案。",
]
TAGS = [
    "所以我们先算括号里面的，对不对",
    "大家听明白了吗",
    "我们把书翻到二十页好不好",
    "两边同时除以二，对吧",
    "你看它是不是就变成正方形了",
    "懂了吗",
]
SELF = [
    "什么是分数呢？分数就是把一个整体平均分",
    "为什么会这样呢？因为它受热膨胀了",
    "答案是多少呢？答案是十二",
    "难道我们就不管它了吗",
]
NONE = [
    "请大家把书翻到第三十页",
    "我知道你想说什么",  # embedded interrogative
    "这就是为什么铁会生锈",
    "没有什么问题的话我们就继续",  # 什么 used indefinitely
    "每个人都有几支笔",
    "他几乎没有出错",
    "你回答得非常好",
    "我给大家总结一下",
    "谁都不许说话",
    "你们怎么这么聪明",
]


@pytest.mark.parametrize("ending", ["", "。", "？"])
@pytest.mark.parametrize("text", REAL)
def test_real_questions_with_and_without_punctuation(text: str, ending: str) -> None:
    assert form(text + ending) == "real"


@pytest.mark.parametrize("text", PROMPTS)
def test_spoken_prompts_are_real_questions(text: str) -> None:
    assert form(text) == "real"


@pytest.mark.parametrize("ending", ["", "。", "？"])
@pytest.mark.parametrize("text", TAGS)
def test_tags_seek_agreement_only(text: str, ending: str) -> None:
    assert form(text + ending) == "tag"


@pytest.mark.parametrize("text", SELF)
def test_questions_that_the_speaker_answers(text: str) -> None:
    assert form(text) == "self"


@pytest.mark.parametrize("ending", ["", "。"])
@pytest.mark.parametrize("text", NONE)
def test_question_words_do_not_make_a_question(text: str, ending: str) -> None:
    assert form(text + ending) == "none"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("这一步要变号，对不对？", "tag"),
        ("你觉得小明的算法对不对？", "real"),  # the content of the decision, not a tag
        ("这里是不是就约掉了？", "tag"),
        ("这个三角形是不是直角三角形？", "real"),  # the codebook's own kind of case
        ("这道题怎么做？", "real"),
        ("我们来看看这道题怎么做。", "none"),  # announced, not asked
        ("等于多少呢？等于七。", "self"),
        ("等于多少呢？", "real"),
    ],
)
def test_minimal_pairs(text: str, code: str) -> None:
    assert form(text) == code


@pytest.mark.parametrize(
    ("text", "sihe", "demand", "openness"),
    [
        ("为什么要先通分？", "why", "reason", "open"),
        ("这道题怎么做？", "how", "reason", "open"),
        ("说说你的思路。", "how", "reason", "open"),
        ("这个字怎么读？", "what", "recall", "closed"),  # a fact, not a method
        ("周长是多少厘米？", "what", "recall", "closed"),
        ("如果没有摩擦力会怎么样？", "whatif", None, None),
    ],
)
def test_kinds(text: str, sihe: str, demand: str | None, openness: str | None) -> None:
    readings = read(text, ZH)
    assert readings["sihe"].code == sihe
    assert demand in (None, readings["question_demand"].code)
    assert openness in (None, readings["openness"].code)


@pytest.mark.parametrize("text", ["谁来回答？", "能听到我的声音吗？", "写完了吗？"])
def test_managing_questions_have_no_sihe(text: str) -> None:
    readings = read(text, ZH)
    assert readings["question_demand"].code == "manage"
    assert "sihe" not in readings


def test_only_real_questions_have_kinds() -> None:
    assert set(read("翻到第三页。", ZH)) == {"question_form"}
    assert set(read("是这样的，对吧？", ZH)) == {"question_form"}


def test_elliptical_question_inherits_within_three_turns() -> None:
    labels = lesson((T, "左边的角为什么相等？"), (S, "因为是对顶角。"), (T, "那右边的呢？"))
    assert labels["3"]["question_form"] == "real"
    assert labels["3"]["sihe"] == labels["1"]["sihe"] == "why"


def test_elliptical_question_alone_or_too_late_inherits_nothing() -> None:
    assert lesson((T, "那右边的呢？"))["1"]["sihe"] == "what"
    far = [(T, "左边的角为什么相等？"), (S, "嗯。"), (T, "好。"), (S, "嗯。"), (T, "那右边的呢？")]
    assert lesson(*far)["5"]["sihe"] == "what"  # 4 turns on


@pytest.mark.parametrize(
    ("answer", "reply", "code"),
    [
        ("七十二度", "很好，说得完整。", "praise"),
        ("七十二度", "对。", "praise"),
        ("七十二度", "不对，再想一想。", "negate"),
        ("七十二度", "哦，七十二度。", "repeat"),
        ("七十二度", "你是怎么想到的？", "probe"),
        ("七十二度", "很好，为什么呢？", "probe"),  # the probe carries the exchange on
        ("七十二度", "我们看下一题。", "none"),
    ],
)
def test_feedback_after_a_student(answer: str, reply: str, code: str) -> None:
    assert lesson((T, "这个角多少度？"), (S, answer), (T, reply))["3"]["feedback"] == code


def test_no_feedback_without_a_student_before() -> None:
    labels = lesson((T, "很好。"), (None, "很好。"), (Role.GROUP, "七"), (T, "很好。"))
    assert all("feedback" not in found for found in labels.values())
    assert "3" not in labels  # group work is not read


def test_a_choral_answer_gets_no_label_and_is_answered() -> None:
    labels = lesson((T, "几度？"), (Role.CHORAL, "一百八十度。"), (T, "哦，一百八十度。"))
    assert "2" not in labels
    assert labels["3"]["feedback"] == "repeat"


@pytest.mark.parametrize(
    "reply",
    [
        "很好，说得很完整。",
        "真不错，动手量一量是个好办法。",
        "说得有道理。",
        "真有想法。",
        "理由很清楚，非常好。",  # 理由 alone would ask on
        "太棒了！",
        "不错不错。",
        "这么厉害呀。",
    ],
)
def test_praise_has_many_words(reply: str) -> None:
    assert (
        lesson((T, "为什么相等？"), (S, "因为对折以后重合。"), (T, reply))["3"]["feedback"]
        == "praise"
    )


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ("为什么呢？", "probe"),  # elliptical: it can only ask on
        ("你是怎么知道的？", "probe"),  # points at who answered
        ("为什么对折以后会重合？", "probe"),  # takes up the student's words
        ("为什么天空看上去是蓝色的？", "none"),  # why, but not of this answer
        ("你们同意他的办法吗？为什么？", "none"),  # hands the answer on to the others
    ],
)
def test_a_question_asks_on_only_when_it_is_tied_to_the_answer(asked: str, code: str) -> None:
    labels = lesson((T, "两边相等吗？"), (S, "对折以后重合。"), (T, asked))
    assert labels["3"]["feedback"] == code


def test_praise_of_a_students_question_is_praise() -> None:
    labels = lesson((S, "老师，为什么不一样呢？"), (T, "这个问题提得很好。"))
    assert labels["2"]["feedback"] == "praise"


def test_an_answer_that_something_still_holds_is_no_question() -> None:
    labels = lesson((T, "会变吗？"), (S, "角没有变，所以还是一百八十度。"), (T, "很好。"))
    assert labels["2"]["question_form"] == "none"
    assert labels["3"]["feedback"] == "praise"


def test_an_answer_to_a_students_question_judges_nothing() -> None:
    assert lesson((S, "老师，是先乘除吗？"), (T, "对。"))["2"]["feedback"] == "none"


def test_feedback_ends_with_the_next_question() -> None:
    labels = lesson((S, "七"), (T, "很好。"), (T, "那八乘八等于多少？"), (T, "很好看的一幅图。"))
    assert labels["2"]["feedback"] == "praise"
    assert "feedback" in labels["3"]
    assert "feedback" not in labels["4"]


def test_students_get_the_form_alone() -> None:
    assert lesson((S, "老师，这道题怎么做？"))["1"] == {"question_form": "real"}


def test_traditional_characters_and_half_width_marks() -> None:
    assert form("這個詞是什麼意思?") == "real"
    assert form("聽懂了嗎?") == "tag"


def test_english_inside_mandarin() -> None:
    labels = lesson((T, "What is this called?"), (T, "apple用英语怎么说？"), (T, "OK"))
    assert labels["1"]["question_form"] == "real"
    assert labels["2"] == {
        "question_form": "real",
        "question_demand": "recall",
        "sihe": "what",
        "openness": "closed",
    }
    assert labels["3"]["question_form"] in ("none", "tag")


def test_evidence_points_at_the_words() -> None:
    text = "好，这道题怎么做？"
    reading = read(text, ZH)["sihe"]
    assert text[reading.start : reading.end] == "怎么"


def test_rules_file_is_complete() -> None:
    assert ZH.version == VERSION
    for table, rules in ZH.tables.items():
        assert rules[-1].match.pattern == "", table  # the default takes the rest
        assert len({r.name for r in rules}) == len(rules)


def test_probability_is_laplace_on_the_stored_counts() -> None:
    # 19 right of 20 → (19 + 1) / (20 + 2) = 0.909
    rule = next(r for r in ZH.tables["form"] if r.n)
    assert rule.probability == pytest.approx((rule.right + 1) / (rule.n + 2))
    label = RuleLabeller().label(Transcript("zh", (Utterance("1", rule.example, role=T),)))[0]
    assert label == Label("1", "question_form", rule.code, rule.probability, f"rules-{VERSION}")
