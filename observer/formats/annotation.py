"""Annotation programs: Praat TextGrid (praatio), ELAN (pympi) and CHAT (TalkBank)."""

import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from observer.formats.cues import Cue, Reading, check_times, damaged
from observer.formats.decoding import refuse_doctype
from observer.formats.labels import is_machine
from observer.transcript import Word, join_text

if TYPE_CHECKING:
    from pympi import Eaf

_SILENT = frozenset({"", "sil", "[sil]", "sp", "spn", "<eps>", "<sil>", "silence", "#", "<p:>"})
_PHONES = re.compile(
    r"\bphon(?:e|eme|emes|es|etic|e?s)?\b|\bsegments?\b|音素|音段|pinyin|拼音", re.I
)
_WORDS = re.compile(r"\bwords?\b|词", re.I)
WORD_PAUSE = 0.5
"""Silence in seconds that ends an utterance where a file has only words."""


def is_textgrid(text: str) -> bool:
    """Whether it is a Praat text file with interval or point tiers."""
    return (
        re.match(r"\s*File type\s*=\s*\"ooTextFile", text) is not None and "TextGrid" in text[:400]
    )


def read_textgrid(text: str) -> Reading:
    """Tiers are speakers; tiers of words become utterances at pauses, phones are left out.

    Raises TranscriptError when a tier holds fewer intervals than it announces.
    """
    from praatio.utilities import errors, textgrid_io

    try:
        tiers = textgrid_io.parseTextgridStr(text, includeEmptyIntervals=True)["tiers"]
        entries = {
            str(t["name"]).strip(): [(float(e[0]), float(e[-2]), str(e[-1])) for e in t["entries"]]
            for t in tiers
            if t["class"] == "IntervalTier"
        }
    except (errors.PraatioException, ValueError, IndexError, KeyError, TypeError) as error:
        line = text.count("\n") + 1
        raise damaged(
            line,
            f"the TextGrid breaks off or is malformed ({error})",
            f"TextGrid 不完整或有误（{error}）",
        ) from error
    _check_counts(text, len(tiers))
    for intervals in entries.values():
        for start, end, _ in intervals:
            check_times(start, end, None)
    return Reading(tuple(sorted(_tier_cues(entries), key=lambda c: c.start or 0.0)), prefixes=False)


def _check_counts(text: str, tiers: int) -> None:
    """A file that was cut off announces more intervals than it has."""
    for match in re.finditer(r"(?:intervals|points): size = (\d+)", text):
        following = text[match.end() :].split("item [", 1)[0]
        there = len(re.findall(r"(?:intervals|points) \[\d+\]", following))
        if there != int(match[1]):
            raise damaged(
                text.count("\n", 0, match.start()) + 1,
                f"the tier announces {match[1]} intervals but holds {there}; is the file cut off?",
                f"此层声明有 {match[1]} 个区间，实际只有 {there} 个，文件是否不完整？",
            )
    announced = re.search(r"^size = (\d+)", text, re.MULTILINE)
    if announced and int(announced[1]) != tiers:
        raise damaged(
            text.count("\n", 0, announced.start()) + 1,
            f"the file announces {announced[1]} tiers but {tiers} were read",
            f"文件声明有 {announced[1]} 层，实际读到 {tiers} 层",
        )


def _tier_cues(entries: dict[str, list[tuple[float, float, str]]]) -> Iterator[Cue]:
    spoken = {n: i for n, i in entries.items() if not _PHONES.search(n)}
    sentences = {n: i for n, i in spoken.items() if not _WORDS.search(n)}
    for name, intervals in (sentences or spoken).items():
        said = [(s, e, t.strip()) for s, e, t in intervals if t.strip().casefold() not in _SILENT]
        if name in sentences:
            yield from (Cue(t, s, e, name) for s, e, t in said)
        else:
            speaker = _WORDS.sub("", name).strip(" -_:") or None
            yield from utterances_of([Word(t, s, e) for s, e, t in said], speaker)


def utterances_of(words: Sequence[Word], speaker: str | None) -> Iterator[Cue]:
    """Words of one speaker as cues that end at pauses of WORD_PAUSE."""
    run: list[Word] = []
    for word in words:
        if run and word.start - run[-1].end >= WORD_PAUSE:
            yield _run_cue(run, speaker)
            run = []
        run.append(word)
    if run:
        yield _run_cue(run, speaker)


def _run_cue(run: Sequence[Word], speaker: str | None) -> Cue:
    return Cue(join_text([w.text for w in run]), run[0].start, run[-1].end, speaker, tuple(run))


def is_eaf(text: str) -> bool:
    """Whether it is an ELAN annotation document."""
    return re.match(r"\s*<", text) is not None and "<ANNOTATION_DOCUMENT" in text[:4000]


_SCHEMA_ATTRIBUTE = "{http://www.w3.org/2001/XMLSchema-instance}noNamespaceSchemaLocation"


