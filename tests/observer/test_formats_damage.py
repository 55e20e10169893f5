"""Damaged and hostile files: always a TranscriptError that says where, never a traceback."""

import contextlib
import io
import json
import random
import time
import zipfile

import pytest

from observer import formats
from observer.errors import TranscriptError
from observer.formats import decoding
from observer.formats.detection import read_bytes


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("1\n00:00:01,000 --> 00:00:02,000\na\n\n2\n00:00:03,000 --> 00:0\nb\n", 6),
        ("1\n00:00:01,000 --> 00:00:02,000\na\n\n2\n00:00:03,000 -->\nb\n", 6),
        ("1\n00:00:05,000 --> 00:00:02,000\na\n", 2),
        ("1\n00:00:75,000 --> 00:01:20,000\na\n", 2),
        ("WEBVTT\n\n00:01.000 --> 00:02.000\na\n\n00:0x.000 --> 00:04.000\nb\n", 6),
        ('{"segments": [\n{"start": 0, "end": 1, "text": "a"},\n{"start": 1', 3),
        ("start,end,speaker,text\n1,2,T,a\nsoon,4,S,b\n", 3),
        ('start,end,speaker,text\n1,2,T,a\n3,4,S,"b\n', 3),
        ("start,end,speaker,text\n9,2,T,a\n", 2),
        ("[00:01] 老师：一\n[00:0x] 学生：二\n[00:61] 老师：三\n[00:70] 学生：四\n", 3),
        ("SPEAKER a 1 2.0 4.0 <NA> <NA> v1 <NA>\nSPEAKER a 1 x 4.0 <NA> <NA> v1 <NA>\n", 2),
        ("a 1 T 1 2 hello\na 1 T 2 3 there\na 1 T 3 4 you\na 1 T 4 5 all\na 1 T\n", 5),
        ("@UTF8\n@Begin\n*TEA:\thello .\nnonsense\n", 4),
        ("<ANNOTATION_DOCUMENT>\n<TIER>\n</TIME>\n", 3),
    ],
)
def test_the_line_is_named(text: str, line: int) -> None:
    with pytest.raises(TranscriptError) as caught:
        formats.read_text(text)
    assert f"line {line}" in caught.value.en
    assert f"第 {line} 行" in caught.value.zh


def test_a_textgrid_that_was_cut_off() -> None:
    text = (
        'File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0\nxmax = 9\n'
        "tiers? <exists>\nsize = 1\nitem []:\n    item [1]:\n"
        '        class = "IntervalTier"\n        name = "老师"\n'
        "        xmin = 0\n        xmax = 9\n"
        "        intervals: size = 3\n        intervals [1]:\n            xmin = 0\n"
        '            xmax = 2\n            text = "一"\n'
    )
    with pytest.raises(TranscriptError, match=r"line 14: .*announces 3 intervals but holds 1"):
        formats.read_text(text)


def test_bytes_that_are_broken_utf8() -> None:
    data = ("[00:01] 老师：今天我们学习水为什么会结冰\n" * 3).encode()
    broken = data.replace("冰".encode(), "冰".encode()[:2], 1)
    with pytest.raises(TranscriptError, match="line 1: bytes that are not UTF-8"):
        read_bytes(broken)


@pytest.mark.parametrize("text", ["", " \n\t\n", "\x00\x00"])
def test_empty_files(tmp_path, text: str) -> None:
    path = tmp_path / "empty.srt"
    path.write_text(text)
    with pytest.raises(TranscriptError, match="is empty"):
        formats.read(path)


def test_missing_files_and_folders(tmp_path) -> None:
    with pytest.raises(TranscriptError, match="no transcript file"):
        formats.read(tmp_path / "none.srt")
    with pytest.raises(TranscriptError, match="cannot be opened"):
        formats.read(tmp_path)


def test_text_that_is_no_transcript_lists_what_is_known() -> None:
    with pytest.raises(TranscriptError, match=r"line 1: 'It was a dark") as caught:
        formats.read_text("It was a dark night.\nThe rain fell.\n")
    assert "SRT" in caught.value.zh


def test_unknown_layout_lists_the_known_ones() -> None:
    with pytest.raises(TranscriptError, match="known: vtt, json"):
        formats.read_text("师：好。", layout="nonsense")


def test_a_transcript_without_an_utterance() -> None:
    with pytest.raises(TranscriptError, match="holds no utterance"):
        formats.read_text("WEBVTT\n\nNOTE nothing here\n")


