"""`observer transcript`: one layout into another, names removed, losses told."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.cli import app
from observer import formats
from observer.timeline import Role

LESSON = "[00:01] 韩老师：几度？\n[00:03] 张三：零度。\n[00:05] 韩老师：好。\n"


def run(*arguments: object) -> tuple[int, str, str]:
    runner = CliRunner(env={"LC_ALL": "en_US.UTF-8"})
    result = runner.invoke(app, ["transcript", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def lesson(tmp_path: Path) -> Path:
    path = tmp_path / "lesson.txt"
    path.write_text(LESSON, "utf-8")
    return path


@pytest.mark.parametrize("suffix", ["vtt", "srt", "csv", "xlsx", "docx", "json", "TextGrid", "eaf"])
def test_every_format_is_written_without_names(lesson: Path, suffix: str) -> None:
    target = lesson.with_name(f"out.{suffix}")
    code, shown, told = run(lesson, target)
    assert (code, shown.strip()) == (0, str(target))
    assert "3" in told.splitlines()[0]
    again = formats.read(target, keep_names=True)
    assert [u.role for u in again.transcript] == [Role.TEACHER, Role.STUDENT, Role.TEACHER]
    assert "张三" not in repr(again)


def test_names_are_kept_on_demand(lesson: Path) -> None:
    target = lesson.with_name("out.srt")
    assert run(lesson, target, "--keep-names")[0] == 0
    assert "张三：零度。" in target.read_text("utf-8")


def test_what_the_format_cannot_say_is_said(lesson: Path) -> None:
    assert "inferred" in run(lesson, lesson.with_name("a.vtt"))[2]
    assert "inferred; this format" not in run(lesson, lesson.with_name("a.json"))[2]


def test_refusals(lesson: Path) -> None:
    assert run(lesson, lesson)[0] == 2
    assert run(lesson, lesson.with_name("a.pdf"))[0] == 2
    assert run(lesson.with_name("none.txt"), lesson.with_name("a.vtt"))[0] == 4
    untimed = lesson.with_name("untimed.txt")
    untimed.write_text("师：几度？\n生：零度。\n师：好。\n", "utf-8")
    code, _, told = run(untimed, lesson.with_name("a.srt"))
    assert (code, "no times" in told) == (6, True)
    assert not lesson.with_name("a.srt").exists()


def test_one_recording_of_several(tmp_path: Path) -> None:
    source = tmp_path / "all.rttm"
    source.write_text(
        "SPEAKER a 1 1.0 1.0 <NA> <NA> T <NA> <NA>\nSPEAKER b 1 7.0 1.0 <NA> <NA> T <NA> <NA>\n"
    )
    target = tmp_path / "out.rttm"
    assert run(source, target, "--recording", "b")[0] == 0
    assert " 7.000 " in target.read_text()
    assert run(source, target, "--recording", "c")[0] == 4
