"""The files of one observation: which folder they go to, and writing them whole or not at all."""

import csv
import io
import json
import os
from pathlib import Path
from urllib.parse import quote

from observer.files import sha256_of, write_atomically
from observer.formats import write as write_transcript
from observer.indicators import CATALOGUE, Indicator
from observer.job import Source
from observer.observation import Observation

PLAYABLE = frozenset(
    (".aac", ".flac", ".m4a", ".m4v", ".mov", ".mp3", ".mp4", ".oga", ".ogg", ".opus", ".wav")
) | {".webm"}
"""What browsers play; any other recording gets an Opus copy of its sound beside the report."""


COLUMNS = "name name_zh name_en value unit low high n missing_zh missing_en method evidence".split()


def folder_for(out: Path, source: Source) -> Path:
    """The lesson's folder below `out`: its file's stem, or stem-2 … where another lesson has it."""
    stem = (source.recording or source.transcript or Path("lesson")).stem
    number = 1
    while True:
        folder = out / (stem if number == 1 else f"{stem}-{number}")
        if _free_for(folder / "observation.json", source):
            return folder
        number += 1


def _free_for(held: Path, source: Source) -> bool:
    """Whether nothing is there yet, or an earlier observation of the same file."""
    try:
        document = json.loads(held.read_bytes())
        recording, inputs = document["recording"], document["provenance"]["inputs"]
    except FileNotFoundError:
        return True
    except (ValueError, KeyError, TypeError):
        return False
    if source.recording is None:
        return recording is None and _same(source.transcript, inputs.get("transcript"))
    if recording is None or not source.recording.is_file():
        return False
    same_size = source.recording.stat().st_size == recording["size"]
    return same_size and _same(source.recording, recording["sha256"])


def _same(path: Path | None, digest: str | None) -> bool:
    return path is not None and path.is_file() and sha256_of(path) == digest


def write_outputs(
    observation: Observation, folder: Path, recording: Path | None, sound: Path | None, embed: bool
) -> Path:
    """Write report, data and transcripts into `folder`; the report's path comes back.

    `sound` is an Opus copy of the recording's sound, put inside the page when `embed` is set
    and played from beside it otherwise. Raises OutputError.
    """
    # Charts take a second to import, which workers of the service need not spend.
    from api.render.html import render_html

    media = _relative(sound if sound is not None and not embed else recording, folder)
    page = render_html(
        observation,
        media=None if embed else media,
        embedded_audio=sound.read_bytes() if embed and sound is not None else None,
        language=observation.language,
    )
    files = {
        "observation.json": observation.to_json(),
        "indicators.csv": indicators_csv(observation.indicators),
        "report.html": page,
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        write_atomically(folder / name, text)
    write_transcript(observation.transcript, folder / "transcript.csv")
    if observation.transcript.timed:
        write_transcript(observation.transcript, folder / "transcript.vtt")
    return folder / "report.html"


def _relative(media: Path | None, folder: Path) -> str | None:
    """A URL of `media` as seen from `folder`; on another drive there is no such thing."""
    if media is None:
        return None
    try:
        return quote(Path(os.path.relpath(media.resolve(), folder.resolve())).as_posix())
    except ValueError:
        return media.resolve().as_uri()


def indicators_csv(indicators: tuple[Indicator, ...]) -> str:
    """One row an indicator, for spreadsheets (a byte order mark makes Excel read Chinese)."""
    table = io.StringIO()
    rows = csv.writer(table)
    rows.writerow(
        [
            "name",
            "name_zh",
            "name_en",
            "value",
            "unit",
            "low",
            "high",
            "n",
            "missing_zh",
            "missing_en",
            "method",
            "evidence",
        ]
    )
    for item in indicators:
        entry = CATALOGUE[item.name]
        rows.writerow(
            [
                *(
                    item.name,
                    entry.zh,
                    entry.en,
                    item.value,
                    item.unit,
                    item.low,
                    item.high,
                    item.n,
                ),
                *((item.missing.zh, item.missing.en) if item.missing else ("", "")),
                *(item.method, " ".join(item.evidence)),
            ]
        )
    return "\ufeff" + table.getvalue()
