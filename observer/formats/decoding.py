"""From a file to text or to a checked archive: encodings, size limits, bombs.

Transcripts come from strangers' machines. A file is read only up to a limit, an archive is
measured before a byte of it is unpacked by a library, and XML with a document type (the
carrier of entity bombs and of external entities) is refused: no transcript needs one.
"""

import codecs
import io
import re
import zipfile
import zlib
from pathlib import Path

from observer.errors import TranscriptError
from observer.formats.cues import damaged

MAX_BYTES = 64 * 1024 * 1024
"""Largest transcript file that is read. Ten hours with word times are under 40 MiB."""

MAX_UNPACKED = 256 * 1024 * 1024
"""Largest sum of an archive's unpacked members."""

MAX_RATIO = 200
"""Largest unpacked/packed ratio of one member over a mebibyte; office files stay under 40."""

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_TWO_HIGH_BYTES = re.compile(rb"[\x80-\xff]{2}")
_DOCTYPE = re.compile(rb"<!\s*(?:DOCTYPE|ENTITY)", re.IGNORECASE)


def load(path: Path) -> bytes:
    """The bytes of a transcript file. Raises TranscriptError: missing, too large, empty …"""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise TranscriptError(
            en=f"There is no transcript file {path.name}; check the path.",
            zh=f"找不到转写文件 {path.name}，请检查路径。",
        ) from error
    except OSError as error:
        raise TranscriptError(
            en=f"The transcript {path.name} cannot be opened ({error.strerror}).",
            zh=f"转写文件 {path.name} 打不开（{error.strerror}）。",
        ) from error
    if len(data) > MAX_BYTES:
        raise TranscriptError(
            en=f"The transcript {path.name} is larger than {MAX_BYTES >> 20} MiB: not a transcript "
            "of one lesson. Split it.",
            zh=f"转写文件 {path.name} 超过 {MAX_BYTES >> 20} MiB，不像一节课的转写，请拆分。",
        )
    if not data.strip(b"\x00 \t\r\n"):
        raise TranscriptError(
            en=f"The transcript {path.name} is empty.", zh=f"转写文件 {path.name} 是空的。"
        )
    return data


def decode(data: bytes) -> str:
    """Text of UTF-8, UTF-16, UTF-32, GB18030 or Windows-1252 bytes, with "\\n" line ends.

    A byte order mark decides; then strict UTF-8; then UTF-16 by its NUL bytes; then GB18030.
    A file that is UTF-8 but for a few bytes is damaged, not GB18030: the error names the line.
    """
    return _text(data).replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")


def _text(data: bytes) -> str:
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return _strict(data, encoding)
    nuls = data[:4096].count(0)
    if nuls > len(data[:4096]) // 8:
        return _strict(data, "utf-16-be" if data[0] == 0 else "utf-16-le")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        if _nearly_utf8(data):
            line = data.count(b"\n", 0, error.start) + 1
            raise damaged(
                line,
                "bytes that are not UTF-8; save the file again",
                "含有无效的 UTF-8 字节，请重新保存文件",
            ) from error
    if not _TWO_HIGH_BYTES.search(data):
        # Chinese text has two high bytes in a row everywhere; curly quotes never do.
        return data.decode("cp1252", errors="replace")
    return _strict(data, "gb18030")


def _strict(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise damaged(
            line,
            f"bytes that are not {encoding.upper()}; save the file as UTF-8",
            f"含有无法按 {encoding.upper()} 解码的字节，请另存为 UTF-8",
        ) from error


def _nearly_utf8(data: bytes) -> bool:
    """Whether broken bytes are few beside well-formed multi-byte characters."""
    text = data.decode("utf-8", errors="replace")
    broken = text.count("\ufffd")
    good = sum(1 for c in text if ord(c) > 127) - broken
    return good > 20 * broken


def open_archive(data: bytes) -> zipfile.ZipFile:
    """A zip whose sizes and XML members have been checked. Raises TranscriptError."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        members = archive.infolist()
    except zipfile.BadZipFile as error:
        raise damaged(None, "the archive is cut off or broken", "压缩包不完整或已损坏") from error
    swollen = any(
        m.file_size > 1 << 20 and m.file_size > MAX_RATIO * max(1, m.compress_size) for m in members
    )
    if swollen or sum(m.file_size for m in members) > MAX_UNPACKED:
        raise TranscriptError(
            en="The document unpacks to an implausible size (a zip bomb?); it was not opened.",
            zh="该文档解压后大得不合常理（疑似压缩炸弹），未打开。",
        )
    for member in members:
        if member.filename.endswith((".xml", ".rels")):
            refuse_doctype(_member(archive, member))
    return archive


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    try:
        # The declared size was checked; a member that lies about it raises here (CRC or size).
        with archive.open(member) as file:
            return file.read(member.file_size + 1)
    except (zipfile.BadZipFile, zlib.error, OSError, RuntimeError, EOFError) as error:
        raise damaged(
            None, f"the member {member.filename} is broken", f"成员 {member.filename} 已损坏"
        ) from error


def refuse_doctype(data: bytes) -> None:
    """Raise TranscriptError for XML that declares a document type or entities."""
    if match := _DOCTYPE.search(data.replace(b"\x00", b"")):
        line = data.count(b"\n", 0, match.start()) + 1
        raise TranscriptError(
            en=f"The XML declares a document type or entities (line {line}); refused for safety.",
            zh=f"XML 在第 {line} 行声明了文档类型或实体，为安全起见拒绝读取。",
        )
