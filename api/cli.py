"""The command line: `observer observe`, `transcript`, `evaluate roles`, and what others add."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from api import (
    backup_cli,
    batch_cli,
    models_cli,
    push_cli,
    reading_cli,
    rerender_cli,
    retention_cli,
    serve_cli,
)
from api.messages import language_asked, told_in
from api.observe_cli import LanguageOption, observe
from observer import __version__

EXIT_CODES = (
    "Exit codes: 0 done; 1 other failure; 2 wrong usage; 3 the recording cannot be observed; "
    "4 the transcript cannot be read; 5 an engine or its weights are missing or failed; "
    "6 the results cannot be written; 7 a report broke its own rules; 130 stopped with Ctrl-C "
    "(run the same command again: finished stages are not done again). With several inputs "
    "every one is tried; the code is that of the first failure."
)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Lesson observation: a recording in, an evidence-linked report out. "
    "课堂观察：输入课堂录音或录像，得到每句话都可回放核对的观察报告。",
)
evaluate_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Measure engines against labelled data. 用标注数据评测各引擎。",
)
app.command(epilog=EXIT_CODES)(observe)
app.add_typer(evaluate_app, name="evaluate")
app.add_typer(models_cli.app, name="models")
evaluate_app.command("labels")(reading_cli.evaluate_labels)


@evaluate_app.command("roles")
def evaluate_roles_command(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", help="Folder of audio with JSON or RTTM truth. 音频与标注所在文件夹。"
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON. 输出 JSON。")] = False,
) -> None:
    """Score teacher and student time and DER on labelled lessons. 评测师生话语时间与 DER。"""
    from api.evaluation import print_roles

    language = language_asked()
    with told_in(language):
        print_roles(folder, as_json=as_json, language=language)


@app.command("transcript", epilog=EXIT_CODES)
def transcript_command(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="INPUT", help="A transcript in any layout that is read. 任一可读的转写文件。"
        ),
    ],
    target: Annotated[
        Path,
        typer.Argument(
            metavar="OUTPUT",
            help="What to write; its suffix says how: .vtt .srt .csv .xlsx .docx .json "
            ".TextGrid .eaf .rttm. 输出文件，格式由后缀决定。",
        ),
    ],
    language: LanguageOption = "auto",
    keep_names: Annotated[
        bool,
        typer.Option(
            "--keep-names",
            help="Keep students' names; by default they become neutral labels. 保留学生姓名"
            "（默认换成中性称呼）。",
        ),
    ] = False,
    recording: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Which recording, when INPUT covers several (RTTM, STM, CTM). 指定其中一个录音。",
        ),
    ] = None,
) -> None:
    """Convert a transcript into another layout. 转换转写文件的格式。

    Roles and times are kept as far as OUTPUT can hold them (docs/formats.md); what was guessed
    or left out on the way is told.
    """
    from api.conversion import convert

    told = language_asked()
    with told_in(told):
        lines = convert(
            source,
            target,
            language=None if language == "auto" else language,
            keep_names=keep_names,
            recording=recording,
            told=told,
        )
    for line in lines:
        typer.echo(line, err=True)
    typer.echo(str(target))


app.command("label", epilog=EXIT_CODES)(reading_cli.label)
app.command("train", epilog=EXIT_CODES)(reading_cli.train)
app.command("push", epilog=EXIT_CODES)(push_cli.push)
app.command("serve", epilog=EXIT_CODES)(serve_cli.serve)
app.command("work", epilog=EXIT_CODES)(serve_cli.work)
app.command("rerender", epilog=EXIT_CODES)(rerender_cli.rerender)
app.command("answer", hidden=True)(serve_cli.answer)
app.command("retention", epilog=EXIT_CODES)(retention_cli.retention)
app.command("batch", epilog=EXIT_CODES)(batch_cli.batch)
app.command("backup", epilog=EXIT_CODES)(backup_cli.backup)
app.command("restore", epilog=EXIT_CODES)(backup_cli.restore)


@app.command()
def schema() -> None:
    """Print the JSON Schema of observation.json. 输出 observation.json 的 JSON Schema。"""
    from observer.observation import json_schema

    typer.echo(json.dumps(json_schema(), ensure_ascii=False, indent=1))


@app.command()
def version() -> None:
    """Print the version. 输出版本号。"""
    typer.echo(f"observer {__version__}")


def main() -> None:
    """Entry point of the `observer` program."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal in the C locale must not turn Chinese into a crash.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    app()


if __name__ == "__main__":
    main()
