"""Lesson scripts: reading the TOML in which a lesson is written down."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from observer.errors import UsageError
from observer.taxonomies import FEEDBACK, OPENNESS, QUESTION_DEMAND, QUESTION_FORM, SIHE, Taxonomy

QUESTION = (QUESTION_FORM, QUESTION_DEMAND, SIHE, OPENNESS)
"""The taxonomies of the `question` key, in the order of its codes."""

TEACHER = "T"


@dataclass(frozen=True, slots=True)
class Voice:
    """One synthetic speaker."""

    engine: str
    """"flite" or "espeak-ng"."""
    voice: str
    level: float
    """Loudness in dB relative to the teacher's: students sit further from the microphone."""
    cents: float = 0.0
    """Shift of pitch and formants' harmonics by sox, 100 to a semitone."""
    stretch: float = 1.0
    """flite: duration factor."""
    speed: int = 165
    """espeak-ng: words a minute."""
    pitch: int = 50
    """espeak-ng: 0..99."""

    @property
    def description(self) -> str:
        """Engine, voice and pitch shift in one word, for the truth file."""
        return f"{self.engine}:{self.voice}{self.cents:+.0f}c"


@dataclass(frozen=True, slots=True)
class Line:
    """One utterance of the script; `by` None means that all students speak together."""

    by: str | None
    say: str
    gap: float
    """Seconds after the end of the line before; negative: they overlap."""
    labels: tuple[tuple[str, str], ...]
    """(taxonomy, code) pairs."""
    opens: str | None
    closes: bool
    board: int | None


@dataclass(frozen=True, slots=True)
class Babble:
    """Group work: every student voice reads on from another place of `lines`."""

    after: float
    seconds: float
    pause: float
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of one activity."""

    activity: str
    lines: tuple[Line, ...]
    babble: Babble | None


@dataclass(frozen=True, slots=True)
class Script:
    """A lesson as it was written."""

    name: str
    language: str
    title: str
    seed: int
    opening: int | None
    """Number of lines that the short video holds; None: no video."""
    sounds: tuple[tuple[str, str], ...]
    voices: dict[str, Voice]
    parts: tuple[Part, ...]

    @property
    def students(self) -> list[str]:
        """All voices but the teacher's."""
        return [name for name in self.voices if name != TEACHER]


def read_script(path: Path) -> Script:
    """Read a lesson script. Raises UsageError where it names an unknown voice or code."""
    data = tomllib.loads(path.read_text("utf-8"))
    voices = {name: Voice(**entry) for name, entry in data["voices"].items()}
    parts = tuple(_part(entry, voices) for entry in data["part"])
    sounds = tuple(data.get("sounds", {}).items())
    head = {key: data[key] for key in ("name", "language", "title", "seed")}
    return Script(**head, opening=data.get("opening"), sounds=sounds, voices=voices, parts=parts)


def _part(entry: dict[str, Any], voices: dict[str, Voice]) -> Part:
    babble = entry.get("babble")
    return Part(
        entry["activity"],
        tuple(_line(line, voices) for line in entry["lines"]),
        Babble(**{**babble, "lines": tuple(babble["lines"])}) if babble else None,
    )


def _line(entry: dict[str, Any], voices: dict[str, Voice]) -> Line:
    by = None if entry.get("several") else entry["by"]
    if by is not None and by not in voices:
        raise _unusable(f"voice {by!r}", entry["say"])
    return Line(
        by,
        entry["say"],
        float(entry["gap"]),
        _labels(entry, by),
        entry.get("opens"),
        bool(entry.get("closes")),
        entry.get("board"),
    )


def _labels(entry: dict[str, Any], by: str | None) -> tuple[tuple[str, str], ...]:
    codes = entry.get("question", "none").split()
    labels = [
        _checked(taxonomy, code, entry["say"])
        for taxonomy, code in zip(QUESTION, codes, strict=False)
    ]
    if by == TEACHER:
        labels.append(_checked(FEEDBACK, entry.get("feedback", "none"), entry["say"]))
    return tuple(labels)


def _checked(taxonomy: Taxonomy, code: str, say: str) -> tuple[str, str]:
    if code not in {known.code for known in taxonomy.codes}:
        raise _unusable(f"{taxonomy.name} code {code!r}", say)
    return taxonomy.name, code


def _unusable(what: str, say: str) -> UsageError:
    return UsageError(
        en=f"The lesson script uses an unknown {what} in the line “{say}”. Correct the script.",
        zh=f"课堂脚本在“{say}”一行用了未知的 {what}。请改正脚本。",
    )
