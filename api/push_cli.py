"""`observer push`: a folder of recordings goes to a server, and goes on where it stopped."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from api.messages import language_asked, told_in
from api.push_client import PushError, Sent, Server, Started, StoppedError, push_row
from observer.errors import Language, ObserverError, UsageError

if TYPE_CHECKING:
    from api.manifest import ManifestRow


def push(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Folder of recordings. 录像所在文件夹。")
    ],
    manifest: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            help="CSV with a row a lesson, see above. 课例清单（CSV），列名见上。",
        ),
    ],
    server: Annotated[str, typer.Option(metavar="URL", help="Address of the server. 服务器地址。")],
    token: Annotated[
        str,
        typer.Option(
            envvar="OBSERVER_TOKEN",
            help="Token with the scope “write”, from your account page; better given as "
            "OBSERVER_TOKEN, which other users of the machine cannot read. 访问令牌。",
        ),
    ],
    parallel: Annotated[
        int, typer.Option(min=1, max=16, help="Lessons sent at a time. 同时上传数。")
    ] = 3,
    consent: Annotated[
        str, typer.Option(help="Whose consent covers rows that do not say. 默认的知情同意范围。")
    ] = "",
    language: Annotated[
        str | None, typer.Option("--report-language", metavar="zh|en", help="Of messages. 语言。")
    ] = None,
) -> None:
    """Send a folder of recordings to a server. 将一个文件夹的录像上传到服务器。

    It may be stopped and run again at any time: what has arrived is not sent again.

    The manifest has a line of column names, English or Chinese, and a row a lesson; columns may be
    left out and stand in any order: file (文件), transcript (转写) and voice (教师声音) name files
    in FOLDER; title (标题), subject (学科), grade (年级), topic (课题), lesson_type (课型: 常态课,
    公开课, 研究课), held_on (日期), round (轮次), teacher (教师: the login), school (学校),
    language (语言: zh, en, auto); consent (知情同意: whose consent covers the recording; without
    it nothing is taken), consent_reference (同意书编号), consent_until (同意有效期); students
    (学生名单: names with 、 between, only to mask them). Excel's CSV in UTF-8 or GB18030.
    """
    spoken = language_asked(language)
    with told_in(spoken):
        if not folder.is_dir():
            raise UsageError(en=f"There is no folder {folder}.", zh=f"找不到文件夹 {folder}。")
        there = Server(server, token, language=spoken)
        code = _push_all(folder, manifest, there, parallel, consent, spoken)
    raise typer.Exit(code)


def _push_all(
    folder: Path,
    manifest: Path,
    server: Server,
    parallel: int,
    consent: str,
    spoken: Language,
) -> int:
    from api.lesson_data import LessonData
    from api.manifest import read_manifest

    standard = LessonData(title="-", consent=consent) if consent else None
    rows = read_manifest(manifest, folder, standard=standard)
    report = _Report(Console(stderr=True), spoken, rows)
    started = server.unfinished()
    with report.shown(), ThreadPoolExecutor(parallel) as threads:
        try:
            for future in [threads.submit(report.work, row, server, started) for row in rows]:
                future.result()
        except KeyboardInterrupt:
            report.stop()
            raise
    return report.end()


class _Report:
    """What the command shows: a bar over all bytes, a line a lesson, a summary."""

    def __init__(self, screen: Console, spoken: Language, rows: "list[ManifestRow]") -> None:
        self._screen = screen
        self._spoken = spoken
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=screen,
            transient=True,
            disable=not screen.is_terminal,
        )
        total = sum(file.stat().st_size for row in rows for _, file in row.files)
        self._task = self._bar.add_task({"zh": "上传", "en": "sending"}[spoken], total=total)
        self._lock = threading.Lock()
        self._sent: list[Sent] = []
        self._failed: list[ObserverError] = []
        self._stopped = threading.Event()
        self._rows = rows

    def shown(self) -> Any:
        """The block during which the bar is on the screen."""
        return self._bar

    def work(self, row: "ManifestRow", server: Server, started: Started) -> None:
        """Send a row and say what became of it; a refused token stops the rest."""
        if self._stopped.is_set():
            return
        try:
            sent = push_row(server, row, started, self._advance)
        except ObserverError as error:
            self._say("red", "✗", row, error.text(self._spoken))
            if isinstance(error, StoppedError):
                self._stopped.set()
            with self._lock:
                self._failed.append(error)
            return
        except OSError as error:
            self._say("red", "✗", row, str(error.strerror))
            with self._lock:
                self._failed.append(PushError(en=str(error.strerror), zh=str(error.strerror)))
            return
        words = {"zh": ("已存在", "已上传"), "en": ("was there already", "sent")}[self._spoken]
        self._say("green", "✓", row, words[0 if sent.known else 1])
        with self._lock:
            self._sent.append(sent)

    def stop(self) -> None:
        """End what is being sent after the block under way, and begin nothing new."""
        self._stopped.set()

    def _advance(self, count: int) -> None:
        if self._stopped.is_set():
            raise StoppedError(en="Stopped.", zh="已停止。")
        self._bar.advance(self._task, count)

    def _say(self, colour: str, mark: str, row: "ManifestRow", words: str) -> None:
        title = escape(row.data.title)
        self._screen.print(f"[{colour}]{mark}[/{colour}] {title}: {escape(words)}", soft_wrap=True)

    def end(self) -> int:
        """Say how many; the exit code."""
        known = sum(sent.known for sent in self._sent)
        new, failed = len(self._sent) - known, len(self._failed)
        left = len(self._rows) - new - known - failed
        rest = {"en": f", {left} not tried", "zh": f"，{left} 节未处理"}[self._spoken]
        self._screen.print(
            {
                "en": f"{len(self._rows)} lessons: {new} sent, {known} were there already, "
                f"{failed} failed{rest if left else ''}.",
                "zh": f"共 {len(self._rows)} 节课：新上传 {new} 节，已存在 {known} 节，"
                f"失败 {failed} 节{rest if left else ''}。",
            }[self._spoken]
        )
        return self._failed[0].exit_code if self._failed else 0
