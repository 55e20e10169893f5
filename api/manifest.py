"""The CSV beside a folder of recordings: which file is which lesson.

A manifest has a line of column names, Chinese or English, and a row a lesson; Excel's "CSV UTF-8",
its old Chinese CSV (GB18030) and its Unicode text are read alike. Every mistake is told with its
row and column, twenty at once, so that a table of two hundred lessons is mended in one go.
"""

import csv
import io
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pydantic import ValidationError

from api.lesson_data import LessonData, told_wrong
from observer.errors import UsageError

COLUMNS: dict[str, tuple[str, ...]] = {
    "file": ("文件", "文件名", "录像", "录音", "视频", "filename", "recording"),
    "transcript": ("转写", "转写文件", "文字稿", "字幕"),
    "voice": ("教师声音", "声音样本"),
    "title": ("标题", "课名", "课例", "课例名称"),
    "subject": ("学科", "科目"),
    "grade": ("年级", "班级"),
    "topic": ("课题", "教学内容", "内容"),
    "lesson_type": ("课型", "type", "lesson type"),
    "held_on": ("日期", "上课日期", "授课日期", "date"),
    "round": ("轮次", "磨课轮次", "第几轮"),
    "teacher": ("教师", "教师账号", "授课教师", "任课教师"),
    "school": ("学校",),
    "consent": ("同意", "知情同意", "同意范围"),
    "consent_reference": ("同意书", "同意书编号", "consent reference"),
    "consent_until": ("同意有效期", "同意截止日期", "consent until"),
    "language": ("语言", "授课语言"),
    "students": ("学生名单", "学生", "名单", "class list"),
}
_FIELDS = {alias: name for name, known in COLUMNS.items() for alias in (name, *known)}
FILES = ("file", "transcript", "voice")


class ManifestError(UsageError):
    """A manifest that cannot be read; names rows and columns."""


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """A lesson of a manifest, with the files that belong to it."""

    line: int
    """In the file, from 1: what a text editor or Excel shows."""
    data: LessonData
    file: Path | None
    """The recording; None where there is only a transcript."""
    transcript: Path | None = None
    voice: Path | None = None
    """A clip in which only the teacher speaks."""

    @property
    def files(self) -> tuple[tuple[str, Path], ...]:
        """(kind, file) of each: recording, transcript, voice."""
        found = {"recording": self.file, "transcript": self.transcript, "voice": self.voice}
        return tuple((kind, path) for kind, path in found.items() if path is not None)


@dataclass(frozen=True, slots=True)
class _Wrong:
    line: int
    column: str
    en: str
    zh: str


