"""The role-error model: what it keeps, what it moves, and how wide it is."""

from itertools import pairwise

import numpy as np
import pytest

from observer import timing_errors
from observer.role_errors import LEAST_ERROR, ROLES, RoleDraws, draw_flips, draw_roles
from observer.timeline import Role, RoleSpan
from observer.timing_errors import FOUND_SD

TEACHER, STUDENT, CHORAL = (ROLES.index(r) for r in (Role.TEACHER, Role.STUDENT, Role.CHORAL))


def lesson(error: float, seed: int, minutes: float = 12) -> tuple[list[RoleSpan], float]:
    """A lesson of short turns: teacher 2–5 s pieces, students 0.8–6 s; about 68 % teacher."""
    rng, at, spans = np.random.default_rng(seed), 0.0, []
    while at < 60 * minutes:
        for _ in range(rng.integers(1, 4)):
            end = at + rng.uniform(2, 5)
            spans.append(RoleSpan(at, end, Role.TEACHER, 1 - error))
            at = end + 0.4
        end = at + rng.uniform(0.8, 6)
        spans.append(RoleSpan(at, end, Role.STUDENT, 1 - error))
        at = end + 0.6
    return spans, at


def talk_ratio(draws: RoleDraws) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    teacher = draws.seconds(draws.any_of(Role.TEACHER))
    return teacher / (teacher + draws.seconds(draws.any_of(Role.STUDENT)))


def test_row_zero_is_the_timeline_as_found() -> None:
    # TTTT..SSS.   with the student's last second overlapped by the teacher: T 4 + 1, S 3
    spans = [RoleSpan(0, 4, Role.TEACHER, 0.9), RoleSpan(6, 9, Role.STUDENT, 0.9)]
    draws = draw_roles([*spans, RoleSpan(8, 9, Role.TEACHER, 0.9)], 10)
    assert draws.seconds(draws.any_of(Role.TEACHER))[0] == 5
    assert draws.seconds(draws.any_of(Role.STUDENT))[0] == 3
    assert draws.seconds(~draws.covered)[0] == 3
    assert draws.lengths[0].sum() == 10


def test_certain_roles_never_change() -> None:
    draws = draw_roles(lesson(0.0, 1)[0], 720)
    assert (draws.roles == draws.roles[0]).all()


def test_roles_that_were_heard_are_never_quite_certain() -> None:
    # 20 spans of 1 s and 20 of 5 s, all with p = 1: 2 % of the short and .3 % of the long change
    spans = [RoleSpan(10 * i, 10 * i + (1 if i < 20 else 5), Role.TEACHER, 1.0) for i in range(40)]
    draws = draw_roles(spans, 400, least_error=LEAST_ERROR, draws=4000)
    changed = draws.roles[1:] != draws.roles[0]
    assert changed[:, :20].mean() == pytest.approx(0.02, rel=0.15)
    assert changed[:, 20:].mean() == pytest.approx(0.003, rel=0.3)


def test_durations_of_the_drawn_spans() -> None:
    # row 0 as found; the rest about it, never negative
    spans = [RoleSpan(0, 4, Role.TEACHER, 0.9), RoleSpan(6, 9, Role.STUDENT, 0.9)]
    durations = draw_roles(spans, 10).durations()
    assert durations[0].tolist() == [4, 3]
    assert (durations >= 0).all()
    assert durations[1:].mean(axis=0) == pytest.approx([4, 3], rel=0.05)
    assert (durations[1:].std(axis=0) > 0.1).all()


def test_same_seed_same_draws_other_seed_others() -> None:
    spans, end = lesson(0.1, 1, minutes=3)
    first, again, other = (draw_roles(spans, end, seed=s) for s in (5, 5, 6))
    assert (first.roles == again.roles).all()
    assert (first.lengths == again.lengths).all()
    assert (first.roles != other.roles).any()


def test_the_mean_error_is_the_one_asked_for() -> None:
    error = np.array([0.02] * 200 + [0.1] * 200 + [0.4] * 200)
    runs = np.arange(600)
    flips = draw_flips(error, np.ones(600), runs, np.random.default_rng(0), 4000)
    means = [flips[:, i : i + 200].mean() for i in (0, 200, 400)]
    assert means == pytest.approx([0.02, 0.1, 0.4], rel=0.06)


def test_widening_makes_errors_more_frequent_but_never_the_rule() -> None:
    spans, end = lesson(0.1, 2, minutes=3)
    shares = [
        float((draws.roles[1:] != draws.roles[0]).mean())
        for draws in (draw_roles(spans, end, widening=w) for w in (1.0, 2.0, 100.0))
    ]
    assert shares[0] < shares[1] < shares[2]
    assert shares[2] == pytest.approx(0.5, abs=0.03)


