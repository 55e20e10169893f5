"""Every format that is read and written: the same utterances, roles and times come back.

`HELD` says what each format holds; what is not in its set is lost, and that is tested, too.
"""

import io
import re
import zipfile
from xml.etree import ElementTree

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from observer import formats
from observer.errors import OutputError, UsageError
from observer.formats.assembly import assemble
from observer.formats.detection import read_bytes
from observer.formats.writing import FORMATS
from observer.timeline import Role
from observer.transcript import Transcript, Utterance, Word

TIMED = ("vtt", "srt", "textgrid", "eaf", "rttm")
HELD = {
    "json": {"text", "id", "speaker", "probability", "approximate", "words", "language"},
    "csv": {"text", "id", "speaker", "probability", "approximate"},
    "xlsx": {"text", "id", "speaker", "probability", "approximate", "language"},
    "docx": {"text", "language"},
    "vtt": {"text", "language"},
    "srt": {"text"},
    "textgrid": {"text"},
    "eaf": {"text", "language"},
    "rttm": {"probability"},
}

HOSTILE = [
    *("-->", "<v 老师>", "</v>", "&amp;", "]]>", "<!--", "item [1]:", "intervals [2]:", "xmin = 3"),
    *("=1+1", '=HYPERLINK("http://x")', "@cmd", "+1", "-1", "'=x", "''", ",", '"', '""', "'", "\t"),
    *(
        "_x0041_",
        "_x000D_",
        "，",
        "：",
        "👩🏽\u200d🏫",
        "שלום",
        "مرحبا",
        "\u202eabc\u202c",
        "\u200f",
    ),
    *(
        "7",
        "A",
        "speaker_1",
        "S1",
        "1",
        '"IntervalTier"',
        "<exists>",
        "师：好",
        "[00:01]",
        "{\\an8}",
    ),
    *("NOTE", "WEBVTT", "00:00:01,000 --> 00:00:02,000", "\\N", "%s", "\ufeff", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "\U00020000"),
]
LETTERS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=12
)
ONE_LINE = st.lists(
    st.sampled_from(HOSTILE) | LETTERS | st.sampled_from(["你好", "hello", "为什么？"]),
    min_size=1,
    max_size=5,
).map("".join)


def held_by_all(text: str) -> bool:
    """One trimmed line with a word in it; noncharacters and SRT's own mark are no speech."""
    spaces = text != text.strip() or "\u200b" in text
    return any(c.isalnum() for c in text) and not spaces and not re.search("[\ufffe\uffff]", text)


ROLES = [Role.TEACHER, Role.STUDENT, Role.CHORAL, Role.GROUP, Role.MEDIA]


@st.composite
def transcripts(draw: st.DrawFn) -> Transcript:
    """Utterances that overlap, touch, repeat a start and last no time at all."""
    starts = sorted(draw(st.lists(st.integers(0, 3_000_000), min_size=1, max_size=5)))
    utterances = []
    for number, start in enumerate(starts, 1):
        end = start + draw(st.integers(0, 60_000))
        text = draw(ONE_LINE.filter(held_by_all))
        role = draw(st.sampled_from(ROLES))
        utterances.append(Utterance(f"u{number}", text, start / 1000, end / 1000, role=role))
    return Transcript(draw(st.sampled_from(["zh", "en"])), tuple(utterances), "test")


def back(transcript: Transcript, layout: str) -> Transcript:
    name, _ = read_bytes(data := formats.encode(transcript, layout))
    assert name == {"json": "observer_json"}.get(layout, layout)
    return imported(data)


def imported(data: bytes) -> Transcript:
    name, reading = read_bytes(data)
    return assemble(reading, name, language=None, roles=None, keep_names=False).transcript


def rows(transcript: Transcript, *, words: bool) -> list[tuple[float, float, str, Role | None]]:
    """What must come back, in an order that does not depend on equal starts."""
    return sorted(
        (u.start or 0.0, u.end or 0.0, u.text if words else "", u.role) for u in transcript
    )


