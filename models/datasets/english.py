"""English exchanges beside TalkMoves: uptake, focusing or funnelling.

Uptake and funnelling: exchanges of a student's words with the teacher's next ones from the NCTE
elementary mathematics lessons (Demszky et al., ACL 2021; Alic et al., BEA 2022), three raters.
"""

import csv
import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from models.datasets import Provenance, check_split, provenance, unreadable

UPTAKE_CODES = ("low", "mid", "high")
FOCUSING_CODES = ("none", "funneling", "focusing")
"""In the order of the corpus' numbers 0 to 2."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A student's words, the teacher's answer, and what most raters called it."""

    lesson: str
    student: str
    teacher: str
    code: str | None
    """None where no two raters agreed, or none could rate it: a quarter of the uptake part."""
    rating: float | None
    """Mean of the raters (uptake, 0 to 2) or their mean z-score (focusing)."""


def read_uptake(folder: Path, split: str) -> tuple[tuple[Exchange, ...], Provenance]:
    """Exchanges rated for uptake; the only split is "dev". Raises DatasetError."""
    check_split("uptake", split, ("dev",))
    file = f"english/uptake_{split}.csv.gz"
    origin = provenance(
        folder,
        [file],
        name="NCTE uptake",
        licence="MIT code repository with NCTE text: development only",
        source="github.com/ddemszky/conversational-uptake",
        split=split,
    )
    return tuple(_exchanges(folder, file, "uptake_majority", "uptake", UPTAKE_CODES)), origin


def read_focusing(folder: Path, split: str) -> tuple[tuple[Exchange, ...], Provenance]:
    """Exchanges rated focusing, funnelling or neither; only "dev". Raises DatasetError."""
    check_split("funneling", split, ("dev",))
    file = f"english/funneling_{split}.csv.gz"
    origin = provenance(
        folder,
        [file],
        name="NCTE focusing and funneling",
        licence="MIT code repository with NCTE text: development only",
        source="github.com/sterlingalic/funneling-focusing",
        split=split,
    )
    columns = "follow_up_unfiltered_majority", "follow_up_unfiltered_zscore"
    return tuple(_exchanges(folder, file, *columns, FOCUSING_CODES)), origin


def _exchanges(
    folder: Path, file: str, majority: str, rating: str, codes: tuple[str, ...]
) -> Iterator[Exchange]:
    for number, row in _rows(folder, file):
        try:
            code = codes[int(float(row[majority]))] if row[majority] else None
            mean = float(row[rating]) if row[rating] else None
            yield Exchange(row["obs_id"], row["student_text"], row["teacher_text"], code, mean)
        except (KeyError, IndexError, ValueError) as error:
            raise unreadable(file, number, f"{type(error).__name__}: {error}") from error


def _rows(folder: Path, file: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows with their line numbers (of the rows, a header counted as line 1)."""
    with gzip.open(folder / file, "rt", encoding="utf-8", newline="") as lines:
        yield from enumerate(csv.DictReader(lines), 2)
