"""Settings from the environment; the only module that reads it."""

import os
from dataclasses import dataclass
from pathlib import Path

from models.whisper_weights import weights_folder


@dataclass(frozen=True, slots=True)
class Environment:
    """What the machine's administrator may set."""

    weights: Path | None
    """OBSERVER_MODELS: folder with the weights of large engines (air-gapped servers too)."""
    threads: int
    """OBSERVER_THREADS: threads per worker; 1 is the fastest on shared cores."""
    language: str | None
    """LC_ALL, LC_MESSAGES or LANG: "zh" or "en", the language of messages; None: unknown."""


def environment() -> Environment:
    """Read the environment. A malformed number counts as unset."""
    threads = os.environ.get("OBSERVER_THREADS", "")
    locale = next(
        (os.environ[n] for n in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(n)), ""
    )
    return Environment(
        weights=weights_folder(os.environ),
        threads=int(threads) if threads.isdigit() and int(threads) > 0 else 1,
        language={"zh": "zh", "en": "en"}.get(locale[:2].lower()),
    )
