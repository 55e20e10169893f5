"""Every layout gives the same little lesson: words, times, roles.

The lesson, in seconds:   0    2        6  7    9      3605 3606.5
                               |teacher |  |S1  |   …   |teacher|
"""

import io
import json
from collections.abc import Callable

import pytest

from observer import formats
from observer.formats import ImportedTranscript
from observer.formats.detection import read_bytes
from observer.timeline import Role

TEACHER, STUDENT, CHORAL = Role.TEACHER, Role.STUDENT, Role.CHORAL
WORDS = ["水为什么会结冰？", "因为太冷了。", "说得好，下课。"]
ROLES = [TEACHER, STUDENT, TEACHER]
SPANS = [(2.0, 6.0), (7.0, 9.0), (3605.0, 3606.5)]


def check(found: ImportedTranscript, layout: str, *, ends: bool = True) -> None:
    utterances = found.transcript.utterances
    assert found.layout == layout
    assert found.transcript.source == f"import:{layout}"
    assert [u.id for u in utterances] == ["u1", "u2", "u3"]
    assert [u.text for u in utterances] == WORDS
    assert [u.role for u in utterances] == ROLES
    assert [u.start for u in utterances] == [s for s, _ in SPANS]
    if ends:
        assert [u.end for u in utterances] == [e for _, e in SPANS]
        assert not any(u.approximate for u in utterances)
    else:
        assert all(u.approximate and u.end and u.start and u.end > u.start for u in utterances)
        assert "estimated_ends" in {n.code for n in found.notes}


SRT = """1
00:00:02,000 --> 00:00:06,000
韩老师：水为什么会结冰？

2
00:00:07,000 --> 00:00:09,000
学生：因为太冷了。

3
01:00:05,000 --> 01:00:06,500
韩老师：说得好，下课。
"""

VTT = """WEBVTT - made by hand
Language: zh

NOTE
a comment, and on its second line
07:00.000 no cue at all

STYLE
::cue(v) { color: red }

first cue
00:02.000 --> 00:06.000 align:start line:0
<v.loud 韩老师>水为什么会<i>结冰</i>？</v>

00:00:07.000 --> 00:00:09.000
<v 学生>因为太冷了。

01:00:05.000 --> 01:00:06.500
<v 韩老师>说得好，下课。
"""

ZOOM = """WEBVTT

1
00:00:02.000 --> 00:00:06.000
韩老师: 水为什么会结冰？

2
00:00:07.000 --> 00:00:09.000
学生: 因为太冷了。

3
01:00:05.000 --> 01:00:06.500
韩老师: 说得好，下课。
"""

ASS = """[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize
Style: Default,Arial,20

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,0:00:02.00,0:00:06.00,Default,韩老师,0,0,0,,水为什么会{\\i1}结冰{\\i0}？
Dialogue: 0,0:00:07.00,0:00:09.00,Default,学生,0,0,0,,因为太冷了。
Dialogue: 0,1:00:05.00,1:00:06.50,Default,韩老师,0,0,0,,说得好，下课。
"""

CSV = """说话人,开始时间,结束时间,内容
老师,00:00:02,00:00:06,水为什么会结冰？
生1,0:07,0:09,因为太冷了。
老师,1:00:05,01:00:06.5,"说得好，下课。"
"""

TSV_MS = """start\tend\tspeaker\ttext
2000\t6000\tT\t水为什么会结冰？
7000\t9000\tS\t因为太冷了。
3605000\t3606500\tT\t说得好，下课。
"""

BRACKETS = """[00:00:02 - 00:00:06] 老师：水为什么会结冰？
【00:00:07—00:00:09】学生甲：因为太冷了。
[01:00:05.0-01:00:06.5] 老师：说得好，下课。
"""

STM = """;; a comment
lesson 1 Teacher 2.0 6.0 <o,f0,female> 水为什么会结冰？
lesson 1 Student 7 9 因为太冷了。
lesson 1 Teacher 3605.00 3606.50 说得好，下课。
"""

