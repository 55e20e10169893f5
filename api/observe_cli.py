"""`observer observe`: lessons in, a report for each out."""

from pathlib import Path
from typing import Annotated

import typer

from api.messages import language_asked, told_in
from api.settings import environment

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
    told = language_asked(report_language)
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
