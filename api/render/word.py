"""The report as a Word document, for those who write into it: headings, tables, no drawings.

What a drawing shows on paper stands here as its words and its figures. The viewer's own fonts are
used; the East Asian one is named. Equal arguments give equal bytes.
"""

import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from api.render.evidence import Proof
from api.render.printed import Heading, Printed, address_of, printed
from api.render.texts import Texts, texts
from observer.formats.writing.archive import sealed
from observer.observation import Observation

if TYPE_CHECKING:
    from docx.document import Document
    from docx.text.paragraph import Paragraph

EAST_ASIAN = "Microsoft YaHei"
LATIN = "Calibri"
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""What XML cannot hold."""


def render_docx(
    observation: Observation,
    *,
    language: str,
    heading: Heading | None = None,
    masked: bool = False,
    transcript: bool = True,
) -> bytes:
    """The report as DOCX in `language`; the arguments are those of `render_pdf`."""
    from docx import Document

    text = texts("zh" if language == "zh" else "en")
    content = printed(observation, text, heading=heading, masked=masked)
    document = Document()
    _fonts(document, text)
    _front(document, content, text)
    _talk(document, content, text)
    _questions(document, content, text)
    _figures(document, content, text)
    if transcript and content.lines:
        _transcript(document, content, text)
    _methods(document, content, text)
    out = io.BytesIO()
    document.save(out)
    return sealed(out.getvalue(), text.language)


def _fonts(document: "Document", text: Texts) -> None:
    """Latin and East Asian fonts of every style that is used, and the language of the words."""
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn
    from docx.shared import Cm, Pt, RGBColor

    for name in ("Normal", "Title", "Heading 1", "Heading 2", "List Bullet", "Table Grid"):
        style = document.styles[name]
        style.font.name = LATIN
        properties = style.element.get_or_add_rPr()
        fonts = properties.get_or_add_rFonts()
        for attribute in list(fonts.attrib):
            if attribute.endswith("Theme"):
                del fonts.attrib[attribute]
        for kind in ("w:ascii", "w:hAnsi"):
            fonts.set(qn(kind), LATIN)
        fonts.set(qn("w:eastAsia"), EAST_ASIAN)
        if name.startswith(("Heading", "Title")):
            style.font.color.rgb = RGBColor(0x1D, 0x1B, 0x18)
    spoken = OxmlElement("w:lang")
    spoken.set(qn("w:val"), "en-GB")
    spoken.set(qn("w:eastAsia"), "zh-CN")
    document.styles["Normal"].element.get_or_add_rPr().append(spoken)
    document.styles["Normal"].font.size = Pt(10.5 if text.language == "zh" else 10)
    for section in document.sections:
        section.page_width, section.page_height = Cm(21), Cm(29.7)
        section.left_margin = section.right_margin = Cm(2.2)
        section.top_margin = section.bottom_margin = Cm(2)


def _front(document: "Document", content: Printed, text: Texts) -> None:
    document.add_heading(_clean(content.title), 0)
    _small(document, " · ".join((text("report"), *content.dateline)))
    for line in (*content.warnings, *([" ".join(content.sound)] if content.sound else [])):
        _small(document, line)
    document.add_heading(text("section.findings"), 1)
    if content.key_figures:
        rows = [(k.label, k.value, k.note) for k in content.key_figures]
        _table(document, (), rows, (6.0, 3.0, 7.6))
    if not content.claims:
        document.add_paragraph(text("findings.nothing"))
    for claim in content.claims:
        paragraph = document.add_paragraph(_clean(claim.statement))
        if claim.question:
            paragraph.add_run(" " + _clean(claim.question)).bold = True
        for proof in claim.proofs[:3]:
            _proof(document.add_paragraph(style="List Bullet"), proof, content.address)
    _small(document, text("findings.note"))


def _talk(document: "Document", content: Printed, text: Texts) -> None:
    document.add_heading(text("section.timeline"), 1)
    document.add_paragraph(_clean(content.score_words))
    document.add_heading(text("section.talk"), 1)
    if "shares" in content.charts:
        document.add_paragraph(_clean(content.charts["shares"].words))
        _small(document, text("talk.aside"))
    else:
        document.add_paragraph(text("talk.nothing"))
    for plane in (content.curve, content.triangle):
        if plane is not None:
            document.add_heading(plane.title, 2)
            document.add_paragraph(_clean(plane.words))
    document.add_heading(text("section.waits"), 1)
    _small(document, text("waits.how"))
    for title, waits in zip(("waits.1", "waits.2"), content.waits, strict=True):
        paragraph = document.add_paragraph()
        paragraph.add_run(text(title) + "  ").bold = True
        paragraph.add_run(_clean(waits.summary))


def _questions(document: "Document", content: Printed, text: Texts) -> None:
    document.add_heading(text("section.questions"), 1)
    if not content.questions:
        document.add_paragraph(text("questions.nothing"))
    for name in ("question-demand", "sihe", "answered-by"):
        if name in content.charts:
            chart = content.charts[name]
            document.add_heading(chart.title, 2)
            document.add_paragraph(_clean(chart.words))
    for group in content.questions:
        document.add_heading(f"{group.name} {len(group.rows)}", 2)
        _small(document, group.definition)
        rows = [(q.proof.when, q.text, "、".join(q.tags)) for q in group.rows]
        _table(document, (), rows, (1.8, 10.8, 4.0))
    document.add_heading(text("section.exchanges"), 1)
    document.add_paragraph(_clean(content.exchange_words))
    for name in ("teacher-moves", "student-moves", "feedback", "instruction"):
        if name in content.charts:
            chart = content.charts[name]
            document.add_heading(chart.title, 2)
            document.add_paragraph(_clean(chart.words))


def _figures(document: "Document", content: Printed, text: Texts) -> None:
    document.add_heading(text("section.indicators"), 1)
    _small(document, text("indicators.how"))
    header = (text("table.name"), text("table.value"), text("table.interval"), "n")
    for family, found in content.families:
        document.add_heading(family, 2)
        rows = [
            (r.name, r.value or "–", r.interval or text("interval.none"), str(r.n))
            if r.missing is None
            else (r.name, "–", text("missing") + r.missing, str(r.n))
            for r in found
        ]
        _table(document, header, rows, (7.0, 3.0, 5.0, 1.6))


def _transcript(document: "Document", content: Printed, text: Texts) -> None:
    document.add_heading(text("section.transcript"), 1)
    _small(document, text("print.transcript.note"))
    rows = [(u.when, text(f"role.{u.role}"), u.text) for u in content.lines]
    _table(document, (), rows, (1.8, 2.2, 12.6))


def _methods(document: "Document", content: Printed, text: Texts) -> None:
    document.add_heading(text("section.methods"), 1)
    for name, words in content.methods:
        paragraph = document.add_paragraph()
        paragraph.add_run(name + "  ").bold = True
        paragraph.add_run(words)
    document.add_heading(text("versions"), 2)
    _table(document, (), content.versions, (5.0, 11.6))
    for note in content.notes:
        _small(document, note)


def _proof(paragraph: "Paragraph", proof: Proof, address: str) -> None:
    if proof.when and (target := address_of(proof, address)):
        _link(paragraph, proof.when, target)
    elif proof.when:
        paragraph.add_run(proof.when).bold = True
    paragraph.add_run("  " + _clean(proof.words))


def _link(paragraph: "Paragraph", words: str, target: str) -> None:
    from docx.opc.constants import RELATIONSHIP_TYPE
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    link = OxmlElement("w:hyperlink")
    link.set(qn("r:id"), paragraph.part.relate_to(target, RELATIONSHIP_TYPE.HYPERLINK, True))
    run = paragraph.add_run(words)
    run.underline = True
    link.append(run._r)
    paragraph._p.append(link)


def _small(document: "Document", words: str) -> None:
    from docx.shared import Pt, RGBColor

    run = document.add_paragraph().add_run(_clean(words))
    run.font.size = Pt(9)
    run.font.color.rgb = RGBColor(0x6A, 0x64, 0x5B)


def _table(
    document: "Document",
    header: tuple[str, ...],
    rows: Sequence[tuple[str, ...]],
    widths: tuple[float, ...],
) -> None:
    """A table of texts, `widths` in centimetres; the header row repeats on every page.

    Written as XML in one piece: cell by cell, python-docx takes seconds for a lesson's transcript.
    """
    from docx.oxml import parse_xml
    from docx.oxml.ns import nsdecls

    twips = [round(w * 567) for w in widths]
    grid = "".join(f'<w:gridCol w:w="{w}"/>' for w in twips)
    lines = [_row(header, twips, "<w:trPr><w:tblHeader/></w:trPr>", "<w:b/>")] if header else []
    lines += [_row(row, twips) for row in rows]
    table = parse_xml(
        f'<w:tbl {nsdecls("w")}><w:tblPr><w:tblStyle w:val="TableGrid"/><w:tblLayout '
        f'w:type="fixed"/></w:tblPr><w:tblGrid>{grid}</w:tblGrid>{"".join(lines)}</w:tbl>'
    )
    after = document.add_paragraph()
    after._p.addprevious(table)


def _row(texts_: tuple[str, ...], twips: list[int], properties: str = "", bold: str = "") -> str:
    cells = (
        f'<w:tc><w:tcPr><w:tcW w:w="{width}" w:type="dxa"/></w:tcPr><w:p><w:r><w:rPr>{bold}'
        f'<w:sz w:val="18"/></w:rPr><w:t xml:space="preserve">{escape(_clean(words))}</w:t>'
        "</w:r></w:p></w:tc>"
        for words, width in zip(texts_, twips, strict=True)
    )
    return f"<w:tr>{properties}{''.join(cells)}</w:tr>"


def _clean(words: str) -> str:
    return _FORBIDDEN.sub("", words)
