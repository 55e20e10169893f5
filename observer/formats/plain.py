"""Transcripts as plain text: who (and when) on the line, or on the line above.

Three shapes cover what people have. *Headed*: a line with the speaker and a time, the words
below it (Feishu, iFlytek, Otter, Tencent Meeting's Markdown). *Stamped*: time, speaker and
words on one line (bracketed times, Tencent Meeting's text). *Spoken*: speaker and words, no
times (师：/生：, the printed lesson record 课堂实录).
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from observer.formats.clock import CLOCK, parse_clock
from observer.formats.cues import Cue, Note, Reading, check_times, damaged
from observer.formats.labels import declared_role, is_machine, normalised
from observer.formats.prefixes import accepted_labels, split_prefix

_OPEN, _CLOSE = r"[\[(（【<]", r"[\])）】>]"
_RANGE = rf"({CLOCK})(?:\s*(?:-->?|[-–—~～至])\s*({CLOCK}))?"
_HEAD = re.compile(
    rf"\s*(?:[-*•]\s+)?(?:\*\*)?(?P<who>[^\n:：\[(（]{{1,40}}?)(?:\*\*)?[\s:：]*"
    rf"{_OPEN}?\s*{_RANGE}\s*{_CLOSE}?\s*"
)
_HEAD_TIME_FIRST = re.compile(
    rf"\s*{_OPEN}?\s*{_RANGE}\s*{_CLOSE}?\s+(?:\*\*)?(?P<who>[^\n:：。？！，]{{1,30}}?)(?:\*\*)?\s*[:：]?\s*"
)
_HEAD_BRACKET = re.compile(rf"\s*\[(?P<who>[^\[\]\n:：]{{1,40}})\]\s*{_RANGE}\s*")
"""Zoom's saved captions: "[Ann Li] 14:02:33"."""
_STAMP_ALONE = re.compile(rf"\s*{_OPEN}?\s*{_RANGE}\s*{_CLOSE}?\s*")
"""A line with nothing but a time; the words stand below it."""
_STAMP_FIRST = re.compile(rf"\s*{_OPEN}\s*{_RANGE}\s*{_CLOSE}\s*(?P<text>.*)")
_STAMP_BARE = re.compile(rf"\s*{_RANGE}(?P<gap>\s+|\s*[|｜\t]\s*)(?P<text>\S.*)")
_STAMP_AFTER = re.compile(
    rf"\s*(?P<who>[^\n:：\[(（]{{1,40}}?)\s*{_OPEN}\s*{_RANGE}\s*{_CLOSE}\s*[:：]\s*(?P<text>.*)"
)
_BAD_STAMP = re.compile(
    r"\s*(?:[^\n:：\[(（]{0,40}?)\s*[\[(（【]\s*\d+[:：][^\s\])）】]{0,12}\s*(?:[\])）】]|[^\d\W])"
)
"""An opened bracket with the beginning of a time: a line that should have been a stamp."""
_BAD_TIME = re.compile(r"(?P<who>.{1,40}?)\s*[\[(（]?\s*\d{1,3}[:：]\S{0,12}\s*")
_HEADING = re.compile(
    r"\s*(?:#{1,6}\s|《.*》\s*\S{0,8}$|[（(【\[].*[】\])）]\s*$|第[一二三四五六七八九十\d]+[课节章环部]"
    r"|[一二三四五六七八九十]+[、.．]|(?:\d+[、.．]|[（(][一二三四五六七八九十\d]+[)）])[^。？！?!]{0,20}$"
    r"|-{3,}|={3,}|\*{3,}|(?:片段|环节|板块|活动)[一二三四五六七八九十\d]+)"
)
_FOOTER = re.compile(
    r"\s*(?:Transcribed by https?://otter\.ai|以上内容由\s*AI\s*生成.*|.*仅供参考\s*$|https?://\S+\s*$"
    r"|(?:由|本内容由).{0,12}(?:生成|提供|转写)\s*$)",
    re.IGNORECASE,
)


MAX_HEAD, MAX_LINE = 200, 100_000
"""Longest line (characters) that is tried as a head, and as words with a time."""


@dataclass(frozen=True, slots=True)
class _Line:
    """One line taken apart; `who` and `start` None where it has none."""

    number: int
    text: str
    who: str | None = None
    start: float | None = None
    end: float | None = None


