"""The table of a batch: sums, pace, time left, lessons under way, and what failed at the end."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from observer.errors import Language

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

SHOWN = 12
"""Lessons under way that the table names."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A lesson of the batch: where its newest run is."""

    title: str
    run_id: str
    state: str
    stage: str
    progress: float
    error: str
    duration: float
    """Seconds of recording; 0 where there is none."""
    started: datetime | None
    ended: datetime | None


def table(lessons: list[Seen], language: Language, *, idle: bool = False) -> "RenderableType":
    """Sums, pace, time left, and the lessons under way."""
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    from api.batch import STAGE_NAMES

    names = STATES[language]
    sums = Counter(lesson.state for lesson in lessons)
    head = " · ".join(f"{names[state]} {sums[state]}" for state in names if sums[state])
    under_way = Table(box=None, padding=(0, 1), show_header=False)
    for lesson in [x for x in lessons if x.state == "working"][:SHOWN]:
        stage = STAGE_NAMES[language].get(lesson.stage, "")
        bar = ProgressBar(1.0, lesson.progress, width=24)
        under_way.add_row(Text(lesson.title), bar, f"{lesson.progress:.0%}", stage)
    lines: list[RenderableType] = [Text(head, style="bold"), Text(pace(lessons, language))]
    if idle:
        lines.append(Text(_IDLE[language], style="yellow"))
    return Group(*lines, under_way)


def pace(lessons: list[Seen], language: Language) -> str:
    """Lessons and hours of recording an hour, and the time left; empty before the first end.

    Reckoned from the first start to the last end, so that a table opened later says the same.
    """
    done = [x for x in lessons if x.state == "done" and x.started and x.ended]
    if not done:
        return ""
    began = min(x.started for x in done if x.started)
    hours = (max(x.ended for x in done if x.ended) - began).total_seconds() / 3600
    if hours <= 0:
        return ""
    left = sum(1 - x.progress for x in lessons if x.ended is None)
    minutes = round(60 * left * hours / len(done))
    heard = sum(x.duration for x in done) / 3600 / hours
    rate = len(done) / hours
    if language == "zh":
        return f"每小时 {rate:.1f} 节（录音 {heard:.1f} 小时）· 约剩 {_clock(minutes)}"
    return f"{rate:.1f} lessons an hour ({heard:.1f} h of recording) · {_clock(minutes)} left"


def _clock(minutes: int) -> str:
    return f"{minutes // 60}:{minutes % 60:02}"


def summary(
    lessons: list[Seen], refused: list[tuple[str, str]], screen: "Console", language: Language
) -> int:
    """What came of it; 1 when a lesson could not be observed."""
    bad = [(x.title, x.error or STATES[language][x.state]) for x in lessons if x.state != "done"]
    bad += refused
    fine = sum(x.state == "done" for x in lessons)
    screen.print(_ENDED[language].format(fine=fine, bad=len(bad)), highlight=False)
    for title, why in bad:
        screen.print(f"  {title}: {why}", markup=False, highlight=False)
    return 1 if bad else 0


STATES: dict[Language, dict[str, str]] = {
    "zh": {
        "queued": "排队", "working": "处理中", "done": "完成", "failed": "失败",
        "set_aside": "搁置", "cancelled": "已取消",
    },
    "en": {
        "queued": "waiting", "working": "working", "done": "done", "failed": "failed",
        "set_aside": "set aside", "cancelled": "cancelled",
    },
}  # fmt: skip
_IDLE: dict[Language, str] = {
    "zh": "没有正在运行的处理进程：请启动 observer serve 或 observer work。",
    "en": "No worker is running: start observer serve or observer work.",
}
_ENDED: dict[Language, str] = {
    "zh": "完成 {fine} 节，未完成 {bad} 节。",
    "en": "{fine} lessons observed, {bad} not.",
}
