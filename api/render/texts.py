"""The page's own words in one language: api/locale/{zh,en}.json, flat keys, named gaps."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from observer.errors import Language
from observer.timeline import Seconds


@dataclass(frozen=True, slots=True)
class Texts:
    """Words and number formats of one language."""

    language: Language
    entries: Mapping[str, str]

    def __call__(self, key: str, **gaps: object) -> str:
        """The text `key`, gaps filled. Raises KeyError for an unknown key or an open gap."""
        return self.entries[key].format(**gaps)

    def known(self, key: str, otherwise: str) -> str:
        """The text `key`, or `otherwise` for codes that this page does not know."""
        return self.entries.get(key, otherwise)

    def pick(self, *, zh: str, en: str) -> str:
        """The one of two texts that is in this language."""
        return zh if self.language == "zh" else en

    def percent(self, share: float) -> str:
        """0.617 → "62%"."""
        return f"{100 * share:.0f}%"

    def length(self, seconds: Seconds) -> str:
        """Seconds up to two minutes, then minutes, one decimal."""
        if seconds >= 120:
            return self("minutes", value=f"{seconds / 60:.1f}")
        return self("seconds", value=f"{seconds:.1f}")

    def list(self, parts: "list[str]") -> str:
        """Parts of an enumeration."""
        return self("list.comma").join(parts)


def clock(seconds: Seconds) -> str:
    """73.4 → "1:13"; from one hour on "1:02:07"."""
    whole = int(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, second = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{second:02d}" if hours else f"{minutes}:{second:02d}"


@cache
def texts(language: Language) -> Texts:
    """The texts of `language`."""
    source = files("api") / "locale" / f"{language}.json"
    return Texts(language, json.loads(source.read_text(encoding="utf-8")))
