"""Whisper checkpoints in OpenAI's format into CTranslate2's, for the engine "faster-whisper".

CTranslate2's own converter reads Hugging Face checkpoints through `transformers`; this one reads
the .pt file itself, so that a school's fine-tuned checkpoint needs neither that library nor a
network. Layers are named as in `ctranslate2.specs.whisper_spec`.
"""

from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.whisper_weights import Checkpoint, alignment_heads, load

if TYPE_CHECKING:
    import torch
    from whisper.model import Whisper
    from whisper.tokenizer import Tokenizer

_State = Mapping[str, "torch.Tensor"]


def convert(checkpoint: Path, folder: Path, quantization: str = "int8") -> Path:
    """Write the CTranslate2 model of a .pt checkpoint into `folder`; returns the folder.

    `quantization`: int8, int8_float16, float16 or float32 (what the weights are stored in).
    Raises EngineError for a damaged checkpoint.
    """
    from ctranslate2.specs import whisper_spec

    model = load(Checkpoint(checkpoint.stem, checkpoint), "cpu")
    dims = model.dims
    spec = whisper_spec.WhisperSpec(
        dims.n_audio_layer, dims.n_audio_head, dims.n_text_layer, dims.n_text_head
    )
    state = {name: tensor.float() for name, tensor in model.state_dict().items()}
    _encoder(spec.encoder, state)
    _decoder(spec.decoder, state)
    tokenizer = _tokenizer(model)
    spec.register_vocabulary(vocabulary(tokenizer, dims.n_vocab))
    spec.config.suppress_ids = list(tokenizer.non_speech_tokens)
    spec.config.suppress_ids_begin = [*tokenizer.encode(" "), tokenizer.eot]
    spec.config.lang_ids = sorted(tokenizer.all_language_tokens)
    spec.config.alignment_heads = _heads(model, checkpoint.stem)
    spec.validate()
    spec.optimize(quantization=quantization)
    folder.mkdir(parents=True, exist_ok=True)
    spec.save(str(folder))
    return folder


def vocabulary(tokenizer: "Tokenizer", size: int) -> list[str]:
    """One name for each token: its bytes as Latin-1, special ones as Whisper writes them."""
    encoding = tokenizer.encoding
    special = {token: name for name, token in encoding._special_tokens.items()}
    names = [
        special[i] if i in special else encoding.decode_single_token_bytes(i).decode("latin-1")
        for i in range(encoding.n_vocab)
    ]
    return [*names, *(f"<|unused{i}|>" for i in range(size - len(names)))][:size]


def _tokenizer(model: "Whisper") -> "Tokenizer":
    from whisper.tokenizer import get_tokenizer

    return get_tokenizer(
        model.is_multilingual, num_languages=model.num_languages, task="transcribe"
    )


def _heads(model: "Whisper", name: str) -> list[tuple[int, int]]:
    """(layer, head) of the alignment heads; all of the upper half where none are known."""
    dims = model.dims
    if alignment_heads(dims, name) is None:
        layers = range(dims.n_text_layer // 2, dims.n_text_layer)
        return list(product(layers, range(dims.n_text_head)))
    return [(layer, head) for layer, head in model.alignment_heads.indices().T.tolist()]


def _encoder(spec: Any, state: _State) -> None:
    for name in ("conv1", "conv2"):
        part = getattr(spec, name)
        part.weight, part.bias = state[f"encoder.{name}.weight"], state[f"encoder.{name}.bias"]
    spec.position_encodings.encodings = state["encoder.positional_embedding"]
    _norm(spec.layer_norm, state, "encoder.ln_post")
    for number, layer in enumerate(spec.layer):
        _block(layer, state, f"encoder.blocks.{number}")


def _decoder(spec: Any, state: _State) -> None:
    spec.embeddings.weight = state["decoder.token_embedding.weight"]
    spec.projection.weight = state["decoder.token_embedding.weight"]
    spec.position_encodings.encodings = state["decoder.positional_embedding"]
    _norm(spec.layer_norm, state, "decoder.ln")
    for number, layer in enumerate(spec.layer):
        name = f"decoder.blocks.{number}"
        _block(layer, state, name)
        _attention(layer.attention, state, f"{name}.cross_attn", cross=True)


def _block(layer: Any, state: _State, name: str) -> None:
    _attention(layer.self_attention, state, f"{name}.attn", cross=False)
    _norm(layer.ffn.layer_norm, state, f"{name}.mlp_ln")
    _linear(layer.ffn.linear_0, state, f"{name}.mlp.0")
    _linear(layer.ffn.linear_1, state, f"{name}.mlp.2")


def _attention(spec: Any, state: _State, name: str, *, cross: bool) -> None:
    """Projections of one input are stacked: query, key and value, or key and value alone."""
    from ctranslate2.converters.utils import fuse_linear
    from ctranslate2.specs.common_spec import LinearSpec

    parts = [LinearSpec() for _ in range(3)]
    for part, which in zip(parts, ("query", "key", "value"), strict=True):
        _linear(part, state, f"{name}.{which}")
    if cross:
        fuse_linear(spec.linear[0], parts[:1])
        fuse_linear(spec.linear[1], parts[1:])
    else:
        fuse_linear(spec.linear[0], parts)
    _linear(spec.linear[-1], state, f"{name}.out")
    _norm(spec.layer_norm, state, f"{name}_ln")


def _linear(spec: Any, state: _State, name: str) -> None:
    spec.weight = state[f"{name}.weight"]
    if f"{name}.bias" in state:  # keys have none
        spec.bias = state[f"{name}.bias"]


def _norm(spec: Any, state: _State, name: str) -> None:
    spec.gamma, spec.beta = state[f"{name}.weight"], state[f"{name}.bias"]
