"""The truth about a made lesson, in the shape that `observer evaluate roles` reads."""

from itertools import pairwise
from typing import Any

from models.synthesise.room import RT60_S, SNR_DB
from models.synthesise.script import TEACHER
from models.synthesise.stage import Sounding, Staged
from models.synthesise.voices import RATE
from observer.timeline import Span, intersection, total, union

Json = dict[str, Any]


def truth(staged: Staged) -> Json:
    """Everything that is known of the lesson; times in seconds to the millisecond.

    `segments` holds every voice by itself (`kind` speech, choral or groupwork), `speech` its
    audible stretches; `utterances` what a transcript would hold, a chorus as one; `totals` sums
    up the audible stretches, with chorus and group work on the students' side.
    """
    utterances = _utterances(staged)
    waits = _waits(staged, utterances)
    duration = round(staged.samples / RATE, 3)
    return {
        "name": staged.script.name,
        "lang": staged.script.language,
        "duration_s": duration,
        "teacher": TEACHER,
        "note": "synthetic voices in a simulated quiet room",
        "settings": {"snr_db": SNR_DB, "kids": False, "rt60": [RT60_S, RT60_S], "overlap": 0.0},
        "totals": totals(staged, waits, duration),
        "activities": [
            {"activity": what, "start": round(start, 3), "end": round(end, 3)}
            for what, start, end in staged.activities
        ],
        "segments": [_segment(staged, s) for s in _ordered(staged)],
        "utterances": utterances,
        "waits": waits,
        "exchanges": _exchanges(staged),
    }


def totals(staged: Staged, waits: list[Json], duration: float) -> Json:
    """Talk time in seconds; the keys that development lessons have, and three more."""
    ordered = _ordered(staged)
    teacher = [s for s in ordered if s.speaker == TEACHER]
    students = [s for s in ordered if s.speaker != TEACHER]
    teacher_s, student_s = total(_audible(teacher)), total(_audible(students))
    return {
        "teacher_turn_s": round(total(_whole(teacher)), 3),
        "student_turn_s": round(total(_whole(students)), 3),
        "teacher_speech_s": round(teacher_s, 3),
        "student_speech_s": round(student_s, 3),
        "both_s": round(total(intersection(_audible(teacher), _audible(students))), 3),
        "overlap_any_s": round(_overlap(ordered), 3),
        "silence_s": round(duration - total(_audible(ordered)), 3),
        "choral_s": round(total(_audible([s for s in ordered if s.kind == "choral"])), 3),
        "group_s": round(total(_audible([s for s in ordered if s.kind == "groupwork"])), 3),
        "teacher_share_of_speech": round(teacher_s / (teacher_s + student_s), 4),
        "n_teacher_utt": len(teacher),
        "n_student_utt": len(students),
        "n_student_speakers": len({s.speaker for s in students}),
        "n_questions": sum(dict(x.labels).get("question_form") == "real" for x in staged.lines),
        "wait_times": [w["duration"] for w in waits if w["kind"] == 1 and w["excluded"] is None],
    }


def _ordered(staged: Staged) -> list[Sounding]:
    return sorted(staged.soundings, key=lambda s: (s.first, s.speaker))


def _audible(soundings: list[Sounding]) -> list[Span]:
    return union(Span(a, b) for s in soundings for a, b in s.phrases)


def _whole(soundings: list[Sounding]) -> list[Span]:
    return union(Span(s.first / RATE, s.end / RATE) for s in soundings)


def _overlap(soundings: list[Sounding]) -> float:
    """Seconds in which at least two voices are audible."""
    edges = sorted(edge for s in soundings for a, b in s.phrases for edge in ((a, 1), (b, -1)))
    seconds, voices, before = 0.0, 0, 0.0
    for moment, change in edges:
        seconds += (moment - before) * (voices >= 2)
        voices, before = voices + change, moment
    return seconds


def _segment(staged: Staged, sounding: Sounding) -> Json:
    return {
        "start": round(sounding.first / RATE, 3),
        "end": round(sounding.end / RATE, 3),
        "speaker": sounding.speaker,
        "role": "teacher" if sounding.speaker == TEACHER else "student",
        "kind": sounding.kind,
        "text": sounding.text,
        "src": staged.script.voices[sounding.speaker].description,
        "speech": [[round(a, 3), round(b, 3)] for a, b in sounding.phrases],
        "utterance": None if sounding.line is None else _id(sounding.line),
    }


def _id(line: int) -> str:
    return f"u{line + 1:03d}"


def _utterances(staged: Staged) -> list[Json]:
    spoken = []
    for index, line in enumerate(staged.lines):
        voices = [s for s in staged.soundings if s.line == index]
        single = "teacher" if line.by == TEACHER else "student"
        spoken.append(
            {
                "id": _id(index),
                "start": round(min(s.first for s in voices) / RATE, 3),
                "end": round(max(s.end for s in voices) / RATE, 3),
                "speaker": line.by or "all",
                "role": single if line.by else "choral",
                "text": line.say,
                "labels": dict(line.labels),
            }
        )
    return spoken


def _waits(staged: Staged, utterances: list[Json]) -> list[Json]:
    """Wait 1 after every question of the teacher, wait 2 after every student turn (FIELD.md §4).

    Group work stands among the utterances as one voice, so that a wait can end or begin with it.
    """
    waits: list[Json] = []
    events = sorted([*utterances, *_group_work(staged)], key=lambda e: float(e["start"]))
    for left, right in pairwise(events):
        asks = left["labels"].get("question_form", "none") != "none"
        if left["role"] == "teacher" and asks:
            kind = 1
        elif left["role"] != "teacher" and right["role"] == "teacher":
            kind = 2
        else:
            continue
        start = min(left["end"], right["start"])
        waits.append(
            {
                "kind": kind,
                "start": start,
                "end": right["start"],
                "duration": round(right["start"] - start, 3),
                "after": left["id"],
                "before": right["id"],
                "ended_by": right["role"],
                "excluded": _excluded(kind, left, right),
            }
        )
    return waits


def _group_work(staged: Staged) -> list[Json]:
    voices = [s for s in staged.soundings if s.kind == "groupwork"]
    return [
        {"id": None, "role": "group", "labels": {}, "start": span.start, "end": span.end}
        for span in _whole(voices)
    ]


def _excluded(kind: int, left: Json, right: Json) -> str | None:
    """Why a wait does not count: nothing had to be thought about, or people spoke together."""
    labels = left["labels"]
    if kind == 1 and labels["question_form"] in {"tag", "self"}:
        return str(labels["question_form"])
    if kind == 1 and labels.get("question_demand") == "manage":
        return "manage"
    if right["start"] < left["end"]:
        return "overlap"
    return "group" if left["role"] == "group" else None


def _exchanges(staged: Staged) -> list[Json]:
    chains: list[Json] = []
    opened: int | None = None
    kind = ""
    for index, line in enumerate(staged.lines):
        if line.opens:
            opened, kind = index, line.opens
        if line.closes and opened is not None:
            ids = range(opened, index + 1)
            rounds = sum(staged.lines[i].by != TEACHER for i in ids)
            chains.append({"kind": kind, "utterances": [_id(i) for i in ids], "rounds": rounds})
            opened = None
    return chains
