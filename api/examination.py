"""What a stranger's file is, found by looking inside, in a child process.

Decoders of media and of office files meet hostile bytes here: should one crash, hang or eat the
memory, the child dies and the file is refused; the web process goes on. The child reads one file
at a time, in milliseconds, may write nothing, and ends by itself when it is not needed.
"""

import json
import os
import select
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from api.batch import RECORDINGS
from observer import errors
from observer.errors import ObserverError, RecordingError, TranscriptError, UnreadableRecording
from observer.files import sha256_of

if TYPE_CHECKING:
    from observer.mediafile import MediaFile

SECONDS = 60.0
"""A file that takes longer to open is refused."""
IDLE_SECONDS = 300.0
"""The child ends when nobody asked it for so long."""
MEMORY = 4 << 30
"""Address space of the child, bytes."""
_MEDIA_TYPES = {
    "mov": ("audio/mp4", "video/mp4"), "mp4": ("audio/mp4", "video/mp4"),
    "matroska": ("audio/x-matroska", "video/x-matroska"), "webm": ("audio/webm", "video/webm"),
    "avi": ("video/x-msvideo", "video/x-msvideo"), "mp3": ("audio/mpeg", "audio/mpeg"),
    "aac": ("audio/aac", "audio/aac"), "wav": ("audio/wav", "audio/wav"),
    "w64": ("audio/x-w64", "audio/x-w64"), "flac": ("audio/flac", "audio/flac"),
    "ogg": ("audio/ogg", "video/ogg"), "asf": ("audio/x-ms-wma", "video/x-ms-wmv"),
    "mpegts": ("video/mp2t", "video/mp2t"), "mpeg": ("video/mpeg", "video/mpeg"),
    "flv": ("video/x-flv", "video/x-flv"), "amr": ("audio/amr", "audio/amr"),
    "aiff": ("audio/aiff", "audio/aiff"), "caf": ("audio/x-caf", "audio/x-caf"),
}  # fmt: skip
"""(sound alone, with pictures) by the container's name."""
_OFFICE = "application/vnd.openxmlformats-officedocument."
_BOMS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class Examined:
    """What a file turned out to be."""

    kind: str
    """recording, transcript or voice."""
    media_type: str
    duration: float | None
    """Seconds that the file declares; None where it does not, and for transcripts."""
    sha256: str
    size: int
    """Bytes."""


def examine(file: Path, name: str, kind: str | None = None) -> Examined:
    """Look into a file; errors call it `name` and never say where it lies.

    `kind` states what it must be; None: a recording or a transcript. Raises RecordingError or
    TranscriptError.
    """
    answer = _child.ask({"file": str(file), "name": name, "kind": kind})
    if "error" in answer:
        error = _error(answer)
        if isinstance(error, TranscriptError) and Path(name).suffix.lower() in RECORDINGS:
            raise UnreadableRecording(
                en=f"“{name}” is named like a recording, but holds text. Choose the recording"
                " itself; a shortcut or a page saved from a website looks alike.",
                zh=f"“{name}”的扩展名是录音录像，内容却是文字。请选择录像文件本身；"
                "快捷方式或从网站保存的网页常有这种名称。",
            )
        raise error
    return Examined(
        kind=str(answer["kind"]),
        media_type=str(answer["media_type"]),
        duration=answer["duration"],
        sha256=sha256_of(file),
        size=file.stat().st_size,
    )


def look(file: Path, kind: str | None = None) -> tuple[str, str, float | None]:
    """(kind, media type, duration) found in this process; `examine` asks a child for it."""
    if kind == "transcript":
        return _transcript(file)
    if kind is not None:
        return (kind, *_media(file))
    first, second = (
        (_transcript, _recording) if _looks_like_text(file) else (_recording, _transcript)
    )
    try:
        return first(file)
    except (RecordingError, TranscriptError) as error:
        try:
            return second(file)
        except (RecordingError, TranscriptError):
            raise error from None


def _recording(file: Path) -> tuple[str, str, float | None]:
    return ("recording", *_media(file))


def _media(file: Path) -> tuple[str, float | None]:
    from observer.mediafile import opened

    with opened(file) as media:
        if not any(next(media.pieces(n), None) for n in range(len(media.tracks))):
            raise UnreadableRecording(
                en=f"{file} has a sound track, but nothing in it can be decoded. Copy the "
                "recording again from the camera.",
                zh=f"{file} 含有音轨，但无法解码其中任何内容。请从录像设备重新复制。",
            )
        declared = [d for n in range(len(media.tracks)) if (d := media.declared(n)) is not None]
        duration = max((d for d in declared if 0 < d < 1e6), default=None)
        return _MEDIA_TYPES[_container(file, media)][media.video], duration


