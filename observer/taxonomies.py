"""The label sets: code, Chinese and English name, definition, example, source.

The words are data beside this file (``taxonomies.toml``). A change of meaning raises `VERSION`;
labels in old observations keep the version they had.
"""

import tomllib
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

VERSION: Final = "1"


@dataclass(frozen=True, slots=True)
class Code:
    """One label of a taxonomy."""

    code: str
    zh: str
    en: str
    definition_zh: str
    definition_en: str
    example: str


@dataclass(frozen=True, slots=True)
class Taxonomy:
    """A set of labels of which an utterance gets exactly one."""

    name: str
    zh: str
    en: str
    source: str
    codes: tuple[Code, ...]

    def __getitem__(self, code: str) -> Code:
        for item in self.codes:
            if item.code == code:
                return item
        raise KeyError(f"{self.name} has no code {code!r}; known: {list(self.names)}")

    @property
    def names(self) -> tuple[str, ...]:
        """The codes alone, in order."""
        return tuple(item.code for item in self.codes)


def _taxonomy(name: str, row: dict[str, Any]) -> Taxonomy:
    codes = tuple(Code(**code) for code in row["codes"])
    return Taxonomy(name, row["zh"], row["en"], row["source"], codes)


def _read() -> dict[str, Taxonomy]:
    text = files("observer").joinpath("taxonomies.toml").read_text(encoding="utf-8")
    return {name: _taxonomy(name, row) for name, row in tomllib.loads(text).items()}


TAXONOMIES: Final = _read()
"""Name → taxonomy."""

QUESTION_FORM: Final = TAXONOMIES["question_form"]
QUESTION_DEMAND: Final = TAXONOMIES["question_demand"]
SIHE: Final = TAXONOMIES["sihe"]
OPENNESS: Final = TAXONOMIES["openness"]
FEEDBACK: Final = TAXONOMIES["feedback"]
INSTRUCTION: Final = TAXONOMIES["instruction"]
TEACHER_MOVE: Final = TAXONOMIES["teacher_move"]
STUDENT_MOVE: Final = TAXONOMIES["student_move"]
UPTAKE: Final = TAXONOMIES["uptake"]
FOCUSING: Final = TAXONOMIES["focusing"]
FIAS: Final = TAXONOMIES["fias"]
