"""Sentences from marks: where each rule says they end, and that no character is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observer.sentences import sentence_ends, sentences
from observer.transcript import Word

CASES = {
    "a turn of the fixture lesson": (
        "zh",
        "请坐。|今天我们一起来研究三角形。|请看黑板，三角形有几条边，几个角？",
    ),
    "runs of marks stay together": ("zh", "为什么？！|真的！！！|对。"),
    "a semicolon divides a sentence, it does not end it": ("zh", "第一，画图；第二，量角。|好。"),
    "hesitation": ("zh", "嗯……三条边。|那么……对。"),
    "a closing quotation mark": ("zh", "他问：“为什么？”|你们怎么想？"),
    "words that follow the quotation": ("zh", "“为什么？”他问。|谁来说？"),
    "two sentences quoted in one": ("zh", "题目问：“有几条边？有几个角？”|谁来读？"),
    "a whole turn in quotation marks": ("zh", "“大家好。|今天讲三角形。”"),
    "corner brackets": ("zh", "我说「好。」|你呢？"),
    "an aside in brackets": ("zh", "三角形（有几条边？）有三条边。|好。"),
    "a stage direction before a sentence": ("zh", "很好。|（学生鼓掌）下面看黑板。"),
    "a stage direction that is a sentence": ("zh", "（学生举手。）|好，你来说。"),
    "straight marks that open and close": ("zh", '对。|"为什么？"|谁来说？'),
    "decimals": ("zh", "等于3.5。|还是3.14？"),
    "Western marks without blanks": ("zh", "为什么?|因为。|选A.|那么呢?"),
    "titles": ("en", "Mr. Li and Mrs. Wu have 3.5 cakes.|Why?"),
    "e.g., i.e., vs.": ("en", "Take a fraction, e.g. three quarters.|One vs. two."),
    "No. as a word and as a number": ("en", "No.|Count them again.|Look at No. 5 here."),
    "a.m. in and at the end": ("en", "At 9 a.m. we begin.|It ends at 10 a.m.|Then we go."),
    "list numbers": ("en", "1. Open your books.|2. Read."),
    "initials, and a letter that ends": ("en", "John F. Kennedy said it.|Look at A.|Now B."),
    "ellipsis before small and capital letter": ("en", "It is... one half.|Well...|Next one."),
    "a quotation that goes on": ("en", '"Stop!" he said.|Then "Why? Because." and so on.'),
    "a missing blank": ("en", "Four parts.|How many?"),
    "no marks at all": ("zh", "好我们开始上课今天讲三角形"),
    "small letters, another language": ("fr", "Voir p. 5, etc. et la suite.|Oui."),
}


@pytest.mark.parametrize("case", CASES)
def test_where_sentences_end(case: str) -> None:
    language, marked = CASES[case]
    expected = marked.split("|")
    joint = "" if language == "zh" or case == "a missing blank" else " "
    assert sentences(joint.join(expected), language) == expected


def test_nothing_but_marks() -> None:
    """Marks alone are no sentence of their own, but they are not lost either."""
    assert sentences("？！", "zh") == ["？！"]
    assert sentences("好。……", "zh") == ["好。……"]
    assert sentences("  ", "zh") == []


PIECES = ["好", "三角形", "为什么", "3.5", "Mr", "e.g", "No", "A", " ", "。", "？", "！", "；", "…"]
PIECES += [".", "?", "!", "“", "”", "（", "）", '"', "'", "，", "I think", "how", "Now", "「", "」"]
texts = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)


def bare(text: str) -> str:
    return "".join(text.split())


@given(texts, st.sampled_from(["zh", "en", "und", "es"]))
def test_no_character_is_lost_added_or_moved(text: str, language: str) -> None:
    found = sentences(text, language)
    assert bare("".join(found)) == bare(text)
    assert all(piece == piece.strip() != "" for piece in found)
    if len(found) > 1:
        assert all(any(c.isalnum() for c in piece) for piece in found)


@given(texts)
def test_a_sentence_is_one_sentence(text: str) -> None:
    """Cutting again finds nothing new, save in quoted text that now stands alone."""
    for piece in sentences(text, "zh"):
        if not set(piece) & set("“”（）\"'「」"):
            assert len(sentences(piece, "zh")) == 1


def test_long_hostile_text_takes_linear_time() -> None:
    """Quadratic work on 200,000 characters would take minutes; this takes under a second each."""
    for text in ("(好。" * 50_000, "“" * 200_000, " . " * 60_000, '".' * 100_000):
        assert bare("".join(sentences(text, "zh"))) == bare(text)


def test_words_end_sentences_as_text_does() -> None:
    """The same exceptions hold for recognised words: Mr. and 3.5 go on, cakes. does not."""
    words = [
        Word(w, i * 0.3, i * 0.3 + 0.3)
        for i, w in enumerate("Mr. Li has 3.5 cakes. No. Why?".split())
    ]
    assert sentence_ends(words, "en") == [5, 6, 7]
