"""Batched word times are those of openai-whisper's own one-window function."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from whisper.model import ModelDimensions, Whisper
from whisper.timing import dtw_cpu, find_alignment, median_filter

from models.whisper_torch import encode, tokenizer_for
from models.whisper_words import align_words, median_of_seven, warp


def random_whisper(layers: int = 2, state: int = 16, heads: int = 4) -> Whisper:
    """Whisper's architecture with small random weights: nothing scripted, nothing learnt."""
    torch.manual_seed(7)
    dims = ModelDimensions(80, 1500, state, heads, 1, 51865, 64, state, heads, layers)
    model = Whisper(dims).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.15)
    return model


@pytest.fixture(scope="module")
def model() -> Whisper:
    return random_whisper()


TEXTS = {
    "zh": ["同学们好，今天我们学习fraction。", "谁来说一说？", "", "对，三分之一等于几？"],
    "en": ["Good morning, everyone.", "What is one half?", "", "Twenty-five, or 3.5?"],
}


@pytest.mark.parametrize(("language", "heads"), [("zh", "upper half"), ("en", "chosen")])
def test_times_and_probabilities_equal_find_alignment(
    model: Whisper, language: str, heads: str
) -> None:
    mask = torch.zeros(2, 4, dtype=torch.bool)
    mask[1] = True
    if heads == "chosen":
        mask[:] = False
        mask[0, 2] = mask[1, 0] = mask[1, 3] = True
    model.register_buffer("alignment_heads", mask.to_sparse(), persistent=False)
    tokenizer = tokenizer_for(model, language)
    texts = [tokenizer.encode(text) for text in TEXTS[language]]
    seconds = [9.3, 4.0, 5.0, 24.99]
    mels = torch.randn(4, 80, 3000, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        features = model.encoder(mels)
    together = align_words(model, tokenizer, texts, features, seconds)
    assert together[2] == []
    for mel, text, length, words in zip(mels, texts, seconds, together, strict=True):
        alone = find_alignment(model, tokenizer, text, mel, round(length * 100))
        assert [w.text for w in words] == [w.word for w in alone]
        assert [(w.start, w.end) for w in words] == [(w.start, w.end) for w in alone]
        assert [w.probability for w in words] == pytest.approx([w.probability for w in alone])


def test_warping_together_equals_warping_alone() -> None:
    random = np.random.default_rng(0)
    # a column of equal costs and small integers make ties: they must fall the same way
    costs = [
        random.normal(size=(7, 40)),
        np.zeros((5, 9)),
        random.integers(0, 3, size=(12, 30)).astype(float),
        random.normal(size=(6, 3)),
        random.normal(size=(1, 20)),
    ]
    for cost, (rows, columns) in zip(costs, warp(costs), strict=True):
        expected = dtw_cpu(cost)
        np.testing.assert_array_equal(rows, expected[0])
        np.testing.assert_array_equal(columns, expected[1])


@pytest.mark.parametrize("frames", [3, 4, 50])
def test_running_median_equals_whispers(frames: int) -> None:
    x = torch.rand(2, 5, frames, generator=torch.Generator().manual_seed(2))
    assert torch.equal(median_of_seven(x), median_filter(x, 7))


def test_bfloat16_encoder_says_nearly_the_same(model: Whisper) -> None:
    wave = np.random.default_rng(3).normal(scale=0.1, size=16000 * 4).astype(np.float32)
    exact = encode(model, [wave], bf16=False)
    quick = encode(model, [wave], bf16=True)
    assert quick.dtype == exact.dtype == torch.float32
    likeness = torch.nn.functional.cosine_similarity(exact.flatten(), quick.flatten(), dim=0)
    assert likeness > 0.999


def test_every_published_model_has_its_alignment_heads() -> None:
    from models.whisper_weights import alignment_heads

    turbo = SimpleNamespace(n_vocab=51866, n_mels=128, n_text_layer=4, n_text_head=20)
    tiny_en = SimpleNamespace(n_vocab=51864, n_mels=80, n_text_layer=4, n_text_head=6)
    own = SimpleNamespace(n_vocab=51865, n_mels=80, n_text_layer=2, n_text_head=4)
    import whisper

    assert alignment_heads(turbo) == whisper._ALIGNMENT_HEADS["large-v3-turbo"]
    assert alignment_heads(tiny_en) == whisper._ALIGNMENT_HEADS["tiny.en"]
    assert alignment_heads(own) is None
    old = SimpleNamespace(n_vocab=51865, n_mels=80, n_text_layer=32, n_text_head=20)
    assert alignment_heads(old, "large-v1") == whisper._ALIGNMENT_HEADS["large-v1"]
    assert alignment_heads(old, "large-v2") == whisper._ALIGNMENT_HEADS["large-v2"]