def _match(
    pattern: re.Pattern[str], line: str, number: int, longest: int = MAX_LINE
) -> _Line | None:
    """`line` taken apart by a pattern with a time range and perhaps who and text."""
    line = line.strip()  # runs of blanks at the ends make the patterns quadratic
    match = pattern.fullmatch(line) if len(line) <= longest else None
    if match is None:
        return None
    groups = match.groupdict()
    first, last = (g for g in _ranges(match))
    start = parse_clock(first or "")
    end = parse_clock(last) if last else None
    if start is None or (last and end is None):
        raise damaged(
            number,
            f"this is not a time: {first if start is None else last}",
            f"不是有效的时间：{first if start is None else last}",
        )
    check_times(start, end, number)
    who = groups.get("who")
    return _Line(number, (groups.get("text") or "").strip(), who and who.strip(), start, end)


def _ranges(match: re.Match[str]) -> Iterator[str | None]:
    named = {match.re.groupindex[name] for name in match.re.groupindex}
    numbered = [i for i in range(1, match.re.groups + 1) if i not in named]
    return (match[i] for i in numbered)


def _heads(line: str, number: int) -> _Line | None:
    shapes = (_HEAD, _HEAD_TIME_FIRST, _HEAD_BRACKET)
    matches = (_match(shape, line, number, MAX_HEAD) for shape in shapes)
    found = next((m for m in matches if m is not None), None)
    if found is None or not any(c.isalpha() for c in found.who or ""):
        return None
    return found


def _stamps(line: str, number: int) -> _Line | None:
    return (
        _match(_STAMP_FIRST, line, number)
        or _match(_STAMP_AFTER, line, number)
        or _match(_STAMP_BARE, line, number)
        or _match(_STAMP_ALONE, line, number, MAX_HEAD)
    )


def _count(text: str, shape: Callable[[str, int], _Line | None]) -> int:
    found = 0
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip() and not _HEADING_DATE.match(line) and shape(line, number) is not None:
            found += 1
    return found


_HEADING_DATE = re.compile(r"\s*\d{2,4}[年/-]\d{1,2}[月/-]")
"""A line that begins with a date is the meeting's own head, not a speaker's."""


def is_headed(text: str) -> bool:
    """Whether speaker-and-time lines with words below them are at least a fifth of the lines."""
    lines = sum(1 for line in text.split("\n") if line.strip())
    return _count(text, _heads) >= max(1, 0.2 * lines)


def is_stamped(text: str) -> bool:
    """Whether two lines in five (at least one) carry a time and words."""
    lines = sum(1 for line in text.split("\n") if line.strip())
    return _count(text, _stamps) >= max(1, 0.4 * lines)


def is_spoken(text: str) -> bool:
    """Whether lines begin with speakers: two at least, and a third of the lines."""
    lines = [line for line in text.split("\n") if _may_be_speech(line)]
    labels = accepted_labels(lines)
    found = sum(_prefixed(line, labels) for line in lines)
    return found >= 2 and found >= len(lines) / 3


def _may_be_speech(line: str) -> bool:
    """Whether a line is neither empty nor a time alone (Google Meet writes one in 5 minutes)."""
    return bool(line.strip()) and not (len(line) <= MAX_HEAD and _STAMP_ALONE.fullmatch(line))


def _is_heading(line: str) -> bool:
    return len(line) <= MAX_HEAD and _HEADING.match(line) is not None


def _is_footer(line: str) -> bool:
    return len(line) <= MAX_HEAD and _FOOTER.fullmatch(line) is not None


def _prefixed(line: str, labels: frozenset[str]) -> bool:
    prefix = split_prefix(line)
    return prefix is not None and normalised(prefix.label) in labels


def read_headed(text: str) -> Reading:
    """Feishu, iFlytek, Otter, Tencent Markdown: everything before the first head is the title."""
    cues: list[Cue] = []
    skipped: list[int] = []
    before = ""
    for number, line in enumerate(text.split("\n"), 1):
        alone, before = not before.strip(), line
        head = None if _HEADING_DATE.match(line) else _heads(line, number)
        if head is not None:
            cues.append(Cue("", head.start, head.end, head.who, line=number))
        elif _damaged_head(line, cues, alone=alone):
            raise damaged(
                number,
                f"this speaker's line has no valid time: {line.strip()[:40]}",
                f"该发言人行的时间无效：{line.strip()[:40]}",
            )
        elif not line.strip() or _is_footer(line):
            continue
        elif not cues or line.lstrip().startswith("#"):
            skipped.append(number)
        else:
            words = re.sub(r"^\s*>\s?", "", line).strip()
            cues[-1] = replace(cues[-1], text=f"{cues[-1].text}\n{words}".strip())
    return Reading(
        tuple(c for c in cues if c.text), notes=tuple(_skipped_note(skipped)), prefixes=False
    )