CHAT = """@UTF8
@Begin
@Languages:\tzho
@Participants:\tTEA Han Teacher, STU Li Student
*TEA:\t水为什么 (.) 会结冰？ [+ q] \x152000_6000\x15
%com:\tnot speech
*STU:\t因为 &-um 太冷了。
\t\x157000_9000\x15
*TEA:\t说得好，下课。 \x153605000_3606500\x15
@End
"""

TEXTGRID = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 3606.5
tiers? <exists>
size = 2
item []:
    item [1]:
        class = "IntervalTier"
        name = "老师"
        xmin = 0
        xmax = 3606.5
        intervals: size = 4
        intervals [1]:
            xmin = 0
            xmax = 2
            text = ""
        intervals [2]:
            xmin = 2
            xmax = 6
            text = "水为什么会结冰？"
        intervals [3]:
            xmin = 6
            xmax = 3605
            text = "sil"
        intervals [4]:
            xmin = 3605
            xmax = 3606.5
            text = "说得好，下课。"
    item [2]:
        class = "IntervalTier"
        name = "学生"
        xmin = 0
        xmax = 3606.5
        intervals: size = 1
        intervals [1]:
            xmin = 7
            xmax = 9
            text = "因为太冷了。"
"""

EAF = """<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT AUTHOR="" DATE="2024-01-01T00:00:00+00:00" FORMAT="3.0" VERSION="3.0">
<HEADER MEDIA_FILE="" TIME_UNITS="milliseconds"/>
<TIME_ORDER>
<TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="2000"/><TIME_SLOT TIME_SLOT_ID="ts2" TIME_VALUE="6000"/>
<TIME_SLOT TIME_SLOT_ID="ts3" TIME_VALUE="7000"/><TIME_SLOT TIME_SLOT_ID="ts4" TIME_VALUE="9000"/>
<TIME_SLOT TIME_SLOT_ID="ts5" TIME_VALUE="3605000"/>
<TIME_SLOT TIME_SLOT_ID="ts6" TIME_VALUE="3606500"/>
</TIME_ORDER>
<TIER LINGUISTIC_TYPE_REF="t" TIER_ID="tier one" PARTICIPANT="老师">
<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" TIME_SLOT_REF1="ts1" TIME_SLOT_REF2="ts2">
<ANNOTATION_VALUE>水为什么会结冰？</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a2" TIME_SLOT_REF1="ts5" TIME_SLOT_REF2="ts6">
<ANNOTATION_VALUE>说得好，下课。</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
</TIER>
<TIER LINGUISTIC_TYPE_REF="t" TIER_ID="学生">
<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a3" TIME_SLOT_REF1="ts3" TIME_SLOT_REF2="ts4">
<ANNOTATION_VALUE>因为太冷了。</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
</TIER>
<LINGUISTIC_TYPE LINGUISTIC_TYPE_ID="t" TIME_ALIGNABLE="true"/>
</ANNOTATION_DOCUMENT>
"""


@pytest.mark.parametrize(
    ("text", "layout"),
    [
        (SRT, "srt"),
        (VTT, "vtt"),
        (ZOOM, "vtt"),
        (ASS, "subtitles"),
        (CSV, "csv"),
        (TSV_MS, "csv"),
        (BRACKETS, "bracket_time"),
        (STM, "stm"),
        (CHAT, "chat"),
        (TEXTGRID, "textgrid"),
        (EAF, "eaf"),
    ],
    ids=lambda x: x if len(x) < 20 else "",
)
def test_text_layouts_with_times(text: str, layout: str) -> None:
    check(formats.read_text(text), layout)


TENCENT = """会议主题：结冰

韩老师(00:00:02): 水为什么会结冰？
学生(00:00:07): 因为太冷了。
韩老师(01:00:05): 说得好，下课。
"""

TENCENT_MD = """# 会议纪要

**韩老师** [00:00:02]
> 水为什么会结冰？

**学生** [00:00:07]
> 因为太冷了。

**韩老师** [01:00:05]
> 说得好，下课。
"""

FEISHU = """2024年3月1日 上午 8:00|1小时 1分钟

关键词:
冰

文字记录:
韩老师 00:02
水为什么会结冰？