def read_manifest(
    path: Path, folder: Path | None = None, *, standard: LessonData | None = None
) -> list[ManifestRow]:
    """The lessons of a CSV; files are looked for in `folder`, by default the CSV's own.

    Empty cells take the value of `standard`; an empty title is the file's name.
    Raises ManifestError: unreadable, unknown or missing columns, or rows with mistakes, each with
    line and column; and files that are not there.
    """
    rows = _rows(path)
    heads = _heads(rows[0][1], path.name)
    known = standard.model_dump(exclude_defaults=True, exclude={"title"}) if standard else {}
    home = (folder or path.parent).resolve()
    found: list[ManifestRow] = []
    wrong: list[_Wrong] = []
    for line, cells in rows[1:]:
        values = {h: c for h, c in zip(heads, cells, strict=False) if c}
        row, mistakes = _row(line, values, known, home)
        wrong += mistakes
        if len(cells) > len(heads) and any(cells[len(heads) :]):
            wrong.append(_Wrong(line, "", "more cells than columns", "单元格多于列名"))
        if row is not None:
            found.append(row)
    wrong += _repeated(found)
    if wrong:
        raise _told(path.name, wrong)
    if not found:
        raise ManifestError(
            en=f"{path.name} has column names but no lessons below them.",
            zh=f"{path.name} 只有列名，没有课例。",
        )
    return found


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """(line, cells) of the rows that hold anything; at least one."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ManifestError(
            en=f"The manifest {path} cannot be opened ({error.strerror}).",
            zh=f"清单 {path} 打不开（{error.strerror}）。",
        ) from error
    text = _text(data, path.name)
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(",;\t，", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        rows = [(reader.line_num, [c.strip() for c in cells]) for cells in reader]
    except csv.Error as error:
        raise ManifestError(
            en=f"{path.name}, line {reader.line_num}: not CSV ({error}).",
            zh=f"{path.name} 第 {reader.line_num} 行：不是 CSV（{error}）。",
        ) from error
    rows = [(line, cells) for line, cells in rows if any(cells)]
    if not rows:
        raise ManifestError(en=f"{path.name} is empty.", zh=f"{path.name} 是空的。")
    return rows


def _text(data: bytes, name: str) -> str:
    if data.startswith(b"PK"):
        raise ManifestError(
            en=f"{name} is an Excel workbook. Save it as “CSV UTF-8” and give that file.",
            zh=f"{name} 是 Excel 工作簿。请另存为“CSV UTF-8”后使用该文件。",
        )
    encodings = ["utf-16"] if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ["utf-8-sig", "gb18030"]
    for encoding in encodings:
        try:
            return data.decode(encoding).replace("\x00", "")
        except UnicodeDecodeError:
            continue
    raise ManifestError(
        en=f"{name} is neither UTF-8 nor GB18030 text. Save it as “CSV UTF-8”.",
        zh=f"{name} 既不是 UTF-8 也不是 GB18030 编码。请另存为“CSV UTF-8”。",
    )


def _heads(cells: list[str], name: str) -> list[str]:
    heads = [_FIELDS.get(c.lower().lstrip("*"), "") for c in cells]
    unknown = [c for c, head in zip(cells, heads, strict=True) if c and not head]
    twice = {h for h in heads if h and heads.count(h) > 1}
    if unknown or twice or not {"file", "transcript"} & set(heads):
        odd = [*unknown, *sorted(twice)]
        what = ("unknown or repeated: " + ", ".join(odd)) if odd else "the column “file” is missing"
        was = ("无法识别或重复的列：" + "、".join(odd)) if odd else "缺少“文件”列"
        raise ManifestError(
            en=f"{name}, column names: {what}. Known: {', '.join(COLUMNS)}.",
            zh=f"{name} 的列名：{was}。可用："
            + "、".join(f"{aliases[0]}（{field}）" for field, aliases in COLUMNS.items())
            + "。",
        )
    return heads


def _row(
    line: int, values: dict[str, str], known: dict[str, object], home: Path
) -> tuple[ManifestRow | None, list[_Wrong]]:
    files: dict[str, Path] = {}
    wrong: list[_Wrong] = []
    for column in FILES:
        if name := values.get(column):
            place = _inside(home, name)
            if place is None:
                wrong.append(_Wrong(line, column, f"no file {name!r}", f"找不到文件“{name}”"))
            else:
                files[column] = place
    if not {"file", "transcript"} & values.keys():
        wrong.append(_Wrong(line, "file", "no file is named", "没有填写文件"))
    said = {k: v for k, v in values.items() if k not in FILES}
    name = Path(values.get("file") or values.get("transcript") or "").stem
    try:
        data = LessonData.model_validate({"title": name[:200], **known, **said})
    except ValidationError as error:
        return None, wrong + [_wrong_value(line, dict(e), values) for e in error.errors()]
    if wrong:
        return None, wrong
    return ManifestRow(
        line, data, files.get("file"), files.get("transcript"), files.get("voice")
    ), []


def _inside(home: Path, name: str) -> Path | None:
    """The file `name` in the folder; None when there is none or it lies elsewhere."""
    place = (home / PurePosixPath(name.replace("\\", "/"))).resolve()
    return place if place.is_relative_to(home) and place.is_file() else None


def _wrong_value(line: int, error: dict[str, object], values: dict[str, str]) -> _Wrong:
    where = error["loc"]
    field = str(where[0]) if isinstance(where, tuple) and where else ""
    told = told_wrong(field, values.get(field, ""))
    return _Wrong(line, field, told.en, told.zh)


def _repeated(rows: list[ManifestRow]) -> list[_Wrong]:
    seen: dict[Path, int] = {}
    wrong = []
    for row in rows:
        for kind, path in row.files:
            if kind != "voice" and (first := seen.setdefault(path, row.line)) != row.line:
                wrong.append(
                    _Wrong(
                        row.line,
                        "file" if kind == "recording" else kind,
                        f"{path.name} stands in line {first} already",
                        f"{path.name} 已出现在第 {first} 行",
                    )
                )
    return wrong


def _told(name: str, wrong: list[_Wrong]) -> ManifestError:
    shown = sorted(wrong, key=lambda w: w.line)[:20]
    more = len(wrong) - len(shown)
    en = [f"line {w.line}" + (f", {w.column}" if w.column else "") + f": {w.en}" for w in shown]
    zh = [
        f"第 {w.line} 行"
        + (f"“{COLUMNS[w.column][0]}”" if w.column in COLUMNS else "")
        + f"：{w.zh}"
        for w in shown
    ]
    return ManifestError(
        en=f"{name}: " + "; ".join(en) + (f"; and {more} more." if more else "."),
        zh=f"{name}：" + "；".join(zh) + (f"；另有 {more} 处。" if more else "。"),
    )