@pytest.mark.parametrize("layout", [x for x in FORMATS if x != "srt"])
@settings(max_examples=15, deadline=None)
@given(transcripts())
@example(
    Transcript("zh", tuple(Utterance(f"u{i}", t, i, i + 0.5, role=Role.STUDENT)
                           for i, t in enumerate(["7", "A", "speaker_1", "=1+1", "'=x"])))
)  # fmt: skip
def test_utterances_roles_and_times_come_back(layout: str, transcript: Transcript) -> None:
    words = "text" in HELD[layout]
    there, again = rows(transcript, words=words), rows(back(transcript, layout), words=words)
    assert len(again) == len(there)
    for (start, end, text, role), (start2, end2, text2, role2) in zip(there, again, strict=True):
        assert (text2, role2) == (text, role)
        assert start2 == pytest.approx(start, abs=0.005)
        assert end2 == pytest.approx(end, abs=0.005)


FULL = Transcript(
    "en",
    (
        Utterance("q1", "十二", 1.0, 2.0, "T", Role.TEACHER, (Word("十二", 1.0, 2.0, 0.9),)),
        Utterance("q2", "对吗？", 2.5, 3.25, "生3", Role.STUDENT, (), True, 0.75),
        Utterance("q3", "对。", 4.0, 5.0, None, Role.CHORAL),
    ),
    "whisper",
)
"""Chinese words that are said to be English, so that a kept language shows."""


@pytest.mark.parametrize("layout", list(FORMATS))
def test_what_a_format_holds_beyond_that_and_what_is_lost(layout: str) -> None:
    again = back(FULL, layout)
    one, two, three = again.utterances
    held = {
        "text": one.text == "十二",
        "id": one.id == "q1",
        "speaker": (one.speaker, two.speaker, three.speaker) == ("T", "生3", None),
        "probability": two.role_probability == 0.75 and one.role_probability is None,
        "approximate": two.approximate and not one.approximate,
        "words": one.words == FULL.utterances[0].words,
        "language": again.language == "en",
    }
    assert {k for k, v in held.items() if v} == HELD[layout]


@pytest.mark.parametrize("layout", list(FORMATS))
@settings(max_examples=10, deadline=None)
@given(st.text(max_size=30))
@example("\x00\x01\x0b\x0c\x1b\x7f\x85\ufffe\uffff")
@example("\ud800")
@example("a\r\nb\u2028c\n\n\nd")
def test_any_text_is_written_and_stays_one_utterance(layout: str, text: str) -> None:
    """Control characters and lone surrogates, which XML and UTF-8 cannot hold, break nothing."""
    one = Transcript("zh", (Utterance("u1", f"话{text}尾", 1.0, 2.0, role=Role.TEACHER),))
    again = back(one, layout)
    assert len(again) == 1
    assert again.utterances[0].role is Role.TEACHER
    assert again.utterances[0].span == one.utterances[0].span


@pytest.mark.parametrize("layout", [x for x in FORMATS if x not in TIMED])
def test_transcripts_without_times_come_back_without(layout: str) -> None:
    one = Transcript("zh", (Utterance("u1", "请坐。", role=Role.TEACHER), Utterance("u2", "好。")))
    again = back(one, layout)
    assert [(u.text, u.start, u.role) for u in again] == [
        ("请坐。", None, Role.TEACHER),
        ("好。", None, None),
    ]


@pytest.mark.parametrize("layout", TIMED)
def test_formats_of_times_refuse_what_has_none(layout: str) -> None:
    with pytest.raises(OutputError, match="u1 has no times"):
        formats.encode(Transcript("zh", (Utterance("u1", "好"),)), layout)


