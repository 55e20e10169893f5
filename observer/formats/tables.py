"""Tables: CSV, TSV and the rows of XLSX sheets and DOCX tables; columns found by their names."""

import csv
import datetime as dt
import io
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import TypeAlias

from observer.errors import TranscriptError
from observer.formats.clock import parse_clock
from observer.formats.cues import Cue, Note, Reading, check_times, damaged
from observer.timeline import Role, Seconds

Cell: TypeAlias = "str | float | int | bool | dt.datetime | dt.date | dt.time | dt.timedelta | None"

COLUMNS: dict[str, tuple[str, ...]] = {
    "text": ("text", "sentence", "utterance", "transcript", "transcription", "content", "words",
             "speech", "message", "文本", "内容", "转写", "转写文本", "话语", "句子", "原文",
             "发言内容", "发言", "文字", "语句"),
    "start": ("start", "start time", "starttime", "start_time", "start_timestamp",
              "starttimestamp", "begin", "begin time", "onset", "from", "in", "timestamp",
              "time stamp", "time", "开始", "开始时间", "起始时间", "起始", "时间", "时间戳", "起"),
    "end": ("end", "end time", "endtime", "end_time", "end_timestamp", "endtimestamp", "stop",
            "offset", "to", "out", "结束", "结束时间", "终止时间", "止"),
    "duration": ("duration", "dur", "length", "时长", "持续时间"),
    "speaker": ("speaker", "speaker name", "speaker_name", "name", "who", "participant",
                "speaker label", "说话人", "发言人", "讲话人", "角色", "身份", "姓名", "话者"),
    "role": ("role",),
    "id": ("id",),
    "role_probability": ("role_probability",),
    "approximate": ("approximate",),
}  # fmt: skip
"""Meaning → column names, lower case; the first one that is there is taken."""

OUR_COLUMNS = ("id", "start", "end", "speaker", "role", "role_probability", "approximate", "text")
"""The columns of the CSV that we write; a file with all of them is read back whole."""

FORMULA = re.compile(r"'*[=+\-@\t\r＝＋－＠]")
"""Openings that a spreadsheet would calculate; such cells are written behind an apostrophe."""

MAX_FIELD = 1 << 20
"""Largest cell in characters."""


@dataclass(frozen=True, slots=True)
class _Columns:
    """Positions of the columns; None where the table has none of that meaning."""

    names: tuple[str, ...]
    found: dict[str, int]
    milliseconds: bool

    def cell(self, row: Sequence[Cell], meaning: str) -> Cell:
        position = self.found.get(meaning)
        return row[position] if position is not None and position < len(row) else None


def _name(cell: Cell) -> str:
    text = unicodedata.normalize("NFKC", str(cell if cell is not None else "")[:80])
    text = text.strip().casefold()
    return re.sub(r"\s*\((?:s|sec|seconds|ms|秒|毫秒)\)$|[_ ](?:s|sec|ms)$", "", text)


def _columns(header: Sequence[Cell]) -> _Columns | None:
    names = tuple(_name(cell) for cell in header)
    found: dict[str, int] = {}
    for meaning, known in COLUMNS.items():
        position = next((names.index(n) for n in known if n in names), None)
        if position is not None:
            found[meaning] = position
    if "text" not in found or not ({"start", "speaker", "role"} & found.keys()):
        return None
    if "speaker" not in found and "role" in found:
        found["speaker"] = found["role"]
    raw = " ".join(str(c or "").casefold() for c in header)
    return _Columns(names, found, "ms" in re.split(r"[\W_]+", raw) or "毫秒" in raw)


def delimited(text: str) -> list[list[Cell]] | None:
    """The rows of a CSV or TSV with a header that names its columns; None when it is none.

    A row stands at the index of the line it ends on, empty lists between, so that positions
    are line numbers.
    """
    first = next((line for line in text.split("\n") if line.strip()), "")
    for delimiter in (",", "\t", ";", "|"):
        header: list[Cell] = list(next(csv.reader([first], delimiter=delimiter), []))
        if len(header) > 1 and _columns(header) is not None:
            return _rows(text, delimiter)
    return None


def _rows(text: str, delimiter: str) -> list[list[Cell]]:
    csv.field_size_limit(MAX_FIELD)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
    rows: list[list[Cell]] = []
    try:
        for row in reader:
            rows += [[] for _ in range(reader.line_num - 1 - len(rows))]
            rows.append(list(row))
    except csv.Error as error:
        raise damaged(
            reader.line_num,
            f"the table breaks here ({error}); is a quotation mark open?",
            f"表格在此处出错（{error}），是否有引号未闭合？",
        ) from error
    return rows


def read_rows(rows: Sequence[Sequence[Cell]]) -> Reading:
    """Cues of a table; the header is the first row that names a text column.

    Raises TranscriptError naming the row for a time that is none, or when no row is a header.
    """
    top, columns = _header(rows)
    body = [(n, r) for n, r in enumerate(rows[top + 1 :], top + 2) if any(_filled(c) for c in r)]
    milliseconds = columns.milliseconds or _looks_like_milliseconds([r for _, r in body], columns)
    ours = set(OUR_COLUMNS) <= set(columns.names)
    cues: list[Cue] = []
    origin: dt.datetime | None = None
    for number, row in body:
        start = columns.cell(row, "start")
        moment = _moment(start)
        if moment is not None:
            origin = origin or moment
        cues.append(_cue(row, columns, number, 0.001 if milliseconds else 1.0, origin, ours))
    if ours:
        return Reading(tuple(cues), ours=True, prefixes=False)
    notes = (_wall_clock_note(),) if origin is not None else ()
    return Reading(tuple(cues), notes=notes)