def _container(file: Path, media: "MediaFile") -> str:
    """FFmpeg's name of the container; WebM is told from Matroska by its header."""
    name = str(media.container.format.name).split(",", maxsplit=1)[0]
    if name == "matroska":
        with file.open("rb") as opened_file:
            return "webm" if b"webm" in opened_file.read(64) else name
    return name


def _transcript(file: Path) -> tuple[str, str, float | None]:
    from observer import formats
    from observer.formats.decoding import load

    imported = formats.read(file)
    head = load(file)[:8]
    if head.startswith(b"PK"):
        part = "spreadsheetml.sheet" if imported.layout == "xlsx" else "wordprocessingml.document"
        return "transcript", _OFFICE + part, None
    return "transcript", "text/vtt" if head.startswith(b"WEBVTT") else "text/plain", None


def _looks_like_text(file: Path) -> bool:
    """Whether a transcript is the likelier guess; both are tried."""
    with file.open("rb") as opened_file:
        head = opened_file.read(4096)
    if head.startswith((b"PK\x03\x04", *_BOMS)):
        return True
    control = sum(byte < 32 and byte not in b"\t\n\r\f" for byte in head)
    return bool(head) and control == 0


class _Child:
    """The process that looks into files; started when needed, replaced when it died."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, question: dict[str, str | None]) -> dict[str, Any]:
        """Its answer; {"error": …} when the file broke it. Waits for its turn."""
        line = json.dumps(question).encode() + b"\n"
        with self._lock:
            for _attempt in range(2):  # it may have ended by itself just now
                answer = self._answer(self._running(), line)
                if answer is not None:
                    return answer
                if self._end() != 0:
                    break
        name = question["name"]
        return {
            "error": "UnreadableRecording",
            "en": f"{name} could not be read: looking into it failed or took too long. Open it in "
            "a player or editor, save it anew (MP4 for recordings) and upload that.",
            "zh": f"无法读取“{name}”：检查文件时失败或超时。请用播放器或编辑软件打开，"
            "重新保存（录像请存为 MP4）后再上传。",
        }

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "api.examination"],
                cwd=Path(__file__).parent.parent,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
                bufsize=0,
            )
        return self._process

    def _answer(self, process: subprocess.Popen[bytes], line: bytes) -> dict[str, Any] | None:
        """None: it ended, or took too long."""
        stdin, stdout = process.stdin, process.stdout
        if stdin is None or stdout is None:
            return None
        try:
            stdin.write(line)
        except BrokenPipeError:
            return None
        received, end = b"", time.monotonic() + SECONDS
        while not received.endswith(b"\n"):
            left = end - time.monotonic()
            if left <= 0 or not select.select([stdout], [], [], left)[0]:
                return None
            block = os.read(stdout.fileno(), 1 << 16)
            if not block:
                return None
            received += block
        answer: dict[str, Any] = json.loads(received)
        return answer

    def _end(self) -> int:
        """Make sure that it is gone; its exit code, 0 when it ended by itself."""
        process, self._process = self._process, None
        if process is None:
            return 0
        try:
            code = process.wait(0.2)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        return code

    def close(self) -> None:
        """End it."""
        with self._lock:
            if self._process is not None and self._process.stdin is not None:
                self._process.stdin.close()
            self._end()


_child = _Child()


def close() -> None:
    """End the child, if there is one; the next file starts another."""
    _child.close()


def _error(answer: dict[str, Any]) -> ObserverError:
    kind = getattr(errors, str(answer["error"]), RecordingError)
    found: ObserverError = kind(en=str(answer["en"]), zh=str(answer["zh"]))
    return found


def _serve() -> None:
    """The child: a question a line on standard input, an answer a line on standard output."""
    _confine()
    received = b""
    while True:
        while b"\n" not in received:
            if not select.select([0], [], [], IDLE_SECONDS)[0]:
                return
            block = os.read(0, 1 << 16)
            if not block:
                return
            received += block
        line, received = received.split(b"\n", 1)
        os.write(1, json.dumps(_answered(json.loads(line))).encode() + b"\n")


def _answered(question: dict[str, Any]) -> dict[str, Any]:
    file = Path(question["file"])
    try:
        kind, media_type, duration = look(file, question["kind"])
    except ObserverError as error:
        texts = (text.replace(str(file), question["name"]) for text in (error.en, error.zh))
        en, zh = (text.replace(file.name, question["name"]) for text in texts)
        return {"error": type(error).__name__, "en": en, "zh": zh}
    return {"kind": kind, "media_type": media_type, "duration": duration}


def _confine() -> None:
    """No more memory than a decoder needs, no core files, nothing written to any file."""
    if os.name != "posix":
        return
    import resource

    for limit, value in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
    ):
        resource.setrlimit(limit, (value, value))


if __name__ == "__main__":
    _serve()
