"""One file with everything that a service keeps, made while it runs; and a service made of it.

The databases are copied first, each at one moment, then the stored files that their rows refer to:
those are named by their content and never change, so they are consistent with the copy however
late they are read. What was deleted in between is not in the backup, and that is told.

The engine comes first: a run that it does not know yet is queued again by the sweep of
`api.workers`, whereas one that only it knew would have no lesson.
"""

import io
import json
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from alembic.script import ScriptDirectory
from alembic.util import CommandError

from api.backup_file import ENGINE, FORMAT, MANIFEST, SERVICE, broken, checked, members, put
from api.columns import now
from api.snapshots import Snapshot, copy_engine, count_rows, is_empty, kind, load, snapshot
from api.storage import BLOCK, MissingContent
from api.stored_files import files_in_use
from observer.errors import UsageError
from observer.files import replacing, sha256_of

if TYPE_CHECKING:
    from api.deps import Site


@dataclass(frozen=True, slots=True)
class BackedUp:
    """What a backup holds."""

    lessons: int
    files: int
    size: int
    """Bytes of the whole."""
    gone: tuple[str, ...] = ()
    """Files whose lessons were deleted while it was made: as it must be."""
    lost: tuple[str, ...] = ()
    """Files that rows refer to and storage does not have, or has with another content."""


def backup(site: "Site", target: Path) -> BackedUp:
    """Write everything into `target`, whole or not at all; what was there is replaced.

    Needs room for the databases twice. Raises ObserverError.
    """
    site.database.ready()
    with replacing(target) as temporary, _workplace(target.parent) as place:
        temporary.chmod(0o600)
        engine = _separate_engine(site)
        if engine is not None:
            copy_engine(engine, place / ENGINE)
        copy = snapshot(site.database, place / SERVICE)
        sums: dict[str, str] = {}
        with tarfile.open(temporary, "w", format=tarfile.PAX_FORMAT) as archive:
            if engine is not None:
                sums[ENGINE] = _add(archive, ENGINE, place / ENGINE)
            sums[SERVICE] = _add(archive, SERVICE, copy.file)
            absent = [sha for sha in sorted(copy.uses) if not _keep(site, archive, sha, sums)]
            lost = _still_named(site, absent)
            _write_manifest(site, archive, copy, sums, absent)
        files = sum(name.startswith("files/") for name in sums)
        gone = tuple(sha for sha in absent if sha not in lost)
        size = temporary.stat().st_size
        return BackedUp(copy.rows["lesson"], files, size, gone, tuple(sorted(lost)))


def restore(site: "Site", source: Path) -> BackedUp:
    """Make the empty `site` what the backup says, and bring its tables up to date.

    The whole file is checked before anything is written. Raises UsageError when the target is not
    empty or is of another kind, BrokenBackup when the file is not whole.
    """
    try:
        with source.open("rb") as stream:
            manifest = checked(stream)
            _fits(site, manifest)
            with _workplace(site.settings.data) as place:
                _unpack(site, stream, manifest, place)
    except (tarfile.TarError, FileNotFoundError, IsADirectoryError) as error:
        raise broken("it cannot be read as one", "无法读取") from error
    site.database.migrate()
    site.jobs.prepare()
    sums, rows = manifest["sha256"], manifest["rows"]
    files = sum(name.startswith("files/") for name in sums)
    return BackedUp(rows["lesson"], files, source.stat().st_size, lost=tuple(manifest["absent"]))


# -- writing -----------------------------------------------------------------------------


def _separate_engine(site: "Site") -> str | None:
    """Address of the job engine's database where it is not the service's own."""
    engine = site.settings.job_database_url
    return None if engine == site.settings.database_url else engine


@contextmanager
def _workplace(folder: Path) -> Iterator[Path]:
    """A folder for copies that only this user may read, and that goes at the end."""
    with tempfile.TemporaryDirectory(prefix=".observer-backup-", dir=folder) as place:
        yield Path(place)


def _add(archive: tarfile.TarFile, name: str, file: Path) -> str:
    with file.open("rb") as stream:
        return put(archive, name, stream, file.stat().st_size)


