"""Recordings: what a media file is, and its sound as 16 kHz mono samples on the lesson's clock."""

import io
import mmap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from observer.errors import UnobservableRecording, UnreadableRecording, UsageError
from observer.files import replacing, sha256_of
from observer.mediafile import MediaFile, opened
from observer.resampling import RATE, Mixdown, Placement
from observer.timeline import Seconds, Span

Samples = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Recording:
    """What is known of a media file once its sound has been decoded."""

    name: str
    """File name without its folder: paths stay on the machine."""
    sha256: str
    size: int
    """Bytes."""
    duration: Seconds
    """Length of the decoded sound, holes included."""
    container: str
    codec: str
    video: bool
    track: int
    """Index of the audio track that was used, from 0."""
    tracks: int
    gaps: tuple[Span, ...] = ()
    """Holes and damage in the file, filled with silence so that the clock stays right."""
    missing: Seconds = 0.0
    """Seconds that the file declares but does not hold (cut off)."""


@dataclass(frozen=True, slots=True, eq=False)
class Audio:
    """16 kHz mono sound; `samples` is int16 of shape (n,), in memory or memory-mapped."""

    samples: npt.NDArray[np.int16]
    RATE: ClassVar[int] = RATE

    @classmethod
    def of(cls, wave: npt.NDArray[np.floating]) -> "Audio":
        """From float samples of shape (n,) in -1..1."""
        return cls(np.clip(np.round(wave * 32768.0), -32768, 32767).astype(np.int16))

    @property
    def duration(self) -> Seconds:
        """Length in seconds."""
        return len(self.samples) / self.RATE

    def read(self, span: Span) -> Samples:
        """Float32 samples of shape (n,) in -1..1 of a stretch, clipped to what is there."""
        first = max(0, round(span.start * self.RATE))
        last = min(len(self.samples), round(span.end * self.RATE))
        samples = self.samples[first : max(first, last)].astype(np.float32) / 32768.0
        self._let_go()
        return samples

    def _let_go(self) -> None:
        """Give pages of a mapped file back: ten hours read through would count as 1.15 GB."""
        mapped = self.samples.base
        if isinstance(mapped, mmap.mmap) and hasattr(mapped, "madvise"):
            mapped.madvise(mmap.MADV_DONTNEED)

    def blocks(self, seconds: Seconds = 30.0) -> Iterator[tuple[Seconds, Samples]]:
        """(start, samples) of consecutive blocks; the last one may be shorter."""
        start = 0.0
        while start < self.duration:
            yield start, self.read(Span(start, min(start + seconds, self.duration)))
            start += seconds


SHORTEST: Seconds = 1.0
"""Nothing about a lesson can be measured in less."""
_SILENT_PEAK = 3
"""Largest sample of digital silence: dither and codec rounding reach ±1 or ±2 of 32,768."""
_CUT_OFF = 0.98
_PROBE: Seconds = 180.0


def decode(
    path: Path,
    working_file: Path,
    *,
    track: int | None = None,
    has_speech: Callable[[Audio], bool] | None = None,
    on_progress: Callable[[float], None] = lambda _share: None,
) -> tuple[Recording, Audio]:
    """Decode a recording's sound to 16 kHz mono on the lesson's clock.

    The samples go to `working_file` (raw little-endian int16; 115 MB an hour) and are mapped
    from there, so memory does not grow with the length. `track` counts audio tracks from 0; None
    takes the first for which `has_speech` holds, heard in its first three minutes, else in three
    from the middle; else track 0. `on_progress` is told the share that is done, 0..1, and may
    raise to stop.

    Raises MissingRecording, UnreadableRecording, NoAudioTrack, UnobservableRecording (silent, or
    shorter than 1 s), UsageError (no such track) and OutputError (`working_file` cannot be
    written). Nothing is half-written.
    """
    with opened(path) as media:
        chosen = _choose_track(media, track, has_speech)
    tell = _never_back(on_progress)
    with replacing(working_file) as temporary:
        sound = _decode_track(path, chosen, temporary, None, tell)
        if sound.better_channel is not None:
            sound = _decode_track(path, chosen, temporary, sound.better_channel, tell)
        _refuse_nothing(path, sound)
    recording = _describe(path, chosen, sound)
    tell(1.0)
    return recording, Audio(np.memmap(working_file, dtype="<i2", mode="r"))


