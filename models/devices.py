"""Where an engine computes, and how much at once fits there."""

from typing import Final, Protocol

from observer.errors import EngineError


def chosen_device(asked: str, library: str, *, gpu: bool) -> str:
    """ "cpu", "cuda" or "cuda:n" for the setting `asked` ("auto": a GPU where there is one).

    `gpu`: whether `library`, which the message names, finds one. Raises EngineError.
    """
    if asked == "auto":
        return "cuda" if gpu else "cpu"
    if asked.startswith("cuda") and not gpu:
        raise EngineError(
            en=f"Device {asked!r} was asked for, but {library} finds no GPU. Use --device auto or "
            "cpu.",
            zh=f"指定了设备“{asked}”，但 {library} 找不到 GPU。请改用 auto 或 cpu。",
        )
    return asked


class WhisperSizes(Protocol):
    """What of a Whisper model its memory depends on (`whisper.model.ModelDimensions`)."""

    n_vocab: int
    n_audio_ctx: int
    n_audio_state: int
    n_text_ctx: int
    n_text_state: int
    n_text_layer: int


def window_bytes(dims: WhisperSizes) -> int:
    """GPU memory that one more window in the batch takes in half precision, bytes.

    Encoding and decoding follow each other, so the larger of them counts, beside the encoder's
    output. Encoding holds about twelve activations of its output's size (the residual, queries,
    keys and values, the fourfold layer before and after its activation); attention is fused.
    Decoding holds keys and values of every layer for all text and all sound, and the logits of the
    longest prompt (half the text, and three tokens) in half and in single precision.
    """
    half, single = 2, 4
    sound = dims.n_audio_ctx * dims.n_audio_state * half
    heard = dims.n_text_ctx + dims.n_audio_ctx
    cache = dims.n_text_layer * 2 * heard * dims.n_text_state * half
    logits = (dims.n_text_ctx // 2 + 3) * dims.n_vocab * (half + single)
    return sound + max(12 * sound, cache + logits)


MOST_WINDOWS: Final = 32
"""Larger batches wait for their longest window; faster-whisper's own table ends at 16."""
ALIGNMENT: Final = 768 * 2**20
"""Bytes that the alignment of word times takes, whatever the batch: a pass is bounded
(`whisper_words`) to 8 MB of attention a head; some twenty heads follow the sound, with copies."""


def batch_for(free: int, window: int) -> int:
    """Windows that fit together into `free` bytes, a tenth of them left alone; 1 at least.

    An estimate: where it is too high, the batch is halved as memory runs out.
    """
    return max(1, min(MOST_WINDOWS, (free * 9 // 10 - ALIGNMENT) // window))
