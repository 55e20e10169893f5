"""`observer train`: the table of tasks, and the guards around them.

Every shipped weight comes from one of these tasks with its default seed. A task writes into a
folder of its own; weights that are there already are replaced only when that is asked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from models.labeller import SETTINGS, WEIGHTS
from observer.engines import OnProgress, ignore_progress
from observer.errors import UsageError


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be trained."""

    task: str
    data: Path
    """Folder of the corpora (models.datasets says which files)."""
    out: Path
    """Folder of the weights; a training that was stopped there goes on."""
    encoder: Path | None = None
    """Folder of a Hugging Face encoder to start from; None: the task's own."""
    seed: int = 0
    corrections: Path | None = None
    """Teachers' corrections (models.corrections), for the task "questions"."""


TASKS: Mapping[str, str] = {
    "moves": "models.train:moves",
    "exchanges": "models.train:exchanges",
    "questions": "models.train:questions",
    "transferred": "models.train:transferred",
}
"""Task → "module:function", called with an Order and a listener; returns what to tell."""
FOLDERS: Mapping[str, str] = {
    "moves": "moves_en",
    "exchanges": "exchanges_en",
    "questions": "questions_zh",
    "transferred": "overlap",
}
"""Task → name of its folder of weights."""
TAKES_ENCODER = frozenset({"moves", "questions"})
TAKES_CORRECTIONS = frozenset({"questions"})
UNFINISHED = "training"
"""Folder below `Order.out` with the checkpoints of a training."""


def train(
    order: Order, *, overwrite: bool = False, on_progress: OnProgress = ignore_progress
) -> str:
    """Carry out an order; returns figures or a summary to show.

    Raises UsageError (no such task, settings it does not take, weights that would be
    overwritten), DatasetError, MissingWeights.
    """
    if order.task not in TASKS:
        known = ", ".join(sorted(TASKS))
        raise UsageError(
            en=f"There is no task {order.task!r}. Known: {known}.",
            zh=f"没有名为“{order.task}”的任务。可用：{known}。",
        )
    _check(order, overwrite)
    module, _, name = TASKS[order.task].partition(":")
    summary: str = getattr(import_module(module), name)(order, on_progress)
    return summary


def _check(order: Order, overwrite: bool) -> None:
    for value, option, takers in (
        (order.encoder, "--encoder", TAKES_ENCODER),
        (order.corrections, "--corrections", TAKES_CORRECTIONS),
    ):
        if value is not None and order.task not in takers:
            known = ", ".join(sorted(takers))
            raise UsageError(
                en=f"{option} does not go with the task {order.task}; it goes with {known}.",
                zh=f"{option} 不适用于任务 {order.task}；仅适用于 {known}。",
            )
    inside = WEIGHTS.resolve() in (order.out.resolve(), *order.out.resolve().parents)
    if (inside or any(order.out.glob(f"*{SETTINGS}"))) and not overwrite:
        raise UsageError(
            en=f"There are weights in {order.out}. Choose another folder with --out, or say "
            "--overwrite to replace them.",
            zh=f"{order.out} 中已有权重。请用 --out 另选文件夹，或加 --overwrite 覆盖。",
        )


def moves(order: Order, on_progress: OnProgress) -> str:
    """English talk moves: two stages, three hours on two cores, minutes on a GPU."""
    from models.moves.export import ship
    from models.moves.training import train_stages as fit

    work = order.out / UNFINISHED
    fit(order.data, work, seed=order.seed, encoder=order.encoder, on_progress=on_progress)
    ship(order.data, work, order.out, encoder=order.encoder)
    return _next("moves", order)


def exchanges(order: Order, on_progress: OnProgress) -> str:
    """Uptake and focusing in English, on the shipped talk moves: two minutes on one core."""
    from models.exchanges.training import train as fit

    found = fit(order.data, order.out, seed=order.seed, on_progress=on_progress)
    return "\n".join(
        f"{what}: " + ", ".join(f"{name} {value:.3f}" for name, value in figures.items())
        for what, figures in found.items()
    )


def questions(order: Order, on_progress: OnProgress) -> str:
    """Mandarin questions and instructional acts; with corrections the better weights stay."""
    from models.mandarin.training import train as fit

    settings: dict[str, Any] = {
        "seed": order.seed,
        "encoder": order.encoder,
        "on_progress": on_progress,
    }
    if order.corrections is None:
        fit(order.data, order.out, **settings)
        return (
            f"observer evaluate labels questions --data {order.data} --weights {order.out.parent}"
        )
    from models.corrections import compare, keep_better, read_corrections, weighted

    found = read_corrections(order.corrections)
    work, current = order.out / UNFINISHED, WEIGHTS / FOLDERS["questions"]
    fit(order.data, work, corrections=weighted(found.learnt), **settings)
    parts = compare(order.data, found.untouched, current, work)
    counts = (
        f"{len(found.learnt)} corrections learnt, {len(found.untouched)} kept for the comparison, "
        f"{found.others} about something else."
    )
    return f"{counts}\n{keep_better(parts, current, work, order.out)}"


def _next(task: str, order: Order) -> str:
    return f"observer evaluate labels {task} --data {order.data} --weights {order.out.parent}"


def transferred(order: Order, on_progress: OnProgress) -> str:
    """Restating and revoicing by overlap, for Mandarin: a minute, no seed needed."""
    from models.transferred import train as fit

    found = fit(order.data, order.out)
    on_progress(1.0)
    return ", ".join(f"{code} F1 {f1:.3f}" for code, f1 in found.items()) + " (TalkMoves dev)"
