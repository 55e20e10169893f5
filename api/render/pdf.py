"""The report on paper: a tagged PDF (PDF/UA-1) set by Typst with the fonts shipped in api/fonts.

Nothing of the machine takes part: system fonts are ignored, no date is written, the lesson's
words reach Typst as JSON data and are never markup. Equal arguments give equal bytes.
"""

import json
import struct
import unicodedata
from dataclasses import asdict
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from api.render.evidence import Proof
from api.render.figures import Row
from api.render.printed import Heading, Printed, address_of, printed
from api.render.sections import QuestionRow
from api.render.texts import Texts, clock, texts
from observer.errors import OutputError
from observer.observation import Observation

FONTS = Path(str(files("api") / "fonts"))
TEMPLATE = Path(str(files("api") / "templates")) / "report.typ"
STAND_IN = "〓"
"""Printed where the fonts have no glyph (an emoji, a very rare character): the geta mark."""
EXCHANGES = 24
"""Exchanges printed in full; the page on the screen shows all."""


def render_pdf(
    observation: Observation,
    *,
    language: str,
    heading: Heading | None = None,
    masked: bool = False,
    transcript: bool = True,
) -> bytes:
    """The report as an accessible PDF in `language` ("zh" or "en").

    `transcript` says whether everything that was said is printed too; `masked` that names were
    taken out before. Raises OutputError when Typst refuses or warns.
    """
    pages = _compiled(observation, language, heading, masked, transcript, "pdf")
    return pages if isinstance(pages, bytes) else b"".join(pages)


def render_pages(
    observation: Observation, *, language: str, heading: Heading | None = None, ppi: float = 80.0
) -> list[bytes]:
    """The same pages as PNG pictures, for looking at them."""
    pages = _compiled(observation, language, heading, False, True, "png", ppi)
    return [pages] if isinstance(pages, bytes) else pages


def _compiled(
    observation: Observation,
    language: str,
    heading: Heading | None,
    masked: bool,
    transcript: bool,
    form: Literal["pdf", "png"],
    ppi: float = 80.0,
) -> bytes | list[bytes]:
    import typst

    text = texts("zh" if language == "zh" else "en")
    content = printed(observation, text, heading=heading, masked=masked)
    data = _printable(_data(content, text, transcript=transcript))
    try:
        made, warnings = typst.compile_with_warnings(
            str(TEMPLATE),
            root=str(TEMPLATE.parent),
            font_paths=[str(FONTS)],
            ignore_system_fonts=True,
            format=form,
            ppi=ppi,
            sys_inputs={"data": json.dumps(data, ensure_ascii=False)},
            pdf_standards=["ua-1"] if form == "pdf" else [],
            timestamp=0,
        )
    except typst.TypstError as error:
        raise _refused(str(error)) from error
    if warnings:
        # "unknown font family" is only a warning to Typst, and all text would be gone.
        raise _refused("; ".join(str(w.message) for w in warnings))
    result: bytes | list[bytes] = made
    return result


def _refused(reason: str) -> OutputError:
    return OutputError(
        en=f"The PDF could not be made: {reason} Export as DOCX instead and report this.",
        zh=f"无法生成 PDF：{reason} 请改为导出 DOCX，并把此信息告知管理员。",
    )


_AS_IT_IS = (
    "language title dateline address warnings sound roles score_words stems_words exchange_words"
    " transferred methods versions notes"
).split()


def _data(content: Printed, text: Texts, *, transcript: bool) -> dict[str, Any]:
    """What the template reads."""
    kinds = (text("waits.1"), text("waits.2"))
    waits = zip(kinds, content.waits, strict=True)
    matrix = content.interaction.categories if content.interaction else ()
    return {name: getattr(content, name) for name in _AS_IT_IS} | {
        "words": _words(content, text),
        "key_figures": [asdict(k) for k in content.key_figures],
        "claims": _claims(content, text),
        "score": [asdict(r) for r in content.score],
        "charts": {k: asdict(v) for k, v in content.charts.items()},
        "curve": asdict(content.curve) if content.curve else None,
        "triangle": asdict(content.triangle) if content.triangle else None,
        "stems": content.stems if content.length else (),
        "stems_title": text("chart.waits"),
        "length": clock(content.length),
        "waits": [{"title": title, "summary": w.summary} for title, w in waits],
        "questions": _questions(content, text),
        **_exchanges(content, text),
        "matrix": [asdict(c) for c in matrix],
        "lines": [asdict(u) for u in content.lines] if transcript else [],
        "families": _families(content, text),
    }


def _claims(content: Printed, text: Texts) -> list[dict[str, Any]]:
    return [
        {
            "statement": c.statement,
            "question": c.question,
            "proofs": [_proof(p, content.address, text) for p in c.proofs[:3]],
        }
        for c in content.claims
    ]


def _questions(content: Printed, text: Texts) -> list[dict[str, Any]]:
    def row(question: QuestionRow) -> dict[str, Any]:
        tags = [*question.tags, *([text("unsure")] if question.unsure else [])]
        return {
            **_proof(question.proof, content.address, text),
            "text": question.text,
            "tags": tags,
        }

    return [
        {"name": g.name, "definition": g.definition, "rows": [row(q) for q in g.rows]}
        for g in content.questions
    ]


