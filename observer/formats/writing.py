"""Writing transcripts: WebVTT, SRT, CSV and JSON; what is written reads back the same."""

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

from observer.errors import OutputError, UsageError
from observer.files import write_atomically
from observer.formats.clock import format_clock
from observer.formats.labels import title
from observer.formats.subtitles import SRT_ARROW, VTT_HEADER
from observer.formats.tables import FORMULA, OUR_COLUMNS
from observer.timeline import Span
from observer.transcript import Transcript, Utterance, join_text

SCHEMA = "observer/transcript/1"


def dumps(transcript: Transcript, format: str) -> str:  # noqa: A002
    """The transcript as text in one of FORMATS: "vtt", "srt", "csv" or "json".

    Subtitles need times: raises OutputError for a transcript that lacks some, UsageError for
    an unknown format.
    """
    if format not in FORMATS:
        known = ", ".join(FORMATS)
        raise UsageError(
            en=f"Transcripts cannot be written as {format!r}; known: {known}.",
            zh=f"转写不能写成 {format!r} 格式；可用：{known}。",
        )
    return FORMATS[format](transcript)


def write(transcript: Transcript, path: str | Path, format: str | None = None) -> Path:  # noqa: A002
    """Write to `path`, in the format of its suffix unless `format` says another.

    Raises OutputError (disk full, no permission, no times) and UsageError (unknown format).
    """
    target = Path(path)
    text = dumps(transcript, format or target.suffix.lstrip(".").casefold())
    write_atomically(target, text)
    return target


def _timed(utterance: Utterance) -> Span:
    if utterance.span is None:
        raise OutputError(
            en=f"Utterance {utterance.id} has no times, and subtitles need them. Write CSV or "
            "JSON, or give the recording so that times can be aligned.",
            zh=f"话语 {utterance.id} 没有时间，无法写成字幕。"
            "请改写 CSV 或 JSON，或提供录音以对齐时间。",
        )
    return utterance.span


def _label(utterance: Utterance, language: str) -> str | None:
    if utterance.role is not None:
        return title(utterance.role, language)
    return utterance.speaker


def _one_line(text: str) -> str:
    lines = [
        line for line in re.split(r"[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]", text) if line.strip()
    ]
    return join_text(lines)


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def to_vtt(transcript: Transcript) -> str:
    """WebVTT with a voice tag of the role on every cue (https://www.w3.org/TR/webvtt1/)."""
    blocks = [f"{VTT_HEADER}\nLanguage: {transcript.language}"]
    for utterance in transcript:
        span = _timed(utterance)
        label = _label(utterance, transcript.language)
        voice = f"<v {_escape(_one_line(label))}>" if label else ""
        times = f"{format_clock(span.start)} --> {format_clock(span.end)}"
        blocks.append(f"{utterance.id}\n{times}\n{voice}{_escape(_one_line(utterance.text))}")
    return "\n\n".join(blocks) + "\n"


def to_srt(transcript: Transcript) -> str:
    """SubRip with the role before the words; an arrow in the words is broken invisibly."""
    colon = "：" if transcript.language == "zh" else ": "
    blocks = []
    for number, utterance in enumerate(transcript, 1):
        span = _timed(utterance)
        label = _label(utterance, transcript.language)
        text = (f"{label}{colon}" if label else "") + _one_line(utterance.text)
        times = f"{format_clock(span.start, ',')} --> {format_clock(span.end, ',')}"
        blocks.append(f"{number}\n{times}\n{text.replace('-->', SRT_ARROW)}")
    return "\n\n".join(blocks) + "\n"


def guarded(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula (OWASP, CSV injection)."""
    return f"'{cell}" if FORMULA.match(cell) else cell


def to_csv(transcript: Transcript) -> str:
    """CSV with a byte order mark (Excel needs it for Chinese); formulas are guarded."""
    out = io.StringIO()
    out.write("\ufeff")
    writer = csv.writer(out)
    writer.writerow(OUR_COLUMNS)
    for u in transcript:
        probability = "" if u.role_probability is None else f"{u.role_probability:.4f}"
        writer.writerow(
            [
                guarded(u.id),
                "" if u.start is None else f"{u.start:.3f}",
                "" if u.end is None else f"{u.end:.3f}",
                guarded(u.speaker or ""),
                "" if u.role is None else u.role.value,
                probability,
                "true" if u.approximate else "false",
                guarded(u.text),
            ]
        )
    return out.getvalue()


def to_json(transcript: Transcript) -> str:
    """JSON with everything: ids, times, roles, words and confidences."""
    body = {
        "schema": SCHEMA,
        "language": transcript.language,
        "source": transcript.source,
        "utterances": [_fields(u) for u in transcript],
    }
    return json.dumps(body, ensure_ascii=False, indent=1) + "\n"


def _fields(u: Utterance) -> dict[str, object]:
    return {
        "id": u.id,
        "start": u.start,
        "end": u.end,
        "speaker": u.speaker,
        "role": None if u.role is None else u.role.value,
        "role_probability": u.role_probability,
        "approximate": u.approximate,
        "text": u.text,
        "words": [
            {"text": w.text, "start": w.start, "end": w.end, "confidence": w.confidence}
            for w in u.words
        ],
    }


FORMATS: dict[str, Callable[[Transcript], str]] = {
    "vtt": to_vtt,
    "srt": to_srt,
    "csv": to_csv,
    "json": to_json,
}
"""Format → writer."""