def test_errors_come_in_runs() -> None:
    same = draw_flips(
        np.full(2, 0.1), np.zeros(2), np.array([0, 0]), np.random.default_rng(0), 20000
    )
    apart = draw_flips(
        np.full(2, 0.1), np.zeros(2), np.array([0, 1]), np.random.default_rng(0), 20000
    )
    # both use the run's chance in .25 of the draws, so P(both) = .25 · .1 + .75 · .01 = .0325
    assert same.all(axis=1).mean() == pytest.approx(0.0325, abs=0.004)
    assert apart.all(axis=1).mean() == pytest.approx(0.01, abs=0.003)


def test_choir_and_groups_become_students_and_playback_the_teacher() -> None:
    roles = (Role.CHORAL, Role.GROUP, Role.MEDIA)
    spans = [RoleSpan(5 * i, 5 * i + 4, role, 0.6) for i, role in enumerate(roles)]
    draws = draw_roles(spans, 20)
    for column, other in enumerate((STUDENT, STUDENT, TEACHER)):
        found = draws.roles[:, column]
        assert set(found.tolist()) == {int(found[0]), other}


def test_no_stretch_gets_a_negative_length() -> None:
    spans = [RoleSpan(i / 10, i / 10 + 0.05, Role.TEACHER, 0.9) for i in range(100)]
    assert (draw_roles(spans, 10, edge_scale=4).lengths >= 0).all()


@pytest.mark.parametrize(("confused", "off"), [(0.016, 0.017), (0.023, 0.021), (0.038, 0.033)])
def test_the_talk_ratio_spreads_as_it_was_measured(
    confused: float, off: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Simulated lessons of 12 minutes, clean, room and hard: share of the time with the wrong
    # role → mean error of the teacher's share. Rules 1-4 are to be within a third of it; what is
    # counted as speech (rule 5) comes on top.
    monkeypatch.setattr(timing_errors, "FOUND_SD", np.zeros(2))
    errors = []
    for seed in range(3):
        ratio = talk_ratio(draw_roles(*lesson(confused, seed), seed=seed))
        errors.append(np.abs(ratio[1:] - ratio[0]).mean())
    assert np.mean(errors) == pytest.approx(off, rel=1 / 3)


def test_every_draw_keeps_the_length_of_the_lesson() -> None:
    spans, end = lesson(0.05, 3, minutes=2)
    assert draw_roles(spans, end).lengths.sum(axis=1) == pytest.approx(end)


def test_speech_of_a_side_may_be_counted_short_though_its_role_is_sure() -> None:
    # Roles are certain and the edges of two minutes of talk hardly matter, so the log of T/S
    # spreads by the root of the sum of both squares: √(.088² + .062²) = .108.
    spans = [RoleSpan(0, 60, Role.TEACHER, 1.0), RoleSpan(70, 130, Role.STUDENT, 1.0)]
    ratio = talk_ratio(draw_roles(spans, 200))[1:]
    assert np.log(ratio / (1 - ratio)).std() == pytest.approx(np.sqrt(np.sum(FOUND_SD**2)), rel=0.1)


def test_hours_of_recording_get_fewer_draws() -> None:
    spans = [RoleSpan(i, i + 0.5, Role.TEACHER, 0.95) for i in range(10_000)]
    assert len(draw_roles(spans, 10_000).lengths) == 201
    assert all(a <= b for a, b in pairwise(draw_roles(spans, 10_000, draws=0).cuts))


def test_a_teacher_may_be_drowned_in_group_work() -> None:
    # 100 s of group work without a teacher: |N(0, .11)| · 100 s, so .11 · √(2/π) = 8.8 s on average
    spans = [RoleSpan(0, 50, Role.TEACHER, 1.0), RoleSpan(60, 160, Role.GROUP, 1.0)]
    draws = draw_roles(spans, 200, least_error=(1e-9, 1e-9))
    overlap = draws.seconds(draws.any_of(Role.TEACHER) & draws.any_of(Role.GROUP))
    assert overlap[0] == 0
    assert overlap[1:].mean() == pytest.approx(8.8, rel=0.15)
    named = draw_roles(spans, 200)
    assert not (named.any_of(Role.TEACHER) & named.any_of(Role.GROUP)).any()


def test_choirs_may_be_taken_for_students_in_one_lesson_of_eight() -> None:
    # 40 short answers and a long one: choral in .12 of the draws, .25 of their answers on average
    spans = [RoleSpan(6 * i, 6 * i + 4, Role.STUDENT, 1.0) for i in range(40)]
    spans.append(RoleSpan(300, 330, Role.STUDENT, 1.0))
    choral = draw_roles(spans, 400, least_error=(1e-9, 1e-9)).roles == CHORAL
    assert choral.any(axis=1).mean() == pytest.approx(0.12, abs=0.03)
    assert choral[:, :-1].mean() == pytest.approx(0.12 * 0.25, abs=0.008)
    assert not choral[:, -1].any()
