"""The command line: `observer observe`, `transcript`, `evaluate roles`, and what others add."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from api import backup_cli, batch_cli, models_cli, push_cli, reading_cli, retention_cli, serve_cli
from api.messages import told_in
from api.settings import environment
from observer import __version__
from observer.errors import Language

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
app.add_typer(evaluate_app, name="evaluate")
app.add_typer(models_cli.app, name="models")
evaluate_app.command("labels")(reading_cli.evaluate_labels)

Inputs = Annotated[
    list[Path],
    typer.Argument(
        metavar="INPUT",
        help="Recordings, transcripts, or folders of recordings. 录音、录像、转写文本或其文件夹。",
    ),
]
TranscriptOption = Annotated[
    Path | None,
    typer.Option(
        "--transcript",
        metavar="FILE",
        help="Transcript of the lesson (SRT, VTT, JSON, CSV, 师：/生： text …); for several "
        "inputs a folder with transcripts of the same names. "
        "课堂转写文本；多个输入时给出同名文本的文件夹。",
    ),
]
LanguageOption = Annotated[
    str, typer.Option(metavar="auto|zh|en|…", help="Language spoken: auto, zh, en … 课堂语言。")
]
AsrOption = Annotated[
    str,
    typer.Option(
        metavar="auto|whisper|faster-whisper|sherpa-onnx|funasr|pocketsphinx|none",
        help="Recogniser; auto: the best with weights on this machine. 语音识别引擎。",
    ),
]
ModelOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|FILE",
        help="Weights: a file or folder, or its name in the weights folder "
        "(OBSERVER_MODELS; see observer models list). 权重文件、文件夹或名称。",
    ),
]
HotWordsOption = Annotated[
    str | None,
    typer.Option(
        "--hot-words",
        metavar="FILE|WORDS",
        help="Names and terms to expect: a text file, or words with commas between; those of "
        "the file's name are added. 热词：文本文件或逗号分隔的词。",
    ),
]
VoiceOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="A clip in which only the teacher speaks. 只有教师说话的录音片段。"
    ),
]
TeacherAtOption = Annotated[
    str | None,
    typer.Option(
        "--teacher-at",
        metavar="TIMES",
        help="Where in this recording only the teacher speaks, 3 s or more: 3:10-3:40, several "
        "with commas. 本录音中只有教师说话的时段，可用逗号分隔多个。",
    ),
]
DiarizerOption = Annotated[
    str,
    typer.Option(
        metavar="ge2e|sherpa-onnx|pyannote",
        help="What tells voices apart; ge2e needs no weights. 区分说话人的引擎。",
    ),
]
OutOption = Annotated[
    Path, typer.Option(metavar="DIR", help="Where the reports go. 报告输出目录。")
]
ReportLanguageOption = Annotated[
    str | None,
    typer.Option(
        metavar="zh|en",
        help="Language of report and messages; default: that of this machine, else zh. 报告语言。",
    ),
]
TrackOption = Annotated[
    int | None,
    typer.Option(
        metavar="N", min=0, help="Audio track, from 0; default: the first with speech. 音轨序号。"
    ),
]
EmbedOption = Annotated[
    bool,
    typer.Option(
        "--embed-audio", help="Put a small Opus of the sound into report.html. 将声音嵌入报告。"
    ),
]
IntervalOption = Annotated[
    float,
    typer.Option(
        metavar="SECONDS",
        min=1.0,
        max=60.0,
        help="Sampling interval of the S-T analysis, seconds. S-T 取样间隔（秒）。",
    ),
]
DeviceOption = Annotated[
    str, typer.Option(metavar="auto|cpu|cuda[:N]", help="Device for recognition. 计算设备。")
]
SeedOption = Annotated[
    int, typer.Option(metavar="N", help="Seed of the interval simulations. 随机种子。")
]


@app.command(epilog=EXIT_CODES)
def observe(
    inputs: Inputs,
    transcript: TranscriptOption = None,
    language: LanguageOption = "auto",
    asr: AsrOption = "auto",
    model: ModelOption = None,
    hot_words: HotWordsOption = None,
    teacher_voice: VoiceOption = None,
    teacher_at: TeacherAtOption = None,
    diarizer: DiarizerOption = "ge2e",
    out: OutOption = Path("reports"),
    report_language: ReportLanguageOption = None,
    track: TrackOption = None,
    embed_audio: EmbedOption = False,
    st_interval: IntervalOption = 15.0,
    device: DeviceOption = "auto",
    seed: SeedOption = 0,
) -> None:
    """Observe lessons and write a report for each. 观察课堂并生成报告。

    Each INPUT gets a folder below --out with report.html, observation.json, transcript.vtt,
    transcript.csv and indicators.csv. Nothing leaves this machine.
    """
    # Charts, torch and the rest take seconds to import: --help must not wait for them.
    from api.batch import Choices, observe_all

    env = environment()
    told = _report_language(report_language, env.language)
    choices = Choices(
        inputs=tuple(inputs),
        transcript=transcript,
        language=None if language == "auto" else language,
        asr=asr,
        model=model,
        hot_words=hot_words,
        teacher_voice=teacher_voice,
        teacher_at=teacher_at,
        diarizer=diarizer,
        out=out,
        report_language=told,
        track=track,
        embed_audio=embed_audio,
        interval=st_interval,
        device=device,
        seed=seed,
        weights=env.weights,
        threads=env.threads,
    )
    with told_in(told):
        raise typer.Exit(observe_all(choices))


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

    language = _report_language(None, environment().language)
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

    told = _report_language(None, environment().language)
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


def _report_language(asked: str | None, machine: str | None) -> Language:
    chosen = asked or machine or "zh"
    if chosen == "zh":
        return "zh"
    if chosen == "en":
        return "en"
    raise typer.BadParameter(f"{chosen!r} is neither zh nor en", param_hint="--report-language")


def main() -> None:
    """Entry point of the `observer` program."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal in the C locale must not turn Chinese into a crash.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    app()


if __name__ == "__main__":
    main()
