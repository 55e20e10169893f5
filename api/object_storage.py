"""Storage in an S3-compatible object store, through obstore (extra `s3`)."""

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast
from urllib.parse import urlsplit

from api.storage import ADDRESS, BLOCK, MissingContent, StorageAway, check, missing
from observer.errors import UsageError
from observer.files import sha256_of

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import RetryConfig

_log = logging.getLogger("observer.storage")
PIECE = 4 << 20
"""Bytes of an object asked for at a time: a compromise of memory and of round trips."""
YOUNG = timedelta(hours=1)
"""An object older than this is put anew, so that it is young as a local file would be."""
PATIENCE: "RetryConfig" = {
    "backoff": {"init_backoff": timedelta(seconds=0.3), "max_backoff": timedelta(seconds=5)},
    "max_retries": 50,  # the time ends them
    "retry_timeout": timedelta(seconds=30),
}
"""How long an object store may be away before a request is told so; the store's own is minutes."""


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
                    if ADDRESS.fullmatch(name):
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
                raise missing(sha) from error
            _log.error("storage is away: %s", str(error).split("\n")[0][:500])  # has addresses
            raise StorageAway(
                en="Storage does not answer as it should. Try again later; the administrator"
                " finds the reason in the log.",
                zh="存储服务没有正常响应，请稍后再试；管理员可在日志中查看原因。",
            ) from error

    def _key(self, sha: str) -> str:
        check(sha)
        return f"{sha[:2]}/{sha[2:4]}/{sha}"
