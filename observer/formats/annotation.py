"""Annotation programs: Praat TextGrid and ELAN (by pympi).

TextGrids are read here, token by token as Praat itself does, and not by praatio 6, which splits
a file at "item [" and "IntervalTier" even inside the words that somebody said and names no line
when a file is damaged (a test shows it).
"""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from observer.formats.cues import SCHEMA, Reading, check_times, damaged
from observer.formats.decoding import refuse_doctype
from observer.formats.tiers import Entry, Tier, own_tiers, read_tiers

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from pympi import Eaf

_TOKEN = re.compile(
    r'"(?P<text>[^"]*(?:""[^"]*)*)"(?!")|(?<!\S)(?P<number>-?\d+(?:\.\d+)?(?:e[-+]?\d+)?)(?!\S)'
    r"|(?P<flag><exists>|<absent>)|(?P<open>\")|![^\n]*|\S",
    re.IGNORECASE,
)
"""Praat reads free-standing texts, numbers and flags; everything else in the file is comment
(Praat manual, "TextGrid file formats")."""


def is_textgrid(text: str) -> bool:
    """Whether it is a Praat text file with interval or point tiers."""
    return (
        re.match(r"\s*File type\s*=\s*\"ooTextFile", text) is not None and "TextGrid" in text[:400]
    )


_STRAY = re.compile(r"(?:=[ \t]*|^[ \t]*)[^\s=:\[\]]+(?=[ \t]*$)", re.MULTILINE)
"""A value after "=", or alone on its line."""


