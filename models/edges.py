"""Where speech really begins and ends: the sound around what a network is sure of.

A voice-activity network is sure of vowels; a soft onset, a breath, a closing consonant and the
room's answer lie outside. So from each edge the stretch is followed outwards for as long as the
sound stays clearly above the background *and* within reach of the voice's own level. In a noisy
room nothing is above the background but the voice, and nothing changes.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from observer.media import Audio
from observer.timeline import Seconds, Span, union

Floats = npt.NDArray[np.float64]

FRAME: Seconds = 0.01
OVER_BACKGROUND = 8.0
"""Decibels over the background that are not the background any more."""
UNDER_VOICE = 32.0
"""Decibels under a stretch's mean level that still belong to it."""
FARTHEST: Seconds = 0.5
NEAR: Seconds = 15.0
"""The background is the 2nd percentile of the level this far to both sides: a teacher who talks
on leaves little of it to be heard."""


def followed(audio: Audio, spans: Sequence[Span]) -> list[Span]:
    """`spans` (disjoint, in order) with their edges followed outwards, `FARTHEST` at most."""
    level = _levels(audio)
    if not spans or len(level) == 0:
        return list(spans)
    background = _background(level)
    found = []
    for index, span in enumerate(spans):
        before = spans[index - 1].end if index else 0.0
        after = spans[index + 1].start if index + 1 < len(spans) else audio.duration
        reach = Span(max(before, span.start - FARTHEST), min(after, span.end + FARTHEST))
        found.append(_follow(level, background, span, reach))
    return union(found)


def _follow(level: Floats, background: Floats, span: Span, reach: Span) -> Span:
    first, last = round(span.start / FRAME), min(len(level), round(span.end / FRAME))
    if last <= first:
        return span
    own = 10 * np.log10(np.mean(10 ** (level[first:last] / 10)))
    low, high = int(np.ceil(reach.start / FRAME)), int(reach.end / FRAME)
    here = slice(low, max(high, last))
    heard = level[here] > np.maximum(background[here] + OVER_BACKGROUND, own - UNDER_VOICE)
    quiet_before = np.flatnonzero(~heard[: max(0, first - low)])
    quiet_after = np.flatnonzero(~heard[last - low : max(0, high - low)])
    begin = low + int(quiet_before[-1]) + 1 if len(quiet_before) else min(low, first)
    end = last + int(quiet_after[0]) if len(quiet_after) else max(high, last)
    return Span(min(span.start, begin * FRAME), max(span.end, end * FRAME))


def _levels(audio: Audio) -> Floats:
    """Level of every 10-ms frame in dB full scale, shape (n,)."""
    size = round(FRAME * audio.RATE)
    parts = []
    for _, block in audio.blocks(60.0):
        whole = block[: len(block) // size * size].reshape(-1, size)
        parts.append(10 * np.log10(np.mean(whole.astype(np.float64) ** 2, axis=1) + 1e-9))
    return np.concatenate(parts) if parts else np.zeros(0)


def _background(level: Floats) -> Floats:
    """Background of every frame: from tenths of a second, which is as fast as it moves."""
    from scipy.ndimage import percentile_filter

    tenth = 10
    coarse = np.array([part.mean() for part in np.array_split(level, max(1, len(level) // tenth))])
    low = percentile_filter(coarse, 2, size=2 * round(NEAR / FRAME / tenth) + 1, mode="nearest")
    at = np.minimum(np.arange(len(level)) * len(low) // len(level), len(low) - 1)
    return np.asarray(low[at], np.float64)
