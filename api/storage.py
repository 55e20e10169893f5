"""Files under the address of their content: a local folder, or an S3-compatible object store.

A file is put once however often it is uploaded; its address is the sha256 of its bytes, so nothing
that a user types ever becomes a path, and a file that is there is there whole.
"""

import logging
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol, cast
from urllib.parse import unquote, urlsplit

from api.problems import UnavailableError
from observer.errors import ObserverError, UsageError
from observer.files import replacing, sha256_of

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import RetryConfig

_log = logging.getLogger("observer.storage")
BLOCK = 1 << 20
"""Bytes read at a time: what a transfer costs in memory."""
PIECE = 4 << 20
"""Bytes of an object asked for at a time: a compromise of memory and of round trips."""
YOUNG = timedelta(hours=1)
"""An object older than this is put anew, so that it is young as a local file would be."""
PATIENCE: "RetryConfig" = {"max_retries": 6, "retry_timeout": timedelta(seconds=30)}
"""How long an object store may be away before a request is told so; the store's own is minutes."""
_ADDRESS = re.compile(r"[0-9a-f]{64}")


class MissingContent(ObserverError):
    """No file under that address: it was removed, or storage is not the one it was put in."""


class StorageAway(UnavailableError):
    """The object store cannot be reached, or refuses: what was asked of it may be asked again."""


class Storage(Protocol):
    """Files by content address; every method raises MissingContent where there is none."""

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
            if _ADDRESS.fullmatch(place.name):
                with suppress(FileNotFoundError):  # removed meanwhile
                    yield place.name, datetime.fromtimestamp(place.stat().st_mtime, UTC)

    def _place(self, sha: str) -> Path:
        _check(sha)
        return self.folder / sha[:2] / sha[2:4] / sha

    def _there(self, sha: str) -> Path:
        place = self._place(sha)
        if not place.is_file():
            raise _missing(sha)
        return place


class ObjectStorage:
    """An S3-compatible store through obstore (extra `s3`); objects are called ab/cd/SHA256.

    The store must answer requests for a stretch with 206, as S3 does, or recordings cannot be
    sought in. Every method raises StorageAway when it does not answer.
    """

    def __init__(self, url: str) -> None:
        try:
            import obstore
        except ImportError as error:
            raise UsageError(
                en="Object storage needs the extra s3: ./x setup s3",
                zh="使用对象存储需要安装附加组件 s3：./x setup s3",
            ) from error
        self._calls = obstore
        if urlsplit(url).scheme == "s3":
            self._store = obstore.store.from_url(url, retry_config=PATIENCE)
        else:
            self._store = obstore.store.from_url(url)

    def put(self, file: Path, *, link: bool = False, sha: str | None = None) -> str:  # noqa: ARG002
        """See Storage. Large files go in parts; an object appears whole or not at all."""
        sha = sha or sha256_of(file)
        if not self._is_young(sha):  # retention's sweep leaves young files alone
            with self._answering():
                self._calls.put(self._store, self._key(sha), file)
        return sha

    def open(self, sha: str) -> BinaryIO:
        """See Storage. The object is fetched into a temporary file, which closing removes."""
        file = tempfile.TemporaryFile(prefix="observer-")  # noqa: SIM115 - the caller closes it
        try:
            for block in self.stream(sha):
                file.write(block)
            file.seek(0)
        except BaseException:
            file.close()
            raise
        return cast("BinaryIO", file)

    def path(self, sha: str) -> Path | None:
        """None: objects lie elsewhere."""
        self.size(sha)
        return None

    @contextmanager
    def local(self, sha: str) -> Iterator[Path]:
        """The object in a temporary file that goes when the block ends."""
        with tempfile.TemporaryDirectory(prefix="observer-") as folder:
            place = Path(folder) / sha
            with place.open("wb") as file:
                for block in self.stream(sha):
                    file.write(block)
            yield place

    def size(self, sha: str) -> int:
        """See Storage."""
        return int(self._head(sha)["size"])

    def exists(self, sha: str) -> bool:
        """See Storage."""
        with suppress(MissingContent):
            return self.size(sha) >= 0
        return False

    def delete(self, sha: str) -> None:
        """See Storage."""
        key = self._key(sha)
        with suppress(MissingContent), self._answering(sha):
            self._calls.delete(self._store, key)

    def free_bytes(self) -> None:
        """None: object stores do not tell."""

    def stream(self, sha: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """See Storage.

        A request for each piece: one for the whole would be cut off where a player has stopped
        reading, or where the store is slower than its client's 30 seconds.
        """
        size, key = self.size(sha), self._key(sha)
        stop = min(size, size if end is None else end)
        for first in range(start, stop, PIECE):
            with self._answering(sha):
                piece = memoryview(
                    self._calls.get_range(
                        self._store, key, start=first, end=min(first + PIECE, stop)
                    )
                )
            for block in range(0, len(piece), BLOCK):
                yield bytes(piece[block : block + BLOCK])

    def stored(self) -> Iterator[tuple[str, datetime]]:
        """See Storage."""
        with self._answering():
            for objects in self._calls.list(self._store):
                for item in objects:
                    name = str(item["path"]).rsplit("/", 1)[-1]
                    if _ADDRESS.fullmatch(name):
                        yield name, item["last_modified"]

    def _head(self, sha: str) -> "ObjectMeta":
        with self._answering(sha):
            return self._calls.head(self._store, self._key(sha))

    def _is_young(self, sha: str) -> bool:
        with suppress(MissingContent):
            return datetime.now(UTC) - self._head(sha)["last_modified"] < YOUNG
        return False

    @contextmanager
    def _answering(self, sha: str = "") -> Iterator[None]:
        """The store's errors in our words; `sha`: of the file that may be missing."""
        from obstore.exceptions import BaseError

        try:
            yield
        except (BaseError, FileNotFoundError) as error:
            if sha and isinstance(error, FileNotFoundError):
                raise _missing(sha) from error
            _log.error("storage is away: %s", str(error).split("\n")[0][:500])  # has addresses
            raise StorageAway(
                en="Storage does not answer as it should. Try again later; the administrator"
                " finds the reason in the log.",
                zh="存储服务没有正常响应，请稍后再试；管理员可在日志中查看原因。",
            ) from error

    def _key(self, sha: str) -> str:
        _check(sha)
        return f"{sha[:2]}/{sha[2:4]}/{sha}"


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


def _check(sha: str) -> None:
    if not _ADDRESS.fullmatch(sha):
        raise MissingContent(
            en="That is not the address of a stored file.", zh="这不是已存文件的地址。"
        )


def _missing(sha: str) -> MissingContent:
    return MissingContent(
        en=f"The stored file {sha[:12]}… is not there: it was removed, or the storage address "
        "(OBSERVER_STORAGE) is another than when it was uploaded.",
        zh=f"找不到已存文件 {sha[:12]}…：它已被删除，或存储地址（OBSERVER_STORAGE）与上传时不同。",
    )
