"""Media files from strangers: opened as local data only, with their tracks and frames.

FFmpeg would follow a name like "http://…" or "concat:…" and a playlist's entries to other files.
So it never sees a name here: it gets an open regular file, may use no protocol at all, and only
the demuxers of containers that hold their own data.
"""

import errno
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from observer.declared_length import counts_its_frames, declared_by_header
from observer.errors import MissingRecording, NoAudioTrack, UnreadableRecording
from observer.timeline import Seconds

if TYPE_CHECKING:
    from av import AudioFrame, AudioStream, Packet, VideoStream
    from av.container import InputContainer

DEMUXERS = "mov,mp4,matroska,webm,avi,mp3,aac,wav,w64,flac,ogg,asf,mpegts,mpeg,flv,amr,aiff,caf"
_PLAYLISTS = (b"#EXTM3U", b"ffconcat", b"<MPD", b"[playlist]", b"[Reference]", b"<asx", b"<ASX")
_CONSECUTIVE_FAILURES = 1000
_PRIMING: Seconds = 0.1
"""Containers may start this much before zero: the encoder's run-in, which is not played."""


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A decoded frame with what is known of its place."""

    frame: "AudioFrame"
    time: Seconds | None
    """Start on the file's own clock, re-based so that the container starts at 0."""
    after_damage: bool
    """Whether something before it could not be decoded."""

    @property
    def duration(self) -> Seconds:
        """Length in seconds."""
        return self.frame.samples / self.frame.sample_rate


@dataclass(eq=False)
class MediaFile:
    """An open media file with at least one audio track."""

    path: Path
    file: BinaryIO
    size: int
    container: "InputContainer"
    reached: Seconds = 0.0
    """End of the pictures read so far: sound that ends before them was not cut off."""

    @property
    def tracks(self) -> "tuple[AudioStream, ...]":
        """The audio tracks, in the file's order."""
        return self.container.streams.audio

    @property
    def video(self) -> bool:
        """Whether there are moving pictures; a cover picture does not count."""
        return bool(self._pictures)

    @cached_property
    def _pictures(self) -> "list[VideoStream]":
        from av.stream import Disposition

        streams = self.container.streams.video
        return [stream for stream in streams if not stream.disposition & Disposition.attached_pic]

    @property
    def kind(self) -> str:
        """The container's name; of FFmpeg's family names the one that the file's suffix names."""
        names = self.container.format.name.split(",")
        suffix = self.path.suffix.lower().removeprefix(".")
        return suffix if suffix in names else names[0]

    @cached_property
    def start(self) -> Seconds:
        """Where the container's clock starts."""
        start = (self.container.start_time or 0) / 1e6
        return 0.0 if -_PRIMING < start < 0 else start

    def declared(self, track: int) -> Seconds | None:
        """Where the file says that a track ends, from the container's start.

        None where it says nothing: Ogg's length is that of what is there, and FFmpeg guesses that
        of raw AAC, AMR and MP3 streams from their first bit rate.
        """
        stream, kind = self.tracks[track], self.kind
        if kind in ("aac", "amr", "ogg") or (kind == "mp3" and not counts_its_frames(self.path)):
            return None
        declared = declared_by_header(self.path)
        if declared is None and stream.duration is not None and stream.time_base is not None:
            declared = float(((stream.start_time or 0) + stream.duration) * stream.time_base)
            declared -= self.start
        if declared is None and self.container.duration:
            declared = self.container.duration / 1e6
        return declared

    def describe(self) -> str:
        """One line a track, for messages: number, codec, channels, language."""
        return "; ".join(
            f"{index}: {stream.codec_context.name}, {stream.layout.name}, {stream.rate} Hz"
            + (f", {stream.language}" if stream.language else "")
            for index, stream in enumerate(self.tracks)
        )

    def position(self) -> float:
        """Share of the file's bytes that has been read, 0..1."""
        return min(1.0, self.file.tell() / self.size)

    def pieces(self, track: int, start: Seconds = 0.0) -> Iterator[Piece]:
        """Decoded frames of a track from about `start` on; what cannot be decoded is left out."""
        from av.error import FFmpegError

        stream = self.tracks[track]
        if start > 0:
            self.container.seek(int((start + self.start) * 1e6))
        damaged = False
        stretch: Seconds = 0.0
        usual = 0.0
        for packet in self._packets(stream):
            try:
                frames = packet.decode()
            except FFmpegError:
                damaged = True
                stretch += self._swallowed(packet, usual)
                continue
            usual = packet.size if usual == 0 else usual + (packet.size - usual) * 0.01
            for frame in frames:
                time = None if frame.time is None else frame.time - self.start + stretch
                yield Piece(frame, time, damaged)
                damaged = False

    def _packets(self, stream: "AudioStream") -> "Iterator[Packet[AudioStream]]":
        """Packets of a track; reading goes on behind damage until the file ends."""
        from av.error import FFmpegError

        failures = 0
        while failures < _CONSECUTIVE_FAILURES:
            try:
                for packet in self.container.demux(stream, *self._pictures):
                    failures = 0
                    if packet.stream.index == stream.index:
                        yield cast("Packet[AudioStream]", packet)
                    elif packet.pts is not None and packet.time_base is not None:
                        end = float((packet.pts + (packet.duration or 0)) * packet.time_base)
                        self.reached = max(self.reached, end - self.start)
            except FFmpegError:
                failures += 1
            else:
                return

    def _swallowed(self, packet: "Packet[AudioStream]", usual: float) -> Seconds:
        """Seconds that a broken MP3 packet hides beyond its own length.

        MP3 has no clock: FFmpeg counts frames, and takes a damaged stretch of many frames for one
        large packet. At a constant bit rate the bytes tell how many frames it held.
        """
        if self.kind != "mp3" or usual <= 0 or not packet.duration or packet.time_base is None:
            return 0.0
        hidden = max(0, round(packet.size / usual) - 1)
        return float(hidden * packet.duration * packet.time_base)


