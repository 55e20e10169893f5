"""Subtitles: SRT and WebVTT (Zoom, Teams), and by pysubs2 also ASS, SSA, TTML and SAMI.

SRT and WebVTT are split into blocks here, because pysubs2 1.8 reads WebVTT comments and cue
names into the words of the cue before (a test shows it), drops text in braces, and names no
line when a file is damaged. WebVTT: https://www.w3.org/TR/webvtt1/.
"""

import html
import re
from dataclasses import dataclass, replace

from observer.formats.clock import parse_clock
from observer.formats.cues import Cue, Reading, check_times, damaged
from observer.formats.prefixes import share_out

_ARROW = re.compile(r"^\s*(\S*\d[:：]\d\S*)\s*--+>\s*(\S+)?(?:\s.*)?$")
_DAMAGED_ARROW = re.compile(r"^\s*[\d:.,]+\s*--+>|--+>\s*\d+:\d[\d:.,]*\s*$")
_TAG = re.compile(
    r"</?(?:b|i|u|s|c|font|ruby|rt|lang|v)(?:[ .=][^<>]*)?>|<\d[\d:.]*>", re.IGNORECASE
)
_VOICE = re.compile(r"<v(?:\.[^\s<>]*)?\s+([^<>]*)>", re.IGNORECASE)
_ASS_OVERRIDE = re.compile(r"\{\\[^{}]*\}")


@dataclass(slots=True)
class _Block:
    start: float
    end: float
    line: int
    text: list[str]


LONGEST_TIME_LINE = 200
"""Longer lines are words; the patterns are not tried on them (they backtrack)."""


def _arrow(line: str) -> re.Match[str] | None:
    return _ARROW.match(line) if len(line) <= LONGEST_TIME_LINE else None


def is_vtt(text: str) -> bool:
    """Whether the text opens as WebVTT must."""
    return re.match(r"\s*WEBVTT(?:[ \t\n]|$)", text) is not None


def is_srt(text: str) -> bool:
    """Whether a line of two clock times and an arrow stands near the top."""
    return any(_arrow(line) for line in text.split("\n", 60)[:60])


def read_srt(text: str) -> Reading:
    """SubRip; a damaged time line raises TranscriptError with its number."""
    cues = [_srt_cue(block) for block in _blocks(text, vtt=False)]
    return Reading(tuple(_headed_by_speaker(cues)))


def read_vtt(text: str) -> Reading:
    """WebVTT with voice tags, comments, styles, regions and character references."""
    cues = [cue for block in _blocks(text, vtt=True) for cue in _vtt_cues(block)]
    language = re.search(r"^Language:\s*(\S+)", text.split("\n\n", 1)[0], re.MULTILINE)
    ours = text.split("\n", 1)[0].strip() == VTT_HEADER
    return Reading(tuple(cues), language[1] if language else None, ours=ours, prefixes=not ours)


VTT_HEADER = "WEBVTT - observer"
"""First line of the files that we write: their speakers are all in voice tags."""


def _blocks(text: str, *, vtt: bool) -> list[_Block]:
    """Cues with their lines of text, without the number or name that stands before each."""
    blocks: list[_Block] = []
    inside = False
    numbered = False
    before = ""
    for number, line in enumerate(text.split("\n"), 1):
        if match := _arrow(line):
            if not blocks:
                numbered = before.strip().isdecimal()
            elif numbered and inside and before.strip().isdecimal():
                blocks[-1].text.pop()
            start, end = _times(match, number)
            blocks.append(_Block(start, end, number, []))
            inside = True
        elif len(line) <= LONGEST_TIME_LINE and _DAMAGED_ARROW.search(line):
            raise damaged(
                number,
                f"this is not a time line: {line.strip()[:60]}",
                f"时间行无法识别：{line.strip()[:60]}",
            )
        elif vtt and not line.strip():
            inside = False
        elif inside:
            blocks[-1].text.append(line)
        before = line
    return blocks


def _times(match: re.Match[str], number: int) -> tuple[float, float]:
    start, end = parse_clock(match[1]), parse_clock(match[2] or "")
    if start is None or end is None:
        wrong = match[1] if start is None else (match[2] or "")
        raise damaged(
            number,
            f"{wrong!r} is not a time (HH:MM:SS,mmm)",
            f"{wrong!r} 不是时间（应为 时:分:秒,毫秒）",
        )
    check_times(start, end, number)
    return start, end


def _srt_cue(block: _Block) -> Cue:
    text = "\n".join(line.strip() for line in block.text).strip()
    text = _ASS_OVERRIDE.sub("", _TAG.sub("", text)).replace(SRT_ARROW, "-->")
    return Cue(text, block.start, block.end, line=block.line)