class _Tokens:
    """The texts, numbers and flags of a file, taken one by one."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._found = _TOKEN.finditer(text)
        self._held: re.Match[str] | None = None
        self._line, self._counted, self._end = 1, 0, 0
        self._strays: list[re.Match[str] | None] = []

    def ended(self) -> bool:
        """Whether nothing that counts is left."""
        if self._held is None:
            self._held = next((m for m in self._found if m.lastgroup is not None), None)
        return self._held is None

    def string(self) -> str:
        """The next token, which must be a text."""
        match = self._take("text", "a text in quotation marks", "引号中的文本")
        return match["text"].replace('""', '"')

    def number(self) -> float:
        """The next token, which must be a number."""
        return float(self._take("number", "a number", "数字")[0])

    def present(self) -> bool:
        """The next token, which must be <exists> or <absent>."""
        return self._take("flag", "<exists>", "<exists>")[0].casefold() == "<exists>"

    def line(self) -> int:
        """The line on which the next token stands; of the last one at the end."""
        at = len(self.text) if self.ended() or self._held is None else self._held.start()
        self._line += self.text.count("\n", self._counted, at)
        self._counted = at
        return self._line

    def _take(self, kind: str, en: str, zh: str) -> re.Match[str]:
        line = self.line()
        match, self._held = self._held, None
        at = len(self.text) if match is None else match.start()
        self._strays = [*self._strays[-2:], _STRAY.search(self.text, self._end, at)]
        self._end = at if match is None else match.end()
        if match is None:
            raise damaged(
                line,
                f"the TextGrid ends where {en} is expected; is the file cut off?",
                f"TextGrid 到此中断，此处应为{zh}，文件是否不完整？",
            )
        if match.lastgroup != kind:
            # A number that is none was passed over as comment: it is the fault, not this token.
            stray = next((m for m in self._strays if m is not None), None)
            raise damaged(
                line if stray is None else self.text.count("\n", 0, stray.end()) + 1,
                f"{en} is expected, not {match[0][:40]}",
                f"此处应为{zh}，而不是 {match[0][:40]}",
            )
        return match


def read_textgrid(text: str) -> Reading:
    """Long and short TextGrids; interval tiers by observer.formats.tiers, points are left out.

    Raises TranscriptError with the line when a tier holds less than it announces, when a number
    is none, or an interval ends before it begins.
    """
    tokens = _Tokens(text)
    tokens.string(), tokens.string()
    tokens.number(), tokens.number()
    if not tokens.present():
        return Reading(())
    tiers = [_tier(tokens) for _ in range(int(tokens.number()))]
    if not tokens.ended():
        raise damaged(
            tokens.line(),
            "more intervals or tiers follow than the file announces",
            "此处之后的区间或层多于文件声明的数目",
        )
    return read_tiers([tier for tier in tiers if tier is not None])


def _tier(tokens: _Tokens) -> Tier | None:
    """The next tier; None for points."""
    kind, name = tokens.string(), tokens.string()
    tokens.number(), tokens.number()
    line = tokens.line()
    announced = int(tokens.number())
    entries: list[Entry] = []
    for held in range(announced):
        if tokens.ended():
            raise damaged(
                line,
                f"the tier announces {announced} intervals but holds {held}; is the file cut off?",
                f"此层声明有 {announced} 个区间，实际只有 {held} 个，文件是否不完整？",
            )
        here = tokens.line()
        start = tokens.number()
        end = tokens.number() if kind == "IntervalTier" else start
        check_times(start, end, here)
        entries.append((start, end, " ".join(tokens.string().split("\n"))))
    return Tier(name, tuple(entries)) if kind == "IntervalTier" else None


def is_eaf(text: str) -> bool:
    """Whether it is an ELAN annotation document."""
    return re.match(r"\s*<", text) is not None and "<ANNOTATION_DOCUMENT" in text[:4000]


_SCHEMA_ATTRIBUTE = "{http://www.w3.org/2001/XMLSchema-instance}noNamespaceSchemaLocation"


def read_eaf(text: str) -> Reading:
    """Top-level time-aligned tiers; the PARTICIPANT, else the tier's name, is the speaker.

    Where a top-level tier only has names or numbers of its stretches, its text child is read.
    Raises TranscriptError with the line for broken XML and for references that lead nowhere.
    """
    from xml.etree.ElementTree import ParseError, tostring

    from defusedxml.ElementTree import fromstring

    refuse_doctype(text.encode(errors="replace"))
    # The declaration may name an encoding that the text no longer has; line ends stay.
    body = re.sub(r"^(\s*)<\?xml[^>]*\?>", lambda m: "\n" * m[0].count("\n"), text)
    try:
        # pympi answers broken XML with a bare Exception, so it only gets what parses; and it
        # insists on the schema, which other programs leave out.
        root = fromstring(body.encode(errors="replace"))
    except ParseError as error:
        raise damaged(
            error.position[0], f"the XML breaks ({error})", f"XML 有误（{error}）"
        ) from error
    root.attrib.setdefault(_SCHEMA_ATTRIBUTE, "EAFv3.0.xsd")
    _check_references(root, text)
    _place_unaligned(root)
    try:
        return _eaf_reading(_eaf(tostring(root, encoding="unicode")))
    except (KeyError, ValueError, TypeError, IndexError, AttributeError) as error:
        raise damaged(
            None, f"not a valid ELAN file ({error})", f"不是有效的 ELAN 文件（{error}）"
        ) from error


def _check_references(root: "Element", text: str) -> None:
    """Time slots hold whole milliseconds, and every annotation names slots that are there."""
    slots = {slot.get("TIME_SLOT_ID"): slot.get("TIME_VALUE") for slot in root.iter("TIME_SLOT")}
    for slot, value in slots.items():
        if value is not None and not value.isdecimal():
            raise damaged(
                _line_of(text, f'"{slot}"'),
                f"time slot {slot} is not in milliseconds: {value[:40]}",
                f"时间点 {slot} 不是毫秒数：{value[:40]}",
            )
    for annotation in root.iter("ALIGNABLE_ANNOTATION"):
        for end in ("TIME_SLOT_REF1", "TIME_SLOT_REF2"):
            if annotation.get(end) not in slots:
                name = annotation.get("ANNOTATION_ID", "")
                raise damaged(
                    _line_of(text, f'ANNOTATION_ID="{name}"'),
                    f"annotation {name} refers to a time slot that is not there",
                    f"标注 {name} 引用的时间点不存在",
                )


def _line_of(text: str, needle: str) -> int | None:
    at = text.find(needle)
    return None if at < 0 else text.count("\n", 0, at) + 1


def _place_unaligned(root: "Element") -> None:
    """Slots without a time lie evenly between their neighbours, as ELAN shows them."""
    slots = list(root.iter("TIME_SLOT"))
    known = [i for i, slot in enumerate(slots) if slot.get("TIME_VALUE") is not None]
    for position, slot in enumerate(slots):
        if slot.get("TIME_VALUE") is None:
            before = max((i for i in known if i < position), default=None)
            after = min((i for i in known if i > position), default=None)
            first = int(slots[before].get("TIME_VALUE", "0")) if before is not None else 0
            last = int(slots[after].get("TIME_VALUE", "0")) if after is not None else first
            share = (position - (before or 0)) / ((after or position + 1) - (before or 0))
            slot.set("TIME_VALUE", str(round(first + share * (last - first))))


def _eaf(text: str) -> "Eaf":
    """The document; pympi reads only from files."""
    from pympi import Eaf

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "transcript.eaf"
        path.write_text(text, encoding="utf-8")
        return Eaf(str(path), suppress_version_warning=True)


def _eaf_reading(document: "Eaf") -> Reading:
    properties = dict(document.properties)
    ours = properties.get("schema") == SCHEMA
    tiers = list(_eaf_tiers(document))
    for tier in tiers:
        for start, end, _ in tier.entries:
            check_times(start, end, None)
    if ours:
        return own_tiers(tiers, properties.get("language"))
    return read_tiers(tiers)


_TEXT_CHILD = re.compile(r"tx|text|transcri|utter|ortho|原文|转写|话语|文本", re.IGNORECASE)


def _eaf_tiers(document: "Eaf") -> Iterator[Tier]:
    for name in document.get_tier_names():
        attributes = document.tiers[name][2]
        if attributes.get("PARENT_REF"):
            continue
        source = name
        if all(re.fullmatch(r"[\w.-]*\d[\w.-]*|", v or "") for v in _values(document, name)):
            children = document.get_child_tiers_for(name)
            source = next((c for c in children if _TEXT_CHILD.search(c)), name)
        entries = tuple(
            (a / 1000, b / 1000, " ".join((v or "").split("\n")))
            for a, b, v, *_ in document.get_annotation_data_for_tier(source)
        )
        yield Tier(source, entries, attributes.get("PARTICIPANT") or None)


def _values(document: "Eaf", tier: str) -> list[str]:
    return [value for _, _, value, *_ in document.get_annotation_data_for_tier(tier)]
