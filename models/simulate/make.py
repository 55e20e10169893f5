"""From a recipe to lessons on disk or in memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.simulate.clips import read_clips
from models.simulate.lesson import KINDS, draw_lesson
from models.simulate.room import mix, read_noises
from models.simulate.truth import truth, write_truth
from observer.media import Audio, encode_opus


@dataclass(frozen=True, slots=True)
class Recipe:
    """What lessons are made from; lesson i of a seed is always the same."""

    clips: Path
    noise: Path | None = None
    seed: int = 0
    minutes: float = 4.0
    kinds: tuple[str, ...] = ()
    """Names of `KINDS`; empty means all, taken in turn."""


def make_lesson(recipe: Recipe, index: int) -> tuple[Audio, dict[str, Any]]:
    """Lesson `index` (from 0) of a recipe: its sound and its truth. Raises UsageError."""
    kinds = [k for k in KINDS if not recipe.kinds or k.name in recipe.kinds]
    kind = kinds[index % len(kinds)]
    rng = np.random.default_rng([recipe.seed, index])
    plan = draw_lesson(read_clips(recipe.clips), kind, recipe.minutes * 60, rng)
    sound, drawn = mix(plan, *read_noises(recipe.noise), rng)
    audio = Audio.of(sound)
    name = f"sim_{recipe.seed}_{index:03d}_{kind.name}"
    return audio, truth(plan, name, audio.duration, drawn)


def make_lessons(folder: Path, recipe: Recipe, count: int) -> Iterator[str]:
    """Write `count` lessons (Opus, JSON, RTTM) and yield their names."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        audio, lesson = make_lesson(recipe, index)
        encode_opus(audio, folder / f"{lesson['name']}.opus")
        write_truth(folder, lesson)
        yield lesson["name"]
