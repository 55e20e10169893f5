"""DOCX: a table to read, print and mark; start, end, who, words."""

import io
from typing import TYPE_CHECKING

from observer.formats.clock import format_clock
from observer.formats.writing.archive import sealed
from observer.formats.writing.fields import Label, one_line
from observer.transcript import Transcript, Utterance

if TYPE_CHECKING:
    from docx.document import Document

HEADERS = {"zh": ("开始", "结束", "说话人", "内容"), "en": ("Start", "End", "Speaker", "Text")}
_WIDTHS = (2.5, 2.5, 2.4, 8.6)
"""Centimetres; together the text width of the page."""
_HEADING = {"zh": "课堂转写", "en": "Transcript"}
_APPROXIMATE = {
    "zh": "时间为近似值。",
    "en": "Times are approximate.",
}
_GUESSED = {
    "zh": "部分说话人的角色由程序推断，并非标注。",
    "en": "Some roles were inferred by the program, not stated.",
}


def to_docx(transcript: Transcript, label: Label) -> bytes:
    """A Word document with one table row an utterance; untimed utterances have empty times."""
    from docx import Document
    from docx.shared import Cm

    language = "zh" if transcript.language == "zh" else "en"
    document = Document()
    document.add_heading(_HEADING[language], level=1)
    _cautions(document, transcript, language)
    table = document.add_table(rows=len(transcript) + 1, cols=4, style="Table Grid")
    rows = iter(table.rows)
    for cell, text, width in zip(next(rows).cells, HEADERS[language], _WIDTHS, strict=True):
        cell.text = text
        cell.width = Cm(width)
    for row, utterance in zip(rows, transcript, strict=True):
        texts = _cells(utterance, label(utterance, transcript.language))
        for cell, text, width in zip(row.cells, texts, _WIDTHS, strict=True):
            cell.text = text
            cell.width = Cm(width)
    out = io.BytesIO()
    document.save(out)
    return sealed(out.getvalue(), transcript.language)


def _cautions(document: "Document", transcript: Transcript, language: str) -> None:
    """The table has no column for them: that times are approximate and roles inferred."""
    if any(u.approximate for u in transcript):
        document.add_paragraph(_APPROXIMATE[language])
    if any(u.role_probability is not None for u in transcript):
        document.add_paragraph(_GUESSED[language])


def _cells(utterance: Utterance, label: str | None) -> tuple[str, str, str, str]:
    start = "" if utterance.start is None else format_clock(utterance.start)
    end = "" if utterance.end is None else format_clock(utterance.end)
    return start, end, label or "", one_line(utterance.text)
