"""Files: hashing them, and writing them whole or not at all."""

import errno
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from observer.errors import OutputError

_BLOCK = 1 << 20
_NO_ROOM = {
    errno.ENOSPC: ("the disk is full", "磁盘已满"),
    errno.EDQUOT: ("your disk quota is used up", "磁盘配额已用完"),
    errno.EFBIG: ("the file may not grow larger here", "文件大小超出此处的限制"),
}
_NO_ENTRY = {
    errno.EACCES: ("there is no permission to write there", "没有写入权限"),
    errno.EPERM: ("there is no permission to write there", "没有写入权限"),
    errno.EROFS: ("that disk is read-only", "该磁盘为只读"),
    errno.ENOENT: ("the folder does not exist", "文件夹不存在"),
    errno.ENOTDIR: ("the folder does not exist", "文件夹不存在"),
    errno.EISDIR: ("a folder of that name is in the way", "已有同名文件夹"),
    errno.ENAMETOOLONG: ("the name is too long", "文件名过长"),
}
_AT_ANY_TIME = {**_NO_ROOM, errno.EROFS: _NO_ENTRY[errno.EROFS]}
_AT_THE_START = {**_NO_ROOM, **_NO_ENTRY}


def sha256_of(path: Path) -> str:
    """sha256 of a file's bytes in hexadecimal, streamed. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def write_atomically(path: Path, data: bytes | str) -> None:
    """Write a file whole or not at all; text is written as UTF-8, line ends as they are.

    Raises OutputError when there is no room or no permission; `path` is then as it was before.
    """
    content = data.encode() if isinstance(data, str) else data
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(content)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file beside `path` that takes its place when the block ends well.

    The data reach the disk before the name changes, so that a crash leaves the old file or the
    new one. When the block raises, the temporary file is removed and `path` is untouched.
    Raises OutputError when the disk is full, read-only, or may not be written to.
    """
    temporary = path.with_name(f".{path.name[:40]}.{secrets.token_hex(4)}.tmp")
    with _told(path, _AT_THE_START):
        # Made at once, so that a forbidden folder is found before an hour's work; its mode
        # follows the umask as that of any new file, which mkstemp's would not.
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        with _told(path, _AT_ANY_TIME):
            yield temporary
            _flush_to_disk(temporary)
        with _told(path, _AT_THE_START):
            temporary.replace(path)
            _flush_to_disk(path.parent)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def _flush_to_disk(path: Path) -> None:
    """fsync a file or, where the system allows it, a folder."""
    if os.name != "posix" and path.is_dir():
        return
    handle = os.open(path, os.O_RDONLY if os.name == "posix" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _told(path: Path, reasons: dict[int, tuple[str, str]]) -> Iterator[None]:
    """Tell the given operating-system errors as OutputError; others pass."""
    try:
        yield
    except OSError as error:
        if error.errno not in reasons:
            raise
        why_en, why_zh = reasons[error.errno]
        if error.errno in _NO_ROOM:
            do_en, do_zh = "Free some space or choose another folder", "请清理空间或换一个文件夹"
        else:
            do_en, do_zh = "Choose another folder", "请换一个文件夹"
        raise OutputError(
            en=f"Could not write {path}: {why_en}. {do_en}; nothing was left half-written.",
            zh=f"无法写入 {path}：{why_zh}。{do_zh}；没有留下不完整的文件。",
        ) from error
