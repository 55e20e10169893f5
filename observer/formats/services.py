"""Recognition services whose results are not one flat list of entries.

Tingwu (Alibaba): paragraphs of words. iFlytek: a lattice of sentences, each JSON inside JSON.
Tencent Cloud: without details, one text of lines like "[0:3.320,0:19.712,1]  words".
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from observer.formats.cues import Cue, Entry, Reading, check_times, damaged
from observer.formats.json_values import Json, first, number, obj, parse_json
from observer.transcript import Word, join_text

Locate = Callable[[str, int], int | None]
"""(key of a list, entry number) → the line where that entry begins."""


def tingwu(value: Json, locate: Locate) -> Reading | None:
    """Tingwu: one cue per sentence, milliseconds; None when it is something else."""
    body = obj(value)
    transcription = (
        obj(body.get("Transcription")) or obj(obj(body.get("Result")).get("Transcription")) or body
    )
    paragraphs = transcription.get("Paragraphs")
    if not isinstance(paragraphs, list):
        return None
    cues: list[Cue] = []
    for position, paragraph in enumerate(map(obj, paragraphs), 1):
        place = Entry(position, lambda n: locate("Paragraphs", n))
        sentences: dict[str, list[dict[str, Json]]] = {}
        found = paragraph.get("Words")
        for word in map(obj, found if isinstance(found, list) else []):
            sentences.setdefault(str(word.get("SentenceId")), []).append(word)
        cues += [
            _tingwu_cue(words, paragraph.get("SpeakerId"), place) for words in sentences.values()
        ]
    language = obj(transcription.get("AudioInfo")).get("Language")
    return Reading(tuple(cues), language if isinstance(language, str) else None)


def _tingwu_cue(words: Sequence[Mapping[str, Json]], speaker: Json, place: Entry) -> Cue:
    timed: list[Word] = []
    for word in words:
        start = number(word, ("Start",), 0.001, place)
        end = number(word, ("End",), 0.001, place)
        if start is None or end is None:
            raise damaged(place, "a sentence has no times", "有句子没有时间")
        check_times(start, end, place)
        timed.append(Word(str(word.get("Text") or ""), start, end))
    return Cue(
        "".join(w.text for w in timed).strip(),
        timed[0].start,
        max(w.end for w in timed),
        None if speaker is None else str(speaker),
        tuple(timed) if len(timed) > 1 else (),
        line=place.number,
    )


FRAME = 0.01
"""Seconds of a frame, in which iFlytek counts words from the start of their sentence."""


def iflytek(value: Json, locate: Locate) -> Reading | None:
    """iFlytek's order result: the smoothed lattice, else the raw one; None if there is none."""
    body = obj(value)
    result = _unpacked(obj(body.get("content")).get("orderResult")) or _unpacked(
        body.get("orderResult")
    )
    holder = obj(result) or body
    lattice = _unpacked(holder.get("lattice")) or _unpacked(holder.get("lattice2"))
    if not isinstance(lattice, list) or not any("json_1best" in obj(x) for x in lattice):
        return None
    cues: list[Cue] = []
    for position, item in enumerate(map(obj, lattice), 1):
        place = Entry(position, lambda n: locate("lattice", n) or locate("lattice2", n))
        sentence = obj(obj(_unpacked(item.get("json_1best"))).get("st"))
        cues.append(_iflytek_cue(sentence, place))
    if {c.speaker for c in cues} == {"0"}:  # rl 0 everywhere: voices were not told apart
        cues = [Cue(c.text, c.start, c.end, None, c.words, c.line) for c in cues]
    return Reading(tuple(cues))


def _unpacked(value: Json) -> Json:
    """The value, or what it holds when it is JSON in a string."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        return parse_json(value)
    return value


def _iflytek_cue(sentence: Mapping[str, Json], place: Entry) -> Cue:
    start = number(sentence, ("bg",), 0.001, place)
    end = number(sentence, ("ed",), 0.001, place)
    if start is None or end is None:
        raise damaged(place, "a sentence has no times (bg, ed)", "有句子没有时间（bg、ed）")
    check_times(start, end, place)
    words: list[Word] = []
    text = ""
    for item in _each(sentence, "rt", "ws"):
        chosen = next(iter(_each(item, "cw")), {})
        said = str(chosen.get("w") or "")
        text += said
        if chosen.get("wp") == "p" and words:
            last = words[-1]
            words[-1] = Word(last.text + said, last.start, last.end, last.confidence)
        elif said.strip():
            words.append(_iflytek_word(said.strip(), item, start, end, place))
    speaker = sentence.get("rl")
    return Cue(
        join_text(text.split()) if not text.isascii() else " ".join(text.split()),
        start,
        end,
        None if speaker is None else str(speaker),
        tuple(words),
        line=place.number,
    )


def _iflytek_word(
    text: str, item: Mapping[str, Json], start: float, end: float, place: Entry
) -> Word:
    first_frame = number(item, ("wb",), FRAME, place) or 0.0
    last_frame = number(item, ("we",), FRAME, place) or first_frame
    begin = min(start + first_frame, end)
    return Word(text, round(begin, 3), round(min(max(begin, start + last_frame), end), 3))


def _each(holder: Mapping[str, Json], *keys: str) -> Iterator[dict[str, Json]]:
    """The objects in the list of the first key, or in the lists below it."""
    found = holder.get(keys[0])
    for item in map(obj, found if isinstance(found, list) else []):
        if len(keys) == 1:
            yield item
        else:
            yield from _each(item, *keys[1:])


_TENCENT_LINE = re.compile(
    r"\s*\[(\d{1,4}):(\d{1,2}(?:\.\d{1,3})?),(\d{1,4}):(\d{1,2}(?:\.\d{1,3})?)(?:,(-?\d{1,3}))?\]"
    r"\s*(.*)"
)


def is_tencent_result(text: str) -> bool:
    """Whether most lines open as Tencent Cloud's plain results do."""
    lines = [line for line in text.split("\n") if line.strip()][:40]
    return bool(lines) and sum(bool(_TENCENT_LINE.fullmatch(x)) for x in lines) >= 0.6 * len(lines)


def read_tencent_result(text: str) -> Reading:
    """Lines "[minute:second,minute:second,voice]  words"."""
    cues: list[Cue] = []
    for line_number, line in enumerate(text.split("\n"), 1):
        match = _TENCENT_LINE.fullmatch(line)
        if match is None and line.strip():
            raise damaged(
                line_number,
                "not a line of Tencent's result: [minute:second,minute:second,voice]  words",
                "不是腾讯云识别结果的行：[分:秒,分:秒,说话人]  文字",
            )
        if match is not None:
            start = int(match[1]) * 60 + float(match[2])
            end = int(match[3]) * 60 + float(match[4])
            check_times(start, end, line_number)
            cues.append(Cue(match[6].strip(), start, end, match[5], line=line_number))
    return Reading(tuple(cues))


def tencent_text(value: Json) -> Reading | None:
    """The plain result inside Tencent Cloud's JSON; None when there is none."""
    body = obj(obj(value).get("Response")) or obj(value)
    result = first(obj(body.get("Data")) or body, ("Result", "result"))
    if isinstance(result, str) and is_tencent_result(result):
        return read_tencent_result(result)
    return None
