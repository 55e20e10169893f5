"""`observer label`: transcripts and JSON lines in, the same lines with their labels out.

A lesson of any length passes through in windows, each with some lines before and after it for
context, so that memory does not grow with the input.
"""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

import models
from observer import formats
from observer.discourse import Label
from observer.engines import Labeller
from observer.errors import Language, TranscriptError
from observer.files import replacing
from observer.formats.labels import declared_role
from observer.segmentation import in_sentences
from observer.timeline import Role
from observer.transcript import Transcript, Utterance

STANDARD = "-"
"""As INPUT: standard input; as --out: standard output."""
JSON_LINES = frozenset({".jsonl", ".ndjson"})
WINDOW = 2_000
"""Lines that are labelled at a time."""
CONTEXT = 64
"""Lines before and after a window that are read with it: more than any reading looks at, but for
a student's turn or a chain of repeated questions that is longer."""
TRANSFERRED = "transferred"

OnBytes = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the input; `utterance` has its place as id, which is unlike any other."""

    id: Any
    role: Any
    """As it was written."""
    utterance: Utterance
    lesson: Any = None


def label_file(
    source: str,
    out: str,
    *,
    language: str | None,
    labeller: str,
    weights: Path | None,
    threads: int,
    told: Language,
) -> list[str]:
    """Label `source` into `out` (JSON lines; "-" is standard input or output).

    Returns what a person should know, in `told`. `out` is written whole or not at all. Raises
    TranscriptError (no such file, or the line), OutputError, UnknownEngine.
    """
    settings = {"own": weights, "threads": threads} if labeller == "trained" else {}
    engine: Labeller = models.load(models.LABELLERS, labeller, **settings)
    notes: list[str] = []
    with _progress(source) as on_bytes, _output(out) as sink:
        lines, spoken = _lines(source, language, told, notes, on_bytes)
        for line, labels in labelled(lines, engine, language or spoken):
            sink.write(json.dumps(_row(line, labels), ensure_ascii=False) + "\n")
            for note in engine.notes:
                if (text := note.zh if told == "zh" else note.en) not in notes:
                    notes.append(text)
    return notes


def labelled(
    lines: Iterable[Line], engine: Labeller, language: str
) -> Iterator[tuple[Line, dict[str, Label]]]:
    """Every line with its labels by taxonomy, in order; a lesson ends where its key changes."""
    for window, first, last in _windows(lines):
        spoken = Transcript(language, tuple(line.utterance for line in window))
        found: dict[str, dict[str, Label]] = {}
        for label in engine.label(spoken):
            found.setdefault(label.utterance, {})[label.taxonomy] = label
        for line in window[first:last]:
            yield line, found.get(line.utterance.id, {})


def _windows(lines: Iterable[Line]) -> Iterator[tuple[list[Line], int, int]]:
    """(lines with their context, first and last of those to be written), lesson by lesson."""
    held: list[Line] = []
    first = 0
    for line in lines:
        if held and line.lesson != held[-1].lesson:
            yield held, first, len(held)
            held, first = [], 0
        held.append(line)
        if len(held) - first == WINDOW + CONTEXT:
            last = first + WINDOW
            yield held, first, last
            kept = max(0, last - CONTEXT)
            held, first = held[kept:], last - kept
    if held:
        yield held, first, len(held)


def _row(line: Line, labels: Mapping[str, Label]) -> dict[str, Any]:
    said = {taxonomy: _said(label) for taxonomy, label in labels.items()}
    return {"id": line.id, "role": line.role, "text": line.utterance.text, "labels": said}


def _said(label: Label) -> dict[str, Any]:
    row: dict[str, Any] = {"code": label.code, "probability": round(label.probability, 4)}
    if label.unclear:
        row["unclear"] = True
    if label.source.endswith(TRANSFERRED):
        row["transferred"] = True
    return row


# -- input -----------------------------------------------------------------------------------


def _lines(
    source: str, language: str | None, told: Language, notes: list[str], on_bytes: OnBytes
) -> tuple[Iterator[Line], str]:
    """The lines of any input, and the language that it is in as far as it says so."""
    if source == STANDARD:
        return json_lines(sys.stdin.buffer, on_bytes), "und"
    path = Path(source)
    if not path.is_file():
        raise TranscriptError(
            en=f"There is no file {source}. Give a transcript, a file of JSON lines, or - for "
            "standard input.",
            zh=f"没有文件 {source}。请给出转写文本、JSON Lines 文件，或用 - 表示标准输入。",
        )
    if path.suffix.lower() in JSON_LINES:
        return _from_file(path, on_bytes), "und"
    imported = in_sentences(formats.read(path, language=language))
    notes += [note.zh if told == "zh" else note.en for note in imported.notes]
    on_bytes(path.stat().st_size)
    return (
        Line(u.id, u.role, replace(u, id=str(i))) for i, u in enumerate(imported.transcript)
    ), imported.transcript.language


def _from_file(path: Path, on_bytes: OnBytes) -> Iterator[Line]:
    with path.open("rb") as file:
        yield from json_lines(file, on_bytes)


def json_lines(file: IO[bytes], on_bytes: OnBytes = lambda _n: None) -> Iterator[Line]:
    """Lines {"id", "role", "text"[, "start", "end", "lesson"]}; blank ones are passed over.

    Only "text" must be there; an id that is missing is the line's number. Raises
    TranscriptError, which names the line.
    """
    for number, raw in enumerate(file, 1):
        on_bytes(len(raw))
        if raw.strip():
            yield _line(number, raw)


def _line(number: int, raw: bytes) -> Line:
    try:
        row = json.loads(raw.decode("utf-8-sig" if number == 1 else "utf-8"))
    except UnicodeDecodeError as error:
        raise _bad(number, "it is not UTF-8", "编码不是 UTF-8") from error
    except ValueError as error:
        raise _bad(number, f"it is no JSON ({error})", "不是有效的 JSON") from error
    if not isinstance(row, dict) or not isinstance(row.get("text"), str):
        raise _bad(
            number,
            'it must be an object with at least "text" (a string): {"id", "role", "text"}',
            '应为至少含 text（字符串）的对象：{"id", "role", "text"}',
        )
    start, end = (_seconds(number, row, name) for name in ("start", "end"))
    utterance = Utterance(str(number), row["text"], start, end, role=role_of(row.get("role")))
    return Line(row.get("id", number), row.get("role"), utterance, row.get("lesson"))


def role_of(written: object) -> Role | None:
    """The role that a person wrote ("teacher", "T", "老师", "S", "choral" …), or None."""
    if not isinstance(written, str):
        return None
    name = written.strip().lower()
    return Role(name) if name in {role.value for role in Role} else declared_role(written)


def _seconds(number: int, row: Mapping[str, Any], name: str) -> float | None:
    value = row.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _bad(number, f'"{name}" must be a number of seconds', f"{name} 应为秒数")
    return float(value)


def _bad(number: int, why: str, why_zh: str) -> TranscriptError:
    return TranscriptError(
        en=f"Line {number} cannot be read: {why}. Mend it and run again.",
        zh=f"第 {number} 行无法读取：{why_zh}。请改正后重新运行。",
    )


# -- output ----------------------------------------------------------------------------------


@contextmanager
def _output(out: str) -> Iterator[IO[str]]:
    if out == STANDARD:
        yield sys.stdout
        return
    with (
        replacing(Path(out)) as temporary,
        temporary.open("w", encoding="utf-8", errors="replace") as file,
    ):
        yield file


@contextmanager
def _progress(source: str) -> Iterator[OnBytes]:
    """A bar on standard error, by bytes read; without a known size it only pulses."""
    size = None if source == STANDARD or not Path(source).is_file() else Path(source).stat().st_size
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task(Path(source).name, total=size)
        yield lambda count: bar.advance(task, count)
