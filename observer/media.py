"""Recordings: what a media file is, and its sound as 16 kHz mono samples on the lesson's clock."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

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
    RATE: ClassVar[int] = 16_000

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
        return self.samples[first : max(first, last)].astype(np.float32) / 32768.0

    def blocks(self, seconds: Seconds = 30.0) -> Iterator[tuple[Seconds, Samples]]:
        """(start, samples) of consecutive blocks; the last one may be shorter."""
        start = 0.0
        while start < self.duration:
            yield start, self.read(Span(start, min(start + seconds, self.duration)))
            start += seconds