def _damaged_head(line: str, cues: list[Cue], *, alone: bool) -> bool:
    """Whether a line is a speaker's with something that is not quite a time.

    The speaker is known, or the line stands after an empty one and is no sentence.
    """
    match = _BAD_TIME.fullmatch(line) if len(line) <= MAX_HEAD else None
    if match is None or not cues:
        return False
    who = match["who"]
    known = any(normalised(who) == normalised(c.speaker or "") for c in cues)
    if known or declared_role(who) is not None or is_machine(who):
        return True
    return alone and any(c.isalpha() for c in who) and not re.search(r"[。，？！,?!]", line)


def read_stamped(text: str) -> Reading:
    """Bracketed times and Tencent's text; a bracket that is no time raises TranscriptError."""
    cues: list[Cue] = []
    skipped: list[int] = []
    for number, line in enumerate(text.split("\n"), 1):
        stamp = None if _HEADING_DATE.match(line) else _stamps(line, number)
        if stamp is not None:
            cues.append(Cue(stamp.text, stamp.start, stamp.end, stamp.who, line=number))
        elif _BAD_STAMP.match(line.strip()[:MAX_HEAD]):
            raise damaged(
                number,
                f"this is not a time: {line.strip()[:40]}",
                f"不是有效的时间：{line.strip()[:40]}",
            )
        elif not line.strip() or _is_footer(line):
            continue
        elif not cues or _is_heading(line):
            skipped.append(number)
        else:
            cues[-1] = replace(cues[-1], text=f"{cues[-1].text}\n{line.strip()}".strip())
    return Reading(tuple(cues), notes=tuple(_skipped_note(skipped)))


def read_spoken(text: str) -> Reading:
    """师：/生： and the like. Headings and stage directions on their own lines are left out;
    other lines without a speaker continue the one before."""
    lines = text.split("\n")
    labels = accepted_labels([line for line in lines if _may_be_speech(line)])
    cues: list[Cue] = []
    skipped: list[int] = []
    for number, line in enumerate(lines, 1):
        prefix = split_prefix(line)
        if prefix is not None and normalised(prefix.label) in labels:
            cues.append(Cue(prefix.rest.strip(), speaker=prefix.label, line=number))
        elif not _may_be_speech(line) or _is_footer(line):
            continue
        elif not cues or _is_heading(line):
            skipped.append(number)
        else:
            cues[-1] = replace(cues[-1], text=f"{cues[-1].text}\n{line.strip()}".strip())
    return Reading(tuple(cues), notes=tuple(_skipped_note(skipped)), prefixes=False)


def _skipped_note(lines: list[int]) -> Iterator[Note]:
    if lines:
        shown = ", ".join(map(str, lines[:12])) + (" …" if len(lines) > 12 else "")
        yield Note(
            "skipped_lines",
            f"{len(lines)} lines are titles or stage directions and were not read as speech "
            f"(lines {shown}).",
            f"有 {len(lines)} 行是标题或说明文字，未作为发言读取（第 {shown} 行）。",
        )


def headed_name(text: str) -> str:
    """Which program wrote a headed text: "tencent_md", "otter", "iflyrec", "feishu", "minutes"."""
    head = text[:2000]
    if re.search(r"^\*\*.+\*\*\s*\[", text, re.MULTILINE):
        return "tencent_md"
    if "otter.ai" in text[-400:]:
        return "otter"
    if re.search(r"文字记录|关键词[:：]|飞书|妙记", head):
        return "feishu"
    if re.search(r"^说话人\d+ ", text, re.MULTILINE) or "讯飞" in text:
        return "iflyrec"
    return "minutes"


def stamped_name(text: str) -> str:
    """Which shape of stamped text it is: "tencent_txt" or "bracket_time"."""
    after = sum(1 for line in text.split("\n") if _STAMP_AFTER.fullmatch(line.strip()[:MAX_LINE]))
    return "tencent_txt" if after * 2 > _count(text, _stamps) else "bracket_time"
