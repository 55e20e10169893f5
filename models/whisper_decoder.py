"""Whisper's text decoder with the keys and values of its cross-attention computed once a window.

The weights and the arithmetic are openai-whisper's (`whisper.model.TextDecoder`), and its
`DecodingTask` still chooses the tokens; what differs is what a step has to wait for. The package
projects the sound for every attempt at decoding and again for the alignment, keeps it in an order
that attention must gather from, and reads the vocabulary in single precision. Here the keys and
values of a window serve all attempts and the alignment, lie as attention reads them, and on a CPU
that computes bfloat16 they and the logits are computed in it. Figures: docs/decisions/0004.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, overload

if TYPE_CHECKING:
    import torch
    from whisper.decoding import DecodingOptions, DecodingResult
    from whisper.model import MultiHeadAttention, Whisper

    Watch = Callable[[int, torch.Tensor, torch.Tensor], None]
    """Is shown each layer's cross-attention: its number, queries and keys, both of shape
    (windows, heads, tokens or frames, width)."""
    KeysValues = tuple[torch.Tensor, torch.Tensor]

_GROWTH: Final = 64
"""Tokens by which the memory of past keys and values grows."""

_FEW_ROWS: Final = 16
"""Up to so many rows the vocabulary times the rows is quicker than the rows times it."""


class TextDecoder:
    """The decoder of one model."""

    def __init__(self, model: "Whisper", *, bf16: bool) -> None:
        """`bf16`: project the sound and compute the logits in bfloat16 (on a CPU)."""
        import torch

        self.model = model
        self.projected = torch.bfloat16 if bf16 else None
        embedding = model.decoder.token_embedding.weight.detach()
        self.vocabulary = embedding.to(self.projected) if self.projected else embedding

    def cross(self, features: "torch.Tensor") -> "list[KeysValues]":
        """Keys and values of each layer's cross-attention, (n, heads, 1500, width) each."""
        import torch

        sound = features.to(self.projected) if self.projected else features

        def laid_out(attention: "MultiHeadAttention", x: "torch.Tensor") -> "torch.Tensor":
            contiguous = torch.contiguous_format
            return _by_head(attention, x).to(features.dtype, memory_format=contiguous)

        with torch.no_grad():
            return [
                (laid_out(a, a.key(sound)), laid_out(a, a.value(sound)))
                for a in (block.cross_attn for block in self.model.decoder.blocks)
            ]

    def states(
        self,
        tokens: "torch.Tensor",
        sound: "EncodedSound",
        past: "Past | None" = None,
        watch: "Watch | None" = None,
    ) -> "torch.Tensor":
        """What the last layer makes of (rows, n) tokens: (rows, n, state).

        `past`: what came before, to which these tokens are added. Rows are windows, or several
        rows for each window in turn (beams).
        """
        decoder = self.model.decoder
        offset = past.length if past else 0
        place = decoder.positional_embedding[offset : offset + tokens.shape[1]]
        x = (decoder.token_embedding(tokens) + place).to(sound.features.dtype)
        for layer, block in enumerate(decoder.blocks):
            x = x + _to_text(block.attn, block.attn_ln(x), layer, past)
            attention, asking = block.cross_attn, block.cross_attn_ln(x)
            keys, values = sound.cross[layer]
            asked = asking.reshape(len(keys), -1, asking.shape[-1])
            queries = _by_head(attention, attention.query(asked))
            if watch is not None:
                watch(layer, queries, keys)
            x = x + attention.out(_attended(queries, keys, values).reshape(x.shape))
            x = x + block.mlp(block.mlp_ln(x))
        if past:
            past.length += tokens.shape[1]
        last: torch.Tensor = decoder.ln(x)
        return last

    def logits(self, states: "torch.Tensor", stop: int | None = None) -> "torch.Tensor":
        """(…, vocabulary) in float32; `stop`: only of the tokens before it."""
        vocabulary = self.vocabulary[:stop]
        rows = states.flatten(0, -2).to(vocabulary.dtype)
        if len(rows) <= _FEW_ROWS and not self.projected and not rows.is_cuda:
            found = (vocabulary @ rows.T).T.contiguous()
        else:
            found = rows @ vocabulary.T
        logits: torch.Tensor = found.float().reshape(*states.shape[:-1], -1)
        return logits

    def decode(self, sound: "EncodedSound", options: "DecodingOptions") -> "list[DecodingResult]":
        """`whisper.decode` of these windows. A beam takes one window at a time: openai-whisper
        20250625 loses count of the windows of a batch."""
        from whisper.decoding import DecodingTask

        if options.beam_size is not None and len(sound) > 1:
            return [self.decode(sound[[i]], options)[0] for i in range(len(sound))]
        task = DecodingTask(self.model, options)
        task.inference = _Steps(self, sound)
        if options.beam_size is not None:
            task.decoder.inference = task.inference
        results: list[DecodingResult] = task.run(sound.features)
        return results


