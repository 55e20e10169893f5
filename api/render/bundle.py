"""Vega for the page: the bundle that vl-convert carries, built once and kept in a cache folder.

Building takes 1.5-3 s and gives 0.9 MB; the page of a file holds it compressed (0.4 MB as base64)
and unpacks it only when a chart comes into view. The service has an address for it.
"""

import base64
import gzip
import hashlib
import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Bundle:
    """The program and how the page may run it."""

    packed: str
    """Base64 of the gzipped script."""
    csp_hash: str
    """`sha256-…` of the script as it runs, for the content security policy."""


def program_address() -> str:
    """Where the service has the program; another version of it has another address."""
    return f"/program/vega-{version('vl-convert-python')}.js"


@cache
def bundle() -> Bundle:
    """The bundle, from the cache when it is there."""
    script = _cached_script()
    packed = gzip.compress(script.encode(), compresslevel=9, mtime=0)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return Bundle(base64.b64encode(packed).decode(), f"sha256-{digest}")


def _cached_script() -> str:
    kept = _folder() / f"vega-{version('vl-convert-python')}.js"
    with suppress(OSError):
        return kept.read_text(encoding="utf-8")
    import vl_convert

    script: str = vl_convert.javascript_bundle()  # type: ignore[call-arg]
    # Without a writable cache the next process builds it again; nothing else is lost.
    with suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", dir=kept.parent, encoding="utf-8", delete=False
        ) as part:
            part.write(script)
        Path(part.name).replace(kept)
    return script


def _folder() -> Path:
    """Where programs keep what they can make again (XDG base directories)."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "observer"
