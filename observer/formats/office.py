"""XLSX by openpyxl and DOCX by python-docx, from archives that have been checked first."""

import io
import re
import zipfile
from dataclasses import dataclass

from observer.errors import TranscriptError
from observer.formats.cues import SCHEMA, damaged
from observer.formats.decoding import open_archive
from observer.formats.tables import Cell


def is_archive(data: bytes) -> bool:
    """Whether the bytes open as a zip file."""
    return data.startswith(b"PK\x03\x04")


def archive_kind(data: bytes) -> str:
    """ "xlsx" or "docx". Raises TranscriptError for other archives and for bombs."""
    with open_archive(data) as archive:
        names = set(archive.namelist())
    if "xl/workbook.xml" in names:
        return "xlsx"
    if "word/document.xml" in names:
        return "docx"
    raise TranscriptError(
        en="This archive is neither an Excel workbook (.xlsx) nor a Word document (.docx).",
        zh="这个压缩包既不是 Excel 工作簿（.xlsx）也不是 Word 文档（.docx）。",
    )


@dataclass(frozen=True, slots=True)
class Office:
    """What an office file holds."""

    tables: list[list[list[Cell]]]
    text: str = ""
    """The paragraphs outside tables, one a line."""
    ours: bool = False
    """Whether `formats.write` made it."""
    language: str | None = None
    """Only of our own files; the language that others state is that of their menus."""


_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")


def _cell(value: Cell) -> Cell:
    """Excel writes control characters, and what looks like one, as _x000D_."""
    if isinstance(value, str):
        return _ESCAPED.sub(lambda m: chr(int(m[1], 16)), value)
    return value


def _declared(identifier: str | None, language: str | None) -> tuple[bool, str | None]:
    ours = identifier == SCHEMA
    return ours, language if ours else None


def workbook(data: bytes) -> Office:
    """The rows of every visible sheet, cell values as Excel last calculated them."""
    import openpyxl

    try:
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        tables = [
            [[_cell(cell) for cell in row] for row in sheet.iter_rows(values_only=True)]
            for sheet in book.worksheets
            if sheet.sheet_state == "visible"
        ]
        ours, language = _declared(book.properties.identifier, book.properties.language)
        return Office(tables, ours=ours, language=language)
    except (KeyError, ValueError, TypeError, SyntaxError, OSError, zipfile.BadZipFile) as error:
        raise damaged(
            None, f"the workbook cannot be read ({error})", f"工作簿无法读取（{error}）"
        ) from error


def document(data: bytes) -> Office:
    """The text of the paragraphs and the rows of every table of a Word document."""
    import docx
    from docx.opc.exceptions import OpcError

    try:
        opened = docx.Document(io.BytesIO(data))
        text = "\n".join(paragraph.text for paragraph in opened.paragraphs)
        tables: list[list[list[Cell]]] = [
            [[cell.text for cell in row.cells] for row in table.rows] for table in opened.tables
        ]
        properties = opened.core_properties
        ours, language = _declared(properties.identifier, properties.language)
        return Office(tables, text, ours, language)
    except (OpcError, KeyError, ValueError, SyntaxError, zipfile.BadZipFile) as error:
        raise damaged(
            None, f"the document cannot be read ({error})", f"文档无法读取（{error}）"
        ) from error
