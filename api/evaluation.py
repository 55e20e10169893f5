"""Printing what `observer evaluate` measured."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from math import isnan
from pathlib import Path

from rich.console import Console
from rich.table import Table

from models.evaluate.labels import evaluate_labels
from models.evaluate.roles import LessonScore, RolesEvaluation, evaluate_roles
from models.evaluate.scores import Score
from models.labeller import WEIGHTS
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


LABEL_HEADINGS: dict[Language, tuple[str, ...]] = {
    "en": ("", "n", "P", "R", "F1", "read/true"),
    "zh": ("", "n", "精确率", "召回率", "F1", "判读/实际"),
}


def print_labels(
    task: str,
    data: Path,
    weights: Path | None,
    *,
    as_json: bool,
    as_card: bool,
    language: Language,
) -> None:
    """Score the labels of `task`; a table appears when its condition is done.

    Raises UsageError, DatasetError, MissingWeights.
    """
    quiet = as_json or as_card
    screen = Console(width=None if Console().is_terminal else 120)
    scores = evaluate_labels(
        task,
        data,
        weights=weights or WEIGHTS,
        on_score=(lambda _score: None) if quiet else lambda s: screen.print(_labels(s, language)),
    )
    if as_json:
        print(json.dumps([asdict(s) for s in scores], ensure_ascii=False, indent=1))  # noqa: T201
    elif as_card:
        print(card(scores), end="")  # noqa: T201


def _labels(score: Score, language: Language) -> Table:
    table = Table(box=None, pad_edge=False, title_justify="left", caption_justify="left")
    table.title = f"{score.taxonomy} · {score.condition} · n = {score.n}"
    table.caption = (
        f"micro {score.micro_found:.3f} ({score.accuracy:.3f}) · "
        f"macro {score.macro_found:.3f} ({score.macro:.3f}) · κ {score.kappa:.3f} · "
        f"MCC {score.mcc:.3f} · ECE {score.calibration_error:.3f} · {score.per_second:,.0f}/s\n"
        + {
            "en": "micro and macro without none (with it)",
            "zh": "micro、macro 不含 none（括号内含）",
        }[language]
    )
    for number, heading in enumerate(LABEL_HEADINGS[language]):
        table.add_column(heading, justify="left" if number == 0 else "right")
    for code in score.codes:
        figures = (code.precision, code.recall, code.f1, code.bias)
        told = ("–" if isnan(x) else f"{x:.3f}" for x in figures)
        table.add_row(code.code, f"{code.n}", *told)
    return table


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
    screen.print(_diagram(result, language))


def _diagram(result: RolesEvaluation, language: Language) -> Table:
    """The reliability of stated role probabilities, all lessons pooled; a mark for each 5 %."""
    table = Table(box=None, pad_edge=False)
    for heading in ("p", "s", *(("给出", "正确") if language == "zh" else ("said", "right")), ""):
        table.add_column(heading, justify="right" if heading else "left")
    for b in result.reliability:
        table.add_row(
            f"{b.low:.1f}–{b.high:.1f}",
            f"{b.seconds:.0f}",
            f"{b.stated:.3f}",
            f"{b.right:.3f}",
            "■" * round(20 * b.right),
        )
    return table


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


def card(scores: Sequence[Score]) -> str:
    """The figures as Markdown tables, for the model card."""
    lines = [
        "| taxonomy | condition | n | micro | mean | macro | accuracy | κ | MCC | ECE | /s |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for s in scores:
        figures = (s.micro_found, s.macro_found, s.macro, s.accuracy, s.kappa, s.mcc)
        told = " | ".join(_figure(x) for x in (*figures, s.calibration_error))
        lines.append(f"| {s.taxonomy} | {s.condition} | {s.n} | {told} | {s.per_second:,.0f} |")
    lines += ["", "micro and mean leave the code none out; macro is the mean F1 of all codes.", ""]
    lines += ["| taxonomy | condition | code | n | P | R | F1 | read / true |"]
    lines += ["|---|---|---|---|---|---|---|---|"]
    for s in scores:
        for c in s.codes:
            told = " | ".join(_figure(x) for x in (c.precision, c.recall, c.f1, c.bias))
            lines.append(f"| {s.taxonomy} | {s.condition} | {c.code} | {c.n} | {told} |")
    return "\n".join(lines) + "\n"


def _figure(value: float) -> str:
    return "–" if isnan(value) else f"{value:.3f}"
