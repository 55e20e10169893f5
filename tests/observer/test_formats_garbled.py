"""Every layout, damaged in its second entry and cut off: refused with the line, or read whole.

Each sample has three entries; ¤ (in JSON "@") stands where the damage goes, instead of a 0.
"""

import contextlib
import io
import json

import docx
import openpyxl
import pytest

from observer import formats
from observer.errors import TranscriptError
from observer.formats.detection import read_bytes

TEXTS = {
    "srt": ("1\n00:00:01,000 --> 00:00:02,000\n师：你好\n\n2\n00:00:¤3,000 --> 00:00:04,000\n"
            "生：好\n\n3\n00:00:05,000 --> 00:00:06,000\n师：对\n", 6),
    "vtt": ("WEBVTT\n\n00:01.000 --> 00:02.000\n<v 师>你好\n\n00:¤3.000 --> 00:04.000\n<v 生>好\n\n"
            "00:05.000 --> 00:06.000\n<v 师>对\n", 6),
    "ass": ("[Script Info]\nScriptType: v4.00+\n\n[Events]\nFormat: Layer, Start, End, Style,"
            " Name, MarginL, MarginR, MarginV, Effect, Text\n"
            "Dialogue: 0,0:00:01.00,0:00:02.00,D,师,0,0,0,,你好\n"
            "Dialogue: 0,0:00:¤3.00,0:00:04.00,D,生,0,0,0,,好\n"
            "Dialogue: 0,0:00:05.00,0:00:06.00,D,师,0,0,0,,对\n", 7),
    "ttml": ('<?xml version="1.0"?>\n<tt xmlns="http://www.w3.org/ns/ttml"><body><div>\n'
             '<p begin="00:00:01.000" end="00:00:02.000">你好</p>\n'
             '<p begin="00:00:¤3.000" end="00:00:04.000">好</p>\n'
             '<p begin="00:00:05.000" end="00:00:06.000">对</p>\n</div></body></tt>\n', 4),
    "csv": ("start,end,speaker,text\n1,2,T,a\n¤3,4,S,b\n5,6,T,c\n", 3),
    "bracket_time": ("[00:01] 老师：你好\n[00:¤3] 学生：好\n[00:05] 老师：对\n", 2),
    "tencent_txt": ("老师(00:00:01): 你好\n李明(00:00:¤3): 好\n老师(00:00:05): 对\n", 2),
    "tencent_md": ("# 会议纪要\n\n**老师** [00:00:01]\n> 你好\n\n**李明** [00:00:¤3]\n> 好\n\n"
                   "**老师** [00:00:05]\n> 对\n", 6),
    "feishu": ("文字记录:\n说话人 1 00:01 \n你好\n\n说话人 2 00:¤3 \n好\n\n"
               "说话人 1 00:05 \n对\n", 5),
    "iflyrec": ("课题\n说话人1 00:01\n你好\n\n说话人2 00:¤3\n好\n\n说话人1 00:05\n对\n", 5),
    "otter": ("Ann Low  0:01\nHello\n\nBob Ray  0:¤3\nYes\n\nAnn Low  0:05\nGood\n", 4),
    "zoom_txt": ("[Ann Low] 14:02:31\nHello\n\n[Bob Ray] 14:02:¤3\nYes\n\n"
                 "[Ann Low] 14:02:35\nOk\n", 4),
    "tencent_result": ("[0:1.000,0:2.000,0]  你好\n\n[0:¤3.000,0:4.000,1]  好\n\n"
                       "[0:5.000,0:6.000,0]  对\n", 3),
    "chat": ("@UTF8\n@Begin\n*TEA:\thello . \x151000_2000\x15\n*CHI:\tyes . \x15¤3000_4000\x15\n"
             "*TEA:\tgood . \x155000_6000\x15\n@End\n", 4),
    "rttm": ("SPEAKER a 1 1.0 1.0 <NA> <NA> T <NA> <NA>\nSPEAKER a 1 ¤3.0 1.0 <NA> <NA> S <NA>"
             " <NA>\n"
             "SPEAKER a 1 5.0 1.0 <NA> <NA> T <NA> <NA>\n", 2),
    "stm": ("".join(f"a 1 T {t} {t}.9 hello\n" for t in range(1, 9)).replace(" 3 ", " ¤3 "), 3),
    "ctm": ("".join(f"a 1 {t} 0.5 hello\n" for t in range(1, 9)).replace(" 3 ", " ¤3 "), 3),
}  # fmt: skip
TEXTS["textgrid"] = (
    'File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0\nxmax = 6\ntiers? <exists>\n'
    'size = 1\nitem []:\n    item [1]:\n        class = "IntervalTier"\n        name = "老师"\n'
    "        xmin = 0\n        xmax = 6\n        intervals: size = 2\n        intervals [1]:\n"
    '            xmin = 0\n            xmax = 3\n            text = "你好"\n'
    "        intervals [2]:\n"
    '            xmin = ¤3\n            xmax = 6\n            text = "好"\n',
    20,
)
TEXTS["textgrid_short"] = (
    'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n6\n<exists>\n1\n"IntervalTier"\n'
    '"老师"\n0\n6\n2\n0\n3\n"你好"\n¤3\n6\n"好"\n',
    16,
)
TEXTS["eaf"] = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<ANNOTATION_DOCUMENT FORMAT="2.8" VERSION="2.8">\n'
    '<HEADER TIME_UNITS="milliseconds"/>\n<TIME_ORDER>\n'
    + "".join(
        f'<TIME_SLOT TIME_SLOT_ID="ts{i}" TIME_VALUE="{"¤" * (i == 3)}{i}000"/>\n'
        for i in range(1, 5)
    )
    + '</TIME_ORDER>\n<TIER TIER_ID="老师" LINGUISTIC_TYPE_REF="default-lt">\n'
    + "".join(
        f'<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a{i}" TIME_SLOT_REF1="ts{2 * i - 1}" '
        f'TIME_SLOT_REF2="ts{2 * i}"><ANNOTATION_VALUE>你好</ANNOTATION_VALUE>'
        "</ALIGNABLE_ANNOTATION></ANNOTATION>\n"
        for i in (1, 2)
    )
    + '</TIER>\n<LINGUISTIC_TYPE LINGUISTIC_TYPE_ID="default-lt" TIME_ALIGNABLE="true"/>\n'
    "</ANNOTATION_DOCUMENT>\n",
    7,
)


