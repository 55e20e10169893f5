"""The truth of a simulated lesson, laid out as that of the development lessons."""

import json
from pathlib import Path
from typing import Any

from models.simulate.lesson import Plan, Sounding
from observer.timeline import Role, Seconds, Span, intersection, total, union

Json = dict[str, Any]


def truth(plan: Plan, name: str, duration: Seconds, drawn: dict[str, float | None]) -> Json:
    """Everything that is known; times in seconds to the millisecond.

    `speech` of a segment is its audible part as development lessons mark it, `phrases` the part
    above the clip's own noise (`models.simulate.clips`). Everyone but the teacher has the role
    student, a second adult too. Totals are of `speech`; overlap counts on both sides.
    """
    ordered = sorted(plan.soundings, key=lambda s: (s.start, s.speaker))
    teacher = [s for s in ordered if s.role == Role.TEACHER]
    students = [s for s in ordered if s.role != Role.TEACHER]
    taught, heard = _speech(teacher), _speech(students)
    spoken = total(taught) + total(heard)
    return {
        "name": name,
        "lang": plan.teacher.clips[0].language,
        "duration_s": round(duration, 3),
        "teacher": plan.teacher.speaker,
        "note": plan.kind.note,
        "settings": {"kind": plan.kind.name, "overlap": plan.kind.overlap, **drawn},
        "totals": {
            "teacher_turn_s": round(total(_whole(teacher)), 3),
            "student_turn_s": round(total(_whole(students)), 3),
            "teacher_speech_s": round(total(taught), 3),
            "student_speech_s": round(total(heard), 3),
            "both_s": round(total(intersection(taught, heard)), 3),
            "silence_s": round(duration - total([*taught, *heard]), 3),
            "teacher_share_of_speech": round(total(taught) / spoken, 4),
            "n_teacher_utt": len(teacher),
            "n_student_utt": len(students),
            "n_student_speakers": len({s.speaker for s in students}),
            "wait_times": [round(wait, 2) for wait in plan.waits],
        },
        "activities": [
            {"activity": what, "start": round(start, 2), "end": round(end, 2)}
            for what, start, end in plan.activities
        ],
        "segments": [_segment(s) for s in ordered],
    }


def write_truth(folder: Path, lesson: Json) -> None:
    """NAME.json and NAME.rttm."""
    name = lesson["name"]
    text = json.dumps(lesson, ensure_ascii=False, indent=1) + "\n"
    (folder / f"{name}.json").write_text(text, "utf-8")
    rows = sorted((a, b - a, s["speaker"]) for s in lesson["segments"] for a, b in s["speech"])
    lines = [
        f"SPEAKER {name} 1 {start:.3f} {length:.3f} <NA> <NA> {speaker} <NA> <NA>\n"
        for start, length, speaker in rows
    ]
    (folder / f"{name}.rttm").write_text("".join(lines), "utf-8")


def _speech(soundings: list[Sounding]) -> list[Span]:
    return union(_at(item, span) for item in soundings for span in item.audible)


def _whole(soundings: list[Sounding]) -> list[Span]:
    return union(Span(item.start, item.end) for item in soundings)


def _at(item: Sounding, span: Span) -> Span:
    return Span(item.start + span.start, item.start + span.end)


def _segment(item: Sounding) -> Json:
    return {
        "start": round(item.start, 3),
        "end": round(item.end, 3),
        "speaker": item.speaker,
        "role": item.role.value,
        "kind": item.kind,
        "text": "",
        "src": item.clip.path.name,
        "speech": [_rounded(_at(item, span)) for span in item.audible],
        "phrases": [_rounded(_at(item, span)) for span in item.phrases],
    }


def _rounded(span: Span) -> list[float]:
    return [round(span.start, 3), round(span.end, 3)]