def _filled(cell: Cell) -> bool:
    return cell is not None and str(cell).strip() != ""


def _header(rows: Sequence[Sequence[Cell]]) -> tuple[int, _Columns]:
    for position, row in enumerate(rows[:50]):
        columns = _columns(row)
        if columns is not None:
            return position, columns
    raise TranscriptError(
        en="No row of the table names its columns. A text column (text, sentence, 内容 …) and a "
        "speaker or start column are needed.",
        zh="表格没有列名行。至少需要文本列（文本、内容、text 等）和说话人列或开始时间列。",
    )


def _looks_like_milliseconds(rows: Sequence[Sequence[Cell]], columns: _Columns) -> bool:
    """Whole numbers whose entries would last over 100 s in the median are milliseconds."""
    lengths = []
    for row in rows:
        start, end = columns.cell(row, "start"), columns.cell(row, "end")
        if not (_whole(start) and _whole(end)):
            return False
        lengths.append(int(str(end)) - int(str(start)))
    return bool(lengths) and median(lengths) >= 100


def _whole(cell: Cell) -> bool:
    return re.fullmatch(r"\d+", str(cell if cell is not None else "").strip()) is not None


def _cue(
    row: Sequence[Cell],
    columns: _Columns,
    number: int,
    scale: float,
    origin: dt.datetime | None,
    ours: bool,
) -> Cue:
    start = _seconds(columns.cell(row, "start"), number, scale, origin)
    end = _seconds(columns.cell(row, "end"), number, scale, origin)
    duration = _seconds(columns.cell(row, "duration"), number, scale, None)
    if end is None and start is not None and duration is not None:
        end = start + duration
    check_times(start, end, number)
    text = _text(columns.cell(row, "text"), ours)
    speaker = _text(columns.cell(row, "speaker"), ours).strip() or None
    if not ours:
        return Cue(text, start, end, speaker, line=number)
    role = _text(columns.cell(row, "role"), ours)
    probability = _text(columns.cell(row, "role_probability"), ours)
    return Cue(
        text,
        start,
        end,
        speaker,
        line=number,
        role=_role(role, number),
        role_probability=parse_clock(probability) if probability else None,
        approximate=_text(columns.cell(row, "approximate"), ours).casefold() == "true",
        id=_text(columns.cell(row, "id"), ours) or None,
    )


def _text(cell: Cell, ours: bool) -> str:
    text = "" if cell is None else str(cell)
    return text[1:] if ours and text.startswith("'") and FORMULA.match(text) else text


def _role(value: str, number: int) -> Role | None:
    if not value:
        return None
    try:
        return Role(value)
    except ValueError as error:
        raise damaged(number, f"{value!r} is not a role", f"{value!r} 不是已知的角色") from error


def _moment(cell: Cell) -> dt.datetime | None:
    """The date and time of a cell that has both, else None."""
    if isinstance(cell, dt.datetime):
        return cell
    if isinstance(cell, str) and re.match(r"\s*\d{4}-\d{2}-\d{2}[T ]\d", cell):
        try:
            return dt.datetime.fromisoformat(cell.strip())
        except ValueError:
            return None
    return None


def _seconds(cell: Cell, number: int, scale: float, origin: dt.datetime | None) -> Seconds | None:
    if not _filled(cell):
        return None
    moment = _moment(cell)
    if moment is not None and origin is not None:
        if (moment.tzinfo is None) != (origin.tzinfo is None):
            moment, origin = moment.replace(tzinfo=None), origin.replace(tzinfo=None)
        return (moment - origin).total_seconds()
    if isinstance(cell, dt.timedelta):
        return cell.total_seconds()
    if isinstance(cell, dt.time):
        return cell.hour * 3600 + cell.minute * 60 + cell.second + cell.microsecond / 1e6
    if isinstance(cell, int | float):
        return float(cell) * scale
    value = parse_clock(str(cell))
    if value is None:
        raise damaged(number, f"{str(cell)[:40]!r} is not a time", f"{str(cell)[:40]!r} 不是时间")
    return value * scale if re.fullmatch(r"\s*[\d.]+\s*", str(cell)) else value


def _wall_clock_note() -> Note:
    return Note(
        "wall_clock",
        "Times are dates with a time of day; they were counted from the first entry. The start of "
        "the recording may lie elsewhere.",
        "时间是日期加钟点，已从第一条起算；录音的起点可能与此不同。",
    )


def has_header(rows: Sequence[Sequence[Cell]]) -> bool:
    """Whether one of the first rows names its columns."""
    return any(_columns(row) is not None for row in rows[:50])


def rows_of(text: str) -> list[list[Cell]]:
    """The rows of a text that is said to be a table, separated by its commonest separator."""
    head = text[:4000]
    return _rows(text, max(",\t;|", key=head.count))