def entries(start: str, end: str, text: str, scale: int = 1, **more: object) -> list[object]:
    starts = {0: 1 * scale, 1: "@", 2: 5 * scale}
    return [{start: starts[i], end: (i * 2 + 2) * scale, text: "你好", **more} for i in range(3)]


def lattice(bg: object, ed: int) -> dict[str, object]:
    words = [{"cw": [{"w": "你好", "wp": "n"}], "wb": 1, "we": 50}]
    best = {"st": {"bg": bg, "ed": str(ed), "rl": "1", "rt": [{"ws": words}]}}
    return {"lid": str(ed), "json_1best": best}


WORDS = [{"SentenceId": i, "Start": s, "End": e, "Text": "好"}
         for i, s, e in ((1, 1000, 2000), (2, "@", 4000), (3, 5000, 6000))]  # fmt: skip
JSONS: dict[str, object] = {
    "whisper_json": {"segments": entries("start", "end", "text")},
    "whisperx_json": {"segments": entries("start", "end", "text", speaker="A")},
    "whisper_cpp_json": {"transcription": [
        {"offsets": {"from": s, "to": e}, "text": "好"}
        for s, e in ((1000, 2000), ("@", 4000), (5000, 6000))]},
    "funasr_json": [{"key": "a", "sentence_info": entries("start", "end", "text", 1000, spk=0)}],
    "tingwu_json": {"Transcription": {"Paragraphs": [
        {"SpeakerId": "1", "Words": [w]} for w in WORDS]}},
    "tencent_json": {"Response": {"Data": {"ResultDetail":
        entries("StartMs", "EndMs", "FinalSentence", 1000)}}},
    "tencent_flash": {"flash_result": [{"sentence_list":
        entries("start_time", "end_time", "text", 1000)}]},
    "dashscope_json": {"transcripts": [{"sentences":
        entries("begin_time", "end_time", "text", 1000)}]},
    "aliyun_json": {"Result": {"Sentences": entries("BeginTime", "EndTime", "Text", 1000)}},
    "volcengine_json": {"result": {"utterances": entries("start_time", "end_time", "text", 1000)}},
    "iflytek_json": {"content": {"orderResult": {"lattice": [
        lattice("1000", 2000), lattice("@", 4000), lattice("5000", 6000)]}}},
    "iflytek_flat": entries("bg", "ed", "onebest", 1000),
    "deepgram_json": {"results": {"utterances": entries("start", "end", "transcript")}},
    "seglst_json": entries("start_time", "end_time", "words", session_id="a"),
    "segments_json": entries("start", "end", "text"),
    "observer_json": {"language": "zh", "utterances": entries("start", "end", "text")},
}  # fmt: skip


