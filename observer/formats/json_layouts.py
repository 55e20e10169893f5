"""JSON of recognisers: Whisper, WhisperX, FunASR, Tingwu, Tencent, iFlytek, Volcengine, SegLST.

Layouts are rows of the table json_dialects.DIALECTS. Our own files (transcript.json,
observation.json) are read back whole, with their roles.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from observer.errors import TranscriptError
from observer.formats.cues import Cue, Reading, check_times, damaged
from observer.formats.json_dialects import DIALECTS, Dialect
from observer.timeline import Role
from observer.transcript import Word

Json: TypeAlias = "str | float | int | bool | list[Json] | dict[str, Json] | None"


def is_json(text: str) -> bool:
    """Whether it opens as JSON does; "[00:03] …" does not."""
    return re.match(r'\s*(?:\{\s*["}]|\[\s*[\[{\]"])', text) is not None


def parse_json(text: str) -> Json:
    """The value. Raises TranscriptError with the line of the fault."""
    try:
        value: Json = json.loads(text)
    except json.JSONDecodeError as error:
        raise damaged(
            error.lineno,
            f"not valid JSON ({error.msg}, column {error.colno}); is the file cut off?",
            f"不是有效的 JSON（第 {error.colno} 列：{error.msg}），文件是否不完整？",
        ) from error
    except (RecursionError, ValueError) as error:
        raise damaged(None, "the JSON is nested too deeply", "JSON 嵌套过深或数值过大") from error
    return value


def read_json(text: str) -> tuple[str, Reading]:
    """(layout, reading) of any known JSON. Raises TranscriptError when it is none of them."""
    value = parse_json(text)
    if isinstance(value, dict) and isinstance(value.get("transcript"), dict):
        return "observer_json", _ours(value["transcript"])
    if isinstance(value, dict) and "utterances" in value and "language" in value:
        return "observer_json", _ours(value)
    if (paragraphs := _tingwu(value)) is not None:
        return "tingwu_json", paragraphs
    for dialect in DIALECTS:
        entries = list(_entries(value, dialect.path))
        if entries and isinstance(entries[0], dict) and dialect.needs <= entries[0].keys():
            return dialect.name, Reading(tuple(_cues(entries, dialect)), _language(value))
    raise TranscriptError(
        en="This JSON is no transcript of a known layout. Known: "
        + ", ".join(dict.fromkeys(d.name for d in DIALECTS))
        + ", tingwu_json, observer_json.",
        zh="这个 JSON 不是已知的转写格式。已知格式："
        + "、".join(dict.fromkeys(d.name for d in DIALECTS))
        + "、tingwu_json、observer_json。",
    )


def _entries(value: Json, path: Sequence[str]) -> Iterator[Json]:
    if not path:
        if isinstance(value, list):
            yield from value
    elif path[0] == "*":
        if isinstance(value, list):
            for element in value:
                yield from _entries(element, path[1:])
    elif isinstance(value, dict) and path[0] in value:
        yield from _entries(value[path[0]], path[1:])


def _language(value: Json) -> str | None:
    holder = value[0] if isinstance(value, list) and value else value
    language = holder.get("language") if isinstance(holder, dict) else None
    return language if isinstance(language, str) else None


def _cues(entries: Sequence[Json], dialect: Dialect) -> Iterator[Cue]:
    for number, entry in enumerate(entries, 1):
        if not isinstance(entry, dict):
            raise damaged(number, "an entry is not an object", "条目不是对象")
        fields = entry | _object(entry.get("offsets"))
        start = _number(fields, dialect.start, dialect.scale, number)
        end = _number(fields, dialect.end, dialect.scale, number)
        check_times(start, end, number)
        text = str(_first(fields, dialect.text) or "").strip()
        speaker = _first(fields, dialect.speaker)
        origin = (start or 0.0) if dialect.words_from_entry else 0.0
        yield Cue(
            re.sub(r"<\|[^|<>]*\|>", "", text),
            start,
            end,
            None if speaker is None else str(speaker),
            tuple(_words(fields, dialect, origin, start, end)),
            line=number,
        )


def _object(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}


def _first(entry: Mapping[str, Json], names: Sequence[str]) -> Json:
    return next((entry[n] for n in names if entry.get(n) is not None), None)


def _number(
    entry: Mapping[str, Json], names: Sequence[str], scale: float, number: int
) -> float | None:
    value = _first(entry, names)
    if value is None:
        return None
    try:
        if isinstance(value, str | int | float):
            return round(float(value) * scale, 6)
    except ValueError:
        pass
    raise damaged(
        number,
        f"entry {number}: {names[0]} is not a number",
        f"第 {number} 条的 {names[0]} 不是数字",
    )


def _words(
    entry: Mapping[str, Json],
    dialect: Dialect,
    origin: float,
    start: float | None,
    end: float | None,
) -> Iterator[Word]:
    """Words with times; WhisperX leaves numerals untimed, these lie between their neighbours."""
    found = entry.get(dialect.words) if dialect.words else None
    if not isinstance(found, list):
        return
    cursor = start or 0.0
    for position, item in enumerate(found):
        if not isinstance(item, dict):
            continue
        text = str(_first(item, dialect.word) or "").strip()
        first = _number(item, dialect.word_start, dialect.scale, position + 1)
        last = _number(item, dialect.word_end, dialect.scale, position + 1)
        first = cursor if first is None else first + origin
        last = (
            _next_start(found[position + 1 :], dialect, origin, end, first)
            if last is None
            else last + origin
        )
        confidence = _number(item, dialect.confidence, 1.0, position + 1)
        check_times(first, max(first, last), None)
        if text:
            yield Word(text, first, max(first, last), confidence)
        cursor = max(first, last)


def _next_start(
    rest: Sequence[Json], dialect: Dialect, origin: float, end: float | None, default: float
) -> float:
    for item in rest:
        value = _number(_object(item), dialect.word_start, dialect.scale, 0)
        if value is not None:
            return value + origin
    return default if end is None else end


def _tingwu(value: Json) -> Reading | None:
    """Alibaba Tingwu: paragraphs of words, milliseconds; one cue per sentence."""
    body = _object(value)
    transcription = (
        _object(body.get("Transcription"))
        or _object(_object(body.get("Result")).get("Transcription"))
        or body
    )
    paragraphs = transcription.get("Paragraphs")
    if not isinstance(paragraphs, list):
        return None
    cues: list[Cue] = []
    for paragraph in map(_object, paragraphs):
        sentences: dict[str, list[dict[str, Json]]] = {}
        found = paragraph.get("Words")
        for word in map(_object, found if isinstance(found, list) else []):
            sentences.setdefault(str(word.get("SentenceId")), []).append(word)
        for words in sentences.values():
            cues.append(_tingwu_cue(words, paragraph.get("SpeakerId"), len(cues) + 1))
    language = _object(transcription.get("AudioInfo")).get("Language")
    return Reading(tuple(cues), language if isinstance(language, str) else None)


def _tingwu_cue(words: Sequence[Mapping[str, Json]], speaker: Json, number: int) -> Cue:
    timed: list[Word] = []
    for word in words:
        start = _number(word, ("Start",), 0.001, number)
        end = _number(word, ("End",), 0.001, number)
        if start is None or end is None:
            raise damaged(number, f"sentence {number} has no times", f"第 {number} 句没有时间")
        check_times(start, end, number)
        timed.append(Word(str(word.get("Text") or ""), start, end))
    text = "".join(w.text for w in timed).strip()
    return Cue(
        text,
        timed[0].start,
        max(w.end for w in timed),
        None if speaker is None else str(speaker),
        tuple(timed) if len(timed) > 1 else (),
        line=number,
    )


def _ours(transcript: Json) -> Reading:
    """A transcript as we write it: ids, roles and words are kept."""
    body = _object(transcript)
    entries = body.get("utterances")
    cues = []
    for number, entry in enumerate(entries if isinstance(entries, list) else [], 1):
        item = _object(entry)
        start = _number(item, ("start",), 1.0, number)
        end = _number(item, ("end",), 1.0, number)
        check_times(start, end, number)
        words = item.get("words")
        cues.append(
            Cue(
                str(item.get("text") or ""),
                start,
                end,
                _text_or_none(item.get("speaker")),
                tuple(_our_word(_object(w), number) for w in words)
                if isinstance(words, list)
                else (),
                number,
                _role(item.get("role"), number),
                _number(item, ("role_probability",), 1.0, number),
                item.get("approximate") is True,
                _text_or_none(item.get("id")),
            )
        )
    return Reading(tuple(cues), _text_or_none(body.get("language")), prefixes=False)


def _our_word(word: Mapping[str, Json], number: int) -> Word:
    start = _number(word, ("start",), 1.0, number)
    end = _number(word, ("end",), 1.0, number)
    check_times(start, end, number)
    if start is None or end is None:
        raise damaged(
            number, f"entry {number}: a word has no time", f"第 {number} 条里有词没有时间"
        )
    return Word(
        str(word.get("text") or ""), start, end, _number(word, ("confidence",), 1.0, number)
    )


def _text_or_none(value: Json) -> str | None:
    return value if isinstance(value, str) and value else None


def _role(value: Json, number: int) -> Role | None:
    if value is None or value == "":
        return None
    try:
        return Role(str(value))
    except ValueError as error:
        raise damaged(number, f"{value!r} is not a role", f"{value!r} 不是已知的角色") from error
