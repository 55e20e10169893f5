"""Fetching a file when a person asks for it: resumed, verified, whole or not at all.

Nothing else in the program opens a connection. A download grows in ``NAME.part``; what a broken
one left is continued (HTTP Range, RFC 9110 §14). The file gets its name only when its checksum
is right, so a half or a forged file is never loaded.
"""

import hashlib
import os
import shutil
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from models.weights_store import PART
from observer.errors import EngineError, OutputError
from observer.files import sha256_of

OnBytes = Callable[[int, int | None], None]
"""Told how many bytes of a file are there and how many there will be (None: not said)."""

_BLOCK: Final = 1 << 20
_TIMEOUT: Final = 60.0
_ATTEMPTS: Final = 5
"""Connections in a row that may bring nothing before a download is given up for now."""


@dataclass(frozen=True, slots=True)
class Remote:
    """A file to fetch."""

    url: str
    path: PurePosixPath
    """Its name below the folder it goes to."""
    size: int | None = None
    sha256: str | None = None
    blob: str | None = None
    """git's object id, which a hub has for small files instead of a sha256."""


class _Broken(Exception):
    """The connection ended before the file did."""


def fetch(
    remote: Remote,
    folder: Path,
    on_bytes: OnBytes = lambda _done, _total: None,
    *,
    wait: float = 1.0,
) -> str:
    """Fetch one file to ``folder / remote.path``; returns its sha256.

    A file that is there and right is kept; one that is there and wrong stays until the right one
    takes its place. `wait` seconds pass before a broken connection is tried anew. Raises
    EngineError (network, checksum) and OutputError (disk); a later call goes on from the part.
    """
    target = folder / remote.path
    part = target.with_name(target.name + PART)
    try:
        if target.is_file() and (digest := _digest_if_right(target, remote)):
            on_bytes(target.stat().st_size, remote.size)
            return digest
        part.parent.mkdir(parents=True, exist_ok=True)
        _grow(part, remote, on_bytes, wait)
        digest = _digest_if_right(part, remote)
        if digest is None:
            part.unlink()
            raise _wrong_checksum(remote)
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(target)
    except OSError as cause:
        raise _not_written(part, cause) from cause
    return digest


def fetch_text(address: str) -> str:
    """A small document. Raises EngineError when it cannot be had."""
    try:
        with _open(address, 0) as response:
            return response.read().decode("utf-8")
    except HTTPError as cause:
        raise _refused(address, cause) from cause
    except (HTTPException, OSError) as cause:
        raise _unreachable(address, 0, cause) from cause


def _grow(part: Path, remote: Remote, on_bytes: OnBytes, wait: float) -> None:
    """Append to the part until nothing lacks, over as many connections as bring something."""
    failures = 0
    while True:
        have = _size(part)
        try:
            total = _append(part, remote, have, on_bytes)
        except HTTPError as cause:
            if cause.code < 500:
                raise _refused(remote.url, cause) from cause
            problem: Exception = cause
        except (
            _Broken, HTTPException, TimeoutError, ConnectionError, URLError, ssl.SSLError
        ) as cause:  # fmt: skip
            problem = cause
        else:
            if total is None or _size(part) >= total:
                return
            continue
        failures = 0 if _size(part) > have else failures + 1
        if failures >= _ATTEMPTS:
            raise _unreachable(remote.url, _size(part), problem) from problem
        time.sleep(wait)


def _append(part: Path, remote: Remote, have: int, on_bytes: OnBytes) -> int | None:
    """One connection's worth; returns the size of the whole file, None when it is not told."""
    try:
        response = _open(remote.url, have)
    except HTTPError as error:
        if error.code != 416:
            raise
        if error.headers.get("Content-Range", "").rpartition("/")[2] == str(have):
            return have  # nothing lies beyond what is there: it is whole
        part.unlink()
        raise _Broken("the part was longer than the file") from error
    with response:
        resumed = response.status == 206
        start = have if resumed else 0
        length = response.headers.get("Content-Length")
        total = start + int(length) if length is not None else remote.size
        _check_room(part, 0 if total is None else total - start)
        with part.open("ab" if resumed else "wb") as file:
            while block := response.read(_BLOCK):
                file.write(block)
                start += len(block)
                on_bytes(start, total)
    if total is not None and start < total:
        raise _Broken(f"{start} of {total} bytes")
    return total


def _open(address: str, have: int) -> HTTPResponse:
    headers = {"User-Agent": "observer", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    response: HTTPResponse = urlopen(Request(address, headers=headers), timeout=_TIMEOUT)
    return response


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _digest_if_right(path: Path, remote: Remote) -> str | None:
    """The sha256 of a file that is what was announced; None for any other."""
    digest = sha256_of(path)
    if remote.sha256 is not None:
        return digest if digest == remote.sha256 else None
    if remote.blob is not None:
        return digest if _git_blob(path) == remote.blob else None
    return digest if remote.size in (None, path.stat().st_size) else None


def _git_blob(path: Path) -> str:
    """git's object id of a small file: the sha1 of ``blob SIZE NUL CONTENT``."""
    content = path.read_bytes()
    head = f"blob {len(content)}\0".encode()
    return hashlib.sha1(head + content, usedforsecurity=False).hexdigest()


def _check_room(part: Path, needed: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if needed > free:
        need_mb, free_mb = needed / 1e6, free / 1e6
        raise OutputError(
            en=f"The download needs {need_mb:.0f} MB more and the disk has {free_mb:.0f} MB left. "
            "Free some space or choose another folder, and run the same command again.",
            zh=f"下载还需 {need_mb:.0f} MB，磁盘只剩 {free_mb:.0f} MB。"
            "请清理空间或换一个文件夹，再运行同一命令。",
        )


def _not_written(part: Path, cause: OSError) -> OutputError:
    why = cause.strerror or type(cause).__name__
    return OutputError(
        en=f"Could not write {part.name}: {why}. What has come so far is kept; free some space "
        "or check the permissions of the folder, and run the same command again to go on.",
        zh=f"无法写入 {part.name}：{why}。已下载的部分已保留；请清理空间或检查文件夹权限，"
        "再运行同一命令即可继续。",
    )


def _wrong_checksum(remote: Remote) -> EngineError:
    return EngineError(
        en=f"{remote.path} arrived with a wrong checksum and was thrown away: it was damaged on "
        "the way, or is not what its publisher made. Run the same command again; if it happens "
        "twice, do not use that network or mirror.",
        zh=f"{remote.path} 的校验和不符，已丢弃：文件在传输中损坏，或并非发布者的原件。"
        "请再运行一次；若再次发生，请更换网络或镜像。",
    )


def _refused(address: str, cause: HTTPError) -> EngineError:
    return EngineError(
        en=f"The server refused {address}: {cause.code} {cause.reason}. The file may have moved.",
        zh=f"服务器拒绝了 {address}：{cause.code} {cause.reason}。文件可能已移走。",
    )


def _unreachable(address: str, have: int, cause: Exception) -> EngineError:
    en_kept = f" {have / 1e6:.1f} MB are kept: the same command goes on from there." if have else ""
    zh_kept = f"已保留 {have / 1e6:.1f} MB，再运行同一命令即可继续。" if have else ""
    return EngineError(
        en=f"The download of {address} broke off ({cause}).{en_kept} Without a network, carry the "
        "folder of weights ($OBSERVER_MODELS) over from a machine that has one.",
        zh=f"{address} 的下载中断（{cause}）。{zh_kept}"
        "若无网络，可从其他机器拷贝权重文件夹（$OBSERVER_MODELS）。",
    )
