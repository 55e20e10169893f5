"""Printing what `observer evaluate` measured."""

import json
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from models.evaluate import LessonScore, RolesEvaluation, evaluate_roles
from observer.errors import Language

HEADINGS: dict[Language, tuple[str, ...]] = {
    "en": (
        *("lesson", "length", "teacher share", "found", "error", "student share", "found"),
        *("DER", "choral s", "found", "group s", "found", "wait edges, median"),
    ),
    "zh": (
        *("课", "时长", "教师占比", "测得", "误差", "学生占比", "测得"),
        *("DER", "齐答秒", "测得", "小组秒", "测得", "等待边界误差中位数"),
    ),
}


def print_roles(folder: Path, *, as_json: bool, language: Language) -> None:
    """Score the lessons of `folder`; a line appears when its lesson is done."""
    if as_json:
        result = evaluate_roles(folder)
        document = asdict(result)
        for row, lesson in zip(document["lessons"], result.lessons, strict=True):
            row["share_error"] = lesson.share_error
        print(json.dumps(document, ensure_ascii=False, indent=1))  # noqa: T201
        return
    progress = Console(stderr=True)
    result = evaluate_roles(folder, on_lesson=lambda s: progress.print(f"✓ {s.lesson}"))
    screen = Console(width=None if Console().is_terminal else 160)
    screen.print(_table(result, language))
    screen.print(_summary(result, language))


def _table(result: RolesEvaluation, language: Language) -> Table:
    table = Table(box=None, pad_edge=False)
    for number, heading in enumerate(HEADINGS[language]):
        table.add_column(heading, justify="left" if number == 0 else "right")
    for lesson in result.lessons:
        table.add_row(*_row(lesson))
    return table


def _row(lesson: LessonScore) -> list[str]:
    edges = sorted(abs(e) for e in lesson.wait_boundaries)
    return [
        lesson.lesson,
        f"{lesson.duration:.0f} s",
        *(_share(lesson.teacher_share), _share(lesson.teacher_share_found)),
        "–" if lesson.share_error is None else f"{lesson.share_error:+.3f}",
        *(_share(lesson.student_share), _share(lesson.student_share_found)),
        "–" if lesson.error_rate is None else f"{lesson.error_rate:.1%}",
        *(_seconds(lesson.choral), _seconds(lesson.choral_found)),
        *(_seconds(lesson.group), _seconds(lesson.group_found)),
        f"{1000 * edges[len(edges) // 2]:.0f} ms ({len(edges)})" if edges else "–",
    ]


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def _summary(result: RolesEvaluation, language: Language) -> str:
    mean, worst = _share(result.mean_share_error), _share(result.worst_share_error)
    der = "–" if result.error_rate is None else f"{result.error_rate:.1%}"
    edge = result.wait_boundary_error
    edges = "–" if edge is None else f"{1000 * edge:.0f} ms"
    ece = _share(result.calibration_error)
    engines = ", ".join(result.engines)
    if language == "zh":
        return (
            f"teacher_share_of_speech 绝对误差：平均 {mean}，最大 {worst}；"
            f"DER（容差 0.25 秒）{der}；"
            f"等待边界误差中位数 {edges}；角色概率 ECE {ece}。引擎：{engines}。"
        )
    return (
        f"teacher_share_of_speech, absolute error: mean {mean}, worst {worst}; "
        f"DER (collar .25 s) {der}; wait edges, median {edges}; "
        f"ECE of role probabilities {ece}. Engines: {engines}."
    )
