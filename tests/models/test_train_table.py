"""The guards around training, and what becomes of teachers' corrections."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from models.corrections import (
    UNTOUCHED,
    WEIGHT,
    Comparison,
    compare,
    keep_better,
    read_corrections,
    weighted,
)
from models.datasets.mandarin import QuestionSentence
from models.labeller import READERS, WEIGHTS
from models.train import FOLDERS, TASKS, Order, train
from observer.errors import TranscriptError, UsageError


def order(tmp_path: Path, task: str = "transferred") -> Order:
    return Order(task, tmp_path, tmp_path / "out")


def test_every_task_has_a_folder_that_is_read() -> None:
    assert set(FOLDERS) == set(TASKS)
    read = {s.folder for table in READERS.values() for s in table} | {"overlap"}
    assert set(FOLDERS.values()) <= read


def test_an_unknown_task_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="moves, questions, transferred"):
        train(order(tmp_path, "bloom"))


def test_shipped_weights_are_not_overwritten_unless_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--overwrite"):
        train(replace(order(tmp_path), out=WEIGHTS / "overlap"))


def test_finished_weights_are_not_overwritten_unless_told(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "settings.json").write_text("{}")
    with pytest.raises(UsageError, match="--out"):
        train(order(tmp_path))


def test_options_go_with_their_tasks(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--corrections"):
        train(replace(order(tmp_path, "moves"), corrections=tmp_path / "x.jsonl"))
    with pytest.raises(UsageError, match="--encoder"):
        train(replace(order(tmp_path), encoder=tmp_path))


def corrections(tmp_path: Path, *rows: object) -> Path:
    file = tmp_path / "corrections.jsonl"
    file.write_text("\n".join(json.dumps(r, ensure_ascii=False) for r in rows), "utf-8")
    return file


def line(text: str, role: str = "teacher", language: str = "zh", **labels: str) -> object:
    return {"text": text, "language": language, "role": role, "labels": labels}


def test_corrections_become_sentences_and_a_fifth_stays_untouched(tmp_path: Path) -> None:
    """One in five, chosen by the text alone: the same whatever else is in the file."""
    rows = [line(f"第{i}题怎么做", question_form="real", sihe="how") for i in range(100)]
    found = read_corrections(corrections(tmp_path, *rows))
    assert len(found.learnt) + len(found.untouched) == 100
    assert 0.5 * 100 / UNTOUCHED < len(found.untouched) < 2 * 100 / UNTOUCHED
    again = read_corrections(corrections(tmp_path, *rows[:50]))
    assert {s.text for s in again.untouched} <= {s.text for s in found.untouched}
    one = found.learnt[0]
    assert (one.form, one.sihe, one.demand, one.openness) == ("real", "how", None, None)
    assert len(weighted(found.learnt)) == WEIGHT * len(found.learnt)


def test_several_words_on_one_sentence_are_joined_and_the_last_counts(tmp_path: Path) -> None:
    rows = [line("为什么", sihe="what"), line("为什么", sihe="why", openness="open")]
    found = read_corrections(corrections(tmp_path, *rows))
    (one,) = (*found.learnt, *found.untouched)
    assert (one.form, one.sihe, one.openness) == ("real", "why", "open")


def test_no_question_has_no_kinds(tmp_path: Path) -> None:
    file = corrections(
        tmp_path, line("什么都行", sihe="what"), line("什么都行", question_form="none")
    )
    found = read_corrections(file)
    (one,) = (*found.learnt, *found.untouched)
    assert (one.form, one.sihe) == ("none", None)


def test_what_cannot_be_learnt_from_is_counted(tmp_path: Path) -> None:
    rows = [
        line("Why?", language="en", question_form="real"),
        line("为什么", role="student", question_form="real"),
        line("很好", feedback="praise"),
        line("为什么呢", question_form="real"),
    ]
    found = read_corrections(corrections(tmp_path, *rows))
    assert found.others == 3
    assert len(found.learnt) + len(found.untouched) == 1


@pytest.mark.parametrize(
    "row", [{"text": "a"}, [1], line("a", sihe="who"), line("a", colour="red"), {"labels": {}}]
)
def test_a_bad_correction_is_named(tmp_path: Path, row: object) -> None:
    with pytest.raises(TranscriptError, match="line 2"):
        read_corrections(corrections(tmp_path, line("为什么", sihe="why"), row))


def folders(tmp_path: Path) -> tuple[Path, Path, Path]:
    made = []
    for name in ("current", "retrained", "out"):
        (tmp_path / name).mkdir()
        made.append(tmp_path / name)
    for folder in made[:2]:
        (folder / "settings.json").write_text(folder.name)
    return made[0], made[1], made[2]


@pytest.mark.parametrize(
    ("dev", "untouched", "kept"),
    [
        ((0.80, 0.81), (0.60, 0.70), "retrained"),
        ((0.80, 0.75), (0.60, 0.70), "retrained"),  # gains .10, loses .05
        ((0.80, 0.70), (0.60, 0.65), "current"),  # gains .05, loses .10
        ((0.80, 0.80), (0.60, 0.60), "current"),  # a draw changes nothing
        ((None, 0.50), (None, 0.50), "retrained"),  # there were no weights
    ],
)
def test_the_better_weights_are_kept_and_the_figures_told(
    tmp_path: Path,
    dev: tuple[float | None, float],
    untouched: tuple[float | None, float],
    kept: str,
) -> None:
    current, retrained, out = folders(tmp_path)
    parts = [Comparison("dev", 500, *dev), Comparison("corrections", 20, *untouched)]
    told = keep_better(parts, current, retrained, out)
    assert (out / "settings.json").read_text() == kept
    assert f"→ {untouched[1]:.3f}" in told
    assert not retrained.exists()


def test_worse_weights_leave_those_in_use_where_they_are(tmp_path: Path) -> None:
    current, retrained, _ = folders(tmp_path)
    keep_better([Comparison("dev", 500, 0.8, 0.7)], current, retrained, current)
    assert (current / "settings.json").read_text() == "current"


def test_the_same_weights_are_no_better_than_themselves(tmp_path: Path) -> None:
    """Read by the shipped weights on sentences of our own; a folder without weights has none."""
    (tmp_path / "questions_zh").mkdir()
    asked = [("这个角是多少度", "real", "recall", "what", "0"), ("请坐", "none", "-", "-", "-")]
    names = ("text", "form", "cog", "sihe", "open")
    rows = [
        json.dumps({**dict(zip(names, row, strict=True)), "id": f"tr{i}", "part": "natural"})
        for i, row in enumerate(asked * 3)
    ]
    (tmp_path / "questions_zh" / "dev.jsonl").write_text("\n".join(rows), "utf-8")
    untouched = [QuestionSentence(0, "为什么", "correction", "real", sihe="why")]
    shipped = WEIGHTS / FOLDERS["questions"]
    parts = compare(tmp_path, untouched, shipped, shipped)
    assert [(p.part, p.n) for p in parts] == [("questions_zh dev", 6), ("corrections", 1)]
    assert all(p.current == p.retrained for p in parts)
    assert compare(tmp_path, [], tmp_path / "none", shipped)[0].current is None
