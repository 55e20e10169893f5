"""What arrives and what is said of it: manifests, looking inside, hostile files."""

import io
import random
import subprocess
import sys
import time
import zipfile
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import select

from api import examination
from api.arrivals import Arrival, DuplicateError, arrival_of, lesson_data, safe_name
from api.columns import now
from api.examination import examine
from api.intake import receive
from api.lesson_data import LessonData, read_date
from api.manifest import ManifestError, read_manifest
from api.problems import ConflictError, InvalidError, NotAllowedError
from api.tables import Consent, Lesson, LessonType, Recording, Upload
from observer.errors import ObserverError, RecordingError, TranscriptError, UnreadableRecording
from tests.media_files import FORMATS, beeps, write_media
from tests.upload_service import CONSENT, Installation, Sender, client_of

SRT = "1\n00:00:00,000 --> 00:00:01,000\n老师：同学们好。\n".encode()


# -- looking inside ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("suffix", "media_type"),
    [
        ("mp4", "audio/mp4"), ("mkv", "audio/x-matroska"), ("mov", "audio/mp4"),
        ("webm", "audio/webm"), ("avi", "video/x-msvideo"), ("mp3", "audio/mpeg"),
        ("m4a", "audio/mp4"), ("aac", "audio/aac"), ("wav", "audio/wav"),
        ("flac", "audio/flac"), ("ogg", "audio/ogg"), ("opus", "audio/ogg"),
    ],
)  # fmt: skip
def test_a_recording_is_known_by_its_content(tmp_path: Path, suffix: str, media_type: str) -> None:
    made = write_media(tmp_path / f"a.{suffix}", [beeps(2, [0.5], FORMATS[suffix][2])])
    misnamed = made.rename(tmp_path / "转写.srt")
    found = examine(misnamed, "转写.srt")
    assert (found.kind, found.media_type) == ("recording", media_type)


def test_a_video_and_transcripts(tmp_path: Path) -> None:
    video = write_media(tmp_path / "a.mp4", [beeps(2, [0.5], 48_000)], pictures=2.0)
    assert examine(video, "a.txt").media_type == "video/mp4"
    for content, media_type in (
        (SRT, "text/plain"),
        (SRT.decode().encode("gb18030"), "text/plain"),
        (SRT.decode().encode("utf-16"), "text/plain"),
        (b"WEBVTT\n\n00:00.000 --> 00:01.000\nGood morning.\n", "text/vtt"),
    ):
        (tmp_path / "b").write_bytes(content)
        found = examine(tmp_path / "b", "课堂.mp4")
        assert (found.kind, found.media_type, found.size) == (
            "transcript",
            media_type,
            len(content),
        )


def test_text_under_the_name_of_a_recording_is_told_as_that(tmp_path: Path) -> None:
    """A web page saved in place of the video: layouts of transcripts are not what is wrong."""
    (tmp_path / "b").write_text("<html><body>登录后才能下载</body></html>", encoding="utf-8")
    with pytest.raises(RecordingError) as told:
        examine(tmp_path / "b", "第三课.MP4")
    assert "holds text" in told.value.en
    assert "文字" in told.value.zh


def test_errors_name_the_senders_file_and_not_the_servers(tmp_path: Path) -> None:
    place = tmp_path / "0123abcd.part"
    for content, kind in (
        (b"\x00junk" * 50, None),
        (SRT, "recording"),
        (b"\x00" * 9, "transcript"),
    ):
        place.write_bytes(content)
        with pytest.raises((RecordingError, TranscriptError)) as caught:
            examine(place, "我的课.mp4", kind)
        for text in (caught.value.en, caught.value.zh):
            assert "part" not in text
            assert str(tmp_path) not in text
    assert "我的课.mp4" in caught.value.zh


def test_a_decoder_that_dies_or_hangs_costs_one_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.srt").write_bytes(SRT)
    process = examination._child._running()
    process.kill()
    process.wait()
    assert examine(tmp_path / "a.srt", "a.srt").kind == "transcript"  # another was started
    monkeypatch.setattr(examination, "SECONDS", 0.0)
    with pytest.raises(UnreadableRecording, match="could not be read"):
        examine(tmp_path / "a.srt", "a.srt")
    monkeypatch.undo()
    assert examine(tmp_path / "a.srt", "a.srt").kind == "transcript"


