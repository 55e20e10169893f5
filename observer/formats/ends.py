"""Times that a file leaves open or counts from elsewhere: recordings, clocks, missing ends."""

from collections.abc import Sequence
from dataclasses import replace

from observer.alignment import speaking_time
from observer.errors import TranscriptError
from observer.formats.clock import format_clock
from observer.formats.cues import Cue, Note
from observer.timeline import Seconds

LATEST_START: Seconds = 3600.0
"""A first word later than this is not the silence before a lesson: the times count from a clock
or from the tape of an editing program."""

PROGRAMME_STARTS: tuple[Seconds, ...] = (3600.0, 36_000.0)
"""Time codes at which editing programs let a film begin by custom: 01:00:00 and 10:00:00."""

_MINUTE_FACTOR = 8.0
"""Speech that would be this much faster than anybody speaks was stamped in hours and minutes."""


def of_recording(
    cues: Sequence[Cue], wanted: str | None, file_name: str
) -> tuple[list[Cue], list[Note]]:
    """The cues of one recording; a note names the others.

    Raises TranscriptError when the file does not have the one that is wanted.
    """
    names = list(dict.fromkeys(c.recording for c in cues if c.recording is not None))
    shown = ", ".join(names[:8]) + (" …" if len(names) > 8 else "")
    if wanted is not None and wanted not in names:
        raise TranscriptError(
            en=f"The file holds no recording {wanted!r}"
            + (f"; it holds: {shown}." if names else ": it does not name recordings."),
            zh=f"文件中没有录音 {wanted!r}"
            + (f"；其中有：{shown}。" if names else "，文件没有写明录音名称。"),
        )
    if len(names) < 2:
        return list(cues), []
    chosen = wanted or (file_name if file_name in names else names[0])
    kept = [c for c in cues if c.recording == chosen]
    if wanted is not None:
        return kept, []
    note = Note(
        "other_recordings",
        f"The file covers {len(names)} recordings ({shown}); only {chosen!r} was read. "
        "Name another one to read it.",
        f"文件包含 {len(names)} 个录音（{shown}），只读取了 {chosen!r}；如需其他录音请指定名称。",
    )
    return kept, [note]


def from_zero(cues: list[Cue]) -> tuple[list[Cue], Seconds, list[Note]]:
    """Cues in order, whose times count from a clock, counted from the start of the recording.

    (cues, seconds taken off, notes). Programme time codes lose their hour; of a wall clock it
    is not known when the recording began, so the first entry becomes 0 and a note says so.
    """
    notes: list[Note] = []
    if _in_minutes(cues):
        cues = [replace(c, start=None if c.start is None else c.start * 60) for c in cues]
        notes.append(_minutes_note())
    starts = [c.start for c in cues if c.start is not None]
    if not starts or min(starts) < LATEST_START:
        return cues, 0.0, notes
    began = min(starts)
    programme = next((p for p in PROGRAMME_STARTS if 0 <= began - p < 60), None)
    offset = began if programme is None else programme
    notes.append(_clock_note(began) if programme is None else _programme_note(offset))
    return [_earlier(c, offset) for c in cues], offset, notes


def _in_minutes(cues: Sequence[Cue]) -> bool:
    """Whether "14:02" means two minutes past two: far more words than the seconds could hold."""
    starts = [c.start for c in cues if c.start is not None and c.end is None]
    if len(starts) < max(5, len(cues)) or any(not float(s).is_integer() for s in starts):
        return False
    span = max(starts) - min(starts)
    spoken = sum(speaking_time(c.text) for c in cues[:-1])
    return max(starts) < 24 * 60 and span > 0 and spoken > _MINUTE_FACTOR * span


def _earlier(cue: Cue, offset: Seconds) -> Cue:
    def moved(time: Seconds) -> Seconds:
        return max(0.0, round(time - offset, 6))

    return replace(
        cue,
        start=None if cue.start is None else moved(cue.start),
        end=None if cue.end is None else moved(cue.end),
        words=tuple(replace(w, start=moved(w.start), end=moved(w.end)) for w in cue.words),
    )


def _minutes_note() -> Note:
    return Note(
        "hours_and_minutes",
        "The times are hours and minutes without seconds (as seconds they would leave no time "
        "for the words); entries of one minute divide it. Times are approximate.",
        "时间只有时和分、没有秒（若当作分和秒，则来不及说完这些话）；同一分钟内的条目平分该分钟，"
        "时间为近似值。",
    )


def _clock_note(began: Seconds) -> Note:
    shown = format_clock(began)[:8]
    return Note(
        "wall_clock",
        f"The times begin at {shown} and are taken for a clock's; they were counted from the "
        "first entry. The start of the recording may lie earlier.",
        f"时间从 {shown} 开始，视为钟点，已从第一条起算；录音的起点可能更早。",
    )


def _programme_note(offset: Seconds) -> Note:
    shown = format_clock(offset)[:8]
    return Note(
        "programme_time",
        f"The times begin at {shown}, as those of editing programs do; {shown} was taken off.",
        f"时间从 {shown} 开始（剪辑软件的惯例），已减去 {shown}。",
    )


def with_ends(cues: list[Cue]) -> tuple[list[Cue], list[Note]]:
    """Cues that only have a start get an end, marked approximate.

    The end is where the words would be over (`speaking_time`), at the latest at the next
    start. Entries that share one start (whole seconds!) divide the time up to the next.
    """
    open_ended = [i for i, c in enumerate(cues) if c.start is not None and c.end is None]
    if not open_ended:
        return cues, []
    done = list(cues)
    position = 0
    while position < len(open_ended):
        first = open_ended[position]
        same = [first]
        while (
            position + 1 < len(open_ended)
            and open_ended[position + 1] == same[-1] + 1
            and (cues[open_ended[position + 1]].start == cues[first].start)
        ):
            position += 1
            same.append(open_ended[position])
        position += 1
        following = cues[same[-1] + 1].start if same[-1] + 1 < len(cues) else None
        _close(done, same, following)
    whole = all(float(cues[i].start or 0).is_integer() for i in open_ended)
    return done, [_ends_note(len(open_ended), whole)]


def _close(cues: list[Cue], group: Sequence[int], following: Seconds | None) -> None:
    start = cues[group[0]].start or 0.0
    lengths = [speaking_time(cues[i].text) for i in group]
    room = sum(lengths)
    if following is not None and following > start:
        room = min(room, following - start)
    done = 0.0
    for i, length in zip(group, lengths, strict=True):
        first = start + room * done / sum(lengths)
        done += length
        last = start + room * done / sum(lengths)
        cues[i] = replace(cues[i], start=round(first, 3), end=round(last, 3), approximate=True)


def _ends_note(count: int, whole: bool) -> Note:
    return Note(
        "estimated_ends",
        f"The file gives no end for {count} entries"
        + (" and its starts are whole seconds" if whole else "")
        + "; ends were estimated from the length of the words. Times are approximate.",
        f"文件中有 {count} 条没有结束时间"
        + ("，开始时间只精确到秒" if whole else "")
        + "；结束时间按字数估计，时间为近似值。",
    )
