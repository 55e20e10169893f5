"""The file of a backup: its members are written once, and read with suspicion.

An uncompressed tar (recordings are compressed already):

    jobs.copy      the job engine's database, unless it is in the service's
    service.copy   the service's database: an SQLite file, or pg_dump's custom format
    files/SHA256   every stored file
    manifest.json  last, with the sha256 of each member: a torn backup has none
"""

import hashlib
import json
import re
import tarfile
from collections.abc import Iterator
from typing import IO, Any

from api.columns import now
from observer.errors import ObserverError, UsageError

FORMAT = 1
MANIFEST = "manifest.json"
SERVICE, ENGINE = "service.copy", "jobs.copy"
_FILE = re.compile(r"files/([0-9a-f]{64})")
_MOST = 1 << 30
"""Bytes of a manifest that are read; ten million files need less."""


class BrokenBackup(ObserverError):
    """A file that is no backup, is not whole, or was changed."""

    exit_code = 3


def put(archive: tarfile.TarFile, name: str, stream: IO[bytes], size: int) -> str:
    """Write one member; the sha256 of what was written."""
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, 0o600, int(now().timestamp())
    hashed = _Hashed(stream)
    archive.addfile(member, hashed)
    archive.members = []  # type: ignore[attr-defined]  # else it remembers each member
    return hashed.digest.hexdigest()


class _Hashed:
    """A stream that hashes what is read from it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream = stream
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        block = self.stream.read(size)
        self.digest.update(block)
        return block


def members(stream: IO[bytes]) -> Iterator[tuple[str, IO[bytes]]]:
    """Each member's name and content; whatever `backup` would not have written is refused.

    Nothing is ever extracted by its name: names are compared, and places are our own.
    """
    stream.seek(0)
    with tarfile.open(fileobj=stream, mode="r:") as archive:
        while (member := archive.next()) is not None:
            archive.members = []  # type: ignore[attr-defined]
            ours = member.name in {SERVICE, ENGINE, MANIFEST} or _FILE.fullmatch(member.name)
            content = archive.extractfile(member) if member.isreg() and ours else None
            if content is None:
                raise broken(
                    f"it holds {member.name[:80]!r}, which no backup does",
                    f"其中的 {member.name[:80]!r} 不属于任何备份",
                )
            yield member.name, content


def checked(stream: IO[bytes]) -> dict[str, Any]:
    """The manifest of a backup whose members are all there and are what it says."""
    found: dict[str, str] = {}
    manifest: dict[str, Any] | None = None
    for name, content in members(stream):
        if manifest is not None or name in found:
            raise broken("it holds something twice, or after its end", "内容重复或超出结尾")
        if name == MANIFEST:
            manifest = _read_manifest(content)
        else:
            found[name] = hashlib.file_digest(content, "sha256").hexdigest()  # type: ignore[arg-type]
    if manifest is None:
        raise broken("its end is missing: it was cut off", "缺少结尾，文件不完整")
    if found != manifest["sha256"]:
        wrong = sorted(found.items() ^ manifest["sha256"].items())[0][0]
        raise broken(f"{wrong} is not what was backed up", f"{wrong} 与备份时不一致")
    return manifest


def _read_manifest(content: IO[bytes]) -> dict[str, Any]:
    try:
        found = json.loads(content.read(_MOST))
        if found["format"] != FORMAT:
            raise UsageError(
                en=f"The backup has format {found['format']!r}; this program reads {FORMAT}."
                " Restore it with the version of observer that made it, then upgrade.",
                zh=f"备份格式为 {found['format']!r}，本程序只能读取 {FORMAT}。"
                "请用制作该备份的 observer 版本恢复，然后升级。",
            )
        wanted = {"version": str, "database": str, "engine": bool, "rows": dict, "sha256": dict}
        right = all(isinstance(found[name], kind_of) for name, kind_of in wanted.items())
        right = right and isinstance(found["absent"], list) and "lesson" in found["rows"]
    except (ValueError, KeyError, TypeError) as error:
        raise broken("its manifest cannot be read", "清单无法读取") from error
    if not right:
        raise broken("its manifest cannot be read", "清单无法读取")
    return dict(found)


def broken(en: str, zh: str) -> BrokenBackup:
    """What is wrong with the file, in both languages."""
    return BrokenBackup(
        en=f"This is not a whole backup: {en}. Use another copy.",
        zh=f"备份文件不完整：{zh}。请使用另一份备份。",
    )
