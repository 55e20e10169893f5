"""XLSX by openpyxl and DOCX by python-docx, from archives that have been checked first."""

import io
import zipfile

from observer.errors import TranscriptError
from observer.formats.cues import damaged
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


def sheets(data: bytes) -> list[list[list[Cell]]]:
    """The rows of every visible sheet, cell values as Excel last calculated them."""
    import openpyxl

    try:
        workbook = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        return [
            [list(row) for row in sheet.iter_rows(values_only=True)]
            for sheet in workbook.worksheets
            if sheet.sheet_state == "visible"
        ]
    except (KeyError, ValueError, TypeError, SyntaxError, OSError, zipfile.BadZipFile) as error:
        raise damaged(
            None, f"the workbook cannot be read ({error})", f"工作簿无法读取（{error}）"
        ) from error


def document(data: bytes) -> tuple[str, list[list[list[Cell]]]]:
    """(text of the paragraphs, rows of every table) of a Word document."""
    import docx
    from docx.opc.exceptions import OpcError

    try:
        opened = docx.Document(io.BytesIO(data))
        text = "\n".join(paragraph.text for paragraph in opened.paragraphs)
        tables: list[list[list[Cell]]] = [
            [[cell.text for cell in row.cells] for row in table.rows] for table in opened.tables
        ]
    except (OpcError, KeyError, ValueError, SyntaxError, zipfile.BadZipFile) as error:
        raise damaged(
            None, f"the document cannot be read ({error})", f"文档无法读取（{error}）"
        ) from error
    return text, tables
