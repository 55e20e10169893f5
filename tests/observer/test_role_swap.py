"""A doubt about who the teacher is, for the whole lesson: rule 6 of observer.role_errors."""

import numpy as np
import pytest

from observer.engines import Swap
from observer.role_errors import draw_roles
from observer.timeline import Role, RoleSpan


def shares(probability: float, swap: float, share: float = 1.0) -> np.ndarray:
    """T / (T + S) in every draw of a lesson with T = 300 s in ten turns and S = 100 s."""
    spans = []
    for i in range(10):
        spans.append(RoleSpan(50 * i, 50 * i + 30, Role.TEACHER, probability))
        spans.append(RoleSpan(50 * i + 35, 50 * i + 45, Role.STUDENT, probability))
    draws = draw_roles(spans, 500, swap=Swap(swap, share))
    teacher, student = (draws.seconds(draws.any_of(r)) for r in (Role.TEACHER, Role.STUDENT))
    return teacher / (teacher + student)


def test_a_swap_exchanges_teacher_and_students_for_the_whole_lesson() -> None:
    # sure but for the swap: p = .8, swap = .2; a draw is .75 or .25 and nothing between them
    share = shares(0.8, 0.2)
    assert share[0] == pytest.approx(0.75)
    assert np.mean(np.abs(share[1:] - 0.25) < 0.08) == pytest.approx(0.2, abs=0.04)
    assert np.mean(np.abs(share[1:] - 0.75) < 0.08) == pytest.approx(0.8, abs=0.04)


def test_without_a_swap_the_same_doubt_is_each_stretch_s_own() -> None:
    share = shares(0.8, 0.0)[1:]
    assert np.mean((share > 0.35) & (share < 0.67)) > 0.4


def test_errors_of_stretches_come_on_top_of_a_swap() -> None:
    """p = .8 · .9 + .2 · .1 = .74: with the swap of .2 taken out, .1 are wrong by themselves."""
    swapped, sure = shares(0.74, 0.2)[1:], shares(0.8, 0.2)[1:]
    assert np.std(swapped[swapped > 0.5]) > 2 * np.std(sure[sure > 0.5])


def test_the_other_voice_may_be_one_of_several() -> None:
    # half of the students' stretches are the other voice's: T is 50 s of 400 s, .125
    wrong = shares(0.7, 0.3, 0.5)[1:]
    assert np.median(wrong[wrong < 0.5]) == pytest.approx(0.125, abs=0.03)
