"""Words join the roles: the slope over the voices, the stretches, what is told, what stays."""

from dataclasses import replace
from math import exp

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from observer.engines import CueEvidence, Swap
from observer.role_cues import join_cues
from observer.role_errors import draw_roles
from observer.timeline import Role, RoleSpan
from observer.transcript import Transcript, Utterance

TEACHER, STUDENT = Role.TEACHER, Role.STUDENT
# variance of a slope from n · var(m) = 2: .5² + 1² / 2 = .75
HOW = CueEvidence((), contrast=1.0, between=0.5, within=1.0, level=0.0, trust=1.0)


def lesson(*probabilities: float, seconds: float = 4.0) -> list[RoleSpan]:
    """Teacher and student in turn, `seconds` each, with a pause of a second."""
    return [
        RoleSpan(i * (seconds + 1), i * (seconds + 1) + seconds, (TEACHER, STUDENT)[i % 2], p)
        for i, p in enumerate(probabilities)
    ]


def said(timeline: list[RoleSpan], role: Role | None = None) -> Transcript:
    """One utterance a stretch; its role is the sound's, or declared."""
    utterances = [
        Utterance(f"u{i}", "…", s.start, s.end, role=role or s.role)
        if role
        else Utterance(f"u{i}", "…", s.start, s.end, role=s.role, role_probability=s.probability)
        for i, s in enumerate(timeline)
    ]
    return Transcript("en", tuple(utterances))


def words(*log_odds: float | None, how: CueEvidence = HOW) -> CueEvidence:
    return replace(how, log_odds=tuple(log_odds))


def test_bayes_rule_for_the_whole_lesson() -> None:
    """
    8 stretches, p = 1 but for a doubt of .1: m = 1 0 1 0 …, n · var(m) = 8 · ¼ = 2
    x = ±.25: slope b = .5; right exp(−.5²/1.5) = .846, wrong exp(−1.5²/1.5) = .223
    doubt = .1 · .223 / (.9 · .846 + .1 · .223) = .0285; each stretch keeps e^±.25 of its own
    """
    timeline = lesson(*[0.9] * 8)
    found = join_cues(timeline, Swap(0.1), said(timeline), words(*[0.25, -0.25] * 4))
    right, wrong = exp(-1 / 6), exp(-1.5)
    assert found.swap.probability == pytest.approx(0.1 * wrong / (0.9 * right + 0.1 * wrong))
    assert found.swap.probability == pytest.approx(0.0285, abs=0.0001)
    assert [s.role for s in found.timeline] == [s.role for s in timeline]
    # sure but for the doubt before: sure but for the doubt after
    assert found.timeline[0].probability == pytest.approx(1 - 0.0285, abs=0.0001)
    assert "agrees with the voice" in found.notes[0].en
    assert "一致" in found.notes[0].zh


def test_the_voice_that_answers_is_not_the_teacher_s() -> None:
    """b = −2 (x = ∓1) counts as −1: right exp(−2²/1.5) = .0695, wrong 1 → roles change places.

    .3 · 1 / (.7 · .0695 + .3 · 1) = .860 that it was the wrong voice; .140 that it was not.
    """
    timeline = lesson(*[0.7] * 8)
    found = join_cues(timeline, Swap(0.3), said(timeline), words(*[-1.0, 1.0] * 4))
    assert [s.role for s in found.timeline] == [STUDENT, TEACHER] * 4
    assert found.swap.probability == pytest.approx(0.1395, abs=0.0001)
    assert found.swap.share == 1.0
    assert found.timeline[0].probability > 0.85
    assert len(found.notes) == 1
    assert "exchanged" in found.notes[0].en
    assert "对调" in found.notes[0].zh


def test_a_voice_that_is_one_of_many_is_doubted_but_nobody_is_exchanged() -> None:
    """The other voice says .3 of the rest: whose the remaining .7 would be is not known."""
    timeline = lesson(*[0.7] * 8)
    found = join_cues(timeline, Swap(0.3, 0.3), said(timeline), words(*[-1.0, 1.0] * 4))
    assert found.swap.probability == 0.49
    assert "uncertain" in found.notes[0].en


def test_a_voice_that_a_person_gave_is_doubted_but_not_exchanged() -> None:
    timeline = lesson(*[0.7] * 8)
    against = words(*[-1.0, 1.0] * 4)
    found = join_cues(timeline, Swap(0.3), said(timeline), against, enrolled=True)
    assert found.swap.probability == 0.49
    assert [s.role for s in found.timeline] == [s.role for s in timeline]
    assert "--teacher-voice" in found.notes[0].en


def test_words_that_tell_nothing_bound_what_they_can_say() -> None:
    timeline = lesson(*[0.7] * 8)
    sure = join_cues(timeline, Swap(0.3), said(timeline), words(*[3.0, -3.0] * 4))
    deaf = replace(HOW, trust=0.0)
    none = join_cues(timeline, Swap(0.3), said(timeline), words(*[3.0, -3.0] * 4, how=deaf))
    assert sure.swap.probability == pytest.approx(0.0289, abs=0.0001)  # .3 · .0695 / (.7 + …)
    assert none.swap.probability == pytest.approx(0.3)
    assert [s.probability for s in none.timeline] == pytest.approx([0.7] * 8)
    assert none.notes == ()


