"""Values out of JSON that may be anything: parsed, typed and placed, or refused."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from observer.formats.cues import Entry, damaged

Json: TypeAlias = "str | float | int | bool | list[Json] | dict[str, Json] | None"


def parse_json(text: str) -> Json:
    """The value. Raises TranscriptError with the line of the fault."""
    try:
        value: Json = json.loads(text)
    except json.JSONDecodeError as error:
        raise damaged(
            error.lineno,
            f"not valid JSON ({error.msg}, column {error.colno}); is the file cut off?",
            f"不是有效的 JSON（第 {error.colno} 列：{error.msg}），文件是否不完整？",
        ) from error
    except (RecursionError, ValueError) as error:
        raise damaged(None, "the JSON is nested too deeply", "JSON 嵌套过深或数值过大") from error
    return value


def obj(value: Json) -> dict[str, Json]:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def first(entry: Mapping[str, Json], names: Sequence[str]) -> Json:
    """The first of the fields that is there and not null."""
    return next((entry[n] for n in names if entry.get(n) is not None), None)


def number(
    entry: Mapping[str, Json], names: Sequence[str], scale: float, place: Entry
) -> float | None:
    """The first of the fields as a number times `scale`; numbers in strings count."""
    value = first(entry, names)
    if value is None:
        return None
    try:
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            return round(float(value) * scale, 6)
    except (ValueError, OverflowError):
        pass
    shown = str(value)[:40]
    raise damaged(place, f"{names[0]} is not a number: {shown}", f"{names[0]} 不是数字：{shown}")


def line_of_entry(text: str, key: str, position: int) -> int | None:
    """The line on which entry `position` (from 1) of the list named `key` begins.

    Lists of one name are counted through. `key` "" is the list that the file itself is.
    """
    decoder = json.JSONDecoder()
    opening = rf'"{re.escape(key)}"\s*:\s*\[' if key else r"\["
    counted = 0
    for match in re.finditer(opening, text):
        at = _next_value(text, match.end())
        while at < len(text) and text[at] != "]":
            counted += 1
            if counted == position:
                return text.count("\n", 0, at) + 1
            try:
                _, at = decoder.raw_decode(text, at)
            except (json.JSONDecodeError, RecursionError):
                return None
            at = _next_value(text, at)
    return None


def _next_value(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\n\r,":
        at += 1
    return at