def _headed_by_speaker(cues: list[Cue]) -> list[Cue]:
    """Cues of a file where, as in Teams' documents, a cue's first line is its speaker.

    That is so when nearly every cue has two lines and the first ones are few, short and without
    punctuation.
    """
    lines = [c.text.split("\n", 1) for c in cues]
    two = [x for x in lines if len(x) == 2]
    heads = {x[0].strip() for x in two}
    named = all(_NAME_LINE.fullmatch(head) for head in heads)
    if len(two) < max(3, 0.9 * len(cues)) or not named or len(heads) > max(2, len(two) // 3):
        return cues
    return [
        replace(c, speaker=x[0].strip(), text=x[1]) if len(x) == 2 else c
        for c, x in zip(cues, lines, strict=True)
    ]


_NAME_LINE = re.compile(r"[^\s\d.,!?:;。，！？：；、…][^.,!?:;。，！？：；、…\n]{0,39}")

SRT_ARROW = "--\u200b>"
"""How an arrow inside SRT text is written: a zero-width space keeps it from being a time line."""


def _vtt_cues(block: _Block) -> list[Cue]:
    text = "\n".join(line.strip() for line in block.text).strip()
    pieces = _VOICE.split(text)
    cue = Cue("", block.start, block.end, line=block.line)
    voices: list[tuple[str | None, str]] = []
    if pieces[0].strip() or len(pieces) == 1:
        voices.append((None, _plain(pieces[0])))
    for name, said in zip(pieces[1::2], pieces[2::2], strict=True):
        voices.append((html.unescape(name).strip() or None, _plain(said)))
    if len(voices) == 1:
        return [Cue(voices[0][1], block.start, block.end, speaker=voices[0][0], line=block.line)]
    return share_out(cue, voices)


def _plain(text: str) -> str:
    return html.unescape(_TAG.sub("", text)).strip()


def is_other_subtitle(text: str) -> bool:
    """Whether it is ASS/SSA, TTML or SAMI, which pysubs2 reads."""
    head = text[:4000].lstrip()
    return (
        head.startswith("[Script Info]")
        or head[:5].upper() == "<SAMI"
        or (head.startswith("<") and "http://www.w3.org/ns/ttml" in head)
    )


_OTHER_TIMES = re.compile(
    r"^Dialogue:\s*[^,]*,(?P<ass>[^,]*,[^,\n]*)|\b(?:begin|end|dur)=\"(?P<ttml>[^\"]*)\""
    r"|<sync\b[^>]*?start=\"?(?P<sami>[^\s\">]*)",
    re.IGNORECASE | re.MULTILINE,
)
_VALID_TIMES = {
    "ass": re.compile(r"\s*\d+:\d{1,2}:\d{1,2}[.:]\d+\s*,\s*\d+:\d{1,2}:\d{1,2}[.:]\d+\s*"),
    "ttml": re.compile(r"\d+(?::\d{2}){2}(?:[.:]\d+)*|\d+(?:\.\d+)?(?:h|m|s|ms|f|t)"),
    "sami": re.compile(r"\d+"),
}


def _check_clock(text: str) -> None:
    """pysubs2 passes over lines whose times it cannot read: they are refused here."""
    for match in _OTHER_TIMES.finditer(text):
        kind = match.lastgroup or ""
        if not _VALID_TIMES[kind].fullmatch(match[kind]):
            raise damaged(
                text.count("\n", 0, match.start()) + 1,
                f"{match[kind][:40]!r} is not a time",
                f"{match[kind][:40]!r} 不是时间",
            )


def read_other_subtitle(text: str) -> Reading:
    """ASS, SSA, TTML or SAMI by pysubs2; the ASS name field is the speaker."""
    import pysubs2

    from observer.formats.decoding import refuse_doctype

    refuse_doctype(text[:100_000].encode(errors="replace"))
    _check_clock(text)
    try:
        kind = None
        if text.lstrip().startswith("[Script Info]"):
            kind = "ssa" if "[V4 Styles]" in text else "ass"
        subtitles = pysubs2.SSAFile.from_string(text, format_=kind)
    except (pysubs2.exceptions.Pysubs2Error, ValueError, KeyError, SyntaxError) as error:
        raise damaged(
            None, f"pysubs2 cannot read it ({error})", f"pysubs2 无法读取（{error}）"
        ) from error
    cues = []
    for entry, event in enumerate(subtitles, 1):
        if not event.is_comment:
            start, end = event.start / 1000, event.end / 1000
            check_times(start, end, entry)
            cues.append(Cue(event.plaintext.strip(), start, end, event.name or None, line=entry))
    return Reading(tuple(cues))