@contextmanager
def opened(path: Path) -> Iterator[MediaFile]:
    """Open a recording.

    Raises MissingRecording, UnreadableRecording (a directory, a device, no permission, empty, a
    playlist, not a media file) and NoAudioTrack.
    """
    import av
    from av.error import FFmpegError

    with _open_regular_file(path) as file:
        _refuse_playlist(path)
        try:
            container = av.open(
                file,
                "r",
                container_options={"protocol_whitelist": "none", "format_whitelist": DEMUXERS},
                metadata_errors="replace",  # tags in GBK are common
                buffer_size=1 << 17,
            )
        except (FFmpegError, OSError) as error:
            raise _not_media(path) from error
        with container:
            media = MediaFile(path, file, os.fstat(file.fileno()).st_size, container)
            _refuse_mute(media)
            yield media


def _open_regular_file(path: Path) -> BinaryIO:
    """Open for reading what is really a file; a pipe or device would block or never end."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        raise _missing(path) from error
    except PermissionError as error:
        raise UnreadableRecording(
            en=f"{path} may not be read: there is no permission. Ask its owner to allow reading.",
            zh=f"没有读取 {path} 的权限。请联系文件所有者开放读取权限。",
        ) from error
    except OSError as error:
        why = os.strerror(error.errno or errno.EIO)
        raise UnreadableRecording(
            en=f"{path} could not be opened: {why}.", zh=f"无法打开 {path}：{why}。"
        ) from error
    state = os.fstat(handle)
    if stat.S_ISREG(state.st_mode) and state.st_size > 0:
        return os.fdopen(handle, "rb")
    os.close(handle)
    if stat.S_ISDIR(state.st_mode):
        raise UnreadableRecording(
            en=f"{path} is a folder, not a recording. Name the file inside it.",
            zh=f"{path} 是文件夹，不是录音文件。请指定其中的具体文件。",
        )
    if not stat.S_ISREG(state.st_mode):
        raise UnreadableRecording(
            en=f"{path} is not an ordinary file. Save the recording as a file first.",
            zh=f"{path} 不是普通文件。请先把录音保存为文件。",
        )
    raise UnreadableRecording(
        en=f"{path} is empty (0 bytes): the recording or the copy failed. Copy it again.",
        zh=f"{path} 是空文件（0 字节）：录制或复制没有成功。请重新复制。",
    )


def _missing(path: Path) -> MissingRecording:
    if re.match(r"[a-z][a-z0-9+.-]+:/", str(path), re.IGNORECASE):
        return MissingRecording(
            en=f"{path} looks like an address. Only files on this machine are opened: "
            "download it first.",
            zh=f"{path} 像是一个网址。本程序只打开本机上的文件：请先下载。",
        )
    return MissingRecording(
        en=f"There is no file {path}. Check the name and the folder.",
        zh=f"找不到文件 {path}。请检查文件名和所在文件夹。",
    )


def _refuse_playlist(path: Path) -> None:
    head = _head(path, 512)
    if any(mark in head for mark in _PLAYLISTS):
        raise UnreadableRecording(
            en=f"{path} is a playlist: it only points to other files. Give the recording itself.",
            zh=f"{path} 是播放列表，只指向其他文件。请直接提供录音文件本身。",
        )


def _not_media(path: Path) -> UnreadableRecording:
    if _head(path, 8)[4:8] == b"ftyp":
        return UnreadableRecording(
            en=f"{path} begins as an MP4 file, but its index (moov) is missing: the recording or "
            "the copy was cut off. Copy it again from the camera, or repair it there.",
            zh=f"{path} 开头是 MP4，但缺少索引（moov）：录制或复制中断。"
            "请从录像设备重新复制，或先在设备上修复。",
        )
    return UnreadableRecording(
        en=f"{path} is not a recording that can be read, or its beginning is damaged. Readable "
        "are mp4, mkv, mov, webm, avi, mp3, m4a, aac, wav, flac, ogg and opus.",
        zh=f"{path} 不是可读取的音视频文件，或文件开头已损坏。"
        "可读取：mp4、mkv、mov、webm、avi、mp3、m4a、aac、wav、flac、ogg、opus。",
    )


def _refuse_mute(media: MediaFile) -> None:
    if not media.tracks:
        raise NoAudioTrack(
            en=f"{media.path} has no sound track. Give a recording with sound.",
            zh=f"{media.path} 没有声音轨道。请提供有声音的录音或录像。",
        )


def _head(path: Path, size: int) -> bytes:
    with path.open("rb") as file:
        return file.read(size)
