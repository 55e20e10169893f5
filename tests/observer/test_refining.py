"""A transcript beside recognition: times come from the words that were heard.

transcript (aligned)   |--- 你们看到了什么？ ---|        0.0 .. 4.0, approximate
recognised                    你 们 看 到 了 什 么       2.0 .. 3.4, 0.2 s a character
"""

from dataclasses import replace

import pytest

from observer.refining import refined
from observer.transcript import Transcript, Utterance, Word

HEARD = Transcript(
    "zh",
    (
        Utterance(
            "u1",
            "你们看到了什么",
            2.0,
            3.4,
            words=tuple(
                Word(text, 2.0 + 0.4 * i, 2.4 + 0.4 * i if i < 3 else 3.4)
                for i, text in enumerate(("你们", "看到", "了什", "么"))
            ),
        ),
    ),
)
ASKED = Utterance("u1", "你们看到了什么？", 0.0, 4.0, approximate=True)


def transcript(*utterances: Utterance) -> Transcript:
    return Transcript("zh", utterances)


def test_heard_words_give_the_times() -> None:
    better = refined(transcript(ASKED), HEARD)
    (placed,) = better.transcript.utterances
    assert (placed.start, placed.end) == (2.0, 3.4)
    assert placed.text == "你们看到了什么？"
    assert "100 %" in better.note.en


def test_unheard_ends_get_their_share_of_time() -> None:
    """那么 was not heard: seven heard tokens last 1.4 s, so its two reach 0.4 s further back."""
    longer = replace(ASKED, text="那么你们看到了什么？")
    (placed,) = refined(transcript(longer), HEARD).transcript.utterances
    assert placed.start == pytest.approx(2.0 - 2 * 1.4 / 7)
    assert placed.end == pytest.approx(3.4)


def test_other_words_move_nothing() -> None:
    other = replace(ASKED, text="三角形的内角和是多少？")
    better = refined(transcript(other), HEARD)
    assert better.transcript.utterances == (other,)
    assert "0 %" in better.note.en


def test_times_of_its_own_are_kept() -> None:
    timed = replace(ASKED, approximate=False)
    assert refined(transcript(timed), HEARD).transcript.utterances == (timed,)


def test_words_far_away_are_not_this_utterance() -> None:
    far = replace(ASKED, start=60.0, end=64.0)
    assert refined(transcript(far), HEARD).transcript.utterances == (far,)


def test_starts_never_run_backwards() -> None:
    """The sentence before ends up at 3.0 s; a later one found at 2.0 s must not precede it."""
    before = Utterance("u1", "请坐。", 3.0, 3.5)
    after = replace(ASKED, id="u2", start=3.5, end=6.0)
    starts = [u.start for u in refined(transcript(before, after), HEARD).transcript]
    assert starts == sorted(starts)


def test_english_matches_words_not_letters() -> None:
    heard = Transcript(
        "en",
        (Utterance("u1", "why is", 5.0, 6.0, words=(Word("Why", 5.0, 5.4), Word("is", 5.4, 6.0))),),
    )
    asked = Utterance("u1", "Why is it?", 4.0, 8.0, approximate=True)
    (placed,) = refined(Transcript("en", (asked,)), heard).transcript.utterances
    assert placed.start == 5.0
    assert placed.end == pytest.approx(6.0 + 0.5)  # two tokens in 1.0 s: "it" adds 0.5 s


def test_nothing_heard_is_told() -> None:
    assert "0 %" in refined(transcript(ASKED), Transcript("zh")).note.en
