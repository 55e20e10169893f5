"""Decoded frames laid on the lesson's clock as 16 kHz mono samples, whatever the file did to them.

Concatenating frames would shift everything after a delayed track, a hole or a damaged stretch.
Here every frame goes where its time stamp says: holes become silence, what comes twice is taken
once, and a time stamp that the next frame does not bear out is not believed.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, cast

import numpy as np
import numpy.typing as npt

from observer.mediafile import Piece
from observer.timeline import Seconds, Span

if TYPE_CHECKING:
    from av import AudioFrame, AudioResampler

RATE = 16_000
TOLERANCE: Seconds = 0.05
"""Time stamps jitter (Matroska rounds to milliseconds): smaller steps are no holes."""
_AFTER_DAMAGE: Seconds = 0.005
"""What could not be decoded is a hole of known cause, however short: one AAC frame is 21 ms."""
_RESTART: Seconds = 10.0
"""A larger step back is not an overlap: the clock was set anew, as where files were joined."""
_LONGEST_HOLE: Seconds = 3600.0
"""The longest hole that is believed when the file does not declare its length."""
_AMOUNT = RATE
"""Samples a block: large blocks, few calls."""

Pcm = npt.NDArray[np.int16]


class Mixdown:
    """Two channels to one: their mean, which is what FFmpeg's s16 downmix gives.

    The mean loses the sound when one channel is the other upside down (a microphone wired the
    wrong way round) and halves it when one channel is dead; `better_channel` then names the
    channel to take instead. Two live channels, a lapel and a room microphone for instance, stay
    mixed.
    """

    def __init__(self, channel: int | None = None) -> None:
        self._channel = channel
        self._energy = np.zeros(2)
        self._mixed_energy = 0.0

    def mono(self, stereo: Pcm) -> Pcm:
        """Samples of shape (n,) from samples of shape (n, 2)."""
        if self._channel is not None:
            return stereo[:, self._channel]
        mixed: Pcm = (stereo.sum(axis=1, dtype=np.int32) >> 1).astype(np.int16)
        # Without the mean: a constant offset is no sound.
        swing = stereo - stereo.mean(axis=0, dtype=np.float64)
        self._energy += np.square(swing).sum(axis=0)
        self._mixed_energy += float(np.square(swing.mean(axis=1)).sum())
        return mixed

    @property
    def better_channel(self) -> int | None:
        """The channel to use alone; None when the mean is right.

        With equal channels the mean has their energy, with independent ones half of it. Below a
        quarter (a correlation under -.5) they cancel; a channel 40 dB under the other is dead.
        """
        weaker, stronger = sorted(self._energy)
        cancels = self._mixed_energy < 0.25 * (weaker + stronger) / 2
        if stronger > 0 and (cancels or weaker < 1e-4 * stronger):
            return int(np.argmax(self._energy))
        return None


@dataclass(slots=True)
class _Run:
    """Frames without a break, through one resampler."""

    resampler: "AudioResampler"
    format: tuple[str, str, int]
    start: Seconds
    stereo: bool
    fed: int = 0
    """Samples that went in, at the file's rate."""
    given: int = 0
    """Samples that came out, at 16 kHz."""

    @property
    def end(self) -> Seconds:
        """Where the next frame is due; the resampler's delay has no part in it."""
        return self.start + self.fed / self.format[2]


class Placement:
    """Writes frames to `out` as raw little-endian int16, each at its time."""

    def __init__(self, out: BinaryIO, mixdown: Mixdown, declared: Seconds | None = None) -> None:
        self.samples = 0
        """Samples written."""
        self.peak = 0
        """Largest absolute sample."""
        self.gaps: list[Span] = []
        self.clock: Seconds = 0.0
        """Where the next frame is due."""
        self._out = out
        self._mixdown = mixdown
        self._declared = declared
        self._run: _Run | None = None
        self._shift: Seconds = 0.0

    def lay(self, pieces: Iterable[Piece]) -> Iterator[Seconds]:
        """Place all pieces; yields the clock after each, for those who watch."""
        for piece, following in _with_next(pieces):
            jump = self._jump(piece, following)
            if jump != 0:
                self._break()
                if jump > (_AFTER_DAMAGE if piece.after_damage else TOLERANCE):
                    self.gaps.append(Span(max(0.0, self.clock), self.clock + jump))
                self.clock += jump
            self._feed(piece.frame)
            yield self.clock
        self._break()

    def _jump(self, piece: Piece, following: Piece | None) -> Seconds:
        """Seconds between where a frame is due and where it belongs; 0 within the jitter."""
        if piece.time is None:
            return 0.0
        jump = piece.time + self._shift - self.clock
        first = self.samples == 0 and self._run is None
        tolerance = 0.0 if first else _AFTER_DAMAGE if piece.after_damage else TOLERANCE
        if abs(jump) <= tolerance or not _borne_out(piece, following, piece.time - jump):
            return 0.0
        farthest = self.clock + _LONGEST_HOLE if self._declared is None else self._declared + 10
        if jump < -_RESTART or self.clock + jump > farthest:
            self._shift -= jump
            return 0.0
        return jump

    def _feed(self, frame: "AudioFrame") -> None:
        form = (frame.format.name, frame.layout.name, frame.sample_rate)
        if self._run is None or self._run.format != form:
            self._break()
            self._run = _new_run(frame, form, self.clock)
        self._run.fed += frame.samples
        self.clock = self._run.end
        self._emit(self._run, frame)

    def _break(self) -> None:
        """End the present run: get out what its resampler still holds."""
        if self._run is not None:
            self._emit(self._run, None)
            self._run = None

    def _emit(self, run: _Run, frame: "AudioFrame | None") -> None:
        for block in run.resampler.resample(frame):
            samples = cast("Pcm", block.to_ndarray()).reshape(-1)
            if run.stereo:
                samples = self._mixdown.mono(samples.reshape(-1, 2))
            self._write(round(run.start * RATE) + run.given, samples)
            run.given += len(samples)

    def _write(self, index: int, samples: Pcm) -> None:
        """Write samples that belong at `index`; what is there already stays."""
        while self.samples < index:
            hole = min(index - self.samples, 60 * RATE)
            self._out.write(bytes(2 * hole))
            self.samples += hole
        new = samples[max(0, self.samples - index) :]
        if len(new) > 0:
            self._out.write(new.astype("<i2").tobytes())
            self.samples += len(new)
            self.peak = max(self.peak, int(new.max()), -int(new.min()))


def _new_run(frame: "AudioFrame", form: tuple[str, str, int], start: Seconds) -> _Run:
    from av import AudioResampler

    stereo = frame.layout.nb_channels == 2
    layout = "stereo" if stereo else "mono"
    resampler = AudioResampler(format="s16", layout=layout, rate=RATE, frame_size=_AMOUNT)
    return _Run(resampler, form, start, stereo)


def _borne_out(piece: Piece, following: Piece | None, due: Seconds) -> bool:
    """Whether the next frame lies nearer to this frame's own end than to where it was due to end.

    One broken time stamp must not move the lesson's clock; a real step stays.
    """
    if following is None or following.time is None or piece.time is None:
        return True
    by_stamp = abs(following.time - (piece.time + piece.duration))
    by_count = abs(following.time - (due + piece.duration))
    return by_stamp <= by_count


def _with_next(pieces: Iterable[Piece]) -> Iterator[tuple[Piece, Piece | None]]:
    """Every piece with the one after it."""
    previous: Piece | None = None
    for piece in pieces:
        if previous is not None:
            yield previous, piece
        previous = piece
    if previous is not None:
        yield previous, None
