"""The maker of fixture lessons, with a humming stand-in for the speech synthesisers.

The tools (espeak-ng, flite, sox) are needed only by who remakes the fixtures, so no test needs
them: everything after the synthesiser is run as it is.
"""

from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from models.synthesise import files, video
from models.synthesise.board import HEIGHT, WIDTH, board
from models.synthesise.room import PEAK, mix
from models.synthesise.script import read_script
from models.synthesise.stage import Staged, opening, stage
from models.synthesise.truth import truth
from models.synthesise.voices import RATE, phrases, speak
from observer.errors import EngineError, UsageError

SCRIPT = """
name = "tiny"
language = "zh"
title = "tiny"
seed = 1
[voices.T]
engine = "flite"
voice = "rms"
level = 0.0
[voices.A]
engine = "flite"
voice = "slt"
level = -4.0
[voices.B]
engine = "flite"
voice = "awb"
level = -4.0
[[part]]
activity = "ire"
lines = [
  { by = "T", gap = 0.5, say = "1.0", question = "real recall what closed", opens = "IRE" },
  { by = "A", gap = 2.0, say = "0.8" },
  { by = "T", gap = -0.3, say = "0.5", feedback = "praise", closes = true },
]
[[part]]
activity = "group"
lines = [ { by = "T", gap = 0.4, say = "0.6", question = "tag", board = 1 } ]
[part.babble]
after = 1.0
seconds = 4.0
pause = 0.2
lines = [ "1.1", "1.3" ]
[[part]]
activity = "choral"
lines = [ { by = "T", gap = 1.5, say = "0.4" }, { several = true, gap = 0.7, say = "0.9" } ]
"""


class Hum:
    """Says "1.0" by a second's hum that rises from 150 Hz: unlike itself at any delay."""

    def speak(self, voice, text, sounds):
        return self.fitted(np.zeros(0), float(text))

    def fitted(self, sound, seconds):
        times = np.arange(round(seconds * RATE)) / RATE
        return np.sqrt(2) * np.sin(2 * np.pi * (150 + 300 * times) * times)


@pytest.fixture
def staged(tmp_path: Path) -> Staged:
    path = tmp_path / "tiny.toml"
    path.write_text(SCRIPT, "utf-8")
    return stage(read_script(path), Hum())


def test_lines_stand_where_the_script_says(staged: Staged) -> None:
    """T 0.5-1.5, wait 2.0, A 3.5-4.3, T cuts in 0.3 s early: 4.0-4.5, pause 0.4, T 4.9-5.5.

    Group work from 6.5; at most 4 s of it; then 1.5 s, T 0.4 s, 0.7 s and the chorus 0.9 s.
    """
    lesson = truth(staged)
    times = [(u["start"], u["end"]) for u in lesson["utterances"]]
    assert times[:4] == [(0.5, 1.5), (3.5, 4.3), (4.0, 4.5), (4.9, 5.5)]
    group = [s for s in lesson["segments"] if s["kind"] == "groupwork"]
    last = max(s["end"] for s in group)
    assert min(s["start"] for s in group) == 6.5
    assert 9.0 < last <= 10.5
    assert times[4] == pytest.approx((last + 1.5, last + 1.9))
    assert times[5][0] == pytest.approx(last + 2.6)
    # the voices of a chorus start within 60 ms of one another
    assert 0.9 <= times[5][1] - times[5][0] < 0.96
    assert lesson["duration_s"] == pytest.approx(times[5][1] + 1.5)


def test_waits_have_their_length_or_their_reason(staged: Staged) -> None:
    waits = truth(staged)["waits"]
    assert [(w["kind"], w["duration"], w["excluded"]) for w in waits] == [
        (1, 2.0, None),  # question 1.5 → answer 3.5
        (2, 0.0, "overlap"),  # answer ends 4.3, the teacher began at 4.0
        (1, 1.0, "tag"),  # 5.5 → group work 6.5
        (2, 1.5, "group"),
    ]


def test_totals_add_up_by_hand(staged: Staged) -> None:
    """Teacher 1.0 + 0.5 + 0.6 + 0.4 = 2.5 s; 0.3 s of it over the student."""
    lesson = truth(staged)
    totals = lesson["totals"]
    assert totals["teacher_speech_s"] == pytest.approx(2.5)
    assert totals["both_s"] == pytest.approx(0.3)
    students = 0.8 + totals["group_s"] + totals["choral_s"]
    assert totals["student_speech_s"] == pytest.approx(students, abs=0.002)
    assert totals["teacher_share_of_speech"] == pytest.approx(2.5 / (2.5 + students), abs=1e-3)
    heard = 2.5 + students - 0.3
    assert totals["silence_s"] == pytest.approx(lesson["duration_s"] - heard, abs=0.002)
    assert totals["wait_times"] == [2.0]
    assert lesson["exchanges"] == [
        {"kind": "IRE", "utterances": ["u001", "u002", "u003"], "rounds": 1}
    ]


def test_the_opening_is_a_lesson_of_its_own(staged: Staged) -> None:
    lesson = truth(opening(staged, 3))
    assert lesson["name"] == "tiny_opening"
    assert [u["id"] for u in lesson["utterances"]] == ["u001", "u002", "u003"]
    assert lesson["duration_s"] == 5.0  # the last line ends at 4.5
    assert lesson["activities"] == [
        {"activity": "ire", "start": 0.5, "end": 4.9},
        {"activity": "group", "start": 4.9, "end": 5.0},
    ]


