"""What an utterance is in a file: its label, one line of its words, its times, safe characters."""

import re
from collections.abc import Callable
from typing import TypeAlias

from observer.errors import OutputError
from observer.formats.labels import title
from observer.timeline import Span
from observer.transcript import Transcript, Utterance, join_text

Label: TypeAlias = Callable[[Utterance, str], str | None]
"""(utterance, language) → the label it is written under, None for no label."""

_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")
"""Control characters and noncharacters: XML 1.0 (§2.2) forbids or discourages them."""
SURROGATES = re.compile("[\ud800-\udfff]")
_LINE_ENDS = re.compile("[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")


def role_label(utterance: Utterance, language: str) -> str | None:
    """The title of the role (老师, Student …); the speaker's label where no role is known."""
    if utterance.role is not None:
        return title(utterance.role, language)
    return one_line(utterance.speaker) if utterance.speaker else None


def name_label(utterance: Utterance, language: str) -> str | None:
    """The speaker's own label where there is one, else the title of the role."""
    own = one_line(utterance.speaker) if utterance.speaker else ""
    return own or role_label(utterance, language)


def printable(text: str) -> str:
    """`text` without what no file can hold: control characters go, lone surrogates become �."""
    return _UNWRITABLE.sub("", SURROGATES.sub("\ufffd", text))


def one_line(text: str) -> str:
    """Printable text on one line, joined as its script is written."""
    lines = [printable(line) for line in _LINE_ENDS.split(text)]
    return join_text([line for line in lines if line.strip()])


def timed(utterance: Utterance) -> Span:
    """When it was said. Raises OutputError where that is not known."""
    if utterance.span is None:
        raise OutputError(
            en=f"Utterance {utterance.id} has no times, and this format needs them. Write CSV, "
            "XLSX, DOCX or JSON, or give the recording so that times can be aligned.",
            zh=f"话语 {utterance.id} 没有时间，无法写成这种格式。"
            "请改写 CSV、XLSX、DOCX 或 JSON，或提供录音以对齐时间。",
        )
    return utterance.span


def lanes(transcript: Transcript, label: Label) -> list[tuple[str | None, list[Utterance]]]:
    """Utterances by label, those of one label that overlap in time in lanes of their own.

    Praat and ELAN allow no overlap within a tier. Lanes come in the order of their first
    utterance. Raises OutputError when an utterance has no times.
    """
    found: list[tuple[str | None, list[Utterance]]] = []
    for utterance in sorted(transcript, key=lambda u: (timed(u).start, timed(u).end)):
        own = label(utterance, transcript.language)
        lane = next(
            (run for name, run in found if name == own and _over(run[-1], timed(utterance))), None
        )
        if lane is None:
            found.append((own, [utterance]))
        else:
            lane.append(utterance)
    return found


SHORTEST_MS = 1
"""Praat and ELAN know no empty stretch: an utterance of no length is written 1 ms long."""


def milliseconds(span: Span) -> tuple[int, int]:
    """Start and end in whole milliseconds, at least SHORTEST_MS apart."""
    start = round(span.start * 1000)
    return start, max(round(span.end * 1000), start + SHORTEST_MS)


def _over(last: Utterance, span: Span) -> bool:
    return milliseconds(timed(last))[1] <= milliseconds(span)[0]
