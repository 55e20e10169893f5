"""Roles from voices: the rules on drawn timelines, and crowds in made-up sound."""

import numpy as np
import pytest

from models.activity import crowds, levels, runs
from models.roles import AcousticRoles
from observer.engines import SpeakerSpan
from observer.media import Audio
from observer.timeline import Role, Span, of_role

QUIET = Audio.of(np.zeros(16000 * 20))


def assign(*voices: tuple[float, float, str, float], audio: Audio = QUIET) -> list[tuple]:
    speakers = [SpeakerSpan(*v) for v in voices]
    timeline = AcousticRoles().assign(audio, [s.span for s in speakers], speakers)
    return [(s.start, s.end, s.role.value, round(s.probability, 3)) for s in timeline]


def test_main_voice_is_the_teacher_and_pauses_are_silence() -> None:
    # 0    2      4     6                  20
    # |....TTTTTTT......SSSS...............|
    found = assign((2, 4, "main", 0.9), (6, 7, "others", 0.8))
    assert [f[:3] for f in found] == [
        (0, 2, "silence"), (2, 4, "teacher"), (4, 6, "silence"), (6, 7, "student"),
        (7, 20, "silence"),
    ]  # fmt: skip
    assert found[1][3] == 0.9


def test_a_breath_belongs_to_the_talk_a_longer_pause_does_not() -> None:
    # pauses of .4 s (joined) and .6 s (kept); probability (2·.9 + 1·.6) / 3 = .8
    found = assign((0, 2, "main", 0.9), (2.4, 3.4, "main", 0.6), (4.0, 20, "main", 0.9))
    assert found == [
        (0, 3.4, "teacher", 0.8), (3.4, 4.0, "silence", 0.95), (4.0, 20, "teacher", 0.9),
    ]  # fmt: skip


def test_a_pause_in_which_another_speaks_is_not_joined() -> None:
    found = assign((0, 2, "main", 1), (2.1, 2.3, "others", 1), (2.4, 20, "main", 1))
    assert [f[2] for f in found] == ["teacher", "silence", "student", "silence", "teacher"]


def test_overlap_is_kept() -> None:
    found = assign((0, 10, "main", 1), (8, 20, "others", 1))
    assert [f[:3] for f in found] == [(0, 10, "teacher"), (8, 20, "student")]


def test_nothing_heard_is_one_silence() -> None:
    assert [f[:3] for f in assign()] == [(0, 20, "silence")]


def babble(seconds: float, rng: np.random.Generator) -> np.ndarray:
    """Ten voices at once, as their envelopes: noise in syllables of 4 Hz with own phases."""
    time = np.arange(int(16000 * seconds)) / 16000
    sound = np.zeros(len(time))
    for _ in range(10):
        syllables = np.clip(np.sin(2 * np.pi * rng.uniform(3, 5) * time + rng.uniform(0, 6)), 0, 1)
        sound += syllables * rng.standard_normal(len(time))
    return 0.02 * sound


def one_voice(seconds: float, rng: np.random.Generator) -> np.ndarray:
    """Syllables at 4 Hz with a pause of a second after every three."""
    time = np.arange(int(16000 * seconds)) / 16000
    syllables = np.clip(np.sin(2 * np.pi * 4 * time), 0, 1) * (time % 4 < 3)
    return 0.1 * syllables * rng.standard_normal(len(time))


@pytest.fixture(scope="module")
def lesson() -> Audio:
    """60 s of one voice, 40 s of babble, 60 s of one voice, over a faint hiss."""
    rng = np.random.default_rng(0)
    sound = np.concatenate([one_voice(60, rng), babble(40, rng), one_voice(60, rng)])
    return Audio.of(sound + 0.001 * rng.standard_normal(len(sound)))


def test_a_crowd_is_where_the_level_hardly_moves(lesson: Audio) -> None:
    found = crowds(lesson)
    assert len(found) == 1
    assert found[0].start == pytest.approx(60, abs=2)
    assert found[0].end == pytest.approx(100, abs=2)


def test_a_long_crowd_is_group_work_and_the_teacher_in_it_overlaps(lesson: Audio) -> None:
    speakers = [
        SpeakerSpan(0, 60, "main", 1),
        SpeakerSpan(60, 100, "others", 1),
        SpeakerSpan(70, 75, "main", 0.9),
        SpeakerSpan(100, 160, "main", 1),
    ]
    timeline = AcousticRoles().assign(lesson, [Span(0, 160)], speakers)
    (group,) = of_role(timeline, Role.GROUP)
    assert group.duration == pytest.approx(40, abs=3)
    assert any(s.start == 70 and s.role == Role.TEACHER for s in timeline)
    assert of_role(timeline, Role.CHORAL) == []


def test_a_teacher_who_never_pauses_is_no_crowd(lesson: Audio) -> None:
    timeline = AcousticRoles().assign(lesson, [Span(0, 160)], [SpeakerSpan(0, 160, "main", 1)])
    assert of_role(timeline, Role.GROUP, Role.CHORAL) == []


def test_a_short_crowd_after_the_teacher_is_choral() -> None:
    rng = np.random.default_rng(1)
    sound = np.concatenate([one_voice(59, rng), babble(14, rng), one_voice(60, rng)])
    audio = Audio.of(sound + 0.001 * rng.standard_normal(len(sound)))
    speakers = [
        SpeakerSpan(0, 59, "main", 1),
        SpeakerSpan(59, 73, "others", 1),
        SpeakerSpan(73, 133, "main", 1),
    ]
    timeline = AcousticRoles().assign(audio, [Span(0, 133)], speakers)
    (choral,) = of_role(timeline, Role.CHORAL)
    assert choral.duration == pytest.approx(14, abs=3)


def test_levels_and_runs() -> None:
    assert levels(Audio.of(np.full(640, 0.1))) == pytest.approx([-20.0, -20.0], abs=0.01)
    assert runs([False, True, True, False, True]) == [(1, 3), (4, 5)]


def test_steady_noise_without_speech_is_no_crowd(lesson: Audio) -> None:
    speakers = [SpeakerSpan(0, 60, "main", 1), SpeakerSpan(100, 160, "main", 1)]
    timeline = AcousticRoles().assign(lesson, [Span(0, 60), Span(100, 160)], speakers)
    assert of_role(timeline, Role.GROUP, Role.CHORAL) == []


def test_a_crowd_goes_on_with_its_last_voices(lesson: Audio) -> None:
    # the level of the babble ends at 100; one of the voices finishes at 102.5, a later one is new
    speakers = [
        SpeakerSpan(0, 60, "main", 1),
        SpeakerSpan(60, 102.5, "others", 1),
        SpeakerSpan(104, 160, "main", 1),
    ]
    timeline = AcousticRoles().assign(lesson, [Span(0, 102.5), Span(104, 160)], speakers)
    (group,) = of_role(timeline, Role.GROUP)
    assert group.end == pytest.approx(102.5)
