"""Corpora in their official layout are read as they are; a folder without them is told so."""

import csv
import gzip
import json
from hashlib import sha256
from pathlib import Path

import pytest

from models.datasets import DatasetError
from models.datasets.english import read_focusing, read_uptake
from models.datasets.talkmoves import STUDENT_TAGS, TEACHER_TAGS, read_talkmoves
from observer.taxonomies import STUDENT_MOVE, TEACHER_MOVE
from observer.timeline import Role


def row(text: str, role: str | None, teacher: str | None, student: str | None) -> dict[str, object]:
    return {"sentence": text, "role": role, "teacher_tag": teacher, "student_tag": student}


def write_talkmoves(folder: Path, split: str, rows: list[dict[str, object]]) -> Path:
    (folder / "talkmoves").mkdir(exist_ok=True)
    file = folder / "talkmoves" / f"{split}.jsonl.gz"
    line = json.dumps({"lesson_id": "A", "utterances": rows})
    file.write_bytes(gzip.compress((line + "\n").encode()))
    return file


def write_csv(folder: Path, name: str, rows: list[dict[str, object]]) -> None:
    (folder / "english").mkdir(exist_ok=True)
    with gzip.open(folder / "english" / name, "wt", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def test_talkmoves_tags_become_codes_of_the_taxonomy(tmp_path: Path) -> None:
    """A tag of the other role, and one that is no move, are no labels."""
    rows = [
        row("Why is it four?", "teacher", "press_reasoning", None),
        row("Two and two.", "student", "context_uncoded", "evidence_reasoning"),
        row("Yes.", "teacher", "marking_uncoded", None),
        row("Hm.", None, None, None),
    ]
    file = write_talkmoves(tmp_path, "dev", rows)
    (lesson,), origin = read_talkmoves(tmp_path, "dev")
    read = [(s.role, s.teacher_move, s.student_move, s.asks) for s in lesson.sentences]
    assert read == [
        (Role.TEACHER, "press_reasoning", None, True),
        (Role.STUDENT, None, "evidence", False),
        (Role.TEACHER, None, None, False),
        (None, None, None, False),
    ]
    assert origin.licence == "CC BY-NC-SA 4.0"
    digest = sha256(file.read_bytes()).hexdigest()
    assert origin.sha256 == (("talkmoves/dev.jsonl.gz", digest),)


def test_the_codes_are_those_of_the_taxonomies() -> None:
    assert tuple(TEACHER_TAGS.values()) == TEACHER_MOVE.names
    assert tuple(STUDENT_TAGS.values()) == STUDENT_MOVE.names


def test_a_folder_without_the_corpus_says_what_it_must_hold(tmp_path: Path) -> None:
    with pytest.raises(DatasetError) as told:
        read_talkmoves(tmp_path, "train")
    for text in (told.value.en, told.value.zh):
        assert "talkmoves/train.jsonl.gz" in text
        assert "--data" in text


def test_an_unknown_split_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="train, dev"):
        read_talkmoves(tmp_path, "test")


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    write_talkmoves(tmp_path, "train", [{"sentence": "Yes."}])
    with pytest.raises(DatasetError, match="line 1"):
        read_talkmoves(tmp_path, "train")


def test_uptake_without_a_majority_has_no_code(tmp_path: Path) -> None:
    base = {"obs_id": "7", "student_text": "Four.", "teacher_text": "Why?"}
    rows = [
        base | {"uptake_majority": "2.0", "uptake": "1.67"},
        base | {"uptake_majority": "", "uptake": "1.0"},
    ]
    write_csv(tmp_path, "uptake_dev.csv.gz", rows)
    exchanges, _ = read_uptake(tmp_path, "dev")
    assert [(e.code, e.rating) for e in exchanges] == [("high", 1.67), (None, 1.0)]


def test_focusing_counts_none_funneling_focusing_from_nought(tmp_path: Path) -> None:
    base = {"obs_id": "7", "student_text": "Four.", "teacher_text": "Why?"}
    columns = "follow_up_unfiltered_majority", "follow_up_unfiltered_zscore"
    rows = [base | dict(zip(columns, (f"{k}.0", "0.5"), strict=True)) for k in range(3)]
    write_csv(tmp_path, "funneling_dev.csv.gz", rows)
    exchanges, _ = read_focusing(tmp_path, "dev")
    assert [e.code for e in exchanges] == ["none", "funneling", "focusing"]


def test_a_number_that_is_none_is_named(tmp_path: Path) -> None:
    bad = {"obs_id": "7", "student_text": "a", "teacher_text": "b", "uptake": "x"}
    write_csv(tmp_path, "uptake_dev.csv.gz", [bad | {"uptake_majority": "1"}])
    with pytest.raises(DatasetError, match="line 2"):
        read_uptake(tmp_path, "dev")
