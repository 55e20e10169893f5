"""Doubt about a whole lesson: when probabilities fall, by how much, and what is said."""

import numpy as np
import pytest

from models.doubt import calibrated, doubted, notes, split_doubt, swap_doubt
from models.main_voice import Voice

NOBODY = np.zeros(256, np.float32)


def voice(**found: float) -> Voice:
    return Voice(NOBODY, 0.7, 100.0, **{"likeness": 0.7, **found})


def test_a_stretch_is_as_sure_as_its_evidence_and_its_length() -> None:
    # p .9, .1 beyond the threshold, 2 s: -.543 + .379 · 2.197 + 16.626 · .1 + .499 · ln 2.1 = 2.323
    assert calibrated(0.9, 0.1, 2.0) == pytest.approx(1 / (1 + np.exp(-2.323)), abs=1e-3)
    # log-odds above 8 and margins above .15 add nothing; -.543 + 3.032 + 2.494 + .37 = 5.353
    assert calibrated(1.0, 0.4, 2.0) == pytest.approx(1 / (1 + np.exp(-5.353)), abs=1e-3)
    assert calibrated(0.51, -0.05, 0.1) == 0.5


def test_what_the_choice_leaves_to_other_voices_is_doubt() -> None:
    assert swap_doubt(voice(chosen=0.9)) == pytest.approx(0.1)
    assert swap_doubt(voice(chosen=0.4)) == 0.5  # of three voices: never more than a coin toss


def test_enrolment_ends_the_doubt_unless_the_voice_is_not_heard() -> None:
    # .5 exp(-.2 / .03) = .0006; .5 exp(-.03 / .03) = .184
    assert swap_doubt(voice(chosen=0.4, enrolled=0.8, margin=0.2)) < 0.001
    assert swap_doubt(voice(enrolled=0.8, margin=0.03)) == pytest.approx(0.184, abs=0.001)
    assert swap_doubt(voice(enrolled=0.5, margin=0.2)) == 0.25


def test_near_the_threshold_one_voice_or_several_is_open() -> None:
    assert split_doubt(voice(likeness=0.90)) == 0.5
    assert split_doubt(voice(likeness=0.97)) < 0.02
    assert split_doubt(voice(likeness=0.70)) < 0.001
    assert split_doubt(voice(likeness=0.0)) == 0.0


def test_probabilities_move_towards_a_half_never_past_it() -> None:
    # swap .184: .9 · .816 + .1 · .184 = .753
    assert doubted(0.9, voice(chosen=0.816), is_main=True) == pytest.approx(0.753, abs=0.001)
    assert doubted(0.9, voice(chosen=0.5), is_main=False) == pytest.approx(0.5)


def test_a_doubtful_split_is_about_the_others_a_doubtful_one_voice_about_the_main() -> None:
    split, single = voice(likeness=0.89), voice(likeness=0.91)
    assert doubted(0.9, split, is_main=True) > 0.89 > doubted(0.9, split, is_main=False)
    assert doubted(0.9, single, is_main=False) > 0.89 > doubted(0.9, single, is_main=True)


def test_only_doubt_is_told() -> None:
    assert list(notes(voice(chosen=0.99))) == []
    assert "--teacher-voice" in next(notes(voice(chosen=0.7))).en
    assert "clip" in next(notes(voice(enrolled=0.4))).en
    assert "alike" in next(notes(voice(likeness=0.9))).en
