"""Windows for recognisers: near stretches of speech joined, long ones cut where it is quiet.

A recogniser that reads a fixed span (Whisper: 30 s) wastes work on short windows, invents words
over silence, and drifts over long pauses; Mandarin at six characters a second fills Whisper's
224 text tokens in 30 s. Windows of at most 25 s that follow the speech avoid all three.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from observer.media import Audio
from observer.timeline import Seconds, Span, total, union


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch to recognise in one go."""

    start: Seconds
    """Start of its first speech."""
    end: Seconds
    """End of its last speech."""
    speech: tuple[Span, ...]
    """The speech inside, disjoint and in order."""
    before: Seconds = 0.0
    """Sound given to the recogniser ahead of `start`, so that onsets are heard whole."""
    after: Seconds = 0.0

    @property
    def span(self) -> Span:
        """From first to last speech."""
        return Span(self.start, self.end)

    @property
    def heard(self) -> Span:
        """The stretch of sound the recogniser gets."""
        return Span(self.start - self.before, self.end + self.after)

    @property
    def speech_share(self) -> float:
        """Share of the window that is speech, 0..1."""
        return total(self.speech) / (self.end - self.start)


def windows(
    audio: Audio,
    speech: Sequence[Span],
    *,
    longest: Seconds = 25.0,
    fullest: float = 0.5,
    join: Seconds = 2.0,
    pad: Seconds = 0.2,
) -> list[Window]:
    """Windows that cover all of `speech` inside the audio, in order and disjoint.

    Speech is joined across pauses up to `join`. A run longer than `longest` is cut at the
    longest pause that leaves the first part between ``fullest * longest`` and `longest`; speech
    without such a pause is cut at its quietest tenth of a second. `pad` seconds of sound are
    added on both sides where no other window is.
    """
    inside = [Span(max(0.0, s.start), min(s.end, audio.duration)) for s in speech if _in(s, audio)]
    pieces: list[list[Span]] = []
    for run in _runs(union(inside), join):
        rest = run
        while rest[-1].end - rest[0].start > longest:
            head, rest = _cut(audio, rest, longest, fullest * longest)
            pieces.append(head)
        pieces.append(rest)
    return _padded(pieces, pad, audio.duration)


def _in(span: Span, audio: Audio) -> bool:
    return span.end > max(0.0, span.start) and span.start < audio.duration


def _runs(speech: Sequence[Span], join: Seconds) -> list[list[Span]]:
    runs: list[list[Span]] = []
    for span in speech:
        if runs and span.start - runs[-1][-1].end <= join:
            runs[-1].append(span)
        else:
            runs.append([span])
    return runs


def _cut(
    audio: Audio, run: list[Span], longest: Seconds, shortest: Seconds
) -> tuple[list[Span], list[Span]]:
    """Split a run that is longer than `longest` in two; the first part fits."""
    start = run[0].start
    pauses = [
        (after.start - before.end, i + 1)
        for i, (before, after) in enumerate(pairwise(run))
        if shortest <= before.end - start <= longest
    ]
    if pauses:
        _, at = max(pauses)
        return run[:at], run[at:]
    search = Span(start + shortest, start + longest)
    inside = [
        Span(max(s.start, search.start), min(s.end, search.end))
        for s in run
        if s.overlap(search) > 0
    ]
    if not inside:  # one short stretch of speech, then a pause over the whole search range
        at = next(i for i, s in enumerate(run) if s.start >= search.end)
        return run[:at], run[at:]
    return _cut_at(run, quietest(audio, inside[-1]))


def _cut_at(run: list[Span], moment: Seconds) -> tuple[list[Span], list[Span]]:
    head = [Span(s.start, min(s.end, moment)) for s in run if s.start < moment]
    tail = [Span(max(s.start, moment), s.end) for s in run if s.end > moment]
    return head, tail


def quietest(audio: Audio, span: Span, width: Seconds = 0.1) -> Seconds:
    """Middle of the quietest `width` seconds of a stretch (lowest energy, first of equals)."""
    wave = audio.read(span)
    size = round(width * Audio.RATE)
    if len(wave) <= size:
        return (span.start + span.end) / 2
    energy = np.cumsum(np.concatenate([[0.0], wave.astype(np.float64) ** 2]))
    lowest = int(np.argmin(energy[size:] - energy[:-size]))
    return span.start + (lowest + size / 2) / Audio.RATE


def _padded(pieces: Sequence[list[Span]], pad: Seconds, duration: Seconds) -> list[Window]:
    made: list[Window] = []
    for i, piece in enumerate(pieces):
        start, end = piece[0].start, piece[-1].end
        room_before = start - (pieces[i - 1][-1].end if i else 0.0)
        room_after = (pieces[i + 1][0].start if i + 1 < len(pieces) else duration) - end
        made.append(
            Window(
                start,
                end,
                tuple(piece),
                before=min(pad, room_before / (2 if i else 1)),
                after=min(pad, room_after / (2 if i + 1 < len(pieces) else 1)),
            )
        )
    return made


def trimmed(span: Span, speech: Sequence[Span]) -> Span:
    """A word's time without the silence at its ends.

    `speech` is disjoint and in order. Alignments let the first word after a pause begin at the
    end of the word before it; the word is where most of its overlap with speech is. A word that
    touches no speech keeps its time.
    """
    first = max(0, bisect_right(speech, span.start, key=lambda s: s.start) - 1)
    best: Span | None = None
    for part in speech[first:]:
        if part.start >= span.end:
            break
        shared = span.overlap(part)
        if shared > 0 and (best is None or shared > best.duration):
            best = Span(max(span.start, part.start), min(span.end, part.end))
    return best or span