def read_eaf(text: str) -> Reading:
    """Top-level time-aligned tiers; the PARTICIPANT, else the tier's name, is the speaker.

    A tier whose values are machine labels (a diarization) gives speakers without words.
    """
    from xml.etree.ElementTree import ParseError, tostring

    from defusedxml.ElementTree import fromstring

    refuse_doctype(text.encode())
    try:
        body = re.sub(r"^\s*<\?xml[^>]*\?>", "", text)
        # pympi answers broken XML with a bare Exception, so it only gets what parses; and it
        # insists on the schema, which other programs leave out.
        root = fromstring(body)
        root.attrib.setdefault(_SCHEMA_ATTRIBUTE, "EAFv3.0.xsd")
        body = tostring(root, encoding="unicode")
        cues = sorted(_eaf_cues(_eaf(body)), key=lambda c: c.start or 0.0)
    except ParseError as error:
        raise damaged(
            error.position[0], f"the XML breaks ({error})", f"XML 有误（{error}）"
        ) from error
    except (KeyError, ValueError, TypeError, IndexError, AttributeError) as error:
        raise damaged(
            None, f"not a valid ELAN file ({error})", f"不是有效的 ELAN 文件（{error}）"
        ) from error
    return Reading(tuple(cues), prefixes=all(c.speaker is None for c in cues))


def _eaf(text: str) -> "Eaf":
    """The document; pympi reads only from files."""
    from pympi import Eaf

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "transcript.eaf"
        path.write_text(text, encoding="utf-8")
        return Eaf(str(path), suppress_version_warning=True)


def _eaf_cues(document: "Eaf") -> Iterator[Cue]:
    for name in document.get_tier_names():
        attributes = document.tiers[name][2]
        if attributes.get("PARENT_REF"):
            continue
        found = [
            (a / 1000, b / 1000, (v or "").strip())
            for a, b, v, *_ in document.get_annotation_data_for_tier(name)
        ]
        speaker = attributes.get("PARTICIPANT") or name
        labels = bool(found) and all(is_machine(value) for _, _, value in found)
        for start, end, value in found:
            check_times(start, end, None)
            if value:
                yield Cue("", start, end, value) if labels else Cue(value, start, end, speaker)


def is_chat(text: str) -> bool:
    """Whether it opens as CHAT does."""
    return re.match(r"\s*@(?:UTF8|Begin|PID|Font|Window)\b", text) is not None


_BULLET = re.compile(r"[\x15•]?\s?(?<!\d)(\d{1,9})_(\d{1,9})\s?[\x15•]?")
_CHAT_CODES = (
    (re.compile(r"\[[^\[\]]*\]"), ""),
    (re.compile(r"&[=~+-]?\S+"), ""),
    (re.compile(r"\b(?:xxx|yyy|www)\b"), ""),
    (re.compile(r"\(\.+\)|\(\d*\.?\d*\)"), ""),
    (re.compile(r"[<>‡„↑↓≠⌈⌉⌊⌋°∆∇☺ʔ]"), ""),
    (re.compile(r"\((\w+)\)"), r"\1"),
    (re.compile(r"(\w)@\w+(?::\w+)?"), r"\1"),
    (re.compile(r"\+(?:\.\.\.|/{1,2}[.?]?|\"/?\.?|[,+^<])\??"), ""),
    (re.compile(r"(?<=\w)[:^](?=\w)"), ""),
    (re.compile(r"\b0\w*"), ""),
)
"""CHAT codes that are not words (CHAT manual, part 1), and what is left of them."""


def read_chat(text: str) -> Reading:
    """Main lines (*ABC:) with their time bullets; the participant's role is the speaker."""
    roles: dict[str, str] = {}
    language: str | None = None
    cues: list[Cue] = []
    for number, line in _logical_lines(text):
        if line.startswith("@Participants:"):
            roles = dict(_participants(line.split(":", 1)[1]))
        elif line.startswith("@Languages:"):
            language = line.split(":", 1)[1].strip()
        elif line.startswith("*"):
            cues.append(_chat_cue(line, number, roles))
        elif line[:1] not in ("@", "%", ""):
            raise damaged(
                number, f"not a CHAT line: {line[:40]}", f"不是 CHAT 格式的行：{line[:40]}"
            )
    return Reading(tuple(c for c in cues if c.text), language, prefixes=False)


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with their continuations (which begin with a tab), numbered by their first."""
    held: tuple[int, str] | None = None
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith(("\t", "  ")) and held is not None:
            held = held[0], f"{held[1]} {line.strip()}"
            continue
        if held is not None:
            yield held
        held = number, line.strip()
    if held is not None:
        yield held


def _participants(text: str) -> Iterable[tuple[str, str]]:
    for entry in text.split(","):
        parts = entry.split()
        if len(parts) > 1:
            yield parts[0], parts[-1]


def _chat_cue(line: str, number: int, roles: dict[str, str]) -> Cue:
    code, colon, said = line[1:].partition(":")
    if not colon:
        raise damaged(number, "a main line without a colon", "主行缺少冒号")
    start = end = None
    for match in _BULLET.finditer(said):
        start = int(match[1]) / 1000 if start is None else start
        end = int(match[2]) / 1000
    check_times(start, end, number)
    said = _BULLET.sub("", said)
    for pattern, left in _CHAT_CODES:
        said = pattern.sub(left, said)
    said = re.sub(r"\s+([.,?!])", r"\1", join_text(said.split()))
    spoken = any(c.isalnum() for c in said)
    return Cue(said if spoken else "", start, end, roles.get(code, code), line=number)