@pytest.mark.parametrize("layout", list(FORMATS))
def test_the_same_bytes_every_time_and_no_date(layout: str, monkeypatch) -> None:
    first = formats.encode(FULL, layout)
    monkeypatch.setattr("time.time", lambda: 2_000_000_000.0)
    assert formats.encode(FULL, layout) == first
    if layout in ("xlsx", "docx"):
        with zipfile.ZipFile(io.BytesIO(first)) as archive:
            assert {m.date_time for m in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
            assert b"dcterms" not in archive.read("docProps/core.xml")


@settings(max_examples=15, deadline=None)
@given(st.sampled_from("=+-@\t＝＋－＠"), st.text(st.characters(codec="utf-8"), max_size=15))
def test_no_cell_of_a_workbook_is_a_formula(opening: str, text: str) -> None:
    one = Transcript("en", (Utterance("u1", f"{opening}{text}x", speaker=f"{opening}y"),))
    with zipfile.ZipFile(io.BytesIO(formats.encode(one, "xlsx"))) as archive:
        sheet = ElementTree.fromstring(archive.read("xl/worksheets/sheet1.xml"))
    assert not sheet.findall(".//{*}f")


def test_a_workbook_marks_its_texts_as_texts_and_its_times_as_numbers() -> None:
    import openpyxl

    one = Transcript("zh", (Utterance("u1", "=1+1", 1.5, 2.0, role=Role.TEACHER),))
    sheet = openpyxl.load_workbook(io.BytesIO(formats.encode(one, "xlsx"))).active
    text, start = sheet["H2"], sheet["B2"]
    assert (text.value, text.data_type, text.quotePrefix) == ("=1+1", "s", True)
    assert (start.value, start.data_type) == (1.5, "n")


def test_an_utterance_longer_than_a_cell_is_refused_and_not_cut() -> None:
    long = Transcript("zh", (Utterance("u1", "水" * 32_768, 0.0, 1.0),))
    with pytest.raises(OutputError, match="a cell of Excel holds 32767"):
        formats.encode(long, "xlsx")


def test_talk_of_one_role_that_overlaps_gets_tiers_of_its_own() -> None:
    """Two students at once: Praat and ELAN allow no overlap within a tier.

    生  |--1--|      |-3-|
    生 2    |--2--|
    """
    one = Transcript(
        "zh",
        (
            Utterance("u1", "一", 0.0, 2.0, role=Role.STUDENT),
            Utterance("u2", "二", 1.0, 3.0, role=Role.STUDENT),
            Utterance("u3", "三", 3.0, 4.0, role=Role.STUDENT),
        ),
    )
    names = re.findall(r'name = "(.*?)"', formats.dumps(one, "textgrid"))
    assert names == ["学生", "学生 [2]"]
    tree = ElementTree.fromstring(formats.encode(one, "eaf"))
    tiers = [(t.get("TIER_ID"), t.get("PARTICIPANT")) for t in tree.iter("TIER")]
    assert tiers == [("学生", "学生"), ("学生 [2]", "学生")]


def test_praatio_and_pympi_read_the_same(tmp_path) -> None:
    """The programs' own libraries as independent readers."""
    from praatio import textgrid
    from pympi import Eaf

    grid = formats.write(FULL, tmp_path / "a.TextGrid")
    tier = textgrid.openTextgrid(str(grid), includeEmptyIntervals=False).getTier("Teacher")
    assert [tuple(e) for e in tier.entries] == [(1.0, 2.0, "十二")]
    document = Eaf(str(formats.write(FULL, tmp_path / "a.eaf")))
    assert document.get_annotation_data_for_tier("Student") == [(2500, 3250, "对吗？")]


def test_why_textgrids_are_read_here() -> None:
    """praatio 6 splits a file inside the words that somebody said."""
    from praatio.utilities import errors, textgrid_io

    one = Transcript("en", (Utterance("u1", "see item [2]", 0.0, 1.0, role=Role.TEACHER),))
    text = formats.dumps(one, "textgrid")
    with pytest.raises(errors.ParsingError):
        textgrid_io.parseTextgridStr(text)
    assert back(one, "textgrid").utterances[0].text == "see item [2]"


def test_names_are_written_only_on_demand() -> None:
    one = Transcript("zh", (Utterance("u1", "到！", 0.0, 1.0, "张三", Role.STUDENT),))
    for layout in ("vtt", "srt", "docx", "textgrid", "eaf", "rttm"):
        for keep, label in ((False, None), (True, "张三")):
            data = formats.encode(one, layout, keep_names=keep)
            _, reading = read_bytes(data)
            found = {c.speaker for c in reading.cues} | {
                c.text.split("：")[0] for c in reading.cues
            }
            assert ("张三" in found) is (label is not None), (layout, keep)


def test_binary_formats_are_no_text() -> None:
    with pytest.raises(UsageError, match="not a text format"):
        formats.dumps(FULL, "docx")


def test_suffixes_in_any_case(tmp_path) -> None:
    for suffix in ("TextGrid", "EAF", "XLSX", "Docx", "RTTM"):
        assert formats.read(formats.write(FULL, tmp_path / f"a.{suffix}")).transcript.utterances