def _exchanges(content: Printed, text: Texts) -> dict[str, Any]:
    """The longest in full, in their order, and how many are left out."""
    shown = sorted(content.exchanges, key=lambda x: -x.rounds)[:EXCHANGES]
    hidden = len(content.exchanges) - len(shown)
    rows = [
        {
            **_proof(x.proof, content.address, text),
            "kind": _kind(x.kind, x.rounds, text),
            "lines": [(role, said) for role, said, _ in x.lines],
        }
        for x in sorted(shown, key=lambda x: x.proof.start or 0.0)
    ]
    more = text("print.exchanges.more", n=hidden) if hidden else ""
    return {"exchanges": rows, "exchanges_more": more}


def _families(content: Printed, text: Texts) -> list[dict[str, Any]]:
    def row(found: Row) -> dict[str, Any]:
        interval = found.interval or text("interval.none")
        value = found.value or ""
        return {"name": found.name, "value": value, "interval": interval, "n": found.n,
                "missing": found.missing}  # fmt: skip

    return [{"name": name, "rows": [row(r) for r in rows]} for name, rows in content.families]


def _kind(kind: str, rounds: int, text: Texts) -> str:
    return kind if rounds == 1 else f"{kind} · {text('exchanges.rounds', n=rounds)}"


def _proof(proof: Proof, address: str, text: Texts) -> dict[str, Any]:
    named = proof.role is not None and proof.words.startswith(text(f"role.{proof.role.value}"))
    return {
        "when": proof.when,
        "words": proof.words,
        "role": proof.role.value if proof.role and not named else None,
        "address": address_of(proof, address),
    }


def _words(content: Printed, text: Texts) -> dict[str, Any]:
    """The template's own words."""
    plain = {
        "report": "report",
        "sound": "sound",
        "findings": "section.findings",
        "nothing": "findings.nothing",
        "findings_note": "findings.note",
        "timeline": "section.timeline",
        "thinking": "legend.thinking",
        "question": "legend.question",
        "excluded": "legend.excluded",
        "wait_1": "waits.1.short",
        "wait_2": "waits.2.short",
        "three_seconds": "chart.three_seconds",
        "talk": "section.talk",
        "talk_aside": "talk.aside",
        "talk_nothing": "talk.nothing",
        "st_title": "section.st",
        "st_how": "st.how",
        "t_minutes": "chart.t_minutes",
        "s_minutes": "chart.s_minutes",
        "waits": "section.waits",
        "waits_how": "waits.how",
        "questions": "section.questions",
        "questions_how": "questions.how",
        "questions_nothing": "questions.nothing",
        "counts": "counts.corrected" if content.corrected else "counts.found",
        "exchanges": "section.exchanges",
        "exchanges_how": "exchanges.how",
        "moves": "section.moves",
        "moves_how": "moves.how",
        "moves_transferred": "moves.transferred",
        "fias": "section.fias",
        "fias_how": "fias.how",
        "fias_matrix": "fias.matrix",
        "fias_sum": "fias.sum",
        "transcript": "section.transcript",
        "transcript_note": "print.transcript.note",
        "indicators": "section.indicators",
        "indicators_how": "indicators.how",
        "name": "table.name",
        "value": "table.value",
        "interval": "table.interval",
        "missing": "missing",
        "methods": "section.methods",
        "versions": "versions",
    }
    roles = {
        role: text(f"role.{role}")
        for role in "teacher student choral group media silence unknown".split()
    }
    types = {t: text(f"st.type.{t}") for t in ("practice", "lecture", "mixed", "dialogue")}
    return {name: text(key) for name, key in plain.items()} | {"roles": roles, "st": types}


# -- what the fonts can show -------------------------------------------------------------


def _printable(value: Any) -> Any:
    """The same value with every character that has no glyph replaced by the stand-in."""
    if isinstance(value, str):
        return "".join(map(_glyph, unicodedata.normalize("NFC", value)))
    if isinstance(value, dict):
        return {k: _printable(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_printable(v) for v in value]
    return value


def _glyph(character: str) -> str:
    if ord(character) in coverage():
        return character
    if character.isspace():
        return " "
    # Joiners, variation selectors and controls show nothing anyway.
    return "" if unicodedata.category(character) in ("Cf", "Cc", "Mn", "Cs") else STAND_IN


@cache
def coverage() -> frozenset[int]:
    """The code points that the regular font has a glyph for (OpenType `cmap`, format 12)."""
    font = (FONTS / "NotoSansSC-Regular.ttf").read_bytes()
    (tables,) = struct.unpack_from(">H", font, 4)
    records = [struct.unpack_from(">4sLLL", font, 12 + 16 * i) for i in range(tables)]
    start = next(offset for tag, _, offset, _ in records if tag == b"cmap")
    (count,) = struct.unpack_from(">H", font, start + 2)
    for i in range(count):
        (offset,) = struct.unpack_from(">L", font, start + 4 + 8 * i + 4)
        layout, _, _, _, groups = struct.unpack_from(">HHLLL", font, start + offset)
        if layout == 12:
            ranges = struct.iter_unpack(">LLL", font[start + offset + 16 :][: 12 * groups])
            return frozenset(c for low, high, _ in ranges for c in range(low, high + 1))
    raise OutputError(
        en="The shipped font has no format 12 character map: install the package again.",
        zh="随附字体缺少字符表：请重新安装本软件。",
    )
