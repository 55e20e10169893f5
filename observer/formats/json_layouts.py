"""JSON of recognisers: Whisper, WhisperX, FunASR, Tingwu, Tencent, iFlytek, Volcengine, SegLST.

Layouts are rows of the table json_dialects.DIALECTS. Our own files (transcript.json,
observation.json) are read back whole, with their roles.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from statistics import median

from observer.errors import TranscriptError
from observer.formats import services
from observer.formats.cues import Cue, Entry, Reading, check_times, damaged
from observer.formats.json_dialects import DIALECTS, Dialect
from observer.formats.json_values import Json, first, line_of_entry, number, obj, parse_json
from observer.timeline import Role
from observer.transcript import Word


def is_json(text: str) -> bool:
    """Whether it opens as JSON does; "[00:03] …" does not."""
    return re.match(r'\s*(?:\{\s*["}]|\[\s*[\[{\]"])', text) is not None


def read_json(text: str) -> tuple[str, Reading]:
    """(layout, reading) of any known JSON. Raises TranscriptError when it is none of them."""
    value = _unwrapped(parse_json(text))

    def locate(key: str, position: int) -> int | None:
        return line_of_entry(text, key, position)

    if isinstance(value, dict) and isinstance(value.get("transcript"), dict):
        return "observer_json", _ours(value["transcript"], text)
    if isinstance(value, dict) and "utterances" in value and "language" in value:
        return "observer_json", _ours(value, text)
    if (paragraphs := services.tingwu(value, locate)) is not None:
        return "tingwu_json", paragraphs
    if (lattice := services.iflytek(value, locate)) is not None:
        return "iflytek_json", lattice
    for dialect in DIALECTS:
        entries = list(_entries(value, dialect.path))
        if entries and isinstance(entries[0], dict) and dialect.needs <= entries[0].keys():
            key = next((k for k in reversed(dialect.path) if k != "*"), "")
            places = [Entry(n, partial(locate, key)) for n in range(1, len(entries) + 1)]
            cues = tuple(_cues(entries, dialect, places))
            return dialect.name, Reading(cues, _language(value))
    if (lines := services.tencent_text(value)) is not None:
        return "tencent_json", lines
    raise TranscriptError(
        en="This JSON is no transcript of a known layout. Known: "
        + ", ".join(dict.fromkeys(d.name for d in DIALECTS))
        + ", tingwu_json, observer_json.",
        zh="这个 JSON 不是已知的转写格式。已知格式："
        + "、".join(dict.fromkeys(d.name for d in DIALECTS))
        + "、tingwu_json、observer_json。",
    )


def _unwrapped(value: Json) -> Json:
    """Results that a service puts, as JSON in a string, into the field "data"."""
    inner = obj(value).get("data")
    if isinstance(inner, str) and is_json(inner):
        return parse_json(inner)
    return value


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


def _cues(entries: Sequence[Json], dialect: Dialect, places: Sequence[Entry]) -> Iterator[Cue]:
    scale = 0.001 if dialect.guess_unit and _in_milliseconds(entries, dialect) else dialect.scale
    for entry, place in zip(entries, places, strict=True):
        if not isinstance(entry, dict):
            raise damaged(place, "an entry is not an object", "条目不是对象")
        fields = entry | obj(entry.get("offsets")) | obj(entry.get("additions"))
        start = number(fields, dialect.start, scale, place)
        end = number(fields, dialect.end, scale, place)
        check_times(start, end, place)
        text = str(first(fields, dialect.text) or "").strip()
        speaker = first(fields, dialect.speaker)
        recording = fields.get("session_id")
        yield Cue(
            re.sub(r"<\|[^|<>]*\|>", "", text),
            start,
            end,
            None if speaker is None else str(speaker),
            tuple(_words(fields, dialect, scale, (start, end), place)),
            line=place.number,
            recording=recording if isinstance(recording, str) else None,
        )


def _in_milliseconds(entries: Sequence[Json], dialect: Dialect) -> bool:
    """Whole numbers by which the median entry would last over 100 s (or 100 ms) are the latter."""
    lengths: list[float] = []
    for entry in map(obj, entries):
        start, end = first(entry, dialect.start), first(entry, dialect.end)
        if not (isinstance(start, int) and isinstance(end, int)):
            return False
        lengths.append(end - start)
    return bool(lengths) and median(lengths) >= 100


def _words(
    entry: Mapping[str, Json],
    dialect: Dialect,
    scale: float,
    bounds: tuple[float | None, float | None],
    place: Entry,
) -> Iterator[Word]:
    """Words with times; WhisperX leaves numerals untimed, these lie between their neighbours."""
    found = entry.get(dialect.words) if dialect.words else None
    if not isinstance(found, list):
        return
    start, end = bounds
    origin = (start or 0.0) if dialect.words_from_entry else 0.0
    cursor = start or 0.0
    for position, item in enumerate(found):
        if not isinstance(item, dict):
            continue
        text = str(first(item, dialect.word) or "").strip()
        begin = number(item, dialect.word_start, scale, place)
        last = number(item, dialect.word_end, scale, place)
        begin = cursor if begin is None else begin + origin
        if last is None:
            following = _next_start(found[position + 1 :], dialect, scale, place)
            last = end if following is None else following + origin
        else:
            last += origin
        last = max(begin, begin if last is None else last)
        confidence = number(item, dialect.confidence, 1.0, place)
        check_times(begin, last, place)
        if text:
            yield Word(text, begin, last, confidence)
        cursor = last


def _next_start(rest: Sequence[Json], dialect: Dialect, scale: float, place: Entry) -> float | None:
    starts = (number(obj(item), dialect.word_start, scale, place) for item in rest)
    return next((value for value in starts if value is not None), None)


def _ours(transcript: Json, text: str) -> Reading:
    """A transcript as we write it: ids, roles and words are kept."""
    body = obj(transcript)
    entries = body.get("utterances")
    cues = []
    for position, entry in enumerate(entries if isinstance(entries, list) else [], 1):
        item = obj(entry)
        place = Entry(position, lambda n: line_of_entry(text, "utterances", n))
        start = number(item, ("start",), 1.0, place)
        end = number(item, ("end",), 1.0, place)
        check_times(start, end, place)
        words = item.get("words")
        cues.append(
            Cue(
                str(item.get("text") or ""),
                start,
                end,
                _text_or_none(item.get("speaker")),
                tuple(_our_word(obj(w), place) for w in words) if isinstance(words, list) else (),
                position,
                _role(item.get("role"), place),
                number(item, ("role_probability",), 1.0, place),
                item.get("approximate") is True,
                _text_or_none(item.get("id")),
            )
        )
    return Reading(tuple(cues), _text_or_none(body.get("language")), ours=True, prefixes=False)


def _our_word(word: Mapping[str, Json], place: Entry) -> Word:
    start = number(word, ("start",), 1.0, place)
    end = number(word, ("end",), 1.0, place)
    check_times(start, end, place)
    if start is None or end is None:
        raise damaged(place, "a word has no time", "有词没有时间")
    return Word(str(word.get("text") or ""), start, end, number(word, ("confidence",), 1.0, place))


def _text_or_none(value: Json) -> str | None:
    return value if isinstance(value, str) and value else None


def _role(value: Json, place: Entry) -> Role | None:
    if value is None or value == "":
        return None
    try:
        return Role(str(value))
    except ValueError as error:
        raise damaged(place, f"{value!r} is not a role", f"{value!r} 不是已知的角色") from error
