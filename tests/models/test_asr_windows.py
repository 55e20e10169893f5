"""Windows: every second of speech in exactly one, none too long, cut where it is quiet."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.asr_windows import quietest, trimmed, windows
from observer.media import Audio
from observer.timeline import Span, total, union


def silence(seconds: float) -> Audio:
    return Audio(np.zeros(round(seconds * Audio.RATE), dtype=np.int16))


def test_near_speech_is_joined_and_far_speech_is_not() -> None:
    #  0    2   3    5         9   10
    #  |----|   |----|         |----|      pauses of 1 s (joined) and 4 s (not)
    found = windows(silence(12), [Span(0, 2), Span(3, 5), Span(9, 10)])
    assert [(w.start, w.end) for w in found] == [(0, 5), (9, 10)]
    assert found[0].speech == (Span(0, 2), Span(3, 5))
    assert found[0].speech_share == pytest.approx(4 / 5)


def test_a_long_run_is_cut_at_its_longest_pause_after_half_a_window() -> None:
    # 0      8 9          20.5 22    24 24.5      34     longest pause from 12.5 s on: 20.5–22
    # |------| |----------|    |-----|  |---------|
    speech = [Span(0, 8), Span(9, 20.5), Span(22, 24), Span(24.5, 34)]
    found = windows(silence(40), speech)
    assert [(w.start, w.end) for w in found] == [(0, 20.5), (22, 34)]


def test_speech_without_a_pause_is_cut_where_it_is_quietest() -> None:
    noise = np.random.default_rng(0).normal(scale=0.1, size=40 * Audio.RATE)
    noise[round(18.0 * Audio.RATE) : round(18.1 * Audio.RATE)] *= 0.01
    found = windows(Audio.of(noise), [Span(0, 40)])
    assert found[0].end == pytest.approx(18.05, abs=0.02)
    assert found[1].start == found[0].end
    assert max(w.end - w.start for w in found) <= 25


def test_padding_stays_in_the_audio_and_never_reaches_a_neighbour() -> None:
    # 0.1 s before the first word, 0.1 s between a cut, 5 s at the end
    found = windows(silence(16), [Span(0.1, 5), Span(5.1, 10)], longest=6, pad=0.2)
    assert found[0].heard == Span(0.0, 5.05)
    assert found[1].heard == Span(5.05, 10.2)


def test_speech_outside_the_audio_is_left_out() -> None:
    assert windows(silence(3), [Span(-2, -1), Span(4, 5)]) == []
    assert [w.span for w in windows(silence(3), [Span(2, 9)])] == [Span(2, 3)]


SPEECH = st.lists(
    st.tuples(st.floats(0, 150), st.floats(0.05, 60)).map(lambda p: Span(p[0], p[0] + p[1])),
    max_size=12,
)


@given(SPEECH)
@settings(deadline=None)  # a busy machine is no failure
def test_all_speech_is_in_exactly_one_window_and_none_is_too_long(speech: list[Span]) -> None:
    found = windows(silence(200), speech)
    inside = [Span(s.start, min(s.end, 200.0)) for s in speech]
    assert total(s for w in found for s in w.speech) == pytest.approx(total(inside))
    assert all(w.end - w.start <= 25 + 1e-9 for w in found)
    assert all(a.end <= b.start for a, b in pairwise(found))
    assert all(a.heard.end <= b.heard.start + 1e-9 for a, b in pairwise(found))
    assert all(w.heard.start >= 0 and w.heard.end <= 200 for w in found)


def test_quietest_place_of_a_very_short_stretch_is_its_middle() -> None:
    assert quietest(silence(1), Span(0.5, 0.56)) == pytest.approx(0.53)


@pytest.mark.parametrize(
    ("word", "kept"),
    [
        (Span(2.0, 5.4), Span(5.0, 5.4)),  # begins in the pause: starts with the speech
        (Span(1.5, 4.0), Span(1.5, 2.0)),  # runs into the pause: ends with the speech
        (Span(1.8, 5.5), Span(5.0, 5.5)),  # across: where most of it is (.2 s against .5 s)
        (Span(3.0, 3.5), Span(3.0, 3.5)),  # wholly in the pause: left alone
        (Span(5.2, 5.9), Span(5.2, 5.9)),
    ],
)
def test_a_word_is_where_the_speech_is(word: Span, kept: Span) -> None:
    assert trimmed(word, union([Span(0, 2), Span(5, 6)])) == kept
