"""How the network learns: what it is shown, the two stages, the losses."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.datasets.mandarin import CODES
from models.mandarin.examples import Examples, batches
from models.mandarin.features import ENDS, MASK, padded
from models.mandarin.network import INSTRUCTION, CharacterReader, SentenceNetwork
from models.mandarin.wide import Wide
from models.predictions import Probabilities

log = logging.getLogger(__name__)

KINDS = ("question_demand", "sihe", "openness")


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides the weights, with the data and the seed."""

    seed: int = 0
    width: int = 160
    dilations: tuple[int, ...] = (1, 2, 4, 1)
    first_epochs: int = 5
    first_rate: float = 2e-3
    first_hidden: float = 0.12
    """Share of the characters hidden (70 %), replaced (15 %) or kept to be guessed."""
    epochs: int = 5
    rate: float = 8e-4
    hidden: float = 0.08
    unlabelled: float = 1.0
    """Sentences without question labels shown for each one with, in the second stage."""
    room: int = 2048
    """Characters in a batch, padding included."""
    averaged: float = 0.2
    """The weights are the mean over this last share of the second stage."""
    teacher_epochs: int = 3
    """With an encoder: epochs of the whole of it on the question labels."""
    teacher_room: int = 1024
    top: float = 2e-4
    """Rate of an encoder's last layer; each layer below learns at `decay` of the one above."""
    decay: float = 0.85
    embeddings: float = 5e-5
    layers: int = 2
    """Of the teacher's layers, from below, in the student that ships."""
    student_epochs: int = 4
    student_top: float = 3e-4
    """In place of `epochs` and `top`, for that student."""
    trust: float = 0.5
    """Weight of the teacher's word on sentences with labels; on the others it is all there is."""


