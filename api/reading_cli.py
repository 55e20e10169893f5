"""`observer label`, `observer train` and `observer evaluate labels`: the models that read talk."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from api.messages import language_asked, told_in
from api.settings import environment
from observer.engines import OnProgress

TaskArgument = Annotated[
    str, typer.Argument(metavar="moves|questions|…", help="What to read. 任务名称。")
]
DataOption = Annotated[
    Path,
    typer.Option(
        "--data", metavar="DIR", help="Folder with the labelled corpora. 标注语料所在文件夹。"
    ),
]


def label(
    source: Annotated[
        str,
        typer.Argument(
            metavar="INPUT",
            help="A transcript in any layout that is read, JSON lines "
            '{"id", "role", "text"[, "start", "end", "lesson"]} in lesson order (.jsonl), or - for '
            "JSON lines from standard input. 转写文本或 JSON Lines；- 为标准输入。",
        ),
    ],
    language: Annotated[
        str,
        typer.Option(
            metavar="auto|zh|en", help="Language spoken; auto: each line's script. 语言。"
        ),
    ] = "auto",
    out: Annotated[
        str,
        typer.Option(
            metavar="FILE.jsonl", help="Where the labels go; -: standard output. 输出文件。"
        ),
    ] = "-",
    labeller: Annotated[
        str, typer.Option(metavar="trained|rules", help="What reads. 标注引擎。")
    ] = "trained",
    weights: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder with weights of your own (questions_zh, moves_en), which go before the "
            "shipped ones; default: $OBSERVER_MODELS. 自行训练的权重所在文件夹。",
        ),
    ] = None,
) -> None:
    """Label what every line does: questions, talk moves, feedback. 为每句话标注提问与话语行为。

    One JSON object a line, in the order of the input: {"id", "role", "text", "labels":
    {TAXONOMY: {"code", "probability"}}}; "unclear": true where the labeller abstains,
    "transferred": true where a label was carried over from English and nobody has validated it.
    Lines without a role get the labels that need none.
    """
    from api.labelling import label_file

    env = environment()
    told = language_asked()
    with told_in(told):
        notes = label_file(
            source,
            out,
            language=None if language == "auto" else language,
            labeller=labeller,
            weights=weights or env.weights,
            threads=env.threads,
            told=told,
        )
    for note in notes:
        typer.echo(note, err=True)


def evaluate_labels(
    task: TaskArgument,
    data: DataOption,
    weights: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder with the weights' folders; default: the shipped ones. 权重。",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON. 输出 JSON。")] = False,
    as_card: Annotated[
        bool, typer.Option("--card", help="Print the model card's tables. 输出模型卡表格。")
    ] = False,
) -> None:
    """Score labels on development corpora: F1, κ, MCC, calibration, bias, speed. 评测标注模型。"""
    from api.evaluation import print_labels

    told = language_asked()
    with told_in(told):
        print_labels(task, data, weights, as_json=as_json, as_card=as_card, language=told)


def train(
    task: TaskArgument,
    data: DataOption,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Where the weights go; default: ./trained/ and the name of the shipped folder. "
            "权重输出目录。",
        ),
    ] = None,
    encoder: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="A Hugging Face encoder to start from, local. 起始编码器文件夹。"
        ),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Random seed. 随机种子。")] = 0,
    corrections: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Teachers' corrections as JSON lines: train with them, compare with the weights "
            "in use on sentences never trained on, keep the better. 教师更正（JSON Lines）。",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace weights in --out. 覆盖已有权重。")
    ] = False,
) -> None:
    """Train the weights of a task; stopped, it goes on where it was. 训练模型，中断后可继续。"""
    from models.train import FOLDERS, Order
    from models.train import train as carry_out

    told = language_asked()
    order = Order(
        task, data, out or Path("trained", FOLDERS.get(task, task)), encoder, seed, corrections
    )
    with told_in(told):
        with _training(task) as on_progress:
            summary = carry_out(order, overwrite=overwrite, on_progress=on_progress)
        typer.echo(summary)


@contextmanager
def _training(task: str) -> Iterator[OnProgress]:
    """A bar with the time that is left; in a log file a line a minute."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    screen = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    times = (TimeElapsedColumn(), TimeRemainingColumn())
    began = told = time.monotonic()

    with Progress(*columns, *times, console=screen, disable=not screen.is_terminal) as bar:
        shown = bar.add_task(task, total=1.0)

        def tell(share: float) -> None:
            nonlocal told
            bar.update(shown, completed=share)
            now = time.monotonic()
            if not screen.is_terminal and share > 0 and now - told > 60:
                left = (now - began) * (1 - share) / share / 60
                typer.echo(f"{task}: {share:.1%}, {left:.0f} min", err=True)
                told = now

        yield tell