def json_sample(value: object) -> tuple[str, int]:
    """(text, line on which the damaged entry begins): one entry a line."""
    text = json.dumps(value, ensure_ascii=False)
    for key in ('"lid"', '"start"', '"begin_time"', '"BeginTime"', '"StartMs"', '"start_time"',
                '"bg"', '"offsets"', '"SpeakerId"'):  # fmt: skip
        if f"{{{key}: " in text:
            text = text.replace(f"{{{key}: ", f"\n{{{key}: ")
            break
    return text, text.count("\n", 0, text.index('"@"')) + 1


@pytest.mark.parametrize("layout", TEXTS)
def test_a_damaged_time_is_refused_with_its_line(layout: str) -> None:
    sample, line = TEXTS[layout]
    assert len(formats.read_text(sample.replace("¤", "0")).transcript) >= 1
    for damage in ("x", "-"):
        with pytest.raises(TranscriptError) as caught:
            formats.read_text(sample.replace("¤", damage))
        assert f"line {line}" in caught.value.en
        assert f"第 {line} 行" in caught.value.zh


def test_a_stamp_that_was_not_closed() -> None:
    with pytest.raises(TranscriptError, match="line 2: this is not a time"):
        formats.read_text("[00:01] 老师：你好\n[00:03 学生：好\n[00:05] 老师：对\n")


@pytest.mark.parametrize("layout", JSONS)
def test_a_damaged_entry_of_json_is_refused_with_line_and_number(layout: str) -> None:
    text, line = json_sample(JSONS[layout])
    sound = text.replace('"@"', "3000" if "000" in text else "3")
    assert len(formats.read_text(sound).transcript) == 3
    with pytest.raises(TranscriptError) as caught:
        formats.read_text(text)
    assert f"line {line} (entry 2)" in caught.value.en
    assert f"第 {line} 行（第 2 条）" in caught.value.zh


def workbook(*rows: tuple[object, ...]) -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def document(*rows: tuple[str, ...]) -> bytes:
    opened = docx.Document()
    table = opened.add_table(len(rows), len(rows[0]))
    for cells, row in zip(table.rows, rows, strict=True):
        for cell, text in zip(cells.cells, row, strict=True):
            cell.text = text
    out = io.BytesIO()
    opened.save(out)
    return out.getvalue()


@pytest.mark.parametrize("make", [workbook, document])
def test_a_damaged_row_of_an_office_file_is_refused_with_its_number(make) -> None:
    rows = [("开始", "说话人", "内容"), ("0:01", "师", "你好"), ("0:x3", "生", "好")]
    with pytest.raises(TranscriptError, match=r"line 3: '0:x3' is not a time"):
        read_bytes(make(*rows))
    whole = make(*rows[:2])
    for share in (0.2, 0.5, 0.9):
        with pytest.raises(TranscriptError, match="cut off or broken"):
            read_bytes(whole[: int(len(whole) * share)])


STRICT = {"textgrid", "textgrid_short", "eaf", "ttml", *JSONS}
"""Layouts that say how long they are: any cut in the middle is seen."""


@pytest.mark.parametrize("layout", [*TEXTS, *JSONS])
def test_files_that_were_cut_off(layout: str) -> None:
    sample = TEXTS[layout][0] if layout in TEXTS else json_sample(JSONS[layout])[0]
    sound = sample.replace("¤", "0").replace('"@"', "3")
    for cut in range(len(sound) // 2, len(sound) - 12, max(1, len(sound) // 40)):
        with (
            pytest.raises(TranscriptError)
            if layout in STRICT
            else contextlib.suppress(TranscriptError)
        ):
            formats.read_text(sound[:cut])
