"""Bytes of one tus request on their way into a file: locked, cut to what is safe, made safe.

`Turns` lets one request at a time have an upload's file, in any process; a request that still
hangs on a dead connection is told to stop by the next one. `drain` streams a body in constant
memory; the file is written in threads, so that other requests never wait for a disk.
"""

import asyncio
import base64
import binascii
import errno
import fcntl
import hashlib
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from api.problems import LimitError, ServiceError, not_found
from api.storage import BLOCK

SAVED_EVERY = 16 * BLOCK
"""Bytes after which the safe number is written down: what a crash can cost."""
STALLED_SECONDS = 60.0
"""A sender silent for so long is gone."""
LOCK_SECONDS = 5.0
"""How long a request waits for the one before it to let go of the file."""
CHECKSUMS = ("sha1", "sha256")
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class TransferError(ServiceError):
    """A request that breaks the protocol; `status` says how (409, 410, 412, 415, 423, 460)."""

    slug = "transfer"

    def __init__(self, status: int, *, en: str, zh: str) -> None:
        super().__init__(en=en, zh=zh)
        self.status = status

    def __reduce__(self) -> tuple[object, ...]:
        return (_transfer_again, (self.status, self.en, self.zh))


def _transfer_again(status: int, en: str, zh: str) -> TransferError:
    return TransferError(status, en=en, zh=zh)


def no_room() -> LimitError:
    return LimitError(
        en="There is not enough room left on the server for this file. Tell your administrator; "
        "what has arrived is kept for some days, and the upload can go on.",
        zh="服务器存储空间不足，无法接收此文件。请联系管理员；已上传的部分会保留数天，之后可继续上传。",
        status=507,
        retry_after=600,
    )


class Turns:
    """Whose turn it is at each file of a folder; one object a process, one event loop."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._holders: dict[str, asyncio.Event] = {}

    def part(self, upload_id: str) -> Path:
        """The file of an upload. Raises NotFoundError for what is no identifier."""
        if len(upload_id) != 32 or set(upload_id) - set("0123456789abcdef"):
            raise not_found()
        return self._folder / f"{upload_id}.part"

    @asynccontextmanager
    async def turn(self, upload_id: str) -> AsyncIterator[tuple[int, asyncio.Event]]:
        """(open file, told to stop) while nobody else has the upload.

        Raises NotFoundError (no such file) and TransferError (423: the other goes on).
        """
        handle = await run_in_threadpool(self._opened, upload_id)
        stop = asyncio.Event()
        try:
            await self._lock(upload_id, handle)
            self._holders[upload_id] = stop
            yield handle, stop
        finally:
            if self._holders.get(upload_id) is stop:
                del self._holders[upload_id]
            os.close(handle)

    def _opened(self, upload_id: str) -> int:
        try:
            return os.open(self.part(upload_id), os.O_RDWR)
        except FileNotFoundError as error:
            raise not_found() from error

    async def _lock(self, upload_id: str, handle: int) -> None:
        for _ in range(round(LOCK_SECONDS / 0.05)):
            if (holder := self._holders.get(upload_id)) is not None:
                holder.set()
            with suppress(BlockingIOError):
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(handle).st_nlink == 0:
                    raise not_found()
                return
            await asyncio.sleep(0.05)
        raise TransferError(
            423,
            en="Another request is busy with this upload. Try again in a few seconds.",
            zh="另一个请求正在处理此上传。请几秒后重试。",
        )


class Part:
    """The bytes of one request on their way to the file; its methods run in threads."""

    def __init__(
        self,
        handle: int,
        safe: int,
        size: int,
        save: Callable[[int], object],
        checksum: str = "",
    ) -> None:
        """`safe` of `size` bytes are there; `save` writes down that more are.

        `checksum` is tus's Upload-Checksum; without it the bytes that came count even when the
        body breaks off. Raises TransferError (400) for one that cannot be understood.
        """
        self.safe = safe
        self._handle = handle
        self._size = size
        self._save = save
        self._digest, self._wanted = _digest_of(checksum)
        self._at = safe

    def write(self, block: bytes) -> None:
        """Append; every 16 MiB are made safe unless the whole body has a checksum."""
        if self._at + len(block) > self._size:
            raise LimitError(
                en=f"More bytes came than the {self._size} that were announced.",
                zh=f"收到的数据多于声明的 {self._size} 字节。",
            )
        if self._digest is not None:
            self._digest.update(block)
        left = memoryview(block)
        try:
            while left:
                written = os.pwrite(self._handle, left, self._at)
                self._at += written
                left = left[written:]
        except OSError as error:
            if error.errno in _NO_ROOM:
                raise no_room() from error
            raise
        if self._digest is None and self._at - self.safe >= SAVED_EVERY:
            self._make_safe()

    def end(self) -> None:
        """The body is over, or broke off. Raises TransferError (460) on another checksum."""
        if self._digest is not None and self._digest.digest() != self._wanted:
            raise TransferError(
                460,
                en="The block was damaged on its way (checksum). Send it again.",
                zh="数据块在传输中损坏（校验和不符）。请重新发送。",
            )
        if self._at > self.safe:
            self._make_safe()

    def undo(self) -> None:
        """Cut off what was not saved."""
        os.ftruncate(self._handle, self.safe)

    def _make_safe(self) -> None:
        os.fsync(self._handle)
        self._save(self._at)
        self.safe = self._at


async def drain(body: AsyncIterator[bytes], part: Part, stop: asyncio.Event) -> None:
    """Hand the body on in blocks of a mebibyte until it ends, breaks off or is told to stop."""
    stopped = asyncio.ensure_future(stop.wait())
    buffer = bytearray()
    try:
        while True:
            coming = asyncio.ensure_future(_next(body))
            await asyncio.wait(
                {coming, stopped}, timeout=STALLED_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            if not coming.done():
                coming.cancel()
                break
            chunk = coming.result()
            if chunk is None:
                break
            buffer += chunk
            if len(buffer) >= BLOCK:
                await run_in_threadpool(part.write, bytes(buffer))
                buffer.clear()
        if buffer:
            await run_in_threadpool(part.write, bytes(buffer))
    finally:
        stopped.cancel()


async def _next(body: AsyncIterator[bytes]) -> bytes | None:
    """The next bytes; None: that was all, or the sender went away."""
    try:
        return await anext(body)
    except (StopAsyncIteration, ClientDisconnect):
        return None


def _digest_of(checksum: str) -> "tuple[hashlib._Hash | None, bytes]":
    """(digest, its wanted value) of an Upload-Checksum header. Raises TransferError (400)."""
    if not checksum:
        return None, b""
    name, _, value = checksum.partition(" ")
    try:
        wanted = base64.b64decode(value, validate=True)
    except binascii.Error:
        wanted = b""
    if name not in CHECKSUMS or not wanted:
        raise TransferError(
            400,
            en=f"Upload-Checksum: give one of {', '.join(CHECKSUMS)} and the value in Base64.",
            zh=f"Upload-Checksum：请使用 {'、'.join(CHECKSUMS)} 之一和 Base64 编码的值。",
        )
    return hashlib.new(name, usedforsecurity=False), wanted
