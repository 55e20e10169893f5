"""Trains the talk-move network: the recipe, the loop, checkpoints to go on from."""

import json
import logging
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models.datasets.talkmoves import MovesLesson, read_talkmoves
from models.moves.examples import NO_LABEL, Examples, Guise, Vocabulary, batches, draw, padded
from models.moves.network import MovesNetwork, build, encoder_folder, groups
from models.moves.pairs import PieceTable
from observer.engines import OnProgress, ignore_progress

WEIGHTS, RECIPE = "weights.pt", "recipe.json"
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides the weights, with the data and the seed."""

    seed: int = 0
    epochs: float = 1.86
    """The last one may be a part."""
    rate: float = 2e-4
    """Top layer of the encoder; times `decay` for each layer below."""
    decay: float = 0.8
    head_rate: float = 8e-4
    weight_decay: float = 0.01
    warm_up: float = 0.06
    """Share of the steps; then the rate falls linearly to zero."""
    room: int = 2048
    """Word pieces in a batch, padding included."""
    clip: float = 1.0
    averaged: float = 0.1
    """The weights are the mean over this last share of the steps."""
    snapshots: int = 10
    guise: Guise = field(default_factory=Guise)


STAGES = (
    Recipe(),
    Recipe(
        seed=2,
        epochs=2.6,
        rate=1.6e-4,
        head_rate=6e-4,
        warm_up=0.04,
        averaged=0.2,
        guise=Guise(punctuated=0.4, apostrophes=0.4, noisy=0.35, next_hidden=0.2, roleless=0.02),
    ),
)
"""What made the shipped weights, one after the other; the second shows more text without marks
and with word errors."""


def _to(device: torch.device, *arrays: Any) -> list[Tensor]:
    return [torch.from_numpy(a).to(device, non_blocking=True) for a in arrays]


def loss_of(network: nn.Module, shown: Examples, rows: Any, device: torch.device) -> Tensor:
    """Cross-entropies of the three heads over one batch, each divided by its rows."""
    ids, mask, types = padded([shown.pairs[i] for i in rows])
    inputs = _to(device, ids, mask, types, shown.dense[rows])
    teacher, student, asks, _ = network(*inputs)
    y_teacher, y_student, y_asks, w_teacher, w_asks = _to(
        device,
        shown.teacher[rows],
        shown.student[rows],
        shown.asks[rows],
        shown.teacher_weight[rows],
        shown.asks_weight[rows],
    )
    each: Callable[..., Tensor] = nn.functional.cross_entropy
    quiet = {"ignore_index": NO_LABEL, "reduction": "none"}
    total = (each(teacher.float(), y_teacher, **quiet) * w_teacher).sum()
    total = total + each(student.float(), y_student, **quiet).sum()
    total = total + (each(asks.float(), y_asks, reduction="none") * w_asks).sum()
    return total / len(rows)


class Averaged:
    """The running mean of a network's trained parameters."""

    def __init__(self) -> None:
        self.count = 0
        self.mean: dict[str, Tensor] = {}

    def add(self, network: nn.Module) -> None:
        """Take the weights as they are now into the mean."""
        self.count += 1
        for name, value in network.state_dict().items():
            if name not in self.mean:
                self.mean[name] = value.detach().clone()
            elif value.dtype.is_floating_point:
                self.mean[name] += (value - self.mean[name]) / self.count


@dataclass(slots=True)
class Run:
    """A training under way: everything that a checkpoint keeps."""

    network: MovesNetwork
    optimiser: torch.optim.Optimizer
    averaged: Averaged
    step: int = 0

    def save(self, file: Path) -> None:
        """Write to a temporary name and rename: an interruption leaves the older checkpoint."""
        state = {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "averaged": (self.averaged.count, self.averaged.mean),
            "step": self.step,
        }
        torch.save(state, file.with_suffix(".part"))
        file.with_suffix(".part").replace(file)

    def load(self, file: Path) -> None:
        """Go on from a checkpoint."""
        state = torch.load(file, weights_only=True)
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.averaged.count, self.averaged.mean = state["averaged"]
        self.step = state["step"]


def _rate(step: int, total: int, warm_up: float) -> float:
    rising = max(1, round(warm_up * total))
    return (step + 1) / rising if step < rising else max(0.0, (total - step) / (total - rising))


def _step(run: Run, shown: Examples, rows: Any, recipe: Recipe, scale: float) -> float:
    device = next(run.network.parameters()).device
    torch.manual_seed(recipe.seed * 1_000_003 + run.step)
    for group in run.optimiser.param_groups:
        group["lr"] = group["initial"] * scale
    with torch.autocast(device.type, dtype=torch.bfloat16):
        loss = loss_of(run.network, shown, rows, device)
    run.optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(
        [p for p in run.network.parameters() if p.grad is not None], recipe.clip
    )
    run.optimiser.step()
    run.step += 1
    return float(loss.detach())