def _keep(site: "Site", archive: tarfile.TarFile, sha: str, sums: dict[str, str]) -> bool:
    """Write one stored file; False where it is gone or is no longer what its name says."""
    name = f"files/{sha}"
    try:
        size = site.storage.size(sha)
        with site.storage.open(sha) as stream:
            sums[name] = put(archive, name, stream, size)
    except MissingContent:
        return False
    return sums[name] == sha


def _still_named(site: "Site", absent: list[str]) -> set[str]:
    """Of those that are absent, the ones that are not absent because they were deleted."""
    if not absent:
        return set()
    with site.database.system("whether files a backup missed were deleted") as session:
        return set(absent) & set(files_in_use(session))


def _write_manifest(
    site: "Site",
    archive: tarfile.TarFile,
    copy: Snapshot,
    sums: dict[str, str],
    absent: list[str],
) -> None:
    script = ScriptDirectory.from_config(site.database.alembic())
    manifest = {
        "format": FORMAT,
        "made": now().isoformat(),
        "database": kind(site.database.url),
        "engine": ENGINE in sums,
        "version": script.get_current_head(),
        "rows": copy.rows,
        "absent": absent,
        "sha256": sums,
    }
    data = json.dumps(manifest, sort_keys=True).encode()
    put(archive, MANIFEST, io.BytesIO(data), len(data))


# -- reading -----------------------------------------------------------------------------


def _fits(site: "Site", manifest: dict[str, Any]) -> None:
    """Raises UsageError unless the backup can become this site."""
    here = kind(site.database.url)
    if manifest["database"] != here or manifest["engine"] != bool(_separate_engine(site)):
        raise UsageError(
            en=f"The backup is of {manifest['database']}, the target is {here}: set"
            " OBSERVER_DATABASE_URL and OBSERVER_JOB_DATABASE_URL as they were.",
            zh=f"备份来自 {manifest['database']}，而目标是 {here}：请按原样设置"
            " OBSERVER_DATABASE_URL 与 OBSERVER_JOB_DATABASE_URL。",
        )
    script = ScriptDirectory.from_config(site.database.alembic())
    try:
        script.get_revision(manifest["version"])
    except CommandError as error:
        raise UsageError(
            en="The backup was made by a newer version of observer: install that one.",
            zh="该备份由更新版本的 observer 制作，请先安装该版本。",
        ) from error
    engine = _separate_engine(site)
    databases = [site.database.url, *([engine] if engine else [])]
    stored = next(iter(site.storage.stored()), None)
    if stored is not None or not all(is_empty(url) for url in databases):
        raise UsageError(
            en="The target is not empty. A backup is restored into a new OBSERVER_DATA folder, an"
            " empty database and empty storage; nothing was changed.",
            zh="目标不是空的。备份只能恢复到新的 OBSERVER_DATA 目录、空数据库和空存储中；"
            "未作任何更改。",
        )


def _unpack(site: "Site", stream: IO[bytes], manifest: dict[str, Any], place: Path) -> None:
    """Files first, the databases last: an interrupted restore shows no lesson without its files.

    After a failure storage is empty again, so that the next attempt is not refused.
    """
    whole = False
    try:
        for name, content in members(stream):
            if name != MANIFEST:
                _unpack_one(site, name, content, manifest, place)
        engine = _separate_engine(site)
        if engine is not None:
            load(engine, place / ENGINE)
        load(site.database.url, place / SERVICE)
        whole = True
    finally:
        if not whole:
            for name in manifest["sha256"]:
                if name.startswith("files/"):
                    site.storage.delete(name.removeprefix("files/"))
    if count_rows(site.database) != manifest["rows"]:
        raise broken("the database did not come back whole", "数据库未能完整恢复")


def _unpack_one(
    site: "Site", name: str, content: IO[bytes], manifest: dict[str, Any], place: Path
) -> None:
    """One member: a file into storage, a database into `place`."""
    file = place / name.rsplit("/", 1)[-1]
    with file.open("wb") as out:
        while block := content.read(BLOCK):
            out.write(block)
    if sha256_of(file) != manifest["sha256"][name]:
        raise broken("it changed while it was read", "读取期间文件发生了变化")
    if name.startswith("files/"):
        if file.name not in manifest["absent"]:
            site.storage.put(file, link=True, sha=file.name)
        file.unlink()
