"""Pretrained encoders in torch: a teacher as it is, and a student cut out of it that ships.

The teacher is any Hugging Face encoder. Of one whose vocabulary has single characters (the
Chinese BERTs) only their embeddings are kept, so that it reads the same codes as the network
without an encoder. The student takes the fine-tuned embeddings and first layers of such a
teacher (dropping upper layers costs least: Sajjad et al., 2023, arXiv 2004.03844); its last layer
computes only the opening and the end of the sentence, which a third of the work buys.
"""

import json
from collections.abc import Iterator, Mapping
from hashlib import sha256
from math import sqrt
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from models.mandarin.features import PAD, Alphabet
from observer.errors import MissingWeights

TOKENIZER = "tokenizer.json"
_SPECIAL = ("[PAD]", "[UNK]", "[MASK]", "[CLS]", "[SEP]")
"""The encoder's names of the codes 0 to 4 of `features`."""
_LEAST = 0.9
"""Share of the corpora's characters that an encoder must know to be read by character."""
_AWAY = -1e4


def gb2312() -> str:
    """The characters of GB/T 2312, the common simplified ones, in its order."""
    cells = (bytes((high, low)) for high in range(0xA1, 0xF8) for low in range(0xA1, 0xFF))
    return "".join(cell.decode("gb2312", "ignore") for cell in cells)


def known_alphabet(folder: Path, corpus: Alphabet) -> Alphabet | None:
    """The characters of the corpora and of GB 2312 that the encoder knows; None for an encoder
    that does not read single characters. Raises MissingWeights."""
    words = _vocabulary(folder)
    known = [c for c in corpus.characters if c in words]
    if not set(_SPECIAL) <= words.keys() or len(known) < _LEAST * len(corpus.characters):
        return None
    return Alphabet("".join(dict.fromkeys([*known, *(c for c in gb2312() if c in words)])))


def _vocabulary(folder: Path) -> Mapping[str, int]:
    """Word → id of a vocabulary of whole words; empty for one of merged bytes."""
    file = folder / TOKENIZER
    if not file.is_file():
        raise MissingWeights(
            en=f"There is no {TOKENIZER} in {folder}. Give the folder of a Hugging Face encoder "
            "with its fast tokenizer.",
            zh=f"{folder} 中没有 {TOKENIZER}。请指定含快速分词器的 Hugging Face 编码器文件夹。",
        )
    words = json.loads(file.read_text("utf-8"))["model"].get("vocab", {})
    return words if isinstance(words, dict) else {}


def fingerprint(folder: Path) -> str:
    """Name of the encoder and sum of its weights, to stand beside what was learnt from them."""
    files = sorted([*folder.glob("*.bin"), *folder.glob("*.safetensors")])
    sums = [f"{f.name} {sha256(f.read_bytes()).hexdigest()}" for f in files]
    return ", ".join([folder.name, *sums])


