"""A lesson as a video: a picture that changes now and then, and the sound."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np

from models.synthesise.board import HEIGHT, WIDTH, Image
from models.synthesise.voices import RATE, Wave

FPS = 4
AAC_BITRATE = 48_000
AAC_BLOCK = 1024
"""Samples in one AAC frame."""
AAC_BLOCKS_PER_FRAME = RATE // FPS // AAC_BLOCK + 1
BITEXACT = {"fflags": "+bitexact", "movflags": "+faststart"}
"""No time of making and no encoder name; the index first, so that browsers start at once."""
X264 = {"crf": "27", "preset": "medium", "threads": "1", "g": "40"}


def write_mp4(path: Path, sound: Wave, pictures: Sequence[tuple[float, Image]]) -> None:
    """H.264 and AAC; `pictures` are (second from which it is shown, image), in order."""
    with av.open(str(path), "w", format="mp4", options=BITEXACT) as container:
        video = container.add_stream("libx264", rate=FPS, options=X264)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        audio = container.add_stream("aac", rate=RATE)
        audio.layout = "mono"
        audio.bit_rate = AAC_BITRATE
        for stream in (video, audio):
            stream.codec_context.flags |= av.codec.context.Flags.bitexact
        blocks = _blocks(sound)
        for frame in _frames(pictures, len(sound) / RATE):
            container.mux(video.encode(frame))
            for block in islice(blocks, AAC_BLOCKS_PER_FRAME):  # sound beside its picture
                container.mux(audio.encode(block))
        for block in blocks:
            container.mux(audio.encode(block))
        for stream in (video, audio):
            container.mux(stream.encode(None))


def _frames(pictures: Sequence[tuple[float, Image]], seconds: float) -> Iterator[av.VideoFrame]:
    for number in range(int(np.ceil(seconds * FPS))):
        image = [image for start, image in pictures if start <= number / FPS][-1]
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame.pts, frame.time_base = number, Fraction(1, FPS)
        yield frame


def _blocks(sound: Wave) -> Iterator[av.AudioFrame]:
    pcm = sound.astype(np.float32)
    for first in range(0, len(pcm), AAC_BLOCK):
        block = av.AudioFrame.from_ndarray(pcm[None, first : first + AAC_BLOCK], "fltp", "mono")
        block.sample_rate, block.pts = RATE, first
        yield block
