"""Whisper decoding of windows in batches: features, language vote, temperature fallback."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from observer.media import Samples

if TYPE_CHECKING:
    import torch
    from whisper.decoding import DecodingResult
    from whisper.model import Whisper
    from whisper.tokenizer import Tokenizer

PROMPTS: Final[Mapping[str, str]] = {"zh": "以下是普通话的句子。"}
"""Given ahead of every window: it asks for Simplified characters and punctuation."""

TEMPERATURES: Final = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
MAX_COMPRESSION: Final = 2.4
"""UTF-8 text that gzips better than this is a loop (openai-whisper's threshold)."""
MIN_LOGPROB: Final = -1.0
MAX_NO_SPEECH: Final = 0.6


@dataclass(frozen=True, slots=True)
class Decoded:
    """What one window was decoded to."""

    tokens: tuple[int, ...]
    """Text tokens only."""
    avg_logprob: float
    no_speech: float
    """Probability that the window holds no speech."""
    compression: float
    temperature: float

    @property
    def silent(self) -> bool:
        """Whether Whisper's own rule says that nothing was said."""
        return self.no_speech > MAX_NO_SPEECH and self.avg_logprob < MIN_LOGPROB

    @property
    def failed(self) -> bool:
        """Whether a higher temperature should be tried."""
        poor = self.compression > MAX_COMPRESSION or self.avg_logprob < MIN_LOGPROB
        return poor and not self.silent


def prompt_for(language: str, hot_words: Sequence[str] = ()) -> str | None:
    """The text given ahead of every window, hot words (names, terms of the lesson) included."""
    prompt = PROMPTS.get(language, "")
    if hot_words:
        prompt += ("、" if language == "zh" else ", ").join(hot_words)
        prompt += "。" if language == "zh" else "."
    return prompt or None


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
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            features = model.encoder(batch)
    return features.float()


def vote_language(model: "Whisper", features: "torch.Tensor") -> tuple[str, float]:
    """(language, mean probability) over the windows of `features`; "en" for English-only models."""
    if not model.is_multilingual:
        return "en", 1.0
    _, votes = model.detect_language(features)
    mean = {code: sum(v[code] for v in votes) / len(votes) for code in votes[0]}
    language = max(mean, key=lambda code: mean[code])
    return language, mean[language]


def decode(
    model: "Whisper",
    features: "torch.Tensor",
    language: str,
    *,
    prompt: str | None,
    beam_size: int | None = None,
    temperatures: Sequence[float] = TEMPERATURES,
    seed: int = 0,
) -> list[Decoded]:
    """Decode a batch of windows; those that fail are tried again at higher temperatures.

    A window that fails at every temperature keeps its most probable result without a loop, or
    the least repetitive one. The same seed and batch give the same text.
    """
    tries: list[list[Decoded]] = [[] for _ in range(len(features))]
    open_windows = list(range(len(features)))
    for step, temperature in enumerate(temperatures):
        if not open_windows:
            break
        results = _decode_once(
            model, features[open_windows], language, prompt, beam_size, temperature, seed + step
        )
        for window, result in zip(open_windows, results, strict=True):
            tries[window].append(result)
        open_windows = [i for i in open_windows if tries[i][-1].failed]
    return [_best(candidates) for candidates in tries]


def _best(tries: Sequence[Decoded]) -> Decoded:
    if not tries[-1].failed:
        return tries[-1]
    straight = [t for t in tries if t.compression <= MAX_COMPRESSION]
    if straight:
        return max(straight, key=lambda t: t.avg_logprob)
    return min(tries, key=lambda t: t.compression)


def _decode_once(
    model: "Whisper",
    features: "torch.Tensor",
    language: str,
    prompt: str | None,
    beam_size: int | None,
    temperature: float,
    seed: int,
) -> list[Decoded]:
    import torch
    import whisper

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
        results: list[DecodingResult]
        if options.beam_size is None:
            results = whisper.decode(model, features, options)
        else:  # whisper 20250625 repeats the tokens for the beams of a batch, not the features
            results = [whisper.decode(model, one, options) for one in features]
    end_of_text = tokenizer_for(model, language).eot
    return [_read(result, end_of_text) for result in results]


def _read(result: "DecodingResult", end_of_text: int) -> Decoded:
    return Decoded(
        tokens=tuple(t for t in result.tokens if t < end_of_text),
        avg_logprob=result.avg_logprob,
        no_speech=result.no_speech_prob,
        compression=result.compression_ratio,
        temperature=result.temperature,
    )