def test_files_over_the_limit_are_not_read(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(decoding, "MAX_BYTES", 1 << 20)
    path = tmp_path / "big.txt"
    path.write_bytes(b"x" * ((1 << 20) + 1))
    with pytest.raises(TranscriptError, match="larger than 1 MiB"):
        formats.read(path)


def archive(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name.replace("__", "/").replace("_xml", ".xml"), data)
    return out.getvalue()


def test_zip_bombs_are_not_opened() -> None:
    with pytest.raises(TranscriptError, match="zip bomb"):
        read_bytes(archive(xl__workbook_xml=b"<a/>", xl__sheet_xml=b" " * (8 << 20)))


def test_entity_bombs_are_refused() -> None:
    bomb = b'<?xml version="1.0"?>\n<!DOCTYPE a [<!ENTITY b "ha">]>\n<a>&b;</a>'
    with pytest.raises(TranscriptError, match="refused for safety"):
        read_bytes(archive(word__document_xml=bomb))
    eaf = bomb.replace(b"<a>&b;</a>", b"<ANNOTATION_DOCUMENT/>")
    with pytest.raises(TranscriptError, match="line 2"):
        read_bytes(eaf)


def test_other_archives_and_broken_ones() -> None:
    with pytest.raises(TranscriptError, match="neither an Excel workbook"):
        read_bytes(archive(hello_xml=b"<a/>"))
    with pytest.raises(TranscriptError, match="cut off or broken"):
        read_bytes(archive(xl__workbook_xml=b"<a/>")[:40])


def test_deeply_nested_json() -> None:
    with pytest.raises(TranscriptError, match="nested too deeply"):
        formats.read_text('{"a":' + "[" * 200_000)


def test_json_that_is_no_transcript() -> None:
    with pytest.raises(TranscriptError, match="no transcript of a known layout"):
        formats.read_text(json.dumps({"weather": [{"day": "Monday"}]}))


@pytest.mark.parametrize(
    "line",
    ["-" * 300_000, "1:1" * 100_000, " " * 300_000 + "x", "<v a" * 80_000, "[" * 300_000,
     "师" * 300_000, " " * 90_000 + "x",
     "a" + "\t" * 90_000 + "[", "[1:" * 30_000, "9" * 300_000 + "_",
     "a " * 150_000, "（）" * 150_000],
)  # fmt: skip
def test_hostile_lines_take_linear_time(line: str) -> None:
    """Patterns that backtrack over such lines would take minutes; all heads meet them here."""
    began = time.process_time()
    grid = 'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n9\n<exists>\n1\n'
    heads = ("", "WEBVTT\n\n00:01.000 --> 00:02.000\n", "@UTF8\n*A:\t", "[00:01] 老师：")
    for head in (*heads, "[00:01] 老师：\n", "老师 00:01\n", "师：好\n生：好\n", grid):
        with contextlib.suppress(TranscriptError):
            formats.read_text(head + line)
    assert time.process_time() - began < 5


SAMPLES = [
    "1\n00:00:01,000 --> 00:00:02,000\n师：你好\n\n2\n00:00:03,000 --> 00:00:04,000\n生：好\n",
    "WEBVTT\n\n00:01.000 --> 00:02.000\n<v 老师>你好\n",
    '{"language": "zh", "segments": [{"start": 1, "end": 2, "text": "你好", "speaker": "A"}]}',
    "说话人,开始,内容\n老师,0:01,你好\n学生,0:02,好\n",
    "[00:01] 老师：你好\n[00:02] 学生：好\n",
    "说话人 1 00:01\n你好\n\n说话人 2 00:02\n好\n",
    "师：你好\n生：好\n师：请坐\n",
    "SPEAKER a 1 2.0 4.0 <NA> <NA> v1 <NA> <NA>\n",
    "a 1 T 1 2 hello\n",
]


@pytest.mark.parametrize("sample", SAMPLES)
def test_cut_and_mutated_files_never_crash(sample: str) -> None:
    rng = random.Random(7)
    data = sample.encode()
    for _ in range(60):
        broken = bytearray(data[: rng.randrange(1, len(data) + 1)])
        for _ in range(rng.randrange(3)):
            broken[rng.randrange(len(broken))] = rng.randrange(256)
        with contextlib.suppress(TranscriptError):
            formats.read_text(decoding.decode(bytes(broken)))
