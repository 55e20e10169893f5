"""How characters sound: a recogniser writes a name as 梓轩, as 子萱 and as 紫轩."""

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files


def lines_of(name: str) -> list[str]:
    """The lines of a file of this package that are no comments."""
    text = files("api.masking").joinpath(name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if not line.startswith("#")]


@cache
def sound_table() -> Mapping[str, str]:
    """Character → syllable, with what recognisers mix up folded: zh and z, ing and in …"""
    found: dict[str, str] = {}
    for line in lines_of("syllables.txt"):
        syllable, characters = line.split()
        folded = re.sub("^([zcs])h", r"\1", syllable)
        folded = re.sub("(?<=[aei]n)g$", "", folded)
        found |= dict.fromkeys(characters, folded)
    return found


def sound(name: str) -> tuple[str, ...]:
    """The syllables of a name; a character without a known one stands for itself."""
    return tuple(sound_table().get(c, c) for c in name)
