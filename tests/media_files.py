"""Small media files, built where they are used: known sounds at known seconds in any container."""

from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

FORMATS: dict[str, tuple[str, str, int]] = {
    # suffix: container, audio codec, sample rate
    "mp4": ("mp4", "aac", 48_000),
    "mkv": ("matroska", "aac", 48_000),
    "mov": ("mov", "pcm_s16le", 48_000),
    "webm": ("webm", "libopus", 48_000),
    "avi": ("avi", "libmp3lame", 44_100),
    "mp3": ("mp3", "libmp3lame", 44_100),
    "m4a": ("ipod", "aac", 44_100),
    "aac": ("adts", "aac", 48_000),
    "wav": ("wav", "pcm_s16le", 44_100),
    "flac": ("flac", "flac", 48_000),
    "ogg": ("ogg", "vorbis", 44_100),
    "opus": ("ogg", "libopus", 48_000),
}
WITH_PICTURES = ("mp4", "mkv", "mov", "webm", "avi")
Wave = npt.NDArray[np.float64]


def beeps(seconds: float, at: Sequence[float], rate: int, level: float = 0.5) -> Wave:
    """Silence with beeps of 0.1 s at 1 kHz that begin at the given seconds."""
    wave = np.zeros(round(seconds * rate))
    for start in at:
        first = round(start * rate)
        length = min(round(0.1 * rate), len(wave) - first)
        wave[first : first + length] = level * np.sin(2 * np.pi * 1000 * np.arange(length) / rate)
    return wave


def write_media(
    path: Path,
    tracks: Sequence[Wave],
    *,
    rate: int | None = None,
    delay: float = 0.0,
    pictures: float = 0.0,
    hole: tuple[float, float] | None = None,
    codec: str | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """Write audio tracks of shape (n,) or (2, n) in the container that the suffix names.

    `delay` moves the sound behind the container's start; `pictures` adds so many seconds of
    video; `hole` leaves out the packets between two times, as a damaged disk does.
    """
    container, usual_codec, usual_rate = FORMATS[path.suffix.removeprefix(".")]
    rate = rate or usual_rate
    with av.open(str(path), "w", format=container, options=options or {}) as out:
        video = _add_video(out, container) if pictures else None
        streams = []
        for wave in tracks:
            layout = "stereo" if wave.ndim == 2 or usual_codec == "vorbis" else "mono"
            stream = out.add_stream(codec or usual_codec, rate=rate, layout=layout)
            if usual_codec == "vorbis":
                stream.codec_context.options = {"strict": "-2"}
            streams.append(stream)
        packets = [] if video is None else _video_packets(video, pictures)
        for stream, wave in zip(streams, tracks, strict=True):
            packets += _audio_packets(stream, wave, rate, delay, hole)
        # Interleaved by time, as recorders write it: a cut then hits both.
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            out.mux(packet)
    return path


def _audio_packets(stream, wave, rate, delay, hole):
    pcm = np.round(np.atleast_2d(wave) * 32767).astype(np.int16)
    if pcm.shape[0] < stream.layout.nb_channels:
        pcm = np.repeat(pcm, stream.layout.nb_channels, axis=0)
    resampler = av.AudioResampler(format=stream.format.name, layout=stream.layout.name, rate=rate)
    packets = []
    for first in range(0, pcm.shape[1], 1024):
        block = np.ascontiguousarray(pcm[:, first : first + 1024].T).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(block, format="s16", layout=stream.layout.name)
        frame.sample_rate, frame.pts = rate, first + round(delay * rate)
        for ready in resampler.resample(frame):
            packets += stream.encode(ready)
    for ready in resampler.resample(None):
        packets += stream.encode(ready)
    packets += stream.encode()
    if hole is not None:
        packets = [p for p in packets if not hole[0] <= float(p.pts * p.time_base) < hole[1]]
    return packets


def _add_video(out, container):
    stream = out.add_stream("libvpx" if container == "webm" else "libx264", rate=5)
    stream.width = stream.height = 32
    stream.pix_fmt = "yuv420p"
    quick = {"deadline": "realtime", "cpu-used": "8"} if container == "webm" else {"bf": "0"}
    stream.options = {**quick, "g": "10", "threads": "1"}
    return stream


def _video_packets(stream, seconds):
    packets = []
    for number in range(round(seconds * 5)):
        picture = np.full((48, 32), 16 + number % 200, np.uint8)
        frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
        frame.pts = number
        packets += stream.encode(frame)
    return packets + stream.encode()
