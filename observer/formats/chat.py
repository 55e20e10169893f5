"""CHAT, the transcription format of TalkBank and CHILDES (CHAT manual, part 1)."""

import re
from collections.abc import Iterable, Iterator

from observer.formats.cues import Cue, Reading, check_times, damaged
from observer.transcript import join_text


def is_chat(text: str) -> bool:
    """Whether it opens as CHAT does."""
    return re.match(r"\s*@(?:UTF8|Begin|PID|Font|Window)\b", text) is not None


_BULLET = re.compile(r"[\x15•]?\s?(?<!\d)(\d{1,9})_(\d{1,9})\s?[\x15•]?")
_CHAT_CODES = (
    (re.compile(r"\[[^\[\]]*\]"), ""),
    (re.compile(r"&[=~+-]?\S+"), ""),
    (re.compile(r"\b(?:xxx|yyy|www)\b"), ""),
    (re.compile(r"\(\.+\)|\(\d*\.?\d*\)"), ""),
    (re.compile(r"[<>‡„↑↓≠⌈⌉⌊⌋°∆∇☺ʔ]"), ""),
    (re.compile(r"\((\w+)\)"), r"\1"),
    (re.compile(r"(\w)@\w+(?::\w+)?"), r"\1"),
    (re.compile(r"\+(?:\.\.\.|/{1,2}[.?]?|\"/?\.?|[,+^<])\??"), ""),
    (re.compile(r"(?<=\w)[:^](?=\w)"), ""),
    (re.compile(r"\b0\w*"), ""),
)
"""CHAT codes that are not words (CHAT manual, part 1), and what is left of them."""


def read_chat(text: str) -> Reading:
    """Main lines (*ABC:) with their time bullets; the participant's role is the speaker."""
    roles: dict[str, str] = {}
    language: str | None = None
    cues: list[Cue] = []
    for number, line in _logical_lines(text):
        if line.startswith("@Participants:"):
            roles = dict(_participants(line.split(":", 1)[1]))
        elif line.startswith("@Languages:"):
            language = line.split(":", 1)[1].strip()
        elif line.startswith("*"):
            cues.append(_chat_cue(line, number, roles))
        elif line[:1] not in ("@", "%", ""):
            raise damaged(
                number, f"not a CHAT line: {line[:40]}", f"不是 CHAT 格式的行：{line[:40]}"
            )
    return Reading(tuple(c for c in cues if c.text), language, prefixes=False)


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with their continuations (which begin with a tab), numbered by their first."""
    held: tuple[int, str] | None = None
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith(("\t", "  ")) and held is not None:
            held = held[0], f"{held[1]} {line.strip()}"
            continue
        if held is not None:
            yield held
        held = number, line.strip()
    if held is not None:
        yield held


def _participants(text: str) -> Iterable[tuple[str, str]]:
    for entry in text.split(","):
        parts = entry.split()
        if len(parts) > 1:
            yield parts[0], parts[-1]


def _chat_cue(line: str, number: int, roles: dict[str, str]) -> Cue:
    code, colon, said = line[1:].partition(":")
    if not colon:
        raise damaged(number, "a main line without a colon", "主行缺少冒号")
    start = end = None
    for match in _BULLET.finditer(said):
        start = int(match[1]) / 1000 if start is None else start
        end = int(match[2]) / 1000
    check_times(start, end, number)
    said = _BULLET.sub("", said)
    if "\x15" in said:
        raise damaged(
            number,
            "a time bullet that is no pair of milliseconds",
            "时间标记不是一对毫秒数",
        )
    for pattern, left in _CHAT_CODES:
        said = pattern.sub(left, said)
    said = re.sub(r"\s+([.,?!])", r"\1", join_text(said.split()))
    spoken = any(c.isalnum() for c in said)
    return Cue(said if spoken else "", start, end, roles.get(code, code), line=number)
