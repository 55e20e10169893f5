"""CSV and XLSX with one row an utterance and the columns tables.OUR_COLUMNS."""

import csv
import io
import re
from typing import TYPE_CHECKING

from observer.errors import OutputError
from observer.formats.tables import FORMULA, OUR_COLUMNS
from observer.formats.writing.archive import sealed
from observer.formats.writing.fields import Label, one_line, printable
from observer.transcript import Transcript, Utterance

if TYPE_CHECKING:
    from openpyxl.cell.cell import Cell as SheetCell
    from openpyxl.worksheet.worksheet import Worksheet

LONGEST_CELL = 32_767
"""Characters that a cell of Excel holds; openpyxl cuts longer ones without a word."""

_WIDTHS = {"id": 8, "speaker": 14, "text": 80}
_LOOKS_ESCAPED = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")


def guarded(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula (OWASP, CSV injection)."""
    return f"'{cell}" if FORMULA.match(cell) else cell


def to_csv(transcript: Transcript, _label: Label) -> str:
    """CSV with a byte order mark (Excel needs it for Chinese); formulas are guarded."""
    out = io.StringIO()
    out.write("\ufeff")
    writer = csv.writer(out)
    writer.writerow(OUR_COLUMNS)
    for u in transcript:
        probability = "" if u.role_probability is None else f"{u.role_probability:.4f}"
        writer.writerow(
            [
                guarded(printable(u.id)),
                "" if u.start is None else f"{u.start:.3f}",
                "" if u.end is None else f"{u.end:.3f}",
                guarded(printable(u.speaker or "")),
                "" if u.role is None else u.role.value,
                probability,
                "true" if u.approximate else "false",
                guarded(printable(u.text)),
            ]
        )
    return out.getvalue()


def to_xlsx(transcript: Transcript, _label: Label) -> bytes:
    """One sheet; times and probabilities are numbers, all else is text and never a formula.

    Raises OutputError when an utterance is longer than a cell can be.
    """
    from openpyxl import Workbook
    from openpyxl.styles import Font

    workbook = Workbook()
    sheet: Worksheet = workbook.active
    sheet.title = "transcript"
    for column, name in enumerate(OUR_COLUMNS, 1):
        sheet.cell(1, column, name).font = Font(bold=True)
        letter = sheet.cell(1, column).column_letter
        sheet.column_dimensions[letter].width = _WIDTHS.get(name, 12)
    sheet.freeze_panes = "A2"
    for row, utterance in enumerate(transcript, 2):
        _fill(sheet, row, utterance)
    out = io.BytesIO()
    workbook.save(out)
    return sealed(out.getvalue(), transcript.language)


def _fill(sheet: "Worksheet", row: int, u: Utterance) -> None:
    for column, value in ((2, u.start), (3, u.end), (6, u.role_probability)):
        if value is not None:
            cell = sheet.cell(row, column, round(value, 4 if column == 6 else 3))
            cell.number_format = "0.00" if column == 6 else "0.000"
    role = None if u.role is None else u.role.value
    texts = ((1, u.id), (4, u.speaker), (5, role), (7, str(u.approximate).casefold()), (8, u.text))
    for column, text in texts:
        if text:
            _put_text(sheet.cell(row, column), one_line(text))


def _put_text(cell: "SheetCell", text: str) -> None:
    if FORMULA.match(text) and text.startswith("'"):
        text = f"'{text}"  # the reader takes one apostrophe off, as from our CSV
    text = _LOOKS_ESCAPED.sub("_x005F_", text)
    if len(text) > LONGEST_CELL:
        raise OutputError(
            en=f"Row {cell.row} has {len(text)} characters; a cell of Excel holds {LONGEST_CELL}. "
            "Write CSV or JSON.",
            zh=f"第 {cell.row} 行有 {len(text)} 个字符，超过 Excel 单元格上限 {LONGEST_CELL}。"
            "请改写 CSV 或 JSON。",
        )
    cell.value = text
    cell.data_type = "s"
    # Without it Excel calculates the text as soon as somebody edits the cell.
    cell.quotePrefix = FORMULA.match(text) is not None
