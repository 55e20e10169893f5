"""From cues to a Transcript: what all layouts share happens here, once.

Order: speakers out of the text, times in order, missing ends estimated, roles given, names
removed, ids written.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from observer.errors import TranscriptError
from observer.formats.cues import MAX_CUES, Cue, Note, Reading
from observer.formats.ends import from_zero, of_recording, with_ends
from observer.formats.prefixes import attribute
from observer.formats.speakers import DeclaredSpeaker, assign
from observer.timeline import Role, Seconds
from observer.transcript import Transcript, Utterance, join_text

_HAN = re.compile(r"[\u3400-\u9fff]")
_KANA = re.compile(r"[\u3040-\u30ff]")
_LATIN_WORD = re.compile(r"[A-Za-zÀ-ɏ]+")
_LANGUAGES = {"cn": "zh", "cmn": "zh", "zho": "zh", "chi": "zh", "yue": "zh", "chinese": "zh",
              "mandarin": "zh", "eng": "en", "english": "en"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ImportedTranscript:
    """A transcript that came as a file, and what was found out while reading it."""

    transcript: Transcript
    layout: str
    speakers: tuple[DeclaredSpeaker, ...]
    notes: tuple[Note, ...]

    offset: Seconds = 0.0
    """Seconds that were taken off all times, because they counted from a clock."""

    def with_transcript(self, transcript: Transcript) -> "ImportedTranscript":
        """The same import with another transcript, once it was aligned to a recording."""
        return replace(self, transcript=transcript)


def assemble(
    reading: Reading,
    layout: str,
    *,
    language: str | None,
    roles: Mapping[str, Role] | None,
    keep_names: bool,
    recording: str | None = None,
    file_name: str = "",
) -> ImportedTranscript:
    """The transcript that a reading stands for. Raises TranscriptError when it has no words.

    Of a file with several recordings `recording` is read; without it the one that is called as
    the file is (without suffix), else the first.
    """
    if len(reading.cues) > MAX_CUES:
        raise TranscriptError(
            en=f"The transcript has more than {MAX_CUES} entries: not one lesson. Split it.",
            zh=f"转写超过 {MAX_CUES} 条，不像一节课，请拆分。",
        )
    cues, found = of_recording(reading.cues, recording, file_name)
    notes = [*reading.notes, *found]
    if reading.prefixes:
        cues, found = attribute(cues)
        notes += found
    cues = [replace(c, text=_one_line(c.text)) for c in cues]
    cues = [c for c in cues if c.text or c.speaker or c.role]
    if not cues:
        raise TranscriptError(
            en=f"The file looks like {layout}, but holds no utterance.",
            zh=f"文件像是 {layout} 格式，但没有任何发言。",
        )
    spoken = language or _tag(reading.language) or script_language(c.text for c in cues)
    cues, found = _in_order(cues)
    notes += found
    cues, offset, found = (cues, 0.0, []) if reading.ours else from_zero(cues)
    notes += found
    cues, found = with_ends(cues)
    notes += found
    cues, speakers, found = assign(cues, language=spoken, stated=roles, keep_names=keep_names)
    notes += found
    transcript = Transcript(spoken, tuple(_utterances(cues)), f"import:{layout}")
    return ImportedTranscript(transcript, layout, tuple(speakers), tuple(notes), offset)


def _utterances(cues: Sequence[Cue]) -> list[Utterance]:
    ids = [c.id for c in cues if c.id is not None]
    own = len(set(ids)) == len(cues)
    return [
        Utterance(
            id=c.id if own and c.id is not None else f"u{position}",
            text=c.text,
            start=c.start,
            end=c.end,
            speaker=c.speaker,
            role=c.role,
            words=c.words,
            approximate=c.approximate,
            role_probability=c.role_probability,
        )
        for position, c in enumerate(cues, 1)
    ]


def _one_line(text: str) -> str:
    """Lines joined as their script is written; runs of blanks become one."""
    if "\n" not in text:
        return text.strip()
    return join_text([re.sub(r"\s+", " ", line) for line in text.split("\n") if line.strip()])


def _tag(language: str | None) -> str | None:
    """BCP 47 primary tag of what the file calls its language."""
    if language is None:
        return None
    primary = re.split(r"[-_, ]", language.strip().casefold())[0]
    return _LANGUAGES.get(primary, primary if re.fullmatch(r"[a-z]{2}", primary) else None)


def script_language(texts: Iterable[str]) -> str:
    """ "zh", "ja" or "en" by script, "und" without letters; a word counts as one Han character."""
    han = kana = latin = 0
    for text in texts:
        han += len(_HAN.findall(text))
        kana += len(_KANA.findall(text))
        latin += len(_LATIN_WORD.findall(text))
    if han + kana + latin == 0:
        return "und"
    if kana > 0.2 * (han + kana):
        return "ja"
    return "zh" if han > 0.3 * (han + latin) else "en"


def _in_order(cues: list[Cue]) -> tuple[list[Cue], list[Note]]:
    """Timed cues by start; a file with untimed cues keeps its own order."""
    starts = [c.start for c in cues if c.start is not None]
    if len(starts) < len(cues) or all(a <= b for a, b in pairwise(starts)):
        return cues, []
    moved = sum(a > b for a, b in pairwise(starts))
    note = Note(
        "sorted_by_time",
        f"The entries were not in order of time ({moved} steps back); they were sorted.",
        f"条目未按时间排列（有 {moved} 处倒退），已按时间排序。",
    )
    return sorted(cues, key=lambda c: c.start or 0.0), [note]
