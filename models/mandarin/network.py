"""The network in torch, for training and export: a convolutional reader of characters.

Gated convolutions with residuals (Dauphin et al., 2017, arXiv 1612.08083) over character
embeddings; for each taxonomy two learnt attentions and a maximum pool the sentence, and all but
`instruction` also see which rules fired. A second output guesses hidden characters while
training. With an encoder (models.mandarin.encoder) its states take the convolutions' place.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from models.datasets.mandarin import CODES
from models.mandarin.features import PAD

HIDDEN, RULES, POOLS = 128, 48, 2
INSTRUCTION = "instruction"


class Block(nn.Module):
    """x + W · (a ⊙ σ(b)), with a and b from x at three places `dilation` apart."""

    def __init__(self, width: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.dilation = dilation
        self.norm = nn.LayerNorm(width)
        self.mix = nn.Linear(3 * width, 2 * width)
        self.out = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Shapes (n, length, width) and (n, length, 1) to (n, length, width)."""
        h = self.norm(x) * mask
        d, length = self.dilation, x.shape[1]
        wide = nn.functional.pad(h, (0, 0, d, d))
        near = torch.cat([wide[:, :length], h, wide[:, 2 * d :]], 2)
        a, b = self.mix(near).chunk(2, -1)
        mixed: Tensor = x + self.dropout(self.out(a * torch.sigmoid(b)))
        return mixed


class CharacterReader(nn.Module):
    """States of every character of a sentence."""

    def __init__(
        self, size: int, width: int, dilations: Sequence[int], dropout: float = 0.15
    ) -> None:
        super().__init__()
        self.width = width
        self.embed = nn.Embedding(size, width, padding_idx=PAD)
        nn.init.normal_(self.embed.weight, std=0.1)
        self.blocks = nn.ModuleList(Block(width, d, dropout) for d in dilations)
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(0.1)
        self.guess = nn.Linear(width, width)
        self.bias = nn.Parameter(torch.zeros(size))

    def forward(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Shape (n, length) to states (n, length, width) and mask (n, length, 1)."""
        mask = (codes != PAD).unsqueeze(-1).to(self.bias.dtype)
        x = self.dropout(self.embed(codes))
        for block in self.blocks:
            x = block(x, mask)
        return self.norm(x) * mask, mask

    def guesses(self, states: Tensor) -> Tensor:
        """Logits over the alphabet, tied to the embeddings; shape (k, width) to (k, size)."""
        logits: Tensor = self.guess(states) @ self.embed.weight.T + self.bias
        return logits


class SentenceNetwork(nn.Module):
    """Logits of every taxonomy of `CODES`, in that order."""

    def __init__(self, reader: Any, width: int, rules: int, dropout: float = 0.3) -> None:
        super().__init__()
        self.reader = reader
        self.attend = nn.Linear(width, POOLS * len(CODES))
        self.rules = nn.Linear(rules, RULES)
        self.dropout = nn.Dropout(dropout)
        joint = (POOLS + 1) * width
        self.heads = nn.ModuleDict(
            {
                name: nn.Sequential(
                    nn.Linear(joint + (0 if name == INSTRUCTION else RULES), HIDDEN),
                    nn.GELU(),
                    nn.Dropout(dropout),
                    nn.Linear(HIDDEN, len(codes)),
                )
                for name, codes in CODES.items()
            }
        )

    def forward(self, codes: Tensor, fired: Tensor) -> tuple[Tensor, ...]:
        """Shapes (n, length) and (n, rules) to (n, classes) for each taxonomy."""
        return self.read(codes, fired)[1]

    def read(self, codes: Tensor, fired: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """States of the characters as well, for guessing hidden ones."""
        states, mask = self.reader(codes)
        away = mask == 0
        weights = self.attend(states).masked_fill(away, -1e4).softmax(1)
        top = states.masked_fill(away, -1e4).amax(1)
        rules = nn.functional.gelu(self.rules(fired))
        logits = []
        for k, (name, head) in enumerate(self.heads.items()):
            own = weights[:, :, POOLS * k : POOLS * (k + 1)]
            pooled = [(own[:, :, j : j + 1] * states).sum(1) for j in range(POOLS)]
            seen = [*pooled, top] if name == INSTRUCTION else [*pooled, top, rules]
            logits.append(head(self.dropout(torch.cat(seen, 1))))
        return states, tuple(logits)


def write_onnx(network: SentenceNetwork, file: Path, rules: int) -> None:
    """The network in float32, opset 17; number and length of sentences are free."""
    inputs = (torch.ones(2, 9, dtype=torch.int64), torch.zeros(2, rules))
    with torch.no_grad():
        torch.onnx.export(
            network.eval(),
            inputs,
            str(file),
            input_names=["codes", "fired"],
            output_names=list(CODES),
            dynamic_axes={"codes": {0: "n", 1: "length"}, "fired": {0: "n"}}
            | {name: {0: "n"} for name in CODES},
            opset_version=17,
            dynamo=False,
        )
