"""The folder of weights: what could be there (catalogue.toml), what is there, and is it whole.

The folder is `OBSERVER_MODELS`. Whisper's checkpoints are ``NAME.pt`` in it; every other engine
has ``ENGINE/NAME/`` with several files. ``SHA256SUMS`` beside them (the format of `sha256sum`)
holds the checksums of everything that was pulled, so that a folder carried to a machine without
a network can be checked there, with this program or without.
"""

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import Final

from observer.errors import Language, UsageError
from observer.files import sha256_of, write_atomically

SUMS: Final = "SHA256SUMS"
PART: Final = ".part"
"""What an unfinished download ends in."""
_LINE: Final = re.compile(r"([0-9a-f]{64}) [ *](.+)")
_WEIGHT_FILES: Final = frozenset({".pt", ".bin", ".npz", ".onnx", ".safetensors"})


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights that can be had: an entry of the catalogue."""

    engine: str
    name: str
    en: str
    """What they are for."""
    zh: str
    megabytes: int
    licence: str
    sha256: str | None = None
    """Of the one file; None where the hub's list of files has the checksums."""
    repo: str | None = None
    """Id on the model hub."""
    files: tuple[str, ...] = ()
    gated: bool = False
    """A person must accept terms on the hub first: they are fetched by hand."""

    @property
    def place(self) -> PurePosixPath:
        """Where they lie in the folder: a file, or a folder of their own."""
        if self.repo is None:
            return PurePosixPath(f"{self.name}.pt")
        return PurePosixPath(self.engine) / self.name

    @property
    def pull_name(self) -> str:
        """What `observer models pull` calls them."""
        return self.name if named(self.name) == self else f"{self.engine}/{self.name}"

    def purpose(self, language: Language) -> str:
        """What they are for, in `language`."""
        return self.zh if language == "zh" else self.en


@cache
def catalogue() -> tuple[Weights, ...]:
    """Everything that `observer models pull` knows, grouped by engine, best first."""
    text = files("models").joinpath("catalogue.toml").read_text("utf-8")
    return tuple(
        Weights(**{**entry, "files": tuple(entry.get("files", ()))})
        for entry in tomllib.loads(text)["weights"]
    )


def named(name: str) -> Weights:
    """The entry called `name` ("small", "faster-whisper/small"). Raises UsageError."""
    engine, _, short = name.rpartition("/")
    short = {"turbo": "large-v3-turbo", "large": "large-v3"}.get(short, short)
    for entry in catalogue():
        if entry.name == short and engine in ("", entry.engine):
            return entry
    known = [f"{w.engine}/{w.name}" for w in catalogue()]
    raise UsageError(
        en=f"There are no weights called {name!r}. Known: {', '.join(known)}.",
        zh=f"没有名为“{name}”的权重。可用：{'、'.join(known)}。",
    )


def pull_command(name: str, engine: str = "whisper") -> str | None:
    """The command that gets an engine's weights; None when the catalogue lacks them."""
    for entry in catalogue():
        if (entry.engine, entry.name) == (engine, name) and not entry.gated:
            return f"observer models pull {entry.pull_name}"
    return None


def by_hand(weights: Weights) -> tuple[str, str]:
    """How a person gets weights of the hub into the folder, in English and Chinese."""
    wanted, place = ", ".join(weights.files), weights.place
    terms_en = "accept its terms there with an account, then " if weights.gated else ""
    terms_zh = "先用账号在该页面接受使用条款，再" if weights.gated else ""
    return (
        f"Find {weights.repo} on the model hub, {terms_en}fetch {wanted} by hand into the folder "
        f"{place} of $OBSERVER_MODELS, and run `observer models check --record` "
        f"(licence: {weights.licence}).",
        f"请在模型库中找到 {weights.repo}，{terms_zh}手工取得 {wanted}，"
        f"放进 $OBSERVER_MODELS 下的 {place}，再运行 `observer models check --record`"
        f"（许可：{weights.licence}）。",
    )