def test_the_child_cannot_write_and_has_bounded_memory(tmp_path: Path) -> None:
    tried = (
        "import signal, api.examination as e; e._confine();"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        f"f = open({str(tmp_path / 'x')!r}, 'wb', 0)\n"
        "try: f.write(b'x')\n"
        "except OSError: print('no write')\n"
        "try: bytearray(5 << 30)\n"
        "except MemoryError: print('no memory')"
    )
    out = subprocess.run(
        [sys.executable, "-c", tried],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert out.stdout.split("\n")[:2] == ["no write", "no memory"]


# -- what is said --------------------------------------------------------------------------


def test_values_are_understood_as_people_write_them() -> None:
    said = {
        "title": " 分数 ",
        "lesson_type": "研究课",
        "held_on": "2026/9/1",
        "round": "二磨",
        "language": "英语",
        "consent_until": "20270831",
    }
    data = lesson_data(said)
    assert (data.title, data.lesson_type, data.language) == ("分数", LessonType.RESEARCH, "en")
    assert (data.held_on, data.round) == (date(2026, 9, 1), 2)
    assert data.consent_until == date(2027, 8, 31)
    assert lesson_data({"title": "x", "round": "", "held_on": "", "language": ""}).round is None


@pytest.mark.parametrize("text", ["2026-13-01", "1.9.2026", "26-9-1", "2026-02-30", "0000-01-01"])
def test_dates_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_date(text)


@given(st.dates(date(1000, 1, 1), date(9999, 12, 31)))
def test_dates_in_every_form(day: date) -> None:
    y, m, d = day.year, day.month, day.day
    forms = (f"{y}-{m:02}-{d:02}", f"{y}/{m}/{d}", f"{y}年{m}月{d}日", f"{y}{m:02}{d:02}")
    assert {read_date(form) for form in forms} == {day}


@given(st.text())
def test_names_are_safe_to_show_and_to_write_in_a_header(name: str) -> None:
    safe = safe_name(name)
    assert 0 < len(safe) <= 200
    assert safe.isprintable()
    assert not set(safe) & set('/\\<>:"|?*')
    assert safe not in (".", "..")


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\课\\第一节.mp4", "第一节.mp4"),
        ("a\u202e4pm.exe", "a4pm.exe"),  # a right-to-left mark would show it as a….mp4
        ("a\r\nSet-Cookie: x", "aSet-Cookie x"),
        ("", "file"),
        ("长" * 300 + ".mp4", "长" * 196 + ".mp4"),
    ],
)
def test_safe_names(name: str, safe: str) -> None:
    assert safe_name(name) == safe


# -- entering ------------------------------------------------------------------------------


def test_the_recording_goes_when_the_consent_ends(here: Installation, tmp_path: Path) -> None:
    until = now().date() + timedelta(days=30)
    (tmp_path / "a.srt").write_bytes(SRT)
    said = LessonData(title="x", consent="家长", consent_until=until, consent_reference="柜 3")
    li = here.people["li"]
    with here.site.database.session(li) as session:
        _, recording = receive(
            session, here.site.storage, li, Arrival("a.srt", said), tmp_path / "a.srt"
        )
        (tmp_path / "b.srt").write_bytes(SRT + SRT.replace(b"1\n", b"2\n", 1))
        receive(session, here.site.storage, li, Arrival("b.srt", said), tmp_path / "b.srt")
        consents = session.exec(select(Consent)).all()
    assert recording.expires.date() == until + timedelta(days=1)
    assert [c.covers for c in consents] == ["家长"]  # one record for both lessons
    assert (tmp_path / "a.srt").exists()  # the file stays the sender's


def test_nothing_is_stored_of_what_is_refused(here: Installation, tmp_path: Path) -> None:
    (tmp_path / "a.srt").write_bytes(SRT)
    wang, zhao = here.people["wang"], here.people["zhao"]
    data = LessonData(title="x", consent="家长")
    refused: list[tuple[type[ObserverError], Arrival]] = [
        (InvalidError, Arrival("a.srt", data, sha256="0" * 64)),
        (InvalidError, Arrival("a.srt", LessonData(title="x"))),
        (RecordingError, Arrival("a.srt", data, kind="recording")),
        (InvalidError, Arrival("a.srt", data.model_copy(update={"school": "二中"}))),
    ]
    for error, arrival in refused:
        with pytest.raises(error), here.site.database.session(wang) as session:
            receive(session, here.site.storage, wang, arrival, tmp_path / "a.srt")
    stranger = type(zhao)(user_id=zhao.user_id, name="", language="zh")  # member of no school
    with pytest.raises(NotAllowedError), here.site.database.session(stranger) as session:
        receive(session, here.site.storage, stranger, Arrival("a", data), tmp_path / "a.srt")
    assert here.stored() == []
    with here.site.database.system("test") as session:
        assert session.exec(select(Lesson)).all() == session.exec(select(Consent)).all() == []


