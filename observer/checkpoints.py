"""Checkpoints of a job: what a finished stage found, kept until the same question comes again."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from observer.files import write_atomically

T = TypeVar("T")


def fingerprint(*parts: object) -> str:
    """A short sha256 of JSON-able parts; equal parts give equal fingerprints."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """A folder with one file a stage; a file of another fingerprint or a torn one is ignored."""

    folder: Path
    on_put: Callable[[str], None] = lambda _stage: None
    """Hears the name of each stage whose file has just been written; may raise to stop the work."""

    def get(self, stage: str, key: str, kind: type[T]) -> T | None:
        """What `stage` found under the same `key`, or None."""
        from pydantic import TypeAdapter, ValidationError

        try:
            stored = (self.folder / f"{stage}.json").read_bytes()
        except FileNotFoundError:
            return None
        first, _, body = stored.partition(b"\n")
        if first.decode("utf-8", "replace") != key:
            return None
        try:
            return TypeAdapter(kind).validate_json(body)
        except ValidationError:
            return None

    def put(self, stage: str, key: str, kind: type[T], value: T) -> None:
        """Keep `value`; whole or not at all."""
        from pydantic import TypeAdapter

        self.folder.mkdir(parents=True, exist_ok=True)
        body = TypeAdapter(kind).dump_json(value)
        write_atomically(self.folder / f"{stage}.json", key.encode() + b"\n" + body)
        self.on_put(stage)

    def stage(self, name: str, key: str, kind: type[T], work: Callable[[], T]) -> T:
        """The kept result, or that of `work`, kept."""
        found = self.get(name, key, kind)
        if found is None:
            found = work()
            self.put(name, key, kind, found)
        return found
