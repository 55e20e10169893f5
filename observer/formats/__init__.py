"""Reading and writing transcripts: `read`, `read_text`, `write`, `encode`, `dumps`.

One module per family of layouts; `detection` chooses by content, `assembly` makes the
Transcript. docs/formats.md lists the layouts, the role table and what happens to names.
"""

from collections.abc import Mapping
from pathlib import Path

from observer.formats.assembly import ImportedTranscript, assemble
from observer.formats.cues import Note
from observer.formats.decoding import load
from observer.formats.detection import layout_names, read_bytes, read_str
from observer.formats.speakers import DeclaredSpeaker
from observer.formats.writing import FORMATS, dumps, encode, write
from observer.timeline import Role

__all__ = [
    "FORMATS",
    "DeclaredSpeaker",
    "ImportedTranscript",
    "Note",
    "dumps",
    "encode",
    "layout_names",
    "read",
    "read_text",
    "write",
]


def read(
    path: str | Path,
    *,
    language: str | None = None,
    layout: str | None = None,
    roles: Mapping[str, Role] | None = None,
    keep_names: bool = False,
    recording: str | None = None,
) -> ImportedTranscript:
    """A transcript file of any known layout, found by its content.

    `language` overrules what the file says and its script shows. `roles` states the role of
    speaker labels as they stand in the file. Names of students are replaced by neutral labels
    unless `keep_names`. Of a file that covers several recordings (RTTM, STM, CTM, SegLST) the
    one called `recording` is read, else the one named as the file is, else the first. Raises
    TranscriptError, with the line where there is one.
    """
    name, reading = read_bytes(load(Path(path)), layout)
    return assemble(
        reading,
        name,
        language=language,
        roles=roles,
        keep_names=keep_names,
        recording=recording,
        file_name=Path(path).stem,
    )


def read_text(
    text: str,
    *,
    language: str | None = None,
    layout: str | None = None,
    roles: Mapping[str, Role] | None = None,
    keep_names: bool = False,
    recording: str | None = None,
) -> ImportedTranscript:
    """The same for text that is already in memory (pasted into a form, say)."""
    name, reading = read_str(text.replace("\r\n", "\n").replace("\r", "\n"), layout)
    return assemble(
        reading,
        name,
        language=language,
        roles=roles,
        keep_names=keep_names,
        recording=recording,
    )
