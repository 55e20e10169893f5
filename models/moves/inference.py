"""The trained network written for reading: the same numbers with less work.

What differs from models.moves.network changes no result (tests compare): the last layer computes
only the places that are pooled ([CLS] and B, about half); scale and shift of a layer
normalisation stand in the products after it, so that what is left of it is onnxruntime's
InstanceNormalization (its own LayerNormalization takes three times as long); attention is
onnxruntime's MultiHeadAttention; and a batch holds pairs of one length, so that nothing is padded
and nothing hidden. On one core a tenth faster than the layers spelt out with padding, which it
replaces. Two thirds of the time are int8 products at nearly the machine's speed: there is little
left to win but by fewer word pieces or a smaller network.
"""

from typing import Any

import torch
from torch import Tensor, nn

from models.moves.network import MovesNetwork

EPSILON = 1e-12
DOMAIN = "com.microsoft"
"""Of onnxruntime's own operators."""


class _Normalised(torch.autograd.Function):
    """(x − mean) / deviation over the last axis of (n, length, width); `ones`, `zeros` (length)."""

    @staticmethod
    def forward(_: Any, x: Tensor, _ones: Tensor, _zeros: Tensor) -> Tensor:
        return nn.functional.layer_norm(x, x.shape[-1:], eps=EPSILON)

    @staticmethod
    def symbolic(g: Any, x: Any, ones: Any, zeros: Any) -> Any:
        """Every place is a channel of its own."""
        return g.op("InstanceNormalization", x, ones, zeros, epsilon_f=EPSILON).setType(x.type())


class _Attention(torch.autograd.Function):
    """softmax(q kᵀ / √size) v for each head; q (n, places, width), k and v (n, length, width)."""

    @staticmethod
    def forward(_: Any, query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
        q, k, v = (x.view(*x.shape[:2], heads, -1).transpose(1, 2) for x in (query, key, value))
        mixed = nn.functional.scaled_dot_product_attention(q, k, v)
        return mixed.transpose(1, 2).reshape(query.shape)

    @staticmethod
    def symbolic(g: Any, query: Any, key: Any, value: Any, heads: int) -> Any:
        """The scale 1/√size is the operator's default."""
        name = f"{DOMAIN}::MultiHeadAttention"
        return g.op(name, query, key, value, num_heads_i=heads).setType(query.type())


def _after(linear: nn.Linear, norm: nn.LayerNorm) -> nn.Linear:
    """W, b for γ∘x + β as W γ, b + W β for x."""
    found = nn.Linear(linear.in_features, linear.out_features)
    found.weight.data = linear.weight.detach() * norm.weight.detach()
    found.bias.data = linear.bias.detach() + linear.weight.detach() @ norm.bias.detach()
    return found


def _beside(linear: nn.Linear, norm: nn.LayerNorm) -> nn.Linear:
    """A product to which γ∘x + β is added: it brings the β."""
    found = nn.Linear(linear.in_features, linear.out_features)
    found.weight.data = linear.weight.detach()
    found.bias.data = linear.bias.detach() + norm.bias.detach()
    return found


class _Layer(nn.Module):
    """A layer of the encoder for some places of the sentence, which attend to all of it.

    It takes and gives states that are normalised but not yet scaled and shifted.
    """

    def __init__(self, layer: Any, heads: int, before: nn.LayerNorm) -> None:
        """`before` is the normalisation whose states it takes."""
        super().__init__()
        own, middle = layer.attention.self, layer.attention.output.LayerNorm
        self.query, self.key = _after(own.query, before), _after(own.key, before)
        self.value = _after(own.value, before)
        self.output = _beside(layer.attention.output.dense, before)
        self.up = _after(layer.intermediate.dense, middle)
        self.down = _beside(layer.output.dense, middle)
        self.scale, self.middle = before.weight.detach(), middle.weight.detach()
        self.heads = heads

    def forward(self, states: Tensor, own: Tensor, ones: Tensor, zeros: Tensor) -> Tensor:
        """(n, length, width) and (n, places, width) to the latter; `ones`, `zeros` (places)."""
        mixed = _Attention.apply(self.query(own), self.key(states), self.value(states), self.heads)  # type: ignore[no-untyped-call]
        own = _Normalised.apply(self.output(mixed) + own * self.scale, ones, zeros)  # type: ignore[no-untyped-call]
        wide = nn.functional.gelu(self.up(own))
        found: Tensor = _Normalised.apply(self.down(wide) + own * self.middle, ones, zeros)  # type: ignore[no-untyped-call]
        return found


class InferenceNetwork(nn.Module):
    """A trained network for export; `network` itself stays as it is."""

    def __init__(self, network: MovesNetwork) -> None:
        super().__init__()
        trunk: Any = network.encoder
        tables, heads = trunk.embeddings, trunk.config.num_attention_heads
        self.network, self.words = network, tables.word_embeddings
        self.kinds, self.positions = tables.token_type_embeddings, tables.position_embeddings
        layers, self.last = [], tables.LayerNorm
        for layer in trunk.encoder.layer:
            layers.append(_Layer(layer, heads, self.last))
            self.last = layer.output.LayerNorm
        self.layers = nn.ModuleList(layers)
        self.ones = torch.ones(trunk.config.max_position_embeddings)

    def forward(
        self, ids: Tensor, types: Tensor, dense: Tensor, places: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """As MovesNetwork, for pairs of one length and so without a mask; `places` (n, m) are the
        columns of B, with 0 ([CLS]) before and as padding."""
        ones = self.ones[: ids.shape[1]]
        zeros = ones * 0
        states = self.words(ids) + self.kinds(types)
        states = states + self.positions.weight[: ids.shape[1]]
        states = _Normalised.apply(states, ones, zeros)  # type: ignore[no-untyped-call]
        for layer in self.layers[:-1]:
            states = layer(states, states, ones, zeros)
        ones = self.ones[: places.shape[1]]
        chosen = places.unsqueeze(-1).expand(-1, -1, states.shape[-1])
        own = self.layers[-1](states, torch.gather(states, 1, chosen), ones, ones * 0)
        own = own * self.last.weight + self.last.bias
        inside = (places > 0).unsqueeze(-1).to(own.dtype)
        pooled = torch.cat([own[:, 0], (own * inside).sum(1) / inside.sum(1)], 1)
        return self.network.read(pooled, dense)