def test_a_thin_stretch_is_decided_by_its_words() -> None:
    """p(student) = .6, x = 2: odds of the teacher .4/.6 · e² = 4.93 → .831; others keep theirs."""
    timeline = [RoleSpan(0, 4, TEACHER, 0.9), RoleSpan(5, 9, STUDENT, 0.6)]
    found = join_cues(timeline, Swap(), said(timeline), words(None, 2.0))
    assert found.timeline[0] == timeline[0]
    assert found.timeline[1].role is TEACHER
    assert found.timeline[1].probability == pytest.approx(0.831, abs=0.001)
    assert found.notes[0].en.startswith("In 1 stretches (4 s)")


def test_sentences_of_one_turn_count_less_than_their_sum() -> None:
    """Four utterances with x = .5 in one stretch: Σx / √4 = 1, so the odds .4/.6 grow by e."""
    timeline = [RoleSpan(0, 4, STUDENT, 0.6)]
    utterances = [Utterance(f"u{i}", "…", i, i + 1.0) for i in range(4)]
    found = join_cues(timeline, Swap(), Transcript("en", tuple(utterances)), words(*[0.5] * 4))
    odds = 0.4 / 0.6 * exp(1)
    assert found.timeline[0].role is TEACHER
    assert found.timeline[0].probability == pytest.approx(odds / (1 + odds))


def test_what_all_utterances_have_too_much_is_taken_off() -> None:
    """A read text: every x = 1, whoever reads. With a wide `level` nothing of it is left."""
    timeline = lesson(*[0.8] * 40)
    how = replace(HOW, level=5.0)
    found = join_cues(timeline, Swap(), said(timeline), words(*[1.0] * 40, how=how))
    students = [s.probability for s in found.timeline if s.role is STUDENT]
    assert students == pytest.approx([0.8] * 20, abs=0.03)


def test_a_sound_that_is_sure_needs_more_than_one_sentence() -> None:
    timeline = lesson(*[0.999] * 8)
    found = join_cues(timeline, Swap(), said(timeline), words(-2.0, *[-1.0, 1.0] * 3, -1.0))
    assert found.timeline[0].role is TEACHER
    agree = join_cues(timeline, Swap(), said(timeline), words(*[1.0, -1.0] * 4))
    assert all(s.probability > 0.997 for s in agree.timeline)


def test_declared_roles_settle_whose_the_voice_is_and_stay() -> None:
    """Labels say student where the sound says teacher, always; the words are not read."""
    timeline = lesson(*[0.9] * 8)
    declared = said(timeline)
    turned = [
        replace(u, role=STUDENT if u.role is TEACHER else TEACHER, role_probability=None)
        for u in declared
    ]
    transcript = declared.with_utterances(turned)
    found = join_cues(timeline, Swap(0.1), transcript, words(*[3.0, -3.0] * 4))
    assert [s.role for s in found.timeline] == [STUDENT, TEACHER] * 4
    # the same, aligned roughly: no witness
    vague = transcript.with_utterances([replace(u, approximate=True) for u in transcript])
    assert join_cues(timeline, Swap(0.1), vague, words(*[3.0, -3.0] * 4)).notes == ()


def test_crowds_playback_and_silence_stay() -> None:
    timeline = [
        RoleSpan(0, 4, Role.CHORAL, 0.6),
        RoleSpan(4, 5, Role.SILENCE, 0.9),
        RoleSpan(5, 9, Role.GROUP, 0.6),
        RoleSpan(9, 12, Role.MEDIA, 0.7),
    ]
    found = join_cues(timeline, Swap(0.1), said(timeline), words(3.0, 3.0, 3.0, 3.0))
    assert found.timeline == timeline
    assert found.swap == Swap(0.1)


def test_words_that_agree_narrow_the_talk_share() -> None:
    """Doubt .3 is two hills of T/(T+S); the words leave one."""
    timeline = lesson(*[0.7] * 20, seconds=6)
    found = join_cues(timeline, Swap(0.3), said(timeline), words(*[1.0, -1.0] * 10))

    def spread(spans: list[RoleSpan], swap: Swap) -> float:
        spans = [replace(s, end=s.end - 3) if i % 2 else s for i, s in enumerate(spans)]
        draws = draw_roles(spans, 150, swap=swap)
        teacher, student = (draws.seconds(draws.any_of(r)) for r in (TEACHER, STUDENT))
        low, high = np.quantile(teacher / (teacher + student), [0.025, 0.975])
        return float(high - low)

    assert spread(found.timeline, found.swap) < 0.5 * spread(timeline, Swap(0.3))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(0.5, 1.0), min_size=1, max_size=20),
    st.lists(st.none() | st.floats(-8, 8), min_size=20, max_size=20),
    st.floats(0, 0.5),
    st.floats(0, 1),
)
def test_whatever_is_said_the_result_is_a_timeline(
    probabilities: list[float], log_odds: list[float | None], doubt: float, trust: float
) -> None:
    """Bounds stay, probabilities are of the role that is given, the doubt is below one half."""
    timeline = lesson(*probabilities)
    how = replace(HOW, trust=trust, level=0.2)
    evidence = words(*log_odds[: len(timeline)], how=how)
    found = join_cues(timeline, Swap(doubt), said(timeline), evidence)
    assert [s.span for s in found.timeline] == [s.span for s in timeline]
    assert all(0.5 - 1e-9 <= s.probability <= 1 + 1e-9 for s in found.timeline)
    assert 0 <= found.swap.probability <= 0.5
    assert found == join_cues(timeline, Swap(doubt), said(timeline), evidence)
