"""`observer models list | pull | check`: the folder of weights on the command line."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table

from api.messages import language_asked, told_in
from api.settings import environment
from models.weights_store import Checked, State, Weights, catalogue, check, held, named, others
from observer.errors import EngineError, Language, UsageError

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="The weights of recognisers: what is here, fetch, verify. 识别权重：查看、下载、校验。",
)

FolderOption = Annotated[
    Path | None,
    typer.Option(
        "--folder",
        metavar="DIR",
        help="The folder of weights; default: $OBSERVER_MODELS. 权重文件夹。",
    ),
]
STATES: dict[Language, dict[State, str]] = {
    "en": {
        State.WHOLE: "whole",
        State.DAMAGED: "DAMAGED: its checksum is wrong; pull it again",
        State.GONE: "GONE: recorded, but not in the folder",
        State.UNKNOWN: "no checksum known (--record writes one down)",
        State.UNFINISHED: "unfinished: the same pull goes on from here",
    },
    "zh": {
        State.WHOLE: "完好",
        State.DAMAGED: "已损坏：校验和不符，请重新下载",
        State.GONE: "缺失：有记录，但文件夹中没有",
        State.UNKNOWN: "没有已知校验和（--record 可记下）",
        State.UNFINISHED: "未下完：重新运行 pull 即可继续",
    },
}
HEADINGS: dict[Language, tuple[str, ...]] = {
    "en": ("", "engine", "name", "MB", "licence", "for"),
    "zh": ("", "引擎", "名称", "MB", "许可", "用途"),
}


@app.command("list")
def list_command(folder: FolderOption = None) -> None:
    """What is in the folder (✓) and what could be pulled. 列出已有（✓）与可下载的权重。"""
    language = language_asked()
    there = folder or environment().weights
    have = held(there) if there else []
    table = Table(box=None, pad_edge=False)
    for number, heading in enumerate(HEADINGS[language]):
        table.add_column(heading, justify="right" if number == 3 else "left")
    for weights in catalogue():
        table.add_row(*_row(weights, weights in have, language))
    screen = _screen()
    screen.print(table)
    for path in others(there) if there else ():
        screen.print(f"✓  {path}", markup=False)
    if there is None:
        screen.print(_no_folder().text(language), soft_wrap=True, markup=False)


@app.command("pull")
def pull_command(
    names: Annotated[
        list[str],
        typer.Argument(metavar="NAME", help="Names from `observer models list`. 权重名称。"),
    ],
    folder: FolderOption = None,
) -> None:
    """Fetch weights; resumes, verifies, never leaves half. 下载权重：可续传、校验、不留残缺文件。

    The folder can then be carried to a machine without a network.
    """
    from models.weights_pull import pull

    with told_in(language_asked()):
        there = _folder(folder)
        for weights in [named(name) for name in names]:
            with _progress(weights.pull_name) as on_bytes:
                place = pull(weights, there, on_bytes)
            _screen().print(f"✓ {weights.pull_name} → {place}", soft_wrap=True, markup=False)


@app.command("check")
def check_command(
    folder: FolderOption = None,
    record: Annotated[
        bool,
        typer.Option(
            "--record", help="Write down checksums of weights that have none. 记录缺少的校验和。"
        ),
    ] = False,
) -> None:
    """Compare every file with its checksum; exit code 5 for a bad one. 校验文件夹内所有权重。"""
    language, screen = language_asked(), _screen()

    def show(one: Checked) -> None:
        line = f"{STATES[language][one.state]}: {one.path} ({one.megabytes:.0f} MB)"
        screen.print(line, soft_wrap=True, markup=False)

    with told_in(language):
        found = check(_folder(folder), record=record, on_file=show)
        bad = sum(one.state in (State.DAMAGED, State.GONE) for one in found)
        if bad:
            raise EngineError(
                en=f"{bad} of {len(found)} files are damaged or gone.",
                zh=f"{len(found)} 个文件中有 {bad} 个损坏或缺失。",
            )
        if not found:
            screen.print({"en": "No weights in the folder.", "zh": "文件夹中没有权重。"}[language])


def _row(weights: Weights, here: bool, language: Language) -> tuple[str, ...]:
    return (
        "✓" if here else "",
        weights.engine,
        weights.pull_name,
        f"{weights.megabytes}",
        weights.licence,
        weights.purpose(language),
    )


def _screen() -> Console:
    return Console(width=None if Console().is_terminal else 160)


def _folder(given: Path | None) -> Path:
    folder = given or environment().weights
    if folder is None:
        raise _no_folder()
    if not folder.is_dir():
        try:
            folder.mkdir(parents=True)
        except OSError as cause:
            raise UsageError(
                en=f"The folder {folder} cannot be made ({cause.strerror}).",
                zh=f"无法创建文件夹 {folder}（{cause.strerror}）。",
            ) from cause
    return folder


def _no_folder() -> UsageError:
    return UsageError(
        en="OBSERVER_MODELS is not set. Choose a folder for weights and set it (for instance "
        "export OBSERVER_MODELS=~/observer-models), or give --folder.",
        zh="尚未设置 OBSERVER_MODELS。请选定权重文件夹并设置"
        "（例如 export OBSERVER_MODELS=~/observer-models），或使用 --folder。",
    )


class _Shown:
    """A progress bar that learns the size with the first bytes."""

    def __init__(self, bar: Progress, name: str) -> None:
        self.bar = bar
        self.task = bar.add_task(name, total=None)

    def __call__(self, done: int, total: int | None) -> None:
        self.bar.update(self.task, completed=done, total=total)


@contextmanager
def _progress(name: str) -> Iterator[_Shown]:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, TransferSpeedColumn(), console=Console(stderr=True)) as bar:
        yield _Shown(bar, name)