class EncodedSound:
    """Encoder output of several windows and, once asked for, what the decoder attends to."""

    def __init__(
        self,
        decoder: TextDecoder,
        features: "torch.Tensor",
        cross: "list[KeysValues] | None" = None,
    ) -> None:
        """`features`: (n, 1500, state)."""
        self.decoder = decoder
        self.features = features
        if cross is not None:
            self.cross = cross

    @cached_property
    def cross(self) -> "list[KeysValues]":
        """See `TextDecoder.cross`."""
        return self.decoder.cross(self.features)

    def __len__(self) -> int:
        return len(self.features)

    @overload
    def __getitem__(self, which: int) -> "torch.Tensor": ...
    @overload
    def __getitem__(self, which: Sequence[int]) -> "EncodedSound": ...
    def __getitem__(self, which: int | Sequence[int]) -> "torch.Tensor | EncodedSound":
        """The features of one window, or several windows with what was computed for them."""
        if isinstance(which, int):
            return self.features[which]
        if list(which) == list(range(len(self))):
            return self
        cross: list[KeysValues] | None = self.__dict__.get("cross")
        some = list(which)
        taken = None if cross is None else [(k[some], v[some]) for k, v in cross]
        return EncodedSound(self.decoder, self.features[some], taken)


class Past:
    """Keys and values of the tokens so far, for the self-attention of each layer."""

    def __init__(self) -> None:
        self.length = 0
        self._kept: dict[int, KeysValues] = {}

    def extended(self, layer: int, new: "KeysValues") -> "KeysValues":
        """All keys and values of `layer`, these new ones (rows, heads, n, width) last."""
        end = self.length + new[0].shape[2]
        kept = self._kept.get(layer)
        if kept is None or kept[0].shape[2] < end:
            rows, heads, _, width = new[0].shape
            room = (rows, heads, end + _GROWTH, width)
            fresh = new[0].new_empty(room), new[1].new_empty(room)
            for target, old in zip(fresh, kept or (), strict=False):
                target[:, :, : self.length] = old[:, :, : self.length]
            kept = self._kept[layer] = fresh
        for target, part in zip(kept, new, strict=True):
            target[:, :, self.length : end] = part
        return kept[0][:, :, :end], kept[1][:, :, :end]

    def reorder(self, rows: Sequence[int]) -> None:
        """Row i becomes what row rows[i] was."""
        chosen = list(rows)
        self._kept = {layer: (k[chosen], v[chosen]) for layer, (k, v) in self._kept.items()}


class _Steps:
    """What `DecodingTask` asks for (`whisper.decoding.Inference`)."""

    def __init__(self, decoder: TextDecoder, sound: EncodedSound) -> None:
        self.decoder = decoder
        self.sound = sound
        self.past = Past()

    def logits(self, tokens: "torch.Tensor", _features: "torch.Tensor") -> "torch.Tensor":
        new = tokens[:, self.past.length :]
        return self.decoder.logits(self.decoder.states(new, self.sound, self.past))

    def rearrange_kv_cache(self, source_indices: Sequence[int]) -> None:
        if list(source_indices) != list(range(len(source_indices))):
            self.past.reorder(source_indices)

    def cleanup_caching(self) -> None:
        self.past = Past()


def _by_head(attention: "MultiHeadAttention", x: "torch.Tensor") -> "torch.Tensor":
    """(rows, n, state) → (rows, heads, n, width)."""
    split = x.reshape(*x.shape[:2], attention.n_head, -1)
    return split.transpose(1, 2)


def _attended(queries: "torch.Tensor", keys: "torch.Tensor", values: "torch.Tensor") -> Any:
    """Attention to everything, heads joined again: (rows, n, state)."""
    from torch.nn.functional import scaled_dot_product_attention

    return scaled_dot_product_attention(queries, keys, values).transpose(1, 2).flatten(2)


def _to_text(
    attention: "MultiHeadAttention", x: "torch.Tensor", layer: int, past: Past | None
) -> Any:
    """Causal self-attention."""
    from torch.nn.functional import scaled_dot_product_attention

    queries = _by_head(attention, attention.query(x))
    new = _by_head(attention, attention.key(x)), _by_head(attention, attention.value(x))
    keys, values = past.extended(layer, new) if past else new
    # several tokens at once have nothing before them: the prompt, or a whole text
    found = scaled_dot_product_attention(queries, keys, values, is_causal=x.shape[1] > 1)
    return attention.out(found.transpose(1, 2).flatten(2))