def test_metadata_of_an_upload() -> None:
    arrival = arrival_of({"filename": "第一节.mp4", "more": "yes", **CONSENT})
    assert (arrival.name, arrival.more, arrival.again) == ("第一节.mp4", True, False)
    assert isinstance(arrival.lesson, LessonData)
    assert arrival.lesson.title == "第一节"  # the file's name, where no title is given
    with pytest.raises(InvalidError, match="changed on its page"):
        arrival_of({"lesson": "0" * 32, "title": "x"})
    assert issubclass(DuplicateError, ConflictError)


# -- manifests -----------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("1.mp4", "2.mp4", "2.srt"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "子").mkdir()
    (tmp_path / "子" / "3.mp4").write_bytes(b"x")
    return tmp_path


CHINESE = (
    "文件,转写,标题,学科,年级,课型,日期,轮次,教师,知情同意,语言\n"
    "1.mp4,,三角形,数学,四年级,公开课,2026年9月1日,第一轮,wang,家长,中文\n"
    "\n"
    "2.mp4,2.srt,,,,,,,,家长,\n"
    "子\\3.mp4,,Fractions,maths,,常态课,2026-09-02,,,家长,英语\n"
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_manifest_as_excel_writes_it(folder: Path, encoding: str, delimiter: str) -> None:
    path = folder / "清单.csv"
    path.write_bytes(CHINESE.replace(",", delimiter).replace("\n", "\r\n").encode(encoding))
    first, second, third = read_manifest(path)
    assert (first.line, second.line, third.line) == (2, 4, 5)
    assert (first.data.title, first.data.round, first.data.teacher) == ("三角形", 1, "wang")
    assert first.data.held_on == date(2026, 9, 1)
    assert first.data.lesson_type is LessonType.PUBLIC
    assert second.data.title == "2"
    assert second.files == (
        ("recording", (folder / "2.mp4").resolve()),
        ("transcript", (folder / "2.srt").resolve()),
    )
    assert (third.data.language, third.file) == ("en", (folder / "子" / "3.mp4").resolve())


def told(folder: Path, text: str) -> ManifestError:
    (folder / "m.csv").write_text(text, "utf-8")
    with pytest.raises(ManifestError) as caught:
        read_manifest(folder / "m.csv")
    return caught.value


def test_all_mistakes_are_told_with_row_and_column(folder: Path) -> None:
    error = told(
        folder,
        "file,held_on,round,lesson_type,language\n"
        "1.mp4,2026-02-30,100,,\n"
        "../1.mp4,,,lecture,fr\n"
        "1.mp4,,,,\n"
        "/etc/passwd,,,,\n"
        "2.mp4,,,,,surplus\n",
    )
    for part in (
        "line 2, held_on: '2026-02-30' is not a date such as 2026-09-01",
        "line 2, round: '100' is not a number from 1 to 99",
        "line 3, file: no file '../1.mp4'",
        "line 3, lesson_type: 'lecture' is not ordinary, public or research",
        "line 3, language: 'fr' is not zh, en or auto",
        "line 5, file: no file '/etc/passwd'",
        "line 6: more cells than columns",
    ):
        assert part in error.en
    assert "第 2 行“日期”：“2026-02-30”不是有效内容" in error.zh


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("file,title\n", "no lessons below"),
        ("file,titel\n1.mp4,x\n", "unknown or repeated: titel. Known: file, transcript"),
        ("file,文件\n1.mp4,1.mp4\n", "unknown or repeated: file"),
        ("title\nx\n", "the column “file” is missing"),
        ("file,title\n,x\n", "line 2, file: no file is named"),
        ("file\n1.mp4\n1.mp4\n", "1.mp4 stands in line 2 already"),
        ("file,title\n1.mp4," + "长" * 201 + "\n", "line 2, title"),
    ],
)
def test_manifests_that_cannot_be_read(folder: Path, text: str, words: str) -> None:
    assert words in told(folder, text).en


def test_what_is_no_csv(folder: Path) -> None:
    (folder / "m.csv").write_bytes(b"PK\x03\x04rest")
    with pytest.raises(ManifestError, match="Excel workbook"):
        read_manifest(folder / "m.csv")
    (folder / "m.csv").write_bytes(b"file\n\xff\xff\xff\x81\n")
    with pytest.raises(ManifestError, match="neither UTF-8 nor GB18030"):
        read_manifest(folder / "m.csv")
    with pytest.raises(ManifestError, match="cannot be opened"):
        read_manifest(folder / "none.csv")


