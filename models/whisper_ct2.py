"""Whisper through CTranslate2: the backend of the engine "faster-whisper"."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from models.whisper_decoding import Decoded
from models.whisper_words import TimedWord, words_on
from observer.errors import EngineError
from observer.media import Samples

if TYPE_CHECKING:
    from whisper.tokenizer import Tokenizer

Features = npt.NDArray[np.float32]

TEXT_CONTEXT = 448
"""Positions of every Whisper decoder; half of them are for text."""


class Ct2Whisper:
    """A model of CTranslate2, loaded; features are float32 arrays (n, 1500, state) on the CPU."""

    def __init__(self, model: Any) -> None:
        """`model`: a `ctranslate2.models.Whisper`."""
        from whisper.tokenizer import LANGUAGES

        self.model = model
        known = tuple(LANGUAGES)[: model.num_languages]
        self.languages = known if model.is_multilingual else ("en",)
        self.text_limit = TEXT_CONTEXT // 2

    def tokenizer(self, language: str) -> "Tokenizer":
        """openai-whisper's tokenizer: the tokens are the same."""
        from whisper.tokenizer import get_tokenizer

        return get_tokenizer(
            self.model.is_multilingual,
            num_languages=self.model.num_languages,
            language=language,
            task="transcribe",
        )

    def encode(self, waves: Sequence[Samples]) -> Features:
        """Encoder output for 16 kHz windows of at most 30 s."""
        from whisper.audio import log_mel_spectrogram, pad_or_trim

        mels = [log_mel_spectrogram(pad_or_trim(wave), self.model.n_mels).numpy() for wave in waves]
        encoded = self.model.encode(_view(np.stack(mels)), to_cpu=True)
        return np.array(encoded, dtype=np.float32)

    def join(self, parts: Sequence[Features]) -> Features:
        """(n, 1500, state) of n windows."""
        return np.stack(parts)

    def vote(self, features: Features) -> tuple[str, float]:
        """(language, mean probability) over the windows of `features`."""
        votes = [dict(v) for v in self.model.detect_language(_view(features))]
        mean = {token: sum(v[token] for v in votes) / len(votes) for token in sorted(votes[0])}
        best = max(mean, key=lambda token: mean[token])
        return best.strip("<|>"), mean[best]

    def decode(
        self,
        features: Features,
        language: str,
        prompt: str | None,
        beam_size: int | None,
        temperature: float,
        seed: int,
    ) -> list[Decoded]:
        """Each window once; prompt, suppression and limits as in openai-whisper's `decode`."""
        import ctranslate2

        tokenizer = self.tokenizer(language)
        ctranslate2.set_random_seed(seed)
        results = self.model.generate(
            _view(features),
            [self._prompt(tokenizer, prompt)] * len(features),
            beam_size=(beam_size or 1) if temperature == 0 else 1,
            max_length=TEXT_CONTEXT,
            return_scores=True,
            return_no_speech_prob=True,
            suppress_tokens=_suppressed(tokenizer),
            sampling_topk=1 if temperature == 0 else 0,
            sampling_temperature=temperature or 1.0,
        )
        return [_read(result, tokenizer, temperature) for result in results]

    def _prompt(self, tokenizer: "Tokenizer", prompt: str | None) -> list[int]:
        before: list[int] = []
        if prompt:
            room = self.text_limit - 1
            before = [tokenizer.sot_prev, *tokenizer.encode(" " + prompt.strip())[-room:]]
        return [*before, *tokenizer.sot_sequence, tokenizer.no_timestamps]

    def align(
        self,
        language: str,
        texts: Sequence[Sequence[int]],
        features: Features,
        seconds: Sequence[float],
    ) -> list[list[TimedWord]]:
        """Words with times by CTranslate2's alignment, gathered as openai-whisper does."""
        tokenizer = self.tokenizer(language)
        words: list[list[TimedWord]] = [[] for _ in texts]
        filled = [i for i, text in enumerate(texts) if text]
        if not filled:
            return words
        results = self.model.align(
            _view(features if len(filled) == len(texts) else features[filled]),
            list(tokenizer.sot_sequence),
            [list(texts[i]) for i in filled],
            [round(seconds[i] * 100) for i in filled],
        )
        for i, result in zip(filled, results, strict=True):
            rows, columns = np.array(result.alignments, dtype=np.intp).T
            probabilities = result.text_token_probs
            words[i] = words_on((rows, columns), tokenizer, list(texts[i]), probabilities)
        return words


def _view(features: Features) -> Any:
    import ctranslate2

    return ctranslate2.StorageView.from_array(np.ascontiguousarray(features))


def _suppressed(tokenizer: "Tokenizer") -> list[int]:
    """Sounds in brackets and tokens that are no text, as openai-whisper suppresses them."""
    special = {
        *(tokenizer.transcribe, tokenizer.translate, tokenizer.sot, tokenizer.sot_prev),
        *(tokenizer.sot_lm, tokenizer.no_speech),
    }
    return sorted({*tokenizer.non_speech_tokens, *special})


def _read(result: Any, tokenizer: "Tokenizer", temperature: float) -> Decoded:
    from whisper.utils import compression_ratio

    tokens = tuple(t for t in result.sequences_ids[0] if t < tokenizer.eot)
    text = tokenizer.decode(list(tokens)).strip()
    length = len(result.sequences_ids[0])
    return Decoded(
        tokens=tokens,
        avg_logprob=result.scores[0] * length / (length + 1),  # as openai-whisper: with the end
        no_speech=result.no_speech_prob,
        compression=compression_ratio(text) if text else 0.0,
        temperature=temperature,
    )


def load(folder: Path, device: str, *, compute_type: str, threads: int) -> Any:
    """The CTranslate2 model of a folder, on "cpu", "cuda" or "cuda:n".

    Raises EngineError when the folder is damaged or no Whisper model.
    """
    import ctranslate2

    kind, _, index = device.partition(":")
    try:
        return ctranslate2.models.Whisper(
            str(folder),
            device=kind,
            device_index=int(index or 0),
            compute_type=compute_type,
            intra_threads=threads,
        )
    except (RuntimeError, ValueError, TypeError, OSError) as cause:
        first_line = (str(cause).splitlines() or [type(cause).__name__])[0][:200]
        raise EngineError(
            en=f"{folder.name} cannot be loaded as a CTranslate2 Whisper model ({first_line}). "
            "`observer models check` tells whether its files are whole.",
            zh=f"{folder.name} 无法作为 CTranslate2 的 Whisper 模型载入（{first_line}）。"
            "可用 `observer models check` 检查文件是否完整。",
        ) from cause
