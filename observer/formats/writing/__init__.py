"""Writing transcripts: `write` to a file, `encode` to bytes, `dumps` to text.

One module per family. The same transcript always gives the same bytes: no format carries the
time at which it was written. What each format can hold is listed in docs/formats.md and tested
by reading everything back.
"""

from collections.abc import Callable
from pathlib import Path

from observer.errors import UsageError
from observer.files import write_atomically
from observer.formats.cues import SCHEMA
from observer.formats.writing.annotation import to_eaf, to_textgrid
from observer.formats.writing.document import to_docx
from observer.formats.writing.fields import Label, name_label, role_label
from observer.formats.writing.native import to_json
from observer.formats.writing.nist import to_rttm
from observer.formats.writing.subtitles import to_srt, to_vtt
from observer.formats.writing.tables import guarded, to_csv, to_xlsx
from observer.transcript import Transcript

__all__ = ["FORMATS", "SCHEMA", "dumps", "encode", "guarded", "write"]

FORMATS: dict[str, Callable[[Transcript, Label], str | bytes]] = {
    "vtt": to_vtt,
    "srt": to_srt,
    "csv": to_csv,
    "json": to_json,
    "xlsx": to_xlsx,
    "docx": to_docx,
    "textgrid": to_textgrid,
    "eaf": to_eaf,
    "rttm": to_rttm,
}
"""Format (and file suffix, in any case) → writer."""


def encode(transcript: Transcript, format: str, *, keep_names: bool = False) -> bytes:  # noqa: A002
    """The transcript as the bytes of a file in one of FORMATS.

    Formats with one label per utterance get the role's title; with `keep_names` the speaker's
    own label where there is one. Raises UsageError for an unknown format and OutputError for a
    transcript that the format cannot hold (subtitles and annotation formats need times).
    """
    content = _written(transcript, format, keep_names=keep_names)
    return content.encode() if isinstance(content, str) else content


def dumps(transcript: Transcript, format: str, *, keep_names: bool = False) -> str:  # noqa: A002
    """The same as text. Raises UsageError for XLSX and DOCX, which are no text."""
    content = _written(transcript, format, keep_names=keep_names)
    if isinstance(content, bytes):
        raise UsageError(
            en=f"{format!r} is not a text format; use encode() or write().",
            zh=f"{format!r} 不是文本格式，请使用 encode() 或 write()。",
        )
    return content


def write(
    transcript: Transcript,
    path: str | Path,
    format: str | None = None,  # noqa: A002
    *,
    keep_names: bool = False,
) -> Path:
    """Write to `path`, in the format of its suffix unless `format` says another.

    Raises OutputError (disk full, no permission, no times) and UsageError (unknown format).
    """
    target = Path(path)
    chosen = format or target.suffix.lstrip(".").casefold()
    write_atomically(target, encode(transcript, chosen, keep_names=keep_names))
    return target


def _written(transcript: Transcript, format: str, *, keep_names: bool) -> str | bytes:  # noqa: A002
    if format not in FORMATS:
        known = ", ".join(FORMATS)
        raise UsageError(
            en=f"Transcripts cannot be written as {format!r}; known: {known}.",
            zh=f"转写不能写成 {format!r} 格式；可用：{known}。",
        )
    return FORMATS[format](transcript, name_label if keep_names else role_label)
