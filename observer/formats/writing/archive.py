"""Office archives with the same bytes every time: no dates, no author, no software names."""

import io
import zipfile
from xml.sax.saxutils import escape

from observer.formats.cues import SCHEMA

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can state."""

_CORE = "docProps/core.xml"
_PROPERTIES = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    '<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/'
    'core-properties" xmlns:dc="http://purl.org/dc/elements/1.1/">'
    "<dc:identifier>{identifier}</dc:identifier><dc:language>{language}</dc:language>"
    "</cp:coreProperties>"
)


def sealed(data: bytes, language: str) -> bytes:
    """The archive with fixed member times and with core properties that only say that it is
    ours and in which language its words are."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as given, zipfile.ZipFile(out, "w") as kept:
        for name in given.namelist():
            member = zipfile.ZipInfo(name, _EPOCH)
            member.compress_type = zipfile.ZIP_DEFLATED
            member.create_system = 0  # else it tells Windows from Unix
            content = given.read(name)
            if name == _CORE:
                content = _PROPERTIES.format(identifier=SCHEMA, language=escape(language)).encode()
            kept.writestr(member, content)
    return out.getvalue()
