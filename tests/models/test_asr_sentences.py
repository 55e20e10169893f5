"""Sentences from punctuation, and from pauses where there is none."""

import pytest

from models.sentences import asks_in_mandarin, punctuate
from observer.sentences import sentence_ends
from observer.transcript import Word, join_text


def said(*pieces: str | float) -> list[Word]:
    """Words of 0.2 s each; a number is a pause before the next word, in seconds."""
    words, now = [], 0.0
    for piece in pieces:
        if isinstance(piece, float):
            now += piece
        else:
            words.append(Word(piece, now, now + 0.2))
            now += 0.2
    return words


def read(words: list[Word], language: str) -> list[str]:
    ends = sentence_ends(words, language)
    return [
        join_text(w.text for w in punctuate(words[a:b], language))
        for a, b in zip([0, *ends], ends, strict=False)
    ]


def test_punctuation_ends_sentences() -> None:
    words = said("同学们", "好，", "今天", "学习", "分数。", "谁", "来", "说？")
    assert read(words, "zh") == ["同学们好，今天学习分数。", "谁来说？"]


def test_a_long_pause_ends_an_utterance_whatever_the_punctuation() -> None:
    assert read(said("因为，", 1.5, "三", "大。"), "zh") == ["因为，", "三大。"]


def test_mandarin_without_punctuation_gets_it_from_pauses_and_particles() -> None:
    # .3 s: a comma; .3 s after a particle: an end; .6 s: an end
    words = said("同学们", 0.3, "我们", "开始", "好", "吗", 0.3, "打开", "书", 0.6, "第三", "页")
    assert read(words, "zh") == ["同学们，我们开始好吗？", "打开书。", "第三页。"]


def test_english_without_punctuation_gets_sentences_from_pauses_and_openings() -> None:
    words = said("what", "is", "a", "half", 0.6, "i", "think", "i'm", "right")
    assert read(words, "en") == ["What is a half?", "I think I'm right."]


def test_abbreviations_and_decimals_do_not_end_a_sentence() -> None:
    words = said("Mr.", "Li", "has", "3.5", "cakes.", "Why?")
    assert read(words, "en") == ["Mr. Li has 3.5 cakes.", "Why?"]


def test_other_languages_are_left_as_they_are() -> None:
    assert read(said("hola", "amigos", 0.7, "vamos"), "es") == ["hola amigos", "vamos"]


def test_no_words_no_sentences() -> None:
    assert sentence_ends([], "zh") == []
    assert punctuate([], "zh") == ()


@pytest.mark.parametrize(
    ("text", "asks"),
    [
        ("你们准备好了吗", True),
        ("这样对不对", True),
        ("三角形有几个角", True),
        ("为什么", True),
        ("老师告诉你们什么是分数", False),
        ("请打开书", False),
        ("那么", False),
    ],
)
def test_questions_without_a_mark(text: str, asks: bool) -> None:
    assert asks_in_mandarin(text) is asks
