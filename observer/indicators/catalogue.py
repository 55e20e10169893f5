"""The catalogue: every indicator's name, meaning, unit and source in both languages.

The words are data beside this file: ``catalogue.toml``, and ``methods.toml`` for what a family
of indicators has in common.
"""

import tomllib
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Entry:
    """How one indicator is shown."""

    zh: str
    en: str
    about_zh: str
    """What it is, in one line."""
    about_en: str
    unit_zh: str
    """Unit beside the displayed number; may be empty."""
    unit_en: str
    method_zh: str
    """How it is reckoned, in plain words: what the symbols of `Indicator.method` mean."""
    method_en: str
    source: str
    """Where the definition comes from."""
    decimals: int
    """Digits after the point of the displayed number (of the per cent for shares)."""
    percent: bool
    """Whether 100 times the value is shown, as per cent."""


_UNITS: Final[dict[str, tuple[str, str, int]]] = {
    "share": ("%", "%", 0),
    "seconds": ("秒", "s", 1),
    "ratio": ("", "", 2),
    "count": ("", "", 0),
    "rate": ("", "", 0),
    "other": ("", "", 2),
}
"""Kind → Chinese and English unit, decimals; an entry may say otherwise."""

_SOURCES: Final[dict[str, str]] = {
    "talk": "talk time by role: teacher, student, chorus, group, playback, silence",
    "st": "S-T analysis with the Rt-Ch types of Chinese classroom research",
    "st_revised": "revised S-T analysis with a code for dialogue",
    "wait": "Rowe 1974, Journal of Research in Science Teaching 11:81",
    "question": "question codebook v1 after Wang Lu's observation set and 四何",
    "exchange": "Sinclair and Coulthard 1975, with the variants IRIRE and IDRE",
    "wanglu": "Wang Lu's evidence-based observation set: who answers, dialogue depth",
    "moves": "Accountable Talk moves as coded in TalkMoves, Suresh et al., LREC 2022",
    "uptake": "Demszky et al., ACL 2021",
    "focusing": "Wood 1998; Alic et al., BEA 2022",
    "dialogid": "DialogID, TAL Education: instructional acts of K-12 online lessons",
    "feedback": "Sinclair and Coulthard's third move (evaluation / follow-up)",
    "fias": "Flanders, Analyzing Teaching Behavior, 1970",
}


def _entry(row: dict[str, Any], methods: dict[str, Any]) -> Entry:
    unit_zh, unit_en, decimals = _UNITS[row["kind"]]
    unit_zh, unit_en = row.get("unit", (unit_zh, unit_en))
    return Entry(
        zh=row["zh"],
        en=row["en"],
        about_zh=row["about_zh"],
        about_en=row["about_en"],
        unit_zh=unit_zh,
        unit_en=unit_en,
        method_zh=methods[row["method"]]["zh"],
        method_en=methods[row["method"]]["en"],
        source=_SOURCES[row["source"]],
        decimals=row.get("decimals", decimals),
        percent=row["kind"] == "share",
    )


def _toml(name: str) -> dict[str, Any]:
    return tomllib.loads(files("observer.indicators").joinpath(name).read_text(encoding="utf-8"))


def _read() -> dict[str, Entry]:
    methods = _toml("methods.toml")
    return {name: _entry(row, methods) for name, row in _toml("catalogue.toml").items()}


CATALOGUE: Final[dict[str, Entry]] = _read()
"""Indicator name → how it is shown, in the order of `measure`."""
