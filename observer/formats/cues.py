"""What a layout's reader gives back: cues as they stand in the file, before roles and ids.

A *cue* is the subtitle world's word for one timed entry; here it is one entry of any
transcript file. Readers stay small because everything that all layouts share (speaker
prefixes, missing ends, roles, names, ids) happens once, in observer.formats.assembly.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from observer.errors import TranscriptError
from observer.timeline import Role, Seconds
from observer.transcript import Word

SCHEMA = "observer/transcript/1"
"""Names our own layout in JSON, and our own documents in their properties."""

MAX_CUES = 200_000
"""More entries than a week of talk; a file with more is damaged or hostile."""

MAX_TIME: Seconds = 100 * 3600.0
"""Largest time that is believed: SRT's own limit, 99:59:59."""


@dataclass(frozen=True, slots=True)
class Note:
    """Something the reader of the report should know about the import."""

    code: str
    """"roles_by_talk", "estimated_ends", "names_removed", "skipped_lines" …"""
    en: str
    zh: str


@dataclass(frozen=True, slots=True)
class Cue:
    """One entry of a transcript file; times in seconds, None where the file has none."""

    text: str
    start: Seconds | None = None
    end: Seconds | None = None
    speaker: str | None = None
    """The label as it stands in the file."""
    words: tuple[Word, ...] = ()
    line: int | None = None
    """Line (or entry, in files without lines) from 1, for error messages."""
    role: Role | None = None
    """Only where the file states the role itself (our own JSON and CSV)."""
    role_probability: float | None = None
    approximate: bool = False
    id: str | None = None
    recording: str | None = None
    """Which recording it belongs to, in files that hold several (RTTM, STM, CTM, SegLST)."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Everything one layout's reader found."""

    cues: tuple[Cue, ...]
    language: str | None = None
    """As the file declares it; None when it says nothing."""
    notes: tuple[Note, ...] = ()
    ours: bool = False
    """Whether our own program wrote the file: its times count from the recording's start."""
    prefixes: bool = True
    """Whether the text of a cue may begin with its speaker ("Name: …")."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a file whose entries are not lines; its line is looked up when asked for."""

    number: int
    """From 1."""
    find: Callable[[int], int | None]
    """entry number → line, None where that cannot be told."""


def damaged(place: int | Entry | None, en: str, zh: str) -> TranscriptError:
    """The error for a file that breaks its own format at a line or an entry."""
    line = place.find(place.number) if isinstance(place, Entry) else place
    at_en, at_zh = (f" at line {line}", f"第 {line} 行") if line is not None else ("", "")
    if isinstance(place, Entry):
        at_en += f" (entry {place.number})"
        at_zh += f"（第 {place.number} 条）"
    return TranscriptError(
        en=f"The transcript is damaged{at_en}: {en}", zh=f"转写文件{at_zh}有错误：{zh}"
    )


def no_words_note() -> Note:
    """Tells that a file says who spoke when, not what."""
    return Note(
        "no_words",
        "The file says who spoke when, not what: everything that needs words is missing.",
        "文件只记录谁在何时说话，没有文字；需要文字的指标都无法得出。",
    )


def check_times(start: Seconds | None, end: Seconds | None, place: int | Entry | None) -> None:
    """Raise TranscriptError when a cue's times cannot be: negative, huge, or end before start."""
    for value in (start, end):
        if value is not None and not (math.isfinite(value) and 0 <= value <= MAX_TIME):
            raise damaged(
                place,
                f"{value:g} s is not a time in a recording (0 to 100 hours)",
                f"{value:g} 秒不是录音里的时间（应在 0 到 100 小时之间）",
            )
    if start is not None and end is not None and end < start:
        raise damaged(
            place,
            f"the end ({end:g} s) comes before the start ({start:g} s); correct the two times",
            f"结束时间（{end:g} 秒）早于开始时间（{start:g} 秒），请改正",
        )