def encode_opus(
    audio: Audio,
    path: Path,
    bitrate: int = 16_000,
    on_progress: Callable[[float], None] = lambda _share: None,
) -> None:
    """Write the whole sound as a small Opus file (Ogg), streamed: 2 kB a second at 16 kbit/s.

    The same sound gives the same bytes. Raises OutputError.
    """
    import av

    with (
        replacing(path) as temporary,
        temporary.open("wb") as file,
        # Without "bitexact" Ogg's serial number is drawn by chance.
        av.open(file, "w", format="ogg", container_options={"fflags": "+bitexact"}) as container,
    ):
        # Complexity 5 of 10 halves the time; the difference cannot be heard at this rate.
        options = {"application": "voip", "frame_duration": "60", "compression_level": "5"}
        stream = container.add_stream("libopus", rate=Audio.RATE, layout="mono", options=options)
        stream.bit_rate = bitrate
        for start in range(0, len(audio.samples), 30 * Audio.RATE):
            block = audio.samples[start : start + 30 * Audio.RATE]
            frame = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(block, np.int16).reshape(1, -1), format="s16", layout="mono"
            )
            frame.sample_rate, frame.pts = Audio.RATE, start
            container.mux(stream.encode(frame))
            on_progress(start / len(audio.samples))
        container.mux(stream.encode())
    on_progress(1.0)


@dataclass(frozen=True, slots=True)
class _Sound:
    """What one pass over a track found."""

    samples: int
    peak: int
    gaps: tuple[Span, ...]
    better_channel: int | None
    missing: Seconds

    @property
    def duration(self) -> Seconds:
        return self.samples / Audio.RATE


def _decode_track(
    path: Path,
    track: int,
    temporary: Path,
    channel: int | None,
    on_progress: Callable[[float], None],
) -> _Sound:
    """Decode one track into `temporary`; `channel` takes one of two channels alone."""
    with opened(path) as media, temporary.open("wb") as out:
        declared = media.declared(track)
        mixdown = Mixdown(channel)
        placement = Placement(out, mixdown, declared)
        told = 0.0
        for clock in placement.lay(media.pieces(track)):
            if clock >= told + 5:
                told = clock
                on_progress(min(1.0, clock / declared) if declared else media.position())
    held = max(placement.samples / Audio.RATE, media.reached)
    return _Sound(
        placement.samples,
        placement.peak,
        tuple(placement.gaps),
        mixdown.better_channel,
        missing=declared - held if declared and held < _CUT_OFF * declared else 0.0,
    )


def _choose_track(
    media: MediaFile, track: int | None, has_speech: Callable[[Audio], bool] | None
) -> int:
    """The track asked for, or the first with speech."""
    count = len(media.tracks)
    if track is not None and not 0 <= track < count:
        raise UsageError(
            en=f"{media.path} has no audio track {track}. It has {media.describe()}.",
            zh=f"{media.path} 没有第 {track} 号音轨（从 0 数起）。现有音轨：{media.describe()}。",
        )
    if track is not None or count == 1 or has_speech is None:
        return track or 0
    middle = (media.container.duration or 0) / 2e6
    for start in (0.0, middle):
        for index in range(count):
            if has_speech(_probe(media.path, index, start)):
                return index
    return 0


def _probe(path: Path, track: int, start: Seconds) -> Audio:
    """Three minutes of a track, in memory; where they lie exactly does not matter."""
    with opened(path) as media:
        out, mixdown = io.BytesIO(), Mixdown()
        pieces = (replace(piece, time=None) for piece in media.pieces(track, start))
        for clock in Placement(out, mixdown).lay(pieces):
            if clock >= _PROBE:
                break
    return Audio(np.frombuffer(out.getvalue(), "<i2"))


def _refuse_nothing(path: Path, sound: _Sound) -> None:
    if sound.samples == 0:
        raise UnreadableRecording(
            en=f"No sound could be decoded from {path}: it is damaged or was cut off at its start.",
            zh=f"无法从 {path} 解码出任何声音：文件已损坏，或在开头处就被截断。",
        )
    if sound.duration < SHORTEST:
        raise UnobservableRecording(
            en=f"{path} holds {sound.duration:.2f} s of sound; at least {SHORTEST:g} s is needed. "
            "Check that this is the whole recording.",
            zh=f"{path} 只有 {sound.duration:.2f} 秒声音，至少需要 {SHORTEST:g} 秒。"
            "请确认这是完整的录音。",
        )
    if sound.peak <= _SILENT_PEAK:
        raise UnobservableRecording(
            en=f"{path} is silent from beginning to end. Check the microphone, or choose another "
            "audio track.",
            zh=f"{path} 从头到尾都没有声音。请检查麦克风，或选择其他音轨。",
        )


def _describe(path: Path, track: int, sound: _Sound) -> Recording:
    with opened(path) as media:
        return Recording(
            name=path.name,
            sha256=sha256_of(path),
            size=media.size,
            duration=sound.duration,
            container=media.kind,
            codec=media.tracks[track].codec_context.name,
            video=media.video,
            track=track,
            tracks=len(media.tracks),
            gaps=sound.gaps,
            missing=sound.missing,
        )


def _never_back(on_progress: Callable[[float], None]) -> Callable[[float], None]:
    """A listener that hears no smaller share than before (a second pass begins at 0 again)."""
    best = 0.0

    def tell(share: float) -> None:
        nonlocal best
        best = max(best, share)
        on_progress(best)

    return tell