def test_empty_cells_take_the_standard(folder: Path) -> None:
    (folder / "m.csv").write_text("file,consent\n1.mp4,\n2.mp4,教师\n", "utf-8")
    rows = read_manifest(folder / "m.csv", standard=LessonData(title="-", consent="家长"))
    assert [r.data.consent for r in rows] == ["家长", "教师"]
    assert [r.data.title for r in rows] == ["1", "2"]


# -- hostile files -------------------------------------------------------------------------


def _archive(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr(name, content)
    return buffer.getvalue()


def hostile(seed: int, media: bytes) -> bytes:
    """The `seed`-th of many broken files: cut off, flipped, grafted, bombs, scripts, playlists."""
    chance = random.Random(seed)
    magic = [b"RIFF", b"OggS", b"fLaC", b"ID3\x04", b"\x1aE\xdf\xa3", b"PK\x03\x04"]
    made = [
        lambda: media[: chance.randrange(1, len(media) // 2)],
        lambda: chance.randbytes(chance.randrange(1, 4000)),
        lambda: media[:8] + chance.randbytes(3000),
        lambda: chance.choice(magic) + chance.randbytes(2000),
        lambda: b"#EXTM3U\n#EXTINF:1\nfile:///etc/passwd\n",
        lambda: b"ffconcat version 1.0\nfile /etc/passwd\n",
        lambda: _archive("word/document.xml", b"\x00" * (30 << 20)),
        lambda: _archive("xl/workbook.xml", b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>'),
        lambda: (
            b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'
        ),
        lambda: b"<script>alert(1)</script>" * chance.randrange(1, 50),
        lambda: b"[" * 100_000,
        lambda: b"\x00" * chance.randrange(1, 5000),
        lambda: b"1\n99:99:99,999 --> 00:00:00,000\n" + chance.randbytes(20),
        lambda: b"#!/bin/sh\nrm -rf /\n" + chance.randbytes(10),
        lambda: "\ufeff\u202e".encode() + chance.randbytes(30),
        lambda: b"%PDF-1.7\n" + chance.randbytes(500),
        lambda: b"MZ" + chance.randbytes(500),
        lambda: b"GIF89a" + chance.randbytes(500),
        lambda: b"\x00\x00\x00\x18ftypmp42" + b"\xff" * 500,
        lambda: b"{" + b'"a":{' * 20_000,
    ]
    return made[seed % len(made)]()


def test_two_hundred_hostile_uploads(here: Installation, video: bytes) -> None:
    """Each gets a clear error in both languages; no crash; neither file nor lesson is left."""
    client = client_of(here)
    li = Sender(client, here.tokens["li"])
    answers = [
        (seed, li.send(hostile(seed, video), {**CONSENT, "filename": f"{seed}.mp4"}))
        for seed in range(200)
    ]
    for seed, refused in answers:
        assert refused.status_code == 422, (seed, refused.text)
        assert len(refused.json()["detail"]) > 20
    with here.site.database.system("test") as session:
        outcomes = [u.outcome["error"] for u in session.exec(select(Upload))]
        assert session.exec(select(Recording)).all() == session.exec(select(Lesson)).all() == []
    assert len(outcomes) == 200
    assert all(o["en"] and o["zh"] and "Traceback" not in o["en"] for o in outcomes)
    assert not any(str(here.site.settings.data) in o["en"] + o["zh"] for o in outcomes)
    assert here.parts() == here.stored() == []
    assert li.send(video).status_code == 204  # and the service is as well as before


def test_cut_off_in_every_way(here: Installation, video: bytes) -> None:
    """An upload given up after any number of bytes leaves nothing when it is cancelled."""
    client = client_of(here)
    li = Sender(client, here.tokens["li"])
    for cut in (0, 1, len(video) - 1):
        url = li.create(len(video)).headers["location"]
        li.patch(url, 0, video[:cut])
        assert client.delete(url, headers=li.headers).status_code == 204
    assert here.parts() == here.stored() == []


def test_looking_is_quick(tmp_path: Path, video: bytes) -> None:
    (tmp_path / "a").write_bytes(video)
    examine(tmp_path / "a", "a")
    start = time.process_time()
    for _ in range(20):
        examine(tmp_path / "a", "a")
    assert time.process_time() - start < 0.5  # of this process: the work is the child's
