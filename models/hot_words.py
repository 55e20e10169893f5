"""Names and terms of a lesson that a recogniser should expect: from a file, a list, the title."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from observer.errors import UsageError

MOST_CHARACTERS: Final = 120
"""Of all hot words together: Whisper's prompt holds 223 tokens, and a long one is read back."""
_BETWEEN: Final = re.compile(r"[,，、;；\n\r\t|]+")
_CHINESE: Final = re.compile(r"[\u4e00-\u9fff]{2,12}")
_LATIN: Final = re.compile(r"[A-Za-z]{4,}")
_SAYS_NOTHING: Final = re.compile(
    r"(?:新?录音|录像|录制|视频|音频|课堂|实录|公开课|示范课|优质课|说课|微课|上课|老师|教师|教学|学校"
    r"|小学|初中|高中|中学|幼儿园|[一二三四五六七八九初高]年级|年级|[上下]册|上午|下午|会议"
    r"|第[一二三四五六七八九十]+(?:课时?|节|单元)|[一二三四五六七八九十]班|语文|数学|英语|副本|备份|[上中下]集)+"
)
_FILE_WORDS: Final = frozenset(
    "audio class copy edited export final hour lesson lessons meeting recording room school "
    "teacher test track untitled video voice zoom".split()
)


def read_hot_words(given: str) -> tuple[str, ...]:
    """The words of a UTF-8 file (one or several a line; # begins a remark), or those of `given`
    itself, separated by commas. Raises UsageError for a file that is no text."""
    path = Path(given).expanduser()
    text = given
    if len(given) < 1000 and path.is_file():
        try:
            text = path.read_text("utf-8-sig")
        except UnicodeDecodeError as cause:
            raise UsageError(
                en=f"{path.name} is not a text file in UTF-8; save the list of words as UTF-8.",
                zh=f"{path.name} 不是 UTF-8 文本文件；请将词表另存为 UTF-8 编码。",
            ) from cause
    lines = (line.partition("#")[0] for line in text.splitlines())
    words = (word.strip() for line in lines for word in _BETWEEN.split(line))
    return tuple(dict.fromkeys(word for word in words if word))


def title_words(title: str) -> tuple[str, ...]:
    """What a lesson's title (or its file's name) says about its content; empty when nothing.

    Names of cameras, dates and words like “lesson” or 课堂实录 say nothing.
    """
    chinese = (re.split(_SAYS_NOTHING, run) for run in _CHINESE.findall(title))
    found = [part for parts in chinese for part in parts if part and len(part) >= 2]
    latin = [word for word in _LATIN.findall(title) if word.lower() not in _FILE_WORDS]
    return tuple(dict.fromkeys([*found, *latin]))


def fitting(words: Iterable[str]) -> tuple[str, ...]:
    """As many words, in order, as a recogniser's prompt can carry."""
    kept: list[str] = []
    room = MOST_CHARACTERS
    for word in words:
        room -= len(word) + 1
        if room < 0:
            break
        kept.append(word)
    return tuple(kept)
