"""Whisper through openai-whisper and torch: the backend of the engine "whisper"."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from models.whisper_decoder import EncodedSound, TextDecoder
from models.whisper_decoding import Decoded
from models.whisper_words import TimedWord, align_words
from observer.media import Samples

if TYPE_CHECKING:
    import torch
    from whisper.decoding import DecodingResult
    from whisper.model import AudioEncoder, MultiHeadAttention, Whisper
    from whisper.tokenizer import Tokenizer


class TorchWhisper:
    """A model of openai-whisper, loaded; features are `EncodedSound`, on its device."""

    def __init__(self, model: "Whisper", *, bf16: bool) -> None:
        """`bf16`: compute the encoder, and what `TextDecoder` says, in bfloat16 on a CPU."""
        from whisper.tokenizer import LANGUAGES

        self.model = model
        self.bf16 = bf16
        self.decoder = TextDecoder(model, bf16=bf16)
        known = tuple(LANGUAGES)[: model.num_languages]
        self.languages = known if model.is_multilingual else ("en",)
        self.text_limit: int = model.dims.n_text_ctx // 2

    def tokenizer(self, language: str) -> "Tokenizer":
        """The model's tokenizer for transcription in `language`."""
        return tokenizer_for(self.model, language)

    def encode(self, waves: Sequence[Samples]) -> EncodedSound:
        """See `encode`."""
        return EncodedSound(self.decoder, encode(self.model, waves, bf16=self.bf16))

    def join(self, parts: "Sequence[torch.Tensor]") -> EncodedSound:
        """n windows of (1500, state) each."""
        import torch

        return EncodedSound(self.decoder, torch.stack(list(parts)))

    def vote(self, features: EncodedSound) -> tuple[str, float]:
        """See `vote_language`."""
        return vote_language(self.model, features.features)

    def decode(
        self,
        features: EncodedSound,
        language: str,
        prompt: str | None,
        beam_size: int | None,
        temperature: float,
        seed: int,
    ) -> list[Decoded]:
        """See `decode_once`."""
        return decode_once(features, language, prompt, beam_size, temperature, seed)

    def align(
        self,
        language: str,
        texts: Sequence[Sequence[int]],
        features: EncodedSound,
        seconds: Sequence[float],
    ) -> list[list[TimedWord]]:
        """See `whisper_words.align_words`."""
        return align_words(self.tokenizer(language), texts, features, seconds)


def tokenizer_for(model: "Whisper", language: str) -> "Tokenizer":
    """The tokenizer of this model for transcription in `language`."""
    from whisper.tokenizer import get_tokenizer

    return get_tokenizer(
        model.is_multilingual,
        num_languages=model.num_languages,
        language=language,
        task="transcribe",
    )


def half_precision_encoder(device: str) -> bool:
    """Whether the CPU computes bfloat16 in hardware (the encoder then runs in it)."""
    import torch

    if device != "cpu":
        return False
    able: Mapping[str, Any] = torch.cpu.get_capabilities()
    return bool(able.get("amx_bf16") or able.get("avx512_bf16"))


def encode(model: "Whisper", waves: Iterable[Samples], *, bf16: bool) -> "torch.Tensor":
    """Encoder output of shape (n, 1500, state) for 16 kHz windows of at most 30 s.

    float32 on a CPU (also when computed in bfloat16), float16 on a GPU.
    """
    import torch
    from whisper.audio import log_mel_spectrogram, pad_or_trim

    mels = [
        log_mel_spectrogram(pad_or_trim(wave), model.dims.n_mels, device=model.device)
        for wave in waves
    ]
    batch = torch.stack(mels)
    with torch.no_grad():
        if model.device.type == "cuda":
            features: torch.Tensor = model.encoder(batch.half())
            return features
        features = _encode_in_bfloat16(model.encoder, batch) if bf16 else model.encoder(batch)
    return features.float()


def _encode_in_bfloat16(encoder: "AudioEncoder", mels: "torch.Tensor") -> "torch.Tensor":
    """`AudioEncoder.forward`, with attention a piece at a time where the CPU has no AMX.

    There torch's fused attention is no faster in bfloat16 than in float32, plain products are.
    """
    import torch
    from torch.nn.functional import gelu

    if torch.cpu.get_capabilities().get("amx_bf16"):
        whole: torch.Tensor = encoder(mels.bfloat16())
        return whole
    x = gelu(encoder.conv2(gelu(encoder.conv1(mels.bfloat16())))).permute(0, 2, 1)
    x = (x + encoder.positional_embedding).to(x.dtype)
    for block in encoder.blocks:
        x = x + _attention_in_pieces(block.attn, block.attn_ln(x))
        x = x + block.mlp(block.mlp_ln(x))
    last: torch.Tensor = encoder.ln_post(x)
    return last


def _attention_in_pieces(attention: "MultiHeadAttention", x: "torch.Tensor") -> "torch.Tensor":
    """Self-attention of (n, frames, state); scores of one head and 500 frames stay in the cache."""
    import torch

    n, frames, state = x.shape
    width = state // attention.n_head
    queries, keys, values = (
        part(x).view(n, frames, attention.n_head, width).transpose(1, 2).contiguous()
        for part in (attention.query, attention.key, attention.value)
    )
    queries *= width**-0.5
    found = torch.empty_like(queries)
    for window in range(n):
        for head in range(attention.n_head):
            key, value = keys[window, head].T, values[window, head]
            for at in range(0, frames, 500):
                weights = (queries[window, head, at : at + 500] @ key).softmax(dim=-1)
                torch.mm(weights, value, out=found[window, head, at : at + 500])
    joined: torch.Tensor = attention.out(found.transpose(1, 2).reshape(n, frames, state))
    return joined


def vote_language(model: "Whisper", features: "torch.Tensor") -> tuple[str, float]:
    """(language, mean probability) over the windows of `features`; "en" for English-only models."""
    if not model.is_multilingual:
        return "en", 1.0
    _, votes = model.detect_language(features)
    mean = {code: sum(v[code] for v in votes) / len(votes) for code in votes[0]}
    language = max(mean, key=lambda code: mean[code])
    return language, mean[language]


def decode_once(
    sound: EncodedSound,
    language: str,
    prompt: str | None,
    beam_size: int | None,
    temperature: float,
    seed: int,
) -> list[Decoded]:
    """Decode windows by openai-whisper's own rules, without timestamps."""
    import torch
    import whisper

    features, decoder = sound.features, sound.decoder
    options = whisper.DecodingOptions(
        language=language,
        temperature=temperature,
        beam_size=beam_size if temperature == 0 else None,
        prompt=prompt,
        without_timestamps=True,  # word times come from alignment; all tokens are for text
        fp16=features.dtype == torch.float16,
    )
    devices = [features.device] if features.is_cuda else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        results = decoder.decode(sound, options)
    end_of_text = tokenizer_for(decoder.model, language).eot
    return [_read(result, end_of_text) for result in results]


def _read(result: "DecodingResult", end_of_text: int) -> Decoded:
    return Decoded(
        tokens=tuple(t for t in result.tokens if t < end_of_text),
        avg_logprob=result.avg_logprob,
        no_speech=result.no_speech_prob,
        compression=result.compression_ratio,
        temperature=result.temperature,
    )


@contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    """Several threads on contended cores are many times slower than one: the caller decides."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
