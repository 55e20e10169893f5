"""TalkMoves: transcribed mathematics lessons, each sentence with a teacher or student move.

Suresh, Jacobs, Harty, Perkoff, Martin & Sumner (LREC 2022). One JSON object a line, one line a
lesson: {"lesson_id", "utterances": [{"sentence", "role", "teacher_tag", "student_tag"}]}.
"""

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.datasets import Provenance, check_split, provenance, unreadable
from observer.timeline import Role

SPLITS = ("train", "dev")
TEACHER_TAGS: Mapping[str, str] = {
    "none": "none",
    "keeping_together": "keep_together",
    "getting_to_relate": "get_relate",
    "restating": "restate",
    "revoicing": "revoice",
    "press_accuracy": "press_accuracy",
    "press_reasoning": "press_reasoning",
}
STUDENT_TAGS: Mapping[str, str] = {
    "none": "none",
    "relating": "relate",
    "asking_more_info": "ask",
    "making_claim": "claim",
    "evidence_reasoning": "evidence",
}


@dataclass(frozen=True, slots=True)
class MovesSentence:
    """One sentence; its move is None where the coders gave none (about 0.1 %)."""

    text: str
    """As transcribed, with punctuation."""
    role: Role | None
    teacher_move: str | None
    """A code of the taxonomy `teacher_move`; only on a teacher's sentence."""
    student_move: str | None
    """A code of the taxonomy `student_move`; only on a student's sentence."""

    @property
    def asks(self) -> bool:
        """Whether the transcriber put a question mark."""
        return "?" in self.text


@dataclass(frozen=True, slots=True)
class MovesLesson:
    """A lesson, or the part of one that was transcribed, in the order of speaking."""

    id: str
    sentences: tuple[MovesSentence, ...]


def read_talkmoves(folder: Path, split: str) -> tuple[tuple[MovesLesson, ...], Provenance]:
    """The lessons of `split` ("train" or "dev"); raises DatasetError."""
    check_split("TalkMoves", split, SPLITS)
    file = f"talkmoves/{split}.jsonl.gz"
    origin = provenance(
        folder,
        [file],
        name="TalkMoves",
        licence="CC BY-NC-SA 4.0",
        source="github.com/SumnerLab/TalkMoves, rebuilt from the lesson workbooks",
        split=split,
    )
    lessons = []
    with gzip.open(folder / file, "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                lessons.append(_lesson(json.loads(line)))
            except (KeyError, TypeError, ValueError) as error:
                raise unreadable(file, number, f"{type(error).__name__}: {error}") from error
    return tuple(lessons), origin


def _lesson(record: Mapping[str, Any]) -> MovesLesson:
    return MovesLesson(str(record["lesson_id"]), tuple(map(_sentence, record["utterances"])))


def _sentence(row: Mapping[str, Any]) -> MovesSentence:
    """Tags outside the seven and five codes ("context_uncoded" …) are no labels."""
    role = {"teacher": Role.TEACHER, "student": Role.STUDENT}.get(row["role"])
    return MovesSentence(
        text=row["sentence"],
        role=role,
        teacher_move=TEACHER_TAGS.get(row["teacher_tag"] or "") if role is Role.TEACHER else None,
        student_move=STUDENT_TAGS.get(row["student_tag"] or "") if role is Role.STUDENT else None,
    )