class State(StrEnum):
    """What a check found about a file."""

    WHOLE = "whole"
    DAMAGED = "damaged"
    GONE = "gone"
    """In SHA256SUMS, but not in the folder."""
    UNKNOWN = "unknown"
    """Nobody recorded its checksum."""
    UNFINISHED = "unfinished"
    """A download that can be resumed."""


@dataclass(frozen=True, slots=True)
class Checked:
    """One file of the folder."""

    path: PurePosixPath
    """Relative to the folder."""
    state: State
    megabytes: float


def held(folder: Path) -> list[Weights]:
    """The entries of the catalogue that are in the folder; whether whole is not looked at."""
    return [w for w in catalogue() if (folder / w.place).exists() or _in_subfolder(folder, w)]


def _in_subfolder(folder: Path, weights: Weights) -> bool:
    return weights.repo is None and (folder / "whisper" / weights.place).is_file()


def others(folder: Path) -> list[PurePosixPath]:
    """Weights in the folder that the catalogue does not know: a school's own, converted ones."""
    known = {w.place for w in catalogue()} | {"whisper" / w.place for w in catalogue()}
    return [
        path
        for path in _weight_files(folder)
        if path not in known and not any(parent in known for parent in path.parents)
    ]


def _weight_files(folder: Path) -> list[PurePosixPath]:
    found = (p for p in folder.rglob("*") if p.suffix in _WEIGHT_FILES and p.is_file())
    return sorted(PurePosixPath(p.relative_to(folder).as_posix()) for p in found)


def read_sums(folder: Path) -> dict[PurePosixPath, str]:
    """Checksums of SHA256SUMS by path; lines in another form are passed over."""
    path = folder / SUMS
    lines = path.read_text("utf-8", errors="replace").splitlines() if path.is_file() else []
    matches = filter(None, map(_LINE.fullmatch, lines))
    return {PurePosixPath(match[2]): match[1] for match in matches}


def record_sums(folder: Path, new: Mapping[PurePosixPath, str]) -> None:
    """Add checksums to SHA256SUMS, those of a replaced file instead of the old. Raises
    OutputError when the folder cannot be written to."""
    sums = {**read_sums(folder), **new}
    lines = [f"{digest}  {path}\n" for path, digest in sorted(sums.items())]
    write_atomically(folder / SUMS, "".join(lines))


def check(
    folder: Path,
    *,
    record: bool = False,
    on_file: Callable[[Checked], None] = lambda _: None,
) -> list[Checked]:
    """Compare every file with its checksum; `on_file` is told each as soon as it is known.

    The publisher's own checksum goes before a recorded one. `record` writes the checksums of
    unknown weights down, so that their next check can be made. Raises OSError for unreadable
    files and OutputError when SHA256SUMS cannot be written.
    """
    sums = read_sums(folder) | dict(_published(folder))
    found: list[Checked] = []
    new: dict[PurePosixPath, str] = {}
    for path in sorted({*sums, *_weight_files(folder), *_unfinished(folder)}):
        state = _state(folder / path, sums.get(path))
        if state is State.UNKNOWN and record:
            new[path], state = sha256_of(folder / path), State.WHOLE
        size = (folder / path).stat().st_size / 1e6 if state is not State.GONE else 0.0
        found.append(Checked(path, state, size))
        on_file(found[-1])
    if new:
        record_sums(folder, new)
    return found


def _published(folder: Path) -> Iterator[tuple[PurePosixPath, str]]:
    for weights in catalogue():
        for path in (weights.place, "whisper" / weights.place):
            if weights.sha256 and (folder / path).is_file():
                yield path, weights.sha256


def _unfinished(folder: Path) -> Iterator[PurePosixPath]:
    for path in folder.rglob("*"):
        if path.is_file() and PART in (path.suffix, path.parent.suffix):
            yield PurePosixPath(path.relative_to(folder).as_posix())


def _state(path: Path, digest: str | None) -> State:
    if not path.is_file():
        return State.GONE
    if PART in (path.suffix, path.parent.suffix):
        return State.UNFINISHED
    if digest is None:
        return State.UNKNOWN
    return State.WHOLE if sha256_of(path) == digest else State.DAMAGED
