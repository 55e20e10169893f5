"""Simulated lessons: phrases are found where they are, the truth adds up, a seed fixes it all."""

import json
from pathlib import Path

import numpy as np
import pytest

from models.evaluate.roles import score_roles
from models.labelled import labelled_lessons, read_truth
from models.simulate.__main__ import main
from models.simulate.clips import RATE, audible, phrases, read_clips
from models.simulate.make import Recipe, make_lesson
from observer.errors import UsageError
from observer.media import Audio, encode_opus
from observer.timeline import Role, RoleSpan


def tone(*parts: tuple[float, float]) -> np.ndarray:
    """(seconds, amplitude) after one another: a buzz of 150 Hz."""
    return np.concatenate(
        [a * np.sign(np.sin(np.arange(int(s * RATE)) * 0.0589)) for s, a in parts]
    )


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six speakers of one clip and one of five, each a buzz with a pause."""
    folder = tmp_path_factory.mktemp("clips")
    for name in [f"1-{i}" for i in range(5)] + [f"{i}-0" for i in range(2, 8)]:
        sound = tone((0.2, 0), (1.0, 0.2), (0.5, 0), (1.5, 0.2), (0.3, 0))
        encode_opus(Audio.of(sound), folder / f"{name}.ogg", bitrate=32_000)
    return folder


def test_a_pause_from_300_ms_parts_phrases() -> None:
    # 0   .5      1.5  1.9     2.9 3.1     4.1
    # |....XXXXXXXX.....XXXXXXXX...XXXXXXXX|    pauses of .4 s and .2 s
    sound = tone((0.5, 0), (1, 0.3), (0.4, 0), (1, 0.3), (0.2, 0), (1, 0.3))
    found = [(round(s.start, 1), round(s.end, 1)) for s in audible(sound)]
    assert found == [(0.5, 1.5), (1.9, 4.1)]


def test_noise_of_the_clip_is_audible_but_no_phrase() -> None:
    # noise 26 dB under the voice: over -32 dB, as the development lessons count, not a phrase
    sound = tone((0.5, 0), (1, 0.3), (0.5, 0))
    sound = sound + np.random.default_rng(0).normal(0, 0.3 * 10 ** (-26 / 20), len(sound))
    assert audible(sound)[0].duration == pytest.approx(2.0, abs=0.02)
    assert phrases(sound)[0].start == pytest.approx(0.5, abs=0.03)
    assert phrases(sound)[0].end == pytest.approx(1.5, abs=0.03)


def test_the_truth_scored_against_itself_is_right(clips: Path, tmp_path: Path) -> None:
    assert main([str(tmp_path), "--clips", str(clips), "--lessons", "2", "--minutes", "0.5"]) == 0
    for sound, truth_file in labelled_lessons(tmp_path):
        lesson, truth = json.loads(truth_file.read_text("utf-8")), read_truth(truth_file)
        timeline = [RoleSpan(s.start, s.end, role, 1.0) for role, s in truth.spans]
        score = score_roles(truth, timeline, lesson["duration_s"])
        assert sound.stat().st_size > 10_000
        assert score.error_rate == 0
        assert score.teacher_share == pytest.approx(
            lesson["totals"]["teacher_share_of_speech"], abs=0.002
        )


def test_same_seed_same_lesson(clips: Path) -> None:
    first, again = (make_lesson(Recipe(clips, seed=3, minutes=0.4), 1) for _ in range(2))
    other = make_lesson(Recipe(clips, seed=4, minutes=0.4), 1)
    assert first[1] == again[1] != other[1]
    assert np.array_equal(first[0].samples, again[0].samples)


def test_every_kind_can_be_made(clips: Path) -> None:
    roles = {}
    for index in range(11):
        _, lesson = make_lesson(Recipe(clips, minutes=0.4), index)
        roles[lesson["settings"]["kind"]] = {s["role"] for s in lesson["segments"]}
    assert len(roles) == 11
    assert roles.pop("lecture") == {Role.TEACHER}
    assert all(found == {Role.TEACHER, Role.STUDENT} for found in roles.values())


def test_a_folder_without_voices_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="0 speakers"):
        read_clips(tmp_path)
