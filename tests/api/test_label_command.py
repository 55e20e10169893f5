"""`observer label`: lines in, the same lines with labels out, whatever their number."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from api.cli import app
from api.labelling import CONTEXT, WINDOW, Line, json_lines, labelled, role_of
from models.questions import RuleLabeller
from observer.errors import TranscriptError
from observer.timeline import Role
from observer.transcript import Transcript, Utterance

SPOKEN = [
    {"id": "a", "role": "老师", "text": "这个角是多少度？"},
    {"id": 7, "role": "S", "text": "六十度。"},
    {"id": None, "role": "teacher", "text": "很好，六十度。", "start": 3, "end": 4.5},
    {"text": "Why does it float?"},
]


def run(*arguments: str, given: str | None = None) -> Any:
    return CliRunner().invoke(app, ["label", "--labeller", "rules", *arguments], input=given)


def jsonl(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def test_each_line_comes_back_in_order_with_its_labels(tmp_path: Path) -> None:
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text("\ufeff" + jsonl(SPOKEN) + "\n\n", "utf-8")  # a mark and blank lines
    result = run(str(source), "--out", str(out))
    assert result.exit_code == 0, result.output
    rows = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert [r["id"] for r in rows] == ["a", 7, None, 4]  # without an id: its line
    assert [r["role"] for r in rows] == ["老师", "S", "teacher", None]
    assert [r["text"] for r in rows] == [r["text"] for r in SPOKEN]
    assert rows[0]["labels"]["sihe"]["code"] == "what"
    assert 0 < rows[0]["labels"]["sihe"]["probability"] <= 1
    assert rows[2]["labels"]["feedback"]["code"] == "praise"
    assert rows[3]["labels"]["sihe"]["code"] == "why"
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_standard_input_and_output() -> None:
    result = run("-", given=jsonl(SPOKEN))
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == len(SPOKEN)


def test_any_transcript_is_cut_into_sentences_and_labelled(tmp_path: Path) -> None:
    (tmp_path / "lesson.txt").write_text("师：看图。这是什么？\n生：三角形。\n", "utf-8")
    result = run(str(tmp_path / "lesson.txt"))
    assert result.exit_code == 0, result.output
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(r["role"], r["text"]) for r in rows] == [
        ("teacher", "看图。"),
        ("teacher", "这是什么？"),
        ("student", "三角形。"),
    ]
    assert rows[1]["labels"]["question_form"]["code"] == "real"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "JSON"),
        ("[1]", "text"),
        ('{"id": 1}', "text"),
        ('{"text": 5}', "text"),
        ('{"text": "a", "start": "soon"}', "start"),
    ],
)
def test_a_bad_line_is_named_and_nothing_is_left(tmp_path: Path, line: str, told: str) -> None:
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text('{"text": "你好"}\n' + line + "\n", "utf-8")
    result = run(str(source), "--out", str(out))
    assert result.exit_code == 4
    assert "第 2 行" in result.stderr or "Line 2" in result.stderr
    assert told in result.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["in.jsonl"]


def test_bytes_that_are_no_text_are_told() -> None:
    with pytest.raises(TranscriptError, match="Line 1"):
        list(json_lines(io.BytesIO(b"\xff\xfe{}\n")))


def test_a_missing_file_is_told() -> None:
    assert run("nowhere.jsonl").exit_code == 4


@pytest.mark.parametrize(
    ("written", "role"),
    [
        *((x, Role.TEACHER) for x in ("teacher", "T", "老师", "师", "Mr. Li", " Teacher ")),
        *((x, Role.STUDENT) for x in ("student", "S", "学生", "生", "S2", "学生甲")),
        *((x, Role.CHORAL) for x in ("choral", "全班", "齐答", "Ss")),
        ("group", Role.GROUP),
        ("silence", Role.SILENCE),
        *((x, None) for x in (None, "", "Speaker 1", 5)),
    ],
)
def test_roles_as_people_write_them(written: object, role: Role | None) -> None:
    assert role_of(written) == role


class Counting(RuleLabeller):
    """Remembers how many lines it was given at a time."""

    def __init__(self) -> None:
        self.given: list[int] = []

    def label(self, transcript: Any, *rest: Any) -> Any:
        self.given.append(len(transcript))
        return super().label(transcript, *rest)


def lines(count: int, lesson: int | None = None) -> Iterator[Line]:
    """A question, an answer, feedback, again and again."""
    spoken = [
        (Role.TEACHER, "这个角是多少度？"),
        (Role.STUDENT, "六十度。"),
        (Role.TEACHER, "六十度。"),
        (Role.TEACHER, "那这个角呢？"),
    ]
    for i in range(count):
        role, text = spoken[i % 4]
        yield Line(i, role, Utterance(str(i), text, role=role), lesson)


def test_windows_give_what_the_whole_gives_in_bounded_memory() -> None:
    """Two windows and a rest; every line once, with the labels it has in the lesson as a whole."""
    count = 2 * WINDOW + 101
    engine = Counting()
    found = list(labelled(lines(count), engine, "zh"))
    assert [line.id for line, _ in found] == list(range(count))
    assert max(engine.given) <= WINDOW + 2 * CONTEXT
    assert len(engine.given) == 3
    whole: dict[str, dict[str, str]] = {}
    utterances = tuple(line.utterance for line in lines(count))

    for label in RuleLabeller().label(Transcript("zh", utterances)):
        whole.setdefault(label.utterance, {})[label.taxonomy] = label.code
    for line, labels in found:
        read = {taxonomy: label.code for taxonomy, label in labels.items()}
        assert read == whole.get(line.utterance.id, {})


def test_a_new_lesson_key_forgets_the_lesson_before() -> None:
    """A teacher's words after a student's are feedback, but not across lessons."""
    first = [Line(0, "S", Utterance("0", "六十度。", role=Role.STUDENT), 1)]
    for key, feedback in ((1, True), (2, False)):
        second = Line(1, "T", Utterance("1", "六十度。", role=Role.TEACHER), key)
        found = list(labelled([*first, second], RuleLabeller(), "zh"))
        assert ("feedback" in found[1][1]) is feedback


@pytest.mark.parametrize("command", [["train"], ["evaluate", "labels"]])
def test_an_unknown_task_is_wrong_usage(command: list[str], tmp_path: Path) -> None:
    result = CliRunner().invoke(app, [*command, "bloom", "--data", str(tmp_path)])
    assert result.exit_code == 2
    assert "questions" in result.stderr


def test_training_tells_of_weights_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text("{}")
    asked = ["train", "questions", "--data", str(tmp_path), "--out", str(tmp_path)]
    result = CliRunner().invoke(app, asked)
    assert result.exit_code == 2
    assert "--overwrite" in result.stderr


def test_training_without_its_corpora_names_the_file(tmp_path: Path) -> None:
    asked = ["train", "transferred", "--data", str(tmp_path), "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, asked)
    assert result.exit_code == 4
    assert "talkmoves" in result.stderr
