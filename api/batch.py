"""The inputs of one command, observed one after another: recordings and transcripts."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from api.compose import EngineNames, Loaded, build
from api.outputs import PLAYABLE, folder_for, write_outputs
from models.hot_words import read_hot_words, title_words
from observer.errors import Language, MissingRecording, ObserverError, UsageError
from observer.hearing import marked_stretches
from observer.job import OnStep, Settings, Source, Step
from observer.pipeline import observe

RECORDINGS = frozenset(
    ".3gp .aac .avi .flac .flv .m4a .m4v .mkv .mov .mp3 .mp4 .mpg .mts .oga .ogg .opus .ts .wav "
    ".webm .wma .wmv".split()
)
TRANSCRIPTS = frozenset(
    ".cha .csv .ctm .docx .eaf .json .md .rttm .srt .stm .textgrid .txt .vtt .xlsx".split()
)
STAGE_NAMES: dict[Language, dict[str, str]] = {
    "zh": {
        "decode": "解码", "speech": "语音检测", "quality": "音质检查", "speakers": "区分说话人",
        "roles": "判定角色", "words": "语音识别", "labels": "标注提问", "measure": "计算指标",
    },
    "en": {
        "decode": "decoding", "speech": "finding speech", "quality": "sound quality",
        "speakers": "telling voices apart", "roles": "roles", "words": "recognising words",
        "labels": "reading questions", "measure": "measuring",
    },
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Choices:
    """What the user asked for; see `observer observe --help`."""

    inputs: tuple[Path, ...]
    transcript: Path | None
    language: str | None
    asr: str
    model: str | None
    hot_words: str | None
    teacher_voice: Path | None
    teacher_at: str | None
    diarizer: str
    out: Path
    report_language: Language
    track: int | None
    embed_audio: bool
    interval: float
    device: str
    seed: int
    weights: Path | None
    threads: int


def observe_all(choices: Choices) -> int:
    """Observe every input; one that fails does not stop the others. Returns the exit code."""
    screen = Console(stderr=True)
    sources = list(_sources(choices))
    failures: list[tuple[Source, ObserverError]] = []
    loaded = Loaded()
    for number, source in enumerate(sources, 1):
        label = (source.recording or source.transcript or Path()).name
        if len(sources) > 1:
            label = f"[{number}/{len(sources)}] {label}"
        try:
            report = _observe_one(source, choices, screen, label, loaded)
        except ObserverError as error:
            failures.append((source, error))
            screen.print(
                f"[red]✗[/red] {escape(label)}: {escape(error.text(choices.report_language))}",
                soft_wrap=True,
            )
        else:
            screen.print(
                f"[green]✓[/green] {escape(label)} → {escape(str(report))}", soft_wrap=True
            )
    if len(sources) > 1 and failures:
        n, failed = len(sources), len(failures)
        screen.print(
            {
                "en": f"{n - failed} of {n} lessons observed; {failed} failed, see above.",
                "zh": f"共 {n} 节课，完成 {n - failed} 节；{failed} 节失败，原因见上。",
            }[choices.report_language]
        )
    return failures[0][1].exit_code if failures else 0


def _sources(choices: Choices) -> Iterator[Source]:
    """The lessons behind the inputs, in the order given; folders in the order of their names."""
    paths = [found for path in choices.inputs for found in _expand(path)]
    if choices.transcript is not None and choices.transcript.is_file() and len(paths) != 1:
        raise UsageError(
            en="One transcript file goes with one recording; for several, give --transcript a "
            "folder with transcripts of the same names.",
            zh="一个转写文本对应一个录音；多个录音时，请让 --transcript 指向含同名文本的文件夹。",
        )
    marked = marked_stretches(choices.teacher_at) if choices.teacher_at is not None else ()
    if marked and len(paths) != 1:
        raise UsageError(
            en="--teacher-at names times of one recording; for several lessons of a teacher, give "
            "a clip (--teacher-voice).",
            zh="--teacher-at 是某一个录音中的时间；同一教师的多节课请用 --teacher-voice 提供片段。",
        )
    voice = choices.teacher_voice
    for path in paths:
        if path.suffix.lower() in TRANSCRIPTS:
            yield Source(transcript=path, teacher_voice=voice, teacher_at=marked)
        else:
            transcript = _transcript_for(path, choices.transcript)
            yield Source(path, transcript, voice, marked)


def _expand(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(p for p in path.iterdir() if p.suffix.lower() in RECORDINGS)
    if not found:
        raise MissingRecording(
            en=f"There are no recordings in the folder {path.name!r} "
            f"(looked for {', '.join(sorted(RECORDINGS))}).",
            zh=f"文件夹“{path.name}”中没有录音或录像（支持 {'、'.join(sorted(RECORDINGS))}）。",
        )
    return found


def _transcript_for(recording: Path, given: Path | None) -> Path | None:
    if given is None or not given.is_dir():
        return given
    same = [p for p in sorted(given.iterdir()) if p.stem == recording.stem]
    return next((p for p in same if p.suffix.lower() in TRANSCRIPTS), None)


def _observe_one(
    source: Source, choices: Choices, screen: Console, label: str, loaded: Loaded
) -> Path:
    """Observe one lesson and write its files; the report's path comes back."""
    folder = folder_for(choices.out, source)
    sound = _sound_file(source, choices, folder)
    engines = build(
        EngineNames(
            asr=choices.asr,
            model=choices.model,
            device=choices.device,
            diarizer=choices.diarizer,
            threads=choices.threads,
            hot_words=_hot_words(source, choices.hot_words),
        ),
        language=choices.language,
        report_language=choices.report_language,
        weights=choices.weights,
        has_transcript=source.transcript is not None,
        loaded=loaded,
    )
    settings = Settings(
        language=choices.language,
        report_language=choices.report_language,
        track=choices.track,
        interval=choices.interval,
        seed=choices.seed,
    )
    with _shown(screen, label, choices.report_language) as on_step:
        observation = observe(source, engines, settings, folder / ".stages", on_step, sound)
    report = write_outputs(observation, folder, source.recording, sound, choices.embed_audio)
    if sound is not None and choices.embed_audio:
        sound.unlink(missing_ok=True)
    return report


def _hot_words(source: Source, given: str | None) -> tuple[str, ...]:
    """Those that were given, then those of the recording's name. Raises UsageError."""
    asked = read_hot_words(given) if given else ()
    named = title_words(source.recording.stem) if source.recording else ()
    return tuple(dict.fromkeys([*asked, *named]))


def _sound_file(source: Source, choices: Choices, folder: Path) -> Path | None:
    """Where a copy of the sound goes, when the page needs one."""
    if source.recording is None:
        return None
    if choices.embed_audio:
        return folder / ".stages" / "sound.opus"
    return None if source.recording.suffix.lower() in PLAYABLE else folder / "sound.opus"


@contextmanager
def _shown(screen: Console, label: str, language: Language) -> Iterator[OnStep]:
    """Show stage, per cent and time left; a line a stage where there is no terminal."""
    names = STAGE_NAMES[language]
    if not screen.is_terminal:
        told: set[str] = set()

        def line(step: Step) -> None:
            if step.stage not in told:
                told.add(step.stage)
                screen.print(f"{label}: {names[step.stage]} ({step.overall:.0%})", markup=False)

        yield line
        return
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=screen,
        transient=True,
    )
    with bar:
        task = bar.add_task(escape(label), total=1.0)
        yield lambda step: bar.update(
            task,
            completed=step.overall,
            description=f"{escape(label)} · {names[step.stage]} {step.share:.0%}",
        )
