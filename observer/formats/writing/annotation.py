"""Praat TextGrid (by praatio) and ELAN (by pympi): one tier a label, more where talk overlaps."""

import tempfile
from pathlib import Path

from observer.formats.cues import SCHEMA
from observer.formats.tiers import UNLABELLED, lane_name
from observer.formats.writing.fields import Label, lanes, milliseconds, one_line, timed
from observer.transcript import Transcript

_EPOCH = "1970-01-01T00:00:00+00:00"
"""ELAN's schema demands a date; the real one would make every file differ."""


def _tiers(
    transcript: Transcript, label: Label
) -> list[tuple[str, str, list[tuple[int, int, str]]]]:
    """(name, label, [(start, end in milliseconds, words)]); names differ from one another."""
    found: list[tuple[str, str, list[tuple[int, int, str]]]] = []
    for own, utterances in lanes(transcript, label):
        speaker = own or UNLABELLED
        number = 1 + sum(other == speaker for _, other, _ in found)
        entries = [(*milliseconds(timed(u)), one_line(u.text)) for u in utterances]
        found.append((lane_name(speaker, number), speaker, entries))
    return found


def to_textgrid(transcript: Transcript, label: Label) -> str:
    """A long TextGrid, UTF-8; silence between utterances is written as empty intervals."""
    from praatio.utilities import textgrid_io
    from praatio.utilities.constants import Interval

    tiers = _tiers(transcript, label)
    last = max((entries[-1][1] for _, _, entries in tiers), default=0) / 1000
    body = {
        "xmin": 0.0,
        "xmax": last,
        "tiers": [
            {
                "class": "IntervalTier",
                "name": name,
                "xmin": 0.0,
                "xmax": last,
                "entries": [Interval(a / 1000, b / 1000, text) for a, b, text in entries],
            }
            for name, _, entries in tiers
        ],
    }
    text: str = textgrid_io.getTextgridAsStr(body, "long_textgrid", includeBlankSpaces=True)
    return text


def to_eaf(transcript: Transcript, label: Label) -> str:
    """An ELAN document (EAF 2.8); a tier's PARTICIPANT is the label, times in milliseconds."""
    from pympi import Eaf

    document = Eaf(author="")
    document.adocument["DATE"] = _EPOCH
    document.remove_tier("default")
    document.properties = [("schema", SCHEMA), ("language", transcript.language)]
    for name, speaker, entries in _tiers(transcript, label):
        document.add_tier(name, part=None if speaker == UNLABELLED else speaker)
        for start, end, text in entries:
            document.add_annotation(name, start, end, text)
    # pympi writes only to files.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "transcript.eaf"
        document.to_file(path)
        return path.read_text("utf-8")
