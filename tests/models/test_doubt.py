"""Doubt about a whole lesson: when probabilities fall, by how much, and what is said."""

import numpy as np
import pytest

from models.doubt import doubted, notes, split_doubt, swap_doubt
from models.main_voice import Voice

NOBODY = np.zeros(256, np.float32)


def voice(**found: float) -> Voice:
    return Voice(NOBODY, 0.7, 100.0, **{"likeness": 0.7, **found})


def test_two_equal_voices_are_a_coin_toss_a_wide_lead_is_none() -> None:
    # .5 exp(-(1 - r) / .1): r = 1 → .5, r = .9 → .184, r = .5 → .0034
    assert [round(swap_doubt(voice(rival=r)), 3) for r in (1.0, 0.9, 0.5)] == [0.5, 0.184, 0.003]


def test_enrolment_ends_the_doubt_unless_the_voice_is_not_heard() -> None:
    # .5 exp(-.2 / .03) = .0006; .5 exp(-.03 / .03) = .184
    assert swap_doubt(voice(rival=1.0, enrolled=0.8, margin=0.2)) < 0.001
    assert swap_doubt(voice(enrolled=0.8, margin=0.03)) == pytest.approx(0.184, abs=0.001)
    assert swap_doubt(voice(enrolled=0.5, margin=0.2)) == 0.25


def test_near_the_threshold_one_voice_or_several_is_open() -> None:
    assert split_doubt(voice(likeness=0.90)) == 0.5
    assert split_doubt(voice(likeness=0.97)) < 0.02
    assert split_doubt(voice(likeness=0.70)) < 0.001
    assert split_doubt(voice(likeness=0.0)) == 0.0


def test_probabilities_move_towards_a_half_never_past_it() -> None:
    # swap .184: .9 · .816 + .1 · .184 = .753
    assert doubted(0.9, voice(rival=0.9), is_main=True) == pytest.approx(0.753, abs=0.001)
    assert doubted(0.9, voice(rival=1.0), is_main=False) == pytest.approx(0.5)


def test_a_doubtful_split_is_about_the_others_a_doubtful_one_voice_about_the_main() -> None:
    split, single = voice(likeness=0.89), voice(likeness=0.91)
    assert doubted(0.9, split, is_main=True) > 0.89 > doubted(0.9, split, is_main=False)
    assert doubted(0.9, single, is_main=False) > 0.89 > doubted(0.9, single, is_main=True)


def test_only_doubt_is_told() -> None:
    assert list(notes(voice(rival=0.5))) == []
    assert "--teacher-voice" in next(notes(voice(rival=0.95))).en
    assert "clip" in next(notes(voice(enrolled=0.4))).en
    assert "alike" in next(notes(voice(likeness=0.9))).en
