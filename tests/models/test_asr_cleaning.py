"""What recognisers invent is found; what teachers say stays."""

import pytest

from models.cleaning import (
    Dropped,
    Reason,
    doubt,
    is_stock_phrase,
    loops,
    simplified_pieces,
    speech_share,
    to_simplified,
)
from observer.timeline import Span


@pytest.mark.parametrize(
    "text",
    [
        "字幕由 Amara.org 社群提供",
        "请不吝点赞 订阅 转发 打赏支持明镜与点点栏目",
        "請不吝點贊訂閱轉發打賞支持明鏡與點點欄目",
        "谢谢大家观看。",
        "谢谢大家",
        "Thank you.",
        "Thanks for watching!",
        "Subtitles by the community",
        "Bye bye.",
    ],
)
def test_stock_phrases_are_known(text: str) -> None:
    assert is_stock_phrase(text)


@pytest.mark.parametrize(
    "text", ["谢谢你的回答，请坐。", "Thank you, Anna, that is right.", "大家看字幕上的这个词。"]
)
def test_what_teachers_say_is_no_stock_phrase(text: str) -> None:
    assert not is_stock_phrase(text)


def test_a_stock_phrase_is_dropped_only_where_the_evidence_is_thin() -> None:
    # speech 0–2 of the span 0–10: share .2; of 0–2: share 1
    thin, full = Span(0, 10), Span(0, 2)
    speech = [Span(0, 2)]
    assert doubt("Thank you.", thin, speech) is Reason.STOCK_PHRASE
    assert doubt("Thank you.", full, speech) is None
    assert doubt("Thank you.", full, speech, confidence=0.2) is Reason.STOCK_PHRASE
    assert doubt("Thank you.", full, speech, no_speech=0.9) is Reason.STOCK_PHRASE


def test_text_over_silence_is_dropped() -> None:
    # 2 s of speech in 10 s: .20 < .30; in 6 s: .33
    assert doubt("今天学习分数。", Span(0, 10), [Span(0, 2)]) is Reason.LOW_SPEECH
    assert doubt("今天学习分数。", Span(0, 6), [Span(0, 2)]) is None


def test_the_prompt_read_back_is_dropped_even_over_speech() -> None:
    prompt = "以下是普通话的句子。"
    found = doubt("以下是普通话的句子", Span(0, 2), [Span(0, 2)], prompt=prompt)
    assert found is Reason.PROMPT_ECHO


def test_share_of_an_instant_is_whether_speech_is_there() -> None:
    assert speech_share(Span(1, 1), [Span(0, 2)]) == 1
    assert speech_share(Span(3, 3), [Span(0, 2)]) == 0


def test_loops_keep_their_first_saying() -> None:
    pieces = ["我们", "学习，", "我们", "学习，", "我们", "学习。", "好"]
    assert loops(pieces) == [range(2, 6)]


def test_what_is_said_twice_or_chanted_is_no_loop() -> None:
    assert loops(["同学们好"] * 2) == []
    assert loops(["对"] * 5) == []
    assert loops(["对"] * 9) == [range(1, 9)]


def test_traditional_becomes_simplified_piece_by_piece() -> None:
    assert to_simplified("同學們說fraction") == "同学们说fraction"
    assert simplified_pieces(["同學", "們", "說"]) == ["同学", "们", "说"]


def test_what_was_dropped_can_be_told_in_both_languages() -> None:
    note = Dropped(3.0, 4.5, "谢谢大家", Reason.STOCK_PHRASE).note
    assert "3.0–4.5 s" in note.en
    assert "谢谢大家" in note.en
    assert "3.0–4.5 s" in note.zh
