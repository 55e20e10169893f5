"""Which layout a file has, by what is in it (never by its name), and its reading."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from observer.errors import TranscriptError
from observer.formats import (
    annotation,
    chat,
    json_layouts,
    nist,
    office,
    plain,
    services,
    subtitles,
    tables,
)
from observer.formats.cues import Reading
from observer.formats.decoding import decode


@dataclass(frozen=True, slots=True)
class Layout:
    """One text layout: how it is recognised and read; readers name layouts more precisely."""

    name: str
    looks: Callable[[str], bool]
    read: Callable[[str], tuple[str, Reading]]


def _named(name: str, read: Callable[[str], Reading]) -> Callable[[str], tuple[str, Reading]]:
    return lambda text: (name, read(text))


def _csv(text: str) -> tuple[str, Reading]:
    return "csv", tables.read_rows(tables.delimited(text) or tables.rows_of(text))


LAYOUTS: tuple[Layout, ...] = (
    Layout("vtt", subtitles.is_vtt, _named("vtt", subtitles.read_vtt)),
    Layout("json", json_layouts.is_json, json_layouts.read_json),
    Layout("csv", lambda t: tables.delimited(t) is not None, _csv),
    Layout("textgrid", annotation.is_textgrid, _named("textgrid", annotation.read_textgrid)),
    Layout("eaf", annotation.is_eaf, _named("eaf", annotation.read_eaf)),
    Layout("chat", chat.is_chat, _named("chat", chat.read_chat)),
    Layout("subtitles", subtitles.is_other_subtitle,
           _named("subtitles", subtitles.read_other_subtitle)),
    Layout("tencent_result", services.is_tencent_result,
           _named("tencent_result", services.read_tencent_result)),
    Layout("srt", subtitles.is_srt, _named("srt", subtitles.read_srt)),
    Layout("rttm", nist.is_rttm, _named("rttm", nist.read_rttm)),
    Layout("stm", nist.is_stm, _named("stm", nist.read_stm)),
    Layout("ctm", nist.is_ctm, _named("ctm", nist.read_ctm)),
    Layout("stamped", plain.is_stamped, lambda t: (plain.stamped_name(t), plain.read_stamped(t))),
    Layout("headed", plain.is_headed, lambda t: (plain.headed_name(t), plain.read_headed(t))),
    Layout("spoken", plain.is_spoken, _named("shi_sheng", plain.read_spoken)),
)  # fmt: skip
"""Tried in this order: the most distinctive opening first."""


def layout_names() -> tuple[str, ...]:
    """The names that `layout=` takes."""
    return (*(x.name for x in LAYOUTS), "xlsx", "docx")


def read_bytes(data: bytes, layout: str | None = None) -> tuple[str, Reading]:
    """(layout, reading) of a file's bytes. Raises TranscriptError."""
    if not office.is_archive(data):
        return read_str(decode(data), layout)
    kind = office.archive_kind(data)
    if layout not in (None, kind):
        raise _unknown_layout(layout or "", f"the file is {kind}", f"该文件是 {kind}")
    opened = office.workbook(data) if kind == "xlsx" else office.document(data)
    if kind == "docx" and not any(tables.has_header(rows) for rows in opened.tables):
        return "docx", read_str(opened.text)[1]
    reading = _best_table(opened.tables)
    if opened.ours:
        reading = replace(reading, language=opened.language, ours=True, prefixes=False)
    return kind, reading


def _best_table(found: list[list[list[tables.Cell]]]) -> Reading:
    """The reading of the first table (sheet) with a header row; of the first at all, else."""
    chosen = next((rows for rows in found if tables.has_header(rows)), found[0] if found else [])
    return tables.read_rows(chosen)


def read_str(text: str, layout: str | None = None) -> tuple[str, Reading]:
    """(layout, reading) of a text; `layout` overrules detection. Raises TranscriptError."""
    text = text.lstrip("\ufeff")
    if layout is not None:
        chosen = next((x for x in LAYOUTS if x.name == layout), None)
        if chosen is None:
            raise _unknown_layout(
                layout, "known: " + ", ".join(layout_names()), "已知：" + "、".join(layout_names())
            )
        return chosen.read(text)
    found = next((x for x in LAYOUTS if x.looks(text)), None)
    if found is None:
        raise _no_layout(text)
    return found.read(text)


def _unknown_layout(layout: str, en: str, zh: str) -> TranscriptError:
    return TranscriptError(
        en=f"The transcript cannot be read as {layout!r}: {en}.",
        zh=f"无法按 {layout!r} 读取：{zh}。",
    )


def _no_layout(text: str) -> TranscriptError:
    number, line = next(((n, x) for n, x in enumerate(text.split("\n"), 1) if x.strip()), (1, ""))
    start = repr(line.strip()[:40])
    return TranscriptError(
        en=f"The layout of the transcript is not known (line {number}: {start}). Known: "
        "SRT, VTT, JSON of recognisers, CSV, XLSX, DOCX, 师：/生： text, bracketed times, Tencent, "
        "Feishu, iFlytek and Otter text, TextGrid, ELAN, CHAT, RTTM, STM, CTM.",
        zh=f"无法识别转写文件的格式（第 {number} 行：{start}）。支持：SRT、VTT、各识别"
        "引擎的 JSON、CSV、XLSX、DOCX、师：/生：文本、带时间戳文本、腾讯会议、飞书妙记、讯飞听见、"
        "Otter、TextGrid、ELAN、CHAT、RTTM、STM、CTM。",
    )
