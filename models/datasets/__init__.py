"""Readers of the labelled corpora, each with its provenance; no corpus is part of the project.

`--data DIR` holds one folder per corpus. A reader needs only its own files:

DIR/talkmoves/{train,dev}.jsonl.gz        models.datasets.talkmoves
DIR/english/uptake_dev.csv.gz             models.datasets.english
DIR/english/funneling_dev.csv.gz
DIR/dialogid/{train,dev}.csv.gz           models.datasets.mandarin
DIR/questions_zh/{train,dev}.jsonl

Every reader has the shape `read_X(folder, split) -> (items, Provenance)`; `folder` is DIR, the
items are frozen dataclasses in the order of the file.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from observer.errors import ObserverError


class DatasetError(ObserverError):
    """A corpus is missing or not laid out as its reader expects; the message names the file."""

    exit_code = 4


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where labelled sentences come from; goes into model cards and beside shipped weights."""

    name: str
    licence: str
    source: str
    split: str
    sha256: tuple[tuple[str, str], ...]
    """(path below the data folder, hexadecimal sha256 of the file as read)."""


def provenance(
    folder: Path, files: Sequence[str], *, name: str, licence: str, source: str, split: str
) -> Provenance:
    """Check that the `files` below `folder` are there and note their sha256.

    Raises DatasetError, which names the missing file and what `--data DIR` must hold.
    """
    for file in files:
        if not (folder / file).is_file():
            raise DatasetError(
                en=f"{name}: there is no {folder / file}. The folder given with --data must hold "
                f"{', '.join(files)} ({source}).",
                zh=f"{name}：找不到 {folder / file}。--data 指定的文件夹中须有 "
                f"{'、'.join(files)}（来源：{source}）。",
            )
    sums = tuple((file, sha256((folder / file).read_bytes()).hexdigest()) for file in files)
    return Provenance(name, licence, source, split, sums)


def check_split(name: str, split: str, known: Sequence[str]) -> None:
    """Raise DatasetError when the corpus has no such split."""
    if split not in known:
        raise DatasetError(
            en=f"{name} has no split {split!r}; it has {', '.join(known)}.",
            zh=f"{name} 没有“{split}”这一划分；可用：{'、'.join(known)}。",
        )


def unreadable(file: str, line: int, why: str) -> DatasetError:
    """The error for a line that does not have the layout its reader documents."""
    return DatasetError(
        en=f"{file}, line {line}: {why}. Check that the file is complete and of this layout.",
        zh=f"{file} 第 {line} 行无法读取（{why}）。请检查文件是否完整、格式是否正确。",
    )
