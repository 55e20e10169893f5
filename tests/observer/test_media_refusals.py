"""What is no recording, and what an attacker might name: refused, each with its own reason."""

import os
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
import pytest

from observer.errors import (
    MissingRecording,
    NoAudioTrack,
    RecordingError,
    UnobservableRecording,
    UnreadableRecording,
)
from observer.media import decode
from tests.media_files import beeps, write_media

Refused = Callable[[Path, type[RecordingError], str, str], None]


@pytest.fixture
def refused(tmp_path_factory: pytest.TempPathFactory) -> Refused:
    """Checks that decoding raises exactly a kind, says both texts, and leaves nothing behind."""
    samples = tmp_path_factory.mktemp("out") / "samples"

    def check(path: Path, kind: type[RecordingError], en: str, zh: str) -> None:
        with pytest.raises(RecordingError) as caught:
            decode(path, samples)
        assert type(caught.value) is kind
        assert en in caught.value.en
        assert zh in caught.value.zh
        assert list(samples.parent.iterdir()) == []

    return check


def test_a_missing_file(tmp_path: Path, refused: Refused) -> None:
    refused(tmp_path / "none.mp4", MissingRecording, "There is no file", "找不到文件")
    refused(tmp_path / "nul\0.mp4", MissingRecording, "There is no file", "找不到文件")
    (tmp_path / "dangling.mp4").symlink_to(tmp_path / "gone.mp4")
    refused(tmp_path / "dangling.mp4", MissingRecording, "There is no file", "找不到文件")


def test_a_directory(tmp_path: Path, refused: Refused) -> None:
    refused(tmp_path, UnreadableRecording, "is a folder", "是文件夹")


def test_an_empty_file(tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "a.mp4").touch()
    refused(tmp_path / "a.mp4", UnreadableRecording, "is empty (0 bytes)", "空文件")


def test_a_pipe_does_not_block(tmp_path: Path, refused: Refused) -> None:
    os.mkfifo(tmp_path / "a.wav")
    refused(tmp_path / "a.wav", UnreadableRecording, "not an ordinary file", "不是普通文件")


@pytest.mark.parametrize("suffix", ["mp4", "mp3", "wav", "aac", "ogg"])
def test_text_under_a_media_name(tmp_path: Path, refused: Refused, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    path.write_text("师：同学们好。\n生：老师好！\n" * 500, encoding="utf-8")
    refused(path, UnreadableRecording, "not a recording that can be read", "不是可读取的音视频文件")


@pytest.mark.parametrize("seed", range(8))
def test_random_bytes(tmp_path: Path, refused: Refused, seed: int) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(np.random.default_rng(seed).bytes(200_000))
    refused(path, UnreadableRecording, "not a recording that can be read", "不是可读取的音视频文件")


def test_a_header_without_sound(tmp_path: Path) -> None:
    path = write_media(tmp_path / "a.flac", [beeps(2.0, [1.0], 48_000)])
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises((UnreadableRecording, UnobservableRecording)):
        decode(path, tmp_path / "samples")


def test_a_video_without_sound(tmp_path: Path, refused: Refused) -> None:
    write_media(tmp_path / "a.mp4", [], pictures=2.0)
    refused(tmp_path / "a.mp4", NoAudioTrack, "has no sound track", "没有声音轨道")


def test_a_file_without_read_permission(tmp_path: Path) -> None:
    path = write_media(tmp_path / "a.wav", [beeps(2.0, [1.0], 44_100)])
    path.chmod(0)
    tmp_path.chmod(0o755)
    program = """
        import os, sys
        from pathlib import Path
        from observer.errors import UnreadableRecording
        from observer.media import decode
        import av
        os.chdir(sys.argv[1])
        if os.geteuid() == 0:
            os.setuid(65534)  # root may read anything: be nobody
        try:
            decode(Path("a.wav"), Path("samples"))
        except UnreadableRecording as error:
            print(error.en)
    """
    command = [sys.executable, "-c", textwrap.dedent(program), str(tmp_path)]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root)
    assert "no permission" in done.stdout


@contextmanager
def web_server() -> Iterator[tuple[int, list[bytes]]]:
    """A port on this machine and the connections that were made to it."""
    calls: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)

        def listen() -> None:
            try:
                with server.accept()[0] as connection:
                    calls.append(connection.recv(100))
            except TimeoutError:
                pass

        thread = threading.Thread(target=listen)
        thread.start()
        yield server.getsockname()[1], calls
        thread.join()


def test_an_address_is_not_opened(tmp_path: Path, refused: Refused) -> None:
    with web_server() as (port, calls):
        path = Path(f"http://127.0.0.1:{port}/lesson.mp4")
        refused(path, MissingRecording, "download it first", "请先下载")
    assert calls == []


def test_names_that_ffmpeg_would_interpret_are_only_names(
    tmp_path: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_media(tmp_path / "a.wav", [beeps(2.0, [1.0], 44_100)])
    for name in ("concat:a.wav|a.wav", "file:a.wav", "subfile,,start,0,end,0,,:a.wav", "data:,x"):
        refused(Path(name), MissingRecording, "There is no file", "找不到文件")
    # A file that really has such a name is a file.
    (tmp_path / "a.wav").rename("concat:b.wav")
    assert decode(Path("concat:b.wav"), Path("samples"))[0].name == "concat:b.wav"


@pytest.mark.parametrize("name", ["list.m3u8", "list.mp4"])
def test_a_playlist_is_refused(tmp_path: Path, refused: Refused, name: str) -> None:
    write_media(tmp_path / "a.wav", [beeps(2.0, [1.0], 44_100)])
    path = tmp_path / name
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\na.wav\n#EXT-X-ENDLIST\n")
    refused(path, UnreadableRecording, "is a playlist", "播放列表")
    path.write_text("ffconcat version 1.0\nfile a.wav\n")
    refused(path, UnreadableRecording, "is a playlist", "播放列表")


def test_a_playlist_that_hides_its_mark_opens_nothing_either(
    tmp_path: Path, refused: Refused
) -> None:
    """The demuxers that read other files are closed to FFmpeg itself, not only to our check."""
    with web_server() as (port, calls):
        path = tmp_path / "a.mp4"
        path.write_text(
            f'<?xml version="1.0"?>{" " * 600}<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" '
            f'profiles="urn:mpeg:dash:profile:isoff-main:2011" type="static"><BaseURL>'
            f"http://127.0.0.1:{port}/</BaseURL></MPD>"
        )
        refused(path, UnreadableRecording, "not a recording", "不是可读取的")
    assert calls == []


def test_the_closed_demuxers_are_those_that_would_follow_a_playlist(
    tmp_path: Path, refused: Refused
) -> None:
    """Shows that the fence does something: FFmpeg alone follows the list to another file."""
    write_media(tmp_path / "a.wav", [beeps(2.0, [1.0], 44_100)])
    path = tmp_path / "list.ffconcat"
    path.write_text("ffconcat version 1.0\nfile a.wav\n")
    with av.open(str(path)) as container:
        assert container.format.name == "concat"
        assert sum(frame.samples for frame in container.decode(audio=0)) == 2 * 44_100
    refused(path, UnreadableRecording, "is a playlist", "播放列表")
