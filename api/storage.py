"""Files under the address of their content: what storage is, and storage in a local folder.

A file is put once however often it is uploaded; its address is the sha256 of its bytes, so nothing
that a user types ever becomes a path, and a file that is there is there whole.
"""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import unquote, urlsplit

from api.problems import UnavailableError
from observer.errors import ObserverError, UsageError
from observer.files import replacing, sha256_of

BLOCK = 1 << 20
"""Bytes read at a time: what a transfer costs in memory."""
ADDRESS = re.compile(r"[0-9a-f]{64}")
"""What a file's address looks like: its sha256."""


class MissingContent(ObserverError):
    """No file under that address: it was removed, or storage is not the one it was put in."""


class StorageAway(UnavailableError):
    """The object store cannot be reached, or refuses: what was asked of it may be asked again."""


class Storage(Protocol):
    """Files by content address; every method raises MissingContent where there is none.

    One on another machine raises StorageAway from any of them.
    """

    def put(self, file: Path, *, link: bool = False, sha: str | None = None) -> str:
        """Keep a file; its sha256 comes back. Putting what is there already changes nothing.

        `link`: the file will not be written to again, only removed, so that on the same disk no
        copy is needed. `sha`: its sha256, where the caller has just computed it. Raises
        OutputError: no room.
        """

    def open(self, sha: str) -> BinaryIO:
        """The file for reading; the caller closes it."""

    def path(self, sha: str) -> Path | None:
        """Where the file lies on this machine; None when it does not. Never to be changed."""

    def local(self, sha: str) -> AbstractContextManager[Path]:
        """A context with the file on this machine, fetched when need be."""

    def size(self, sha: str) -> int:
        """Bytes."""

    def exists(self, sha: str) -> bool:
        """Whether the file is there."""

    def delete(self, sha: str) -> None:
        """Remove the file; nothing happens when it is gone already."""

    def free_bytes(self) -> int | None:
        """Room that is left; None where the store does not tell."""

    def stream(self, sha: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Blocks of the bytes `start` … `end` (exclusive; None: to the end), at most 1 MiB each."""

    def stored(self) -> Iterator[tuple[str, datetime]]:
        """Every file's address and when it was put: for finding those that nobody refers to."""


def storage_of(url: str) -> Storage:
    """The storage behind an address: file:///folder, s3://bucket/prefix, memory:/// (tests).

    Credentials of object stores come from the environment that their own tools read
    (AWS_ACCESS_KEY_ID, AWS_ENDPOINT …). Raises UsageError.
    """
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.netloc in {"", "localhost"} and parts.path != "":
        return LocalStorage(Path(unquote(parts.path)))
    if parts.scheme in {"s3", "memory"}:
        from api.object_storage import ObjectStorage

        return ObjectStorage(url)
    raise UsageError(
        en=f"Storage {parts.scheme or url!r}: unknown. Give file:///folder or s3://bucket/prefix.",
        zh=f"无法识别的存储地址（{parts.scheme or url}）。请写 file:///文件夹 或 s3://存储桶/前缀。",
    )


class LocalStorage:
    """A folder: ab/cd/SHA256, written beside and renamed, so that a crash leaves no half file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def put(self, file: Path, *, link: bool = False, sha: str | None = None) -> str:
        """See Storage."""
        sha = sha or sha256_of(file)
        place = self._place(sha)
        with suppress(FileNotFoundError):
            os.utime(place)  # young again: retention's sweep leaves young files alone
            return sha
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not (link and _linked(file, place)):
            with replacing(place) as temporary:
                shutil.copyfile(file, temporary)
                temporary.chmod(0o600)
        return sha

    def open(self, sha: str) -> BinaryIO:
        """See Storage."""
        return self._there(sha).open("rb")

    def path(self, sha: str) -> Path | None:
        """See Storage; here never None."""
        return self._there(sha)

    @contextmanager
    def local(self, sha: str) -> Iterator[Path]:
        """The stored file itself: read it, never change it."""
        yield self._there(sha)

    def size(self, sha: str) -> int:
        """See Storage."""
        return self._there(sha).stat().st_size

    def exists(self, sha: str) -> bool:
        """See Storage."""
        return self._place(sha).is_file()

    def delete(self, sha: str) -> None:
        """See Storage. Folders that become empty go too."""
        place = self._place(sha)
        place.unlink(missing_ok=True)
        with suppress(OSError):  # not empty: another file lives there
            place.parent.rmdir()
            place.parent.parent.rmdir()

    def free_bytes(self) -> int:
        """See Storage."""
        return shutil.disk_usage(self.folder).free

    def stream(self, sha: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """See Storage."""
        with self.open(sha) as file:
            left = max(0, (self.size(sha) if end is None else end) - start)
            file.seek(start)
            while left > 0 and (block := file.read(min(BLOCK, left))):
                left -= len(block)
                yield block

    def stored(self) -> Iterator[tuple[str, datetime]]:
        """See Storage."""
        for place in self.folder.glob("??/??/*"):
            if ADDRESS.fullmatch(place.name):
                with suppress(FileNotFoundError):  # removed meanwhile
                    yield place.name, datetime.fromtimestamp(place.stat().st_mtime, UTC)

    def _place(self, sha: str) -> Path:
        check(sha)
        return self.folder / sha[:2] / sha[2:4] / sha

    def _there(self, sha: str) -> Path:
        place = self._place(sha)
        if not place.is_file():
            raise missing(sha)
        return place


def _linked(file: Path, place: Path) -> bool:
    """Whether the file got its second name; False where the disk is another or knows no links."""
    handle = os.open(file, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    file.chmod(0o600)
    os.utime(file)
    try:
        os.link(file, place)
    except FileExistsError:
        return True  # the same content came in another way at the same time
    except OSError:
        return False
    folder = os.open(place.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return True


def check(sha: str) -> None:
    """Raises MissingContent for what is no address: it must not reach a disk."""
    if not ADDRESS.fullmatch(sha):
        raise MissingContent(
            en="That is not the address of a stored file.", zh="这不是已存文件的地址。"
        )


def missing(sha: str) -> MissingContent:
    """The error of a file that is not there."""
    return MissingContent(
        en=f"The stored file {sha[:12]}… is not there: it was removed, or the storage address "
        "(OBSERVER_STORAGE) is another than when it was uploaded.",
        zh=f"找不到已存文件 {sha[:12]}…：它已被删除，或存储地址（OBSERVER_STORAGE）与上传时不同。",
    )