class Shower:
    """Draws what the network is shown: half the showings without marks, some characters hidden."""

    def __init__(self, examples: Examples, size: int, seed: int) -> None:
        """`size`: codes of the alphabet; 0 for tokens of other kinds, of which none is hidden."""
        self.examples = examples
        self.size = size
        self.random = np.random.default_rng((seed, 7))

    def show(self, rows: Sequence[int], hidden: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(codes shown, true codes, which to guess, rules) of a batch."""
        bare = self.random.random(len(rows)) < 0.5
        guises = [self.examples.bare if b else self.examples.plain for b in bare]
        codes = padded([g.codes[i] for g, i in zip(guises, rows, strict=True)])
        fired = np.stack([g.fired[i] for g, i in zip(guises, rows, strict=True)])
        shown, chosen = self._hidden(codes, hidden)
        fired *= self.random.random(fired.shape) >= 0.1
        return (
            torch.from_numpy(shown),
            torch.from_numpy(codes),
            torch.from_numpy(chosen),
            torch.from_numpy(fired),
        )

    def _hidden(
        self, codes: NDArray[np.int64], share: float
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """(codes with some masked or replaced, which of them)."""
        if not self.size:
            return codes, np.zeros(codes.shape, bool)
        chosen = (self.random.random(codes.shape) < share) & (codes > ENDS)
        what = self.random.random(codes.shape)
        shown = np.where(chosen & (what < 0.7), MASK, codes)
        other = self.random.integers(ENDS + 1, self.size, codes.shape)
        return np.where(chosen & (what >= 0.7) & (what < 0.85), other, shown), chosen


Step = Callable[[Sequence[int]], Tensor]


def _groups(network: SentenceNetwork, recipe: Recipe, rate: float) -> list[dict[str, Any]]:
    """Parameters with their rates: an encoder's layers have rates of their own."""
    reader = network.reader
    if isinstance(reader, CharacterReader):
        return [{"params": list(network.parameters()), "lr": rate}]
    groups = list(reader.rates(recipe.top, recipe.decay, recipe.embeddings))
    own = {id(p) for group in groups for p in group["params"]}
    heads = [p for p in network.parameters() if id(p) not in own]
    return [*groups, {"params": heads, "lr": rate}]


def _run(network: nn.Module, groups: list[dict[str, Any]], plan: Sequence[Sequence[int]],
         step: Step, mean_over: float = 0.0) -> None:  # fmt: skip
    """AdamW with a linear rise and fall of the rates; keeps the mean of the last weights."""
    optimiser = torch.optim.AdamW(groups, weight_decay=0.01)
    rates = [group["lr"] for group in optimiser.param_groups]
    total, said = len(plan), time.monotonic()
    mean: dict[str, Tensor] = {}
    gap, taken = max(1, round(mean_over * total / 10)), 0
    for k, rows in enumerate(plan):
        rise, fall = min(1, (k + 1) / (0.08 * total)), max(0.02, 1 - k / total)
        for group, rate in zip(optimiser.param_groups, rates, strict=True):
            group["lr"] = rate * rise * fall
        loss = step(rows)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        left = total - k - 1
        if left < mean_over * total and left % gap == 0:
            taken += 1
            for name, value in network.state_dict().items():
                kept = mean.setdefault(name, value.detach().clone())
                kept += (value - kept) / taken
        if time.monotonic() - said > 30:
            said = time.monotonic()
            log.info("step %d of %d, loss %.3f", k + 1, total, float(loss.detach()))
    if mean:
        network.load_state_dict(mean)


def _guessing(network: SentenceNetwork, states: Tensor, codes: Tensor, chosen: Tensor) -> Tensor:
    """Cross-entropy of the hidden characters; none for an encoder that brings its own."""
    if not isinstance(network.reader, CharacterReader) or not bool(chosen.any()):
        return torch.zeros(())
    guesses = network.reader.guesses(states[chosen])
    return nn.functional.cross_entropy(guesses.float(), codes[chosen])


def first_stage(network: SentenceNetwork, shower: Shower, recipe: Recipe) -> None:
    """Instructional acts and hidden characters, from every sentence."""
    acts = torch.from_numpy(shower.examples.labels[INSTRUCTION])
    at = list(CODES).index(INSTRUCTION)

    def step(rows: Sequence[int]) -> Tensor:
        shown, codes, chosen, fired = shower.show(rows, recipe.first_hidden)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            states, logits = network.read(shown, fired)
            guessed = _guessing(network, states, codes, chosen)
        said = _acts(logits[at].float(), acts[list(rows)], 0.05)
        return said + 0.5 * guessed

    every = np.arange(len(shower.examples))
    network.train()
    plan = _plan(shower, every, recipe.first_epochs, recipe.room)
    _run(network, _groups(network, recipe, recipe.first_rate), plan, step)


def second_stage(
    network: SentenceNetwork,
    shower: Shower,
    soft: Mapping[str, Probabilities],
    recipe: Recipe,
    held: int | None,
) -> None:
    """Question labels of all folds but `held`, soft ones elsewhere, and the acts of both.

    Where `soft` has the acts too it is a teacher's, and counts by `trust` beside true labels.
    """
    examples = shower.examples
    labels = {k: torch.from_numpy(v) for k, v in examples.labels.items()}
    guesses = {k: torch.from_numpy(v) for k, v in soft.items()}
    known = torch.from_numpy(examples.fold >= 0)
    taught = INSTRUCTION in soft
    trust = recipe.trust if taught else 0.0

    def step(rows: Sequence[int]) -> Tensor:
        shown, codes, chosen, fired = shower.show(rows, recipe.hidden)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            states, found = network.read(shown, fired)
            guessed = _guessing(network, states, codes, chosen)
        at = torch.tensor(list(rows))
        logits = {k: v.float() for k, v in zip(CODES, found, strict=True)}
        acts = _acts(logits[INSTRUCTION], labels[INSTRUCTION][at], 0.03) * (1 - trust)
        said = {k: v[at] for k, v in guesses.items()}
        if taught:
            acts = acts + trust * _apart(logits[INSTRUCTION], said[INSTRUCTION]).mean()
        return (
            _asked(logits, {k: v[at] for k, v in labels.items()}, known[at]) * (1 - trust)
            + _guessed(logits, said, torch.where(known[at], 1.5 * trust, 1.0))
            + 0.5 * acts
            + 0.15 * guessed
        )

    learnt = np.flatnonzero((examples.fold >= 0) & (examples.fold != held))
    others = np.flatnonzero(examples.fold < 0)
    size = min(len(others), round(recipe.unlabelled * len(learnt)))
    plan: list[list[int]] = []
    for _ in range(recipe.epochs):
        drawn = shower.random.choice(others, size, replace=False)
        plan += _plan(shower, np.concatenate([learnt, drawn]), 1, recipe.room)
    network.train()
    _run(network, _groups(network, recipe, recipe.rate), plan, step, recipe.averaged)


def _plan(shower: Shower, rows: NDArray[np.int64], epochs: int, room: int) -> list[list[int]]:
    lengths = np.array([len(c) for c in shower.examples.plain.codes])
    return [b for _ in range(epochs) for b in batches(rows, lengths, room, shower.random)]


def _acts(logits: Tensor, labels: Tensor, smoothing: float) -> Tensor:
    """Cross-entropy of the instructional acts; corrections have none."""
    total = nn.functional.cross_entropy(
        logits, labels, ignore_index=-1, reduction="sum", label_smoothing=smoothing
    )
    return total / len(labels)


def _asked(logits: Mapping[str, Tensor], labels: Mapping[str, Tensor], known: Tensor) -> Tensor:
    """Cross-entropies of the question labels, a sum over sentences by the size of the batch."""
    total = torch.zeros(())
    for name in ("question_form", *KINDS):
        wanted = torch.where(known, labels[name], -1)
        total = total + nn.functional.cross_entropy(
            logits[name], wanted, ignore_index=-1, reduction="sum", label_smoothing=0.03
        )
    return total * 1.5 / len(known)


def _guessed(logits: Mapping[str, Tensor], soft: Mapping[str, Tensor], weight: Tensor) -> Tensor:
    """The same against guesses, each sentence by its weight; kinds by how likely it asks."""
    total = torch.zeros(())
    real = soft["question_form"][:, CODES["question_form"].index("real")]
    for name in ("question_form", *KINDS):
        each = _apart(logits[name], soft[name])
        total = total + (each * weight * (real if name in KINDS else 1.0)).sum()
    return total / len(weight)


def _apart(logits: Tensor, soft: Tensor) -> Tensor:
    """Cross-entropy of each sentence against probabilities."""
    found: Tensor = -(soft * logits.log_softmax(1)).sum(1)
    return found


def soft_labels(wide: Wide, matrix: object) -> dict[str, Probabilities]:
    """Probabilities of the question taxonomies from the linear half."""
    scores = wide.scores(matrix)
    return {k: _softmax(scores[k]) for k in ("question_form", *KINDS)}


def _softmax(scores: Probabilities) -> Probabilities:
    raised = np.exp(scores - scores.max(1, keepdims=True))
    found: Probabilities = raised / raised.sum(1, keepdims=True)
    return found