学生 00:07
因为太冷了。

韩老师 01:00:05
说得好，下课。
"""

OTTER = """韩老师  0:02
水为什么会结冰？

学生  0:07
因为太冷了。

韩老师  1:00:05
说得好，下课。

Transcribed by https://otter.ai
"""


@pytest.mark.parametrize(
    ("text", "layout"),
    [
        (TENCENT, "tencent_txt"),
        (TENCENT_MD, "tencent_md"),
        (FEISHU, "feishu"),
        (OTTER, "otter"),
        (OTTER.replace("Transcribed by https://otter.ai", ""), "minutes"),
    ],
)
def test_text_layouts_that_only_have_starts(text: str, layout: str) -> None:
    check(formats.read_text(text), layout, ends=False)


def test_estimated_ends_follow_the_words_and_stop_at_the_next_start() -> None:
    """8 Han characters and .3 s: .3 + 8 × .25 = 2.3 s; but the next start comes after 1 s."""
    found = formats.read_text("[00:10] 老师：我们来看这一页。\n[00:11] 生：好。\n").transcript
    first, last = found.utterances
    assert (first.start, first.end) == (10.0, 11.0)
    assert last.end == pytest.approx(11.0 + 0.3 + 0.25)


def test_entries_in_the_same_second_divide_it() -> None:
    """Two entries of equal length at 0:10, the next at 0:11: half a second each."""
    found = formats.read_text(
        "[00:10] 老师：看看\n[00:10] 生：好的\n[00:11] 老师：嗯嗯\n"
    ).transcript
    assert [u.start for u in found] == [10.0, 10.5, 11.0]


def words(prefix: str, begin: float) -> list[dict[str, object]]:
    return [
        {"word": c, "start": begin + 0.5 * i, "end": begin + 0.5 * i + 0.5, "score": 0.5}
        for i, c in enumerate(prefix)
    ]


def segments(**names: str) -> list[dict[str, object]]:
    """The lesson with fields named as a program names them; times in ms where asked."""
    scale = 1000 if "ms" in names else 1
    speakers = ["老师", "学生", "老师"]
    return [
        {
            names["text"]: text,
            names["start"]: start * scale,
            names["end"]: end * scale,
            names["speaker"]: speaker,
        }
        for text, (start, end), speaker in zip(WORDS, SPANS, speakers, strict=True)
    ]


PLAIN = segments(text="text", start="start", end="end", speaker="speaker")
FUNASR = segments(text="text", start="start", end="end", speaker="spk", ms="")
TENCENT_JSON = segments(
    text="FinalSentence", start="StartMs", end="EndMs", speaker="SpeakerId", ms=""
)
VOLC = segments(text="text", start="start_time", end="end_time", speaker="speaker", ms="")
IFLYTEK = segments(text="onebest", start="bg", end="ed", speaker="speaker", ms="")
SEGLST = [
    {**x, "session_id": "a"}
    for x in segments(text="words", start="start_time", end="end_time", speaker="speaker")
]
TINGWU = [
    {
        "SpeakerId": x["SpeakerId"],
        "Words": [
            {"SentenceId": 1, "Start": x["StartMs"], "End": x["EndMs"], "Text": x["FinalSentence"]}
        ],
    }
    for x in TENCENT_JSON
]


@pytest.mark.parametrize(
    ("value", "layout"),
    [
        ({"language": "zh", "segments": PLAIN}, "whisperx_json"),
        (PLAIN, "segments_json"),
        ([{"key": "a", "text": "…", "sentence_info": FUNASR}], "funasr_json"),
        ({"Transcription": {"Paragraphs": TINGWU}}, "tingwu_json"),
        ({"Response": {"Data": {"ResultDetail": TENCENT_JSON}}}, "tencent_json"),
        ({"result": [{"utterances": VOLC}]}, "volcengine_json"),
        (IFLYTEK, "iflytek_json"),
        (SEGLST, "seglst_json"),
    ],
)
def test_json_of_recognisers(value: object, layout: str) -> None:
    check(formats.read_text(json.dumps(value, ensure_ascii=False)), layout)


def test_whisper_json_keeps_words_language_and_has_no_roles() -> None:
    spoken = [{"word": "因为", "start": 7, "end": 7.5, "probability": 0.25}]
    body = {"language": "zh", "segments": [{"start": 7, "end": 9, "text": "因为", "words": spoken}]}
    found = formats.read_text(json.dumps(body))
    (utterance,) = found.transcript.utterances
    assert found.layout == "whisper_json"
    assert (utterance.role, utterance.words[0].confidence) == (None, 0.25)
    assert {n.code for n in found.notes} == {"no_speakers"}


def test_whisperx_numerals_without_times_lie_between_their_neighbours() -> None:
    spoken = [
        {"word": "page", "start": 1.0, "end": 1.4, "score": 0.9},
        {"word": "12"},
        {"word": "please", "start": 2.0, "end": 2.4, "score": 0.9},
    ]
    body = {"segments": [{"start": 1, "end": 3, "text": "page 12 please", "words": spoken}]}
    middle = formats.read_text(json.dumps(body)).transcript.utterances[0].words[1]
    assert (middle.start, middle.end, middle.confidence) == (1.4, 2.0, None)


def test_tencent_word_offsets_count_from_their_sentence() -> None:
    detail = {
        "FinalSentence": "好的",
        "StartMs": 5000,
        "EndMs": 6000,
        "Words": [
            {"Word": "好", "OffsetStartMs": 0, "OffsetEndMs": 400},
            {"Word": "的", "OffsetStartMs": 400, "OffsetEndMs": 900},
        ],
    }
    found = formats.read_text(json.dumps({"ResultDetail": [detail]})).transcript
    assert [(w.start, w.end) for w in found.utterances[0].words] == [(5.0, 5.4), (5.4, 5.9)]


def test_lesson_record_without_times() -> None:
    head = "《水》课堂实录\n\n一、导入\n"
    text = head + "师：水为什么会结冰？\n生1：因为太冷了。\n（学生鼓掌）\n师：说得好，\n下课。\n"
    found = formats.read_text(text)
    assert found.layout == "shi_sheng"
    assert [u.text for u in found.transcript] == WORDS
    assert [u.role for u in found.transcript] == ROLES
    assert all(u.span is None for u in found.transcript)
    note = next(n for n in found.notes if n.code == "skipped_lines")
    assert "1, 3, 6" in note.en


def test_rttm_has_voices_without_words() -> None:
    text = (
        "SPEAKER a 1 2.0 4.0 <NA> <NA> v1 <NA> <NA>\nSPEAKER a 1 7.0 2.0 <NA> <NA> v2 <NA> <NA>\n"
    )
    found = formats.read_text(text)
    assert [(u.start, u.end, u.text, u.role) for u in found.transcript] == [
        (2.0, 6.0, "", TEACHER),
        (7.0, 9.0, "", STUDENT),
    ]
    assert {"no_words", "roles_by_talk"} <= {n.code for n in found.notes}


def test_ctm_words_become_utterances_at_pauses() -> None:
    """Gap of .1 s stays inside, gap of 1 s ends the utterance (limit .5 s)."""
    text = "a 1 0.0 0.5 water .9\na 1 0.6 0.4 freezes .8\na 1 2.0 0.5 why .7\n"
    found = formats.read_text(text)
    assert [(u.text, u.start, u.end) for u in found.transcript] == [
        ("water freezes", 0.0, 1.0),
        ("why", 2.0, 2.5),
    ]


def test_textgrid_of_words_and_phones_is_read_by_words() -> None:
    head = 'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n3\n<exists>\n2\n'
    phones = '"IntervalTier"\n"phones"\n0\n3\n2\n0\n1\n"x"\n1\n3\n"y"\n'
    spoken = '"IntervalTier"\n"words"\n0\n3\n3\n0\n1\n"你"\n1\n2\n"好"\n2\n3\n"[SIL]"\n'
    (utterance,) = formats.read_text(head + phones + spoken).transcript.utterances
    assert (utterance.text, len(utterance.words), utterance.end) == ("你好", 2, 2.0)


def _xlsx() -> bytes:
    import datetime as dt

    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["课堂转写"])
    sheet.append(["TimeStamp", "End", "Speaker", "Sentence"])
    sheet.append([dt.time(0, 0, 2), dt.time(0, 0, 6), "T", WORDS[0]])
    sheet.append(["00:00:07", "00:00:09", "S", WORDS[1]])
    sheet.append([dt.timedelta(seconds=3605), dt.timedelta(seconds=3606.5), "T", WORDS[2]])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _docx(write: Callable[..., None]) -> bytes:
    import docx

    document = docx.Document()
    write(document)
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def test_xlsx(tmp_path) -> None:
    path = tmp_path / "misleading.srt"
    path.write_bytes(_xlsx())
    check(formats.read(path), "xlsx")


def test_docx_paragraphs_and_tables(tmp_path) -> None:
    def paragraphs(document) -> None:
        for line in BRACKETS.splitlines():
            document.add_paragraph(line)

    def table(document) -> None:
        grid = document.add_table(rows=0, cols=4)
        for line in CSV.replace('"', "").splitlines():
            for cell, text in zip(grid.add_row().cells, line.split(","), strict=True):
                cell.text = text

    for writer in (paragraphs, table):
        path = tmp_path / f"{writer.__name__}.docx"
        path.write_bytes(_docx(writer))
        check(formats.read(path), "docx")


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "gb18030", "utf-32"]
)
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends(encoding: str, ending: str) -> None:
    layout, reading = read_bytes(SRT.replace("\n", ending).encode(encoding))
    assert (layout, len(reading.cues)) == ("srt", 3)
    assert WORDS[0] in reading.cues[0].text


def test_curly_quotes_of_windows_are_not_chinese() -> None:
    data = "1\n00:00:01,000 --> 00:00:02,000\nTeacher: that’s it\n".encode("cp1252")
    assert read_bytes(data)[1].cues[0].text == "Teacher: that’s it"


def test_dates_with_a_time_of_day_count_from_the_first_entry() -> None:
    text = (
        "speaker,startTimestamp,endTimestamp,text\n"
        "tutor,2023-02-11T09:12:23.330-08:00,2023-02-11T09:12:24.490-08:00,Hi.\n"
        "student,2023-02-11T09:12:30.330-08:00,2023-02-11T09:12:31.330-08:00,Hello.\n"
    )
    found = formats.read_text(text)
    assert [u.start for u in found.transcript] == [0.0, 7.0]
    assert found.transcript.utterances[0].end == pytest.approx(1.16)
    assert "wall_clock" in {n.code for n in found.notes}


def test_pysubs2_agrees_where_it_can() -> None:
    """An independent reader gives the same times and words for a plain SRT."""
    import pysubs2

    theirs = [(e.start / 1000, e.end / 1000, e.plaintext) for e in pysubs2.SSAFile.from_string(SRT)]
    ours = [(c.start, c.end, c.text) for c in read_bytes(SRT.encode())[1].cues]
    assert ours == theirs


def test_why_webvtt_is_split_here() -> None:
    """pysubs2 reads the name of the next cue into the words: the reason for our own blocks."""
    import pysubs2

    text = "WEBVTT\n\n00:01.000 --> 00:02.000\nyes\n\nintro\n00:03.000 --> 00:04.000\nno\n"
    assert "intro" in pysubs2.SSAFile.from_string(text)[0].plaintext
    assert [c.text for c in read_bytes(text.encode())[1].cues] == ["yes", "no"]


def test_entries_out_of_order_are_sorted_and_said() -> None:
    text = "start,end,speaker,text\n5,6,S,second\n1,2,T,first\n"
    found = formats.read_text(text)
    assert [u.text for u in found.transcript] == ["first", "second"]
    assert "sorted_by_time" in {n.code for n in found.notes}


def test_layout_and_language_can_be_stated() -> None:
    found = formats.read_text(BRACKETS, layout="stamped", language="en")
    assert found.transcript.language == "en"
    assert formats.read_text(SRT).transcript.language == "zh"
    assert formats.read_text("T: Why?\nS: Because it is cold.\n").transcript.language == "en"