def test_the_room_is_quiet_but_not_silent(staged: Staged) -> None:
    """Background 36 dB below the teacher's -23 dBFS, that is -59, in the first half second."""
    sound = mix(staged)
    assert len(sound) == staged.samples
    assert np.max(np.abs(sound)) <= PEAK
    quiet = 20 * np.log10(np.sqrt(np.mean(sound[: RATE // 2] ** 2)))
    assert quiet == pytest.approx(-59, abs=2)
    assert np.array_equal(sound, mix(staged))


def test_phrases_are_split_at_pauses_of_a_quarter_second() -> None:
    """Sound 0-0.5, pause 0.2, sound 0.7-1.0, pause 0.3, sound 1.3-1.5 → 0-1.0 and 1.3-1.5."""
    sound = np.zeros(round(1.5 * RATE))
    for first, last in ((0.0, 0.5), (0.7, 1.0), (1.3, 1.5)):
        sound[round(first * RATE) : round(last * RATE)] = 1.0
    assert phrases(sound) == [(0, RATE), (round(1.3 * RATE), round(1.5 * RATE))]
    assert phrases(np.zeros(1600)) == []


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ('by = "X"', "'X'"),
        ('question = "real remember"', "'remember'"),
        ('feedback = "ok"', "'ok'"),
    ],
)
def test_a_script_with_an_unknown_name_is_refused(tmp_path: Path, wrong: str, named: str) -> None:
    line = '{ by = "T", gap = 0.4, say = "0.6", ' + wrong + " }"
    if wrong.startswith("by"):
        line = "{ " + wrong + ', gap = 0.4, say = "0.6" }'
    path = tmp_path / "wrong.toml"
    path.write_text(
        SCRIPT.split("[[part]]", maxsplit=1)[0] + f'[[part]]\nactivity = "ire"\nlines = [{line}]\n'
    )
    with pytest.raises(UsageError, match=named) as refusal:
        read_script(path)
    assert "请改正" in refusal.value.zh


def test_a_missing_synthesiser_says_how_to_get_it(
    staged: Staged, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineError, match="apt-get install espeak-ng flite sox"):
        speak(staged.script.voices["T"], "Good morning.")


def test_opus_keeps_the_clock_and_its_bytes(staged: Staged, tmp_path: Path) -> None:
    sound = mix(staged)
    for name in ("a.opus", "b.opus"):
        files.write_opus(tmp_path / name, sound)
    assert (tmp_path / "a.opus").read_bytes() == (tmp_path / "b.opus").read_bytes()
    assert abs(_lag(_decoded(tmp_path / "a.opus"), sound)) <= 16  # 1 ms


def test_the_video_shows_each_picture_from_its_time_on(staged: Staged, tmp_path: Path) -> None:
    path, sound = tmp_path / "a.mp4", mix(staged)[: 3 * RATE]
    video.write_mp4(path, sound, [(0.0, board(0)), (1.5, board(1))])
    with av.open(str(path)) as container:
        shown = [f.to_ndarray(format="rgb24").astype(int) for f in container.decode(video=0)]
    assert len(shown) == 12  # 3 s at 4 a second
    change = int(np.argmax([np.mean(np.abs(b - a)) for a, b in pairwise(shown)]))
    assert change + 1 == 6  # 1.5 s
    assert abs(_lag(_decoded(path), sound)) <= 16


def test_every_picture_fits_the_board_and_adds_chalk() -> None:
    chalk = [int(np.sum(np.all(board(stage) > 200, axis=2))) for stage in range(3)]
    assert chalk == sorted(set(chalk))
    last = board(2)
    assert last.shape == (HEIGHT, WIDTH, 3)
    margin = last[20:-20, WIDTH - 24 : WIDTH - 15]
    assert margin.max() < 110, "chalk runs into the frame"


def test_a_transcript_joins_what_one_side_says(tmp_path: Path) -> None:
    spoken = [
        ("teacher", "请坐。"),
        ("teacher", "几个角？"),
        ("choral", "三个。"),
        ("student", "我也是。"),
    ]
    lesson = {"lang": "zh", "utterances": [{"role": r, "text": t} for r, t in spoken]}
    files.write_text(tmp_path / "t.txt", lesson)
    assert (tmp_path / "t.txt").read_text(
        "utf-8"
    ) == "师：请坐。几个角？\n生（齐）：三个。\n生：我也是。\n"


def _decoded(path: Path) -> np.ndarray:
    resampler = av.AudioResampler("s16", "mono", RATE)
    with av.open(str(path)) as container:
        parts = [
            part.to_ndarray()[0]
            for frame in [*container.decode(audio=0), None]
            for part in resampler.resample(frame)
        ]
    return np.concatenate(parts) / 32768


def _lag(heard: np.ndarray, sound: np.ndarray) -> int:
    """Samples by which `heard` comes late, from the first question's onset."""
    piece = sound[RATE // 2 : RATE]
    around = heard[RATE // 2 - 400 : RATE + 400]
    return int(np.argmax(np.correlate(around, piece, "valid"))) - 400
