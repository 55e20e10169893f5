"""`observer backup` and `observer restore`."""

from pathlib import Path
from typing import Annotated

import typer

from api.messages import language_asked, told_in
from api.settings import service_settings
from observer.errors import Language

BackupFile = Annotated[Path, typer.Argument(metavar="FILE", help="The backup. 备份文件。")]


def backup(file: BackupFile) -> None:
    """Write everything that the service keeps into one file, while it runs. 备份整个服务。

    It holds recordings of lessons: keep it as safe as the service itself, and delete it in time.
    """
    language = language_asked()
    with told_in(language):
        from api.app import opened_site
        from api.backup import backup as write

        with opened_site(service_settings()) as site:
            done = write(site, file)
        typer.echo(_DONE[language].format(done=done, size=done.size / 1e6))
        if done.gone:
            typer.echo(_GONE[language].format(n=len(done.gone)), err=True)
        if done.lost:
            names = " ".join(done.lost[:5])
            typer.echo(_LOST[language].format(n=len(done.lost), names=names), err=True)
            raise typer.Exit(1)


def restore(file: BackupFile) -> None:
    """Make a new service out of a backup. 由备份恢复服务。

    OBSERVER_DATA, OBSERVER_DATABASE_URL and OBSERVER_STORAGE name where it goes, which must be
    empty. Then start `observer serve`.
    """
    language = language_asked()
    with told_in(language):
        from api.app import opened_site
        from api.backup import restore as read

        with opened_site(service_settings()) as site:
            done = read(site, file)
        typer.echo(_DONE[language].format(done=done, size=done.size / 1e6))
        if done.lost:
            names = " ".join(done.lost[:5])
            typer.echo(_ABSENT[language].format(n=len(done.lost), names=names), err=True)


_DONE: dict[Language, str] = {
    "en": "{done.lessons} lessons, {done.files} files, {size:.1f} MB.",
    "zh": "{done.lessons} 节课，{done.files} 个文件，{size:.1f} MB。",
}
_GONE: dict[Language, str] = {
    "en": "{n} files were deleted with their lessons while the backup was made.",
    "zh": "备份期间有 {n} 个文件随其课被删除。",
}
_LOST: dict[Language, str] = {
    "en": "{n} files are missing or damaged in storage, the backup is without them: {names}",
    "zh": "存储中缺失或损坏 {n} 个文件，备份不含这些文件：{names}",
}
_ABSENT: dict[Language, str] = {
    "en": "{n} files were not in storage when the backup was made: {names}",
    "zh": "备份时存储中已缺少 {n} 个文件：{names}",
}
