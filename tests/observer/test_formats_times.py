"""Times that do not count from the recording's start, and files of several recordings."""

import pytest

from observer import formats
from observer.errors import TranscriptError

NOTES = {"wall_clock", "programme_time", "hours_and_minutes", "other_recordings"}


def codes(found: formats.ImportedTranscript) -> set[str]:
    return {n.code for n in found.notes} & NOTES


def srt(*times: str) -> str:
    return "".join(f"{i}\n{t}\n师：请坐。\n\n" for i, t in enumerate(times, 1))


def test_a_wall_clock_counts_from_the_first_entry() -> None:
    """14:02:33.2 becomes 0, 14:02:36 becomes 2.8."""
    found = formats.read_text(srt("14:02:33,200 --> 14:02:35,000", "14:02:36,000 --> 14:02:37,000"))
    assert [(u.start, u.end) for u in found.transcript] == [(0.0, 1.8), (2.8, 3.8)]
    assert codes(found) == {"wall_clock"}
    assert found.offset == pytest.approx(14 * 3600 + 2 * 60 + 33.2)


@pytest.mark.parametrize(("code", "offset"), [("01", 3600.0), ("10", 36_000.0)])
def test_the_hour_of_an_editing_program_is_taken_off(code: str, offset: float) -> None:
    found = formats.read_text(srt(f"{code}:00:03,200 --> {code}:00:05,000"))
    assert [(u.start, u.end) for u in found.transcript] == [(3.2, 5.0)]
    assert (codes(found), found.offset) == ({"programme_time"}, offset)


def test_a_long_silence_before_the_lesson_stays() -> None:
    found = formats.read_text(srt("00:40:00,000 --> 00:40:02,000", "01:50:00,000 --> 01:50:01,000"))
    assert [u.start for u in found.transcript] == [2400.0, 6600.0]
    assert (codes(found), found.offset) == (set(), 0.0)


def test_words_move_with_their_utterance() -> None:
    text = (
        '{"segments": [{"start": 50553, "end": 50554, "text": "hi", '
        '"words": [{"word": "hi", "start": 50553.25, "end": 50553.5}]}]}'
    )
    (word,) = formats.read_text(text).transcript.utterances[0].words
    assert (word.start, word.end) == (0.25, 0.5)


def test_what_we_wrote_is_never_moved() -> None:
    found = formats.read_text(
        "WEBVTT - observer\n\nu1\n01:30:00.000 --> 01:30:01.000\n<v 老师>好\n"
    )
    assert (found.transcript.utterances[0].start, found.offset) == (5400.0, 0.0)


LONG = "同学们好，今天我们来学习三角形的内角和，请大家打开书看一看，想一想。"


def test_hours_and_minutes_are_told_from_minutes_and_seconds() -> None:
    """Six long turns within "14:02" … "14:05": 50 s of words in what would be 3 s."""
    stamps = ["14:02", "14:02", "14:03", "14:03", "14:04", "14:05"]
    text = "".join(
        f"{'王老师' if i % 2 else '李明'} {t}\n{LONG}\n" for i, t in enumerate(stamps, 1)
    )
    found = formats.read_text(text)
    starts = [u.start for u in found.transcript]
    assert (starts[0], starts[2], starts[4], starts[5]) == (0.0, 60.0, 120.0, 180.0)
    assert codes(found) == {"hours_and_minutes", "wall_clock"}
    seconds = "".join(f"说话人 {i % 2} 14:{i * 9:02d}\n{LONG}\n" for i in range(1, 7))
    assert codes(formats.read_text(seconds)) == set()


RTTM = "".join(
    f"SPEAKER {name} 1 {start} 1.0 <NA> <NA> {who} <NA> <NA>\n"
    for name, start, who in [("a", 1, "T"), ("a", 3, "S"), ("b", 7, "T"), ("b", 9, "S")]
)


def test_one_of_several_recordings_is_read_and_the_others_are_named(tmp_path) -> None:
    first = formats.read_text(RTTM)
    assert [u.start for u in first.transcript] == [1.0, 3.0]
    (note,) = [n for n in first.notes if n.code == "other_recordings"]
    assert "a, b" in note.en
    stated = formats.read_text(RTTM, recording="b")
    assert [u.start for u in stated.transcript] == [7.0, 9.0]
    assert codes(stated) == set()
    path = tmp_path / "b.rttm"
    path.write_text(RTTM)
    assert [u.start for u in formats.read(path).transcript] == [7.0, 9.0]
    with pytest.raises(TranscriptError, match="no recording 'c'; it holds: a, b"):
        formats.read_text(RTTM, recording="c")
    with pytest.raises(TranscriptError, match="does not name recordings"):
        formats.read_text("师：好。\n生：好。\n", recording="a")


@pytest.mark.parametrize(
    "text",
    [
        "a 1 T 1 2 hello\nb 1 T 3 4 there\n",
        "a 1 1.0 0.5 hello\na 1 1.6 0.5 there\nb 1 7 0.5 you\n",
        '[{"session_id": "a", "speaker": "T", "start_time": 1, "end_time": 2, "words": "hello"},'
        ' {"session_id": "b", "speaker": "T", "start_time": 7, "end_time": 8, "words": "you"}]',
    ],
)
def test_stm_ctm_and_seglst_tell_recordings_apart(text: str) -> None:
    found = formats.read_text(text)
    assert [u.start for u in found.transcript] == [1.0]
    assert codes(found) == {"other_recordings"}


def test_ctm_words_without_durations_last_until_the_next() -> None:
    """1 s each at most: words 1 s apart are one utterance, a pause of 4 s ends it."""
    text = "".join(f"a 1 {t} 0 w{t}\n" for t in (0, 1, 2, 6, 7))
    found = [(u.text, u.start, u.end) for u in formats.read_text(text).transcript]
    assert found == [("w0 w1 w2", 0.0, 3.0), ("w6 w7", 6.0, 8.0)]
