"""What is written reads back the same, and no cell or cue can break out of its file."""

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from observer import formats
from observer.errors import OutputError, UsageError
from observer.timeline import Role
from observer.transcript import Transcript, Utterance, Word

NASTY = st.sampled_from(
    [
        *("-->", "<v Teacher>", "</v>", "<b>", "&amp;", "[", "]", "{\\i1}", "\\N", "NOTE", "7"),
        *("=1+1", "@cmd", "+1", "-1", "'=x", ",", '"', "'", "\t", "，", "：", "👩🏽\u200d🏫"),
        "00:00:01,000 --> 00:00:02,000",
    ]
)
LETTERS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=12
)
TEXT = st.lists(NASTY | LETTERS | st.sampled_from(["你好", "hello"]), min_size=1, max_size=5).map(
    "".join
)


def line(text: str) -> bool:
    """Texts as transcripts hold them: one trimmed line with something in it."""
    return bool(text.strip()) and text == text.strip() and "\u200b" not in text


SPOKEN = TEXT.filter(line)
TIMES = st.integers(0, 359_000_000)
ROLES = st.sampled_from([Role.TEACHER, Role.STUDENT, Role.CHORAL, Role.GROUP, Role.MEDIA])


@st.composite
def transcripts(draw: st.DrawFn) -> Transcript:
    starts = sorted(draw(st.lists(TIMES, min_size=1, max_size=4)))
    utterances = []
    for number, start in enumerate(starts, 1):
        end = start + draw(st.integers(0, 60_000))
        utterances.append(
            Utterance(f"u{number}", draw(SPOKEN), start / 1000, end / 1000, role=draw(ROLES))
        )
    return Transcript(draw(st.sampled_from(["zh", "en"])), tuple(utterances), "test")


def told(transcript: Transcript) -> list[tuple[object, ...]]:
    return [(u.id, u.text, u.start, u.end, u.role) for u in transcript]


@settings(max_examples=60, deadline=None)
@given(transcripts(), st.sampled_from(["vtt", "csv", "json"]))
def test_round_trip(transcript: Transcript, layout: str) -> None:
    again = formats.read_text(formats.dumps(transcript, layout)).transcript
    assert told(again) == told(transcript)
    assert again.language == transcript.language or layout == "csv"


@settings(max_examples=60, deadline=None)
@given(transcripts())
def test_srt_round_trip_of_words_and_times(transcript: Transcript) -> None:
    """SRT has no escapes: tags of the text and its braces are lost, arrows and numbers are not."""
    plain = [u for u in transcript if not set(u.text) & set("<>{}\\")]
    kept = transcript.with_utterances(plain)
    if len(kept):
        if (kept.utterances[0].start or 0) >= 3600:
            return  # read as the time of a clock: test_formats_times.py
        again = formats.read_text(formats.dumps(kept, "srt")).transcript
        assert [(u.text, u.start, u.end, u.role) for u in again] == [
            (u.text, u.start, u.end, u.role) for u in kept
        ]


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=40), st.sampled_from(["vtt", "srt"]))
def test_no_text_opens_a_second_cue(text: str, layout: str) -> None:
    one = Transcript("zh", (Utterance("u1", f"话{text}", 1.0, 2.0, role=Role.TEACHER),))
    again = formats.read_text(formats.dumps(one, layout)).transcript
    assert len(again) == 1
    assert again.utterances[0].span == one.utterances[0].span


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=30), st.sampled_from("=+-@\t\r＝＋－＠"))
def test_no_cell_is_a_formula(text: str, opening: str) -> None:
    one = Transcript("en", (Utterance("u1", opening + text, speaker=opening + "x"),))
    body = formats.dumps(one, "csv")
    assert body.startswith("\ufeff")
    (row,) = list(csv.DictReader(io.StringIO(body.removeprefix("\ufeff"), newline="")))
    assert row["text"][0] == "'"
    assert row["speaker"][0] == "'"


def test_csv_keeps_what_has_no_times_and_who_was_guessed() -> None:
    one = Transcript(
        "zh",
        (
            Utterance("u1", "好", role=Role.TEACHER, speaker="韩老师", role_probability=0.75),
            Utterance("u2", "行", 1.0, 2.0, approximate=True),
        ),
    )
    again = formats.read_text(formats.dumps(one, "csv")).transcript
    assert again.utterances == one.utterances


def test_json_keeps_everything() -> None:
    words = (Word("水", 1.0, 1.25, 0.5), Word("冷", 1.25, 1.5))
    one = Transcript(
        "zh",
        (Utterance("u7", "水冷\n\n吗", 1.0, 1.5, "S1", Role.STUDENT, words, True, 0.6),),
        "whisper",
    )
    again = formats.read_text(formats.dumps(one, "json"))
    assert again.transcript.utterances[0].words == words
    assert again.transcript.utterances[0].id == "u7"
    assert again.layout == "observer_json"


def test_vtt_has_voice_tags_of_roles() -> None:
    one = Transcript("zh", (Utterance("u1", "a<b & c", 0.0, 3725.3, role=Role.TEACHER),))
    assert formats.dumps(one, "vtt") == (
        "WEBVTT - observer\nLanguage: zh\n\nu1\n00:00:00.000 --> 01:02:05.300\n"
        "<v 老师>a&lt;b &amp; c\n"
    )


def test_subtitles_need_times_and_formats_are_named(tmp_path) -> None:
    one = Transcript("zh", (Utterance("u1", "好"),))
    with pytest.raises(OutputError, match="u1 has no times"):
        formats.write(one, tmp_path / "a.vtt")
    with pytest.raises(UsageError, match="known: vtt, srt, csv, json"):
        formats.write(one, tmp_path / "a.pdf")
    assert list(tmp_path.iterdir()) == []
    assert formats.write(one, tmp_path / "a.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    assert formats.write(one, tmp_path / "a.txt", "json").exists()