class EncoderReader(nn.Module):
    """States of the tokens of a Hugging Face encoder."""

    def __init__(self, folder: Path, alphabet: Alphabet | None) -> None:
        """`alphabet`: what `known_alphabet` gave; the codes are token ids where it is None."""
        super().__init__()
        from transformers import AutoModel

        self.trunk: Any = AutoModel.from_pretrained(
            folder, local_files_only=True, attn_implementation="eager"
        ).float()
        self.trunk.pooler = None
        self.width: int = self.trunk.config.hidden_size
        self.pad: int = PAD
        if alphabet is None:
            self.pad = self.trunk.config.pad_token_id or 0
        else:
            words = _vocabulary(folder)
            kept = [words[w] for w in (*_SPECIAL, *alphabet.characters)]
            table = self.trunk.get_input_embeddings().weight[kept]
            self.trunk.set_input_embeddings(_embedding(table))

    def forward(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Shape (n, length) to states (n, length, width) and mask (n, length, 1)."""
        mask = (codes != self.pad).long()
        states = self.trunk(input_ids=codes, attention_mask=mask).last_hidden_state
        return states, mask.unsqueeze(-1).to(states.dtype)

    def rates(self, top: float, decay: float, embeddings: float) -> Iterator[dict[str, Any]]:
        """Groups of parameters for an optimiser, each layer slower than the one above it."""
        layers = list(self.trunk.encoder.layer) if hasattr(self.trunk, "encoder") else []
        for k, layer in enumerate(layers):
            yield {"params": list(layer.parameters()), "lr": top * decay ** (len(layers) - 1 - k)}
        own = {id(p) for layer in layers for p in layer.parameters()}
        rest = [p for p in self.trunk.parameters() if id(p) not in own]
        yield {"params": rest, "lr": embeddings}


class _Norm(nn.Module):
    """Layer normalisation spelt out, which onnxruntime runs faster than its own kernel."""

    def __init__(self, norm: nn.LayerNorm) -> None:
        super().__init__()
        self.weight = nn.Parameter(norm.weight.detach().clone())
        self.bias = nn.Parameter(norm.bias.detach().clone())
        self.root = sqrt(norm.normalized_shape[0])

    def forward(self, x: Tensor) -> Tensor:
        centred = x - x.mean(-1, keepdim=True)
        length = torch.linalg.vector_norm(centred, dim=-1, keepdim=True) + 1e-6
        found: Tensor = centred * (self.root / length) * self.weight + self.bias
        return found


def _embedding(table: Tensor) -> nn.Embedding:
    size, width = table.shape
    return nn.Embedding(size, width, padding_idx=PAD, _weight=table.detach().clone())


def _copy(linear: nn.Linear) -> nn.Linear:
    found = nn.Linear(linear.in_features, linear.out_features)
    found.load_state_dict(linear.state_dict())
    return found


class _Layer(nn.Module):
    """One layer of BERT for some places of the sentence, which attend to all of it."""

    def __init__(self, layer: Any, heads: int, dropout: float) -> None:
        super().__init__()
        own = layer.attention.self
        self.query, self.key, self.value = _copy(own.query), _copy(own.key), _copy(own.value)
        self.output = _copy(layer.attention.output.dense)
        self.up, self.down = _copy(layer.intermediate.dense), _copy(layer.output.dense)
        self.after_attention = _Norm(layer.attention.output.LayerNorm)
        self.after_all = _Norm(layer.output.LayerNorm)
        self.heads, self.size = heads, self.query.out_features // heads
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor, hidden: Tensor, own: Tensor) -> Tensor:
        """(n, length, width), (n, 1, 1, length) and (n, places, width) to (n, places, width)."""
        query = self._split(self.query(own)).permute(0, 2, 1, 3)
        key = self._split(self.key(states)).permute(0, 2, 3, 1)
        value = self._split(self.value(states)).permute(0, 2, 1, 3)
        mixed = torch.softmax(query @ key / sqrt(self.size) + hidden, -1) @ value
        mixed = mixed.permute(0, 2, 1, 3).reshape(own.shape[0], -1, self.heads * self.size)
        own = self.after_attention(self.dropout(self.output(mixed)) + own)
        widened = nn.functional.gelu(self.up(own))
        found: Tensor = self.after_all(self.dropout(self.down(widened)) + own)
        return found

    def _split(self, x: Tensor) -> Tensor:
        return x.view(x.shape[0], -1, self.heads, self.size)


class ShortReader(nn.Module):
    """Three states of a sentence: its opening, its end, and the maximum over its characters."""

    def __init__(self, teacher: EncoderReader, layers: int) -> None:
        """`teacher` must be a BERT that reads characters; it is copied."""
        super().__init__()
        trunk, config = teacher.trunk, teacher.trunk.config
        tables = trunk.embeddings
        self.width = teacher.width
        self.embed = _embedding(tables.word_embeddings.weight)
        places = tables.position_embeddings.weight + tables.token_type_embeddings.weight[0]
        self.places = nn.Parameter(places.detach()[:128].clone())
        self.norm = _Norm(tables.LayerNorm)
        heads, dropout = config.num_attention_heads, config.hidden_dropout_prob
        self.layers = nn.ModuleList(
            _Layer(layer, heads, dropout) for layer in trunk.encoder.layer[:layers]
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Shape (n, length) to states (n, 3, width) and mask (n, 3, 1), all ones."""
        mask = codes != PAD
        states = self.embed(codes) + self.places[: codes.shape[1]]
        states = self.dropout(self.norm(states))
        hidden = (1 - mask[:, None, None, :].to(states.dtype)) * _AWAY
        for layer in self.layers[:-1]:
            states = layer(states, hidden, states)
        last = mask.sum(1, keepdim=True).unsqueeze(-1) - 1
        end = torch.gather(states, 1, last.expand(-1, -1, self.width))
        own = self.layers[-1](states, hidden, torch.cat([states[:, :1], end], 1))
        top = states.masked_fill(~mask.unsqueeze(-1), _AWAY).amax(1, keepdim=True)
        seen = torch.cat([own, top.to(own.dtype)], 1)
        return seen, torch.ones_like(seen[:, :, :1])

    def rates(self, top: float, decay: float, embeddings: float) -> Iterator[dict[str, Any]]:
        """As `EncoderReader.rates`."""
        for k, layer in enumerate(self.layers):
            rate = top * decay ** (len(self.layers) - 1 - k)
            yield {"params": list(layer.parameters()), "lr": rate}
        tables = [*self.embed.parameters(), *self.norm.parameters(), self.places]
        yield {"params": tables, "lr": embeddings}
