"""Putting a script on the clock: who is heard from which sample on, with what sound."""

from dataclasses import dataclass, replace

import numpy as np

from models.synthesise.script import Babble, Line, Part, Script
from models.synthesise.voices import RATE, STEP, Speech, Synthesisers, Wave, phrases

TAIL_S = 1.5
"""Quiet after the last word."""
SCATTER_MS = 60
"""In a chorus every voice begins within so many milliseconds of the first."""


@dataclass(frozen=True, slots=True, eq=False)
class Sounding:
    """One voice saying one thing."""

    speaker: str
    kind: str
    """"speech", "choral" or "groupwork"."""
    text: str
    first: int
    """Sample at which it starts."""
    sound: Wave
    line: int | None
    """Index of its line in the script; None in group work."""

    @property
    def end(self) -> int:
        """Sample after its last one."""
        return self.first + len(self.sound)

    @property
    def phrases(self) -> list[tuple[float, float]]:
        """Audible stretches in seconds; the outer bounds are those of the utterance itself."""
        inner = [edge for stretch in phrases(self.sound) for edge in stretch][1:-1]
        edges = [(self.first + edge) / RATE for edge in (0, *inner, len(self.sound))]
        return list(zip(edges[::2], edges[1::2], strict=True))


@dataclass(frozen=True, slots=True, eq=False)
class Staged:
    """A script with the time of everything in it."""

    script: Script
    soundings: tuple[Sounding, ...]
    activities: tuple[tuple[str, float, float], ...]
    """(activity, start, end) in seconds."""
    samples: int
    """Length of the lesson."""

    @property
    def lines(self) -> list[Line]:
        """The script's lines in order."""
        return [line for part in self.script.parts for line in part.lines]


def stage(script: Script, speech: Speech | None = None) -> Staged:
    """Speak every line and lay it on the clock; the voices are this machine's synthesisers."""
    speech = speech or Synthesisers()
    rng = np.random.default_rng(script.seed)
    soundings: list[Sounding] = []
    starts: list[tuple[str, float]] = []
    clock = index = 0
    for part in script.parts:
        for number, line in enumerate(part.lines):
            first = clock + round(line.gap * 1000) * STEP
            if number == 0:
                starts.append((part.activity, first / RATE))
            soundings += _said(speech, script, line, index, first, rng)
            clock = max(clock, *(s.end for s in soundings if s.line == index))
            index += 1
        if part.babble:
            soundings += _babbled(speech, script, part.babble, clock, rng)
            clock = max(s.end for s in soundings)
    samples = clock + round(TAIL_S * RATE)
    ends = [start for _, start in starts[1:]] + [samples / RATE]
    activities = tuple((what, a, b) for (what, a), b in zip(starts, ends, strict=True))
    return Staged(script, tuple(soundings), activities, samples)


def opening(staged: Staged, lines: int) -> Staged:
    """The beginning of a lesson as one of its own: its first `lines` lines and half a second.

    Group work that falls into it is not kept, so cut before any.
    """
    soundings = tuple(s for s in staged.soundings if s.line is not None and s.line < lines)
    samples = max(s.end for s in soundings) + RATE // 2
    end = samples / RATE
    parts: list[Part] = []
    left = lines
    for part in staged.script.parts:
        if left > 0:
            parts.append(replace(part, lines=part.lines[:left], babble=None))
            left -= len(part.lines)
    script = replace(staged.script, name=f"{staged.script.name}_opening", parts=tuple(parts))
    activities = tuple((what, a, min(b, end)) for what, a, b in staged.activities if a < end)
    return Staged(script, soundings, activities, samples)


def _said(
    speech: Speech, script: Script, line: Line, index: int, first: int, rng: np.random.Generator
) -> list[Sounding]:
    """One voice, or all students nearly together and equally long."""
    if line.by is not None:
        sound = speech.speak(script.voices[line.by], line.say, script.sounds)
        return [Sounding(line.by, "speech", line.say, first, sound, index)]
    sounds = [
        speech.speak(script.voices[name], line.say, script.sounds) for name in script.students
    ]
    seconds = float(np.median([len(sound) for sound in sounds])) / RATE
    delays = rng.integers(0, SCATTER_MS, len(sounds)) * STEP
    delays -= delays.min()
    return [
        Sounding(name, "choral", line.say, first + int(delay), speech.fitted(sound, seconds), index)
        for name, sound, delay in zip(script.students, sounds, delays, strict=True)
    ]


def _babbled(
    speech: Speech, script: Script, babble: Babble, clock: int, rng: np.random.Generator
) -> list[Sounding]:
    """All students at once, each on its own way through the lines, until the time is up."""
    begin = clock + round(babble.after * 1000) * STEP
    end = begin + round(babble.seconds * RATE)
    soundings: list[Sounding] = []
    for seat, name in enumerate(script.students):
        turn = seat * len(babble.lines) // len(script.students)
        now = begin + (int(rng.integers(0, 500)) * STEP if seat else 0)
        while True:
            text = babble.lines[turn % len(babble.lines)]
            sound = speech.speak(script.voices[name], text, script.sounds)
            if now + len(sound) > end:
                break
            soundings.append(Sounding(name, "groupwork", text, now, sound, None))
            pause = babble.pause * rng.uniform(0.5, 1.5)
            now += len(sound) + round(pause * 1000) * STEP
            turn += 1
    return soundings
