"""Many voices at once are less periodic than one; both are measured in the same room."""

import numpy as np
import pytest

from models.chorus import SURE, chorus, sound_of
from models.roles import AcousticRoles
from observer.engines import SpeakerSpan
from observer.media import Audio
from observer.timeline import Role, Span

RATE = 16000


def voice(seconds: float, hertz: float, rng: np.random.Generator) -> np.ndarray:
    """A buzz with its first ten overtones in syllables of 4 Hz, at its own phase."""
    time = np.arange(round(seconds * RATE)) / RATE
    glide = hertz * time + 0.02 * hertz * np.sin(2 * np.pi * rng.uniform(0.3, 1) * time)
    buzz = sum(np.sin(2 * np.pi * k * glide + rng.uniform(0, 6)) / k for k in range(1, 11))
    syllables = np.clip(np.sin(2 * np.pi * 4 * time + rng.uniform(0, 6)), 0.02, 1)
    return np.asarray(0.02 * buzz * syllables)


@pytest.fixture(scope="module")
def lesson() -> Audio:
    """0-4 the teacher, 4-7 a class of twelve, 8-12 the teacher, 12-15 one student; hiss."""
    rng = np.random.default_rng(5)
    choir = sum(voice(3, hertz, rng) for hertz in rng.uniform(160, 330, 12))
    parts = [voice(4, 180, rng), choir, np.zeros(RATE), voice(4, 180, rng), voice(3, 260, rng)]
    sound = np.concatenate(parts)
    return Audio.of(sound + 1e-4 * rng.standard_normal(len(sound)))


TAUGHT = [Span(0, 4), Span(8, 12)]


def test_one_voice_is_periodic_many_are_not(lesson: Audio) -> None:
    one, many = sound_of(lesson, Span(12, 15)), sound_of(lesson, Span(4, 7))
    assert one.periodicity > 0.95 > many.periodicity + 0.2
    assert one.depth > many.depth


def test_a_class_is_a_choir_a_student_is_none(lesson: Audio) -> None:
    many, one = chorus(lesson, [Span(4, 7), Span(12, 15)], TAUGHT)
    assert many > SURE > one


def test_nothing_is_said_without_a_teacher_or_of_long_and_tiny_stretches(lesson: Audio) -> None:
    assert chorus(lesson, [Span(4, 7)], []) == [0.0]
    assert chorus(lesson, [Span(4, 4.4), Span(1, 14)], TAUGHT) == [0.0, 0.0]


def test_roles_hold_a_short_choral_answer(lesson: Audio) -> None:
    speakers = [
        SpeakerSpan(0, 4, "main", 1),
        SpeakerSpan(4, 7, "others", 0.9),
        SpeakerSpan(8, 12, "main", 1),
        SpeakerSpan(12, 15, "others", 0.9),
    ]
    timeline = AcousticRoles().assign(lesson, [s.span for s in speakers], speakers)
    assert [(s.start, s.role) for s in timeline if s.role not in (Role.TEACHER, Role.SILENCE)] == [
        (4, Role.CHORAL), (12, Role.STUDENT),
    ]  # fmt: skip


def test_a_class_that_nobody_asked_is_no_choral_answer(lesson: Audio) -> None:
    speakers = [SpeakerSpan(4, 7, "others", 0.9), SpeakerSpan(8, 12, "main", 1)]
    timeline = AcousticRoles().assign(lesson, [s.span for s in speakers], speakers)
    assert all(s.role != Role.CHORAL for s in timeline)