def start(encoder: Path, recipe: Recipe) -> Run:
    """A fresh run on a GPU when there is one."""
    torch.manual_seed(recipe.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = build(encoder).to(device).train()
    parts = groups(network, recipe.rate, recipe.decay, recipe.head_rate)
    for part in parts:
        part["initial"] = part["lr"]
    optimiser = torch.optim.AdamW(parts, weight_decay=recipe.weight_decay, fused=True)
    return Run(network, optimiser, Averaged())


def train(
    data: Path,
    out: Path,
    *,
    recipe: Recipe | None = None,
    encoder: Path | None = None,
    first: Path | None = None,
    lessons: Sequence[MovesLesson] | None = None,
    save_every: float = 600.0,
    on_progress: OnProgress = ignore_progress,
) -> Path:
    """Train on TalkMoves below `data`; returns the file of the averaged weights in `out`.

    Goes on from `out`/checkpoint.pt when there is one, else begins with the weights in `first`
    when given. `lessons` replaces the corpus (tests); `save_every` in seconds; `on_progress` may
    raise to stop. Raises DatasetError, MissingWeights.
    """
    recipe, encoder = recipe or Recipe(), encoder_folder(encoder)
    if lessons is None:
        lessons, _ = read_talkmoves(data, "train")
    out.mkdir(parents=True, exist_ok=True)
    run, checkpoint = start(encoder, recipe), out / "checkpoint.pt"
    if first is not None:
        run.network.load_state_dict(torch.load(first, weights_only=True))
    if checkpoint.is_file():
        run.load(checkpoint)
        log.info("going on from step %d", run.step)
    saved = time.monotonic()
    table = PieceTable(encoder / "tokenizer.json")
    for done in _steps(run, lessons, table, recipe):
        if time.monotonic() - saved > save_every:
            run.save(checkpoint)
            saved = time.monotonic()
        on_progress(done)
    run.save(checkpoint)
    weights = out / WEIGHTS
    torch.save(run.averaged.mean or run.network.state_dict(), weights.with_suffix(".part"))
    weights.with_suffix(".part").replace(weights)
    _note(out, [recipe])
    return weights


def train_stages(
    data: Path,
    out: Path,
    *,
    seed: int = 0,
    encoder: Path | None = None,
    lessons: Sequence[MovesLesson] | None = None,
    stages: Sequence[Recipe] = STAGES,
    on_progress: OnProgress = ignore_progress,
) -> Path:
    """The stages in turn, each from the weights of the one before, in `out`/1, `out`/2 …

    Leaves weights and recipes in `out`, as export.ship takes them; `seed` is added to the stages'.
    Interrupted, it goes on where it was. Raises DatasetError, MissingWeights.
    """
    first: Path | None = None
    recipes = [replace(stage, seed=stage.seed + seed) for stage in stages]
    for k, recipe in enumerate(recipes):
        folder, share = out / str(k + 1), k / len(recipes)
        if (folder / WEIGHTS).is_file():
            first = folder / WEIGHTS
            continue
        first = train(
            data, folder, recipe=recipe, encoder=encoder, first=first, lessons=lessons,
            on_progress=partial(_told, on_progress, share, 1 / len(recipes)),
        )  # fmt: skip
    shutil.copyfile(out / str(len(recipes)) / WEIGHTS, out / WEIGHTS)
    _note(out, recipes)
    return out / WEIGHTS


def _told(on_progress: OnProgress, start: float, length: float, done: float) -> None:
    on_progress(start + length * done)


def _note(out: Path, recipes: Sequence[Recipe]) -> None:
    text = json.dumps([asdict(recipe) for recipe in recipes], indent=1)
    (out / RECIPE).write_text(text + "\n", encoding="utf-8")


def _steps(
    run: Run, lessons: Sequence[MovesLesson], table: PieceTable, recipe: Recipe
) -> Iterator[float]:
    """Train step by step; yields the finished share after each."""
    vocabulary, pace, total, before = Vocabulary(lessons), _Pace(), 0, 0
    for epoch in range(int(np.ceil(recipe.epochs))):
        shown = draw(lessons, table, vocabulary, recipe.guise, (recipe.seed, epoch))
        order = np.random.default_rng((recipe.seed, epoch, 1))
        cut = list(batches(shown.pairs, recipe.room, order))
        total = total or max(1, round(recipe.epochs * len(cut)))
        cut = cut[: total - before]
        gap = max(1, round(recipe.averaged * total / recipe.snapshots))
        for rows in cut[max(0, run.step - before) :]:
            loss = _step(run, shown, rows, recipe, _rate(run.step, total, recipe.warm_up))
            left = total - run.step
            if left <= recipe.averaged * total and left % gap == 0:
                run.averaged.add(run.network)
            pace.tell(f"epoch {epoch}, step {run.step} of {total}", loss, len(rows))
            yield run.step / total
        before += len(cut)


class _Pace:
    """Logs the mean loss and the examples a second about twice a minute."""

    def __init__(self) -> None:
        self._since, self._examples = time.monotonic(), 0
        self._losses: list[float] = []

    def tell(self, where: str, loss: float, examples: int) -> None:
        self._losses.append(loss)
        self._examples += examples
        seconds = time.monotonic() - self._since
        if seconds > 30:
            speed = self._examples / seconds
            log.info("%s, loss %.4f, %.0f examples/s", where, np.mean(self._losses), speed)
            self._since, self._losses, self._examples = time.monotonic(), [], 0
